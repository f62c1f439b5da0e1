//! `[espf.TENANT]`: a tenant that takes the events of PortaOne's ESPF and NSPS, and how their senders prove who they are.

use std::time::Duration;

use interlock_adapters::Secret;
use interlock_domain::ids::TargetId;
use serde::Deserialize;

/// How far the header `Date` of a signed request may be from the present time.
const DATE_WITHIN: Duration = Duration::from_mins(5);

/// `[espf.TENANT]`. Tokens of the gateway with the role `submit` for the tenant may send as well: as bearer tokens, or as the password of
/// basic authorisation.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EspfSettings {
    /// The target that translates the events, with `adapter = "intake"`. Its mapping takes them in.
    pub target: TargetId,
    /// Users and passwords for basic authorisation.
    #[serde(default)]
    pub users: Vec<EspfUser>,
    /// How requests are signed; none if signatures are not taken.
    #[serde(default)]
    pub signature: Option<EspfSignature>,
}

/// A user of basic authorisation.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EspfUser {
    /// The name.
    pub username: String,
    /// The password.
    pub password: Secret,
}

/// `[espf.TENANT.signature]`: HMAC-SHA256 in hexadecimal or base64.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EspfSignature {
    /// The shared keys. Any of them is taken, so that a key can be changed while events arrive.
    pub keys: Vec<Secret>,
    /// The header with the signature. Default `X-Signature`.
    #[serde(default = "default_header")]
    pub header: String,
    /// What stands before the signature in the header, e.g. `sha256=`, or `Signature ` in the header `Authorization`. Default nothing.
    #[serde(default)]
    pub prefix: String,
    /// Whether the value of the header `Date` and a line feed stand before the body in what is signed. The header is required then.
    /// Default no: the body alone.
    #[serde(default)]
    pub covers_date: bool,
    /// How far the header `Date` may be from the present time. Default 5 minutes. A request without the header is taken unless
    /// `covers_date` is set.
    #[serde(default = "default_date_within", deserialize_with = "interlock_adapters::duration::deserialize")]
    pub date_within: Duration,
}

fn default_header() -> String {
    "X-Signature".to_owned()
}

fn default_date_within() -> Duration {
    DATE_WITHIN
}

impl EspfSettings {
    /// The secrets, with their keys below `[espf.TENANT]`.
    pub(super) fn secrets(&self) -> impl Iterator<Item = (String, &Secret)> {
        let users = self.users.iter().enumerate();
        let keys = self.signature.iter().flat_map(|of| &of.keys).enumerate();
        users
            .map(|(index, user)| (format!("users, number {}", index + 1), &user.password))
            .chain(keys.map(|(index, key)| (format!("signature.keys, number {}", index + 1), key)))
    }
}
