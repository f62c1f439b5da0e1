//! The trace that something belongs to: the `traceparent` of W3C Trace Context, as it comes with requests and events and is
//! sent with calls to targets. It says nothing about the customer, and no decision depends on it.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The CloudEvents extension attribute, and the HTTP header, that carries it.
pub const TRACE_PARENT_ATTRIBUTE: &str = "traceparent";

/// A `traceparent`: a trace, the span in it that is the parent of what comes next, and whether the trace is recorded.
///
/// Written `00-{32 hex digits}-{16 hex digits}-{2 hex digits}`, in lower case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TraceParent {
    trace_id: u128,
    span_id: u64,
    flags: u8,
}

/// The text is not a valid `traceparent`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a traceparent is 00-TRACE-SPAN-FLAGS in lower-case hex digits, 32, 16 and 2 of them")]
pub struct NoTraceParent;

impl TraceParent {
    /// A span in a trace; none if either id is zero, which W3C Trace Context forbids.
    pub fn new(trace_id: u128, span_id: u64, flags: u8) -> Option<Self> {
        (trace_id != 0 && span_id != 0).then_some(Self { trace_id, span_id, flags })
    }

    /// The trace.
    pub fn trace_id(self) -> u128 {
        self.trace_id
    }

    /// The span.
    pub fn span_id(self) -> u64 {
        self.span_id
    }

    /// The flags; bit 0 says that the trace is recorded.
    pub fn flags(self) -> u8 {
        self.flags
    }
}

impl fmt::Display for TraceParent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "00-{:032x}-{:016x}-{:02x}", self.trace_id, self.span_id, self.flags)
    }
}

impl FromStr for TraceParent {
    type Err = NoTraceParent;

    /// Reads unknown versions as version 00, as W3C Trace Context requires: what follows is ignored.
    fn from_str(text: &str) -> Result<Self, NoTraceParent> {
        let mut parts = text.split('-');
        let mut hex = |digits: usize| {
            let part = parts.next().filter(|part| part.len() == digits)?;
            let is_lower_hex = part.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
            is_lower_hex.then_some(part)
        };
        let mut read = || {
            let (version, trace_id, span_id, flags) = (hex(2)?, hex(32)?, hex(16)?, hex(2)?);
            let parent = Self::new(
                u128::from_str_radix(trace_id, 16).ok()?,
                u64::from_str_radix(span_id, 16).ok()?,
                u8::from_str_radix(flags, 16).ok()?,
            )?;
            Some((version, parent))
        };
        let (version, parent) = read().ok_or(NoTraceParent)?;
        let is_known = version == "00" && parts.next().is_none();
        (is_known || !matches!(version, "00" | "ff")).then_some(parent).ok_or(NoTraceParent)
    }
}

impl Serialize for TraceParent {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Reads one if there is one; an invalid one counts as absent. For `#[serde(deserialize_with)]`: an order is not
/// rejected because of its trace.
pub fn read_leniently<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<TraceParent>, D::Error> {
    let value = Option::<serde_json::Value>::deserialize(deserializer)?;
    Ok(value.as_ref().and_then(of_value))
}

/// The `traceparent` in a JSON value, if it is a valid one.
pub fn of_value(value: &serde_json::Value) -> Option<TraceParent> {
    value.as_str()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXAMPLE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    #[test]
    fn it_is_written_as_it_is_read() {
        let parent: TraceParent = EXAMPLE.parse().unwrap();
        assert_eq!(parent.to_string(), EXAMPLE);
        assert_eq!((parent.span_id(), parent.flags()), (0xb7ad_6b71_6920_3331, 1));
        assert_eq!(serde_json::to_value(parent).unwrap(), EXAMPLE);
    }

    #[test]
    fn what_w3c_forbids_is_none() {
        let wrong = [
            String::new(),
            EXAMPLE.to_uppercase(),
            EXAMPLE.replace("b7ad6b7169203331", "0000000000000000"),
            EXAMPLE.replace("0af7651916cd43dd8448eb211c80319c", &"0".repeat(32)),
            EXAMPLE.replace("00-0af", "ff-0af"),
            EXAMPLE.replace("-01", "-1"),
            EXAMPLE.replace("-01", "-+1"),
            format!("{EXAMPLE}-more"),
        ];
        for wrong in wrong {
            assert_eq!(wrong.parse::<TraceParent>(), Err(NoTraceParent), "{wrong}");
        }
        // A later version may say more.
        assert!(EXAMPLE.replace("00-0af", "01-0af").parse::<TraceParent>().is_ok());
        assert!(format!("{}-more", EXAMPLE.replace("00-0af", "01-0af")).parse::<TraceParent>().is_ok());
    }
}
