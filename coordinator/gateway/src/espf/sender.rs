//! Who sends: a bearer token, a user and a password, or a signature.

use axum::http::{HeaderMap, StatusCode, header};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use interlock_adapters::secret::SecretMissing;
use interlock_domain::error_code::ErrorCode;
use interlock_domain::ids::TenantId;
use interlock_http_service::{Problem, bearer};
use interlock_settings::EspfSettings;
use secrecy::ExposeSecret;
use sha2::{Digest, Sha256};

use super::signature::SignatureRule;
use crate::access::{Access, Need, TokenDigest};

/// The senders of a tenant, besides those with a token.
pub(super) struct Senders {
    /// The digests of `user:password`: equal digests mean equal texts, and the time that a comparison takes reveals nothing about them.
    users: Vec<TokenDigest>,
    signature: Option<SignatureRule>,
    /// Stands for all signed calls where calls are counted.
    signed: TokenDigest,
}

/// What is known about a sender before the body is read.
pub(super) enum Proof {
    /// It may send. Its calls are counted under this digest.
    Admitted(TokenDigest),
    /// The body's signature decides.
    AfterBody {
        /// The digest under which its calls are counted.
        slot: TokenDigest,
    },
}

impl Proof {
    pub(super) fn slot(&self) -> TokenDigest {
        match self {
            Self::Admitted(slot) | Self::AfterBody { slot } => *slot,
        }
    }
}

impl Senders {
    /// Reads the secrets.
    ///
    /// # Errors
    /// [`SecretMissing`], for the first one that cannot be read.
    pub(super) fn new(tenant: &TenantId, settings: &EspfSettings) -> Result<Self, SecretMissing> {
        let user = |user: &interlock_settings::EspfUser| {
            let password = user.password.read()?;
            Ok(digest(&format!("{}:{}", user.username, password.expose_secret())))
        };
        Ok(Self {
            users: settings.users.iter().map(user).collect::<Result<_, _>>()?,
            signature: settings.signature.as_ref().map(SignatureRule::new).transpose()?,
            signed: digest(&format!("interlock:espf:{tenant}")),
        })
    }

    /// Whether a sender needs no proof, if there are no tokens either.
    fn is_open(&self) -> bool {
        self.users.is_empty() && self.signature.is_none()
    }

    /// Checks the signature of a body.
    ///
    /// # Errors
    /// 401 `signature_invalid` or `signature_expired`.
    pub(super) fn check_signature(&self, headers: &HeaderMap, body: &[u8]) -> Result<(), Problem> {
        let missing = || unauthorized(ErrorCode::SignatureInvalid, "The tenant takes no signatures.");
        self.signature.as_ref().ok_or_else(missing)?.check(headers, body, chrono::Utc::now())
    }
}

fn digest(text: &str) -> TokenDigest {
    Sha256::digest(text.as_bytes()).into()
}

fn unauthorized(code: ErrorCode, detail: &str) -> Problem {
    Problem::new(StatusCode::UNAUTHORIZED, code, detail)
}

/// `user:password` of basic authorisation, if the call has it.
fn basic(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, encoded) = value.split_once(' ')?;
    let decoded = BASE64_STANDARD.decode(encoded.trim()).ok().filter(|_| scheme.eq_ignore_ascii_case("basic"))?;
    String::from_utf8(decoded).ok().filter(|text| text.contains(':'))
}

/// Whether a call may send events of this tenant. `senders` are those of the tenant; none if it takes no such events.
///
/// # Errors
/// 401 `token_missing`, `token_unknown` or `credentials_unknown`; 403 `tenant_forbidden` or `role_forbidden`. A stranger does not learn
/// from it which tenants there are.
pub(super) fn check(
    access: &Access,
    senders: Option<&Senders>,
    headers: &HeaderMap,
    tenant: &TenantId,
) -> Result<Proof, Problem> {
    if let Some(credentials) = basic(headers) {
        let own = digest(&credentials);
        if senders.is_some_and(|of| of.users.contains(&own)) {
            return Ok(Proof::Admitted(own));
        }
        let password = credentials.split_once(':').map(|(_, password)| digest(password)).unwrap_or_default();
        if !access.knows(&password) {
            return Err(unauthorized(ErrorCode::CredentialsUnknown, "The user or the password is unknown."));
        }
        access.check_digest(&password, tenant, Need::Submit)?;
        return Ok(Proof::Admitted(password));
    }
    let signed = senders.filter(|of| of.signature.as_ref().is_some_and(|rule| rule.is_in(headers)));
    if let Some(senders) = signed {
        return Ok(Proof::AfterBody { slot: senders.signed });
    }
    if access.is_open() {
        // Everybody who reaches such a gateway may do everything, unless the tenant's senders are named.
        if senders.is_none_or(Senders::is_open) {
            return Ok(Proof::Admitted(TokenDigest::default()));
        }
        let code = if bearer(headers).is_some() { ErrorCode::TokenUnknown } else { ErrorCode::TokenMissing };
        return Err(unauthorized(code, "The request has neither a known user and password nor a signature."));
    }
    let token = access.token(headers)?;
    access.check_digest(&token, tenant, Need::Submit)?;
    Ok(Proof::Admitted(token))
}

#[cfg(test)]
mod tests {
    use interlock_settings::{GatewayRole, GatewayToken};
    use serde_json::json;

    use super::*;

    fn senders(settings: serde_json::Value) -> Senders {
        Senders::new(&"blue".parse().unwrap(), &serde_json::from_value(settings).unwrap()).unwrap()
    }

    fn access(with_token: bool) -> Access {
        let token = |token: &str, tenant: &str, role| GatewayToken {
            token: token.to_owned().into(),
            name: None,
            role,
            tenants: vec![tenant.parse().unwrap()],
            realms: Vec::new(),
            targets: Vec::new(),
        };
        let tokens = [
            token("alpha", "blue", GatewayRole::Submit),
            token("beta", "red", GatewayRole::Submit),
            token("gamma", "blue", GatewayRole::Read),
        ];
        Access::new(if with_token { &tokens } else { &[] }).unwrap()
    }

    fn code(access: &Access, senders: Option<&Senders>, authorization: Option<&str>) -> Option<ErrorCode> {
        let headers = authorization.map(|value| (header::AUTHORIZATION, value.parse().unwrap()));
        let headers = HeaderMap::from_iter(headers);
        check(access, senders, &headers, &"blue".parse().unwrap()).err().map(|problem| problem.code)
    }

    fn with_basic(credentials: &str) -> String {
        format!("Basic {}", BASE64_STANDARD.encode(credentials))
    }

    #[test]
    fn a_sender_is_known_by_user_and_password_or_by_a_token_that_may_submit() {
        let (access, own) =
            (access(true), senders(json!({"target": "in", "users": [{"username": "porta", "password": "pw"}]})));
        let known = |authorization: &str| code(&access, Some(&own), Some(authorization));
        assert_eq!(known(&with_basic("porta:pw")), None);
        assert_eq!(known(&with_basic("anyone:alpha")), None, "the password is a token");
        assert_eq!(known("Bearer alpha"), None);
        assert_eq!(known(&with_basic("porta:wrong")), Some(ErrorCode::CredentialsUnknown));
        assert_eq!(known(&with_basic("anyone:beta")), Some(ErrorCode::TenantForbidden));
        assert_eq!(known(&with_basic("anyone:gamma")), Some(ErrorCode::RoleForbidden));
        assert_eq!(known("Bearer gamma"), Some(ErrorCode::RoleForbidden));
        assert_eq!(known("Bearer delta"), Some(ErrorCode::TokenUnknown));
        assert_eq!(known("Basic no base64"), Some(ErrorCode::TokenMissing));
        assert_eq!(code(&access, Some(&own), None), Some(ErrorCode::TokenMissing));
    }

    #[test]
    fn a_stranger_does_not_learn_which_tenants_take_events() {
        let access = access(true);
        assert_eq!(code(&access, None, Some(&with_basic("porta:pw"))), Some(ErrorCode::CredentialsUnknown));
        assert_eq!(code(&access, None, None), Some(ErrorCode::TokenMissing));
    }

    #[test]
    fn a_gateway_without_tokens_is_open_unless_the_senders_are_named() {
        let access = access(false);
        let named = senders(json!({"target": "in", "users": [{"username": "porta", "password": "pw"}]}));
        assert_eq!(code(&access, Some(&senders(json!({"target": "in"}))), None), None);
        assert_eq!(code(&access, Some(&named), None), Some(ErrorCode::TokenMissing));
        assert_eq!(code(&access, Some(&named), Some("Bearer alpha")), Some(ErrorCode::TokenUnknown));
        assert_eq!(code(&access, Some(&named), Some(&with_basic("porta:pw"))), None);
    }
}
