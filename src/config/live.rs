//! The limits of subscriptions.

use clap::{Args, builder::RangedU64ValueParser};

use super::{Bytes, Span, at_least_one};
use crate::types::LiveLimits;

/// How much may be subscribed to.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Subscriptions")]
pub struct Live {
    /// How many connections carry subscriptions at once, at most: WebSockets and streams of events together
    #[arg(long, env = "MEMBERBASE_MAX_LIVE_CONNECTIONS", default_value_t = LiveLimits::default().connections)]
    #[arg(value_name = "NUMBER", value_parser = RangedU64ValueParser::<usize>::new().range(0..=1_000_000))]
    pub max_live_connections: usize,

    /// How many of them may be of one token, at most
    #[arg(long, env = "MEMBERBASE_MAX_LIVE_CONNECTIONS_PER_TOKEN")]
    #[arg(default_value_t = LiveLimits::default().connections_per_token)]
    #[arg(value_name = "NUMBER", value_parser = at_least_one())]
    pub max_live_connections_per_token: usize,

    /// How many subscriptions a connection has at once, at most
    #[arg(long, env = "MEMBERBASE_MAX_SUBSCRIPTIONS", default_value_t = LiveLimits::default().subscriptions)]
    #[arg(value_name = "NUMBER", value_parser = RangedU64ValueParser::<usize>::new().range(1..=10_000))]
    pub max_subscriptions: usize,

    /// The size of a message that a client sends over a WebSocket, at most
    #[arg(long, env = "MEMBERBASE_MAX_LIVE_MESSAGE", value_name = "SIZE")]
    #[arg(default_value_t = Bytes(LiveLimits::default().message))]
    pub max_live_message: Bytes,

    /// How long a WebSocket may take to say who it is
    #[arg(long, env = "MEMBERBASE_LIVE_INIT_TIMEOUT", value_name = "TIME")]
    #[arg(default_value_t = Span(LiveLimits::default().init))]
    pub live_init_timeout: Span,

    /// How long a connection is silent before it is asked whether it is still there, and how long it has to answer
    #[arg(long, env = "MEMBERBASE_LIVE_KEEP_ALIVE", value_name = "TIME")]
    #[arg(default_value_t = Span(LiveLimits::default().keep_alive))]
    pub live_keep_alive: Span,

    /// How many events of a memberbase are kept for subscribers who are slow, at most
    #[arg(long, env = "MEMBERBASE_LIVE_BUFFER", default_value_t = LiveLimits::default().buffer)]
    #[arg(value_name = "NUMBER", value_parser = RangedU64ValueParser::<usize>::new().range(1..=65_536))]
    pub live_buffer: usize,
}

impl Live {
    /// The limits that the settings make.
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
