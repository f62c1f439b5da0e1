//! Tables for a person, made of the views that machines get as JSON.

use comfy_table::presets::NOTHING;
use comfy_table::{ContentArrangement, Table, TableComponent};
use interlock_observability::terminal;
use serde_json::Value;

/// A table with these headings.
pub(super) fn table(headings: &[&str]) -> Table {
    let mut table = Table::new();
    table
        .load_preset(NOTHING)
        .set_style(TableComponent::HeaderLines, '─')
        .set_style(TableComponent::MiddleHeaderIntersections, '─')
        // Ids stay in one piece, so that they can be copied, however narrow the terminal is.
        .set_content_arrangement(ContentArrangement::Disabled)
        .set_header(headings);
    table
}

/// A field as text; a dash where it is not there or null.
pub(super) fn text(value: &Value, name: &str) -> String {
    plain(value.get(name).unwrap_or(&Value::Null))
}

/// The elements of a list; none where it is not there.
pub(super) fn list<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value.get(name).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn plain(value: &Value) -> String {
    match value {
        Value::Null => "–".to_owned(),
        Value::String(text) if text.is_empty() => "–".to_owned(),
        Value::String(text) => terminal::line(text).into_owned(),
        other => other.to_string(),
    }
}

/// How the entity ended that showed this, where it did: nothing of it goes on then.
pub(super) fn ended(view: &Value) -> Option<String> {
    let ended = view.get("entity_ended").and_then(Value::as_str)?;
    Some(format!("its entity was {ended}: none of this continues (see: interlock errors entity_ended)"))
}

/// What an order waits for, in words.
pub(super) fn waiting_for(order: &Value) -> String {
    let Some(waiting) = order.get("waiting_for").filter(|waiting| !waiting.is_null()) else { return "–".to_owned() };
    let field = |name: &str| text(waiting, name);
    match waiting.get("waits_for").and_then(Value::as_str) {
        Some("lease") => format!("the lease of {}", field("resource")),
        Some("turn") => format!("its turn at {}, behind {}", field("target"), field("behind")),
        Some("target") => format!("{} to answer {}", field("target"), field("step")),
        Some("settling") => format!("an earlier request to {} to arrive", field("target")),
        Some("admission") => "its plan".to_owned(),
        Some("person") => format!("a person: {}", field("detail")),
        Some(other) => other.to_owned(),
        None => plain(waiting),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_an_order_waits_for_is_said_in_words() {
        let order = |waiting: Value| json!({"waiting_for": waiting});
        assert_eq!(waiting_for(&order(Value::Null)), "–");
        let lease = json!({"waits_for": "lease", "resource": "msisdn/1206"});
        assert_eq!(waiting_for(&order(lease)), "the lease of msisdn/1206");
        assert_eq!(waiting_for(&order(json!({"waits_for": "admission"}))), "its plan");
        assert_eq!(waiting_for(&order(json!({"waits_for": "window"}))), "window");
    }
}
