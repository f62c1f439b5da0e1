//! Whether the connection is encrypted. That it was made proves that both sides accept each other.

use interlock_connection::ConnectionFlags;
use temporalio_client::ConnectionOptions;
use url::Host;

use super::report::{Check, Finding};

/// What the options of the connection say. Nothing if they are invalid, which the connection reports.
pub(super) fn examine(flags: &ConnectionFlags) -> Option<Finding> {
    flags.options().ok().map(|(connection, _)| judged(&connection))
}

fn judged(connection: &ConnectionOptions) -> Finding {
    let Some(tls) = &connection.tls_options else {
        let stays_here = match connection.target.host() {
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            Some(Host::Domain(name)) => name == "localhost",
            None => false,
        };
        return if stays_here {
            Finding::ok(Check::Tls, "There is no TLS, and the connection does not leave this machine.")
        } else {
            Finding::warning(
                Check::Tls,
                format!("The connection to {} is not encrypted.", connection.target),
                "Use TLS (--tls, TEMPORAL_TLS, or a profile), unless something else encrypts the connection.",
            )
        };
    };
    let client = if tls.client_tls_options.is_some() { "a client certificate" } else { "no client certificate" };
    let server = if tls.server_root_ca_cert.is_some() { "the named CA" } else { "the CAs of this machine" };
    Finding::ok(Check::Tls, format!("The connection uses TLS with {client}, and trusts {server}."))
}

#[cfg(test)]
mod tests {
    use super::super::report::Level;
    use super::*;

    fn level(flags: &ConnectionFlags) -> Level {
        examine(&ConnectionFlags { own_server: true, ..flags.clone() }).unwrap().level
    }

    #[test]
    fn only_a_connection_that_leaves_the_machine_without_tls_is_warned_of() {
        let to = |address: &str, tls: Option<bool>| ConnectionFlags {
            address: Some(address.to_owned()),
            tls,
            ..ConnectionFlags::default()
        };
        for here in ["127.0.0.1:7233", "localhost:7233", "[::1]:7233"] {
            assert_eq!(level(&to(here, None)), Level::Ok, "{here}");
        }
        assert_eq!(level(&to("temporal.example:7233", None)), Level::Warning);
        assert_eq!(level(&to("temporal.example:7233", Some(true))), Level::Ok);
    }
}
