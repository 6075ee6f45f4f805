//! Parses the file, on a thread of its own.

use std::{io::BufRead, sync::Arc};

use axum::http::StatusCode;
use tokio::sync::oneshot;

use super::{
    body::BodyReader,
    event::Failure,
    parameters::{OnError, Parameters},
    partitions::{Closed, Partition, Partitioner},
    run::Import,
};
use crate::{
    budget::{self, Budget},
    graphql::Code,
    http::{compute, rejection::Rejection},
    members_file::{
        Interface,
        columns::Mapping,
        content,
        rows::{Next, ReadError, Row, Rows},
        source,
    },
};

/// A file that is to be parsed.
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
            let rows = match open(reader, &mapping, import.parameters()) {
                Ok(rows) => rows,
                Err(error) => return drop(begin.send(Err(failure(&error)))),
            };
            import.set_columns(rows.column_names());
            if begin.send(Ok(())).is_ok() {
                // The receiver is gone if the import has failed for another reason.
                let _ = end.send(read(rows, partitioner, &import));
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
        budget::tick()?;
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

fn failure(error: &ReadError) -> Failure {
    Failure::new(Code::BadUserInput, error.message(Interface::Http))
}

/// Returns the rejection of a file whose beginning can't be read.
pub(super) fn rejection(Failure { code, message }: Failure) -> Rejection {
    let error = crate::graphql::Error::new(code, message);
    match code {
        Code::BadUserInput => Rejection::with_status(StatusCode::BAD_REQUEST, code, error.message()),
        _ => error.into(),
    }
}
