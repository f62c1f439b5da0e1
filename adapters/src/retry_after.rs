//! The pause that a target asks for, as real servers write it.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::{HeaderName, HeaderValue};

/// A number that is read as a time differs from now by at most this much.
const NEAR: Duration = Duration::from_hours(48);

/// The unit of a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    /// Seconds.
    Seconds,
    /// Milliseconds.
    Milliseconds,
}

/// The longest pause that is kept, and the target that asks for it, for the log.
#[derive(Debug, Clone)]
pub(crate) struct PauseLimit {
    /// The target.
    pub(crate) target: String,
    /// The longest pause.
    pub(crate) longest: Duration,
}

impl PauseLimit {
    /// Reads a pause, and shortens it to the longest one. A shortened one, and one that cannot be read, is logged with what was sent.
    pub(crate) fn read(&self, sent: &str, unit: Unit, now: SystemTime) -> Option<Duration> {
        let Some(pause) = read_pause(sent, unit, now) else {
            tracing::warn!(target_name = %self.target, sent = %shortened(sent), "the target asks for a pause that cannot be read");
            return None;
        };
        if pause > self.longest {
            tracing::warn!(
                target_name = %self.target,
                sent = %shortened(sent),
                used_s = self.longest.as_secs(),
                "the target asks for a pause beyond 'retry_after_max'"
            );
        }
        Some(pause.min(self.longest))
    }

    /// The same for a header.
    pub(crate) fn read_header(&self, value: &HeaderValue, unit: Unit, now: SystemTime) -> Option<Duration> {
        self.read(&String::from_utf8_lossy(value.as_bytes()), unit, now)
    }
}

/// The header `Retry-After`.
pub(crate) const RETRY_AFTER: HeaderName = http::header::RETRY_AFTER;

/// As much of what was sent as a log line has.
fn shortened(sent: &str) -> String {
    sent.chars().filter(|character| !character.is_control()).take(60).collect()
}

/// Reads a pause: a number, with a fraction or not, or a date ([RFC 9110, 10.2.3](https://www.rfc-editor.org/rfc/rfc9110#section-10.2.3)).
/// A number that is near the present time is a time, in seconds or milliseconds since 1970, whatever its unit should be: several servers
/// send that. A time in the past means a pause of 0.
pub(crate) fn read_pause(text: &str, unit: Unit, now: SystemTime) -> Option<Duration> {
    let text = text.trim().trim_matches('"').trim();
    let Ok(number) = text.parse::<f64>() else {
        let at = httpdate::parse_http_date(text).ok().or_else(|| {
            let at = chrono::DateTime::parse_from_rfc3339(text).ok()?;
            Some(SystemTime::from(at))
        })?;
        return Some(at.duration_since(now).unwrap_or(Duration::ZERO));
    };
    if !number.is_finite() || number < 0.0 {
        return None;
    }
    let since_1970 = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
    for seconds in [number, number / 1_000.0] {
        if (seconds - since_1970).abs() <= NEAR.as_secs_f64() {
            return Duration::try_from_secs_f64((seconds - since_1970).max(0.0)).ok();
        }
    }
    let seconds = match unit {
        Unit::Seconds => number,
        Unit::Milliseconds => number / 1_000.0,
    };
    // A longer one than can be represented is shortened anyway.
    Some(Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_is_a_number_a_date_or_a_time() {
        let now = httpdate::parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT").unwrap();
        let epoch = now.duration_since(UNIX_EPOCH).unwrap().as_secs();
        let read = |text: &str| read_pause(text, Unit::Seconds, now);
        let ms = |ms| Some(Duration::from_millis(ms));
        assert_eq!(read("120"), ms(120_000));
        assert_eq!(read(" 1.5 "), ms(1_500));
        assert_eq!(read("0"), ms(0));
        assert_eq!(read("\"7\""), ms(7_000));
        assert_eq!(read("Sun, 06 Nov 1994 08:50:07 GMT"), ms(30_000));
        assert_eq!(read("Sun, 06 Nov 1994 08:00:00 GMT"), ms(0));
        assert_eq!(read("1994-11-06T08:50:07Z"), ms(30_000));
        for at in [format!("{}", epoch + 30), format!("{}.000", epoch + 30), format!("{}000", epoch + 30)] {
            assert_eq!(read(&at), ms(30_000), "{at}");
            assert_eq!(read_pause(&at, Unit::Milliseconds, now), ms(30_000), "{at}");
        }
        assert_eq!(read(&(epoch - 30).to_string()), ms(0), "it is over");
        assert_eq!(read_pause("1500", Unit::Milliseconds, now), ms(1_500));
        for text in ["soon", "", "-1", "NaN", "inf", "1h"] {
            assert_eq!(read(text), None, "{text}");
        }
    }

    #[test]
    fn a_pause_is_at_most_the_longest_one() {
        let limit = PauseLimit { target: "crm".to_owned(), longest: Duration::from_mins(5) };
        let now = SystemTime::now();
        let read = |text: &str| limit.read(text, Unit::Seconds, now);
        assert_eq!(read("300"), Some(Duration::from_mins(5)));
        assert_eq!(read("301"), Some(Duration::from_mins(5)));
        assert_eq!(read("299.5"), Some(Duration::from_millis(299_500)));
        assert_eq!(read("1e300"), Some(Duration::from_mins(5)));
        assert_eq!(read("86400"), Some(Duration::from_mins(5)));
    }
}
