//! The tables of `interlock.toml`.

use std::net::{Ipv4Addr, SocketAddr};
use std::num::NonZeroU32;
use std::time::Duration;

use interlock_adapters::Secret;
use interlock_domain::ids::{RealmId, TargetId, TenantId};
use serde::{Deserialize, Serialize};
use url::Url;

use super::http::TlsSettings;

/// The events per second of one tenant where nothing is set: several times what one Temporal namespace takes.
const EVENTS_PER_SECOND_MAX: NonZeroU32 = NonZeroU32::new(5_000).expect("a constant that is not 0");
/// The events of one call where nothing is set: with events of usual size what a body may have.
const BATCH_EVENTS_MAX: NonZeroU32 = NonZeroU32::new(1_000).expect("a constant that is not 0");
/// The calls of one token at a time where nothing is set: half of what one address may have.
const CALLS_PER_TOKEN_MAX: NonZeroU32 = NonZeroU32::new(500).expect("a constant that is not 0");
/// The reads per second of one tenant where nothing is set.
const READS_PER_SECOND_MAX: NonZeroU32 = NonZeroU32::new(1_000).expect("a constant that is not 0");
/// The actions per second of one tenant where nothing is set: a person with a script.
const ACTIONS_PER_SECOND_MAX: NonZeroU32 = NonZeroU32::new(100).expect("a constant that is not 0");
/// The lists per second of all tenants where nothing is set: most of the 100 visibility calls that deploy/temporal allows; the
/// sweep and the autoscaler need some, too.
const LISTS_PER_SECOND_MAX: NonZeroU32 = NonZeroU32::new(80).expect("a constant that is not 0");
/// The lists per second of one tenant where nothing is set.
const LISTS_PER_TENANT_MAX: NonZeroU32 = NonZeroU32::new(40).expect("a constant that is not 0");

/// How long the gateway's open requests may take to end, where nothing is set.
const GATEWAY_DRAIN: Duration = Duration::from_secs(10);

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
    /// For people.
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
    /// Events of one call. More are answered 413.
    pub batch_events_max: NonZeroU32,
    /// Calls that are under way at a time with one token. More are answered 429.
    pub calls_per_token_max: NonZeroU32,
    /// Questions for one tenant in a second, as an average and at once. More are answered 429.
    pub reads_per_second_max: NonZeroU32,
    /// Actions on one tenant's orders and resources in a second, as an average and at once. More are answered 429.
    pub actions_per_second_max: NonZeroU32,
    /// Lists for all tenants together in a second, as an average and at once: each is some calls to Temporal's visibility store.
    pub lists_per_second_max: NonZeroU32,
    /// Each tenant's share of them.
    pub lists_per_tenant_max: NonZeroU32,
    /// How long open requests may take to end when it is stopped.
    #[serde(deserialize_with = "interlock_adapters::duration::deserialize")]
    pub drain: Duration,
    /// Who may call. Without any the gateway serves loopback only, and everybody there may do everything.
    pub tokens: Vec<GatewayToken>,
    /// Certificate and key; without them the gateway speaks HTTP, and whatever stands before it ends TLS.
    pub tls: Option<TlsSettings>,
}

impl Default for GatewaySettings {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8088)),
            events_per_second_max: EVENTS_PER_SECOND_MAX,
            batch_events_max: BATCH_EVENTS_MAX,
            calls_per_token_max: CALLS_PER_TOKEN_MAX,
            reads_per_second_max: READS_PER_SECOND_MAX,
            actions_per_second_max: ACTIONS_PER_SECOND_MAX,
            lists_per_second_max: LISTS_PER_SECOND_MAX,
            lists_per_tenant_max: LISTS_PER_TENANT_MAX,
            drain: GATEWAY_DRAIN,
            tokens: Vec::new(),
            tls: None,
        }
    }
}

/// `[[gateway.tokens]]`: a bearer token, and what its bearer may do.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GatewayToken {
    /// The token as it stands in the header `Authorization: Bearer …`, or where it is.
    pub token: Secret,
    /// Who its bearer is, for the journals: the actor of what is done with it.
    #[serde(default)]
    pub name: Option<String>,
    /// What its bearer may do.
    pub role: GatewayRole,
    /// For which tenants.
    pub tenants: Vec<TenantId>,
    /// The realms over which it has a right: in them its bearer sees what other tenants have, and, with the role `operate`, may force it.
    #[serde(default)]
    pub realms: Vec<RealmId>,
    /// The targets on which its bearer may act although other tenants call them, with the role `operate`; `"*"` for all.
    #[serde(default)]
    pub targets: Vec<TargetRight>,
}

/// A right over a target that tenants share.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum TargetRight {
    /// Over every target.
    All,
    /// Over this one.
    One(TargetId),
}

impl TargetRight {
    /// Whether it is over this target.
    pub fn covers(&self, target: &TargetId) -> bool {
        match self {
            Self::All => true,
            Self::One(one) => one == target,
        }
    }
}

impl TryFrom<String> for TargetRight {
    type Error = <TargetId as std::str::FromStr>::Err;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        if text == "*" { Ok(Self::All) } else { text.parse().map(Self::One) }
    }
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

/// `[sweep]`: how often it is looked at all that waits, and from when on something is worth an alert. Durations are written
/// `30s`, `15m`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct SweepSettings {
    /// The time between two sweeps of a namespace, at least a second.
    #[serde(with = "interlock_adapters::duration")]
    pub interval: Duration,
    /// How long an order may wait for a lease before it is looked whether anybody knows of it.
    #[serde(with = "interlock_adapters::duration")]
    pub patience: Duration,
    /// How long a target may not be called.
    #[serde(with = "interlock_adapters::duration")]
    pub parked_after: Duration,
}

impl Default for SweepSettings {
    fn default() -> Self {
        Self {
            interval: Duration::from_mins(1),
            patience: Duration::from_secs(30),
            parked_after: Duration::from_mins(15),
        }
    }
}

/// `[alerts]`: who is told.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct AlertSettings {
    /// Where each alert is posted, as a CloudEvent in structured JSON; nowhere where nothing is set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub webhook: Option<Url>,
}
