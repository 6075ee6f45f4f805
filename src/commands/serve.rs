//! `memberbase serve`: the server, from its first connection to its last.

use std::{future::Future, io, net::SocketAddr, path::Path, time::Duration};

use futures_util::future;
use tokio::{
    net::TcpListener,
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

/// What runs when the server is told to stop has this long to finish; the rest of ten seconds is the database's.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(9);

/// How long the database may take to close, and before that to tell other servers of the last changes.
const CLOSE_TIMEOUT: Duration = Duration::from_millis(500);
const RELAY_TIMEOUT: Duration = Duration::from_millis(400);

pub(super) async fn run(settings: Serve) -> Result<(), Error> {
    let limits = config::limits(&settings.times, &settings.request, &settings.document, &settings.live);
    let (db, migrations) = open_and_migrate(&settings.database, &limits).await?;
    for migration in migrations {
        tracing::info!(migration, "applied a migration");
    }
    let app = app(db, limits);
    let api = api(&app, settings.server.trusted_documents.as_deref())?;
    // Signals are caught and the port is taken before the token is made: a secret is printed once, and is not to be
    // lost to a port in use.
    let stop = stop_signal().map_err(Error::Signals)?;
    let address = settings.server.listen;
    let listener = TcpListener::bind(address).await.map_err(|cause| Error::Listen { address, cause })?;
    let address = listener.local_addr().map_err(|cause| Error::Listen { address, cause })?;
    greet(&app, address, &settings.server).await?;
    listen(app, api, listener, settings.server, stop).await;
    tracing::info!("stopped");
    Ok(())
}

/// The schema, with trusted documents alone where a file holds some. Each of them has to be valid.
fn api(app: &App, trusted: Option<&Path>) -> Result<Api, Error> {
    let api = graphql::api(&app.limits);
    let Some(path) = trusted else { return Ok(api) };
    let refuse = |cause: String| Error::Refused(format!("the trusted documents {}: {cause}", path.display()));
    let json = std::fs::read_to_string(path).map_err(|error| refuse(error.to_string()))?;
    let trusted = Trusted::from_json(&json).map_err(refuse)?;
    for text in trusted.texts() {
        api.validate(text).map_err(|error| {
            let start: String = text.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(60).collect();
            refuse(format!("{} in {start:?}", error.message()))
        })?;
    }
    Ok(api.trusting(trusted))
}

/// Serves until `stop`, and then finishes.
async fn listen(app: App, api: Api, listener: TcpListener, settings: config::Server, stop: impl Future<Output = ()>) {
    let config::Server { graphiql, console, cors_origins, max_head, .. } = settings;
    let options = http::Options { graphiql, console, cors_origins };
    let service = http::Service::new(app.clone(), api, options);
    let (tasks, stopping) = (service.tasks.clone(), service.stopping.clone());
    let heard = tokio::spawn(app.clone().relay_inbound(stopping.clone()));
    let drained = CancellationToken::new();
    let told = tokio::spawn(app.clone().relay_outbound(drained.clone()));
    let serving = http::serve(listener, http::router(service), max_head.0, stopping.clone(), tasks.clone());
    tokio::join!(serving, async {
        stop.await;
        tracing::info!("stopping; another signal ends it at once");
        stopping.cancel();
    });
    tasks.close();
    if timeout(DRAIN_TIMEOUT, tasks.wait()).await.is_err() {
        tracing::warn!(left = tasks.len(), "some requests did not finish in time");
    }
    // What the last writes did is still to be told.
    drained.cancel();
    if timeout(RELAY_TIMEOUT, future::join(told, heard)).await.is_err() {
        tracing::warn!("other servers were not told of the last changes in time");
    }
    if timeout(CLOSE_TIMEOUT, app.db.close()).await.is_err() {
        tracing::warn!("the database did not close in time");
    }
}

/// Ends with the first SIGTERM or SIGINT. From then on the next one ends the process.
pub(super) fn stop_signal() -> io::Result<impl Future<Output = ()>> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
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

/// Says where the server is, and gives the first token to whoever started it.
async fn greet(app: &App, address: SocketAddr, settings: &config::Server) -> Result<(), Error> {
    let url = url(address);
    if let Some((_, secret)) = api_token::first(app).await? {
        print(welcome(&url, &secret))?;
    }
    print(format_args!("listening on {url}"))?;
    let pages = [(settings.graphiql, "try queries", "/"), (settings.console, "work on members", "/console")];
    let pages: String = pages
        .into_iter()
        .filter(|(is_served, ..)| *is_served)
        .map(|(_, what, path)| format!("; {what} at {url}{path}"))
        .collect();
    tracing::info!(%address, "listening{pages}");
    Ok(())
}

fn welcome(url: &str, secret: &Secret) -> String {
    let secret = secret.expose();
    format!(
        r#"
The database has no API token yet. This is the first one. It may do everything, and it is not shown again:

  {secret}

Create a memberbase with it:

  curl {url}/graphql \
    --header 'Authorization: Bearer {secret}' \
    --header 'Content-Type: application/json' \
    --data '{{"query": "mutation {{ createMemberbase(input: {{name: \"My members\"}}) {{ memberbase {{ id name }} }} }}"}}'
"#
    )
}

/// Where the server can be reached from this machine.
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
    fn the_url_can_be_opened() {
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
