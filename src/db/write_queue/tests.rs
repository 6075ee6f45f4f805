use super::*;

const NO_WAIT: Duration = Duration::from_millis(1);
const A: Uuid = Uuid::from_u128(1);
const B: Uuid = Uuid::from_u128(2);

fn queue(writers: usize) -> Arc<WriteQueue> {
    WriteQueue::new(writers, Duration::from_secs(5))
}

/// Returns a turn that is granted at once.
async fn granted(queue: &Arc<WriteQueue>, lock: Lock) -> Turn {
    let deadline = Instant::now() + NO_WAIT;
    queue.turn(lock, queue.arrive(), Some(deadline)).await.expect("the turn is granted at once")
}

/// Asserts that a transaction with this lock has to wait, and cancels the wait.
async fn assert_waits(queue: &Arc<WriteQueue>, lock: Lock) {
    let deadline = Instant::now() + NO_WAIT;
    let outcome = queue.turn(lock, queue.arrive(), Some(deadline)).await;
    assert_eq!(super::super::DbErrorKind::of(&outcome.expect_err("it waits")), super::super::DbErrorKind::Timeout);
}

/// Runs transactions that arrive in this order, one after the other, while the first turn is held, and returns the
/// order in which their turns were granted.
async fn order_of(queue: &Arc<WriteQueue>, first: Turn, arrivals: &[(&'static str, Lock)]) -> Vec<&'static str> {
    let order = Arc::new(Mutex::new(Vec::new()));
    let mut tasks = tokio::task::JoinSet::new();
    for (name, lock) in arrivals.iter().copied() {
        let (queue, order, arrival) = (Arc::clone(queue), Arc::clone(&order), queue.arrive());
        tasks.spawn(async move {
            let turn = queue.turn(lock, arrival, None).await.expect("it gets its turn");
            order.lock().expect("not poisoned").push(name);
            tokio::task::yield_now().await;
            drop(turn);
        });
        tokio::task::yield_now().await;
    }
    drop(first);
    tasks.join_all().await;
    Arc::into_inner(order).expect("all tasks have ended").into_inner().expect("not poisoned")
}

#[tokio::test]
async fn memberbases_take_turns_and_each_is_served_in_order_of_arrival() {
    let queue = queue(1);
    let first = granted(&queue, Lock::Shared(A)).await;
    let arrivals =
        [("a2", Lock::Shared(A)), ("a3", Lock::Shared(A)), ("b1", Lock::Shared(B)), ("b2", Lock::Exclusive(B))];
    assert_eq!(order_of(&queue, first, &arrivals).await, ["b1", "a2", "b2", "a3"]);
}

#[tokio::test]
async fn exclusive_transaction_runs_alone_and_is_not_overtaken() {
    let queue = queue(8);
    let shared = granted(&queue, Lock::Shared(A)).await;
    let other = granted(&queue, Lock::Shared(A)).await;
    let arrivals = [("exclusive", Lock::Exclusive(A)), ("shared", Lock::Shared(A))];
    let order = order_of(&queue, shared, &arrivals);
    tokio::pin!(order);
    tokio::select! {
        order = &mut order => panic!("a shared lock is held, but it ran: {order:?}"),
        () = tokio::time::sleep(NO_WAIT * 20) => {}
    }
    drop(other);
    assert_eq!(order.await, ["exclusive", "shared"]);
}

#[tokio::test]
async fn memberbase_runs_at_most_its_share_and_leaves_the_last_turn_to_others() {
    for (writers, expected) in [(1, 1), (2, 1), (4, 3), (5, 4), (8, 4), (20, 10)] {
        let queue = queue(writers);
        let mut turns = Vec::new();
        for _ in 0..expected {
            turns.push(granted(&queue, Lock::Shared(A)).await);
        }
        assert_waits(&queue, Lock::Shared(A)).await;
        if writers > 1 {
            drop(granted(&queue, Lock::Shared(B)).await);
        } else {
            assert_waits(&queue, Lock::Shared(B)).await;
        }
    }
}

#[tokio::test]
async fn cancelled_wait_lets_those_behind_it_run() {
    let queue = queue(8);
    let _shared = granted(&queue, Lock::Shared(A)).await;
    let exclusive = queue.turn(Lock::Exclusive(A), queue.arrive(), None);
    tokio::time::timeout(NO_WAIT, exclusive).await.expect_err("a shared lock is held");
    drop(granted(&queue, Lock::Shared(A)).await);
}

#[tokio::test]
async fn retried_transaction_keeps_its_place() {
    let queue = queue(1);
    let early = queue.arrive();
    let first = granted(&queue, Lock::Shared(A)).await;
    let late = queue.turn(Lock::Shared(A), queue.arrive(), None);
    let retried = queue.turn(Lock::Shared(A), early, None);
    tokio::pin!(late, retried);
    tokio::select! {
        biased;
        _ = &mut late => panic!("the first turn is held"),
        _ = &mut retried => panic!("the first turn is held"),
        () = std::future::ready(()) => {}
    }
    drop(first);
    let turn = tokio::select! {
        biased;
        _ = &mut late => panic!("it overtook the retried transaction"),
        turn = &mut retried => turn,
    };
    drop(turn);
    late.await.expect("it gets its turn");
}

#[tokio::test]
async fn nothing_is_kept_of_a_memberbase_without_transactions() {
    let queue = queue(4);
    drop(granted(&queue, Lock::Exclusive(A)).await);
    let held = granted(&queue, Lock::None).await;
    assert_eq!(queue.state().memberbases.len(), 1);
    drop(held);
    assert!(queue.state().memberbases.is_empty());
    assert_eq!(queue.state().free, 4);
}
