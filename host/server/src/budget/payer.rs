//! Who pays for memory.

use std::net::{IpAddr, Ipv6Addr};

use types::AccountId;

/// Who is charged for what is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Payer {
    /// Whoever says to have this key and calls from this network, as nothing is proven yet.
    Claimed { network: IpAddr, key: u64 },
    /// An account that has signed.
    Account(AccountId),
    /// Whoever may see the metrics of all accounts.
    Operator,
}

/// The part of an address that tells one client from another: all addresses of an IPv6 network of
/// 64 bits are one client's.
pub(crate) fn network_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => {
            let network = address.to_bits() & !u128::from(u64::MAX);
            IpAddr::V6(Ipv6Addr::from_bits(network))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_one_network_are_one_client() {
        let network = |text: &str| network_of(text.parse().unwrap());
        assert_eq!(network("2001:db8::1"), network("2001:db8::ffff:1"));
        assert_ne!(network("2001:db8::1"), network("2001:db8:0:1::1"));
        assert_eq!(network("::ffff:10.0.0.1"), network("10.0.0.1"));
        assert_ne!(network("10.0.0.1"), network("10.0.0.2"));
    }
}
