//! Access control: a bearer token gives access to tenants with a role.

use std::collections::BTreeSet;

use axum::http::{HeaderMap, StatusCode};
use interlock_adapters::secret::SecretMissing;
use interlock_console::Rights;
use interlock_domain::error_code::ErrorCode;
use interlock_domain::ids::{RealmId, TargetId, TenantId};
use interlock_http_service::{Problem, bearer};
use interlock_settings::{GatewayRole, GatewayToken, TargetRight};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use uuid::Uuid;

/// The access that a call requires.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// To send events.
    Submit,
    /// To read.
    Read,
    /// To act.
    Operate,
}

impl Need {
    fn is_met_by(self, role: GatewayRole) -> bool {
        match self {
            Self::Submit => role == GatewayRole::Submit,
            Self::Read => matches!(role, GatewayRole::Read | GatewayRole::Operate),
            Self::Operate => role == GatewayRole::Operate,
        }
    }
}

/// The digest of a token.
pub(super) type TokenDigest = [u8; 32];

/// A token as its digest: equal digests mean equal tokens, and the time that a comparison takes reveals nothing
/// about the token.
struct Known {
    digest: TokenDigest,
    name: Option<String>,
    role: GatewayRole,
    tenants: Vec<TenantId>,
    realms: Vec<RealmId>,
    targets: Vec<TargetRight>,
}

impl Known {
    /// Its name or, without a name, the first digits of its digest, which reveal nothing about it.
    fn shown_name(&self) -> String {
        self.name.clone().unwrap_or_else(|| format!("token {}", hex::encode(&self.digest[..4])))
    }
}

/// The tokens and their rights.
pub struct Access {
    tokens: Vec<Known>,
}

impl Access {
    /// The access that these tokens give. Without tokens everyone may do everything: the gateway then serves loopback
    /// only. Tokens that are stored elsewhere are read now.
    ///
    /// # Errors
    /// [`SecretMissing`], for the first token that cannot be read.
    pub fn new(tokens: &[GatewayToken]) -> Result<Self, SecretMissing> {
        let known = |token: &GatewayToken| {
            Ok(Known {
                digest: Sha256::digest(token.token.read()?.expose_secret().as_bytes()).into(),
                name: token.name.clone(),
                role: token.role,
                tenants: token.tenants.clone(),
                realms: token.realms.clone(),
                targets: token.targets.clone(),
            })
        };
        Ok(Self { tokens: tokens.iter().map(known).collect::<Result<_, _>>()? })
    }

    /// The caller: the name of the token or, without a name, the first digits of its digest, which reveal nothing about it.
    pub fn caller(&self, headers: &HeaderMap) -> String {
        let anybody = || "gateway".to_owned();
        let Some(token) = bearer(headers).filter(|_| !self.tokens.is_empty()) else { return anybody() };
        let digest: [u8; 32] = Sha256::digest(token.as_bytes()).into();
        let known = self.tokens.iter().find(|known| known.digest == digest);
        known.map_or_else(anybody, Known::shown_name)
    }

    /// The token of a call, as its digest; the same for every caller if no tokens are configured.
    ///
    /// # Errors
    /// A [`Problem`]: 401 `token_missing` or `token_unknown`.
    pub fn token(&self, headers: &HeaderMap) -> Result<TokenDigest, Problem> {
        if self.tokens.is_empty() {
            return Ok(TokenDigest::default());
        }
        let token = bearer(headers).ok_or_else(|| {
            Problem::new(StatusCode::UNAUTHORIZED, ErrorCode::TokenMissing, "The request has no bearer token.")
        })?;
        let digest: TokenDigest = Sha256::digest(token.as_bytes()).into();
        let is_known = self.tokens.iter().any(|known| known.digest == digest);
        let unknown =
            || Problem::new(StatusCode::UNAUTHORIZED, ErrorCode::TokenUnknown, "The bearer token is unknown.");
        is_known.then_some(digest).ok_or_else(unknown)
    }

    /// Whether there are no tokens: everybody who reaches the gateway may do everything.
    pub fn is_open(&self) -> bool {
        self.tokens.is_empty()
    }

    /// Whether this is the digest of a token.
    pub fn knows(&self, digest: &TokenDigest) -> bool {
        self.tokens.iter().any(|known| known.digest == *digest)
    }

    /// The tenant under which a call is counted that is not for a particular tenant: the first of its token.
    pub fn home(&self, headers: &HeaderMap) -> TenantId {
        let digest = self.token(headers).unwrap_or_default();
        let known = self.tokens.iter().find(|known| known.digest == digest);
        known.and_then(|known| known.tenants.first().cloned()).unwrap_or_default()
    }

    /// Whether the caller has a right over a realm that tenants share. Without tokens everyone has.
    pub fn may_over_realm(&self, headers: &HeaderMap, realm: &RealmId, need: Need) -> bool {
        self.has_right(headers, need, |known| known.realms.contains(realm))
    }

    /// Whether the caller has a right over a target, whichever tenants call it. Without tokens everyone has.
    pub fn may_over_target(&self, headers: &HeaderMap, target: &TargetId, need: Need) -> bool {
        self.has_right(headers, need, |known| known.targets.iter().any(|right| right.covers(target)))
    }

    /// Whether the caller may read every target, whichever tenants call it. Without tokens everyone may.
    pub fn sees_every_target(&self, headers: &HeaderMap) -> bool {
        self.has_right(headers, Need::Read, |known| known.targets.contains(&TargetRight::All))
    }

    fn has_right(&self, headers: &HeaderMap, need: Need, has: impl Fn(&Known) -> bool) -> bool {
        let Ok(digest) = self.token(headers) else { return false };
        let of_token = |known: &&Known| known.digest == digest && need.is_met_by(known.role);
        self.tokens.is_empty() || self.tokens.iter().filter(of_token).any(has)
    }

    /// Checks a call for a tenant.
    ///
    /// # Errors
    /// A [`Problem`]: 401 `token_missing` or `token_unknown`, 403 `tenant_forbidden` or `role_forbidden`.
    pub fn check(&self, headers: &HeaderMap, tenant: &TenantId, need: Need) -> Result<(), Problem> {
        if self.tokens.is_empty() {
            return Ok(());
        }
        self.check_digest(&self.token(headers)?, tenant, need)
    }

    /// Checks a call for a tenant with the token of this digest.
    ///
    /// # Errors
    /// A [`Problem`]: 403 `tenant_forbidden` or `role_forbidden`.
    pub fn check_digest(&self, digest: &TokenDigest, tenant: &TenantId, need: Need) -> Result<(), Problem> {
        let of_token: Vec<&Known> = self.tokens.iter().filter(|known| known.digest == *digest).collect();
        let forbidden = |code, detail: String| Err(Problem::new(StatusCode::FORBIDDEN, code, detail));
        let of_tenant: Vec<&&Known> = of_token.iter().filter(|known| known.tenants.contains(tenant)).collect();
        if of_tenant.is_empty() {
            let detail = format!("The token does not give access to the tenant '{tenant}'.");
            return forbidden(ErrorCode::TenantForbidden, detail);
        }
        if !of_tenant.iter().any(|known| need.is_met_by(known.role)) {
            let detail = "The role of the token does not allow this call.".to_owned();
            return forbidden(ErrorCode::RoleForbidden, detail);
        }
        Ok(())
    }
}

impl Access {
    /// What the bearer of a token may read, and for whom it may act. `None` if the token is unknown, or may read nothing.
    pub fn rights(&self, token: &SecretString) -> Option<Rights> {
        let digest: TokenDigest = Sha256::digest(token.expose_secret().as_bytes()).into();
        let of_token: Vec<&Known> = self.tokens.iter().filter(|known| known.digest == digest).collect();
        let tenants = |need: Need| {
            let met = of_token.iter().filter(|known| need.is_met_by(known.role));
            met.flat_map(|known| &known.tenants).cloned().collect::<BTreeSet<_>>().into_iter().collect()
        };
        let name = of_token.first()?.shown_name();
        let rights = Rights { name, reads: tenants(Need::Read), operates: tenants(Need::Operate) };
        (!rights.reads.is_empty()).then_some(rights)
    }

    /// What all gateways with the same tokens have in common. Without tokens it is a random number: such a gateway is alone.
    pub fn seal_secret(&self) -> [u8; 32] {
        let mut digests: Vec<TokenDigest> = self.tokens.iter().map(|known| known.digest).collect();
        digests.sort_unstable();
        let mut hash = Sha256::new_with_prefix("interlock console");
        if digests.is_empty() {
            hash.update(Uuid::new_v4());
            hash.update(Uuid::new_v4());
        }
        for digest in digests {
            hash.update(digest);
        }
        hash.finalize().into()
    }

    /// Checks a call that is not for a particular tenant.
    ///
    /// # Errors
    /// As [`Access::check`], except `tenant_forbidden`.
    pub fn check_role(&self, headers: &HeaderMap, need: Need) -> Result<(), Problem> {
        // A role for any tenant is enough.
        let tenants = self.tokens.iter().flat_map(|known| &known.tenants);
        let mut refused = None;
        for tenant in tenants {
            match self.check(headers, tenant, need) {
                Ok(()) => return Ok(()),
                Err(problem) if problem.code == ErrorCode::TenantForbidden => {}
                Err(problem) => refused = refused.or(Some(problem)),
            }
        }
        match refused {
            Some(problem) => Err(problem),
            None if self.tokens.is_empty() => Ok(()),
            None => {
                let detail = "The token does not give access to any tenant.";
                Err(Problem::new(StatusCode::FORBIDDEN, ErrorCode::TenantForbidden, detail))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::http::header;

    use super::*;

    fn access() -> Access {
        let token = |token: &str, role, tenant: &str| GatewayToken {
            token: token.to_owned().into(),
            name: (token == "beta").then(|| "night shift".to_owned()),
            role,
            tenants: vec![tenant.parse().unwrap()],
            realms: if token == "beta" { vec!["numbers".parse().unwrap()] } else { Vec::new() },
            targets: match token {
                "beta" => vec![TargetRight::One("hss".parse().unwrap())],
                "gamma" => vec![TargetRight::All],
                _ => Vec::new(),
            },
        };
        Access::new(&[
            token("alpha", GatewayRole::Submit, "blue"),
            token("beta", GatewayRole::Operate, "blue"),
            token("gamma", GatewayRole::Read, "red"),
        ])
        .unwrap()
    }

    fn code(token: Option<&str>, tenant: &str, need: Need) -> Option<String> {
        let mut headers = HeaderMap::new();
        if let Some(token) = token {
            headers.insert(header::AUTHORIZATION, format!("Bearer {token}").parse().unwrap());
        }
        access().check(&headers, &tenant.parse().unwrap(), need).err().map(|problem| problem.code.to_string())
    }

    #[test]
    fn a_token_is_bound_to_its_tenants_and_its_role() {
        assert_eq!(code(Some("alpha"), "blue", Need::Submit), None);
        assert_eq!(code(Some("beta"), "blue", Need::Read), None);
        assert_eq!(code(Some("gamma"), "red", Need::Read), None);
        assert_eq!(code(Some("alpha"), "blue", Need::Read).unwrap(), "role_forbidden");
        assert_eq!(code(Some("beta"), "blue", Need::Submit).unwrap(), "role_forbidden");
        assert_eq!(code(Some("alpha"), "red", Need::Submit).unwrap(), "tenant_forbidden");
        assert_eq!(code(Some("delta"), "blue", Need::Submit).unwrap(), "token_unknown");
        assert_eq!(code(None, "blue", Need::Submit).unwrap(), "token_missing");
        assert_eq!(code(Some("beta"), "blue", Need::Operate), None);
        assert_eq!(code(Some("gamma"), "red", Need::Operate).unwrap(), "role_forbidden");
        assert_eq!(code(Some("alpha"), "blue", Need::Operate).unwrap(), "role_forbidden");
    }

    #[test]
    fn a_caller_is_known_by_the_name_of_its_token() {
        let caller = |token: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::AUTHORIZATION, format!("Bearer {token}").parse().unwrap());
            access().caller(&headers)
        };
        assert_eq!(caller("beta"), "night shift");
        assert_eq!(caller("alpha"), format!("token {}", &hex::encode(Sha256::digest("alpha"))[..8]));
        assert_eq!(Access::new(&[]).unwrap().caller(&HeaderMap::new()), "gateway");
    }

    #[test]
    fn what_is_for_no_tenant_needs_the_role_only() {
        let check = |token: &str, need| {
            let mut headers = HeaderMap::new();
            headers.insert(header::AUTHORIZATION, format!("Bearer {token}").parse().unwrap());
            access().check_role(&headers, need).err().map(|problem| problem.code)
        };
        assert_eq!(check("beta", Need::Operate), None);
        assert_eq!(check("gamma", Need::Read), None);
        assert_eq!(check("gamma", Need::Operate), Some(ErrorCode::RoleForbidden));
        assert_eq!(check("delta", Need::Read), Some(ErrorCode::TokenUnknown));
        assert!(Access::new(&[]).unwrap().check_role(&HeaderMap::new(), Need::Operate).is_ok());
    }

    #[test]
    fn a_token_that_is_not_in_its_place_stops_the_gateway() {
        let token: GatewayToken = serde_json::from_value(serde_json::json!({
            "token": { "file": "/nowhere/token" }, "role": "submit", "tenants": ["blue"]
        }))
        .unwrap();
        assert!(Access::new(&[token]).err().unwrap().to_string().contains("/nowhere/token"));
    }

    #[test]
    fn a_right_over_what_tenants_share_is_given_by_name_and_goes_no_further_than_the_role() {
        let headers =
            |token: &str| HeaderMap::from_iter([(header::AUTHORIZATION, format!("Bearer {token}").parse().unwrap())]);
        let realm =
            |token: &str, realm: &str| access().may_over_realm(&headers(token), &realm.parse().unwrap(), Need::Operate);
        assert_eq!(
            [realm("beta", "numbers"), realm("beta", "sims"), realm("gamma", "numbers"), realm("delta", "numbers")],
            [true, false, false, false]
        );
        let target =
            |token: &str, target: &str, need| access().may_over_target(&headers(token), &target.parse().unwrap(), need);
        assert!(target("beta", "hss", Need::Operate) && !target("beta", "crm", Need::Operate));
        assert!(target("gamma", "crm", Need::Read) && !target("gamma", "crm", Need::Operate), "it may only read");
        assert!(!target("alpha", "hss", Need::Operate));
    }

    #[test]
    fn without_tokens_everybody_may_do_everything() {
        let access = Access::new(&[]).unwrap();
        assert!(access.check(&HeaderMap::new(), &TenantId::default(), Need::Submit).is_ok());
    }
}
