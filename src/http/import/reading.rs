//! Parses the file, on a thread of its own.

use std::{io::BufRead, sync::Arc};

use tokio::sync::oneshot;

use super::{
    body::BodyReader,
    event::Failure,
    parameters::{OnError, Parameters},
    partitions::{Closed, Partition, Partitioner},
    run::Import,
};
use crate::{
    budget::{self, Budget, Exceeded},
    graphql::Code,
    http::compute,
    members_file::{
        Interface,
        columns::Mapping,
        content,
        rows::{Next, ReadError, Row, Rows},
        source,
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
    /// Sent as soon as the header is understood.
    pub(super) begun: oneshot::Receiver<Result<(), Failure>>,
    /// The number of rows, once the file was parsed to its proper end.
    pub(super) ended: oneshot::Receiver<Result<u64, Failure>>,
    pub(super) partitions: Vec<Partition>,
}

/// Starts to parse a file.
pub(super) fn start(job: Job, import: Arc<Import>) -> Reading {
    let (partitioner, partitions) = Partitioner::new();
    let (begin, begun) = oneshot::channel();
    let (end, ended) = oneshot::channel();
    compute::spawn_blocking(move || {
        let Job { reader, mapping, budget } = job;
        budget.measure(|| {
            let opened = open(reader, &mapping, import.parameters()).map_err(|error| failure(&error));
            let rows = match opened.and_then(|rows| budget::check().map_err(too_large).map(|()| rows)) {
                Ok(rows) => rows,
                Err(failure) => return drop(begin.send(Err(failure))),
            };
            let _ = import.columns.set(rows.column_names());
            if begin.send(Ok(())).is_ok() {
                let read = read(rows, partitioner, &import);
                if let Err(failure) = &read {
                    import.ending.fail(failure.clone());
                }
                // The receiver is gone if the import has failed for another reason.
                let _ = end.send(read);
            }
        });
    });
    Reading { begun, ended, partitions }
}

/// Reads the header of a file, if it has one.
fn open(reader: BodyReader, mapping: &Mapping, parameters: &Parameters) -> Result<Rows, ReadError> {
    let mut source = source::receive(reader, parameters.encoding)?;
    if let Some(message) = content::foreign(source.fill_buf()?) {
        return Err(ReadError::Damaged(message));
    }
    Rows::new(parameters.format, source, mapping)
}

/// Reads all rows, and returns their number.
fn read(mut rows: Rows, mut partitioner: Partitioner, import: &Import) -> Result<u64, Failure> {
    let rejects = !import.parameters().dry_run && import.parameters().on_error == OnError::Reject;
    let unwanted = |Closed| failure(&ReadError::Unwanted);
    let (mut row, mut count) = (Row::default(), 0);
    loop {
        let is_long = row.json.len() > MIN_LONG_ROW_BYTES;
        if is_long { budget::check() } else { budget::tick() }.map_err(too_large)?;
        match rows.next(&mut row).map_err(|error| failure(&error))? {
            Next::End => break,
            Next::Row => partitioner.push(&mut row).map_err(unwanted)?,
            Next::Nobody => {
                let fault = row.fault.take().unwrap_or_default();
                budget::uncounted(|| import.reject_unattributed(&row, &fault));
                if rejects {
                    let message = format!("line {}: {}; onError=skip stores the other rows", row.line, fault.message);
                    return Err(Failure::new(Code::BadUserInput, message));
                }
            }
        }
        count += 1;
    }
    partitioner.finish().map_err(unwanted)?;
    Ok(count)
}

/// Returns the failure of a file whose rows take too much memory.
fn too_large(exceeded: Exceeded) -> Failure {
    match exceeded {
        Exceeded::Memory { .. } => Failure::new(Code::PayloadTooLarge, exceeded.to_string()),
        exceeded => exceeded.into(),
    }
}

fn failure(error: &ReadError) -> Failure {
    Failure::new(Code::BadUserInput, error.message(Interface::Http))
}
