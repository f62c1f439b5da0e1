//! How long ago something was, for a person.

use chrono::{DateTime, TimeDelta, Utc};

/// The two largest units of a past time: `2 h 10 min`. A future time is `0 s`.
pub(super) fn age(since: DateTime<Utc>, now: DateTime<Utc>) -> String {
    let past = (now - since).max(TimeDelta::zero());
    let units = [
        (past.num_days(), "d"),
        (past.num_hours() % 24, "h"),
        (past.num_minutes() % 60, "min"),
        (past.num_seconds() % 60, "s"),
    ];
    let first = units.iter().position(|(count, _)| *count > 0).unwrap_or(units.len() - 1);
    let shown = units[first..].iter().take(2).enumerate();
    let parts = shown.filter(|(place, (count, _))| *place == 0 || *count > 0);
    parts.map(|(_, (count, unit))| format!("{count} {unit}")).collect::<Vec<_>>().join(" ")
}

/// The same for a view's time in RFC 3339; none if it is invalid.
pub(super) fn age_of(since: &str, now: DateTime<Utc>) -> Option<String> {
    let since = DateTime::parse_from_rfc3339(since).ok()?;
    Some(age(since.to_utc(), now))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_has_its_two_biggest_units() {
        let now = Utc::now();
        let ago = |seconds| age(now - TimeDelta::seconds(seconds), now);
        assert_eq!(ago(0), "0 s");
        assert_eq!(ago(59), "59 s");
        assert_eq!(ago(60), "1 min");
        assert_eq!(ago(2 * 3_600 + 10 * 60 + 5), "2 h 10 min");
        assert_eq!(ago(3 * 86_400 + 59), "3 d");
        assert_eq!(ago(86_400 + 3_600), "1 d 1 h");
        assert_eq!(ago(-5), "0 s");
    }
}
