//! Settings of subscriptions.

use clap::{Args, builder::RangedU64ValueParser};

use super::{Bytes, Span, at_least_one};
use crate::types::LiveLimits;

/// Limits of subscriptions and of the connections that carry them.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Subscriptions")]
pub(crate) struct Live {
    /// Maximum number of concurrent connections for subscriptions (WebSockets and event streams together), up to
    /// 1,000,000
    #[arg(long, env = "MEMBERBASE_MAX_LIVE_CONNECTIONS", default_value_t = LiveLimits::default().connections)]
    #[arg(value_name = "NUMBER", value_parser = RangedU64ValueParser::<usize>::new().range(0..=1_000_000))]
    pub(crate) max_live_connections: usize,

    /// Maximum number of concurrent connections for subscriptions per token, at least 1
    #[arg(long, env = "MEMBERBASE_MAX_LIVE_CONNECTIONS_PER_TOKEN")]
    #[arg(default_value_t = LiveLimits::default().connections_per_token)]
    #[arg(value_name = "NUMBER", value_parser = at_least_one())]
    pub(crate) max_live_connections_per_token: usize,

    /// Maximum number of concurrent operations per WebSocket, up to 10,000
    #[arg(long, env = "MEMBERBASE_MAX_SUBSCRIPTIONS", default_value_t = LiveLimits::default().subscriptions)]
    #[arg(value_name = "NUMBER", value_parser = RangedU64ValueParser::<usize>::new().range(1..=10_000))]
    pub(crate) max_subscriptions: usize,

    /// Maximum size of a WebSocket message from a client
    #[arg(long, env = "MEMBERBASE_MAX_LIVE_MESSAGE", value_name = "SIZE")]
    #[arg(default_value_t = Bytes(LiveLimits::default().message))]
    pub(crate) max_live_message: Bytes,

    /// Maximum time until a WebSocket has sent connection_init, 1ms to 24h
    #[arg(long, env = "MEMBERBASE_LIVE_INIT_TIMEOUT", value_name = "TIME")]
    #[arg(default_value_t = Span(LiveLimits::default().init))]
    pub(crate) live_init_timeout: Span,

    /// Idle time before the server sends a ping or a comment on a connection, and the time that the client has to
    /// respond, 1ms to 24h
    #[arg(long, env = "MEMBERBASE_LIVE_KEEP_ALIVE", value_name = "TIME")]
    #[arg(default_value_t = Span(LiveLimits::default().keep_alive))]
    pub(crate) live_keep_alive: Span,

    /// Maximum number of events per memberbase that are buffered for slow subscribers, up to 65,536
    #[arg(long, env = "MEMBERBASE_LIVE_BUFFER", default_value_t = LiveLimits::default().buffer)]
    #[arg(value_name = "NUMBER", value_parser = RangedU64ValueParser::<usize>::new().range(1..=65_536))]
    pub(crate) live_buffer: usize,
}

impl Live {
    pub(super) fn limits(&self) -> LiveLimits {
        LiveLimits {
            connections: self.max_live_connections,
            connections_per_token: self.max_live_connections_per_token,
            subscriptions: self.max_subscriptions,
            message: self.max_live_message.0,
            init: self.live_init_timeout.0,
            keep_alive: self.live_keep_alive.0,
            buffer: self.live_buffer,
        }
    }
}
