//! A key and its id.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::error::Unspecified;
use ring::rand::{SecureRandom, SystemRandom};

/// The length of a key: AES-256.
pub const KEY_BYTES: usize = 32;

/// A key of AES-256-GCM. It is never printed.
#[derive(Clone)]
pub struct CodecKey {
    key: LessSafeKey,
    random: SystemRandom,
}

impl CodecKey {
    /// The key in a file or a setting: its 32 bytes, raw or in base64; white space around it is ignored.
    ///
    /// # Errors
    /// Why it is not a valid key, as a sentence that reveals nothing of the key.
    pub fn read(written: &[u8]) -> Result<Self, String> {
        let of_length = |bytes: &[u8]| UnboundKey::new(&AES_256_GCM, bytes).map_err(|_| wrong_length(bytes.len()));
        let key = if written.len() == KEY_BYTES {
            of_length(written)?
        } else {
            let bytes =
                STANDARD.decode(written.trim_ascii()).map_err(|_| "it is neither base64 nor 32 bytes".to_owned())?;
            of_length(&bytes)?
        };
        Ok(Self { key: LessSafeKey::new(key), random: SystemRandom::new() })
    }

    /// Encrypts: a fresh random nonce, then the sealed text. The random nonces limit a key to some billion payloads:
    /// deploy/docs/data-at-rest.md says when to make a new one.
    ///
    /// # Errors
    /// If the system provides no random bytes.
    pub(super) fn seal(&self, mut plain: Vec<u8>) -> Result<Vec<u8>, Unspecified> {
        let mut nonce = [0; NONCE_LEN];
        self.random.fill(&mut nonce)?;
        let unique = Nonce::assume_unique_for_key(nonce);
        self.key.seal_in_place_append_tag(unique, Aad::empty(), &mut plain)?;
        Ok([nonce.as_slice(), &plain].concat())
    }

    /// Decrypts what [`CodecKey::seal`] made.
    ///
    /// # Errors
    /// If it is damaged, or was sealed with another key.
    pub(super) fn open(&self, sealed: &[u8]) -> Result<Vec<u8>, Unspecified> {
        let (nonce, sealed) = sealed.split_at_checked(NONCE_LEN).ok_or(Unspecified)?;
        let mut opened = sealed.to_vec();
        let nonce = Nonce::try_assume_unique_for_key(nonce)?;
        let length = self.key.open_in_place(nonce, Aad::empty(), &mut opened)?.len();
        opened.truncate(length);
        Ok(opened)
    }
}

impl fmt::Debug for CodecKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CodecKey(hidden)")
    }
}

fn wrong_length(length: usize) -> String {
    format!("it is {length} bytes long, not {KEY_BYTES}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_32_bytes_as_they_are_or_in_base64() {
        let raw = [7; KEY_BYTES];
        let text = format!("{}\n", STANDARD.encode(raw));
        let sealed = CodecKey::read(&raw).unwrap().seal(b"N".to_vec()).unwrap();
        assert_eq!(CodecKey::read(text.as_bytes()).unwrap().open(&sealed).unwrap(), b"N");
        for (wrong, why) in
            [(STANDARD.encode([7; 31]), "31 bytes"), ("no key".to_owned(), "neither"), (String::new(), "0 bytes")]
        {
            assert!(CodecKey::read(wrong.as_bytes()).unwrap_err().contains(why), "{wrong}");
        }
        assert_eq!(format!("{:?}", CodecKey::read(&raw).unwrap()), "CodecKey(hidden)");
    }

    #[test]
    fn the_same_is_never_encrypted_to_the_same() {
        let key = CodecKey::read(&[7; KEY_BYTES]).unwrap();
        assert_ne!(key.seal(b"N".to_vec()).unwrap(), key.seal(b"N".to_vec()).unwrap());
    }

    #[test]
    fn what_is_damaged_anywhere_or_cut_off_is_not_decrypted() {
        let key = CodecKey::read(&[7; KEY_BYTES]).unwrap();
        let sealed = key.seal(b"number".to_vec()).unwrap();
        for place in 0..sealed.len() {
            let mut damaged = sealed.clone();
            damaged[place] ^= 1;
            assert!(key.open(&damaged).is_err(), "byte {place}");
            assert!(key.open(&sealed[..place]).is_err(), "{place} bytes");
        }
    }
}
