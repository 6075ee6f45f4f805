//! Parses the file, on a thread of its own.

use std::{
    io::BufRead,
    sync::{Arc, atomic::Ordering},
};

use encoding_rs::{Encoding, UTF_8};
use tokio::sync::oneshot;

use super::{
    batches::{Batcher, Closed, Queue, UnattributedRow},
    body::BodyReader,
    checkpoints::Prefix,
    event::Failure,
    parameters::{OnError, Parameters},
    run::Import,
};
use crate::{
    budget::{self, Budget, Exceeded},
    domain::{
        attribute::{Definition, Schema},
        import::Position,
    },
    graphql::Code,
    http::compute,
    members_file::{
        Format,
        columns::Mapping,
        content,
        inspect::{self, BEGINNING_BYTES},
        rows::{Next, ReadError, Row, Rows},
        source::{self, Source},
    },
};

/// Size from which the memory of a single row counts.
pub(super) const MIN_LONG_ROW_BYTES: usize = 64 << 10;

/// A file before it is parsed.
pub(super) struct Job {
    pub(super) reader: BodyReader,
    pub(super) mapping: Mapping,
    /// The memory of the file, and of its rows until they are stored.
    pub(super) budget: Budget,
}

/// A file that is being parsed.
pub(super) struct Reading {
    /// Sent as soon as the header is understood, with the attributes to declare.
    pub(super) begun: oneshot::Receiver<Result<Vec<Definition>, Failure>>,
    /// The number of rows, once the file was parsed to its proper end.
    pub(super) ended: oneshot::Receiver<Result<u64, Failure>>,
    pub(super) queue: Queue,
}

/// Starts to parse a file.
pub(super) fn start(job: Job, import: Arc<Import>) -> Reading {
    let (batcher, queue) = Batcher::new(import.limits().batch_rows, Arc::clone(&import.checkpoints));
    let (begin, begun) = oneshot::channel();
    let (end, ended) = oneshot::channel();
    compute::spawn_blocking(move || {
        let Job { reader, mapping, budget } = job;
        budget.measure(|| {
            let opened = open(reader, mapping, &import);
            let (rows, definitions) =
                match opened.and_then(|opened| budget::check().map_err(too_large).map(|()| opened)) {
                    Ok(opened) => opened,
                    Err(failure) => return drop(begin.send(Err(failure))),
                };
            let _ = import.columns.set(rows.column_names());
            if begin.send(Ok(definitions)).is_ok() {
                let read = read(rows, batcher, &import);
                if let Err(failure) = &read {
                    import.ending.fail(failure.clone());
                }
                // The receiver is gone if the import has failed for another reason.
                let _ = end.send(read);
            }
        });
    });
    Reading { begun, ended, queue }
}

/// Reads the header of a file, if it has one. Returns the file, and the attributes to declare.
fn open(reader: BodyReader, mut mapping: Mapping, import: &Import) -> Result<(Rows, Vec<Definition>), Failure> {
    let Parameters { format, encoding, declare, .. } = import.parameters();
    let mut source = receive(reader, *encoding).map_err(|error| failure(&error))?;
    let mut definitions = Vec::new();
    if *declare {
        let (begin, whole) =
            source::look_ahead(source, BEGINNING_BYTES).map_err(|error| failure(&ReadError::Io(error)))?;
        source = whole;
        let given =
            inspect::Given { encoding: Some(UTF_8), format: Some(*format), has_header: Some(!mapping.no_header) };
        if let Err(error) = std::str::from_utf8(&begin)
            && error.error_len().is_some()
        {
            let before = &begin[..error.valid_up_to()];
            let line = before.iter().filter(|byte| **byte == b'\n').count() as u64 + 1;
            return Err(failure(&ReadError::NotUtf8 { line }));
        }
        let (inspection, _) = inspect::inspect(&begin, begin.len() == BEGINNING_BYTES, &given, &mapping);
        let unfit = |message| failure(&ReadError::Usage(message));
        if *format == Format::Ndjson && !inspection.has_ref(&mapping) {
            return Err(unfit("no row has a field \"ref\": name the field of the refs with map=ref=FIELD".to_owned()));
        }
        definitions = inspection.undeclared(&mapping, false).map_err(unfit)?;
        let schema = extended(import.schema(), &definitions)?;
        mapping.delimiter = inspection.delimiter;
        mapping.schema = schema.definitions().to_vec();
        // It is set only once.
        let _ = import.schema.set(schema);
    }
    let rows = Rows::new(*format, source, &mapping).map_err(|error| failure(&error))?;
    Ok((rows, definitions))
}

/// Returns a schema with the attributes to declare.
pub(super) fn extended(schema: &Schema, definitions: &[Definition]) -> Result<Schema, Failure> {
    // The columns of the file are the reason.
    let unfit = |error| Failure::new(Code::BadUserInput, Failure::from(error).message);
    schema.clone().with(definitions).map_err(unfit)
}

fn receive(reader: BodyReader, encoding: Option<&'static Encoding>) -> Result<Source, ReadError> {
    let mut source = source::receive(reader, encoding)?;
    match content::foreign(source.fill_buf()?) {
        Some(message) => Err(ReadError::Damaged(message)),
        None => Ok(source),
    }
}

/// Reads all rows, and returns their number. Those that an earlier attempt has stored are skipped.
fn read(mut rows: Rows, mut batcher: Batcher, import: &Import) -> Result<u64, Failure> {
    let rejects = !import.parameters().dry_run && import.parameters().on_error == OnError::Reject;
    let unwanted = |Closed| failure(&ReadError::Unwanted);
    let attempt = import.attempt();
    let stored = attempt.map(|attempt| attempt.from).unwrap_or_default();
    let (mut row, mut read) = (Row::default(), Prefix::new(attempt.is_some()));
    loop {
        let is_long = row.json.len() > MIN_LONG_ROW_BYTES;
        if is_long { budget::check() } else { budget::tick() }.map_err(too_large)?;
        let next = rows.next(&mut row).map_err(|error| failure(&error))?;
        if next == Next::End {
            break;
        }
        read.add(&row);
        if read.rows() <= stored.rows {
            if read.rows() == stored.rows {
                check_prefix(&read, &stored)?;
                attempt.inspect(|attempt| attempt.has_read_stored.store(true, Ordering::Relaxed));
            }
            continue;
        }
        if next == Next::Row {
            batcher.push(&mut row, &read).map_err(unwanted)?;
            continue;
        }
        let unattributed = UnattributedRow::take(&mut row);
        if rejects {
            let UnattributedRow { line, fault, .. } = &unattributed;
            let message = format!("line {line}: {}; onError=skip stores the other rows", fault.message);
            budget::uncounted(|| import.reject_unattributed(&unattributed));
            return Err(Failure::new(Code::BadUserInput, message));
        }
        batcher.push_unattributed(unattributed, &read).map_err(unwanted)?;
    }
    if read.rows() < stored.rows {
        return Err(another_file(&stored));
    }
    batcher.finish(&read).map_err(unwanted)?;
    Ok(read.rows())
}

/// Fails if the rows that an earlier attempt has stored were not these.
fn check_prefix(read: &Prefix, stored: &Position) -> Result<(), Failure> {
    if read.position().is_none_or(|position| position.hash == stored.hash) { Ok(()) } else { Err(another_file(stored)) }
}

fn another_file(stored: &Position) -> Failure {
    let message = format!(
        "the file, or the attribute schema, is not the one with which this import began: its first {} rows differ from \
        those that are stored; send the same file, or choose another id",
        stored.rows
    );
    Failure::new(Code::Conflict, message)
}

/// Returns the failure of a file whose rows take too much memory.
fn too_large(exceeded: Exceeded) -> Failure {
    match exceeded {
        Exceeded::Memory { .. } => Failure::new(Code::PayloadTooLarge, exceeded.to_string()),
        exceeded => exceeded.into(),
    }
}

fn failure(error: &ReadError) -> Failure {
    Failure::new(Code::BadUserInput, error.to_string())
}
