//! Data at rest in Temporal: everything that is stored in histories is encrypted, if there are keys.
//!
//! The format is that of Temporal's own samples, so that producers in other languages, and people with their own codec
//! server, can use those unchanged: AES-256-GCM, the metadata `encoding: binary/encrypted` and `encryption-key-id`, and as
//! data a random nonce of 12 bytes followed by the sealed payload. The whole payload is sealed, including its metadata. There
//! is no associated data: the SDK does not tell a codec which workflow a payload belongs to.
//!
//! Payloads that are not encrypted are still read: producers need no codec. Each payload names the key that encrypted it, so
//! older keys still decrypt as long as they are kept.

mod key;
mod key_ring;
mod payload_codec;

pub use key::{CodecKey, KEY_BYTES};
pub use key_ring::{CodecError, KeyRing};
pub use payload_codec::{AtRest, data_converter};
