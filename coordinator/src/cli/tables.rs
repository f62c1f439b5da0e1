//! Tables for a person, made from the views that programs get as JSON.

use comfy_table::presets::NOTHING;
use comfy_table::{ContentArrangement, Table, TableComponent};
use interlock_domain::customer::waiting::WaitingFor;
use interlock_domain::customer::{Wait, WaitView};
use interlock_domain::entity_end::EntityEnd;
use interlock_domain::wire::WireName;
use interlock_observability::terminal;

/// A table with these headings.
pub(super) fn table(headings: &[&str]) -> Table {
    let mut table = Table::new();
    table
        .load_preset(NOTHING)
        .set_style(TableComponent::HeaderLines, '─')
        .set_style(TableComponent::MiddleHeaderIntersections, '─')
        // Ids are never wrapped, so that they can be copied, however narrow the terminal is.
        .set_content_arrangement(ContentArrangement::Disabled)
        .set_header(headings);
    table
}

/// A text in a cell; a dash if it is empty.
pub(super) fn text(text: &str) -> String {
    if text.is_empty() { "–".to_owned() } else { terminal::line(text).into_owned() }
}

/// A value in a cell; a dash if it is absent.
pub(super) fn cell<T: ToString>(value: Option<T>) -> String {
    text(&value.map(|value| value.to_string()).unwrap_or_default())
}

/// The width of a cell of prose: a table with two of them fits on a wide terminal, and in a log.
const PROSE_WIDTH: usize = 40;

/// A sentence in a cell, over several lines; a dash if it is empty. Words, which may be ids and addresses to copy, stay whole.
pub(super) fn prose(sentence: &str) -> String {
    let sentence = text(sentence);
    let mut lines: Vec<String> = Vec::new();
    for word in sentence.split(' ') {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= PROSE_WIDTH => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines.join("\n")
}

/// A sentence in a cell, over several lines; a dash if it is absent.
pub(super) fn prose_cell<T: ToString>(sentence: Option<T>) -> String {
    prose(&sentence.map(|sentence| sentence.to_string()).unwrap_or_default())
}

/// How the entity of a view ended, if it did: its state no longer changes.
pub(super) fn ended(ended: Option<&WireName<EntityEnd>>) -> Option<String> {
    let ended = text(ended?.as_str());
    Some(format!("its entity was {ended}: none of this continues (see: interlock errors entity_ended)"))
}

/// What an order waits for, in words.
pub(super) fn waiting_for(waiting: Option<&WaitView>) -> String {
    let Some(waiting) = waiting else { return "–".to_owned() };
    let target = || cell(waiting.target());
    match &waiting.wait {
        Wait::Known(WaitingFor::Lease { resource, .. }) => format!("the lease of {}", text(&resource.to_string())),
        Wait::Known(WaitingFor::Turn { behind, .. }) => {
            format!("its turn at {}, behind {}", target(), cell(behind.as_ref()))
        }
        Wait::Known(WaitingFor::Target { step, .. }) => format!("{} to answer {}", target(), text(step)),
        Wait::Known(WaitingFor::Settling { .. }) => format!("an earlier request to {} to arrive", target()),
        Wait::Known(WaitingFor::Admission { .. }) => "its plan".to_owned(),
        Wait::Known(WaitingFor::Person { detail, .. }) => format!("a person: {}", text(detail)),
        Wait::Other(other) => text(other.waits_for.as_str()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn what_an_order_waits_for_is_said_in_words() {
        let said = |waiting: Value| waiting_for(serde_json::from_value::<Option<WaitView>>(waiting).unwrap().as_ref());
        assert_eq!(said(Value::Null), "–");
        let lease = json!({"waits_for": "lease", "resource": "msisdn/1206", "resources": [], "step": "s", "since": ""});
        assert_eq!(said(lease), "the lease of msisdn/1206");
        let turn = json!({"waits_for": "turn", "target": "hss", "behind": null, "ahead": 0, "step": "s", "since": ""});
        assert_eq!(said(turn), "its turn at hss, behind –");
        assert_eq!(said(json!({"waits_for": "admission", "since": ""})), "its plan");
        assert_eq!(said(json!({"waits_for": "window"})), "window");
    }

    #[test]
    fn a_long_sentence_goes_over_several_lines_without_a_word_being_cut() {
        let sentence =
            "error sending request for url (http://hss.example:8080/a/rather/long/path/of/some/operation): timeout";
        let shown = prose(sentence);
        assert_eq!(shown.replace('\n', " "), sentence);
        assert!(shown.lines().all(|line| line.chars().count() <= PROSE_WIDTH || !line.contains(' ')), "{shown}");
        assert!(shown.lines().any(|line| line.starts_with("(http://") && line.ends_with("):")), "{shown}");
        assert_eq!((prose("short"), prose_cell::<&str>(None)), ("short".to_owned(), "–".to_owned()));
        assert!(!prose("a\nb").contains('\n'), "only Interlock breaks lines");
    }

    #[test]
    fn what_is_not_there_is_a_dash() {
        assert_eq!((text(""), cell::<u32>(None), cell(Some(7))), ("–".to_owned(), "–".to_owned(), "7".to_owned()));
    }
}
