//! Call backs: a target reports that a job that it accepted may be over.
//!
//! A call back decides nothing. It only brings the question about the job forward: what became of it, the target says when it is
//! asked. So no order depends on a call back that is lost, comes twice, comes too early or is sent by somebody who saw its URL.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use thiserror::Error;

use crate::attempt::Left;
use crate::error_code::ErrorCode;
use crate::ids::Timestamp;

/// The shortest key, in bytes.
pub const KEY_BYTES_MIN: usize = 32;
/// The longest token, in bytes. The ids in it have at most 1,000 bytes each in Temporal, and far less here.
pub const TOKEN_BYTES_MAX: usize = 4_096;
/// The shortest time between two questions about a job that call backs cause, in milliseconds.
pub const ASK_EVERY_MS: u64 = 1_000;

/// A call at a target, as Temporal knows it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct CallPlace {
    /// The namespace.
    #[serde(rename = "n")]
    pub namespace: String,
    /// The workflow and the run that the activity belongs to. `None` for a standalone activity.
    #[serde(rename = "w", default, skip_serializing_if = "Option::is_none")]
    pub workflow: Option<WorkflowRun>,
    /// The id of the activity.
    #[serde(rename = "a")]
    pub activity_id: String,
}

/// A run of a workflow.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct WorkflowRun {
    /// The id of the workflow.
    #[serde(rename = "i")]
    pub workflow_id: String,
    /// The id of the run.
    #[serde(rename = "r")]
    pub run_id: String,
}

/// A key is too short.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the key for call backs has {bytes} bytes; it needs at least {KEY_BYTES_MIN}")]
pub struct KeyTooShort {
    /// Its length.
    pub bytes: usize,
}

/// The keys of the tokens in the URLs of call backs. They are never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct CallbackKeys(Vec<String>);

impl fmt::Debug for CallbackKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CallbackKeys({})", self.0.len())
    }
}

impl CallbackKeys {
    /// The first key signs, and all are accepted.
    ///
    /// # Errors
    /// [`KeyTooShort`].
    pub fn new(keys: Vec<String>) -> Result<Self, KeyTooShort> {
        match keys.iter().find(|key| key.len() < KEY_BYTES_MIN) {
            Some(short) => Err(KeyTooShort { bytes: short.len() }),
            None => Ok(Self(keys)),
        }
    }

    /// The token of a call: the place in JSON and its HMAC-SHA256 (RFC 2104), each in base64 for URLs (RFC 4648 §5), separated by a
    /// dot. `None` if there is no key.
    pub fn sign(&self, call: &CallPlace) -> Option<String> {
        let payload = serde_json::to_vec(call).ok()?;
        let mac = mac(self.0.first()?, &payload).finalize().into_bytes();
        Some(format!("{}.{}", URL_SAFE_NO_PAD.encode(payload), URL_SAFE_NO_PAD.encode(mac)))
    }

    /// The call that a token was made for. `None` if none of the keys made it. How long the comparison takes reveals nothing.
    pub fn verify(&self, token: &str) -> Option<CallPlace> {
        if token.len() > TOKEN_BYTES_MAX {
            return None;
        }
        let (payload, signature) = token.split_once('.')?;
        let payload = URL_SAFE_NO_PAD.decode(payload).ok()?;
        let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
        let is_ours = self.0.iter().any(|key| mac(key, &payload).verify_slice(&signature).is_ok());
        is_ours.then(|| serde_json::from_slice(&payload).ok()).flatten()
    }
}

fn mac(key: &str, payload: &[u8]) -> Hmac<Sha256> {
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key.as_bytes()) else {
        unreachable!("HMAC takes keys of any length")
    };
    // A key that also serves something else makes no token by accident.
    mac.update(b"interlock call back 1\n");
    mac.update(payload);
    mac
}

/// Where targets report the end of a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallbackUrls {
    base_url: String,
    keys: CallbackKeys,
}

impl CallbackUrls {
    /// Below the URL at which targets reach the gateway.
    pub fn new(base_url: &str, keys: CallbackKeys) -> Self {
        Self { base_url: base_url.trim_end_matches('/').to_owned(), keys }
    }

    /// The URL for a call: `{base_url}/v1/callbacks/{token}`.
    pub fn of(&self, call: &CallPlace) -> Option<String> {
        Some(format!("{}/v1/callbacks/{}", self.base_url, self.keys.sign(call)?))
    }
}

/// The time for which a call that waits is left to itself, in milliseconds: its next attempt comes about as soon as one that was brought
/// forward. So the server is never told to begin an attempt that may just be beginning.
pub const LEFT_ALONE_MS: u64 = 1_000;

/// What is known about a call that is not over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PendingCall {
    /// An attempt is running: it makes the call, or asks about its job.
    pub is_running: bool,
    /// A person paused it.
    pub is_paused: bool,
    /// What its attempts left behind.
    pub left: Option<Left>,
    /// Its last attempt ended because the target works on the job. Otherwise the target refused to be asked, or could not be.
    pub was_told: bool,
    /// When its last attempt ended.
    pub ended_at: Option<Timestamp>,
    /// For when its next attempt is scheduled. `None` if it waits for a worker, or for its target's turn.
    pub next_at: Option<Timestamp>,
    /// It ends without an answer at some time, and the server would then forget why it waited if it had been brought forward.
    pub may_expire: bool,
}

/// What to do about a call back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AfterCallback {
    /// Ask the target now.
    Ask,
    /// Look at the call again in a moment: the answer with the job is still under way, or the target was asked just now, perhaps
    /// before the job was over.
    LookAgain,
    /// Nothing needs to be done.
    Nothing,
}

/// What to do about a call back for this call; none if the call is over.
pub fn after_callback(call: Option<PendingCall>, now: Timestamp) -> AfterCallback {
    let Some(call) = call else { return AfterCallback::Nothing };
    // Who paused the call lets it continue; then the target is asked.
    if call.is_paused || call.may_expire {
        return AfterCallback::Nothing;
    }
    if call.is_running {
        return AfterCallback::LookAgain;
    }
    // If not: in doubt, not sent, or the target has asked for a pause. The next attempt finds out in its time.
    let waits_for_its_job = matches!(call.left, Some(Left::Accepted { .. })) && call.was_told;
    let is_due = call.next_at.is_none_or(|at| at <= now.plus_ms(LEFT_ALONE_MS));
    if !waits_for_its_job || is_due {
        return AfterCallback::Nothing;
    }
    // The end of an attempt lies in the future if the clocks of server and gateway differ. The limit then has no effect.
    let since_ms = call.ended_at.map(|at| now.0.saturating_sub(at.0)).and_then(|since| u64::try_from(since).ok());
    if since_ms.is_some_and(|since| since < ASK_EVERY_MS) { AfterCallback::LookAgain } else { AfterCallback::Ask }
}

/// Why a call back is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum CallbackRefused {
    /// No key made its token.
    #[error("the URL was not issued by this installation, or its key was removed")]
    Unknown,
    /// The call is still being made.
    #[error("the call that the job belongs to is still under way; report again later")]
    UnderWay,
}

impl CallbackRefused {
    /// Its stable code.
    pub fn code(self) -> ErrorCode {
        match self {
            Self::Unknown => ErrorCode::CallbackUnknown,
            Self::UnderWay => ErrorCode::CallUnderWay,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(texts: &[&str]) -> CallbackKeys {
        CallbackKeys::new(texts.iter().map(|text| text.repeat(KEY_BYTES_MIN)).collect()).unwrap()
    }

    fn place() -> CallPlace {
        let workflow = WorkflowRun { workflow_id: "blue/customer/A1".to_owned(), run_id: "r".to_owned() };
        CallPlace { namespace: "default".to_owned(), workflow: Some(workflow), activity_id: "7".to_owned() }
    }

    #[test]
    fn a_token_names_its_call_and_only_the_keys_make_one() {
        let (old, new, both) = (keys(&["o"]), keys(&["n"]), keys(&["n", "o"]));
        let standalone = CallPlace { workflow: None, ..place() };
        for call in [place(), standalone] {
            let token = old.sign(&call).unwrap();
            assert!(token.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte)), "{token}");
            assert_eq!((old.verify(&token), both.verify(&token)), (Some(call.clone()), Some(call.clone())));
            assert_eq!((new.verify(&token), keys(&[]).verify(&token)), (None, None));
            assert_eq!(new.verify(&both.sign(&call).unwrap()), Some(call), "the first signs");
        }
        assert_eq!(keys(&[]).sign(&place()), None);
        assert!(!format!("{:?}", keys(&["s"])).contains("ss"));
    }

    #[test]
    fn a_changed_token_is_nobodys() {
        let keys = keys(&["k"]);
        let token = keys.sign(&place()).unwrap();
        for at in 0..token.len() {
            let mut changed = token.clone().into_bytes();
            changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(changed).unwrap();
            // The last character of each part has bits that belong to no byte; those must be 0.
            assert_eq!(keys.verify(&changed), None, "{changed}");
        }
        let (payload, signature) = token.split_once('.').unwrap();
        let others = keys.sign(&CallPlace { activity_id: "8".to_owned(), ..place() }).unwrap();
        let of_others = others.split_once('.').unwrap().1;
        for forged in [
            String::new(),
            ".".to_owned(),
            payload.to_owned(),
            format!("{payload}."),
            format!("{payload}.{of_others}"),
            format!(".{signature}"),
            format!("{payload}.{}", &signature[..signature.len() / 2]),
            format!("{token}.{signature}"),
        ] {
            assert_eq!(keys.verify(&forged), None, "{forged}");
        }
    }

    #[test]
    fn a_token_of_the_longest_length_is_read_and_a_longer_one_is_not() {
        let keys = keys(&["k"]);
        let with = |letters: usize| keys.sign(&CallPlace { activity_id: "a".repeat(letters), ..place() }).unwrap();
        let longest = (0..TOKEN_BYTES_MAX).map(with).take_while(|token| token.len() <= TOKEN_BYTES_MAX).last().unwrap();
        assert!(keys.verify(&longest).is_some());
        let longer = (2_900..TOKEN_BYTES_MAX).map(with).find(|token| token.len() > TOKEN_BYTES_MAX).unwrap();
        assert!(longer.len() <= TOKEN_BYTES_MAX + 2 && keys.verify(&longer).is_none(), "{}", longer.len());
    }

    #[test]
    fn a_short_key_is_refused() {
        let of = |bytes: usize| CallbackKeys::new(vec!["k".repeat(bytes)]);
        assert_eq!(of(KEY_BYTES_MIN - 1), Err(KeyTooShort { bytes: KEY_BYTES_MIN - 1 }));
        assert!(of(KEY_BYTES_MIN).is_ok());
    }

    #[test]
    fn a_url_ends_with_the_token() {
        let keys = keys(&["k"]);
        for base in ["https://x.example/interlock", "https://x.example/interlock/"] {
            let url = CallbackUrls::new(base, keys.clone()).of(&place()).unwrap();
            let token = url.strip_prefix("https://x.example/interlock/v1/callbacks/").unwrap();
            assert_eq!(keys.verify(token), Some(place()));
        }
    }

    #[test]
    fn only_a_call_that_waits_for_its_job_is_asked_about_and_at_most_once_a_second() {
        let now = Timestamp(100_000);
        let waits = PendingCall {
            is_running: false,
            is_paused: false,
            left: Some(Left::Accepted { since: Timestamp(0) }),
            was_told: true,
            ended_at: Some(Timestamp(99_000)),
            next_at: Some(Timestamp(101_001)),
            may_expire: false,
        };
        let doubt = Some(Left::MaybeSent { until: Timestamp(0) });
        for (call, expected) in [
            (None, AfterCallback::Nothing),
            (Some(waits), AfterCallback::Ask),
            (Some(PendingCall { ended_at: None, ..waits }), AfterCallback::Ask),
            (Some(PendingCall { ended_at: Some(Timestamp(99_001)), ..waits }), AfterCallback::LookAgain),
            (Some(PendingCall { ended_at: Some(Timestamp(100_000)), ..waits }), AfterCallback::LookAgain),
            (Some(PendingCall { ended_at: Some(Timestamp(100_001)), ..waits }), AfterCallback::Ask),
            (Some(PendingCall { next_at: Some(Timestamp(101_000)), ..waits }), AfterCallback::Nothing),
            (Some(PendingCall { next_at: None, ..waits }), AfterCallback::Nothing),
            (Some(PendingCall { was_told: false, ..waits }), AfterCallback::Nothing),
            (Some(PendingCall { may_expire: true, ..waits }), AfterCallback::Nothing),
            (Some(PendingCall { is_running: true, ..waits }), AfterCallback::LookAgain),
            (Some(PendingCall { is_running: true, left: None, ..waits }), AfterCallback::LookAgain),
            (Some(PendingCall { is_paused: true, ..waits }), AfterCallback::Nothing),
            (Some(PendingCall { is_paused: true, is_running: true, ..waits }), AfterCallback::Nothing),
            (Some(PendingCall { left: doubt, ..waits }), AfterCallback::Nothing),
            (Some(PendingCall { left: Some(Left::Settled), ..waits }), AfterCallback::Nothing),
            (Some(PendingCall { left: None, ..waits }), AfterCallback::Nothing),
        ] {
            assert_eq!(after_callback(call, now), expected, "{call:?}");
        }
    }
}
