//! Workflow ids, built and parsed. The workflow id alone identifies an entity.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::RoutingError;
use crate::ids::{CustomerRef, PART_BYTES_MAX, RealmId, ResourceKind, check_part, decode_part, encode_part};

/// The workflow type of a customer entity.
pub const CUSTOMER_WORKFLOW_TYPE: &str = "CustomerEntity";
/// The workflow type of a resource entity.
pub const RESOURCE_WORKFLOW_TYPE: &str = "ResourceEntity";

/// An entity, as its workflow id names it: `{tenant}/customer/{customer_id}` or `{realm}/resource/{kind}/{id}`, each part
/// percent-encoded by [`encode_part`].
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum EntityAddress {
    /// A customer entity.
    Customer(CustomerRef),
    /// A resource entity.
    Resource {
        /// The scope of the resource.
        realm: RealmId,
        /// Its kind.
        kind: ResourceKind,
        /// Its id within the kind, or the HMAC of that if an id key is set ([`super::IdKey::hide`]).
        key: String,
    },
}

impl EntityAddress {
    /// The tenant or realm, as written: its shard is derived from it.
    pub fn scope(&self) -> &str {
        match self {
            Self::Customer(customer) => customer.tenant.as_str(),
            Self::Resource { realm, .. } => realm.as_str(),
        }
    }

    /// The workflow type of the entity.
    pub fn workflow_type(&self) -> &'static str {
        match self {
            Self::Customer(_) => CUSTOMER_WORKFLOW_TYPE,
            Self::Resource { .. } => RESOURCE_WORKFLOW_TYPE,
        }
    }
}

impl fmt::Display for EntityAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Customer(CustomerRef { tenant, customer }) => {
                write!(f, "{}/customer/{}", tenant.encoded(), customer.encoded())
            }
            Self::Resource { realm, kind, key } => {
                write!(f, "{}/resource/{}/{}", realm.encoded(), kind.encoded(), encode_part(key))
            }
        }
    }
}

impl FromStr for EntityAddress {
    type Err = RoutingError;

    /// Parses a workflow id. Only the canonical form is accepted, so that no two workflows are the same entity.
    fn from_str(raw: &str) -> Result<Self, RoutingError> {
        let address = match raw.split('/').collect::<Vec<_>>().as_slice() {
            [tenant, "customer", customer] => Self::Customer(CustomerRef {
                tenant: decode_part(tenant)?.try_into()?,
                customer: decode_part(customer)?.try_into()?,
            }),
            [realm, "resource", kind, key] => {
                let kind: ResourceKind = decode_part(kind)?.try_into()?;
                let key = decode_part(key)?;
                check_part(&key, PART_BYTES_MAX)?;
                Self::Resource { realm: decode_part(realm)?.try_into()?, kind, key }
            }
            _ => return Err(RoutingError::NotAnEntity(raw.to_owned())),
        };
        if address.to_string() == raw { Ok(address) } else { Err(RoutingError::NotAnEntity(raw.to_owned())) }
    }
}

impl TryFrom<String> for EntityAddress {
    type Error = RoutingError;
    fn try_from(raw: String) -> Result<Self, RoutingError> {
        raw.parse()
    }
}

impl From<EntityAddress> for String {
    fn from(address: EntityAddress) -> String {
        address.to_string()
    }
}
