//! The tables `[auth]` and `[tls]` of an adapter file.

use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderName, StatusCode};
use interlock_domain::error_code::ErrorCode;
use interlock_domain::toml_text::{Entry, Faults, Section};
use secrecy::{ExposeSecret, SecretString};

use super::condition::read_header_name;
use super::pointer::Pointer;
use super::secret::SecretSource;
use super::status_set::StatusSet;
use crate::exchange::Tls;
use crate::secret::SecretMissing;

/// A name that may stand in the file, or a secret.
#[derive(Debug, Clone)]
pub(super) enum Known {
    Text(String),
    Secret(SecretSource),
}

impl Known {
    fn require(section: &mut Section<'_>, key: &'static str, faults: &mut Faults<'_>) -> Option<Self> {
        let entry = section.require(key, faults)?;
        match entry.as_text() {
            Some(text) => Some(Self::Text(text.to_owned())),
            None => SecretSource::read(&entry, faults).map(Self::Secret),
        }
    }

    pub(super) fn resolve(&self) -> Result<SecretString, SecretMissing> {
        match self {
            Self::Text(text) => Ok(text.clone().into()),
            Self::Secret(source) => source.resolve(),
        }
    }
}

/// How Interlock authenticates to the target.
#[derive(Debug, Clone)]
pub(super) struct Auth {
    /// The method.
    pub(super) kind: AuthKind,
    /// The statuses with which the target rejects credentials, before it changes anything.
    pub(super) renew_on: StatusSet,
}

/// A method of authentication.
#[derive(Debug, Clone)]
pub(super) enum AuthKind {
    None,
    /// As the target's settings say. The file says nothing.
    Given(HeaderMap),
    Basic {
        username: Known,
        password: SecretSource,
    },
    Bearer {
        token: SecretSource,
    },
    Header {
        name: HeaderName,
        value: SecretSource,
    },
    OAuth2(OAuth2),
    Session(Session),
}

impl From<AuthKind> for Auth {
    fn from(kind: AuthKind) -> Self {
        Self { kind, renew_on: StatusSet::one(StatusCode::UNAUTHORIZED.as_u16()) }
    }
}

/// A log-in by a JSON request, whose answer has a token.
#[derive(Debug, Clone)]
pub(super) struct Session {
    pub(super) login_url: String,
    /// The fields of the request.
    body: Vec<(String, Known)>,
    /// Where the answer has the token.
    pub(super) token: Pointer,
    /// Where the answer has the seconds for which the token is valid.
    pub(super) expires_in: Option<Pointer>,
    /// The header that carries the token.
    pub(super) header: HeaderName,
    /// The word before the token.
    pub(super) scheme: Option<String>,
}

impl Session {
    /// The fields of the request.
    pub(super) fn fields(&self) -> Result<Vec<(String, SecretString)>, SecretMissing> {
        self.body.iter().map(|(name, value)| Ok((name.clone(), value.resolve()?))).collect()
    }

    /// Those of its values that are secrets.
    pub(super) fn secrets(&self) -> Result<Vec<SecretString>, SecretMissing> {
        let secret = self.body.iter().filter(|(_, value)| matches!(value, Known::Secret(_)));
        secret.map(|(_, value)| value.resolve()).collect()
    }
}

/// OAuth 2.0 with client credentials (RFC 6749, 4.4).
#[derive(Debug, Clone)]
pub(super) struct OAuth2 {
    pub(super) token_url: String,
    pub(super) client_id: Known,
    pub(super) client_secret: SecretSource,
    pub(super) scope: Option<String>,
    pub(super) audience: Option<String>,
    pub(super) client_auth: ClientAuth,
}

/// How the client sends its id and secret to the token endpoint.
#[derive(Debug, Clone, Copy)]
pub(super) enum ClientAuth {
    /// In the header `Authorization`.
    Basic,
    /// As fields of the form.
    Post,
}

/// The secrets of an OAuth2 client.
pub(super) struct Login {
    pub(super) client_id: SecretString,
    pub(super) client_secret: SecretString,
}

impl OAuth2 {
    pub(super) fn login(&self) -> Result<Login, SecretMissing> {
        Ok(Login { client_id: self.client_id.resolve()?, client_secret: self.client_secret.resolve()? })
    }
}

#[derive(Clone, Copy)]
enum Kind {
    None,
    Basic,
    Bearer,
    Header,
    OAuth2,
    Session,
}

impl Auth {
    pub(super) fn read(mut section: Section<'_>, faults: &mut Faults<'_>) -> Option<Self> {
        let kinds = [
            ("none", Kind::None),
            ("basic", Kind::Basic),
            ("bearer", Kind::Bearer),
            ("header", Kind::Header),
            ("oauth2", Kind::OAuth2),
            ("session", Kind::Session),
        ];
        let kind = section.require("kind", faults)?.choice(&kinds, faults)?;
        let renew_on = section.take("renew_on").map(|entry| StatusSet::read(entry, faults));
        let auth = match kind {
            Kind::None => Some(AuthKind::None),
            Kind::Basic => {
                let username = Known::require(&mut section, "username", faults);
                let password = SecretSource::require(&mut section, "password", faults);
                username.zip(password).map(|(username, password)| AuthKind::Basic { username, password })
            }
            Kind::Bearer => {
                SecretSource::require(&mut section, "token", faults).map(|token| AuthKind::Bearer { token })
            }
            Kind::Header => {
                let name = section.require("name", faults).and_then(|entry| read_header_name(&entry, faults));
                let value = SecretSource::require(&mut section, "value", faults);
                name.zip(value).map(|(name, value)| AuthKind::Header { name, value })
            }
            Kind::OAuth2 => read_oauth2(&mut section, faults).map(AuthKind::OAuth2),
            Kind::Session => read_session(&mut section, faults).map(AuthKind::Session),
        };
        section.finish(faults);
        let auth = Self::from(auth?);
        Some(Self { renew_on: renew_on.flatten().unwrap_or(auth.renew_on), ..auth })
    }
}

fn read_oauth2(section: &mut Section<'_>, faults: &mut Faults<'_>) -> Option<OAuth2> {
    let token_url = section.require("token_url", faults).and_then(|entry| read_token_url(&entry, faults));
    let client_id = Known::require(section, "client_id", faults);
    let client_secret = SecretSource::require(section, "client_secret", faults);
    let scope = section.text("scope", faults).map(str::to_owned);
    let audience = section.text("audience", faults).map(str::to_owned);
    let ways = [("basic", ClientAuth::Basic), ("post", ClientAuth::Post)];
    let client_auth = section.choice("client_auth", &ways, faults).unwrap_or(ClientAuth::Basic);
    Some(OAuth2 {
        token_url: token_url?,
        client_id: client_id?,
        client_secret: client_secret?,
        scope,
        audience,
        client_auth,
    })
}

fn read_session(section: &mut Section<'_>, faults: &mut Faults<'_>) -> Option<Session> {
    let login_url = section.require("login_url", faults).and_then(|entry| read_token_url(&entry, faults));
    let mut body = Vec::new();
    for (name, entry) in section.named("body", faults) {
        let value = match entry.as_text() {
            Some(text) => Some(Known::Text(text.to_owned())),
            None => SecretSource::read(&entry, faults).map(Known::Secret),
        };
        body.extend(value.map(|value| (name.to_owned(), value)));
    }
    let token = section.require("token", faults).and_then(|entry| Pointer::read(&entry, faults));
    let expires_in = section.take("expires_in").and_then(|entry| Pointer::read(&entry, faults));
    let named = section.take("header").map(|entry| read_header_name(&entry, faults));
    let scheme = section.text("scheme", faults).map(str::to_owned);
    let (header, scheme) = match named {
        Some(name) => (name?, scheme),
        None => (AUTHORIZATION, Some(scheme.unwrap_or_else(|| "Bearer".to_owned()))),
    };
    let scheme = scheme.filter(|scheme| !scheme.is_empty());
    Some(Session { login_url: login_url?, body, token: token?, expires_in, header, scheme })
}

fn read_token_url(entry: &Entry<'_>, faults: &mut Faults<'_>) -> Option<String> {
    let text = entry.text(faults)?;
    let is_address = url::Url::parse(text).is_ok_and(|url| matches!(url.scheme(), "http" | "https"));
    if text.is_empty() || (text.contains("://") && !is_address) {
        faults.add(
            &entry.spot,
            ErrorCode::BadUrl,
            "Write an http or https URL, or a path below the target's base_url.",
        );
        return None;
    }
    Some(text.to_owned())
}

/// The certificates of the connection: `[tls]`.
#[derive(Debug, Clone, Default)]
pub(super) struct TlsSources {
    client: Option<(SecretSource, SecretSource)>,
    authority: Option<SecretSource>,
}

impl TlsSources {
    pub(super) fn read(mut section: Section<'_>, faults: &mut Faults<'_>) -> Self {
        let mut source = |key| section.take(key).map(|entry| SecretSource::read(&entry, faults));
        let certificate = source("client_certificate");
        let key = source("client_key");
        let authority = source("certificate_authority").flatten();
        if certificate.is_some() != key.is_some() {
            let message = "'client_certificate' and 'client_key' must be set together.";
            faults.add(&section.spot, ErrorCode::NotTogether, message);
        }
        section.finish(faults);
        Self { client: certificate.flatten().zip(key.flatten()), authority }
    }

    /// Reads the certificates. The error is a sentence for a person.
    pub(super) fn resolve(&self) -> Result<Tls, String> {
        let mut tls = Tls::default();
        if let Some((certificate, key)) = &self.client {
            let certificate = certificate.resolve().map_err(|error| error.to_string())?;
            let key = key.resolve().map_err(|error| error.to_string())?;
            let pem = SecretString::from(format!("{}\n{}\n", certificate.expose_secret(), key.expose_secret()));
            let identity = reqwest::Identity::from_pem(pem.expose_secret().as_bytes());
            tls.identity = Some(identity.map_err(|_| {
                "'client_certificate' and 'client_key' of [tls] are not a valid certificate and key in PEM; correct \
                 them"
                    .to_owned()
            })?);
        }
        if let Some(authority) = &self.authority {
            let pem = authority.resolve().map_err(|error| error.to_string())?;
            let authorities = reqwest::Certificate::from_pem_bundle(pem.expose_secret().as_bytes());
            tls.authorities = authorities.ok().filter(|found| !found.is_empty()).ok_or_else(|| {
                "'certificate_authority' of [tls] has no valid certificate in PEM; give one or more".to_owned()
            })?;
        }
        Ok(tls)
    }
}
