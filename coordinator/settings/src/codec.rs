//! `[codec]`: the keys under which histories are encrypted, and the codec server.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use interlock_adapters::Secret;
use secrecy::SecretString;
use serde::Deserialize;

use super::key_id::KeyId;

/// `[codec]`. Without keys nothing is encrypted.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CodecSettings {
    /// The id of the key that encrypts. Needed where there are keys and `encrypt` is true.
    pub current_key: Option<KeyId>,
    /// Keys by id, beside those of the directory.
    pub keys: BTreeMap<KeyId, KeySource>,
    /// A directory whose files are keys, each by its name, as Kubernetes mounts a secret.
    pub keys_directory: Option<PathBuf>,
    /// Whether to encrypt. Without it the keys only decrypt what was encrypted before.
    pub encrypt: bool,
    /// The codec server.
    pub server: CodecServerSettings,
}

impl Default for CodecSettings {
    fn default() -> Self {
        Self {
            current_key: None,
            keys: BTreeMap::new(),
            keys_directory: None,
            encrypt: true,
            server: CodecServerSettings::default(),
        }
    }
}

/// Where a key is.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub enum KeySource {
    /// In the settings: 32 bytes in base64.
    Inline(SecretString),
    /// In a file: 32 bytes, as they are or in base64.
    File {
        /// The file.
        file: PathBuf,
    },
}

/// `[codec.server]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CodecServerSettings {
    /// Where it listens.
    pub listen: SocketAddr,
    /// The origins whose web pages may call it, as browsers send them: `https://temporal.example`.
    pub cors_origins: Vec<String>,
    /// Who may call. Without any it serves loopback only, and everybody there may call.
    pub tokens: Vec<CodecToken>,
}

impl Default for CodecServerSettings {
    fn default() -> Self {
        Self { listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8089)), cors_origins: Vec::new(), tokens: Vec::new() }
    }
}

/// `[[codec.server.tokens]]`: a bearer token. Who has one may decrypt and encrypt everything.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CodecToken {
    /// The token as it stands in the header `Authorization: Bearer …`, or where it is.
    pub token: Secret,
    /// Who its bearer is, for the log.
    #[serde(default)]
    pub name: Option<String>,
}
