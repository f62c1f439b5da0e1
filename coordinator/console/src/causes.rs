//! What is held, by cause: orders that wait for a person for the same reason are one line.

use std::collections::BTreeMap;

use interlock_domain::customer::ListedOrder;

/// Why orders are held: what they have in common.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Cause {
    /// The stable code.
    pub(crate) code: String,
    /// The target at which they are held; empty if at none.
    pub(crate) target: String,
    /// The step; empty if the order as a whole.
    pub(crate) step: String,
    /// The explanation, without what differs from order to order.
    pub(crate) text: String,
}

/// The orders of a cause.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Held {
    /// How many.
    pub(crate) count: usize,
    /// Since when the first one is held, RFC 3339.
    pub(crate) first: String,
    /// Since when the last one is.
    pub(crate) last: String,
    /// One of them, as an example.
    pub(crate) example: Option<ListedOrder>,
}

/// The cause of an order. `None` if it waits for nothing that is known.
pub(crate) fn cause(order: &ListedOrder) -> Option<Cause> {
    let wait = order.waiting_for.as_ref()?;
    Some(Cause {
        code: order.code.clone().or_else(|| wait.code().map(str::to_owned)).unwrap_or_default(),
        target: order.target.as_ref().map(ToString::to_string).unwrap_or_default(),
        step: wait.step().unwrap_or_default().to_owned(),
        text: normalised(wait.detail().unwrap_or_default()),
    })
}

/// The causes of these orders, those with most orders first.
pub(crate) fn grouped(orders: &[ListedOrder]) -> Vec<(Cause, Held)> {
    let mut causes: BTreeMap<Cause, Held> = BTreeMap::new();
    for order in orders {
        let Some(cause) = cause(order) else { continue };
        let held = causes.entry(cause).or_default();
        held.count += 1;
        if held.first.is_empty() || order.since < held.first {
            held.first.clone_from(&order.since);
        }
        if order.since > held.last {
            held.last.clone_from(&order.since);
        }
        held.example.get_or_insert_with(|| order.clone());
    }
    let mut causes: Vec<_> = causes.into_iter().collect();
    causes.sort_by(|(one, of_one), (other, of_other)| of_other.count.cmp(&of_one.count).then(one.cmp(other)));
    causes
}

/// A text with `#` for each word that has a digit: numbers, ids and times differ from order to order.
fn normalised(text: &str) -> String {
    let of_id = |sign: char| sign.is_alphanumeric() || "-~_/.:+".contains(sign);
    let mut normal = String::new();
    let mut rest = text;
    while !rest.is_empty() {
        let end = rest.find(|sign| !of_id(sign)).unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        // A full stop or colon at the end belongs to the sentence.
        let (word, mark) = word.split_at(word.trim_end_matches(['.', ':']).len());
        normal += if word.chars().any(|sign| sign.is_ascii_digit()) { "#" } else { word };
        normal += mark;
        let end = after.find(of_id).unwrap_or(after.len());
        let (between, after) = after.split_at(end);
        normal += between;
        rest = after;
    }
    normal
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_from_order_to_order_is_left_out() {
        let of = |number: &str| normalised(&format!("The target says: Subscriber {number} is unknown (404)."));
        assert_eq!(of("001010000000001"), "The target says: Subscriber # is unknown (#).");
        assert_eq!(of("001010000000001"), of("A1~7b-9"));
        assert_eq!(normalised("no digits, none."), "no digits, none.");
        assert_eq!(normalised(""), "");
    }
}
