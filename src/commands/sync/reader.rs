//! Reads the file on a separate thread, because a read of stdin may block forever.

use std::{
    io::BufRead,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread,
};

use encoding_rs::Encoding;
use tokio::sync::{mpsc::Receiver, oneshot};

use super::{
    lanes::{Batch, Closed, Lanes},
    rejects::Rejects,
};
use crate::{
    cli::OnError,
    members_file::{
        Format, Packing,
        columns::Mapping,
        content,
        rows::{Next, ReadError, Row, Rows},
        source,
    },
};

/// What is to be read, and how.
pub(super) struct Job {
    pub(crate) file: PathBuf,
    pub(crate) format: Format,
    /// True if the user gave the format; otherwise it was guessed by the file's name.
    pub(crate) is_format_given: bool,
    pub(crate) packing: Packing,
    pub(crate) encoding: Option<&'static Encoding>,
    pub(crate) mapping: Mapping,
    pub(crate) on_error: OnError,
    pub(crate) rejects: Arc<Rejects>,
    /// Counts bytes of the file.
    pub(crate) read: Arc<AtomicU64>,
    /// Counts rows.
    pub(crate) rows_read: Arc<AtomicU64>,
    pub(crate) concurrency: usize,
    pub(crate) batch_size: usize,
}

/// A file that is being read.
pub(super) struct Reading {
    /// Its size, where it has one, as soon as its header is understood.
    pub(crate) begun: oneshot::Receiver<Result<Option<u64>, ReadError>>,
    /// The number of rows, bad ones too, once the file was read to its proper end.
    pub(crate) ended: oneshot::Receiver<Result<u64, ReadError>>,
    /// The rows.
    pub(crate) lanes: Vec<Receiver<Batch>>,
}

/// Begins.
pub(super) fn read(job: Job) -> Reading {
    let (lanes, ends) = Lanes::new(job.concurrency, job.batch_size);
    let (begin, begun) = oneshot::channel();
    let (end, ended) = oneshot::channel();
    thread::spawn(move || {
        let rows = match open(&job) {
            Ok((rows, size)) => begin.send(Ok(size)).map(|()| rows),
            Err(error) => return drop(begin.send(Err(error))),
        };
        // Whoever is gone needs no rows.
        if let Ok(rows) = rows {
            let _ = end.send(all(rows, lanes, &job));
        }
    });
    Reading { begun, ended, lanes: ends }
}

/// Opens the file, and reads its header if it has one.
fn open(job: &Job) -> Result<(Rows, Option<u64>), ReadError> {
    let (mut source, size) = source::open(&job.file, job.packing, job.encoding, Arc::clone(&job.read))?;
    let begin = source.fill_buf()?;
    if let Some(what) = content::foreign(begin) {
        return Err(ReadError::Damaged(what));
    }
    if job.format == Format::Lines
        && !job.is_format_given
        && let Some((what, way)) = content::other_than_lines(begin)
    {
        let message =
            format!("the file seems to be {what}, not a ref per line: {way}, or --format lines if each line is a ref");
        return Err(ReadError::Usage(message));
    }
    Ok((Rows::new(job.format, source, &job.mapping)?, size))
}

fn all(mut rows: Rows, mut lanes: Lanes, job: &Job) -> Result<u64, ReadError> {
    let unwanted = |Closed| ReadError::Unwanted;
    let (mut row, mut count) = (Row::default(), 0);
    loop {
        let next = rows.next(&mut row)?;
        match next {
            Next::End => break,
            Next::Row => lanes.push(&mut row).map_err(unwanted)?,
            Next::Nobody => {
                let fault = row.fault.take().unwrap_or_default();
                job.rejects.add(row.line, None, &fault)?;
                if job.on_error == OnError::Reject {
                    return Err(ReadError::BadRow(format!("line {}: {}", row.line, fault.message)));
                }
            }
        }
        count += 1;
        job.rows_read.store(count, Ordering::Relaxed);
    }
    lanes.finish().map_err(unwanted)?;
    Ok(count)
}
