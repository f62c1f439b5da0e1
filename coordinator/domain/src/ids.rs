//! The ids of Interlock, each with its own type. Parsing is the only way in.
//!
//! The encodings are those of the wire contract: an id that becomes a part of a workflow id is percent-encoded
//! (upper-case hex) but for `A-Za-z0-9._-`, and its encoded form is limited to [`PART_BYTES_MAX`] bytes.

use std::fmt;
use std::str::FromStr;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The longest encoded part of a workflow id, in bytes.
pub const PART_BYTES_MAX: usize = 250;
/// The longest encoded tenant or realm, in bytes: it is also a fairness key, and Temporal limits those to 64.
pub const TENANT_BYTES_MAX: usize = 64;

/// What is *not* percent-encoded: `A-Za-z0-9._-`.
const KEPT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'.').remove(b'_').remove(b'-');

/// Percent-encodes one part of a workflow id as the wire contract says.
pub fn encode_part(raw: &str) -> String {
    utf8_percent_encode(raw, KEPT).to_string()
}

/// Undoes [`encode_part`].
///
/// # Errors
/// [`IdError::NotUtf8`] if the decoded bytes are not UTF-8.
pub fn decode_part(encoded: &str) -> Result<String, IdError> {
    percent_decode_str(encoded).decode_utf8().map(std::borrow::Cow::into_owned).map_err(|_| IdError::NotUtf8)
}

/// Why a text is not an id.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum IdError {
    /// The text is empty.
    #[error("an id must not be empty")]
    Empty,
    /// The text is `.` or `..`, which paths and proxies rewrite.
    #[error("an id must not be '.' or '..'")]
    Dots,
    /// The encoded text is longer than allowed.
    #[error("an id has {bytes} encoded bytes; the limit is {bytes_max}")]
    TooLong {
        /// Its encoded length in bytes.
        bytes: usize,
        /// The limit in bytes.
        bytes_max: usize,
    },
    /// The decoded bytes are not UTF-8.
    #[error("an id must be UTF-8")]
    NotUtf8,
    /// The text lacks a separator or a part that its form requires.
    #[error("expected {expected}, got '{got}'")]
    Form {
        /// The required form.
        expected: &'static str,
        /// The text as given.
        got: String,
    },
}

/// Checks one part: not empty, not dots, its encoded form at most `bytes_max` bytes.
pub(crate) fn check_part(raw: &str, bytes_max: usize) -> Result<(), IdError> {
    if raw.is_empty() {
        return Err(IdError::Empty);
    }
    if raw == "." || raw == ".." {
        return Err(IdError::Dots);
    }
    let bytes = encode_part(raw).len();
    if bytes > bytes_max {
        return Err(IdError::TooLong { bytes, bytes_max });
    }
    Ok(())
}

macro_rules! part_id {
    ($(#[$doc:meta])* $name:ident, $bytes_max:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The id as written, not encoded.
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// The id as a part of a workflow id.
            pub fn encoded(&self) -> String {
                encode_part(&self.0)
            }
        }

        impl FromStr for $name {
            type Err = IdError;
            fn from_str(raw: &str) -> Result<Self, IdError> {
                Self::try_from(raw.to_owned())
            }
        }

        impl TryFrom<String> for $name {
            type Error = IdError;
            fn try_from(raw: String) -> Result<Self, IdError> {
                check_part(&raw, $bytes_max)?;
                Ok(Self(raw))
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

part_id!(
    /// An operator or brand.
    TenantId, TENANT_BYTES_MAX
);
part_id!(
    /// The scope in which a resource id is unique: a tenant, or a name that several tenants share.
    RealmId, TENANT_BYTES_MAX
);
part_id!(
    /// A customer of a tenant: the `subject` of its events.
    CustomerId, PART_BYTES_MAX
);
part_id!(
    /// The kind of a contested thing: `msisdn`, `imsi`, `ip`, …
    ResourceKind, PART_BYTES_MAX
);
part_id!(
    /// An instance of an outside system (`hss-east`, `crm`); it also names its provisioning queue.
    TargetId, PART_BYTES_MAX
);
part_id!(
    /// A subscription of a tenant: its name in the settings.
    SubscriptionId, PART_BYTES_MAX
);
part_id!(
    /// What the catalog calls an outside system; the tenant's settings map a role to a [`TargetId`].
    Role, PART_BYTES_MAX
);

impl Default for TenantId {
    /// The tenant if none is given: `default`.
    fn default() -> Self {
        Self("default".to_owned())
    }
}

impl From<&TenantId> for RealmId {
    fn from(tenant: &TenantId) -> Self {
        Self(tenant.0.clone())
    }
}

impl From<&Role> for TargetId {
    /// Without a mapping the role is the target's name.
    fn from(role: &Role) -> Self {
        Self(role.0.clone())
    }
}

/// A contested thing: kind and id, written `msisdn/12065551234`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ResourceId {
    kind: ResourceKind,
    id: String,
}

impl ResourceId {
    /// A resource of this kind.
    ///
    /// # Errors
    /// [`IdError`] if `id` is not a valid part, or if the kind has a slash: written, it would be another resource.
    pub fn new(kind: ResourceKind, id: &str) -> Result<Self, IdError> {
        check_part(id, PART_BYTES_MAX)?;
        if kind.as_str().contains('/') {
            return Err(IdError::Form { expected: "a kind without '/'", got: kind.into() });
        }
        Ok(Self { kind, id: id.to_owned() })
    }

    /// Its kind.
    pub fn kind(&self) -> &ResourceKind {
        &self.kind
    }

    /// Its id within the kind, as written.
    pub fn id(&self) -> &str {
        &self.id
    }
}

impl FromStr for ResourceId {
    type Err = IdError;
    /// Reads `kind/id`; only the first slash separates.
    fn from_str(raw: &str) -> Result<Self, IdError> {
        let (kind, id) =
            raw.split_once('/').ok_or_else(|| IdError::Form { expected: "KIND/ID", got: raw.to_owned() })?;
        Self::new(kind.parse()?, id)
    }
}

impl TryFrom<String> for ResourceId {
    type Error = IdError;
    fn try_from(raw: String) -> Result<Self, IdError> {
        raw.parse()
    }
}

impl From<ResourceId> for String {
    fn from(id: ResourceId) -> String {
        id.to_string()
    }
}

impl fmt::Display for ResourceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.kind, self.id)
    }
}

/// A customer of a tenant, as a resource knows it: the pair names one customer entity.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct CustomerRef {
    /// The tenant.
    pub tenant: TenantId,
    /// The customer.
    pub customer: CustomerId,
}

impl fmt::Display for CustomerRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.tenant, self.customer)
    }
}

/// An order: `{customer_id}~{uuid}`. The uuid is the UUIDv5 of tenant, event source, event id and, if one event
/// makes two orders, the role. A producer can compute it beforehand; it contains the customer, and so identifies the entity.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct OrderId(String);

/// The bytes of a hyphenated UUID.
const UUID_BYTES: usize = 36;

impl OrderId {
    /// The order that an event makes.
    ///
    /// The UUID is `uuid5(NAMESPACE_URL, "interlock:order:" + T + "/" + S + "/" + I)`, with `"/" + R` added for an
    /// event that makes two orders. T, S, I and R are tenant, source, id and role, encoded by [`encode_part`].
    pub fn derive(tenant: &TenantId, customer: &CustomerId, source: &str, event_id: &str, role: Option<&str>) -> Self {
        let mut name =
            format!("interlock:order:{}/{}/{}", tenant.encoded(), encode_part(source), encode_part(event_id));
        if let Some(role) = role {
            name.push('/');
            name.push_str(&encode_part(role));
        }
        let uuid = uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_URL, name.as_bytes());
        Self(format!("{customer}~{uuid}"))
    }

    /// The whole id.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The customer whose order it is.
    ///
    /// # Panics
    /// Never: parsing checked the form.
    pub fn customer(&self) -> CustomerId {
        CustomerId(self.0[..self.0.len() - UUID_BYTES - 1].to_owned())
    }

    /// The idempotency key of one of its steps: `uuid5(NAMESPACE_URL, "interlock:step:" + order id + "/" + step)`.
    ///
    /// The order id contains the customer, so two customers' events with the same source and id have different keys.
    pub fn step_key(&self, step: &str) -> uuid::Uuid {
        uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_URL, format!("interlock:step:{}/{step}", self.0).as_bytes())
    }

    /// The idempotency key that 0.1.0 gave to one of its steps: the UUIDv5 of the step, in the order's own UUID as
    /// namespace. Two customers' events with the same source and id share it. Only steps that were sent with it keep it.
    pub fn step_key_v0_1(&self, step: &str) -> uuid::Uuid {
        let namespace = self.0[self.0.len() - UUID_BYTES..].parse().unwrap_or(uuid::Uuid::NAMESPACE_URL);
        uuid::Uuid::new_v5(&namespace, step.as_bytes())
    }
}

impl FromStr for OrderId {
    type Err = IdError;
    fn from_str(raw: &str) -> Result<Self, IdError> {
        Self::try_from(raw.to_owned())
    }
}

impl TryFrom<String> for OrderId {
    type Error = IdError;
    fn try_from(raw: String) -> Result<Self, IdError> {
        let form = || IdError::Form { expected: "CUSTOMER~UUID", got: raw.clone() };
        let (customer, uuid) = raw.rsplit_once('~').ok_or_else(form)?;
        if uuid.len() != UUID_BYTES || uuid.parse::<uuid::Uuid>().is_err() {
            return Err(form());
        }
        check_part(customer, PART_BYTES_MAX)?;
        Ok(Self(raw))
    }
}

impl From<OrderId> for String {
    fn from(id: OrderId) -> String {
        id.0
    }
}

impl fmt::Display for OrderId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A claim as it stands in a resource's queue: derived from order, resource and the life of the customer,
/// `{order_id}@{kind}/{id}#{incarnation}`. The same order submitted again to a newer life has a ticket of its own.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TicketId(String);

impl TicketId {
    /// The ticket of this order, in this life of its customer, at this resource.
    pub fn derive(order: &OrderId, resource: &ResourceId, incarnation: Incarnation) -> Self {
        Self(format!("{order}@{resource}#{}", incarnation.0))
    }

    /// The whole id.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TicketId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A point in time: milliseconds since 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// This many milliseconds later.
    #[must_use]
    pub fn plus_ms(self, ms: u64) -> Self {
        Self(self.0.saturating_add(i64::try_from(ms).unwrap_or(i64::MAX)))
    }

    /// RFC 3339 with milliseconds, in UTC; the plain number if it is outside the calendar.
    pub fn to_rfc3339(self) -> String {
        chrono::DateTime::from_timestamp_millis(self.0)
            .map_or_else(|| self.0.to_string(), |time| time.to_rfc3339_opts(chrono::SecondsFormat::Millis, true))
    }
}

/// The fencing token of a lease: it only ever grows for a resource.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Epoch(pub u64);

impl Epoch {
    /// The highest epoch that is believed of anybody who reports one: far beyond what any clock reaches, and far enough from the highest
    /// number that there are always higher ones to grant.
    pub const BELIEVED_MAX: Self = Self(1 << 62);

    /// The next one.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }

    /// Whether a resource can have granted it.
    pub fn is_believable(self) -> bool {
        self <= Self::BELIEVED_MAX
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// One life of a customer entity: the time of its first run, in milliseconds. A terminated entity that is started
/// again has a newer incarnation; continue-as-new keeps it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Incarnation(pub i64);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_encoded_with_upper_case_hex_but_for_the_unreserved() {
        assert_eq!(encode_part("a/b c~d.é_-"), "a%2Fb%20c%7Ed.%C3%A9_-");
        assert_eq!(decode_part("a%2Fb%20c%7Ed.%C3%A9_-").unwrap(), "a/b c~d.é_-");
    }

    #[test]
    fn a_part_is_limited_in_its_encoded_form() {
        assert!("a".repeat(PART_BYTES_MAX).parse::<CustomerId>().is_ok());
        assert!(matches!("a".repeat(PART_BYTES_MAX + 1).parse::<CustomerId>(), Err(IdError::TooLong { .. })));
        assert!("/".repeat(83).parse::<CustomerId>().is_ok());
        assert!(matches!("/".repeat(84).parse::<CustomerId>(), Err(IdError::TooLong { bytes: 252, .. })));
        assert!("t".repeat(TENANT_BYTES_MAX).parse::<TenantId>().is_ok());
        assert!(matches!("t".repeat(TENANT_BYTES_MAX + 1).parse::<TenantId>(), Err(IdError::TooLong { .. })));
    }

    #[test]
    fn dots_and_nothing_are_no_ids() {
        assert_eq!("".parse::<TenantId>(), Err(IdError::Empty));
        assert_eq!(".".parse::<TenantId>(), Err(IdError::Dots));
        assert_eq!("..".parse::<CustomerId>(), Err(IdError::Dots));
        assert!("...".parse::<CustomerId>().is_ok());
    }

    #[test]
    fn an_order_id_names_its_customer() {
        let tenant = "default".parse().unwrap();
        let customer: CustomerId = "A~1".parse().unwrap();
        let order = OrderId::derive(&tenant, &customer, "/crm", "e1", None);
        assert_eq!(order.customer(), customer);
        assert_eq!(order.as_str().parse::<OrderId>().unwrap(), order);
        assert_ne!(order, OrderId::derive(&tenant, &customer, "/crm", "e1", Some("to")));
        assert!("A~nonsense".parse::<OrderId>().is_err());
    }

    #[test]
    fn a_resource_id_splits_at_the_first_slash() {
        let id: ResourceId = "address/1 Main St/2".parse().unwrap();
        assert_eq!((id.kind().as_str(), id.id()), ("address", "1 Main St/2"));
        assert!("nokind".parse::<ResourceId>().is_err());
    }

    #[test]
    fn the_kind_of_a_resource_has_no_slash_so_that_it_is_the_same_after_it_was_written() {
        assert!(ResourceId::new("ip/v4".parse().unwrap(), "1").is_err());
        let resource = ResourceId::new("ip.v4".parse().unwrap(), "1/2").unwrap();
        assert_eq!(resource.to_string().parse::<ResourceId>(), Ok(resource));
    }

    #[test]
    fn tenants_customers_sources_ids_and_roles_are_told_apart_in_whatever_is_derived_from_an_order() {
        let order = |tenant: &str, customer: &str, source: &str, id: &str, role| {
            OrderId::derive(&tenant.parse().unwrap(), &customer.parse().unwrap(), source, id, role)
        };
        let orders = [
            order("t", "A", "s", "1", None),
            order("u", "A", "s", "1", None),
            order("t", "B", "s", "1", None),
            order("t", "A", "s/1", "1", None),
            order("t", "A", "s", "1/1", None),
            order("t", "A", "s", "1/to", None),
            order("t", "A", "s", "1", Some("to")),
            order("t", "A~s", "s", "1", None),
        ];
        let resource: ResourceId = "msisdn/1".parse().unwrap();
        let distinct = |ids: Vec<String>| ids.iter().collect::<std::collections::BTreeSet<_>>().len();
        let all = orders.len();
        assert_eq!(distinct(orders.iter().map(ToString::to_string).collect()), all);
        assert_eq!(distinct(orders.iter().map(|order| order.step_key("hss.assign").to_string()).collect()), all);
        let ticket = |order| TicketId::derive(order, &resource, Incarnation(1)).to_string();
        assert_eq!(distinct(orders.iter().map(ticket).collect()), all);
    }
}
