//! What the server does, in figures for Prometheus. docs/operations.md has a table of them, which a test holds to this.
//!
//! Each label has a closed set of values: a client that could make up values could fill the memory of whoever collects.

mod state;

use std::{collections::HashSet, sync::Arc, time::Duration};

use prometheus_client::{
    encoding::{EncodeLabelSet, prometheus_text},
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram, info::Info},
    registry::{Registry, Unit},
};

use crate::app::App;

/// The media type of [`Metrics::text`].
pub const CONTENT_TYPE: &str = prometheus_text::CONTENT_TYPE;

/// What names no operation that there is.
const OTHER: &str = "other";

/// Bounds of the durations, in seconds: from a page to the largest call.
const BOUNDS: [f64; 17] =
    [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0];

/// Which door a request comes in by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Api {
    /// `/graphql`.
    Graphql,
    /// The plain HTTP face.
    Rpc,
}

/// What carries subscriptions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Transport {
    /// A WebSocket.
    WebSocket,
    /// Server-sent events.
    Events,
}

/// What a request does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Type {
    /// Asks.
    Query,
    /// Changes.
    Mutation,
    /// Listens.
    Subscription,
}

/// The name of an operation that there is, or the one name for all others.
#[derive(Clone, Debug)]
pub struct Operation(Arc<str>);

/// A request that has ended, or whose client has gone.
#[derive(Clone, Debug)]
pub struct Request {
    /// The door.
    pub api: Api,
    /// What it asks for; none where it ended before that was known.
    pub operation: Option<Operation>,
    /// What it does; none where it ended before that was known.
    pub kind: Option<Type>,
    /// `OK`, or the code of its first error: one of a closed set.
    pub code: &'static str,
    /// How long it took.
    pub time: Duration,
}

/// The figures of one server.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    operations: HashSet<Arc<str>>,
    other: Operation,
    in_flight: Family<ByApi, Gauge>,
    live: Family<ByTransport, Gauge>,
    requests: Family<ByCode, Counter>,
    durations: Family<ByType, Histogram, fn() -> Histogram>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByApi {
    api: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByTransport {
    transport: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByType {
    api: &'static str,
    r#type: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByCode {
    api: &'static str,
    operation: Arc<str>,
    r#type: &'static str,
    code: &'static str,
}

impl Metrics {
    /// For a server whose operations have these names.
    pub fn new<'a>(app: &App, operations: impl IntoIterator<Item = &'a str>) -> Self {
        let durations = Family::new_with_constructor((|| Histogram::new(BOUNDS)) as fn() -> Histogram);
        let (in_flight, requests) = (Family::<ByApi, Gauge>::default(), Family::default());
        for api in [Api::Graphql, Api::Rpc] {
            // There from the start: what appears with its first request looks as if it had not been counted before.
            drop(in_flight.get_or_create(&ByApi { api: api.as_str() }));
        }
        let live = Family::<ByTransport, Gauge>::default();
        for transport in [Transport::WebSocket, Transport::Events] {
            drop(live.get_or_create(&ByTransport { transport: transport.as_str() }));
        }
        let mut registry = Registry::default();
        let own = registry.sub_registry_with_prefix("memberbase");
        own.register("build", "The version that runs", Info::new([("version", env!("CARGO_PKG_VERSION"))]));
        own.register("requests", "Requests that have ended", Family::clone(&requests));
        let help = "From the head of a request to its answer";
        own.register_with_unit("request_duration", help, Unit::Seconds, Family::clone(&durations));
        own.register("requests_in_flight", "Requests that have not ended", Family::clone(&in_flight));
        own.register("live_connections", "Connections with subscriptions", Family::clone(&live));
        state::register(&mut registry, app);
        Self {
            registry,
            operations: operations.into_iter().map(Arc::from).collect(),
            other: Operation(OTHER.into()),
            in_flight,
            live,
            requests,
            durations,
        }
    }

    /// The operation of this name, be it one or not.
    pub fn operation(&self, name: &str) -> Operation {
        self.operations.get(name).cloned().map_or_else(|| self.other.clone(), Operation)
    }

    /// A request has come; [`Metrics::end`] is to be told of it.
    pub fn begin(&self, api: Api) {
        self.in_flight.get_or_create(&ByApi { api: api.as_str() }).inc();
    }

    /// A request has ended.
    pub fn end(&self, request: Request) {
        let api = request.api.as_str();
        let r#type = request.kind.map_or(OTHER, Type::as_str);
        let operation = request.operation.unwrap_or_else(|| self.other.clone()).0;
        self.in_flight.get_or_create(&ByApi { api }).dec();
        self.requests.get_or_create(&ByCode { api, operation, r#type, code: request.code }).inc();
        self.durations.get_or_create(&ByType { api, r#type }).observe(request.time.as_secs_f64());
    }

    /// A connection goes on; [`Metrics::disconnected`] is to be told of its end.
    pub fn connected(&self, transport: Transport) {
        self.live.get_or_create(&ByTransport { transport: transport.as_str() }).inc();
    }

    /// Such a connection has ended.
    pub fn disconnected(&self, transport: Transport) {
        self.live.get_or_create(&ByTransport { transport: transport.as_str() }).dec();
    }

    /// All of them, as Prometheus reads them.
    pub fn text(&self) -> String {
        let mut text = String::new();
        prometheus_text::encode(&mut text, &self.registry).expect("memory takes whatever is written");
        text
    }
}

impl Api {
    fn as_str(self) -> &'static str {
        match self {
            Self::Graphql => "graphql",
            Self::Rpc => "rpc",
        }
    }
}

impl Transport {
    fn as_str(self) -> &'static str {
        match self {
            Self::WebSocket => "websocket",
            Self::Events => "sse",
        }
    }
}

impl Type {
    fn as_str(self) -> &'static str {
        match self {
            Self::Query => "query",
            Self::Mutation => "mutation",
            Self::Subscription => "subscription",
        }
    }
}
