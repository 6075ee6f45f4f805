//! Cuts the power at a moment of a recording, and checks what is left.

use std::path::{Path, PathBuf};

use memberbase::db::Settings;

use super::{
    calls::name,
    client::Step,
    contents::Contents,
    disk::{Disk, Survival},
    recording::{FILE, LOG, Recording},
};
use crate::support::{Random, Server};

/// The state of the files and of the clients' calls at a moment that moves forward.
pub struct Replay<'a> {
    recording: &'a Recording,
    disk: Disk,
    /// The begins and ends of the events: tick, index, and whether it is the end.
    timeline: Vec<(usize, usize, bool)>,
    done: usize,
    /// The contents after the acknowledged calls of each client, and their number.
    clients: Vec<(Contents, usize)>,
}

impl<'a> Replay<'a> {
    pub fn new(recording: &'a Recording) -> Self {
        let events = recording.events.iter().enumerate();
        let mut timeline: Vec<_> =
            events.flat_map(|(index, event)| [(event.begin, index, false), (event.end, index, true)]).collect();
        timeline.sort_unstable();
        let clients = recording.clients.iter().map(|_| (Contents::default(), 0)).collect();
        let mut replay = Self { recording, disk: Disk::default(), timeline, done: 0, clients };
        replay.assert_complete();
        (replay.disk, replay.done) = (Disk::default(), 0);
        replay
    }

    /// Asserts that the recorded writes yield the files that the servers left, byte for byte.
    fn assert_complete(&mut self) {
        let rebuilt = tempfile::tempdir().unwrap();
        for (tick, left) in &self.recording.ends {
            self.advance(*tick);
            self.disk.write(&self.recording.events, Survival::ALL, &mut Random(0), rebuilt.path());
            for name in [FILE, LOG] {
                let bytes = |folder: &Path| std::fs::read(folder.join(name)).unwrap_or_default();
                assert!(bytes(rebuilt.path()) == bytes(left), "{name} in {} has other writes", left.display());
                let _ = std::fs::remove_file(rebuilt.path().join(name));
            }
        }
    }

    /// Moves on to a moment after everything with an earlier tick.
    fn advance(&mut self, tick: usize) {
        while let Some(&(_, index, is_end)) = self.timeline.get(self.done).filter(|(time, ..)| *time < tick) {
            let change = if is_end { Disk::end } else { Disk::begin };
            change(&mut self.disk, &self.recording.events, index);
            self.done += 1;
        }
    }

    /// Cuts the power at a moment, and checks what is left. Leaves the files in `folder` if something is wrong.
    pub async fn cut(&mut self, tick: usize, seed: u64, folder: &Path) -> Result<(), String> {
        self.advance(tick);
        let expected = (0..self.clients.len()).map(|client| self.possible(client, tick)).collect();
        let secret = (self.recording.first_token < tick).then(|| self.recording.secret.clone());
        let write = || {
            std::fs::create_dir(folder).unwrap();
            let mut random = Random(seed);
            let survival = Survival::random(&mut random);
            self.disk.write(&self.recording.events, survival, &mut random, folder);
            // Whatever is left of SQLite's index of the log must not matter.
            if random.below(3) == 0 {
                let bytes: Vec<_> = (0..32_768).map(|_| u8::try_from(random.below(256)).unwrap()).collect();
                std::fs::write(folder.join(format!("{FILE}-shm")), bytes).unwrap();
            }
            survival
        };
        let survival = write();
        let checked = tokio::spawn(check(folder.join(FILE), expected, secret)).await;
        std::fs::remove_dir_all(folder).unwrap();
        checked.map_err(|error| {
            write();
            let panic = error.into_panic();
            let message = panic.downcast_ref::<String>().cloned();
            let message = message.or_else(|| panic.downcast_ref::<&str>().map(|&text| text.to_owned()));
            let message = message.unwrap_or_default();
            format!("{survival:?}: {message}; the next calls were {:?}", self.next_calls())
        })
    }

    /// Returns the start of each client's first call without an acknowledgement.
    fn next_calls(&self) -> Vec<String> {
        let next =
            |(steps, done): (&Vec<Step>, usize)| steps.get(done).map(|step| format!("{} {:?}", step.number, step.call));
        let calls = self.recording.clients.iter().zip(self.clients.iter().map(|(_, done)| *done)).map(next);
        calls.map(|call| call.unwrap_or_default().chars().take(80).collect()).collect()
    }

    /// Returns what a client's memberbase may contain: the effects of its acknowledged calls, or those of one more that
    /// had no response yet.
    fn possible(&mut self, client: usize, tick: usize) -> Vec<Contents> {
        let steps = &self.recording.clients[client];
        let (contents, done) = &mut self.clients[client];
        let apply =
            |step: &Step, contents: &mut Contents| step.call.apply(step.number, step.response.as_ref(), contents);
        let acknowledged = steps.iter().rposition(|step| step.acknowledged.is_some_and(|sent| sent < tick));
        let acknowledged = acknowledged.map_or(0, |last| last + 1);
        for step in steps[*done..acknowledged].iter().filter(|step| step.stored) {
            apply(step, contents);
        }
        *done = acknowledged;
        let mut possible = vec![contents.clone()];
        for step in &steps[acknowledged..] {
            let killed = step.killed.filter(|&killed| killed < tick);
            if killed.is_none() || step.stored {
                let mut next = possible[possible.len() - 1].clone();
                apply(step, &mut next);
                possible.push(next);
            }
            // The next call was sent after the response, or to the next server.
            if killed.is_none() {
                break;
            }
        }
        possible
    }
}

/// Opens a file as a server does, and compares it with what each client expects. Panics at a difference.
async fn check(file: PathBuf, expected: Vec<Vec<Contents>>, secret: Option<String>) {
    let server = Server::reopen(Settings::small(format!("sqlite://{}", file.display()))).await;
    assert_eq!(server.column::<String>("PRAGMA integrity_check").await, ["ok"]);
    assert!(server.column::<String>("PRAGMA foreign_key_check").await.is_empty(), "a foreign key is violated");
    let mut found = Contents::read(&server).await;
    for (client, possible) in expected.into_iter().enumerate() {
        let found = found.remove(&name(client)).unwrap_or_default();
        let differences: Vec<_> = possible.iter().map(|contents| contents.difference(&found)).collect();
        assert!(differences.iter().any(Option::is_none), "{}: {differences:?}", name(client));
    }
    assert!(found.is_empty(), "other memberbases: {:?}", found.keys());
    let members = server.members().await;
    let caller = match secret {
        Some(secret) => server.with_secret(&secret),
        None => server.writer().await,
    };
    let base = server.memberbase("later").await;
    caller.upsert(&base, &["a", "b"]).await.data();
    assert_eq!(server.members().await, members + 2);
    server.app.db.close().await;
}
