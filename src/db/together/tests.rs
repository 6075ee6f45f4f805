use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use super::*;
use crate::db::Settings;

/// How many statements there were, and of how many look-ups the largest was.
static STATEMENTS_SENT: AtomicUsize = AtomicUsize::new(0);
static LARGEST: AtomicUsize = AtomicUsize::new(0);

async fn db() -> (Db, tempfile::TempDir) {
    let folder = tempfile::tempdir().expect("a folder");
    let settings = Settings {
        url: format!("sqlite://{}", folder.path().join("test.db").display()),
        max_connections: 1,
        acquire_timeout: Duration::from_secs(5),
        statement_timeout: Duration::from_secs(5),
        pooler: false,
    };
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
    let together = Arc::new(Together::default());
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
    assert!(LARGEST.load(Ordering::SeqCst) <= MOST);
    let state = together.state();
    assert_eq!((state.running, state.waiting.len()), (0, 0));
}

/// Fails when it is shared, or finds a key that no one may look for.
async fn alone(_: Db, keys: Vec<u64>) -> Result<HashMap<u64, u64>, DbErr> {
    tokio::time::sleep(Duration::from_millis(5)).await;
    if keys.contains(&13) {
        return Err(DbErr::Custom("unlucky".to_owned()));
    }
    Ok(keys.into_iter().map(|key| (key, key)).collect())
}

#[tokio::test]
async fn what_fails_for_one_does_not_fail_for_the_others() {
    let (db, _folder) = db().await;
    let together = Arc::new(Together::default());
    let asked = (0..50).map(|key| together.find(&db, key, alone));
    for (key, answer) in futures_util::future::join_all(asked).await.into_iter().enumerate() {
        let key = key as u64;
        match answer {
            Ok(found) => assert_eq!(found, Some(key)),
            Err(error) => assert_eq!((key, error.to_string().contains("unlucky")), (13, true)),
        }
    }
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
    let together = Arc::new(Together::default());
    for _ in 0..3 {
        let asked = (0..20).map(|key| together.find(&db, key, panics));
        for (key, answer) in futures_util::future::join_all(asked).await.into_iter().enumerate() {
            assert_eq!(answer.expect("found out"), Some(key as u64));
        }
    }
    assert_eq!(together.state().running, 0);
}

#[tokio::test]
async fn nobody_waits_beyond_a_deadline_of_their_own() {
    let (db, _folder) = db().await;
    let together = Arc::new(Together::default());
    let begun = Instant::now();
    let hurried = db.with_deadline(begun + Duration::from_millis(30));
    let found = async |db: &Db, key| together.find(db, key, slow).await.map_err(|error| error.to_string());
    let (patient, hurried) = tokio::join!(found(&db, 1), found(&hurried, 2));
    assert_eq!((patient, hurried), (Ok(Some(1)), Err("Custom Error: late".to_owned())));
}

/// As a database does: refuses what is beyond its deadline.
async fn slow(db: Db, keys: Vec<u64>) -> Result<HashMap<u64, u64>, DbErr> {
    if db.deadline().is_some_and(|deadline| deadline <= Instant::now()) {
        return Err(DbErr::Custom("late".to_owned()));
    }
    tokio::time::sleep(Duration::from_millis(100)).await;
    Ok(keys.into_iter().map(|key| (key, key)).collect())
}
