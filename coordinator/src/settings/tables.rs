//! The tables of `interlock.toml`.

use std::net::{Ipv4Addr, SocketAddr};
use std::num::NonZeroU32;

use interlock_domain::ids::TenantId;
use secrecy::SecretString;
use serde::Deserialize;

/// The events per second of one tenant where nothing is set: several times what one Temporal namespace takes.
const EVENTS_PER_SECOND_MAX: NonZeroU32 = NonZeroU32::new(5_000).expect("a constant that is not 0");

/// `[log]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LogSettings {
    /// A level, or a filter as `tracing-subscriber` reads it.
    pub level: String,
    /// How a record is written.
    pub format: LogFormat,
}

impl Default for LogSettings {
    fn default() -> Self {
        Self { level: "info".to_owned(), format: LogFormat::Text }
    }
}

/// How a log record is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// For a person.
    #[default]
    Text,
    /// One JSON object per line.
    Json,
}

/// `[gateway]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GatewaySettings {
    /// Where it listens.
    pub listen: SocketAddr,
    /// Events that one tenant may send in a second, as an average and at once. More are answered 429.
    pub events_per_second_max: NonZeroU32,
    /// Who may call. Without any the gateway serves loopback only, and everybody there may do everything.
    pub tokens: Vec<GatewayToken>,
}

impl Default for GatewaySettings {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8088)),
            events_per_second_max: EVENTS_PER_SECOND_MAX,
            tokens: Vec::new(),
        }
    }
}

/// `[[gateway.tokens]]`: a bearer token, and what its bearer may do.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GatewayToken {
    /// The token as it stands in the header `Authorization: Bearer …`.
    pub token: SecretString,
    /// What its bearer may do.
    pub role: GatewayRole,
    /// For which tenants.
    pub tenants: Vec<TenantId>,
}

/// What the bearer of a token may do. Each role may do what those before it may not: they are not ranked, except that
/// `operate` includes `read`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GatewayRole {
    /// Send events.
    Submit,
    /// Look at customers, resources and orders.
    Read,
    /// Act on orders, resources and targets, and look at them.
    Operate,
}
