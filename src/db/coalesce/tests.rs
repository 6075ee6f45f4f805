use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use super::*;
use crate::db::{DbErrorKind, Settings};

/// Number of statements, and the number of look-ups in the largest one.
static STATEMENTS_SENT: AtomicUsize = AtomicUsize::new(0);
static LARGEST: AtomicUsize = AtomicUsize::new(0);

async fn db() -> (Db, tempfile::TempDir) {
    let folder = tempfile::tempdir().expect("a folder");
    let settings = Settings::small(format!("sqlite://{}", folder.path().join("test.db").display()));
    (Db::connect(&settings).await.expect("a database"), folder)
}

/// Finds odd keys, slowly, so that other look-ups arrive while it runs.
async fn find_odd(_: Db, keys: Vec<u64>) -> Result<HashMap<u64, u64>, DbErr> {
    STATEMENTS_SENT.fetch_add(1, Ordering::SeqCst);
    LARGEST.fetch_max(keys.len(), Ordering::SeqCst);
    tokio::time::sleep(Duration::from_millis(20)).await;
    Ok(keys.into_iter().filter(|key| key % 2 == 1).map(|key| (key, 10 * key)).collect())
}

#[tokio::test]
async fn concurrent_look_ups_share_a_statement() {
    let (db, _folder) = db().await;
    let batcher = Arc::new(LookupBatcher::default());
    let spawn_find = |key| {
        let db = db.clone();
        let batcher = Arc::clone(&batcher);
        tokio::spawn(async move { batcher.find(&db, key, find_odd).await.expect("a result") })
    };
    let tasks: Vec<_> = (0..1200).map(|key| (key % 600, spawn_find(key % 600))).collect();
    for (key, task) in tasks {
        assert_eq!(task.await.expect("no panic"), (key % 2 == 1).then_some(10 * key));
    }
    let sent = STATEMENTS_SENT.load(Ordering::SeqCst);
    assert!((3..=20).contains(&sent), "{sent} statements");
    assert!(LARGEST.load(Ordering::SeqCst) <= MAX_BATCH_KEYS);
    let queue = batcher.queue();
    assert_eq!((queue.running.len(), queue.waiting.len()), (0, 0));
}

/// Number of running statements, and its maximum.
static RUNNING: AtomicUsize = AtomicUsize::new(0);
static AT_A_TIME: AtomicUsize = AtomicUsize::new(0);

async fn counted(_: Db, keys: Vec<usize>) -> Result<HashMap<usize, usize>, DbErr> {
    AT_A_TIME.fetch_max(RUNNING.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
    tokio::time::sleep(Duration::from_millis(20)).await;
    RUNNING.fetch_sub(1, Ordering::SeqCst);
    Ok(keys.into_iter().map(|key| (key, key)).collect())
}

#[tokio::test]
async fn another_statement_begins_only_above_max_waiting_per_statement() {
    let (db, _folder) = db().await;
    let batcher = Arc::new(LookupBatcher::default());
    for (others, at_a_time) in [(MAX_WAITING_PER_STATEMENT, 1), (MAX_WAITING_PER_STATEMENT + 1, 2)] {
        let first = batcher.find(&db, 0, counted);
        let others = async {
            while RUNNING.load(Ordering::SeqCst) == 0 {
                tokio::task::yield_now().await;
            }
            futures_util::future::join_all((1..=others).map(|key| batcher.find(&db, key, counted))).await
        };
        let (first, others) = tokio::join!(first, others);
        assert_eq!(first.expect("a result"), Some(0));
        assert!(others.into_iter().all(|found| found.expect("a result").is_some()));
        assert_eq!(AT_A_TIME.load(Ordering::SeqCst), at_a_time);
    }
}

#[test]
fn concurrent_statements_are_bounded_for_any_number_of_look_ups() {
    let batcher = LookupBatcher::<usize, usize>::default();
    let waiting = |key| Waiting { key, deadline: None, result: oneshot::channel().0 };
    let workers =
        (0..10 * MAX_WAITING_PER_STATEMENT * MAX_CONCURRENT_STATEMENTS).filter_map(|key| batcher.enqueue(waiting(key)));
    assert_eq!(workers.count(), MAX_CONCURRENT_STATEMENTS);
}

/// Notified when the look-up for 0 may end.
static END: tokio::sync::Notify = tokio::sync::Notify::const_new();

async fn hangs_at_0(_: Db, keys: Vec<u64>) -> Result<HashMap<u64, u64>, DbErr> {
    if keys.contains(&0) {
        END.notified().await;
    }
    Ok(keys.into_iter().map(|key| (key, key)).collect())
}

#[tokio::test]
async fn look_ups_do_not_wait_for_a_stalled_statement() {
    let (db, _folder) = db().await;
    let batcher = Arc::new(LookupBatcher::default());
    let hanging = batcher.find(&db, 0, hangs_at_0);
    let others = async {
        tokio::time::sleep(2 * STALLED_AFTER).await;
        for key in 1..=3 {
            assert_eq!(batcher.find(&db, key, hangs_at_0).await.expect("a result"), Some(key));
        }
        END.notify_one();
    };
    let both = async { tokio::join!(hanging, others).0 };
    let hanging =
        tokio::time::timeout(Duration::from_secs(20), both).await.expect("no look-up waits for the stalled one");
    assert_eq!(hanging.expect("a result"), Some(0));
    assert!(batcher.queue().running.is_empty());
}

/// Fails for every statement that contains the key 13.
async fn fails_with_13(_: Db, keys: Vec<u64>) -> Result<HashMap<u64, u64>, DbErr> {
    tokio::time::sleep(Duration::from_millis(5)).await;
    if keys.contains(&13) { Err(DbErr::Custom("13".to_owned())) } else { Ok(HashMap::new()) }
}

#[tokio::test]
async fn an_error_is_returned_to_exactly_the_callers_that_share_the_statement() {
    let (db, _folder) = db().await;
    let batcher = Arc::new(LookupBatcher::default());
    let look_ups = [12, 13, 14, 15].map(|key| batcher.find(&db, key, fails_with_13));
    let results = futures_util::future::join_all(look_ups).await;
    assert!(results.iter().all(Result::is_err), "they shared a statement");
    assert!(batcher.find(&db, 12, fails_with_13).await.is_ok() && batcher.find(&db, 13, fails_with_13).await.is_err());
    assert!(batcher.queue().running.is_empty());
}

/// Panics if the statement is for more than one key.
async fn panics_if_shared(_: Db, keys: Vec<u64>) -> Result<HashMap<u64, u64>, DbErr> {
    tokio::time::sleep(Duration::from_millis(5)).await;
    assert!(keys.len() == 1, "shared");
    Ok(keys.into_iter().map(|key| (key, key)).collect())
}

#[tokio::test]
async fn a_panic_fails_all_waiting_look_ups() {
    let (db, _folder) = db().await;
    let batcher = Arc::new(LookupBatcher::default());
    for _ in 0..3 {
        let look_ups = (0..20).map(|key| batcher.find(&db, key, panics_if_shared));
        let results = futures_util::future::join_all(look_ups).await;
        assert!(results.iter().all(Result::is_err), "they shared the statement that panicked");
        assert_eq!(batcher.find(&db, 1, panics_if_shared).await.expect("alone"), Some(1));
    }
    assert!(batcher.queue().running.is_empty());
}

#[tokio::test]
async fn a_look_up_fails_at_its_own_deadline_in_a_shared_statement() {
    let (db, _folder) = db().await;
    let batcher = Arc::new(LookupBatcher::default());
    let hurried_db = db.with_deadline(Instant::now() + Duration::from_millis(30));
    let (patient, hurried) = tokio::join!(batcher.find(&db, 1, slow), batcher.find(&hurried_db, 2, slow));
    assert_eq!(patient.expect("a result"), Some(1));
    assert_eq!(DbErrorKind::of(&hurried.expect_err("late")), DbErrorKind::Timeout);
}

async fn slow(_: Db, keys: Vec<u64>) -> Result<HashMap<u64, u64>, DbErr> {
    tokio::time::sleep(Duration::from_millis(100)).await;
    Ok(keys.into_iter().map(|key| (key, key)).collect())
}
