//! Permits that tenants share: a tenant that takes all it can get leaves some to the others.
//!
//! A released permit goes to the tenant that holds the fewest, and among those to the one that has waited longest. The last
//! permits are reserved for tenants that hold none: however long others keep theirs, a newcomer does not wait for them. They
//! are also for the server itself, whose short statements are for all tenants.

use std::{
    cmp::Reverse,
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::oneshot;
use uuid::Uuid;

/// Whom work is done for: a memberbase, or a token that is bound to none; `None` for the server itself.
pub(super) type Tenant = Option<Uuid>;

#[derive(Debug)]
pub(super) struct Shares {
    /// Number of permits that only the server and tenants without a permit can take.
    reserved: usize,
    state: Mutex<State>,
}

/// A permit. It is released when it is dropped.
#[derive(Debug)]
pub(super) struct SharePermit {
    shares: Arc<Shares>,
    tenant: Tenant,
}

/// The permits are not given out any more.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Closed;

#[derive(Debug)]
struct State {
    free: usize,
    arrivals: u64,
    /// The tenants that hold permits or wait for one.
    tenants: HashMap<Tenant, Share>,
    closed: bool,
}

#[derive(Debug, Default)]
struct Share {
    held: usize,
    /// In the order of their arrival.
    waiting: VecDeque<Waiter>,
}

#[derive(Debug)]
struct Waiter {
    arrival: u64,
    granted: oneshot::Sender<SharePermit>,
}

impl Shares {
    /// Creates this number of permits, of which a quarter is reserved.
    pub(super) fn new(permits: usize) -> Arc<Self> {
        let state = State { free: permits, arrivals: 0, tenants: HashMap::new(), closed: false };
        Arc::new(Self { reserved: permits / 4, state: Mutex::new(state) })
    }

    /// Waits for a permit.
    pub(super) async fn acquire(self: &Arc<Self>, tenant: Tenant) -> Result<SharePermit, Closed> {
        let granted = {
            let mut state = self.state();
            if state.closed {
                return Err(Closed);
            }
            let free = state.free;
            let share = state.tenants.entry(tenant).or_default();
            if share.waiting.is_empty() && share.admits(tenant, free, self.reserved) {
                share.held += 1;
                state.free -= 1;
                return Ok(self.permit(tenant));
            }
            let (granted, receiver) = oneshot::channel();
            state.arrivals += 1;
            let arrival = state.arrivals;
            state.tenants.entry(tenant).or_default().waiting.push_back(Waiter { arrival, granted });
            receiver
        };
        granted.await.map_err(|_| Closed)
    }

    /// Returns true if all permits are in use.
    pub(super) fn is_exhausted(&self) -> bool {
        self.state().free == 0
    }

    /// Ends all waits, and gives out no more permits.
    pub(super) fn close(&self) {
        let mut state = self.state();
        state.closed = true;
        for share in state.tenants.values_mut() {
            share.waiting.clear();
        }
    }

    fn release(self: &Arc<Self>, tenant: Tenant) {
        let granted = {
            let mut state = self.state();
            state.free += 1;
            if let Some(share) = state.tenants.get_mut(&tenant) {
                share.held -= 1;
            }
            let granted = state.grant(self.reserved);
            if state.tenants.get(&tenant).is_some_and(Share::is_unused) {
                state.tenants.remove(&tenant);
            }
            granted
        };
        for (tenant, waiter) in granted {
            // If the wait has been cancelled by now, this drops the permit, which releases it.
            let _ = waiter.granted.send(self.permit(tenant));
        }
    }

    fn permit(self: &Arc<Self>, tenant: Tenant) -> SharePermit {
        SharePermit { shares: Arc::clone(self), tenant }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Returns the waiters that get a permit now.
    fn grant(&mut self, reserved: usize) -> Vec<(Tenant, Waiter)> {
        let mut granted = Vec::new();
        self.tenants.retain(|_, share| {
            share.waiting.retain(|waiter| !waiter.granted.is_closed());
            !share.is_unused()
        });
        while self.free > 0 {
            let waiting = self.tenants.iter_mut().filter(|(tenant, share)| share.admits(**tenant, self.free, reserved));
            let next = waiting
                .filter_map(|(tenant, share)| Some((share.held, share.waiting.front()?.arrival, *tenant, share)))
                .max_by_key(|(held, arrival, ..)| Reverse((*held, *arrival)));
            let Some((_, _, tenant, share)) = next else { break };
            let Some(waiter) = share.waiting.pop_front() else { break };
            share.held += 1;
            self.free -= 1;
            granted.push((tenant, waiter));
        }
        granted
    }
}

impl Share {
    /// Returns whether the tenant, whose share this is, may take one more permit.
    fn admits(&self, tenant: Tenant, free: usize, reserved: usize) -> bool {
        free > if self.held == 0 || tenant.is_none() { 0 } else { reserved }
    }

    fn is_unused(&self) -> bool {
        self.held == 0 && self.waiting.is_empty()
    }
}

impl Drop for SharePermit {
    fn drop(&mut self) {
        self.shares.release(self.tenant);
    }
}

#[cfg(test)]
mod tests {
    use std::{
        pin::{Pin, pin},
        task::{Context, Poll, Waker},
    };

    use super::*;

    fn tenant(number: u128) -> Tenant {
        Some(Uuid::from_u128(number))
    }

    fn poll<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
        future.poll(&mut Context::from_waker(Waker::noop()))
    }

    /// Returns a permit that is given out at once.
    fn take(shares: &Arc<Shares>, tenant: Tenant) -> SharePermit {
        let Poll::Ready(Ok(permit)) = poll(pin!(shares.acquire(tenant))) else { panic!("no permit") };
        permit
    }

    #[test]
    fn reserved_permits_are_for_tenants_without_one() {
        let shares = Shares::new(8);
        let held: Vec<_> = (0..6).map(|_| take(&shares, tenant(1))).collect();
        assert!(poll(pin!(shares.acquire(tenant(1)))).is_pending());
        let other = [take(&shares, tenant(2)), take(&shares, None)];
        assert!(shares.is_exhausted());
        assert!(poll(pin!(shares.acquire(tenant(3)))).is_pending());
        drop((held, other));
        assert_eq!(shares.state().free, 8);
        assert!(shares.state().tenants.is_empty(), "{shares:?}");
    }

    #[test]
    fn reserved_permits_are_for_the_server() {
        let shares = Shares::new(8);
        let _held: Vec<_> = (0..6).map(|_| take(&shares, tenant(1))).collect();
        let _own = [(); 2].map(|()| take(&shares, None));
        assert!(shares.is_exhausted());
    }

    #[test]
    fn released_permit_goes_to_the_tenant_with_the_fewest() {
        let shares = Shares::new(3);
        let (one, _same, other) = (take(&shares, tenant(1)), take(&shares, tenant(1)), take(&shares, tenant(2)));
        let mut first = pin!(shares.acquire(tenant(1)));
        let mut second = pin!(shares.acquire(tenant(2)));
        let mut third = pin!(shares.acquire(tenant(3)));
        let mut fourth = pin!(shares.acquire(tenant(4)));
        for wait in [&mut first, &mut second, &mut third, &mut fourth] {
            assert!(poll(wait.as_mut()).is_pending());
        }
        drop(one);
        assert!(poll(third.as_mut()).is_ready(), "it holds none, and has waited longest");
        // Its permit was dropped with the result.
        assert!(poll(fourth.as_mut()).is_ready());
        assert!(poll(second.as_mut()).is_pending());
        assert!(poll(first.as_mut()).is_ready(), "both hold one, and it has waited longer");
        drop(other);
        assert!(poll(second.as_mut()).is_ready());
    }

    #[test]
    fn cancelled_wait_takes_no_permit() {
        let shares = Shares::new(1);
        let held = take(&shares, tenant(1));
        {
            let mut cancelled = pin!(shares.acquire(tenant(2)));
            assert!(poll(cancelled.as_mut()).is_pending());
            let mut granted = pin!(shares.acquire(tenant(3)));
            assert!(poll(granted.as_mut()).is_pending());
            drop(held);
            // Both end here: one before it has its permit, the other before it has seen it.
        }
        take(&shares, tenant(4));
        assert!(shares.state().tenants.is_empty(), "{shares:?}");
    }

    #[test]
    fn closed_permits_end_all_waits() {
        let shares = Shares::new(1);
        let held = take(&shares, tenant(1));
        let mut wait = pin!(shares.acquire(tenant(2)));
        assert!(poll(wait.as_mut()).is_pending());
        shares.close();
        assert!(matches!(poll(wait.as_mut()), Poll::Ready(Err(Closed))));
        drop(held);
        assert!(matches!(poll(pin!(shares.acquire(tenant(3)))), Poll::Ready(Err(Closed))));
    }
}
