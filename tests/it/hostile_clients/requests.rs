//! The largest and slowest requests that the limits allow, and writers that keep a memberbase locked.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use serde_json::json;
use tokio::task::spawn_blocking;

use super::{
    swarm::{Source, Swarm, count},
    tenants::TenantClient,
};
use crate::{
    budgets::{
        case::Case,
        generator::Request,
        measure::send_over,
        mutations, queries,
        world::{World, size},
    },
    faults::seed,
    support::Random,
};

/// Clients, in `make test` and in `make soak`, of the large queries and mutations.
const LARGE_CLIENTS: (usize, usize) = (3, 10);

/// Clients of the queries that take the most CPU time.
const SLOW_CLIENTS: (usize, usize) = (1, 2);

const GENERATED_CLIENTS: (usize, usize) = (1, 2);

/// Clients that write in one memberbase at the same time.
const WRITERS: (usize, usize) = (3, 6);

/// Values that writers set in turns.
const VALUES: usize = 8;

/// Adds all clients.
pub fn add(swarm: &mut Swarm, world: World, tenants: &[TenantClient], busy: &TenantClient) {
    let large = [queries::large_results(&world), queries::large_inputs(&world), mutations::cases(&world)];
    add_cases(swarm, "large request", count(LARGE_CLIENTS), tenants, large.into_iter().flatten());
    let slow = queries::slow(&world).into_iter().chain([queries::regexes(&world)]);
    add_cases(swarm, "slow request", count(SLOW_CLIENTS), tenants, slow);
    add_generated(swarm, world, tenants);
    add_writers(swarm, "large upsert", count(WRITERS), busy, size(2_000, 20_000));
    // Its events list all ids.
    add_writers(swarm, "upsert of 1,000 members", 1, busy, 1_000);
    add_anonymous(swarm);
}

/// Sends a request, and returns the status and the code of its response.
async fn send(source: Source, request: &[u8]) -> Result<String, String> {
    let response = send_over(source.connect().await?, request).await;
    let response = response.map_err(|error| error.split(':').next().unwrap_or_default().to_owned())?;
    Ok(format!("{} {}", response.status, response.code).trim_end().to_owned())
}

/// Returns the request of the tenant whose memberbase it names.
fn request(tenants: &[TenantClient], case: &Case) -> Vec<u8> {
    let tenant = tenants.iter().find(|tenant| case.mentions(&tenant.base)).unwrap_or(&tenants[0]);
    case.request(if case.needs_write() { &tenant.writer } else { &tenant.reader })
}

/// Each client begins with another case.
fn add_cases(
    swarm: &mut Swarm,
    kind: &'static str,
    clients: usize,
    tenants: &[TenantClient],
    cases: impl Iterator<Item = Case>,
) {
    let requests: Arc<[(String, Vec<u8>)]> = cases.map(|case| (case.name.clone(), request(tenants, &case))).collect();
    let (next, outcomes) = (Arc::new(AtomicU64::new(0)), swarm.outcomes());
    swarm.add(kind, clients, move |source, _| {
        let number = usize::try_from(next.fetch_add(1, Ordering::Relaxed)).unwrap();
        let (requests, outcomes) = (Arc::clone(&requests), Arc::clone(&outcomes));
        async move {
            let (name, request) = &requests[number % requests.len()];
            let sent = Instant::now();
            let outcome = send(source, request).await;
            outcomes.took(name, sent.elapsed());
            outcome
        }
    });
}

fn add_generated(swarm: &mut Swarm, world: World, tenants: &[TenantClient]) {
    let (world, tenants) = (Arc::new(world), Arc::<[TenantClient]>::from(tenants));
    let next = Arc::new(AtomicU64::new(seed()));
    swarm.add("generated query", count(GENERATED_CLIENTS), move |source, _| {
        let seed = next.fetch_add(1, Ordering::Relaxed);
        let (world, tenants) = (Arc::clone(&world), Arc::clone(&tenants));
        async move {
            let generate = move || {
                let case = Request::generate(&world, &mut Random(seed)).case(Duration::from_secs(30));
                request(&tenants, &case)
            };
            send(source, &spawn_blocking(generate).await.unwrap()).await
        }
    });
}

/// Adds clients that update the same members, so that each waits for the others.
fn add_writers(swarm: &mut Swarm, kind: &'static str, clients: usize, tenant: &TenantClient, members: usize) {
    let query = "mutation($b: ID!, $m: [MemberInput!]!) { bulkUpsertMembers(input: {memberbaseId: $b, members: $m}) \
        { summary { updated } } }";
    let request = |call: usize| {
        let rows: Vec<_> =
            (0..members).map(|n| json!({"ref": format!("ref-{n}"), "attributes": {"call": call}})).collect();
        let body = json!({"query": query, "variables": {"b": tenant.base, "m": rows}}).to_string();
        tenant.writer.request("/graphql", &body).into_bytes()
    };
    let requests: Arc<[Vec<u8>]> = (0..VALUES).map(request).collect();
    let next = Arc::new(AtomicU64::new(0));
    swarm.add(kind, clients, move |source, _| {
        let number = usize::try_from(next.fetch_add(1, Ordering::Relaxed)).unwrap();
        let requests = Arc::clone(&requests);
        async move { send(source, &requests[number % VALUES]).await }
    });
}

/// Adds clients without a valid token.
fn add_anonymous(swarm: &mut Swarm) {
    let body = json!({"query": "{ __typename }", "variables": {"x": "x".repeat(1 << 20)}}).to_string();
    let request = |authorization: &str| {
        format!(
            "POST /graphql HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\n{authorization}\
            Content-Length: {}\r\n\r\n{body}",
            body.len()
        )
    };
    let invalid = format!("Authorization: Bearer mbs_{}\r\n", "x".repeat(40));
    let openapi = "GET /publisher.v1/openapi.json HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".to_owned();
    let requests: Arc<[String]> = vec![request(""), request(&invalid), openapi].into();
    swarm.add("request without a token", 6, move |source, client| {
        let requests = Arc::clone(&requests);
        async move { send(source, requests[client % requests.len()].as_bytes()).await }
    });
}
