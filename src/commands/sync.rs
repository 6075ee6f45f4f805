//! `memberbase sync`: updates a memberbase from a file.
//!
//! A thread reads the rows, and lanes send them in batches. If missing members are to be deleted, the upload runs
//! within a sync of the API, which is committed only after the file was read to its proper end and every row was
//! stored.

mod lanes;
mod mirror;
mod progress;
mod reader;
mod rejects;
mod report;
mod upload;

use std::{
    future::Future,
    path::Path,
    process::ExitCode,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use futures_util::future::try_join_all;
use tokio::{pin, time::timeout};

use self::{
    mirror::Mirror,
    progress::Progress,
    reader::{Job, Reading},
    rejects::Rejects,
    report::{Outcomes, Summary},
    upload::Upload,
};
use super::{
    Error,
    api::{Client, Memberbase},
    print, print_notice,
    serve::stop_signal,
};
use crate::{
    cli::{Input, OnError, Rules, Sync},
    members_file::{self, Format, Interface, cell::CellRules, columns::Mapping, rows::ReadError},
    types::{Id, MemberbaseId},
};

/// What a run ends with where rows were left out.
const DONE_WITH_REJECTS: u8 = 3;

impl From<ReadError> for Error {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Usage(message) => Self::Usage(message),
            other => Self::Refused(other.message(Interface::Command)),
        }
    }
}

/// How long an interruption may take to be heard of before anybody is deleted: who interrupts a pipeline ends its first
/// command too, and to the next one that looks like the end of the data.
const HEARD: Duration = Duration::from_millis(250);

pub(super) async fn run(settings: Sync) -> Result<ExitCode, Error> {
    let (packing, format) = kind(&settings)?;
    let stop = stop_signal().map_err(Error::Signals)?;
    let named = settings.rules.rejects.as_deref();
    let unwritten = |cause| match named {
        Some(file) => Error::Refused(format!("can't write {}: {cause}", file.display())),
        None => Error::Output(cause),
    };
    let rejects = Rejects::new(named).map_err(unwritten)?;
    let run = Run {
        rejects: Arc::new(rejects),
        progress: Arc::new(Progress::new(settings.work.quiet)),
        outcomes: Mutex::default(),
        settings,
    };
    let notice = Arc::clone(&run.progress);
    let notice = Arc::new(move |text: &str| notice.notice(text));
    pin!(stop);
    let client = tokio::select! {
        client = Client::open(&run.settings.api, &run.settings.database, notice) => client?,
        () = &mut stop => return Err(interrupted(false)),
    };
    let outcome = run.on(&client, packing, format, stop).await;
    client.close().await;
    outcome
}

/// How the file is packed, and its format.
fn kind(settings: &Sync) -> Result<(members_file::Packing, Format), Error> {
    let (packing, named) = members_file::packing_and_format(&settings.file);
    let format = settings.input.format.or(named).ok_or_else(|| {
        let file = settings.file.display();
        Error::Usage(format!("can't infer the format of {file} from its extension: set --format"))
    })?;
    let Input { map, no_header, delimiter, .. } = &settings.input;
    if format == Format::Lines && !map.is_empty() {
        return Err(Error::Usage("--map is for the columns of CSV files and the fields of NDJSON".to_owned()));
    }
    if format != Format::Csv && (*no_header || delimiter.is_some()) {
        return Err(Error::Usage("--no-header and --delimiter are for CSV files".to_owned()));
    }
    Ok((packing, format))
}

fn interrupted(opened: bool) -> Error {
    let what = if opened { "interrupted: the sync is abandoned and no member was deleted" } else { "interrupted" };
    Error::Refused(what.to_owned())
}

/// One run of the command.
struct Run {
    settings: Sync,
    rejects: Arc<Rejects>,
    progress: Arc<Progress>,
    outcomes: Mutex<Outcomes>,
}

impl Run {
    async fn on(
        &self,
        client: &Client,
        packing: members_file::Packing,
        format: Format,
        stop: impl Future<Output = ()>,
    ) -> Result<ExitCode, Error> {
        pin!(stop);
        let started = Instant::now();
        let prepared = tokio::select! {
            prepared = self.prepare(client, packing, format) => prepared?,
            () = &mut stop => return Err(interrupted(false)),
        };
        let (memberbase, reading) = prepared;
        let mut summary = Summary {
            memberbase_id: memberbase.id.clone(),
            dry_run: self.settings.rules.dry_run,
            ..Summary::default()
        };
        // Whoever stops it while the sync is being opened has it abandoned afterwards.
        let mirror = self.open(client, &memberbase).await?;
        summary.sync_id = mirror.as_ref().map(|mirror| mirror.id.clone());
        let outcome = self.mirror(client, &memberbase, mirror.as_ref(), reading, &mut summary, stop).await;
        summary.outcomes = self.outcomes();
        summary.rows = self.progress.rows() + self.rejects.unsent();
        summary.rejected = self.rejects.count();
        summary.complete = outcome.is_ok();
        summary.took(started.elapsed());
        self.rejects.flush().map_err(Error::Output)?;
        self.tell(&summary)?;
        outcome?;
        match (summary.rejected, self.settings.rules.on_error) {
            (0, _) => Ok(ExitCode::SUCCESS),
            (_, OnError::Skip) => Ok(ExitCode::from(DONE_WITH_REJECTS)),
            (_, OnError::Reject) => {
                let message = "there are invalid rows: without --on-error skip the run would end at the first of them";
                Err(Error::Refused(message.to_owned()))
            }
        }
    }

    /// Finds the memberbase, and begins to read the file: what is wrong with its header shows before anything is
    /// changed.
    async fn prepare(
        &self,
        client: &Client,
        packing: members_file::Packing,
        format: Format,
    ) -> Result<(Memberbase, Reading), Error> {
        let Sync { file, memberbase: named, create, input, rules, work, .. } = &self.settings;
        // An id names a memberbase that is there: a new one would have another.
        let may_create = *create && MemberbaseId::parse(named).is_err();
        let found = if may_create {
            Memberbase::find(client, named).await?
        } else {
            Some(Memberbase::get(client, named).await?)
        };
        if found.is_none() && rules.dry_run {
            return Err(Error::Refused(format!("there is no memberbase {named:?}, and a dry run does not create it")));
        }
        let mut reading = reader::read(Job {
            file: file.clone(),
            format,
            is_format_given: input.format.is_some(),
            packing,
            encoding: input.encoding,
            mapping: Mapping {
                map: input.map.clone(),
                ignore_unknown: input.ignore_unknown_columns,
                schema: found.as_ref().map_or_else(Vec::new, |memberbase| memberbase.attribute_schema.clone()),
                no_header: input.no_header,
                delimiter: input.delimiter,
                cells: CellRules { empty: input.empty, decimal: input.decimal, date_order: input.date_order },
                interface: Interface::Command,
            },
            on_error: if rules.dry_run { OnError::Skip } else { rules.on_error },
            rejects: Arc::clone(&self.rejects),
            read: Arc::clone(&self.progress.read),
            rows_read: Arc::clone(&self.progress.rows_read),
            concurrency: work.concurrency,
            batch_size: work.batch_size,
        });
        let size = (&mut reading.begun).await.map_err(|_| stopped_reading())?.map_err(|error| self.of_file(error))?;
        self.progress.begin(size);
        let memberbase = match found {
            Some(memberbase) => memberbase,
            None => Memberbase::create(client, named).await?,
        };
        Ok((memberbase, reading))
    }

    async fn open(&self, client: &Client, memberbase: &Memberbase) -> Result<Option<Mirror>, Error> {
        let Rules { delete_missing, abandon_open, .. } = self.settings.rules;
        if !delete_missing {
            return Ok(None);
        }
        Mirror::start(client, memberbase, abandon_open).await.map(Some)
    }

    /// Stores the rows, and ends the sync: by a commit only where everything went well.
    async fn mirror(
        &self,
        client: &Client,
        memberbase: &Memberbase,
        mirror: Option<&Mirror>,
        reading: Reading,
        summary: &mut Summary,
        stop: impl Future<Output = ()>,
    ) -> Result<(), Error> {
        pin!(stop);
        let mut stored = tokio::select! {
            biased;
            () = &mut stop => Err(interrupted(mirror.is_some())),
            stored = self.store(client, memberbase, mirror, reading) => stored,
            () = self.progress.show() => unreachable!("it is shown for as long as it is asked to"),
        };
        self.progress.end();
        let Some(mirror) = mirror else { return stored.map(drop) };
        if stored.is_ok() && timeout(HEARD, stop).await.is_ok() {
            stored = Err(interrupted(true));
        }
        let outcome = match stored {
            Ok(rows) => self.finish(client, memberbase, mirror, rows, summary).await,
            Err(error) => Err(error),
        };
        if (outcome.is_err() || self.settings.rules.dry_run)
            && let Err(message) = mirror.abandon(client).await
        {
            print_notice(message);
        }
        outcome
    }

    async fn store(
        &self,
        client: &Client,
        memberbase: &Memberbase,
        mirror: Option<&Mirror>,
        reading: Reading,
    ) -> Result<u64, Error> {
        let Rules { dry_run, on_error, .. } = self.settings.rules;
        let upload = Upload {
            client,
            memberbase_id: &memberbase.id,
            sync_id: mirror.map(|mirror| mirror.id.as_str()),
            dry_run,
            skip: dry_run || on_error == OnError::Skip,
            rejects: Arc::clone(&self.rejects),
            progress: &self.progress,
            outcomes: &self.outcomes,
        };
        let Reading { ended, lanes, .. } = reading;
        try_join_all(lanes.into_iter().map(|lane| upload.lane(lane))).await?;
        ended.await.map_err(|_| stopped_reading())?.map_err(|error| self.of_file(error))
    }

    /// Deletes who is missing, or says who would be.
    async fn finish(
        &self,
        client: &Client,
        memberbase: &Memberbase,
        mirror: &Mirror,
        rows: u64,
        summary: &mut Summary,
    ) -> Result<(), Error> {
        if rows == 0 {
            return Err(Error::Refused("the file has no rows, so no member is deleted".to_owned()));
        }
        let unattributed = self.rejects.unattributed();
        if unattributed > 0 {
            let rows = if unattributed == 1 { "1 row".to_owned() } else { format!("{unattributed} rows") };
            let message = format!(
                "{rows} can't be attributed to a member, so no member is deleted: correct such rows (--rejects FILE \
                lists them) and run the command again"
            );
            return Err(Error::Refused(message));
        }
        let Rules { dry_run, max_deleted_percent, .. } = self.settings.rules;
        if !dry_run {
            summary.deleted = mirror.commit(client, max_deleted_percent).await?;
            return Ok(());
        }
        let prospect = mirror.look(client, memberbase).await?;
        summary.deleted = prospect.missing;
        match prospect.refusal(self.outcomes().created, max_deleted_percent) {
            Some(refusal) => Err(Error::Refused(refusal)),
            None => Ok(()),
        }
    }

    fn outcomes(&self) -> Outcomes {
        *self.outcomes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self, summary: &Summary) -> Result<(), Error> {
        let work = &self.settings.work;
        if !work.quiet {
            for line in self.rejects.told() {
                print_notice(line);
            }
            print_notice(summary.table());
        }
        if work.json {
            print(serde_json::to_string(summary).expect("texts and numbers are JSON"))?;
        }
        Ok(())
    }

    /// Names the file that an error is about.
    fn of_file(&self, error: ReadError) -> Error {
        let file = if self.settings.file == Path::new("-") {
            "stdin".to_owned()
        } else {
            self.settings.file.display().to_string()
        };
        match Error::from(error) {
            Error::Refused(message) => Error::Refused(format!("{file}: {message}")),
            Error::Usage(message) => Error::Usage(format!("{file}: {message}")),
            other => other,
        }
    }
}

fn stopped_reading() -> Error {
    Error::Refused("reading the file has stopped unexpectedly".to_owned())
}
