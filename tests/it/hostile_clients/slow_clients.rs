//! Clients with a token that do not send, or do not read, what they have begun.

use std::{sync::Arc, time::Duration};

use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{Instant, sleep},
};

use super::{
    connections::{closed, frame, open_socket, trickle},
    swarm::{Swarm, count},
    tenants::TenantClient,
};
use crate::{
    budgets::{case::aliased, world::size},
    support::Client,
};

/// The smallest receive buffer, so that the server's writes block soon.
const RECEIVE_BUFFER_BYTES: u32 = 4 << 10;

/// Longer than the server waits for a client that does not read.
const UNREAD: Duration = Duration::from_secs(45);

/// Time for which a client reads a response slowly.
const SLOW_READ: Duration = Duration::from_secs(300);

/// The bytes that it reads each second: the server sees progress often enough.
const SLOW_READ_BYTES: usize = 128 << 10;

/// Clients that ask for large responses and do not read them, and those that read them slowly: together they ask for more
/// than the memory of all requests.
const READERS: (usize, usize) = (3, 30);

/// The most aliases that a document may have.
const ALIASES: usize = 45;

/// Adds all clients: those of `tenants` have large data, `busy` is written to.
pub fn add(swarm: &mut Swarm, tenants: &[TenantClient], busy: &TenantClient) {
    let all: Arc<[TenantClient]> = [tenants, std::slice::from_ref(busy)].concat().into();
    swarm.add("unfinished frame", 90, move |source, client| {
        let authorization = format!("Authorization: Bearer {}\r\n", all[client % all.len()].reader.secret());
        async move {
            let mut stream = open_socket(source.connect().await?, &authorization).await?;
            let _ = stream.write_all(&frame(500_000)).await;
            closed(stream).await
        }
    });
    add_bodies(swarm, tenants);
    add_responses(swarm, &tenants[0]);
    let subscription: Arc<str> = subscription(&busy.reader, &busy.base).into();
    swarm.add("unread subscription", 40, move |source, _| {
        let request = Arc::clone(&subscription);
        async move {
            let mut stream = source.connect_with_buffer(Some(RECEIVE_BUFFER_BYTES)).await?;
            stream.write_all(request.as_bytes()).await.map_err(|error| error.kind().to_string())?;
            sleep(UNREAD).await;
            Ok("abandoned".to_owned())
        }
    });
}

/// Bodies that arrive slowly.
fn add_bodies(swarm: &mut Swarm, tenants: &[TenantClient]) {
    let clients: Arc<[Client]> = tenants.iter().map(|tenant| tenant.writer.clone()).collect();
    swarm.add("slow body", 40, {
        let clients = Arc::clone(&clients);
        move |source, client| {
            let head = clients[client % clients.len()].head("/graphql", "Content-Length: 200000000\r\n");
            async move { trickle(source.connect().await?, (head + "{\"query\":\"").as_bytes()).await }
        }
    });
    // The variables of a mutation, because nothing else may be as large.
    let start = "{\"query\":\"mutation($b: ID!, $m: [MemberInput!]!) { bulkUpsertMembers(input: \
        {memberbaseId: $b, members: $m}) { memberIds } }\",\"variables\":{\"m\":\"";
    let body: Arc<str> = (start.to_owned() + &"x".repeat(size(4, 64) << 20)).into();
    swarm.add("large body without an end", count((1, 3)), move |source, client| {
        let head = clients[client % clients.len()].head("/graphql", "Content-Length: 200000000\r\n");
        let body = Arc::clone(&body);
        async move {
            let mut stream = source.connect().await?;
            stream.write_all(head.as_bytes()).await.map_err(|error| error.kind().to_string())?;
            trickle(stream, body.as_bytes()).await
        }
    });
}

/// Large responses that are not read, or slowly.
fn add_responses(swarm: &mut Swarm, tenant: &TenantClient) {
    let query = "query($b: ID!) { members(memberbaseId: $b, first: 2500) { nodes { id attributes } } }";
    let body = json!({"query": query, "variables": {"b": tenant.base}}).to_string();
    let request: Arc<str> = tenant.reader.request("/graphql", &body).into();
    swarm.add("unread response", count(READERS), {
        let request = Arc::clone(&request);
        move |source, _| {
            let request = Arc::clone(&request);
            async move {
                let mut stream = source.connect_with_buffer(Some(RECEIVE_BUFFER_BYTES)).await?;
                stream.write_all(request.as_bytes()).await.map_err(|error| error.kind().to_string())?;
                sleep(UNREAD).await;
                Ok("abandoned".to_owned())
            }
        }
    });
    swarm.add("response that is read slowly", count(READERS), move |source, _| {
        let request = Arc::clone(&request);
        async move {
            let mut stream = source.connect().await?;
            stream.write_all(request.as_bytes()).await.map_err(|error| error.kind().to_string())?;
            read_slowly(stream).await
        }
    });
}

async fn read_slowly(mut stream: TcpStream) -> Result<String, String> {
    let (begun, mut buffer) = (Instant::now(), vec![0; SLOW_READ_BYTES]);
    while begun.elapsed() < SLOW_READ {
        sleep(Duration::from_secs(1)).await;
        match stream.read_exact(&mut buffer).await {
            Ok(_) => {}
            Err(error) => return Err(format!("read to the end, or {}", error.kind())),
        }
    }
    Ok("abandoned".to_owned())
}

/// Returns a subscription that selects the ids of each event again and again.
fn subscription(reader: &Client, base: &str) -> String {
    let list = aliased(ALIASES, "updatedMemberIds");
    let query = format!("subscription($b: ID!) {{ memberbaseChanged(memberbaseId: $b) {{ {list} }} }}");
    let body = json!({"query": query, "variables": {"b": base}}).to_string();
    reader.request("/graphql", &body).replacen("\r\n", "\r\nAccept: text/event-stream\r\n", 1)
}
