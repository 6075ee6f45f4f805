//! Closed-loop load: each client sends its next call after the response to the previous one.

use std::{
    cell::Cell,
    time::{Duration, Instant},
};

use anyhow::Result;
use futures_util::{TryStreamExt, stream::FuturesUnordered};

/// The calls of a phase and their latencies.
#[derive(Clone, Debug, Default)]
pub struct Timing {
    pub calls: u64,
    pub elapsed: Duration,
    /// The latency of every call, in ascending order.
    pub latencies: Vec<Duration>,
}

impl Timing {
    /// Returns the latency that this share of the calls does not exceed.
    pub fn quantile(&self, share: f64) -> Duration {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a share of a length is an index into it"
        )]
        let index = (self.latencies.len() as f64 * share) as usize;
        self.latencies.get(index.min(self.latencies.len().saturating_sub(1))).copied().unwrap_or_default()
    }

    /// Collects the latencies of calls.
    pub fn of(elapsed: Duration, mut latencies: Vec<Duration>) -> Self {
        latencies.sort_unstable();
        Self { calls: latencies.len() as u64, elapsed, latencies }
    }
}

/// Makes the clients send calls until the time or the number of calls is reached. Calls are numbered in the order in
/// which they begin.
pub async fn drive<C>(
    clients: &mut [C],
    time: Duration,
    calls: usize,
    call: impl AsyncFn(&mut C, usize) -> Result<()>,
) -> Result<Timing> {
    let next = Cell::new(0);
    let begun = Instant::now();
    let client = async |client: &mut C| {
        let mut latencies = Vec::new();
        while next.get() < calls {
            let number = next.replace(next.get() + 1);
            let sent = Instant::now();
            if sent - begun >= time {
                break;
            }
            call(client, number).await?;
            latencies.push(sent.elapsed());
        }
        anyhow::Ok(latencies)
    };
    let running: FuturesUnordered<_> = clients.iter_mut().map(client).collect();
    let latencies: Vec<Vec<Duration>> = running.try_collect().await?;
    Ok(Timing::of(begun.elapsed(), latencies.concat()))
}
