//! Compressed bodies of less than 2 MB that expand to gigabytes.

use std::time::Duration;

use super::{
    case::{MUTATION_BUDGET_MIB, SLACK_MIB},
    measure::measure,
    world::World,
};
use crate::support::{
    Database, Site,
    coding::{CODINGS, compressed},
};

/// The memory that the body of a query may take while it is expanded: the limit of 17 MiB, twice while its buffer is copied to
/// a larger one, and the decoder.
const READ_GROWTH_MIB: u64 = 64;

/// The memory that the body of a mutation may take (`MEMBERBASE_MAX_MUTATION_MEMORY`), twice while its buffer is copied.
const WRITE_GROWTH_MIB: u64 = 2 * MUTATION_BUDGET_MIB;

/// Returns a body that expands to this many bytes or more.
fn bomb(coding: &str, bytes: usize) -> Vec<u8> {
    // Several members or frames are one body, but not several Brotli streams.
    let part = if coding == "br" { bytes } else { 64 << 20 };
    compressed(coding, &vec![b' '; part]).repeat(bytes / part)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn compressed_bomb_ends_at_the_limit() {
    let site = Site::new(Database::Sqlite).await;
    let world = World::load(&site).await;
    let mut problems = Vec::new();
    for coding in CODINGS {
        // The fastest level of gzip needs a byte for 220.
        let body = bomb(coding, if coding == "gzip" { 384 << 20 } else { 1 << 30 });
        assert!(body.len() < 2_000_000, "{coding}: {} bytes", body.len());
        for (writes, budget) in [(false, READ_GROWTH_MIB), (true, WRITE_GROWTH_MIB)] {
            let mut process = world.start(&site).await;
            let head = format!("Content-Encoding: {coding}\r\nContent-Length: {}\r\n", body.len());
            let request = [world.client(&process, writes).head("/graphql", &head).as_bytes(), &body].concat();
            let idle = process.memory("VmRSS");
            let usage = measure(&mut process, idle, &request).await.unwrap();
            println!("{} bytes of {coding}: {usage}", body.len());
            let is_rejected = ["PAYLOAD_TOO_LARGE", "LIMIT_EXCEEDED"].contains(&usage.response.code.as_str());
            if !is_rejected || usage.growth_mib > budget + SLACK_MIB || usage.wall > Duration::from_secs(10) {
                problems.push(format!("{coding}: {usage}"));
            }
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}
