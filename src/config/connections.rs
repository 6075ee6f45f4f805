//! Settings of client connections.

use std::net::IpAddr;

use clap::{Args, builder::RangedU64ValueParser};
use ipnet::IpNet;

use super::at_least_one;

/// Limits of client connections.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Connections")]
pub(crate) struct Connections {
    /// Maximum number of open client connections, 100 to 1,000,000; at most a tenth of them, and at most 1,000, may be without a token. By
    /// default as many as the limit of open files (ulimit -n) allows
    #[arg(long, env = "MEMBERBASE_MAX_CONNECTIONS", value_name = "NUMBER")]
    #[arg(value_parser = RangedU64ValueParser::<usize>::new().range(100..=1_000_000))]
    pub(crate) max_connections: Option<usize>,

    /// Maximum number of open connections per client address, at least 1; by default half of all connections. Behind
    /// trusted proxies it limits the concurrent requests and WebSockets of a client; an IPv6 client is a /64 network
    #[arg(long, env = "MEMBERBASE_MAX_CONNECTIONS_PER_ADDRESS", value_name = "NUMBER", value_parser = at_least_one())]
    pub(crate) max_connections_per_address: Option<usize>,

    /// Comma-separated addresses or networks of proxies, such as 10.0.0.0/8, whose X-Forwarded-For header is trusted and
    /// whose own connections are not limited per address; none by default
    #[arg(long, env = "MEMBERBASE_TRUSTED_PROXIES", value_name = "NETWORKS", value_delimiter = ',', value_parser = network)]
    pub(crate) trusted_proxies: Vec<IpNet>,
}

/// Parses a network, or a single address.
fn network(text: &str) -> Result<IpNet, &'static str> {
    let text = text.trim();
    let network = text.parse().or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
    network.map_err(|_| "expected an address or a network such as 10.0.0.0/8")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proxy_is_an_address_or_a_network() {
        for (text, network_text) in [
            ("10.0.0.0/8", "10.0.0.0/8"),
            (" 127.0.0.1 ", "127.0.0.1/32"),
            ("2001:db8::/32", "2001:db8::/32"),
            ("::1", "::1/128"),
        ] {
            assert_eq!(network(text), Ok(network_text.parse().expect("a network")), "{text}");
        }
        for text in ["", "10.0.0.0/33", "proxy.example.com", "10.0.0"] {
            assert!(network(text).is_err(), "{text}");
        }
    }
}
