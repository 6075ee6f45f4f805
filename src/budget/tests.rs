use std::time::Duration;

use super::*;

const LIMIT: MemoryLimit = MemoryLimit { bytes: 1 << 20, setting: "MEMBERBASE_TEST" };

fn in_time() -> Instant {
    Instant::now() + Duration::from_secs(600)
}

async fn budget(account: &Account) -> Budget {
    Budget::open(account, LIMIT, in_time()).await.expect("memory")
}

fn over_limit() -> Exceeded {
    Exceeded::Memory { limit: LIMIT.bytes, setting: LIMIT.setting }
}

#[tokio::test]
async fn memory_counts_while_it_is_held() {
    let budget = budget(&Account::new(8 << 20)).await;
    let held = budget.measure(|| {
        let held = vec![1_u8; 600 << 10];
        check().expect("within the limit");
        expect(300 << 10).expect("within the limit");
        held
    });
    budget.measure(|| {
        drop(held);
        let _other = vec![1_u8; 900 << 10];
        check().expect("what was freed is available again");
    });
    assert_eq!(budget.exceeded(), None);
}

#[tokio::test]
async fn an_exceeded_budget_stays_exceeded() {
    let budget = budget(&Account::new(8 << 20)).await;
    budget.measure(|| assert_eq!(expect(2 << 20), Err(over_limit())));
    budget.measure(|| assert_eq!(check(), Err(over_limit())));
    check().expect("outside of its work the budget does not count");
}

#[tokio::test]
async fn a_future_that_allocates_too_much_is_stopped_after_its_poll() {
    let budget = budget(&Account::new(8 << 20)).await;
    let future = async {
        let _held = vec![1_u8; 2 << 20];
        std::future::pending::<()>().await;
    };
    assert_eq!(budget.meter(Box::pin(future), true).await, Err(over_limit()));
}

#[tokio::test]
async fn a_future_that_must_not_stop_ends_by_itself() {
    let budget = budget(&Account::new(8 << 20)).await;
    let future = async {
        let _held = vec![1_u8; 2 << 20];
        tokio::task::yield_now().await;
        check()
    };
    assert_eq!(budget.meter(Box::pin(future), false).await, Ok(Err(over_limit())));
}

#[tokio::test]
async fn work_ends_at_the_deadline() {
    let budget = Budget::open(&Account::new(8 << 20), LIMIT, Instant::now()).await.expect("memory");
    budget.measure(|| assert_eq!(check(), Err(Exceeded::Time)));
}

#[tokio::test]
async fn requests_together_use_at_most_the_account() {
    let account = Account::new(1 << 20);
    let (one, other) = (budget(&account).await, budget(&account).await);
    one.measure(|| expect(700 << 10)).expect("available");
    other.measure(|| assert_eq!(expect(700 << 10), Err(Exceeded::ProcessMemory)));
    drop(one);
    assert_eq!(account.used(), 64 << 10);
    budget(&account).await.reserve(700 << 10).await.expect("available again");
    drop(other);
    assert_eq!(account.used(), 0);
}

#[tokio::test]
async fn a_request_waits_for_memory() {
    let account = Account::new(1 << 20);
    let one = budget(&account).await;
    one.measure(|| expect(900 << 10)).expect("available");
    let other = tokio::spawn({
        let account = account.clone();
        async move { budget(&account).await.reserve(500 << 10).await }
    });
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(!other.is_finished());
    drop(one);
    other.await.expect("no panic").expect("memory");
}

#[tokio::test]
async fn a_settled_request_holds_its_response_only() {
    let account = Account::new(1 << 20);
    let budget = budget(&account).await;
    budget.measure(|| expect(900 << 10)).expect("available");
    budget.settle(100 << 10);
    assert_eq!(account.used(), 128 << 10);
}

#[tokio::test]
async fn a_limit_beyond_the_account_names_the_account() {
    let account = Account::new(1 << 20);
    let limit = MemoryLimit { bytes: 1 << 30, setting: "MEMBERBASE_TEST" };
    let budget = Budget::open(&account, limit, in_time()).await.expect("memory");
    let exceeded = budget.measure(|| expect(2 << 20)).expect_err("beyond the account");
    assert_eq!(exceeded, Exceeded::Memory { limit: 1 << 20, setting: "MEMBERBASE_MAX_MEMORY" });
}

#[tokio::test]
async fn large_requests_leave_memory_to_small_ones() {
    let account = Account::new(16 << 20);
    let limit = MemoryLimit { bytes: 8 << 20, setting: "MEMBERBASE_TEST" };
    let mut large = Vec::new();
    let refused = loop {
        let budget = Budget::open(&account, limit, in_time()).await.expect("memory");
        match budget.measure(|| expect(5_200 << 10)) {
            Ok(()) => large.push(budget),
            Err(exceeded) => break exceeded,
        }
    };
    assert_eq!((large.len(), refused), (2, Exceeded::ProcessMemory));
    let other = Budget::open(&account, limit, in_time()).await.expect("memory");
    other.measure(|| expect(900 << 10)).expect("a small request");
    assert_eq!(other.reserve(4 << 20).await, Err(Exceeded::ProcessMemory), "a large one waits in vain");
    large[0].settle(0);
    let other = Budget::open(&account, limit, in_time()).await.expect("memory");
    other.measure(|| expect(5 << 20)).expect("what was put back");
}

#[tokio::test]
async fn everything_is_put_back() {
    let account = Account::new(16 << 20);
    let limit = MemoryLimit { bytes: usize::MAX, setting: "MEMBERBASE_TEST" };
    for settled in [0, 100 << 10, 3 << 20] {
        let budget = Budget::open(&account, limit, in_time()).await.expect("memory");
        budget.measure(|| expect(account.max_request_bytes() - (64 << 10))).expect("all that one request can have");
        budget.settle(settled);
        drop((budget, account.try_hold(5 << 20)));
        assert_eq!(account.used(), 0);
    }
}
