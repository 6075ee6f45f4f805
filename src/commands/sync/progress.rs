//! Progress: a bar on a terminal, and a line every ten seconds elsewhere.

use std::{
    convert::Infallible,
    io::{self, IsTerminal},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::report::thousands;
use crate::commands::print_notice;

/// The progress of an import.
pub(super) struct Progress {
    bar: Option<ProgressBar>,
    quiet: bool,
    /// Size of the file; 0 if it is unknown.
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
        Self { bar, quiet, size: AtomicU64::new(0), rows: AtomicU64::new(0), started: Mutex::new(Instant::now()) }
    }

    /// Begins, with a file of this size.
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

    /// Sets the number of rows that are done.
    pub(super) fn set(&self, rows: u64) {
        self.rows.store(rows, Ordering::Relaxed);
    }

    /// Prints a message.
    pub(super) fn notice(&self, text: &str) {
        match &self.bar {
            _ if self.quiet => {}
            Some(bar) => bar.suspend(|| print_notice(text)),
            None => print_notice(text),
        }
    }

    /// Shows the progress again and again. `read` has the number of bytes of the file that were read.
    pub(super) async fn show(&self, read: &AtomicU64) -> Infallible {
        let period = if self.bar.is_some() { Duration::from_millis(100) } else { Duration::from_secs(10) };
        loop {
            tokio::time::sleep(period).await;
            let elapsed = self.started.lock().unwrap_or_else(PoisonError::into_inner).elapsed();
            let size = self.size.load(Ordering::Relaxed);
            // A file may grow while it is read.
            let read = read.load(Ordering::Relaxed).min(if size > 0 { size } else { u64::MAX });
            let text = text(elapsed, self.rows.load(Ordering::Relaxed), read, size);
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

    /// Removes the bar.
    pub(super) fn end(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "numbers for a user"
)]
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
    fn rate_and_time_left_are_shown() {
        let after = Duration::from_secs(10);
        assert_eq!(text(after, 120_000, 250, 1000), "120,000 rows  12,000 rows/s  30 s left");
        assert_eq!(text(after, 0, 250, 1000), "0 rows  0 rows/s");
        assert_eq!(text(after, 5, 250, 0), "5 rows  0 rows/s");
        assert_eq!(clock(Duration::from_secs(125)), "2 min 5 s");
        assert_eq!(clock(Duration::from_secs(7260)), "2 h 1 min");
    }
}
