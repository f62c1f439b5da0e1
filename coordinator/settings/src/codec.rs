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
    /// The id of the key that encrypts. Needed if there are keys and `encrypt` is true.
    pub current_key: Option<KeyId>,
    /// Keys by id, in addition to those in the directory.
    pub keys: BTreeMap<KeyId, KeySource>,
    /// A directory in which each file is a key and its name the key's id, as Kubernetes mounts a secret.
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

/// Where a key comes from.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub enum KeySource {
    /// In the settings: 32 bytes in base64.
    Inline(SecretString),
    /// In a file: 32 bytes, raw or in base64.
    File {
        /// The file.
        file: PathBuf,
    },
}

/// `[codec.server]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CodecServerSettings {
    /// The address to listen on.
    pub listen: SocketAddr,
    /// The origins whose web pages may call it, as browsers send them: `https://temporal.example`.
    pub cors_origins: Vec<String>,
    /// Who may call. Without tokens it serves loopback only, and everyone there may call.
    pub tokens: Vec<CodecToken>,
}

impl Default for CodecServerSettings {
    fn default() -> Self {
        Self { listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8089)), cors_origins: Vec::new(), tokens: Vec::new() }
    }
}

/// `[[codec.server.tokens]]`: a bearer token. Its bearer may decrypt and encrypt everything.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CodecToken {
    /// The token as sent in the header `Authorization: Bearer …`, or where to read it.
    pub token: Secret,
    /// The name of its bearer, for the log.
    #[serde(default)]
    pub name: Option<String>,
}
