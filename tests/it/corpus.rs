//! The files in `tests/files`, of which each has to be read with the same outcome over HTTP and by the command, and by the console
//! (`tests/browser/console-corpus.test.js`).

use std::{collections::BTreeMap, fs, path::PathBuf};

use axum::{body::Body, http::Request};
use rstest::rstest;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    support::{Caller, Database, Server},
    sync_command::run,
};

const ATTRIBUTES: [(&str, &str); 5] =
    [("plan", "STRING"), ("age", "NUMBER"), ("active", "BOOLEAN"), ("joined", "DATE"), ("tags", "STRING_LIST")];

/// A file with its outcome, from `tests/files/outcomes.json`.
#[derive(Deserialize)]
struct Case {
    file: String,
    /// The parameters of the request besides the format; a list for one that is repeated.
    #[serde(default)]
    parameters: BTreeMap<String, Value>,
    /// Part of the message with which the import fails.
    failure: Option<String>,
    /// Number of members that are created.
    #[serde(default)]
    created: u64,
    /// The lines of the rejected rows.
    #[serde(default)]
    rejected: Vec<u64>,
    /// The members by ref, with their attributes.
    members: BTreeMap<String, Value>,
}

impl Case {
    /// Returns the names and values of the parameters.
    fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.parameters.iter().flat_map(|(name, value)| {
            let values = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
            values.iter().map(move |value| (name.as_str(), value.as_str().unwrap()))
        })
    }

    /// Returns the query of the request.
    fn query(&self, memberbase: &str) -> String {
        let name = self.file.trim_end_matches(".gz");
        let format = match name.rsplit_once('.').unwrap().1 {
            "ndjson" => "ndjson",
            "txt" => "lines",
            _ => "csv",
        };
        let more: String = self.pairs().map(|(name, value)| format!("&{name}={value}")).collect();
        format!("memberbase={memberbase}&format={format}{more}")
    }

    /// Returns the options of the command.
    fn options(&self) -> Vec<String> {
        let option = |(name, value): (&str, &str)| {
            let kebab = name.chars().fold(String::new(), |text, letter| match letter {
                'A'..='Z' => format!("{text}-{}", letter.to_ascii_lowercase()),
                _ => format!("{text}{letter}"),
            });
            match (name, value) {
                ("header", "false") => vec!["--no-header".to_owned()],
                (_, "true") => vec![format!("--{kebab}")],
                _ => vec![format!("--{kebab}"), value.to_owned()],
            }
        };
        self.pairs().flat_map(option).collect()
    }
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/files")
}

fn cases() -> Vec<Case> {
    serde_json::from_slice(&fs::read(folder().join("outcomes.json")).unwrap()).unwrap()
}

async fn memberbase(server: &Server, admin: &Caller, name: &str) -> String {
    let base = server.memberbase(name).await;
    let attributes = ATTRIBUTES.map(|(key, kind)| json!({"key": key, "type": kind}));
    let query =
        "mutation($input: SetAttributeSchemaInput!) { setAttributeSchema(input: $input) { memberbase { id } } }";
    admin.graphql(query, json!({"input": {"memberbaseId": base, "attributes": attributes}})).await.data();
    base
}

async fn members(admin: &Caller, base: &str) -> BTreeMap<String, Value> {
    let query = "query($base: ID!) { members(memberbaseId: $base, first: 100) { nodes { ref attributes } } }";
    let data = admin.graphql(query, json!({"base": base})).await.data();
    let nodes = data["members"]["nodes"].as_array().unwrap().clone();
    nodes.into_iter().map(|node| (node["ref"].as_str().unwrap().to_owned(), node["attributes"].clone())).collect()
}

#[test]
fn every_file_has_an_outcome() {
    let mut files: Vec<_> =
        fs::read_dir(folder()).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
    files.retain(|name| name != "outcomes.json");
    files.sort();
    let mut named: Vec<_> = cases().into_iter().map(|case| case.file).collect();
    named.sort();
    assert_eq!(files, named);
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn file_has_its_outcome_over_http(#[values(Database::Sqlite, Database::Postgres)] database: Database) {
    let server = Server::start(database).await;
    let admin = server.admin().await;
    for case in cases() {
        let base = memberbase(&server, &admin, &case.file).await;
        let body = Body::from(fs::read(folder().join(&case.file)).unwrap());
        let request = Request::post(format!("/import?{}", case.query(&base))).body(body).unwrap();
        let response = admin.send(request).await;
        let text = String::from_utf8(response.body.to_vec()).unwrap();
        let events: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let (last, rejected) = events.split_last().unwrap();
        let mut lines: Vec<_> = rejected.iter().map(|event| event["line"].as_u64().unwrap()).collect();
        lines.sort_unstable();
        match &case.failure {
            Some(part) => {
                assert!(last["message"].as_str().is_some_and(|text| text.contains(part)), "{}: {last}", case.file);
            }
            None => {
                assert_eq!((&last["created"], lines), (&json!(case.created), case.rejected), "{}: {text}", case.file);
            }
        }
        assert_eq!(members(&admin, &base).await, case.members, "{}", case.file);
    }
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn file_has_its_outcome_by_the_command(#[values(Database::Sqlite, Database::Postgres)] database: Database) {
    let server = Server::start(database).await;
    let admin = server.admin().await;
    let rejects = tempfile::NamedTempFile::new().unwrap();
    for case in cases() {
        let base = memberbase(&server, &admin, &case.file).await;
        let (file, options) = (folder().join(&case.file), case.options());
        let fixed = ["sync", file.to_str().unwrap(), "--database-url", &server.settings.url, "--memberbase", &base];
        let output = ["--json", "--rejects", rejects.path().to_str().unwrap()];
        let options: Vec<_> = options.iter().map(String::as_str).collect();
        let output = run(&[&fixed[..], &output, &options].concat(), &[]);
        let listed = fs::read_to_string(rejects.path()).unwrap();
        let mut lines: Vec<u64> =
            listed.lines().skip(1).map(|line| line.split_once(',').unwrap().0.parse().unwrap()).collect();
        lines.sort_unstable();
        lines.dedup();
        match &case.failure {
            Some(part) => assert!(output.code != Some(0) && output.stderr.contains(part), "{}: {output:?}", case.file),
            None => {
                let code = if case.rejected.is_empty() { 0 } else { 3 };
                assert_eq!(output.code, Some(code), "{}: {output:?}", case.file);
                let summary: Value = serde_json::from_str(&output.stdout).unwrap();
                assert_eq!((&summary["created"], lines), (&json!(case.created), case.rejected), "{}", case.file);
            }
        }
        assert_eq!(members(&admin, &base).await, case.members, "{}", case.file);
    }
}
