use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use super::*;
use crate::db::{DbErrorKind, Settings};

/// How many statements there were, and of how many look-ups the largest was.
static STATEMENTS_SENT: AtomicUsize = AtomicUsize::new(0);
static LARGEST: AtomicUsize = AtomicUsize::new(0);

async fn db() -> (Db, tempfile::TempDir) {
    let folder = tempfile::tempdir().expect("a folder");
    let settings = Settings::small(format!("sqlite://{}", folder.path().join("test.db").display()));
    (Db::connect(&settings).await.expect("a database"), folder)
}

/// Slow, so that others come meanwhile. What is odd is there.
async fn odd(_: Db, keys: Vec<u64>) -> Result<HashMap<u64, u64>, DbErr> {
    STATEMENTS_SENT.fetch_add(1, Ordering::SeqCst);
    LARGEST.fetch_max(keys.len(), Ordering::SeqCst);
    tokio::time::sleep(Duration::from_millis(20)).await;
    Ok(keys.into_iter().filter(|key| key % 2 == 1).map(|key| (key, 10 * key)).collect())
}

#[tokio::test]
async fn look_ups_that_come_meanwhile_share_a_statement() {
    let (db, _folder) = db().await;
    let together = Arc::new(LookupBatcher::default());
    let ask = |key| {
        let (db, together) = (db.clone(), Arc::clone(&together));
        tokio::spawn(async move { together.find(&db, key, odd).await.expect("found out") })
    };
    let asked: Vec<_> = (0..1200).map(|key| (key % 600, ask(key % 600))).collect();
    for (key, answer) in asked {
        assert_eq!(answer.await.expect("no panic"), (key % 2 == 1).then_some(10 * key));
    }
    let sent = STATEMENTS_SENT.load(Ordering::SeqCst);
    assert!((3..=20).contains(&sent), "{sent} statements");
    assert!(LARGEST.load(Ordering::SeqCst) <= MAX_BATCH_KEYS);
    let state = together.state();
    assert_eq!((state.running.len(), state.waiting.len()), (0, 0));
}

/// How many statements run, and ran at a time at most.
static RUNNING: AtomicUsize = AtomicUsize::new(0);
static AT_A_TIME: AtomicUsize = AtomicUsize::new(0);

async fn counted(_: Db, keys: Vec<usize>) -> Result<HashMap<usize, usize>, DbErr> {
    AT_A_TIME.fetch_max(RUNNING.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
    tokio::time::sleep(Duration::from_millis(20)).await;
    RUNNING.fetch_sub(1, Ordering::SeqCst);
    Ok(keys.into_iter().map(|key| (key, key)).collect())
}

#[tokio::test]
async fn few_wait_for_the_statement_that_runs_and_many_have_another() {
    let (db, _folder) = db().await;
    let together = Arc::new(LookupBatcher::default());
    for (others, at_a_time) in [(MAX_WAITING_PER_STATEMENT, 1), (MAX_WAITING_PER_STATEMENT + 1, 2)] {
        let first = together.find(&db, 0, counted);
        let others = async {
            while RUNNING.load(Ordering::SeqCst) == 0 {
                tokio::task::yield_now().await;
            }
            futures_util::future::join_all((1..=others).map(|key| together.find(&db, key, counted))).await
        };
        let (first, others) = tokio::join!(first, others);
        assert_eq!(first.expect("found out"), Some(0));
        assert!(others.into_iter().all(|found| found.expect("found out").is_some()));
        assert_eq!(AT_A_TIME.load(Ordering::SeqCst), at_a_time);
    }
}

#[test]
fn others_have_connections_left_however_many_wait() {
    let together = LookupBatcher::<usize, usize>::default();
    let waiting = |key| Waiting { key, deadline: None, found: oneshot::channel().0 };
    let begun = (0..10 * MAX_WAITING_PER_STATEMENT * MAX_CONCURRENT_STATEMENTS)
        .filter_map(|key| together.enqueue(waiting(key)));
    assert_eq!(begun.count(), MAX_CONCURRENT_STATEMENTS);
}

/// Is told when the look-up for 0 may end.
static END: tokio::sync::Notify = tokio::sync::Notify::const_new();

async fn hangs_at_0(_: Db, keys: Vec<u64>) -> Result<HashMap<u64, u64>, DbErr> {
    if keys.contains(&0) {
        END.notified().await;
    }
    Ok(keys.into_iter().map(|key| (key, key)).collect())
}

#[tokio::test]
async fn nobody_waits_for_a_statement_that_hangs() {
    let (db, _folder) = db().await;
    let together = Arc::new(LookupBatcher::default());
    let hanging = together.find(&db, 0, hangs_at_0);
    let others = async {
        tokio::time::sleep(2 * STALLED_AFTER).await;
        for key in 1..=3 {
            assert_eq!(together.find(&db, key, hangs_at_0).await.expect("found out"), Some(key));
        }
        END.notify_one();
    };
    let both = async { tokio::join!(hanging, others).0 };
    let hanging = tokio::time::timeout(Duration::from_secs(20), both).await.expect("nobody waits");
    assert_eq!(hanging.expect("found out"), Some(0));
    assert!(together.state().running.is_empty());
}

/// Fails for whoever shares a statement with the one that no one may look for.
async fn unlucky(_: Db, keys: Vec<u64>) -> Result<HashMap<u64, u64>, DbErr> {
    tokio::time::sleep(Duration::from_millis(5)).await;
    if keys.contains(&13) { Err(DbErr::Custom("unlucky".to_owned())) } else { Ok(HashMap::new()) }
}

#[tokio::test]
async fn a_failure_is_told_to_all_who_share_it_and_to_nobody_else() {
    let (db, _folder) = db().await;
    let together = Arc::new(LookupBatcher::default());
    let asked = [12, 13, 14, 15].map(|key| together.find(&db, key, unlucky));
    let answers = futures_util::future::join_all(asked).await;
    assert!(answers.iter().all(Result::is_err), "they shared a statement");
    assert!(together.find(&db, 12, unlucky).await.is_ok() && together.find(&db, 13, unlucky).await.is_err());
    assert!(together.state().running.is_empty());
}

/// Panics when it is shared.
async fn panics(_: Db, keys: Vec<u64>) -> Result<HashMap<u64, u64>, DbErr> {
    tokio::time::sleep(Duration::from_millis(5)).await;
    assert!(keys.len() == 1, "shared");
    Ok(keys.into_iter().map(|key| (key, key)).collect())
}

#[tokio::test]
async fn a_panic_leaves_nobody_waiting() {
    let (db, _folder) = db().await;
    let together = Arc::new(LookupBatcher::default());
    for _ in 0..3 {
        let asked = (0..20).map(|key| together.find(&db, key, panics));
        let answers = futures_util::future::join_all(asked).await;
        assert!(answers.iter().all(Result::is_err), "they shared the statement that panicked");
        assert_eq!(together.find(&db, 1, panics).await.expect("alone"), Some(1));
    }
    assert!(together.state().running.is_empty());
}

#[tokio::test]
async fn nobody_waits_beyond_a_deadline_of_their_own() {
    let (db, _folder) = db().await;
    let together = Arc::new(LookupBatcher::default());
    let hurried = db.with_deadline(Instant::now() + Duration::from_millis(30));
    let (patient, hurried) = tokio::join!(together.find(&db, 1, slow), together.find(&hurried, 2, slow));
    assert_eq!(patient.expect("found out"), Some(1));
    assert_eq!(DbErrorKind::of(&hurried.expect_err("late")), DbErrorKind::Timeout);
}

async fn slow(_: Db, keys: Vec<u64>) -> Result<HashMap<u64, u64>, DbErr> {
    tokio::time::sleep(Duration::from_millis(100)).await;
    Ok(keys.into_iter().map(|key| (key, key)).collect())
}
