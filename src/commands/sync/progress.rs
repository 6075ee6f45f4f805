//! Progress: a bar on a terminal, and a line every ten seconds elsewhere.

use std::{
    io::{self, IsTerminal},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::report::thousands;
use crate::commands::print_notice;

/// How far the work is.
pub(super) struct Progress {
    bar: Option<ProgressBar>,
    quiet: bool,
    /// Bytes of the file that were read.
    pub(crate) read: Arc<AtomicU64>,
    /// Rows in them.
    pub(crate) rows_read: Arc<AtomicU64>,
    /// All bytes that it has.
    size: AtomicU64,
    rows: AtomicU64,
    started: Mutex<Instant>,
}

impl Progress {
    pub(super) fn new(quiet: bool) -> Self {
        let bar = (!quiet && io::stderr().is_terminal()).then(|| {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
            // The template is a constant.
            bar.set_style(ProgressStyle::with_template("{spinner} {msg}").expect("a template"));
            bar
        });
        Self {
            bar,
            quiet,
            read: Arc::default(),
            rows_read: Arc::default(),
            size: AtomicU64::new(0),
            rows: AtomicU64::new(0),
            started: Mutex::new(Instant::now()),
        }
    }

    /// Says that the rows begin, of a file of this size.
    pub(super) fn begin(&self, size: Option<u64>) {
        *self.started.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
        let Some(size) = size.filter(|size| *size > 0) else { return };
        self.size.store(size, Ordering::Relaxed);
        if let Some(bar) = &self.bar {
            bar.set_length(size);
            let style = ProgressStyle::with_template("{bar:30} {percent:>3}%  {wide_msg}").expect("a template");
            bar.set_style(style.progress_chars("=> "));
        }
    }

    /// Says that the API has done with so many rows.
    pub(super) fn add(&self, rows: usize) {
        self.rows.fetch_add(rows as u64, Ordering::Relaxed);
    }

    /// How many it has done with.
    pub(super) fn rows(&self) -> u64 {
        self.rows.load(Ordering::Relaxed)
    }

    /// Tells something between.
    pub(super) fn notice(&self, text: &str) {
        match &self.bar {
            _ if self.quiet => {}
            Some(bar) => bar.suspend(|| print_notice(text)),
            None => print_notice(text),
        }
    }

    /// Shows it again and again, for as long as it is asked to.
    pub(super) async fn show(&self) {
        let period = if self.bar.is_some() { Duration::from_millis(100) } else { Duration::from_secs(10) };
        loop {
            tokio::time::sleep(period).await;
            let (elapsed, read, size) = self.now();
            let text = text(elapsed, self.rows(), read, size);
            match &self.bar {
                Some(bar) => {
                    bar.set_position(read);
                    bar.set_message(text);
                    bar.tick();
                }
                None if self.quiet => {}
                None if size > 0 => print_notice(format_args!("{:>3} %  {text}", 100 * read / size)),
                None => print_notice(text),
            }
        }
    }

    /// Takes the bar away.
    pub(super) fn end(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }

    fn now(&self) -> (Duration, u64, u64) {
        let elapsed = self.started.lock().unwrap_or_else(PoisonError::into_inner).elapsed();
        let size = self.size.load(Ordering::Relaxed);
        let read = self.read.load(Ordering::Relaxed);
        // Batches that are filled or wait are read and not done. A file may grow while it is read.
        (
            elapsed,
            done(if size > 0 { read.min(size) } else { read }, self.rows(), self.rows_read.load(Ordering::Relaxed)),
            size,
        )
    }
}

/// How many of the bytes that were read are of rows that are done.
#[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "to look at")]
fn done(read: u64, rows: u64, rows_read: u64) -> u64 {
    (read as f64 * rows.min(rows_read) as f64 / rows_read.max(1) as f64) as u64
}

#[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "to look at")]
fn text(elapsed: Duration, rows: u64, read: u64, size: u64) -> String {
    let rate = rows as f64 / elapsed.as_secs_f64().max(0.001);
    let mut text = format!("{} rows  {} rows/s", thousands(rows), thousands(rate as u64));
    if size > 0 && rows > 0 && read > 0 {
        let left = elapsed.mul_f64((size - read) as f64 / read as f64);
        text += &format!("  {} left", clock(left));
    }
    text
}

fn clock(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        _ => format!("{} h {} min", seconds / 3600, seconds / 60 % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rate_and_time_left_are_told() {
        let after = Duration::from_secs(10);
        assert_eq!(text(after, 120_000, 250, 1000), "120,000 rows  12,000 rows/s  30 s left");
        assert_eq!(text(after, 0, 250, 1000), "0 rows  0 rows/s");
        assert_eq!(text(after, 5, 250, 0), "5 rows  0 rows/s");
        assert_eq!((done(1000, 30, 60), done(1000, 0, 0), done(7, 60, 60)), (500, 0, 7));
        assert_eq!(clock(Duration::from_secs(125)), "2 min 5 s");
        assert_eq!(clock(Duration::from_secs(7260)), "2 h 1 min");
    }
}
