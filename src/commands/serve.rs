//! `memberbase serve`: starts the server and shuts it down gracefully.

use std::{future::Future, io, net::SocketAddr, path::Path, time::Duration};

use futures_util::future;
use tokio::{
    net::{TcpListener, TcpSocket},
    signal::unix::{SignalKind, signal},
    time::timeout,
};
use tokio_util::sync::CancellationToken;

use super::{Error, app, open_and_migrate, print};
use crate::{
    app::App,
    cli::Serve,
    config,
    domain::api_token::{self, Secret},
    graphql::{self, Api, execute::Trusted},
    http,
};

/// Time for running requests to finish after a stop signal. A shutdown takes at most ten seconds in all, with
/// [`RELAY_TIMEOUT`] and [`CLOSE_TIMEOUT`].
const DRAIN_TIMEOUT: Duration = Duration::from_secs(9);

/// Time for notifying other servers of the last changes.
const RELAY_TIMEOUT: Duration = Duration::from_millis(400);

const CLOSE_TIMEOUT: Duration = Duration::from_millis(500);

/// Descriptors per database connection: on SQLite the file and its `-wal`, and a file for each large sort.
const DESCRIPTORS_PER_DATABASE_CONNECTION: u64 = 4;

/// Descriptors for everything else: the port, rejected connections, logs, and connections that are being closed.
const OTHER_DESCRIPTORS: u64 = 96;

/// Maximum number of connections that wait to be accepted; Linux lowers it to `net.core.somaxconn`. Further attempts are
/// dropped, and repeated by their clients after a second.
const MAX_WAITING_CONNECTIONS: u32 = 4096;

/// Minimum number of client connections.
const MIN_CONNECTIONS: usize = 100;

/// Maximum number of client connections if it is not set, far more than one server can serve.
const MAX_DEFAULT_CONNECTIONS: usize = 100_000;

pub(super) async fn run(settings: Serve) -> Result<(), Error> {
    let Serve { times, request, document, live, memory, .. } = &settings;
    let limits = config::limits(times, request, document, live, memory);
    let (db, migrations) = open_and_migrate(&settings.database, &limits).await?;
    for migration in migrations {
        tracing::info!(migration, "migration applied");
    }
    let app = app(db, limits);
    let api = api(&app, settings.server.trusted_documents.as_deref())?;
    // Signal handlers and the port come before the first token: its secret is printed only once, and would be lost if
    // the port were in use.
    let stop = stop_signal().map_err(Error::Signals)?;
    let address = settings.server.listen;
    let listener = bind(address).map_err(|cause| Error::Listen { address, cause })?;
    let address = listener.local_addr().map_err(|cause| Error::Listen { address, cause })?;
    let connections = connection_options(&settings);
    greet(&app, address, &settings.server).await?;
    listen(app, api, listener, settings.server, connections, stop).await;
    tracing::info!("stopped");
    Ok(())
}

/// Opens the port.
fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // A server that is started again gets the port although connections of the one before are still being closed.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(MAX_WAITING_CONNECTIONS)
}

/// Raises the limit of open descriptors as far as possible, and returns the limits of connections that fit into it.
fn connection_options(settings: &Serve) -> http::ConnectionOptions {
    let Serve { server, connections, database, request, .. } = settings;
    let descriptors = rlimit::increase_nofile_limit(u64::MAX).unwrap_or_else(|cause| {
        tracing::warn!(%cause, "raising the limit of open files failed");
        rlimit::getrlimit(rlimit::Resource::NOFILE).map_or(0, |(soft, _)| soft)
    });
    let available = available_connections(descriptors, database.database_connections, request.max_imports);
    let max = connections.max_connections.unwrap_or(available.min(MAX_DEFAULT_CONNECTIONS));
    let max_per_address = connections.max_connections_per_address.unwrap_or(max / 2);
    tracing::info!(
        descriptors,
        max_connections = max,
        max_connections_per_address = max_per_address,
        "limits of connections"
    );
    if max > available {
        tracing::warn!(
            descriptors,
            max_connections = max,
            "the limit of open files is too low for this number of connections; raise it (ulimit -n)"
        );
    }
    http::ConnectionOptions {
        max,
        max_per_address,
        trusted_proxies: connections.trusted_proxies.clone(),
        max_head: server.max_head.0,
        ..http::ConnectionOptions::default()
    }
}

/// Returns the number of client connections for which there are descriptors.
fn available_connections(descriptors: u64, database_connections: u32, imports: usize) -> usize {
    let reserved = OTHER_DESCRIPTORS
        + u64::from(database_connections) * DESCRIPTORS_PER_DATABASE_CONNECTION
        // Each may have a file of events.
        + imports as u64;
    usize::try_from(descriptors.saturating_sub(reserved)).unwrap_or(usize::MAX).max(MIN_CONNECTIONS)
}

/// Creates the GraphQL API, limited to the trusted documents if there is a manifest. Fails if one of them is invalid.
fn api(app: &App, trusted: Option<&Path>) -> Result<Api, Error> {
    let api = graphql::api(&app.limits);
    let Some(path) = trusted else { return Ok(api) };
    let reject = |cause: String| Error::Refused(format!("the trusted documents {}: {cause}", path.display()));
    let json = std::fs::read_to_string(path).map_err(|error| reject(error.to_string()))?;
    let trusted = Trusted::from_json(&json).map_err(reject)?;
    for text in trusted.texts() {
        api.validate(text).map_err(|error| {
            let start: String = text.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(60).collect();
            reject(format!("{} in {start:?}", error.message()))
        })?;
    }
    Ok(api.trusting(trusted))
}

/// Serves until `stop`, then drains running requests, notifies other servers of the last changes and closes the
/// database.
async fn listen(
    app: App,
    api: Api,
    listener: TcpListener,
    settings: config::Server,
    connections: http::ConnectionOptions,
    stop: impl Future<Output = ()>,
) {
    let config::Server { graphiql, console, cors_origins, compression, .. } = settings;
    let options = http::Options { graphiql, console, cors_origins, compression };
    let service = http::Service::new(app.clone(), api, options);
    let tasks = service.tasks.clone();
    let stopping = service.stopping.clone();
    let inbound = tokio::spawn(app.clone().relay_inbound(stopping.clone()));
    let drained = CancellationToken::new();
    let outbound = tokio::spawn(app.clone().relay_outbound(drained.clone()));
    let serving = http::serve(listener, http::router(service), connections, stopping.clone(), tasks.clone());
    tokio::join!(serving, async {
        stop.await;
        tracing::info!("stopping; another signal ends the process at once");
        stopping.cancel();
    });
    tasks.close();
    if timeout(DRAIN_TIMEOUT, tasks.wait()).await.is_err() {
        tracing::warn!(left = tasks.len(), "some requests did not finish in time");
    }
    // The last writes have ended; the relay can finish.
    drained.cancel();
    if timeout(RELAY_TIMEOUT, future::join(outbound, inbound)).await.is_err() {
        tracing::warn!("other servers were not notified of the last changes in time");
    }
    if timeout(CLOSE_TIMEOUT, app.db.close()).await.is_err() {
        tracing::warn!("the database did not close in time");
    }
}

/// Returns a future that completes with the first SIGTERM or SIGINT. The second signal ends the process at once.
pub(super) fn stop_signal() -> io::Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let stop = CancellationToken::new();
    let stopped = stop.clone().cancelled_owned();
    tokio::spawn(async move {
        let mut next = async || {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
        };
        next().await;
        stop.cancel();
        next().await;
        std::process::exit(1);
    });
    Ok(stopped)
}

/// Prints the URL of the server and, on an empty database, the first token.
async fn greet(app: &App, address: SocketAddr, settings: &config::Server) -> Result<(), Error> {
    let url = url(address);
    if let Some((_, secret)) = api_token::first(app).await? {
        print(welcome(&url, &secret))?;
    }
    print(format_args!("listening on {url}"))?;
    let pages = [(settings.graphiql, "playground", "/"), (settings.console, "console", "/console")];
    let pages: String = pages
        .into_iter()
        .filter(|(is_served, ..)| *is_served)
        .map(|(_, name, path)| format!("; {name} at {url}{path}"))
        .collect();
    tracing::info!(%address, "listening{pages}");
    Ok(())
}

fn welcome(url: &str, secret: &Secret) -> String {
    let secret = secret.expose();
    format!(
        r#"
The database has no API token yet, so a first one was created. It has ADMIN access, and its secret is not shown again:

  {secret}

To create a memberbase with it:

  curl {url}/graphql \
    --header 'Authorization: Bearer {secret}' \
    --header 'Content-Type: application/json' \
    --data '{{"query": "mutation {{ createMemberbase(input: {{name: \"My members\"}}) {{ memberbase {{ id name }} }} }}"}}'
"#
    )
}

/// Returns a URL of the server that works on this machine.
fn url(address: SocketAddr) -> String {
    if address.ip().is_unspecified() {
        format!("http://localhost:{}", address.port())
    } else {
        format!("http://{address}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn default_number_of_connections_leaves_descriptors_for_the_database() {
        assert_eq!(available_connections(1024, 10, 64), 1024 - 96 - 40 - 64);
        assert_eq!(available_connections(64, 10, 64), MIN_CONNECTIONS);
        assert_eq!(available_connections(u64::MAX, 1, 0), usize::MAX - 100);
    }

    #[test]
    fn the_url_works_on_this_machine() {
        for (address, expected) in [
            ("127.0.0.1:8080", "http://127.0.0.1:8080"),
            ("0.0.0.0:80", "http://localhost:80"),
            ("[::]:80", "http://localhost:80"),
            ("[::1]:80", "http://[::1]:80"),
        ] {
            assert_eq!(url(address.parse().expect("an address")), expected);
        }
    }
}
