//! The HTTP statuses that a row of a response table matches.

use std::ops::RangeInclusive;

use interlock_domain::error_code::ErrorCode;
use interlock_domain::toml_text::{Entry, Faults};

/// The valid HTTP statuses.
const STATUSES: RangeInclusive<u16> = 100..=599;
/// The statuses whose answer has no body (RFC 9110, 6.4.1).
const BODILESS: [u16; 2] = [204, 304];

/// A set of statuses, written `409`, `"409"`, `"4xx"`, `"500-599"`, or an array of these.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct StatusSet(Vec<RangeInclusive<u16>>);

impl StatusSet {
    /// Every status.
    pub(super) fn all() -> Self {
        Self(vec![STATUSES])
    }

    /// Every status of a success.
    pub(super) fn successes() -> Self {
        Self(vec![200..=299])
    }

    /// This status.
    pub(super) fn one(status: u16) -> Self {
        Self(vec![status..=status])
    }

    pub(super) fn read(entry: Entry<'_>, faults: &mut Faults<'_>) -> Option<Self> {
        let place = entry.spot.clone();
        let mut set = Self(Vec::new());
        let items = entry.one_or_more(faults);
        if items.is_empty() {
            faults.add(
                &place,
                ErrorCode::BadStatus,
                "The list of statuses is empty; omit 'status' to match any status.",
            );
        }
        for item in items {
            let range =
                item.as_integer().map_or_else(|| item.as_text().and_then(range_of), |number| one(number.into()));
            let Some(range) = range.filter(|range| STATUSES.contains(range.start()) && STATUSES.contains(range.end()))
            else {
                let message = "Write statuses from 100 to 599, for example 409, \"4xx\", \"500-599\", or an array of \
                               these.";
                faults.add(&item.spot, ErrorCode::BadStatus, message);
                continue;
            };
            if range.clone().all(|status| set.contains(status)) {
                faults.add(&item.spot, ErrorCode::DuplicateStatus, "This status is already in the list.");
            }
            set.0.push(range);
        }
        (!set.0.is_empty()).then_some(set)
    }

    pub(super) fn contains(&self, status: u16) -> bool {
        self.0.iter().any(|range| range.contains(&status))
    }

    /// All of them, in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = u16> {
        STATUSES.filter(|status| self.contains(*status))
    }

    /// Whether `other` contains all of these.
    pub(super) fn is_within(&self, other: &Self) -> bool {
        self.iter().all(|status| other.contains(status))
    }

    /// Whether answers with these statuses never have a body.
    pub(super) fn is_bodiless(&self) -> bool {
        self.iter().all(|status| status < 200 || BODILESS.contains(&status))
    }
}

fn one(number: i128) -> Option<RangeInclusive<u16>> {
    let status = u16::try_from(number).ok()?;
    Some(status..=status)
}

fn range_of(text: &str) -> Option<RangeInclusive<u16>> {
    if let Some(class) = text.strip_suffix("xx") {
        let class: u16 = class.parse().ok().filter(|class| (1..=5).contains(class))?;
        return Some(class * 100..=class * 100 + 99);
    }
    match text.split_once('-') {
        Some((first, last)) => {
            let (first, last) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
            (first <= last).then_some(first..=last)
        }
        None => one(text.parse::<u16>().ok()?.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_written_as_a_number_a_class_or_from_to() {
        assert_eq!(range_of("409"), Some(409..=409));
        assert_eq!(range_of("4xx"), Some(400..=499));
        assert_eq!(range_of("500 - 503"), Some(500..=503));
        for text in ["9xx", "xx", "503-500", "4x", "", "-"] {
            assert_eq!(range_of(text), None, "{text}");
        }
    }
}
