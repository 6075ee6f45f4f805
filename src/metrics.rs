//! Prometheus metrics of the server. docs/operations.md has a table of them, and a test compares the two.
//!
//! The values of each label are a closed set: a client that could invent values could exhaust the memory of the
//! collector.

mod state;

use std::{collections::HashSet, sync::Arc, time::Duration};

use prometheus_client::{
    encoding::{EncodeLabelSet, prometheus_text},
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram, info::Info},
    registry::{Registry, Unit},
};

use crate::app::App;

/// The media type of [`Metrics::text`].
pub(crate) const CONTENT_TYPE: &str = prometheus_text::CONTENT_TYPE;

/// The label value of unknown operations and types.
const OTHER: &str = "other";

/// Upper bounds of the histogram's buckets, in seconds: from the time of a page to that of the largest call.
const BUCKET_SECONDS: [f64; 17] =
    [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0];

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Api {
    /// `/graphql`.
    Graphql,
    /// The RPC API (`publisher.v1`).
    Rpc,
    /// `/import`.
    Import,
    /// `/export`.
    Export,
}

/// The transport of a connection for subscriptions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Transport {
    WebSocket,
    /// Server-sent events.
    Events,
}

/// The type of a request's operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Type {
    Query,
    Mutation,
    Subscription,
}

/// The name of a known operation, or `other`.
#[derive(Clone, Debug)]
pub(crate) struct Operation(Arc<str>);

/// A completed request, or one whose client has disconnected.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) api: Api,
    /// The operation; `None` if the request ended before it was known.
    pub(crate) operation: Option<Operation>,
    /// The type of the operation; `None` if the request ended before it was known.
    pub(crate) kind: Option<Type>,
    /// `OK`, or the code of the first error, which is one of a closed set.
    pub(crate) code: &'static str,
    /// The duration from the request's head to its response.
    pub(crate) time: Duration,
}

#[derive(Debug)]
pub(crate) struct Metrics {
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
    /// Returns the metrics of a server that knows operations with these names.
    pub(crate) fn new<'a>(app: &App, operations: impl IntoIterator<Item = &'a str>) -> Self {
        let durations = Family::new_with_constructor((|| Histogram::new(BUCKET_SECONDS)) as fn() -> Histogram);
        let in_flight = Family::<ByApi, Gauge>::default();
        let requests = Family::default();
        for api in [Api::Graphql, Api::Rpc, Api::Import, Api::Export] {
            // Created at the start: a time series that appears with its first request looks as if it had not been
            // counted before.
            drop(in_flight.get_or_create(&ByApi { api: api.as_str() }));
        }
        let live = Family::<ByTransport, Gauge>::default();
        for transport in [Transport::WebSocket, Transport::Events] {
            drop(live.get_or_create(&ByTransport { transport: transport.as_str() }));
        }
        let mut registry = Registry::default();
        let own = registry.sub_registry_with_prefix("memberbase");
        own.register("build", "Version of the server", Info::new([("version", env!("CARGO_PKG_VERSION"))]));
        own.register("requests", "Completed requests", Family::clone(&requests));
        let help = "Time from the head of a request to its response";
        own.register_with_unit("request_duration", help, Unit::Seconds, Family::clone(&durations));
        own.register("requests_in_flight", "Requests in progress", Family::clone(&in_flight));
        own.register("live_connections", "Connections for subscriptions", Family::clone(&live));
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

    /// Returns the operation with this name; `other` if there is none.
    pub(crate) fn operation(&self, name: &str) -> Operation {
        self.operations.get(name).cloned().map_or_else(|| self.other.clone(), Operation)
    }

    /// Records the start of a request. [`Metrics::end`] has to follow.
    pub(crate) fn begin(&self, api: Api) {
        self.in_flight.get_or_create(&ByApi { api: api.as_str() }).inc();
    }

    pub(crate) fn end(&self, request: Request) {
        let api = request.api.as_str();
        let r#type = request.kind.map_or(OTHER, Type::as_str);
        let operation = request.operation.unwrap_or_else(|| self.other.clone()).0;
        self.in_flight.get_or_create(&ByApi { api }).dec();
        self.requests.get_or_create(&ByCode { api, operation, r#type, code: request.code }).inc();
        self.durations.get_or_create(&ByType { api, r#type }).observe(request.time.as_secs_f64());
    }

    /// Records a new connection for subscriptions. [`Metrics::disconnected`] has to follow.
    pub(crate) fn connected(&self, transport: Transport) {
        self.live.get_or_create(&ByTransport { transport: transport.as_str() }).inc();
    }

    pub(crate) fn disconnected(&self, transport: Transport) {
        self.live.get_or_create(&ByTransport { transport: transport.as_str() }).dec();
    }

    /// Returns all metrics in the Prometheus text format.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        prometheus_text::encode(&mut text, &self.registry).expect("writing to a string does not fail");
        text
    }
}

impl Api {
    fn as_str(self) -> &'static str {
        match self {
            Self::Graphql => "graphql",
            Self::Rpc => "rpc",
            Self::Import => "import",
            Self::Export => "export",
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
