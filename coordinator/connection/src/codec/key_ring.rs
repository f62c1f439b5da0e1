//! The keys of a process, and how it uses them.

use std::collections::BTreeMap;
use std::path::Path;

use interlock_domain::error_code::ErrorCode;
use interlock_fault::Fault;
use interlock_settings::{CodecSettings, KeyId, KeySource};
use prost::Message;
use secrecy::ExposeSecret;
use temporalio_common::protos::temporal::api::common::v1::Payload;
use thiserror::Error;

use super::key::CodecKey;

/// The metadata with the encoding of a payload.
const ENCODING: &str = "encoding";
/// The value for an encrypted payload, as in Temporal's samples.
const ENCRYPTED: &[u8] = b"binary/encrypted";
/// The metadata with the key's id, as in Temporal's samples.
const KEY_ID: &str = "encryption-key-id";

/// Why a payload could not be encrypted or decrypted.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum CodecError {
    /// It is encrypted under a key that this process does not have. With that key it can be read.
    #[error("{}: the payload is encrypted under the key '{key}', which is not among [codec] keys", self.code())]
    KeyUnknown {
        /// The id of the key, as given in the payload.
        key: String,
    },
    /// It is damaged, or was encrypted under another key with that id: it can never be read.
    #[error("{}: the payload cannot be decrypted with the key '{key}': it is damaged, or the id was used for another \
             key", self.code())]
    Unreadable {
        /// The id of the key.
        key: String,
    },
    /// The system provides no random bytes.
    #[error("{}: the system does not provide random bytes for a nonce", self.code())]
    NotEncrypted,
}

impl CodecError {
    /// Its stable code.
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::KeyUnknown { .. } => ErrorCode::CodecKeyUnknown,
            Self::Unreadable { .. } => ErrorCode::CodecPayloadUnreadable,
            Self::NotEncrypted => ErrorCode::CodecNotEncrypting,
        }
    }
}

/// The keys of a process by id, and the one under which it encrypts.
#[derive(Debug, Clone, Default)]
pub struct KeyRing {
    keys: BTreeMap<KeyId, CodecKey>,
    current: Option<(KeyId, CodecKey)>,
}

impl KeyRing {
    /// Reads the keys that the settings name.
    ///
    /// # Errors
    /// [`Fault`] `codec_key_invalid` with the id or the file, or `codec_current_key_missing`.
    pub fn from_settings(settings: &CodecSettings) -> Result<Self, Fault> {
        let mut keys = BTreeMap::new();
        if let Some(directory) = &settings.keys_directory {
            keys = read_directory(directory)?;
        }
        for (id, source) in &settings.keys {
            let key = match source {
                KeySource::Inline(text) => {
                    let read = CodecKey::read(text.expose_secret().as_bytes());
                    read.map_err(|reason| invalid(&format!("The key '{id}' of [codec] keys"), &reason))?
                }
                KeySource::File { file } => read_file(file)?,
            };
            keys.insert(id.clone(), key);
        }
        let current = match &settings.current_key {
            _ if !settings.encrypt => None,
            Some(id) => Some((id.clone(), keys.get(id).cloned().ok_or_else(|| not_among(id, &keys))?)),
            None if keys.is_empty() => None,
            None => {
                return Err(current_missing("The codec has keys, but [codec] current_key does not name one of them."));
            }
        };
        Ok(Self { keys, current })
    }

    /// Whether it encrypts.
    pub fn encrypts(&self) -> bool {
        self.current.is_some()
    }

    /// The ids of its keys, sorted.
    pub fn ids(&self) -> impl Iterator<Item = &KeyId> {
        self.keys.keys()
    }

    /// Encrypts a payload under the current key; leaves it unchanged if there is none.
    ///
    /// # Errors
    /// [`CodecError::NotEncrypted`].
    pub fn encrypt(&self, payload: Payload) -> Result<Payload, CodecError> {
        let Some((id, key)) = &self.current else { return Ok(payload) };
        let data = key.seal(payload.encode_to_vec()).map_err(|_| CodecError::NotEncrypted)?;
        let metadata =
            [(ENCODING.to_owned(), ENCRYPTED.to_vec()), (KEY_ID.to_owned(), id.as_str().as_bytes().to_vec())];
        Ok(Payload { metadata: metadata.into(), data, ..Payload::default() })
    }

    /// Decrypts a payload under the key that it names; leaves it unchanged if it is not encrypted.
    ///
    /// # Errors
    /// [`CodecError::KeyUnknown`], [`CodecError::Unreadable`].
    pub fn decrypt(&self, payload: &Payload) -> Result<Payload, CodecError> {
        if payload.metadata.get(ENCODING).is_none_or(|encoding| encoding != ENCRYPTED) {
            return Ok(payload.clone());
        }
        let named = payload.metadata.get(KEY_ID).map(|id| String::from_utf8_lossy(id).into_owned()).unwrap_or_default();
        let key = named.parse().ok().and_then(|id: KeyId| self.keys.get(&id));
        let Some(key) = key else { return Err(CodecError::KeyUnknown { key: shown(&named) }) };
        let opened = key.open(&payload.data).map_err(|_| CodecError::Unreadable { key: named.clone() })?;
        Payload::decode(opened.as_slice()).map_err(|_| CodecError::Unreadable { key: named })
    }
}

/// An id from outside, shortened and escaped for a person.
fn shown(id: &str) -> String {
    /// The most of it that is shown, in characters.
    const SHOWN_MAX: usize = 64;
    id.chars().take(SHOWN_MAX).flat_map(char::escape_debug).collect()
}

/// Reads the keys in a directory; each file is a key, and its name the id. Names that start with a dot are ignored: Kubernetes keeps its
/// own links there.
fn read_directory(directory: &Path) -> Result<BTreeMap<KeyId, CodecKey>, Fault> {
    let unreadable =
        |error: std::io::Error| invalid(&format!("The directory of keys {}", directory.display()), &error.to_string());
    let mut keys = BTreeMap::new();
    for entry in std::fs::read_dir(directory).map_err(unreadable)? {
        let file = entry.map_err(unreadable)?.path();
        let name = file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        if name.starts_with('.') {
            continue;
        }
        let id = name.parse().map_err(|reason: String| invalid(&format!("The key in {}", file.display()), &reason))?;
        keys.insert(id, read_file(&file)?);
    }
    Ok(keys)
}

fn read_file(file: &Path) -> Result<CodecKey, Fault> {
    let of_file = |reason: String| invalid(&format!("The key in {}", file.display()), &reason);
    let written = std::fs::read(file).map_err(|error| of_file(error.to_string()))?;
    CodecKey::read(&written).map_err(of_file)
}

fn invalid(what: &str, reason: &str) -> Fault {
    Fault::wrong_use(ErrorCode::CodecKeyInvalid, format!("{what} cannot be used: {reason}."))
}

fn current_missing(message: impl Into<String>) -> Fault {
    Fault::wrong_use(ErrorCode::CodecCurrentKeyMissing, message)
}

fn not_among(id: &KeyId, keys: &BTreeMap<KeyId, CodecKey>) -> Fault {
    let there: Vec<&str> = keys.keys().map(KeyId::as_str).collect();
    let there = if there.is_empty() { "there are none".to_owned() } else { format!("there are {}", there.join(", ")) };
    current_missing(format!("[codec] current_key is '{id}', which is not among the keys: {there}."))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    const KEYS: [(&str, &str); 2] =
        [("1", "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE="), ("2", "AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI=")];

    /// A ring of these of the keys `1` and `2`.
    pub fn ring(ids: &[&str], current: Option<&str>) -> KeyRing {
        let of = KEYS.into_iter().filter(|(id, _)| ids.contains(id));
        let settings = CodecSettings {
            current_key: current.map(|id| id.parse().unwrap()),
            keys: of.map(|(id, key)| (id.parse().unwrap(), KeySource::Inline(key.into()))).collect(),
            encrypt: current.is_some(),
            ..CodecSettings::default()
        };
        KeyRing::from_settings(&settings).unwrap()
    }

    pub fn json(text: &str) -> Payload {
        let metadata = [(ENCODING.to_owned(), b"json/plain".to_vec())].into();
        Payload { metadata, data: text.as_bytes().to_vec(), ..Payload::default() }
    }

    #[test]
    fn what_was_encrypted_is_decrypted_with_its_metadata_and_shows_nothing_meanwhile() {
        let ring = ring(&["1"], Some("1"));
        let plain = json("{\"msisdn\":\"12065551234\"}");
        let encrypted = ring.encrypt(plain.clone()).unwrap();
        assert_eq!(encrypted.metadata["encoding"], b"binary/encrypted");
        assert_eq!(encrypted.metadata["encryption-key-id"], b"1");
        let bytes = encrypted.encode_to_vec();
        assert!(!bytes.windows(11).any(|window| window == b"12065551234"));
        assert_eq!(ring.decrypt(&encrypted).unwrap(), plain);
    }

    #[test]
    fn an_older_key_still_decrypts_and_the_current_one_encrypts() {
        let of_old = ring(&["1"], Some("1")).encrypt(json("1")).unwrap();
        let both = ring(&["1", "2"], Some("2"));
        assert_eq!(both.decrypt(&of_old).unwrap(), json("1"));
        assert_eq!(both.encrypt(json("2")).unwrap().metadata["encryption-key-id"], b"2");
    }

    #[test]
    fn a_key_that_is_not_there_is_told_by_its_id_and_a_code() {
        let of_other = ring(&["2"], Some("2")).encrypt(json("1")).unwrap();
        for without in [ring(&["1"], Some("1")), KeyRing::default()] {
            let error = without.decrypt(&of_other).unwrap_err();
            assert_eq!(error.code(), ErrorCode::CodecKeyUnknown);
            assert!(
                error.to_string().starts_with("codec_key_unknown: ") && error.to_string().contains("'2'"),
                "{error}"
            );
        }
    }

    #[test]
    fn what_is_damaged_is_told_from_what_needs_another_key() {
        let ring = ring(&["1"], Some("1"));
        let mut damaged = ring.encrypt(json("1")).unwrap();
        damaged.data[0] ^= 1;
        assert_eq!(ring.decrypt(&damaged).unwrap_err().code(), ErrorCode::CodecPayloadUnreadable);
    }

    #[test]
    fn what_is_not_encrypted_is_read_as_it_is() {
        let ring = ring(&["1"], Some("1"));
        assert_eq!(ring.decrypt(&json("1")).unwrap(), json("1"));
        assert_eq!(ring.decrypt(&Payload::default()).unwrap(), Payload::default());
        assert_eq!(KeyRing::default().encrypt(json("1")).unwrap(), json("1"));
    }

    #[test]
    fn keys_are_read_from_a_directory_as_kubernetes_mounts_it() {
        let directory = tempfile::tempdir().unwrap();
        for (id, key) in KEYS {
            std::fs::write(directory.path().join(id), key).unwrap();
        }
        std::fs::create_dir(directory.path().join("..2026_11_20")).unwrap();
        let settings = |current: Option<&str>, encrypt| CodecSettings {
            current_key: current.map(|id| id.parse().unwrap()),
            keys_directory: Some(directory.path().to_owned()),
            encrypt,
            ..CodecSettings::default()
        };
        let ring = KeyRing::from_settings(&settings(Some("2"), true)).unwrap();
        assert_eq!(ring.ids().map(KeyId::as_str).collect::<Vec<_>>(), ["1", "2"]);
        let decrypts_only = KeyRing::from_settings(&settings(Some("2"), false)).unwrap();
        assert!(ring.encrypts() && !decrypts_only.encrypts());
        for current in [None, Some("3")] {
            let fault = KeyRing::from_settings(&settings(current, true)).unwrap_err();
            assert_eq!(fault.code, ErrorCode::CodecCurrentKeyMissing, "{fault}");
        }
        std::fs::write(directory.path().join("3"), "short").unwrap();
        let fault = KeyRing::from_settings(&settings(Some("2"), true)).unwrap_err();
        assert_eq!(fault.code, ErrorCode::CodecKeyInvalid);
        assert!(fault.message.contains("/3 cannot be used"), "{fault}");
    }
}
