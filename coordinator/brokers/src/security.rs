//! How a connection to a broker is protected.

use std::path::PathBuf;

use secrecy::SecretString;

/// TLS.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tls {
    /// Whether the connection must use it, even if nothing else here is set.
    pub required: bool,
    /// The certificate authorities of the broker, in PEM. None: the usual public ones.
    pub authorities: Option<PathBuf>,
    /// The certificate of this client and its key, in PEM.
    pub client: Option<(PathBuf, PathBuf)>,
}

impl Tls {
    /// Whether the connection uses it.
    pub fn is_on(&self) -> bool {
        self.required || self.authorities.is_some() || self.client.is_some()
    }
}

/// TLS, and who connects.
#[derive(Debug, Clone, Default)]
pub struct Security {
    /// TLS.
    pub tls: Tls,
    /// The user and the password.
    pub user: Option<(String, SecretString)>,
    /// The token of NATS.
    pub token: Option<SecretString>,
}
