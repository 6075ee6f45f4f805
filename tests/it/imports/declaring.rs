//! Imports that declare the columns of their file as attributes.

use axum::http::StatusCode;
use rstest::rstest;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{Bench, Outcome};
use crate::support::{Database, coding::compressed};

const FILE: &str = "ref,plan,city,zip,visits,first visit\nann,a,Rome,00184,7,2026-01-31\nben,b,,99999,,\n";

impl Bench {
    /// Imports a file with an ADMIN token.
    async fn import_declaring(&self, parameters: &str, body: impl Into<Vec<u8>>) -> Outcome {
        let request = self.request(&format!("declare=true&{parameters}"), body.into());
        Outcome::of(&self.server.admin().await.send(request).await)
    }

    /// Returns the attributes that the memberbase has declared besides those of [`Bench::new`], as `KEY=TYPE`.
    async fn declared(&self) -> Vec<String> {
        let query = "query($id: ID!) { memberbase(id: $id) { attributeSchema { key type } } }";
        let data = self.writer.graphql(query, json!({"id": self.base})).await.data();
        shown(&data["memberbase"]["attributeSchema"]).split_off(super::ATTRIBUTES.len())
    }
}

/// Returns attributes as `KEY=TYPE`.
fn shown(attributes: &Value) -> Vec<String> {
    let text = |attribute: &Value, name: &str| attribute[name].as_str().unwrap().to_owned();
    let attributes = attributes.as_array().map(Vec::as_slice).unwrap_or_default();
    attributes.iter().map(|attribute| format!("{}={}", text(attribute, "key"), text(attribute, "type"))).collect()
}

const DECLARED: [&str; 4] = ["city=STRING", "zip=STRING", "visits=NUMBER", "first visit=DATE"];

#[rstest]
#[tokio::test]
async fn columns_become_attributes(#[values(Database::Sqlite, Database::Postgres)] database: Database) {
    let bench = Bench::new(database).await;
    let outcome = bench.import_declaring("format=csv", FILE).await;
    assert_eq!(
        (outcome.counts(), shown(&outcome.last()["declared"])),
        ([2, 0, 0, 0, 0], DECLARED.map(str::to_owned).to_vec())
    );
    assert_eq!(bench.declared().await, DECLARED);
    let ann = json!({"plan": "a", "city": "Rome", "zip": "00184", "visits": 7, "first visit": "2026-01-31"});
    let ben = json!({"plan": "b", "city": "", "zip": "99999"});
    assert_eq!(bench.members().await, [("ann".to_owned(), ann), ("ben".to_owned(), ben)]);
    let again = bench.import_declaring("format=csv", FILE).await;
    assert_eq!((again.counts(), again.last().get("declared")), ([0, 0, 2, 0, 0], None));
    // Compressed, in another encoding, as objects, and without a header.
    let file = compressed("gzip", &"ref;Straße\ncid;Köln\n".chars().map(|letter| letter as u8).collect::<Vec<_>>());
    let outcome = bench.import_declaring("format=csv&encoding=latin1", file).await;
    assert_eq!(shown(&outcome.last()["declared"]), ["Straße=STRING"]);
    let objects = "{\"ref\":\"dan\",\"attributes\":{\"score\":1.5,\"plan\":\"x\"},\"phone\":\"0123\"}\n";
    let outcome = bench.import_declaring("format=ndjson", objects).await;
    assert_eq!(shown(&outcome.last()["declared"]), ["score=NUMBER", "phone=STRING"]);
    let outcome = bench.import_declaring("format=csv&header=false&map=ref=1&map=level=2&ignore=3", "eve,7,x\n").await;
    assert_eq!(
        (outcome.counts(), shown(&outcome.last()["declared"])),
        ([1, 0, 0, 0, 0], vec!["level=NUMBER".to_owned()])
    );
    let stored = bench.members().await.into_iter().skip(2).map(|(_, attributes)| attributes).collect::<Vec<_>>();
    assert_eq!(
        stored,
        [json!({"Straße": "Köln"}), json!({"score": 1.5, "plan": "x", "phone": "0123"}), json!({"level": 7})]
    );
}

#[rstest]
#[tokio::test]
async fn dry_run_shows_what_would_be_declared(#[values(Database::Sqlite, Database::Postgres)] database: Database) {
    let bench = Bench::new(database).await;
    // The type is that of the beginning of the file.
    let rows: String = (0..30_000).map(|number| format!("member-{number},{number}\n")).collect();
    let file = format!("ref,visits\n{rows}last,many\n");
    assert!(file.len() > 256 << 10);
    let outcome = bench.import_declaring("format=csv&dryRun=true&onError=skip", file).await;
    assert_eq!(
        (outcome.counts(), shown(&outcome.last()["declared"])),
        ([30_000, 0, 0, 1, 0], vec!["visits=NUMBER".to_owned()])
    );
    let rejected = outcome.rejected();
    assert_eq!((&rejected[0]["line"], &rejected[0]["column"]), (&json!(30_002), &json!("visits")));
    assert_eq!((bench.declared().await, bench.refs().await), (vec![], vec![]));
    let mirror = bench.import_declaring("format=csv&dryRun=true&mirror=true", "ref,visits\nann,7\n").await;
    assert_eq!(
        (mirror.counts(), shown(&mirror.last()["declared"])),
        ([1, 0, 0, 0, 0], vec!["visits=NUMBER".to_owned()])
    );
    assert_eq!(bench.declared().await, [""; 0]);
}

#[rstest]
#[tokio::test]
async fn nothing_is_declared_by_a_file_that_does_not_fit(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let bench = Bench::new(database).await;
    for (parameters, file, part) in [
        ("format=csv", "id,city\nann,Rome\n", "no column \"ref\""),
        ("format=csv", "ref,Plan,city\nann,a,Rome\n", "map it with map=plan=Plan"),
        ("format=csv", "ref;price\nann;1.234,5\n", "decimal=comma or decimal=point"),
        ("format=csv", "ref,city,\nann,Rome,x\n", "column 3 has no name"),
        ("format=csv", "ref,city,city\nann,Rome,x\n", "\"city\" twice"),
        ("format=csv&ignore=cty", "ref,city\nann,Rome\n", "no column \"cty\""),
        ("format=csv&map=town=place", "ref,city\nann,Rome\n", "\"town\" is not an attribute"),
    ] {
        bench.import_declaring(parameters, file).await.assert_failed(400, "BAD_USER_INPUT", part);
    }
    let long = format!("ref,{}\nann,x\n", "k".repeat(129));
    bench.import_declaring("format=csv", long).await.assert_failed(400, "BAD_USER_INPUT", "key has 129 bytes");
    let many: String = (0..1_000).map(|number| format!(",k{number}")).collect();
    let many = format!("ref{many}\n");
    bench.import_declaring("format=csv", many).await.assert_failed(400, "BAD_USER_INPUT", "1004 keys");
    let lines = bench.import_declaring("format=lines", "ann\n").await;
    lines.assert_failed(400, "BAD_REQUEST", "ignore and declare are for the columns of CSV");
    let forbidden = bench.import("declare=true&format=csv", FILE).await;
    forbidden.assert_failed(403, "FORBIDDEN", "");
    assert_eq!((bench.declared().await, bench.refs().await), (vec![], vec![]));
}

#[rstest]
#[tokio::test]
async fn failure_says_what_was_declared(#[values(Database::Sqlite, Database::Postgres)] database: Database) {
    let bench = Bench::new(database).await;
    let file = "ref,city,age\nann,Rome,x\n";
    let outcome = bench.import_declaring("format=csv", file).await;
    outcome.assert_failed(400, "BAD_USER_INPUT", "1 row is invalid");
    assert_eq!(
        (shown(&outcome.last()["declared"]), bench.declared().await),
        (vec!["city=STRING".to_owned()], vec!["city=STRING".to_owned()])
    );
    assert_eq!(bench.refs().await, [""; 0]);
}

#[rstest]
#[tokio::test]
async fn mirror_that_declares_can_be_continued(#[values(Database::Sqlite, Database::Postgres)] database: Database) {
    let bench = Bench::of(database, 3).await;
    let parameters = format!("format=csv&mirror=true&maxDeletedPercent=100&import={}", Uuid::now_v7());
    let file = "ref,city\nann,Rome\nmember-0000,Oslo\n";
    let outcome = bench.import_declaring(&parameters, file).await;
    assert_eq!(
        (outcome.counts(), shown(&outcome.last()["declared"])),
        ([1, 1, 0, 0, 2], vec!["city=STRING".to_owned()])
    );
    let again = bench.import_declaring(&parameters, file).await;
    assert_eq!((again.counts(), &again.last()["declared"]), (outcome.counts(), &outcome.last()["declared"]));
    let other = format!("format=csv&mirror=true&maxDeletedPercent=100&{}", parameters.rsplit_once('&').unwrap().1);
    bench.import(&other, file).await.assert_failed(409, "CONFLICT", "");
}

#[rstest]
#[tokio::test]
async fn inspection_shows_what_would_be_declared(#[values(Database::Sqlite, Database::Postgres)] database: Database) {
    let bench = Bench::new(database).await;
    let file = "Kundennummer;PLAN;Ort;Umsatz;Alter\n47;a;Rom;1.234,5;9\n";
    let inspect = async |parameters: &str| {
        let request = bench.request(&format!("inspect=true&{parameters}"), file.as_bytes().to_vec());
        let response = bench.writer.send(request).await;
        assert_eq!(response.status, StatusCode::OK);
        response.json()
    };
    let inspected = inspect("declare=true&ignore=Alter").await;
    assert_eq!(shown(&inspected["declared"]), ["Ort=STRING", "Umsatz=NUMBER"]);
    let keys: Vec<_> = inspected["columns"].as_array().unwrap().iter().map(|column| column["key"].clone()).collect();
    assert_eq!(keys, [json!("ref"), json!("plan"), json!("Ort"), json!("Umsatz"), json!(null)]);
    let expected = json!({"ref": "47", "attributes": {"plan": "a", "Ort": "Rom", "Umsatz": 1234.5}});
    assert_eq!((&inspected["rows"][0]["row"], inspected.get("problem")), (&expected, None), "{inspected}");
    // They say that the import declares attributes.
    let request = bench.request(&super::inspections::query(&inspected), file);
    let outcome = Outcome::of(&bench.server.admin().await.send(request).await);
    assert_eq!(
        (outcome.counts(), bench.declared().await),
        ([1, 0, 0, 0, 0], vec!["Ort=STRING".to_owned(), "Umsatz=NUMBER".to_owned()])
    );
    let inspected = inspect("ignore=PLAN").await;
    assert_eq!((inspected.get("declared"), &inspected["columns"][1]["key"]), (None, &json!(null)));
}
