//! `attributes`, and `sync` with `--declare`.

use std::fs;

use memberbase::domain::access::Access;
use rstest::rstest;
use serde_json::json;

use super::{
    Bench, CommandOutput, gzip,
    remote::{Process, secret},
    run,
};
use crate::support::Database;

const FILE: &str = "ref;city;visits\nann;Rome;7\nben;Oslo;8\n";

const SCHEMA: &str = "plan=STRING\nage=NUMBER\nactive=BOOLEAN\njoined=DATE\ntags=STRING_LIST\n";

impl Bench {
    fn attributes(&self, arguments: &[&str]) -> CommandOutput {
        self.local("attributes", &[&["--memberbase", &self.base], arguments].concat())
    }
}

impl CommandOutput {
    #[track_caller]
    fn assert_schema(&self, added: &str) {
        assert_eq!((self.code, &*self.stdout), (Some(0), &*format!("{SCHEMA}{added}")), "{self:?}");
    }
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn attributes_are_printed_and_declared(#[values(Database::Sqlite, Database::Postgres)] database: Database) {
    let bench = Bench::new(database).await;
    bench.attributes(&[]).assert_schema("");
    let dry_run = bench.attributes(&["--dry-run", "city=string", "a=b=DATE"]);
    dry_run.assert_schema("city=STRING\na=b=DATE\n");
    assert_eq!(dry_run.stderr, "would be declared: city=STRING\nwould be declared: a=b=DATE\n");
    bench.attributes(&[]).assert_schema("");
    let declared = bench.attributes(&["city=string", "plan=STRING"]);
    declared.assert_schema("city=STRING\n");
    assert_eq!(declared.stderr, "declared: city=STRING\n");
    bench.attributes(&["city=STRING_LIST"]).assert_schema("city=STRING_LIST\n");
    let json = bench.attributes(&["--json"]);
    assert_eq!(json.summary(0)[5], json!({"key": "city", "type": "STRING_LIST"}));
    bench.attributes(&["city"]).assert_stderr(2, "expected KEY=TYPE");
    bench.attributes(&["=STRING"]).assert_stderr(1, "key has 0 bytes");
    bench.local("attributes", &["--memberbase", "Nobody"]).assert_stderr(1, "there is no memberbase \"Nobody\"");
    let members = bench.file("members.csv", "ref,plan\nann,gold\n");
    bench.sync(&members, &[]).assert_stderr(0, "created");
    bench.attributes(&["plan=NUMBER"]).assert_stderr(1, "members have values");
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn attributes_are_those_of_a_file(#[values(Database::Sqlite, Database::Postgres)] database: Database) {
    let bench = Bench::new(database).await;
    let from = |name: &str, options: &[&str]| {
        let path = bench.path(name);
        bench.attributes(&[&["--dry-run", "--from", path.to_str().unwrap()], options].concat())
    };
    bench.file("members.csv", FILE);
    bench.file("members.csv.gz", gzip(FILE));
    for name in ["members.csv", "members.csv.gz"] {
        from(name, &[]).assert_schema("city=STRING\nvisits=NUMBER\n");
    }
    from("members.csv", &["visits=STRING"]).assert_schema("city=STRING\nvisits=STRING\n");
    from("members.csv", &["--ignore", "city", "--map", "count=visits"]).assert_schema("count=NUMBER\n");
    bench.file("objects.ndjson", "{\"ref\":\"a\",\"attributes\":{\"city\":\"Rome\"}}\n");
    from("objects.ndjson", &[]).assert_schema("city=STRING\n");
    // Longer than what is inspected.
    let rows: String = (0..50_000).map(|number| format!("member-{number};Rome;{number}\n")).collect();
    let long = format!("ref;city;visits\n{rows}last;Rome;many\n");
    bench.file("long.csv", &long);
    bench.file("long.csv.gz", gzip(&long));
    for name in ["long.csv", "long.csv.gz"] {
        from(name, &[]).assert_schema("city=STRING\nvisits=NUMBER\n");
    }
    bench.file("refs.txt", "ann\nben\n");
    from("refs.txt", &[]).assert_stderr(2, "it has a ref per line");
    bench.file("similar.csv", "id,Zip Code,zip_code\n1,2,3\n");
    let similar = from("similar.csv", &[]);
    similar.assert_schema("Zip Code=NUMBER\nzip_code=NUMBER\n");
    bench.file("known.csv", "ref,Plan,PLAN\n1,2,3\n");
    from("known.csv", &[]).assert_stderr(2, "--map plan=PLAN, leave it out with --ignore PLAN");
    from("missing.csv", &[]).assert_stderr(1, "missing.csv: No such file");
    bench.file("book.csv", b"PK\x03\x04 and more");
    from("book.csv", &[]).assert_stderr(2, "a workbook");
    bench.attributes(&[]).assert_schema("");
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sync_declares_columns(#[values(Database::Sqlite, Database::Postgres)] database: Database) {
    let bench = Bench::new(database).await;
    let file = bench.file("members.csv", FILE);
    bench.sync(&file, &[]).assert_stderr(2, "declare it with --declare");
    let dry_run = bench.sync(&file, &["--declare", "--dry-run", "--json"]);
    let declared = json!([{"key": "city", "type": "STRING"}, {"key": "visits", "type": "NUMBER"}]);
    assert_eq!((dry_run.counts(0), &dry_run.summary(0)["declared"]), ([2, 0, 0, 0, 0], &declared));
    assert!(dry_run.stderr.contains("declared            visits  NUMBER"), "{}", dry_run.stderr);
    bench.attributes(&[]).assert_schema("");
    let done = bench.sync(&file, &["--declare", "--json", "--ignore", "visits"]);
    assert_eq!((done.counts(0), &done.summary(0)["declared"]), ([2, 0, 0, 0, 0], &json!([declared[0]])));
    bench.attributes(&[]).assert_schema("city=STRING\n");
    // A memberbase that does not exist is created with the attributes of its file.
    let path = file.to_str().unwrap();
    let created = bench.local("sync", &[path, "--memberbase", "Others", "--create", "--declare", "--json"]);
    assert_eq!((created.counts(0), &created.summary(0)["declared"]), ([2, 0, 0, 0, 0], &declared));
    let failed = bench.file("failed.csv", "ref,score,age\nann,7,x\n");
    let failed = bench.sync(&failed, &["--declare", "--json"]);
    assert_eq!(failed.summary(1)["declared"], json!([{"key": "score", "type": "NUMBER"}]));
    let lines = bench.file("refs.txt", "ann\n");
    bench.sync(&lines, &["--declare"]).assert_stderr(2, "--map, --ignore and --declare are for the columns of CSV");
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn server_declares_attributes_for_an_admin_token(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let bench = Bench::new(database).await;
    let process = Process::start(&bench);
    let file = bench.file("members.csv", FILE);
    let token_file = bench.path("token");
    let call = async |command: &str, access: Access, arguments: &[&str]| {
        fs::write(&token_file, secret(&bench, access).await).unwrap();
        let api = [command, "--memberbase", &bench.base, "--url", &process.url, "--token-file"];
        run(&[&api[..], &[token_file.to_str().unwrap()], arguments].concat(), &[])
    };
    let path = file.to_str().unwrap();
    call("attributes", Access::Read, &[]).await.assert_schema("");
    call("attributes", Access::Write, &["city=STRING"]).await.assert_stderr(1, "ADMIN");
    call("sync", Access::Write, &[path, "--declare"]).await.assert_stderr(1, "ADMIN");
    call("attributes", Access::Admin, &["--from", path]).await.assert_schema("city=STRING\nvisits=NUMBER\n");
    let synced = call("sync", Access::Admin, &[path, "--declare", "--json"]).await;
    assert_eq!((synced.counts(0), &synced.summary(0)["declared"]), ([2, 0, 0, 0, 0], &json!([])));
}
