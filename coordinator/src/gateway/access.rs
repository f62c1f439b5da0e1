//! Who may call: a bearer token binds its bearer to tenants and a role.

use axum::http::{HeaderMap, StatusCode, header};
use interlock_domain::ids::TenantId;
use secrecy::ExposeSecret;
use sha2::{Digest, Sha256};

use super::problem::Problem;
use crate::settings::{GatewayRole, GatewayToken};

/// What a call needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// To send events.
    Submit,
    /// To look at things.
    Read,
}

impl Need {
    fn is_met_by(self, role: GatewayRole) -> bool {
        match self {
            Self::Submit => role == GatewayRole::Submit,
            Self::Read => matches!(role, GatewayRole::Read | GatewayRole::Operate),
        }
    }
}

/// A token as its digest: equal digests are equal tokens, and comparing digests tells nothing about a token by the
/// time that it takes.
struct Known {
    digest: [u8; 32],
    role: GatewayRole,
    tenants: Vec<TenantId>,
}

/// Who may do what.
pub struct Access {
    tokens: Vec<Known>,
}

impl Access {
    /// The access that these tokens give. Without any everybody may do everything: the gateway then serves loopback
    /// only.
    pub fn new(tokens: &[GatewayToken]) -> Self {
        let known = |token: &GatewayToken| Known {
            digest: Sha256::digest(token.token.expose_secret().as_bytes()).into(),
            role: token.role,
            tenants: token.tenants.clone(),
        };
        Self { tokens: tokens.iter().map(known).collect() }
    }

    /// Checks a call for a tenant.
    ///
    /// # Errors
    /// A [`Problem`]: 401 `token_missing` or `token_unknown`, 403 `tenant_forbidden` or `role_forbidden`.
    pub fn check(&self, headers: &HeaderMap, tenant: &TenantId, need: Need) -> Result<(), Problem> {
        if self.tokens.is_empty() {
            return Ok(());
        }
        let token = bearer(headers).ok_or_else(|| {
            Problem::new(
                StatusCode::UNAUTHORIZED,
                "token_missing",
                "The call has no bearer token.",
                "Send the header 'Authorization: Bearer TOKEN'.",
            )
        })?;
        let digest: [u8; 32] = Sha256::digest(token.as_bytes()).into();
        let of_token: Vec<&Known> = self.tokens.iter().filter(|known| known.digest == digest).collect();
        let forbidden = |status, code, detail: String| {
            Err(Problem::new(status, code, detail, "Use another token, or have [[gateway.tokens]] changed."))
        };
        if of_token.is_empty() {
            return forbidden(StatusCode::UNAUTHORIZED, "token_unknown", "The bearer token is not known.".to_owned());
        }
        let of_tenant: Vec<&&Known> = of_token.iter().filter(|known| known.tenants.contains(tenant)).collect();
        if of_tenant.is_empty() {
            let detail = format!("The token is not for the tenant '{tenant}'.");
            return forbidden(StatusCode::FORBIDDEN, "tenant_forbidden", detail);
        }
        if !of_tenant.iter().any(|known| need.is_met_by(known.role)) {
            let detail = "The role of the token does not allow this call.".to_owned();
            return forbidden(StatusCode::FORBIDDEN, "role_forbidden", detail);
        }
        Ok(())
    }
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn access() -> Access {
        let token = |token: &str, role, tenant: &str| GatewayToken {
            token: token.to_owned().into(),
            role,
            tenants: vec![tenant.parse().unwrap()],
        };
        Access::new(&[
            token("alpha", GatewayRole::Submit, "blue"),
            token("beta", GatewayRole::Operate, "blue"),
            token("gamma", GatewayRole::Read, "red"),
        ])
    }

    fn code(token: Option<&str>, tenant: &str, need: Need) -> Option<String> {
        let mut headers = HeaderMap::new();
        if let Some(token) = token {
            headers.insert(header::AUTHORIZATION, format!("Bearer {token}").parse().unwrap());
        }
        access().check(&headers, &tenant.parse().unwrap(), need).err().map(|problem| problem.code)
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
    }

    #[test]
    fn without_tokens_everybody_may_do_everything() {
        let access = Access::new(&[]);
        assert!(access.check(&HeaderMap::new(), &TenantId::default(), Need::Submit).is_ok());
    }
}
