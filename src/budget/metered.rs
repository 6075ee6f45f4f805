//! Futures whose polls are measured.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use super::{Budget, Exceeded};

/// A future that works for a request (see [`Budget::meter`]).
#[derive(Debug)]
pub struct Metered<F> {
    budget: Budget,
    /// `None` after its end.
    future: Option<F>,
    stops: bool,
}

impl<F> Metered<F> {
    pub(super) fn new(budget: Budget, future: F, stops: bool) -> Self {
        Self { budget, future: Some(future), stops }
    }
}

impl<F: Future + Unpin> Future for Metered<F> {
    type Output = Result<F::Output, Exceeded>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let Self { budget, future, stops } = &mut *self;
        let running = future.as_mut().expect("a future is not polled after its end");
        let section = budget.enter();
        let polled = Pin::new(running).poll(context);
        if polled.is_ready() {
            *future = None;
        }
        drop(section);
        if let Poll::Ready(output) = polled {
            return Poll::Ready(Ok(output));
        }
        if let Err(exceeded) = budget.compare(0, 0)
            && *stops
        {
            budget.measure(|| *future = None);
            return Poll::Ready(Err(exceeded));
        }
        Poll::Pending
    }
}

/// Dropping the future frees memory of the request.
impl<F> Drop for Metered<F> {
    fn drop(&mut self) {
        let Self { budget, future, .. } = self;
        budget.measure(|| *future = None);
    }
}
