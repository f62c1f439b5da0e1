//! Signatures as Standard Webhooks describes them: `v1,` and the base64 of HMAC-SHA256 over `{id}.{timestamp}.{body}`.

use std::fmt::Display;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use hmac::{Hmac, Mac};
use http::HeaderName;
use interlock_domain::ids::{SubscriptionId, TargetId, TenantId};
use secrecy::{ExposeSecret, SecretSlice, SecretString};
use sha2::Sha256;

use crate::error::RegistryError;
use crate::secret::Secret;

/// What a key begins with. It says that base64 follows.
const PREFIX: &str = "whsec_";
/// The lengths of a key that Standard Webhooks allows, in bytes.
const KEY_BYTES: std::ops::RangeInclusive<usize> = 24..=64;

/// The key of the receiver of a subscription that a tenant made itself: `whsec_` and the base64 of 32 bytes. It follows from a key in the
/// settings, so it need not be kept.
///
/// # Panics
/// Never: HMAC takes keys of any length.
pub fn receiver_key(key: &[u8], tenant: &TenantId, subscription: &SubscriptionId) -> SecretString {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.update(format!("interlock:receiver:{}/{}", tenant.encoded(), subscription.encoded()).as_bytes());
    format!("{PREFIX}{}", BASE64_STANDARD.encode(mac.finalize().into_bytes())).into()
}

/// The keys of a receiver.
pub(super) struct Signer {
    keys: Vec<SecretSlice<u8>>,
}

impl Signer {
    /// Reads the keys. All of them sign, so that a receiver can change its key while events arrive.
    pub(super) fn new(target: &TargetId, keys: &[Secret]) -> Result<Self, RegistryError> {
        let fault = |detail: &dyn Display| RegistryError::Secret { target: target.clone(), detail: detail.to_string() };
        let read = |secret: &Secret| {
            let text = secret.read().map_err(|missing| fault(&missing))?;
            let text = text.expose_secret();
            let encoded = text.strip_prefix(PREFIX).unwrap_or(text);
            let key = BASE64_STANDARD.decode(encoded).map_err(|_| {
                fault(&format_args!("a signing key is not base64; 'echo {PREFIX}$(openssl rand -base64 32)' makes one"))
            })?;
            if !KEY_BYTES.contains(&key.len()) {
                let (min, max) = (KEY_BYTES.start(), KEY_BYTES.end());
                return Err(fault(&format_args!("a signing key has {} bytes; it must have {min} to {max}", key.len())));
            }
            Ok(SecretSlice::from(key))
        };
        Ok(Self { keys: keys.iter().map(read).collect::<Result<_, RegistryError>>()? })
    }

    /// The headers of a request with this body, sent at this time in seconds since 1970. None without a key.
    pub(super) fn headers(&self, id: &str, sent_at: u64, body: &str) -> Vec<(HeaderName, String)> {
        if self.keys.is_empty() {
            return Vec::new();
        }
        let signed = format!("{id}.{sent_at}.{body}");
        let signatures: Vec<String> = self.keys.iter().map(|key| signature(key.expose_secret(), &signed)).collect();
        vec![
            (HeaderName::from_static("webhook-id"), id.to_owned()),
            (HeaderName::from_static("webhook-timestamp"), sent_at.to_string()),
            (HeaderName::from_static("webhook-signature"), signatures.join(" ")),
        ]
    }
}

fn signature(key: &[u8], signed: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.update(signed.as_bytes());
    format!("v1,{}", BASE64_STANDARD.encode(mac.finalize().into_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signer(keys: &[&str]) -> Result<Signer, RegistryError> {
        let keys: Vec<Secret> = keys.iter().map(|key| Secret::from(*key)).collect();
        Signer::new(&"hook".parse().unwrap(), &keys)
    }

    #[test]
    fn a_signature_is_that_of_the_reference_implementation() {
        // Computed with the package `standardwebhooks` of PyPI.
        let signer = signer(&["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"]).unwrap();
        let headers = signer.headers("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, r#"{"test": 2432232314}"#);
        assert_eq!(headers[2].1, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
        assert_eq!((headers[0].1.as_str(), headers[1].1.as_str()), ("msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330"));
    }

    #[test]
    fn while_a_key_is_changed_both_sign() {
        let (old, new) = (format!("whsec_{}", "A".repeat(32)), format!("whsec_{}", "B".repeat(32)));
        let both = signer(&[&new, &old]).unwrap().headers("1", 5, "{}")[2].1.clone();
        let of = |key: &str| signer(&[key]).unwrap().headers("1", 5, "{}")[2].1.clone();
        assert_eq!(both, format!("{} {}", of(&new), of(&old)));
    }

    #[test]
    fn each_receiver_has_its_own_key() {
        let key = |tenant: &str, subscription: &str| {
            let key = receiver_key(&[7; 32], &tenant.parse().unwrap(), &subscription.parse().unwrap());
            key.expose_secret().to_owned()
        };
        assert_eq!(key("blue", "1"), key("blue", "1"));
        assert_ne!(key("blue", "1"), key("blue", "2"));
        assert_ne!(key("blue", "1"), key("red", "1"));
        assert!(signer(&[&key("blue", "1")]).is_ok());
    }

    #[test]
    fn without_a_key_nothing_is_signed_and_a_bad_key_is_an_error() {
        assert_eq!(signer(&[]).unwrap().headers("1", 5, "{}"), vec![]);
        let bytes = |count: usize| BASE64_STANDARD.encode(vec![7; count]);
        for good in [bytes(24), bytes(64)] {
            assert!(signer(&[&good]).is_ok());
        }
        for bad in ["whsec_ü".to_owned(), bytes(23), bytes(65)] {
            assert_eq!(signer(&[&bad]).err().unwrap().code(), "target_secret_missing", "{bad}");
        }
    }
}
