//! The addresses of clients, and the number of connections of each.

use std::{
    collections::{HashMap, hash_map::Entry},
    net::{IpAddr, Ipv6Addr, SocketAddr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use axum::http::HeaderMap;
use ipnet::IpNet;

/// Leading bits of an IPv6 address that identify a client: providers assign at least a /64.
const IPV6_CLIENT_BITS: u32 = 64;

/// Appended by each proxy with the address from which it received the request.
const FORWARDED_FOR: &str = "x-forwarded-for";

/// Counts connections by client address.
#[derive(Debug)]
pub(super) struct ClientAddresses {
    max: usize,
    trusted_proxies: Vec<IpNet>,
    counts: Mutex<HashMap<IpAddr, usize>>,
}

/// A connection, or a request of a proxy, that counts for its client's address until it is dropped.
#[derive(Debug)]
pub(super) struct CountedAddress {
    addresses: Arc<ClientAddresses>,
    client: IpAddr,
}

impl ClientAddresses {
    pub(super) fn new(max: usize, trusted_proxies: Vec<IpNet>) -> Arc<Self> {
        Arc::new(Self { max, trusted_proxies, counts: Mutex::default() })
    }

    pub(super) fn is_trusted_proxy(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.trusted_proxies.iter().any(|network| network.contains(&address))
    }

    /// Returns the client of a trusted proxy's request: the last address that is not that of a trusted proxy. Everything
    /// before it was sent by the client, which can claim any address. `None` if the proxy does not report one.
    pub(super) fn forwarded_client(&self, headers: &HeaderMap) -> Option<IpAddr> {
        for value in headers.get_all(FORWARDED_FOR).iter().rev() {
            for item in value.to_str().ok()?.rsplit(',') {
                let address = parse(item.trim())?;
                if !self.is_trusted_proxy(address) {
                    return Some(address);
                }
            }
        }
        None
    }

    /// Counts a connection, or returns the error message of a client that has its maximum.
    pub(super) fn count(self: &Arc<Self>, address: IpAddr) -> Result<CountedAddress, String> {
        let client = client(address);
        let mut counts = self.lock();
        let count = counts.entry(client).or_insert(0);
        if *count >= self.max {
            let Self { max, .. } = **self;
            return Err(format!(
                "this client address has its maximum of {max} connections (MEMBERBASE_MAX_CONNECTIONS_PER_ADDRESS)"
            ));
        }
        *count += 1;
        Ok(CountedAddress { addresses: Arc::clone(self), client })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for CountedAddress {
    fn drop(&mut self) {
        if let Entry::Occupied(mut count) = self.addresses.lock().entry(self.client) {
            *count.get_mut() -= 1;
            if *count.get() == 0 {
                count.remove();
            }
        }
    }
}

/// Parses an address; some proxies add the port.
fn parse(text: &str) -> Option<IpAddr> {
    text.parse().ok().or_else(|| text.parse::<SocketAddr>().ok().map(|address| address.ip()))
}

/// Returns the address by which a client is counted.
fn client(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let network = address.to_bits() & (u128::MAX << (Ipv6Addr::BITS - IPV6_CLIENT_BITS));
            Ipv6Addr::from_bits(network).into()
        }
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(max: usize) -> Arc<ClientAddresses> {
        let proxies = ["10.0.0.0/8", "::1/128"].map(|network| network.parse().expect("a network"));
        ClientAddresses::new(max, proxies.to_vec())
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn client_is_the_last_address_that_is_no_trusted_proxy() {
        for (values, client) in [
            (&["192.0.2.7"][..], Some("192.0.2.7")),
            (&["203.0.113.1, 192.0.2.7"], Some("192.0.2.7")),
            (&["203.0.113.1,192.0.2.7 , 10.1.2.3"], Some("192.0.2.7")),
            (&["203.0.113.1", "192.0.2.7", "10.1.2.3, ::1"], Some("192.0.2.7")),
            (&["nonsense, 192.0.2.7:4711"], Some("192.0.2.7")),
            (&["[2001:db8::1]:4711, ::ffff:10.0.0.1"], Some("2001:db8::1")),
            (&["192.0.2.7, unknown"], None),
            (&["10.0.0.1"], None),
            (&[""], None),
            (&[], None),
        ] {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(FORWARDED_FOR, value.parse().expect("a header's value"));
            }
            assert_eq!(addresses(1).forwarded_client(&headers), client.map(ip), "{values:?}");
        }
    }

    #[test]
    fn proxy_is_trusted_by_its_network() {
        let addresses = addresses(1);
        assert!(["10.9.8.7", "::ffff:10.9.8.7", "::1"].iter().all(|text| addresses.is_trusted_proxy(ip(text))));
        assert!(!["11.0.0.1", "::2"].iter().any(|text| addresses.is_trusted_proxy(ip(text))));
    }

    #[test]
    fn connections_are_counted_by_client() {
        let addresses = addresses(1);
        let first = addresses.count(ip("192.0.2.7")).expect("the first");
        assert!(addresses.count(ip("::ffff:192.0.2.7")).is_err(), "the same client");
        let _other = addresses.count(ip("192.0.2.8")).expect("another client");
        drop(first);
        let _again = addresses.count(ip("192.0.2.7")).expect("it has no connection any more");
        let _six = addresses.count(ip("2001:db8::1")).expect("the first");
        assert!(addresses.count(ip("2001:db8::ffff:2")).is_err(), "the same network");
        assert!(addresses.count(ip("2001:db8:0:1::1")).is_ok(), "another network");
        assert_eq!(addresses.lock().len(), 3);
    }
}
