//! The import of a file, against calls of `bulkUpsertMembers` with the same rows.

use std::{
    fmt::Write,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    cluster::Cluster,
    drive::{Timing, drive},
    http::Http,
    lab::{Lab, MIB, Meter, Plan, Work},
    members::BATCH,
    process,
    server::Server,
};

/// Concurrent clients of the calls.
pub const CLIENTS: usize = 4;

/// The names of the measurements on a database.
pub struct Names {
    pub import: &'static str,
    /// The calls with the same rows.
    pub calls: &'static str,
    /// The largest memory of the server during an import, less that at its beginning.
    pub memory: &'static str,
}

pub const ON_POSTGRES: Names =
    Names { import: "import", calls: "rows of the import as calls", memory: "memory of an import, PostgreSQL" };

pub const ON_SQLITE: Names = Names {
    import: "SQLite import",
    calls: "SQLite rows of the import as calls",
    memory: "memory of an import, SQLite",
};

const UPSERT: &str =
    "mutation Upsert($input: BulkUpsertMembersInput!) { bulkUpsertMembers(input: $input) { summary { created } } }";

const DECLARE: &str =
    "mutation Declare($input: SetAttributeSchemaInput!) { setAttributeSchema(input: $input) { memberbase { id } } }";

/// Imports a file of a fifth of the members, each with two attributes, into a new memberbase, and then stores the same rows by
/// calls in another one. Returns the ids of both.
pub async fn measure(
    server: &Server,
    mut cluster: Option<&mut Cluster>,
    names: &Names,
    plan: &Plan,
    lab: &mut Lab,
) -> Result<[String; 2]> {
    let rows = plan.members / 5;
    let ids = [memberbase(server).await?, memberbase(server).await?];
    let request = import_request(server, &ids[0], rows);
    let work = Work { name: names.import, clients: 1, unit: "members", per_call: rows };
    let idle = process::memory(server.pid, "VmRSS")?;
    let meter = Meter::begin(Some(server), cluster.as_deref_mut(), false).await?.with_peak()?;
    let begun = Instant::now();
    let response = Http::connect(&server.api.address).await?.call_to_end(&request).await?;
    let elapsed = begun.elapsed();
    check_imported(&response, rows)?;
    let sample = meter.end(Timing::of(elapsed, vec![elapsed]), cluster.as_deref_mut()).await?;
    let grown = sample.peak.context("a peak")?.saturating_sub(idle) as f64 / MIB;
    lab.record_largest(&server.name, names.memory, grown, "MiB");
    lab.record_phase(work, &server.name, false, sample);
    drop(request);

    let work = Work { name: names.calls, clients: CLIENTS, unit: "members", per_call: BATCH };
    let slices = (0..rows).step_by(BATCH).map(|first| first..(first + BATCH).min(rows));
    let calls: Vec<_> = slices.map(|slice| (slice.len(), call(server, &ids[1], slice))).collect();
    let mut clients = Vec::new();
    for _ in 0..CLIENTS {
        clients.push(Http::connect(&server.api.address).await?);
    }
    let send = async |client: &mut Http, number: usize| {
        let (rows, request) = &calls[number];
        let created = format!("\"created\":{rows}}}");
        let body = client.call(request).await?;
        ensure!(memchr::memmem::find(body, created.as_bytes()).is_some(), "not all members were created");
        Ok(())
    };
    let meter = Meter::begin(Some(server), cluster.as_deref_mut(), false).await?;
    let timing = drive(&mut clients, Duration::MAX, calls.len(), send).await?;
    lab.record_phase(work, &server.name, false, meter.end(timing, cluster).await?);
    Ok(ids)
}

/// Creates a memberbase that declares the attributes of the rows.
async fn memberbase(server: &Server) -> Result<String> {
    let id = server.make_memberbase("import").await?;
    let attributes = json!([{"key": "plan", "type": "STRING"}, {"key": "visits", "type": "NUMBER"}]);
    let data = server.api.graphql(DECLARE, &json!({"input": {"memberbaseId": id, "attributes": attributes}})).await?;
    ensure!(data["setAttributeSchema"]["memberbase"]["id"] == *id, "the attributes were not declared");
    Ok(id)
}

fn plan_of(number: usize) -> &'static str {
    ["basic", "gold", "trial"][number % 3]
}

/// Returns the request that imports the rows, with an id, by which it could be continued.
fn import_request(server: &Server, memberbase: &str, rows: usize) -> Vec<u8> {
    let mut file = "ref,plan,visits\n".to_owned();
    for number in 0..rows {
        let _ = writeln!(file, "member-{number:012},{},{}", plan_of(number), number % 1_000);
    }
    let (api, id) = (&server.api, Uuid::now_v7());
    let head = format!(
        "POST /import?memberbase={memberbase}&format=csv&import={id} HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {}\r\n\
        Content-Length: {}\r\nConnection: close\r\n\r\n",
        api.address,
        api.token,
        file.len()
    );
    (head + &file).into_bytes()
}

/// Checks that the last event counts each row as created.
fn check_imported(response: &[u8], rows: usize) -> Result<()> {
    let text = String::from_utf8_lossy(response);
    let mut events = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let summary = events.find(|event| event["event"] == "summary");
    let is_right = summary.is_some_and(|event| event["created"] == rows && event["rows"] == rows);
    ensure!(is_right, "not all rows were imported: {}", &text[..text.len().min(2_000)]);
    Ok(())
}

fn call(server: &Server, memberbase: &str, numbers: impl Iterator<Item = usize>) -> Vec<u8> {
    let row = |number: usize| json!({"ref": format!("member-{number:012}"), "attributes": {"plan": plan_of(number), "visits": number % 1_000}});
    let members: Vec<_> = numbers.map(row).collect();
    server.api.request(UPSERT, &json!({"input": {"memberbaseId": memberbase, "members": members}}).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn import_is_right_if_all_rows_were_created() {
        let response = |created: usize| {
            format!(
                "HTTP/1.1 200 OK\r\n\r\n5a\r\n{{\"event\":\"summary\",\"rows\":2,\"created\":{created}}}\n\r\n0\r\n\r\n"
            )
        };
        check_imported(response(2).as_bytes(), 2).unwrap();
        for wrong in [response(1), response(2).replace("summary", "failed")] {
            assert!(check_imported(wrong.as_bytes(), 2).is_err(), "{wrong}");
        }
        assert!(check_imported(response(2).as_bytes(), 3).is_err());
    }
}
