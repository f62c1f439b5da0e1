//! `[http]` and `[gateway.tls]`: the limits and TLS settings of the HTTP services of a process.

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use interlock_adapters::front_door::FrontDoor;
use serde::Deserialize;

/// `[http]`: the same for the gateway, the workers' health and metrics, and the codec server.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HttpSettings {
    /// Host names of the service in addition to its addresses, `localhost` and, if other machines can reach it, names without a dot. A name
    /// that starts with a dot stands for all names below it.
    pub hosts: Vec<String>,
    /// Other origins whose web pages may call, as browsers send them: `https://console.example`.
    pub origins: Vec<String>,
    /// Concurrent connections; the limit on file descriptors may allow fewer.
    pub connections_max: NonZeroUsize,
    /// Concurrent connections from one address.
    pub connections_per_peer_max: NonZeroUsize,
    /// How long a connection may take for the head of a request, its TLS handshake included.
    #[serde(deserialize_with = "interlock_adapters::duration::deserialize")]
    pub header_timeout: Duration,
    /// How long the body of a request may take from its first byte to its last; also how long a caller may read nothing of a response.
    #[serde(deserialize_with = "interlock_adapters::duration::deserialize")]
    pub body_timeout: Duration,
    /// How long a connection may be open without a request.
    #[serde(deserialize_with = "interlock_adapters::duration::deserialize")]
    pub idle_timeout: Duration,
    /// Bytes of request bodies in flight, at least those of one body.
    pub body_bytes_max: NonZeroUsize,
}

impl Default for HttpSettings {
    fn default() -> Self {
        let number = |of: usize| NonZeroUsize::new(of).unwrap_or(NonZeroUsize::MIN);
        Self {
            hosts: Vec::new(),
            origins: Vec::new(),
            connections_max: number(2_000),
            connections_per_peer_max: number(1_000),
            header_timeout: Duration::from_secs(10),
            body_timeout: Duration::from_secs(30),
            idle_timeout: Duration::from_mins(1),
            body_bytes_max: number(64 * 1024 * 1024),
        }
    }
}

impl HttpSettings {
    /// Which hosts and pages a service at this address answers.
    pub fn front_door(&self, listen: SocketAddr) -> FrontDoor {
        let (hosts, origins) = (self.hosts.iter().map(String::as_str), self.origins.iter().map(String::as_str));
        FrontDoor::of_listener(listen).with_hosts(hosts).with_origins(origins)
    }

    /// An invalid setting: its key, and what is wrong with it.
    pub(super) fn fault(&self) -> Option<(&'static str, String)> {
        let of_time = [
            ("header_timeout", self.header_timeout),
            ("body_timeout", self.body_timeout),
            ("idle_timeout", self.idle_timeout),
        ];
        if let Some((key, _)) = of_time.into_iter().find(|(_, time)| time.is_zero()) {
            return Some((key, "is 0; it must be at least 1ms".to_owned()));
        }
        if let Some(wrong) = self.hosts.iter().find(|host| !is_host_name(host)) {
            return Some(("hosts", format!("contains '{wrong}', which is not a host name such as interlock.example")));
        }
        let wrong = self.origins.iter().find(|origin| !is_origin(origin))?;
        Some(("origins", format!("contains '{wrong}', which is not an origin such as https://console.example")))
    }
}

/// A name, without scheme, port and path; it may begin with a dot.
fn is_host_name(text: &str) -> bool {
    let name = text.strip_prefix('.').unwrap_or(text);
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte))
}

/// Scheme, host and port, as browsers send them; without a path, and not `null`.
pub fn is_origin(origin: &str) -> bool {
    url::Url::parse(origin).is_ok_and(|url| url.origin().is_tuple() && url.origin().ascii_serialization() == origin)
}

/// `[gateway.tls]`: certificate and key, both PEM. They are read again when they change.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TlsSettings {
    /// The certificate, and the chain from it to an authority.
    pub certificate: PathBuf,
    /// Its key: PKCS#8, PKCS#1 or SEC1, without a password.
    pub key: PathBuf,
    /// How often the files are checked.
    #[serde(default = "reload_interval", deserialize_with = "interlock_adapters::duration::deserialize")]
    pub reload_interval: Duration,
}

fn reload_interval() -> Duration {
    Duration::from_secs(10)
}
