//! The tables of `interlock.toml`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;
use std::net::{Ipv4Addr, SocketAddr};
use std::num::NonZeroU32;
use std::time::Duration;

use interlock_adapters::{AddressRule, Secret, receiver_key};
use interlock_domain::action_log::{GuardedAction, SecondPersonRule};
use interlock_domain::callback::{CallbackKeys, CallbackUrls};
use interlock_domain::error_code::ErrorCode;
use interlock_domain::ids::{RealmId, SubscriptionId, TargetId, TenantId};
use interlock_fault::Fault;
use ipnet::IpNet;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use url::Url;

use super::http::TlsSettings;

/// The default of events per second of one tenant: several times what one Temporal namespace accepts.
const EVENTS_PER_SECOND_MAX: NonZeroU32 = NonZeroU32::new(5_000).expect("a constant that is not 0");
/// The default of events per call: with events of usual size, as many as fit into a body.
const BATCH_EVENTS_MAX: NonZeroU32 = NonZeroU32::new(1_000).expect("a constant that is not 0");
/// The default of concurrent calls per token: half of the connections that one address may have.
const CALLS_PER_TOKEN_MAX: NonZeroU32 = NonZeroU32::new(500).expect("a constant that is not 0");
/// The default of reads per second of one tenant.
const READS_PER_SECOND_MAX: NonZeroU32 = NonZeroU32::new(1_000).expect("a constant that is not 0");
/// The default of actions per second of one tenant: enough for a person with a script.
const ACTIONS_PER_SECOND_MAX: NonZeroU32 = NonZeroU32::new(100).expect("a constant that is not 0");
/// The default of lists per second of all tenants: most of the 100 visibility calls that deploy/temporal allows; the
/// sweep and the autoscaler need some, too.
const LISTS_PER_SECOND_MAX: NonZeroU32 = NonZeroU32::new(80).expect("a constant that is not 0");
/// The default of lists per second of one tenant.
const LISTS_PER_TENANT_MAX: NonZeroU32 = NonZeroU32::new(40).expect("a constant that is not 0");

/// The shortest key from which signing keys are made, in bytes.
const SUBSCRIPTION_KEY_BYTES_MIN: usize = 32;

/// The default time for the gateway's open requests to end.
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
    /// The address to listen on.
    pub listen: SocketAddr,
    /// Events per second of one tenant, on average and in one burst. More are answered 429.
    pub events_per_second_max: NonZeroU32,
    /// Events per call. More are answered 413.
    pub batch_events_max: NonZeroU32,
    /// Concurrent calls with one token. More are answered 429.
    pub calls_per_token_max: NonZeroU32,
    /// Reads per second for one tenant, on average and in one burst. More are answered 429.
    pub reads_per_second_max: NonZeroU32,
    /// Actions per second on one tenant's orders and resources, on average and in one burst. More are answered 429.
    pub actions_per_second_max: NonZeroU32,
    /// Lists per second of all tenants together, on average and in one burst: each makes several calls to Temporal's visibility store.
    pub lists_per_second_max: NonZeroU32,
    /// Each tenant's share of these lists.
    pub lists_per_tenant_max: NonZeroU32,
    /// How long open requests may take to end when the gateway is stopped.
    #[serde(deserialize_with = "interlock_adapters::duration::deserialize")]
    pub drain: Duration,
    /// Who may call. Without tokens the gateway serves loopback only, and everyone there may do everything.
    pub tokens: Vec<GatewayToken>,
    /// Certificate and key; without them the gateway serves plain HTTP, and a proxy in front of it must terminate TLS.
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
    /// The token as sent in the header `Authorization: Bearer …`, or where to read it.
    pub token: Secret,
    /// The name of its bearer, for the journals: the actor of its actions.
    #[serde(default)]
    pub name: Option<String>,
    /// What its bearer may do.
    pub role: GatewayRole,
    /// For which tenants.
    pub tenants: Vec<TenantId>,
    /// The realms over which it has a right: in them its bearer sees what other tenants have, and, with the role `operate`, may force releases.
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

/// What the bearer of a token may do. The roles are not ranked, except that
/// `operate` includes `read`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GatewayRole {
    /// Send events.
    Submit,
    /// Read customers, resources and orders.
    Read,
    /// Act on orders, resources and targets, and read them.
    Operate,
}

/// `[sweep]`: how often the sweep looks at everything that waits, and when it raises an alert. Durations are written
/// `30s`, `15m`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct SweepSettings {
    /// The time between two sweeps of a namespace, at least a second.
    #[serde(with = "interlock_adapters::duration")]
    pub interval: Duration,
    /// How long an order may wait for a lease before the sweep checks whether the resource knows of it.
    #[serde(with = "interlock_adapters::duration")]
    pub patience: Duration,
    /// After what time without calls a target is reported.
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

/// `[console]`: the pages for the people on shift.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ConsoleSettings {
    /// Where browsers reach the Temporal UI: pages link to its workflows.
    pub temporal_ui: Option<Url>,
}

/// `[callbacks]`: where targets report the end of a job that they accepted.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CallbackSettings {
    /// The URL at which targets reach the gateway.
    pub url: Url,
    /// The keys of the tokens in the URLs: the first signs, and all are accepted.
    pub keys: Vec<Secret>,
}

impl CallbackSettings {
    /// The keys, read from their places.
    ///
    /// # Errors
    /// [`Fault`] `callback_key_invalid`: one cannot be read, or is too short.
    pub fn read_keys(&self) -> Result<CallbackKeys, Fault> {
        let invalid = |detail: &dyn Display| {
            Fault::wrong_use(ErrorCode::CallbackKeyInvalid, format!("A key in [callbacks] cannot be used: {detail}."))
        };
        let read = |secret: &Secret| Ok(secret.read().map_err(|missing| invalid(&missing))?.expose_secret().to_owned());
        let keys = self.keys.iter().map(read).collect::<Result<_, Fault>>()?;
        CallbackKeys::new(keys).map_err(|short| invalid(&short))
    }

    /// Makes the URLs.
    ///
    /// # Errors
    /// As [`CallbackSettings::read_keys`].
    pub fn urls(&self) -> Result<CallbackUrls, Fault> {
        Ok(CallbackUrls::new(self.url.as_str(), self.read_keys()?))
    }
}

/// The default time in which a second person confirms: a shift has a break in it.
const SECOND_PERSON_WITHIN: Duration = Duration::from_hours(1);

/// `[second_person]`: the actions that two persons take together.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SecondPersonSettings {
    /// The actions that another person must confirm: on targets, and of all tenants that are not named in `tenants`.
    pub actions: BTreeSet<GuardedAction>,
    /// How long an action waits for that person.
    #[serde(deserialize_with = "interlock_adapters::duration::deserialize")]
    pub within: Duration,
    /// The actions of single tenants, instead of `actions`.
    pub tenants: BTreeMap<TenantId, BTreeSet<GuardedAction>>,
}

impl Default for SecondPersonSettings {
    fn default() -> Self {
        Self { actions: BTreeSet::new(), within: SECOND_PERSON_WITHIN, tenants: BTreeMap::new() }
    }
}

impl SecondPersonSettings {
    /// The longest time that an action may wait: a week.
    pub const WITHIN_MAX: Duration = Duration::from_hours(7 * 24);
    /// The shortest.
    pub const WITHIN_MIN: Duration = Duration::from_secs(1);

    /// The rule that these settings make.
    pub fn rule(&self) -> SecondPersonRule {
        SecondPersonRule { actions: self.actions.clone(), tenants: self.tenants.clone() }
    }
}

/// `[subscriptions]`: for the subscriptions that tenants make themselves.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SubscriptionSettings {
    /// The keys from which the signing keys of receivers are made: the first is told to new ones, and all sign. Without a key nothing is
    /// signed.
    pub keys: Vec<Secret>,
    /// The networks in which receivers may be, besides the public internet.
    pub allowed_networks: Vec<IpNet>,
}

impl SubscriptionSettings {
    /// Which addresses receivers may have.
    pub fn address_rule(&self) -> AddressRule {
        AddressRule::new(self.allowed_networks.clone())
    }

    /// The signing keys of a receiver, as Standard Webhooks writes them.
    ///
    /// # Errors
    /// [`Fault`] `subscription_key_invalid`: one cannot be read, or is too short.
    pub fn keys_of(&self, tenant: &TenantId, subscription: &SubscriptionId) -> Result<Vec<SecretString>, Fault> {
        let invalid = |detail: &dyn Display| {
            let message = format!("A key in [subscriptions] cannot be used: {detail}.");
            Fault::wrong_use(ErrorCode::SubscriptionKeyInvalid, message)
        };
        let key = |secret: &Secret| {
            let key = secret.read().map_err(|missing| invalid(&missing))?;
            let key = key.expose_secret().as_bytes();
            if key.len() < SUBSCRIPTION_KEY_BYTES_MIN {
                return Err(invalid(&format_args!("it has fewer than {SUBSCRIPTION_KEY_BYTES_MIN} bytes")));
            }
            Ok(receiver_key(key, tenant, subscription))
        };
        self.keys.iter().map(key).collect()
    }
}

/// `[broker]`: the secrets with which `interlock ingest` connects to a broker. Everything else is in its flags.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BrokerSettings {
    /// The password of the user that `--user` names.
    pub password: Option<Secret>,
    /// The token, for NATS.
    pub token: Option<Secret>,
}

/// `[alerts]`: where alerts are sent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct AlertSettings {
    /// Where each alert is posted, as a CloudEvent in structured JSON; nowhere if nothing is set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub webhook: Option<Url>,
}
