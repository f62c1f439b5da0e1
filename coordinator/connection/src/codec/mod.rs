//! Data at rest in Temporal: everything that goes into histories is encrypted, if there are keys.
//!
//! The format is that of Temporal's own samples, so that producers in other languages, and people with a codec server of
//! theirs, can use those as they are: AES-256-GCM, the metadata `encoding: binary/encrypted` and `encryption-key-id`, and as
//! data a random nonce of 12 bytes followed by the sealed payload. The payload is sealed whole, its metadata included. There
//! is no associated data: the SDK tells a codec nothing of where a payload belongs, so that there is nothing to bind.
//!
//! What is not encrypted is still read: producers need no codec. Under which key something was encrypted stands beside it, so
//! that older keys decrypt for as long as they are kept.

mod key;
mod key_ring;
mod payload_codec;

pub use key::{CodecKey, KEY_BYTES};
pub use key_ring::{CodecError, KeyRing};
pub use payload_codec::{AtRest, data_converter};
