//! Which addresses a receiver may have whose URL came from a tenant, and not from the settings: none at which it would reach services of
//! the operator that trust their callers, such as a cloud's metadata service.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use ipnet::IpNet;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use url::{Host, Url};

/// The addresses that receivers may have: public ones, and those that the settings allow.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AddressRule {
    allowed: Vec<IpNet>,
}

impl AddressRule {
    /// Public addresses, and those in these networks.
    pub fn new(allowed: Vec<IpNet>) -> Self {
        Self { allowed }
    }

    /// Whether a receiver may have this address.
    pub fn allows(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.allowed.iter().any(|network| network.contains(&address)) || is_public(address)
    }

    /// Whether a receiver may have this URL, as far as it can be told without asking for the address of a name.
    pub fn allows_url(&self, url: &Url) -> bool {
        match url.host() {
            Some(Host::Ipv4(address)) => self.allows(address.into()),
            Some(Host::Ipv6(address)) => self.allows(address.into()),
            Some(Host::Domain(_)) => true,
            None => false,
        }
    }

    /// Whether a receiver may have this URL, given the addresses that its name has now. A name without an address is allowed: it may get
    /// one.
    pub async fn allows_now(&self, url: &Url) -> bool {
        let Some(Host::Domain(name)) = url.host() else { return self.allows_url(url) };
        let Ok(mut found) = tokio::net::lookup_host((name, 0)).await else { return true };
        found.any(|found| self.allows(found.ip()))
    }

    /// A resolver that finds only addresses that are allowed. So a name cannot change its address after it was checked.
    pub(crate) fn resolver(&self) -> Arc<dyn Resolve> {
        Arc::new(Resolver(self.clone()))
    }
}

/// Whether an address is on the public internet.
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let is_special = address.is_unspecified()
        || address.is_loopback()
        || address.is_private()
        || address.is_link_local()
        || address.is_multicast()
        || address.is_broadcast()
        || address.is_documentation()
        // This network, carriers' shared space, protocol assignments, benchmarks, reserved (RFC 6890, RFC 6598).
        || a == 0
        || (a == 100 && (64..128).contains(&b))
        || (a, b, c) == (192, 0, 0)
        || (a == 198 && (b == 18 || b == 19))
        || a >= 240;
    !is_special
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    // An IPv4 address within: NAT64 (RFC 6052) and 6to4 (RFC 3056).
    let [first, second, third, ..] = address.segments();
    let octets = address.octets();
    let within = match (first, second) {
        (0x64, 0xff9b) => Some([octets[12], octets[13], octets[14], octets[15]]),
        (0x2002, _) => Some([octets[2], octets[3], octets[4], octets[5]]),
        _ => None,
    };
    if let Some(within) = within {
        return is_public_v4(within.into());
    }
    // Only 2000::/3 is assigned for the public internet; of it, 2001:db8::/32 is for documentation.
    first & 0xe000 == 0x2000 && !(first == 0x2001 && (second == 0xdb8 || (second == 0 && third == 0)))
}

struct Resolver(AddressRule);

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let rule = self.0.clone();
        Box::pin(async move {
            let found: Vec<SocketAddr> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            let allowed: Vec<SocketAddr> = found.into_iter().filter(|found| rule.allows(found.ip())).collect();
            if allowed.is_empty() {
                return Err("the name has no address that receivers may have".into());
            }
            Ok(Box::new(allowed.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allows(address: &str) -> bool {
        AddressRule::default().allows(address.parse().unwrap())
    }

    #[test]
    fn a_receiver_is_on_the_public_internet() {
        for public in
            ["8.8.8.8", "100.63.255.255", "100.128.0.0", "172.15.0.1", "172.32.0.1", "2a00:1450::1", "223.255.255.1"]
        {
            assert!(allows(public), "{public}");
        }
        for inner in [
            "127.0.0.1",
            "127.255.255.255",
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "100.127.255.255",
            "192.0.0.1",
            "198.18.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "240.0.0.1",
            "::",
            "::1",
            "fe80::1",
            "fc00::1",
            "fd00:ec2::254",
            "ff02::1",
            "::ffff:127.0.0.1",
            "::ffff:169.254.169.254",
            "64:ff9b::7f00:1",
            "64:ff9b::a9fe:a9fe",
            "2002:7f00:1::",
            "2001:db8::1",
        ] {
            assert!(!allows(inner), "{inner}");
        }
        assert!(allows("64:ff9b::808:808") && allows("2002:808:808::"));
    }

    #[test]
    fn the_settings_may_allow_a_network() {
        let rule = AddressRule::new(vec!["10.1.0.0/16".parse().unwrap(), "127.0.0.1/32".parse().unwrap()]);
        assert!(rule.allows("10.1.2.3".parse().unwrap()) && !rule.allows("10.2.0.1".parse().unwrap()));
        assert!(rule.allows("::ffff:127.0.0.1".parse().unwrap()));
        let url = |url: &str| rule.allows_url(&url.parse().unwrap());
        assert!(url("http://10.1.0.9/hook") && url("http://127.1/hook") && url("https://crm.example/hook"));
        assert!(!url("http://[::1]/hook") && !url("http://0xa9fea9fe/latest/meta-data"));
    }
}
