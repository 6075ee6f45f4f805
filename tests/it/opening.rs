//! Commands on a database that can't be opened: they name the cause and create nothing.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Child, Command},
    thread::sleep,
    time::{Duration, Instant},
};

use memberbase::db::{Db, DbErrorKind, Settings};
use rstest::rstest;
use tempfile::TempDir;
use tokio::net::{TcpListener, TcpStream};

use crate::{
    support::Database,
    sync_command::{CommandOutput, command, ended},
};

const AN_ID: &str = "atok_01h455vb4pex5vsknk084sn02q";

/// Every command that opens an existing database, for a folder with a file of members.
fn commands(members: &Path) -> Vec<Vec<&str>> {
    vec![
        vec!["token", "create", "--access", "read", "--description", "a test"],
        vec!["token", "list"],
        vec!["token", "revoke", AN_ID],
        vec!["sync", members.to_str().unwrap(), "--memberbase", "Readers"],
        vec!["sync", members.to_str().unwrap(), "--memberbase", "Readers", "--create"],
        vec!["export", "--memberbase", "Readers"],
        vec!["migrate", "status"],
        vec!["migrate", "down"],
    ]
}

/// Waits for a command to end, and kills it after a timeout (a server that starts although it should not).
fn in_time(mut child: Child) -> CommandOutput {
    let start = Instant::now();
    while child.try_wait().unwrap().is_none() && start.elapsed() < Duration::from_secs(60) {
        sleep(Duration::from_millis(5));
    }
    child.kill().unwrap();
    ended(child)
}

fn run(arguments: &[&str]) -> CommandOutput {
    in_time(command(arguments, &[]).spawn().unwrap())
}

fn run_in(folder: &TempDir, arguments: &[&str], variables: &[(&str, &str)]) -> CommandOutput {
    in_time(command(arguments, variables).current_dir(folder.path()).spawn().unwrap())
}

fn names(folder: &TempDir) -> Vec<String> {
    fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

fn folder_with_members() -> (TempDir, std::path::PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let members = folder.path().join("members.csv");
    fs::write(&members, "ref\nann\n").unwrap();
    (folder, members)
}

#[test]
fn command_in_the_wrong_folder_names_the_missing_file_and_creates_nothing() {
    let (_elsewhere, members) = folder_with_members();
    let folder = tempfile::tempdir().unwrap();
    for arguments in commands(&members) {
        let output = run_in(&folder, &arguments, &[]);
        let message = format!(
            "error: there is no database at {}/memberbase.db: start the server once, or set --database-url or \
            MEMBERBASE_DATABASE_URL\n",
            folder.path().display()
        );
        assert_eq!((output.code, output.stderr.as_str()), (Some(1), message.as_str()), "{arguments:?}");
        assert_eq!(names(&folder), Vec::<String>::new(), "{arguments:?}");
    }
    let output = run_in(&folder, &["token", "list", "--database-url", "sqlite://no/where.db?mode=rwc"], &[]);
    assert!(output.stderr.contains("/no/where.db: start the server once"), "{output:?}");
    assert_eq!(names(&folder), Vec::<String>::new());
}

#[test]
fn path_that_is_not_a_database_is_named_and_left_unchanged() {
    let (_elsewhere, members) = folder_with_members();
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("memberbase.db");
    let path = database.display();
    let all = || commands(&members).into_iter().map(|arguments| run_in(&folder, &arguments, &[]));

    fs::write(&database, "").unwrap();
    for output in all() {
        let message =
            format!("error: the database {path} is empty: start the server once, or run memberbase migrate up\n");
        assert_eq!((output.code, output.stderr), (Some(1), message));
    }
    fs::write(&database, "ref\nann\n").unwrap();
    let serve = || run_in(&folder, &["serve", "--listen", "127.0.0.1:0"], &[]);
    for output in all().chain([serve()]) {
        assert_eq!((output.code, output.stderr), (Some(1), format!("error: {path} is not a SQLite database\n")));
    }
    assert_eq!(fs::read_to_string(&database).unwrap(), "ref\nann\n");
    fs::remove_file(&database).unwrap();
    fs::create_dir(&database).unwrap();
    for output in all().chain([serve()]) {
        assert_eq!(
            (output.code, output.stderr),
            (Some(1), format!("error: {path} is a folder, not a SQLite database\n"))
        );
    }
    assert_eq!(names(&folder), ["memberbase.db"]);
    let output = run_in(&folder, &["serve", "--listen", "127.0.0.1:0", "--database-url", "sqlite://no/where.db"], &[]);
    let no = folder.path().join("no");
    let message = format!("error: can't create the database {0}/where.db: there is no folder {0}\n", no.display());
    assert_eq!((output.code, output.stderr), (Some(1), message));
}

#[tokio::test]
async fn file_whose_creation_was_interrupted_by_a_power_loss_is_created_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("memberbase.db");
    // The first page was not written to the disk, but the file has its length. The journal's header says that the
    // file had no pages (https://www.sqlite.org/fileformat.html#the_rollback_journal).
    fs::write(&path, [0; 4096]).unwrap();
    let [records, nonce, pages, sector, page_size] = [0_u32, 0, 0, 512, 4096].map(u32::to_be_bytes);
    let header = [b"\xd9\xd5\x05\xf9\x20\xa1\x63\xd7", &[records, nonce, pages, sector, page_size].concat()[..]];
    let mut journal = header.concat();
    journal.resize(512, 0);
    fs::write(folder.path().join("memberbase.db-journal"), journal).unwrap();
    let db = Db::connect(&Settings::small(format!("sqlite://{}", path.display()))).await.unwrap();
    assert!(!db.migrate_up().await.unwrap().is_empty());
}

#[tokio::test]
async fn database_of_another_program_is_left_unchanged() {
    use sqlx::Connection;
    let (_elsewhere, members) = folder_with_members();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("memberbase.db");
    let mut connection =
        sqlx::SqliteConnection::connect(&format!("sqlite://{}?mode=rwc", path.display())).await.unwrap();
    sqlx::raw_sql("CREATE TABLE theirs (a)").execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    let before = fs::read(&path).unwrap();
    for arguments in commands(&members) {
        let output = run_in(&folder, &arguments, &[]);
        let part = format!("error: the database {} has no tables of Memberbase: set another", path.display());
        assert!(output.code == Some(1) && output.stderr.starts_with(&part), "{arguments:?}: {output:?}");
        assert!(fs::read(&path).unwrap() == before, "{arguments:?} changed it");
        assert_eq!(names(&folder), ["memberbase.db"]);
    }
}

#[test]
fn unreadable_file_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("memberbase.db");
    fs::write(&path, "SQLite format 3\0").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o000)).unwrap();
    if fs::read(&path).is_ok() {
        // Root can read everything.
        return;
    }
    let output = run_in(&folder, &["token", "list"], &[]);
    let message = format!("error: can't open the database {}: permission denied\n", path.display());
    assert_eq!((output.code, output.stderr), (Some(1), message));
}

/// Returns a migrated database with a connection for a test's own changes to it.
async fn migrated(database: Database) -> (Settings, Db, impl Sized) {
    let (settings, storage) = database.make().await;
    let db = Db::connect(&settings).await.unwrap();
    db.migrate_up().await.unwrap();
    (settings, db, storage)
}

async fn execute(db: &Db, sql: &str) {
    use memberbase::db::{Lock, Session};
    use sea_orm::{ConnectionTrait, DbErr};
    db.write::<_, DbErr, _>(Lock::None, async |session: Session| session.execute_unprepared(sql).await).await.unwrap();
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn database_of_a_newer_version_is_rejected_by_every_command(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let (_elsewhere, members) = folder_with_members();
    let (settings, db, _storage) = migrated(database).await;
    let newer = "m20990101_000001_newer";
    execute(&db, &format!("INSERT INTO seaql_migrations (version, applied_at) VALUES ('{newer}', 0)")).await;
    db.close().await;
    let mut all = commands(&members);
    all.extend([vec!["migrate", "up"], vec!["serve", "--listen", "127.0.0.1:0"]]);
    for arguments in all {
        let output = run(&[&arguments[..], &["--database-url", &settings.url]].concat());
        let part = format!("which does not know the migrations {newer}: use the newer version, or restore a backup");
        assert!(output.code == Some(1) && output.stderr.contains(&part), "{arguments:?}: {output:?}");
        let is_status = arguments == ["migrate", "status"];
        assert_eq!(output.stdout.contains(&format!("unknown  {newer}\n")), is_status, "{arguments:?}: {output:?}");
    }
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pending_migrations_are_named_with_the_command_that_applies_them(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let (_elsewhere, members) = folder_with_members();
    let (settings, db, _storage) = migrated(database).await;
    db.migrate_down(1).await.unwrap();
    db.close().await;
    for arguments in commands(&members).into_iter().filter(|arguments| arguments[0] != "migrate") {
        let output = run(&[&arguments[..], &["--database-url", &settings.url]].concat());
        let part = "are not current (pending migrations: 1): start the server of this version once, or run memberbase migrate up";
        assert!(output.code == Some(1) && output.stderr.contains(part), "{arguments:?}: {output:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn empty_postgres_database_is_named_with_the_command_that_migrates_it() {
    let (settings, _storage) = Database::Postgres.make().await;
    let output = run(&["token", "list", "--database-url", &settings.url]);
    let part = "has no tables: start the server once, or run memberbase migrate up";
    assert!(output.code == Some(1) && output.stderr.contains(part), "{output:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unreachable_postgres_is_reported_at_once_without_the_password() {
    let (settings, _storage) = Database::Postgres.make().await;
    let (server, name) = settings.url.rsplit_once('/').unwrap();
    let address = server.rsplit_once('@').unwrap().1;
    // A port that was free a moment ago and has no listener.
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    for (url, expected) in [
        (
            format!("postgres://ann:s3cret@{closed}/{name}"),
            format!("can't connect to PostgreSQL at {closed}, database {name:?}: connection refused"),
        ),
        (
            format!("postgres://postgres:s3cret@{address}/nowhere"),
            format!("at {address}, database \"nowhere\": database \"nowhere\" does not exist"),
        ),
        (
            format!("postgres://ann:s3cret@{address}/{name}"),
            format!("at {address}, database {name:?}: role \"ann\" does not exist"),
        ),
        (
            format!("postgres://postgres:s3cret@{address}/{name}?sslmode=require"),
            format!("at {address}, database {name:?}: TLS failed: server does not support TLS"),
        ),
        (
            format!("postgres://postgres:s3cret@no.such.host.invalid:5432/{name}"),
            format!("can't connect to PostgreSQL at no.such.host.invalid:5432, database {name:?}: "),
        ),
        (
            format!("postgres://postgres:s3cret@{address}/{name}?sslmod=require&pasword=s3cret"),
            "has a parameter \"sslmod\" that is not supported: is it sslmode?".to_owned(),
        ),
    ] {
        let start = Instant::now();
        for arguments in [&["serve", "--listen", "127.0.0.1:0"][..], &["token", "list"]] {
            let wait = ["--database-acquire-timeout", "5m", "--log", "trace"];
            let output = run(&[arguments, &wait, &["--database-url", &url]].concat());
            assert!(output.code == Some(1) && output.stderr.contains(&expected), "{expected}: {output:?}");
            assert!(!output.stderr.contains("s3cret") && !output.stdout.contains("s3cret"), "{output:?}");
        }
        assert!(start.elapsed() < Duration::from_secs(120), "{expected} took {:?}", start.elapsed());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lost_database_is_reported_with_the_reason() {
    let (settings, _storage) = Database::Postgres.make().await;
    let (server, name) = settings.url.rsplit_once('/').unwrap();
    let target = server.rsplit_once('@').unwrap().1.to_owned();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("postgres://postgres@{}/{name}", listener.local_addr().unwrap());
    let proxy = tokio::spawn(async move {
        let mut connections = tokio::task::JoinSet::new();
        loop {
            let (mut client, _) = listener.accept().await.unwrap();
            let mut server = TcpStream::connect(&target).await.unwrap();
            connections.spawn(async move { tokio::io::copy_bidirectional(&mut client, &mut server).await });
        }
    });
    let db =
        Db::connect(&Settings { url, acquire_timeout: Duration::from_millis(500), ..settings.clone() }).await.unwrap();
    db.ping().await.unwrap();
    proxy.abort();
    assert!(proxy.await.unwrap_err().is_cancelled());
    // Broken connections are reported first, each once.
    let mut error = db.ping().await.unwrap_err();
    for _ in 0..settings.max_connections {
        assert_eq!(DbErrorKind::of(&error), DbErrorKind::Unavailable);
        error = db.ping().await.unwrap_err();
    }
    assert!(error.to_string().contains("refused"), "{error}");
}

#[test]
fn invalid_setting_is_named_and_nothing_is_created() {
    let folder = tempfile::tempdir().unwrap();
    let slip = [("MEMBERBASE_DATABSE_URL", "sqlite://elsewhere.db")];
    for arguments in [&["serve", "--listen", "127.0.0.1:0"][..], &["migrate", "up"], &["token", "list"]] {
        let output = run_in(&folder, arguments, &slip);
        let message = "error: MEMBERBASE_DATABSE_URL is no setting: is it MEMBERBASE_DATABASE_URL?\n";
        assert_eq!((output.code, output.stderr.as_str()), (Some(2), message));
    }
    for (arguments, part) in [
        (["--log", "warning"], "\"warning\" is no log level (is it warn?): use error, warn, info, debug, trace or off"),
        (["--cors-origins", "https://a.b/"], "browsers send this origin as https://a.b"),
        (["--default-page-size", "0"], "0 is not in 1.."),
    ] {
        let output = run_in(&folder, &[&["serve", "--listen", "127.0.0.1:0"], &arguments[..]].concat(), &[]);
        assert!(output.code == Some(2) && output.stderr.contains(part), "{output:?}");
    }
    assert_eq!(names(&folder), Vec::<String>::new());
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

/// Runs a command in a folder through a shell with an open umask.
fn run_openly(folder: &TempDir, arguments: &[&str]) -> CommandOutput {
    let mut shell = Command::new("sh");
    shell.args(["-c", "umask 0; exec \"$@\"", "sh", env!("CARGO_BIN_EXE_memberbase")]).args(arguments);
    shell.stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
    in_time(shell.current_dir(folder.path()).spawn().unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn written_files_are_private_to_their_owner() {
    let (folder, members) = folder_with_members();
    let path = |name: &str| folder.path().join(name);
    assert_eq!(run_openly(&folder, &["migrate", "up"]).code, Some(0));
    assert_eq!(mode(&path("memberbase.db")), 0o600);
    let db = Db::connect(&Settings::small(format!("sqlite://{}", path("memberbase.db").display()))).await.unwrap();
    execute(&db, "CREATE TABLE written (a)").await;
    assert_eq!((mode(&path("memberbase.db-wal")), mode(&path("memberbase.db-shm"))), (0o600, 0o600));
    db.close().await;

    let (file, rejects) = (members.to_str().unwrap(), ["--rejects", "rejects.csv"]);
    let output = run_openly(&folder, &[&["sync", file, "--memberbase", "Readers", "--create"], &rejects[..]].concat());
    assert_eq!(output.code, Some(0), "{output:?}");
    assert_eq!(mode(&path("rejects.csv")), 0o600);
    // Files left by a killed run, and by a version that created them readable by all.
    for name in ["out.csv.part", "out.csv"] {
        fs::write(path(name), "old").unwrap();
        fs::set_permissions(path(name), fs::Permissions::from_mode(0o666)).unwrap();
    }
    for name in ["out.csv", "out.ndjson.gz", "out.csv.zst"] {
        let output = run_openly(&folder, &["export", "--memberbase", "Readers", "--output", name]);
        assert_eq!(output.code, Some(0), "{output:?}");
        assert_eq!(mode(&path(name)), 0o600, "{name}");
    }
    assert!(fs::read_to_string(path("out.csv")).unwrap().contains("ann"));

    fs::set_permissions(path("memberbase.db"), fs::Permissions::from_mode(0o640)).unwrap();
    assert_eq!(run_openly(&folder, &["token", "list"]).code, Some(0));
    assert_eq!(mode(&path("memberbase.db")), 0o640, "what an operator opened to a group stays so");
}
