//! Power loss under SQLite. strace records what a server writes to its files, when it syncs them, and when it sends its
//! responses. For each of many moments (cuts) the files are rebuilt as a power loss at that moment may leave them, and
//! opened: they must hold every acknowledged call, every other one in whole or not at all, and nothing else.

mod calls;
mod client;
mod contents;
mod disk;
mod recording;
mod replay;
mod trace;

use std::time::Instant;

use tempfile::TempDir;

use self::{
    recording::{FILE, LOG, Recording, Size},
    replay::Replay,
    trace::{Action, Event},
};
use crate::{
    faults::{seed, setting},
    support::Random,
};

const CLIENTS: usize = 3;

/// Bytes of a frame's header in the log (<https://www.sqlite.org/fileformat2.html#walformat>).
const FRAME_HEADER: usize = 24;

/// A folder that is kept if the test fails.
struct Folder(TempDir);

impl Drop for Folder {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.disable_cleanup(true);
            println!("the files are in {}", self.0.path().display());
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn power_loss_loses_no_acknowledged_call_and_leaves_none_in_part() {
    let (seed, count) = (seed(), setting("MEMBERBASE_TEST_CUTS", 40));
    let mut random = Random(seed);
    let root = Folder(tempfile::tempdir().unwrap());
    let folder = root.0.path();
    let size = if count < 500 { Size::Short } else { Size::Whole };
    let started = Instant::now();
    let recording = Recording::make(folder, CLIENTS, size, &mut random).await;
    let recorded = started.elapsed();
    let commits = assert_commits_are_synced(&recording);
    let mut replay = Replay::new(&recording);
    let ticks = cuts(&recording, usize::try_from(count).unwrap(), &mut random);
    for (number, tick) in ticks.into_iter().enumerate() {
        let result = replay.cut(tick, random.below(usize::MAX) as u64, &folder.join("cut")).await;
        assert!(result.is_ok(), "cut {number} (tick {tick}, MEMBERBASE_TEST_SEED={seed}): {}", result.unwrap_err());
    }
    let checkpoints = recording.events.iter().filter(|event| event.action == Action::Sync(FILE.to_owned())).count();
    println!(
        "figures: {count} cuts, 0 acknowledged calls lost: {} recorded system calls, {} acknowledged calls that stored something, \
        {commits} commits, {checkpoints} checkpoints; recorded in {recorded:.1?}, checked in {:.1?}",
        recording.events.len(),
        recording.stored_calls().len(),
        started.elapsed() - recorded,
    );
}

/// Asserts that each commit was synced before the next one began, and that before each acknowledgement as many commits
/// were synced as calls acknowledged. Returns the number of commits.
fn assert_commits_are_synced(recording: &Recording) -> usize {
    let log = |event: &&Event| matches!(&event.action, Action::Write { file, .. } | Action::Sync(file) if file == LOG);
    let log: Vec<_> = recording.events.iter().filter(log).collect();
    let is_sync = |event: &Event| matches!(event.action, Action::Sync(_));
    let mut synced = Vec::new();
    for (index, event) in log.iter().enumerate() {
        let Some((header, true)) = write_at(event).map(|(offset, bytes)| (offset, is_commit(bytes))) else { continue };
        let mut writes = log[index + 1..].iter().filter_map(|event| Some((*event, write_at(event)?.0)));
        // A large transaction corrects the headers of its frames at its end, without their pages.
        let Some((page, _)) = writes.next().filter(|(_, offset)| *offset == header + FRAME_HEADER) else { continue };
        let sync = log[index..].iter().find(|event| is_sync(event) && event.begin > page.end);
        let sync = sync.expect("a sync after the commit").end;
        synced.push(sync);
        // The next transaction appends frames, or begins the log anew.
        let next = writes.find(|(_, offset)| *offset > header || *offset == 0);
        if let Some((next, _)) = next.filter(|(next, _)| next.begin < sync) {
            let was_killed = recording.ends.iter().any(|(end, _)| (page.end..next.begin).contains(end));
            assert!(was_killed, "commit {} was not synced", synced.len());
        }
    }
    for (acknowledged, tick) in recording.stored_calls().into_iter().enumerate() {
        let durable = synced.iter().filter(|&&synced| synced < tick).count();
        assert!(durable > acknowledged, "{durable} commits were synced before acknowledgement {acknowledged}");
    }
    synced.len()
}

fn write_at(event: &Event) -> Option<(usize, &[u8])> {
    if let Action::Write { offset, bytes, .. } = &event.action { Some((*offset, bytes)) } else { None }
}

/// Returns whether this is the header of a transaction's last frame, which has the number of the database's pages.
fn is_commit(bytes: &[u8]) -> bool {
    bytes.len() == FRAME_HEADER && bytes[4..8] != [0; 4]
}

/// Chooses moments in order: a fifth during the first start, some while the log is outgrown, and half of the others at
/// calls other than writes to the log, such as syncs, checkpoints and acknowledgements.
fn cuts(recording: &Recording, count: usize, random: &mut Random) -> Vec<usize> {
    let is_log = |event: &&Event| matches!(&event.action, Action::Write { file, .. } if file == LOG);
    let [first, common, large] = [
        0..recording.first_token,
        recording.first_token..recording.ends[2].0,
        // Files of this size take seconds.
        recording.ends[2].0..usize::MAX,
    ]
    .map(|ticks| {
        let events = recording.events.iter().filter(|event| ticks.contains(&event.begin));
        let (log, others): (Vec<_>, Vec<_>) = events.partition(is_log);
        [[log, others.clone()].concat(), others]
    });
    let mut ticks: Vec<_> = (0..count)
        .map(|number| {
            let part = match number % 20 {
                0..4 => &first,
                4 if !large[0].is_empty() => &large,
                _ => &common,
            };
            let events = &part[random.below(2)];
            let event = events[random.below(events.len())];
            // During the call, or after it.
            if random.below(2) == 0 { event.begin + 1 } else { event.end + 1 }
        })
        .collect();
    ticks.sort_unstable();
    ticks
}
