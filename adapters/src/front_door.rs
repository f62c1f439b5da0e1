//! Checks every HTTP request before anything else: which host it is for, which web page sent it, and that no important header comes
//! twice. So a web page that a person visits can neither act on a service of this machine nor read from it, even if the page's own name
//! is made to point here (DNS rebinding).

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use http::header::{HOST, ORIGIN};
use http::uri::Authority;
use http::{HeaderMap, Request, StatusCode, Version};
use interlock_domain::error_code::ErrorCode;
use thiserror::Error;
use url::Url;

/// Headers that must not come twice, since two readers of the request could see different values. `ce-*` headers must not, either.
const ONCE: [&str; 6] = ["host", "origin", "authorization", "content-type", "content-encoding", "idempotency-key"];

/// The hosts and web pages that a service accepts.
#[derive(Debug, Clone, Default)]
pub struct FrontDoor {
    hosts: Vec<String>,
    origins: Vec<String>,
    any_host: bool,
    plain_names: bool,
    page_check: Option<PageCheck>,
}

/// Decides whether pages of an origin may call, for origins that are not known from the start.
#[derive(Clone)]
pub struct PageCheck(Arc<dyn Fn(&str) -> bool + Send + Sync>);

impl PageCheck {
    /// The origins that this function accepts.
    pub fn new(may_call: impl Fn(&str) -> bool + Send + Sync + 'static) -> Self {
        Self(Arc::new(may_call))
    }
}

impl fmt::Debug for PageCheck {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("PageCheck")
    }
}

/// Why a request is rejected.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TurnedAway {
    /// The header `Host` is missing or is not a host.
    #[error("the header 'Host' is missing or invalid")]
    HostMissing,
    /// The service does not have this host name.
    #[error("this service does not serve the host '{0}'")]
    HostForbidden(String),
    /// The web page is not allowed.
    #[error("calls from a web page of another origin are not allowed")]
    OriginForbidden,
    /// A header comes twice.
    #[error("the header '{0}' is repeated")]
    HeaderTwice(String),
}

impl TurnedAway {
    /// Its stable code.
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::HostMissing => ErrorCode::HostMissing,
            Self::HostForbidden(_) => ErrorCode::HostForbidden,
            Self::OriginForbidden => ErrorCode::OriginForbidden,
            Self::HeaderTwice(_) => ErrorCode::RepeatedHeader,
        }
    }

    /// The status of the answer: 400 if the request is malformed, otherwise 403.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::HostMissing | Self::HeaderTwice(_) => StatusCode::BAD_REQUEST,
            Self::HostForbidden(_) | Self::OriginForbidden => StatusCode::FORBIDDEN,
        }
    }
}

impl FrontDoor {
    /// The rules of a service that listens on this address. It has its addresses and the name `localhost`. If other machines can reach
    /// it, it also has every name without a dot, which containers use: no web page has such a name.
    pub fn of_listener(listen: SocketAddr) -> Self {
        Self { plain_names: !listen.ip().is_loopback(), ..Self::default() }
    }

    /// The same, with these additional names. A name that begins with a dot matches all names below it.
    #[must_use]
    pub fn with_hosts<'a>(mut self, hosts: impl IntoIterator<Item = &'a str>) -> Self {
        self.hosts.extend(hosts.into_iter().map(normal));
        self
    }

    /// The same, with web pages of these origins allowed: `https://console.example`.
    #[must_use]
    pub fn with_origins<'a>(mut self, origins: impl IntoIterator<Item = &'a str>) -> Self {
        self.origins.extend(origins.into_iter().map(str::to_owned));
        self
    }

    /// The same, with the web pages allowed that this function accepts.
    #[must_use]
    pub fn with_page_check(self, page_check: PageCheck) -> Self {
        Self { page_check: Some(page_check), ..self }
    }

    /// The same, with any host name unless names are set: for a service that requires a token, which no web page has.
    #[must_use]
    pub fn with_any_host_unless_named(mut self) -> Self {
        self.any_host = self.hosts.is_empty();
        self
    }

    /// Checks the head of a request.
    ///
    /// # Errors
    /// [`TurnedAway`].
    pub fn check<B>(&self, request: &Request<B>) -> Result<(), TurnedAway> {
        let headers = request.headers();
        if let Some(twice) = header_twice(headers) {
            return Err(TurnedAway::HeaderTwice(twice.to_owned()));
        }
        let named = match headers.get(HOST) {
            Some(host) => Some(host.to_str().ok().and_then(authority).ok_or(TurnedAway::HostMissing)?),
            // Browsers always send it. HTTP/1.0, which old probes use, does not have it.
            None if request.version() == Version::HTTP_10 => None,
            None => return Err(TurnedAway::HostMissing),
        };
        for authority in named.iter().chain(request.uri().authority()) {
            if !self.is_own(authority.host()) {
                return Err(TurnedAway::HostForbidden(authority.host().to_owned()));
            }
        }
        match headers.get(ORIGIN) {
            Some(origin) if !origin.to_str().is_ok_and(|origin| self.may_call(origin, named.as_ref())) => {
                Err(TurnedAway::OriginForbidden)
            }
            _ => Ok(()),
        }
    }

    /// Whether the service has this name. Addresses are always accepted: only a name can be made to point here.
    fn is_own(&self, host: &str) -> bool {
        let host = normal(host);
        let is_address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>().is_ok();
        let is_named = |name: &String| match name.strip_prefix('.') {
            Some(_) => host.ends_with(name.as_str()) && host.len() > name.len(),
            None => host == *name,
        };
        self.any_host
            || is_address
            || host == "localhost"
            || (self.plain_names && !host.is_empty() && !host.contains('.'))
            || self.hosts.iter().any(is_named)
    }

    /// Whether web pages of an origin may call: those that are allowed, and the service's own.
    fn may_call(&self, origin: &str, host: Option<&Authority>) -> bool {
        let is_checked = self.page_check.as_ref().is_some_and(|PageCheck(may_call)| may_call(origin));
        if is_checked || self.origins.iter().any(|allowed| allowed == origin) {
            return true;
        }
        let (Ok(page), Some(host)) = (Url::parse(origin), host) else { return false };
        // A proxy may terminate TLS and omit the port.
        let is_same_port = host.port_u16() == page.port() || host.port_u16() == page.port_or_known_default();
        page.origin().is_tuple()
            && page.host_str().is_some_and(|name| normal(name) == normal(host.host()))
            && is_same_port
    }
}

fn normal(host: &str) -> String {
    host.trim_end_matches('.').to_ascii_lowercase()
}

/// The value of a header `Host`. `None` if it is not exactly a host and a port.
fn authority(value: &str) -> Option<Authority> {
    let authority: Authority = value.parse().ok()?;
    let is_plain = !value.contains('@') && !authority.host().is_empty();
    is_plain.then_some(authority)
}

/// The first header that comes twice although it must not.
fn header_twice(headers: &HeaderMap) -> Option<&str> {
    let once = |name: &&str| ONCE.contains(name) || name.starts_with("ce-");
    headers.keys().map(http::HeaderName::as_str).filter(once).find(|name| headers.get_all(*name).iter().count() > 1)
}

/// The media type of a request, in lower case and without parameters. `None` if the request has none.
pub fn media_type(headers: &HeaderMap) -> Option<String> {
    let value = String::from_utf8_lossy(headers.get(http::header::CONTENT_TYPE)?.as_bytes()).to_ascii_lowercase();
    Some(value.split(';').next().unwrap_or_default().trim().to_owned())
}

/// Whether a media type is JSON or based on JSON (RFC 6839).
pub fn is_json(media_type: &str) -> bool {
    media_type == "application/json" || (media_type.starts_with("application/") && media_type.ends_with("+json"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn on(listen: &str) -> FrontDoor {
        FrontDoor::of_listener(listen.parse().unwrap())
    }

    fn request(headers: &[(&str, &str)]) -> Request<()> {
        let builder = Request::builder().uri("/v1/targets");
        headers.iter().fold(builder, |builder, (name, value)| builder.header(*name, *value)).body(()).unwrap()
    }

    fn code(door: &FrontDoor, headers: &[(&str, &str)]) -> Option<ErrorCode> {
        door.check(&request(headers)).err().map(|turned| turned.code())
    }

    #[test]
    fn a_service_of_this_machine_has_its_addresses_and_localhost_and_no_other_name() {
        let door = on("127.0.0.1:8088");
        for host in ["127.0.0.1:8088", "localhost:8088", "LOCALHOST.", "[::1]:8088", "10.1.2.3:8088"] {
            assert_eq!(code(&door, &[("host", host)]), None, "{host}");
        }
        for host in [
            "evil.example",
            "evil.example:8088",
            "127.0.0.1.evil.example",
            "localhost.evil.example",
            "gateway",
            "2130706433",
        ] {
            assert_eq!(code(&door, &[("host", host)]), Some(ErrorCode::HostForbidden), "{host}");
        }
        for host in ["", "a b", "localhost@evil.example", ":8088"] {
            assert_eq!(code(&door, &[("host", host)]), Some(ErrorCode::HostMissing), "{host}");
        }
        assert_eq!(code(&door, &[]), Some(ErrorCode::HostMissing));
    }

    #[test]
    fn a_request_target_in_absolute_form_does_not_bypass_the_host_check() {
        let mut request = request(&[("host", "localhost")]);
        *request.uri_mut() = "http://evil.example/v1/targets".parse().unwrap();
        assert_eq!(on("127.0.0.1:1").check(&request).unwrap_err().code(), ErrorCode::HostForbidden);
    }

    #[test]
    fn further_names_are_settings_and_plain_ones_are_for_services_that_others_reach() {
        let open = on("0.0.0.0:8088");
        assert_eq!(code(&open, &[("host", "sandbox-hss:8080")]), None);
        assert_eq!(code(&open, &[("host", "gateway.example")]), Some(ErrorCode::HostForbidden));
        let named = open.with_hosts(["gateway.example", ".svc.cluster.local"]);
        assert_eq!(code(&named, &[("host", "Gateway.Example")]), None);
        assert_eq!(code(&named, &[("host", "interlock.ns.svc.cluster.local")]), None);
        assert_eq!(code(&named, &[("host", "svc.cluster.local")]), Some(ErrorCode::HostForbidden));
        let lenient = on("0.0.0.0:8088").with_any_host_unless_named();
        assert_eq!(code(&lenient, &[("host", "gateway.example")]), None);
        let strict = on("0.0.0.0:8088").with_hosts(["gateway.example"]).with_any_host_unless_named();
        assert_eq!(code(&strict, &[("host", "evil.example")]), Some(ErrorCode::HostForbidden));
    }

    #[test]
    fn only_its_own_pages_and_allowed_ones_may_call() {
        let door = on("127.0.0.1:8088").with_origins(["https://console.example"]);
        let from = |origin: &str| code(&door, &[("host", "localhost:8088"), ("origin", origin)]);
        assert_eq!(from("http://localhost:8088"), None);
        assert_eq!(from("https://console.example"), None);
        for origin in [
            "http://evil.example",
            "null",
            "http://localhost:3000",
            "http://localhost",
            "https://console.example.evil",
            "",
        ] {
            assert_eq!(from(origin), Some(ErrorCode::OriginForbidden), "{origin}");
        }
        let behind_proxy = on("0.0.0.0:8088").with_hosts(["console.example"]);
        let same = [("host", "console.example"), ("origin", "https://console.example")];
        assert_eq!(code(&behind_proxy, &same), None);
    }

    #[test]
    fn a_repeated_important_header_is_rejected() {
        let door = on("127.0.0.1:8088");
        for name in ["host", "authorization", "content-type", "origin", "ce-id", "ce-type"] {
            let twice = [("host", "localhost"), (name, "localhost"), (name, "localhost")];
            assert_eq!(code(&door, &twice), Some(ErrorCode::RepeatedHeader), "{name}");
        }
        assert_eq!(code(&door, &[("host", "localhost"), ("accept", "a"), ("accept", "b")]), None);
    }

    #[test]
    fn json_is_distinguished_from_the_media_types_that_a_form_can_send() {
        let json =
            |value: &str| media_type(request(&[("content-type", value)]).headers()).is_some_and(|it| is_json(&it));
        for good in ["application/json", "Application/JSON; charset=utf-8", "application/cloudevents+json"] {
            assert!(json(good), "{good}");
        }
        for bad in
            ["text/plain", "text/plain; application/json", "application/x-www-form-urlencoded", "", "text/x+json"]
        {
            assert!(!json(bad), "{bad}");
        }
    }
}
