//! Times in logs.

use chrono::DateTime;

/// A time as RFC 3339, or as PyHSS writes it, with a space before the time of day; in milliseconds.
pub(crate) fn millis(text: &str) -> Option<i64> {
    let written = text.replacen(' ', "T", 1);
    DateTime::parse_from_rfc3339(&written).ok().map(|time| time.timestamp_millis())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_of_a_time_are_read() {
        assert_eq!(millis("1970-01-01T00:00:01.500Z"), Some(1_500));
        assert_eq!(millis("1970-01-01 00:00:01.500000+00:00"), Some(1_500));
        assert_eq!(millis("yesterday"), None);
    }
}
