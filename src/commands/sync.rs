//! `memberbase sync`: updates a memberbase from a file. It is a client of `POST /import`.
//!
//! Each attempt sends the whole file with the same id, so that the server skips the rows that it has stored. A second request
//! watches the import for its progress: a proxy may pass on nothing of a response before it has the whole request.

mod events;
mod file;
mod import;
mod progress;
mod rejects;
mod report;

use std::{
    fs::File,
    io::{self, BufRead, Read},
    path::Path,
    process::ExitCode,
    sync::Arc,
    time::Instant,
};

use tokio::pin;

use self::{
    file::Source,
    import::{Import, Stored},
    progress::Progress,
    rejects::Rejects,
    report::Summary,
};
use super::{
    Error,
    api::{Client, Memberbase},
    input::{file_name, name},
    print, print_notice,
    serve::stop_signal,
};
use crate::{
    cli::{Input, OnError, Rules, Sync},
    members_file::{self, Format, Packing, content, source},
    types::{Id, MemberbaseId},
};

/// Exit code of a run that has left out rows.
const DONE_WITH_REJECTS: u8 = 3;

pub(super) async fn run(settings: Sync) -> Result<ExitCode, Error> {
    let format = format(&settings)?;
    let stop = stop_signal().map_err(Error::Signals)?;
    let named = settings.rules.rejects.as_deref();
    let unwritten = |cause| match named {
        Some(file) => Error::Refused(format!("can't write {}: {cause}", file.display())),
        None => Error::Output(cause),
    };
    let rejects = Rejects::new(named).map_err(unwritten)?;
    let progress = Arc::new(Progress::new(settings.output.quiet));
    pin!(stop);
    let notice = Arc::clone(&progress);
    let notice = Arc::new(move |text: &str| notice.notice(text));
    let client = tokio::select! {
        client = Client::open(&settings.api, &settings.database, notice) => client?,
        () = &mut stop => return Err(interrupted()),
    };
    let run = Run { settings, format, rejects, progress };
    let outcome = run.on(&client, stop).await;
    client.close().await;
    outcome
}

/// Returns the format of the file.
fn format(settings: &Sync) -> Result<Format, Error> {
    let format = settings.input.format_of(&settings.file).ok_or_else(|| {
        let file = settings.file.display();
        Error::Usage(format!("can't infer the format of {file} from its extension: set --format"))
    })?;
    let Input { map, ignore, no_header, delimiter, .. } = &settings.input;
    if format == Format::Lines && (!map.is_empty() || !ignore.is_empty() || settings.declare) {
        let message = "--map, --ignore and --declare are for the columns of CSV files and the fields of NDJSON";
        return Err(Error::Usage(message.to_owned()));
    }
    if format != Format::Csv && (*no_header || delimiter.is_some()) {
        return Err(Error::Usage("--no-header and --delimiter are for CSV files".to_owned()));
    }
    Ok(format)
}

fn interrupted() -> Error {
    Error::Refused("interrupted".to_owned())
}

/// One run of the command.
struct Run {
    settings: Sync,
    format: Format,
    rejects: Rejects,
    progress: Arc<Progress>,
}

impl Run {
    async fn on(&self, client: &Client, stop: impl Future<Output = ()>) -> Result<ExitCode, Error> {
        pin!(stop);
        let started = Instant::now();
        let Rules { dry_run, on_error, .. } = self.settings.rules;
        self.check_content()?;
        let source = Source::open(&self.settings.file, client.is_remote(), self.is_packed());
        let source = source.map_err(|error| self.unreadable(&error))?;
        let (memberbase, is_new) = tokio::select! {
            found = self.memberbase(client) => found?,
            () = &mut stop => return Err(interrupted()),
        };
        self.progress.begin(source.size());
        let parameters = self.parameters(&memberbase);
        let import = Import::new(client, &source, parameters, &self.rejects, &self.progress);
        let stored = tokio::select! {
            biased;
            () = &mut stop => Err(interrupted()),
            stored = import.run() => stored.map_err(|failure| self.failed(failure, &source)),
            never = self.progress.show(&source.read) => match never {},
        };
        self.progress.end();
        if is_new && matches!(stored, Err(Error::Usage(_))) {
            // Nothing was stored.
            Memberbase::delete_empty(client, &memberbase).await?;
        }
        let stored = match stored {
            Err(error) if import.is_open() => Err(self.cancel(&import, error).await),
            stored => stored,
        };
        let result = stored.as_ref().map_or_else(|_| import.unfinished(), Stored::clone);
        let summary = Summary::new(&memberbase, &result, (dry_run, stored.is_ok()), started.elapsed());
        self.rejects.flush().map_err(Error::Output)?;
        self.report(&summary)?;
        stored?;
        match (result.totals.rejected, on_error) {
            (0, _) => Ok(ExitCode::SUCCESS),
            (_, OnError::Skip) => Ok(ExitCode::from(DONE_WITH_REJECTS)),
            (_, OnError::Reject) => {
                let message = "there are invalid rows: without --on-error skip the run would end at the first of them";
                Err(Error::Refused(message.to_owned()))
            }
        }
    }

    /// Returns the id or name of the memberbase, which is created if that is requested, and whether it was.
    async fn memberbase(&self, client: &Client) -> Result<(String, bool), Error> {
        let Sync { memberbase: named, create, rules, .. } = &self.settings;
        // A memberbase that is created gets another id.
        let may_create = *create && MemberbaseId::parse(named).is_err();
        if !may_create {
            return Ok((named.clone(), false));
        }
        match Memberbase::find(client, named).await? {
            Some(found) => Ok((found.id, false)),
            None if rules.dry_run => {
                let message = format!("there is no memberbase {named:?}, and a dry run does not create it");
                Err(Error::Refused(message))
            }
            None => Ok((Memberbase::create(client, named).await?.id, true)),
        }
    }

    fn is_packed(&self) -> bool {
        members_file::packing_and_format(&self.settings.file).0 != Packing::None
    }

    /// Checks that the beginning of the file fits its name.
    fn check_content(&self) -> Result<(), Error> {
        let Sync { file, input, .. } = &self.settings;
        if file == Path::new("-") || !file.metadata().is_ok_and(|metadata| metadata.is_file()) {
            return Ok(());
        }
        let unreadable = |error: io::Error| self.unreadable(&error);
        let mut begin = Vec::new();
        File::open(file).and_then(|file| file.take(4).read_to_end(&mut begin)).map_err(unreadable)?;
        let (signature, packer): (&[u8], _) = match members_file::packing_and_format(file).0 {
            Packing::None => (b"", ""),
            Packing::Gzip => (source::GZIP, "gzip"),
            Packing::Zstd => (source::ZSTD, "zstd"),
        };
        if !begin.starts_with(signature) {
            return Err(self.refused(&format!("it is not packed with {packer}, as its name says")));
        }
        if self.format != Format::Lines || input.format.is_some() {
            return Ok(());
        }
        let mut text = File::open(file).and_then(|file| source::receive(file, input.encoding)).map_err(unreadable)?;
        match content::other_than_lines(text.fill_buf().map_err(unreadable)?) {
            Some((seems, advice)) => {
                let message = format!("the file seems to be {seems}, not a ref per line: {advice}");
                Err(self.usage(&format!("{message}, or --format lines if each line is a ref")))
            }
            None => Ok(()),
        }
    }

    /// Returns the parameters of the request.
    fn parameters(&self, memberbase: &str) -> Vec<(&'static str, String)> {
        let Sync { input, rules, declare, .. } = &self.settings;
        let mut parameters = vec![("memberbase", memberbase.to_owned())];
        parameters.extend(input.parameters(Some(self.format)));
        if rules.delete_missing {
            parameters.push(("maxDeletedPercent", rules.max_deleted_percent.to_string()));
        }
        parameters.push(("onError", name(&rules.on_error)));
        let flags = [
            ("declare", *declare),
            ("dryRun", rules.dry_run),
            ("mirror", rules.delete_missing),
            ("abandonOpen", rules.abandon_open),
        ];
        parameters.extend(flags.into_iter().filter(|(_, is_set)| *is_set).map(|(name, _)| (name, true.to_string())));
        parameters
    }

    /// Ends an import that the server would keep open for another attempt. Returns the error with what became of it.
    async fn cancel(&self, import: &Import<'_>, error: Error) -> Error {
        let is_mirror = self.settings.rules.delete_missing;
        match import.cancel().await {
            Ok(()) if is_mirror => Error::Refused(format!("{error}: the sync is abandoned and no member was deleted")),
            Ok(()) => error,
            Err(failure) => {
                if is_mirror {
                    print_notice(format_args!(
                        "the sync could not be abandoned: {failure}; unless it is complete, it deletes no members, and \
                        --abandon-open abandons it"
                    ));
                }
                error
            }
        }
    }

    /// Returns the error of an import that has failed.
    fn failed(&self, failure: import::Failure, source: &Source) -> Error {
        match failure {
            _ if source.failure().is_some() => {
                source.failure().map_or_else(interrupted, |error| self.unreadable(error))
            }
            import::Failure::Request(failure) => failure.into(),
            import::Failure::File { message, is_begun: false } => self.usage(&message),
            import::Failure::File { message, .. } => self.refused(&message),
            import::Failure::Output(error) => Error::Output(error),
        }
    }

    fn unreadable(&self, error: &io::Error) -> Error {
        self.refused(&format!("can't read the file: {error}"))
    }

    fn refused(&self, message: &str) -> Error {
        Error::Refused(format!("{}: {message}", self.file_name()))
    }

    fn usage(&self, message: &str) -> Error {
        Error::Usage(format!("{}: {message}", self.file_name()))
    }

    fn file_name(&self) -> String {
        file_name(&self.settings.file)
    }

    fn report(&self, summary: &Summary) -> Result<(), Error> {
        let output = &self.settings.output;
        if !output.quiet {
            for line in self.rejects.listed() {
                print_notice(line);
            }
            print_notice(summary.table());
        }
        if output.json {
            print(serde_json::to_string(summary).expect("texts and numbers are JSON"))?;
        }
        Ok(())
    }
}
