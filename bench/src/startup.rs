//! The time from the start of a server to its first response.

use std::time::Instant;

use anyhow::Result;
use serde_json::json;

use crate::{base::Base, lab::Lab, read::PAGE, report::median, server::Server};

/// Restarts each server on the database with all members.
pub async fn run(base: &mut Base, rounds: usize, lab: &mut Lab) -> Result<()> {
    eprintln!("start");
    let variables = json!({"memberbaseId": base.id, "first": 1});
    for server in &mut base.servers {
        let mut times = Vec::new();
        for _ in 0..rounds {
            server.stop()?;
            times.push(start(server, &variables).await?);
        }
        let millis = median(times).unwrap_or_default();
        lab.record(&server.name, "start to first response", millis, "ms");
    }
    Ok(())
}

async fn start(server: &mut Server, variables: &serde_json::Value) -> Result<f64> {
    let begun = Instant::now();
    server.start_again()?;
    let data = server.api.graphql(PAGE, variables).await?;
    anyhow::ensure!(
        data["members"]["nodes"].as_array().is_some_and(|nodes| nodes.len() == 1),
        "unexpected first response: {data}"
    );
    Ok(begun.elapsed().as_secs_f64() * 1e3)
}
