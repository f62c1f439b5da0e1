//! What an event says, as a digest: a corrected event is told apart from one that is only sent again.

use std::fmt::Write as _;

use serde_json::json;
use sha2::{Digest, Sha256};

use super::{Event, Half};

/// The bytes of a digest.
const DIGEST_BYTES: usize = 8;

impl Event {
    /// The digest of what the producer says. Of what is added on the way (the time of acceptance, the trace) nothing counts, nor does how
    /// the JSON is written.
    pub(crate) fn content(&self) -> String {
        let mut said = json!([
            self.id,
            self.source,
            self.event_type,
            self.subject.as_str(),
            self.time.map(|time| time.0),
            self.sequence,
            self.half.map(Half::as_str),
            self.data,
        ]);
        // Where an event has none, its digest is that of builds that did not know it.
        if let (Some(priority), Some(said)) = (&self.priority, said.as_array_mut()) {
            said.push(json!({ "priority": priority }));
        }
        let mut digest = String::with_capacity(2 * DIGEST_BYTES);
        for byte in Sha256::digest(said.to_string().as_bytes()).iter().take(DIGEST_BYTES) {
            // Writing to a text cannot fail.
            let _never = write!(digest, "{byte:02x}");
        }
        digest
    }
}
