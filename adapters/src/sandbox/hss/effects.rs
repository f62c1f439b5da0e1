//! The effects of a changed row.

use serde_json::{Map, Value, json};

use super::super::applied::Effect;
use super::super::model::Change;
use super::table::{Row, Schema, listed_numbers};

/// A row before and after a write. At least one of the two exists.
pub(super) struct RowChange<'a> {
    pub(super) schema: &'static Schema,
    pub(super) id: i64,
    pub(super) before: Option<&'a Row>,
    pub(super) after: Option<&'a Row>,
}

/// The log entries of a write. The first one has the columns.
pub(super) fn changes_of(change: &RowChange<'_>) -> Vec<Change> {
    let (table, id) = (change.schema.name.to_owned(), change.id);
    let columns = changed_columns(change);
    let mut effects = match change.schema.name {
        "subscriber" => of_subscriber(change, &columns),
        "ims_subscriber" => of_ims_subscriber(change),
        _ => Vec::new(),
    };
    if effects.is_empty() {
        effects.push(if columns.is_empty() {
            Effect::Unchanged { table: table.clone(), id }
        } else {
            Effect::RowChanged { table: table.clone(), id }
        });
    }
    let mut columns = Some(json!({"table": table, "id": id, "columns": columns}));
    effects.into_iter().map(|effect| Change { effect, columns: columns.take() }).collect()
}

/// Every column that changed: `{"column": [before, after]}`. The keys of SIMs and the time are left out.
fn changed_columns(change: &RowChange<'_>) -> Map<String, Value> {
    let value = |row: Option<&Row>, column: &str| row.and_then(|row| row.get(column)).cloned().unwrap_or_default();
    let names = change.before.into_iter().chain(change.after).flat_map(|row| row.keys());
    let mut changed = Map::new();
    for name in names.filter(|name| *name != "last_modified" && !super::schema::AUC_SECRETS.contains(&name.as_str())) {
        let (before, after) = (value(change.before, name), value(change.after, name));
        if before != after {
            changed.insert(name.clone(), json!([before, after]));
        }
    }
    changed
}

fn text(row: Option<&Row>, column: &str) -> Option<String> {
    row?.get(column)?.as_str().map(str::to_owned)
}

/// The number of a subscriber and its holder. `None` if it has only the placeholder.
fn number(row: Option<&Row>) -> Option<(String, String)> {
    let (msisdn, imsi) = (text(row, "msisdn")?, text(row, "imsi").unwrap_or_default());
    (!msisdn.is_empty() && msisdn != imsi).then_some((msisdn, imsi))
}

fn of_subscriber(change: &RowChange<'_>, columns: &Map<String, Value>) -> Vec<Effect> {
    let mut effects = Vec::new();
    let (old_imsi, new_imsi) = (text(change.before, "imsi"), text(change.after, "imsi"));
    let (old_number, new_number) = (number(change.before), number(change.after));
    let msisdn_of = |number: &Option<(String, String)>| number.as_ref().map(|(msisdn, _)| msisdn.clone());
    let is_another_number = msisdn_of(&old_number) != msisdn_of(&new_number);
    if let Some((msisdn, imsi)) = old_number.filter(|_| is_another_number) {
        effects.push(Effect::PrimaryNumberCleared { msisdn, imsi });
    }
    match (change.before, change.after) {
        (None, Some(_)) => effects.push(Effect::SubscriberCreated { imsi: new_imsi.clone().unwrap_or_default() }),
        (Some(_), None) => effects.push(Effect::SubscriberRemoved { imsi: old_imsi.clone().unwrap_or_default() }),
        _ => {
            if let (Some(old_imsi), Some(new_imsi)) = (old_imsi, new_imsi.clone())
                && old_imsi != new_imsi
            {
                effects.push(Effect::SimSwapped { table: "subscriber".to_owned(), old_imsi, new_imsi });
            }
            effects.extend(of_service(&new_imsi.unwrap_or_default(), columns));
        }
    }
    if let Some((msisdn, imsi)) = new_number.filter(|_| is_another_number) {
        effects.push(Effect::PrimaryNumberSet { msisdn, imsi });
    }
    effects
}

/// The columns that are neither the number nor the SIM.
fn of_service(imsi: &str, columns: &Map<String, Value>) -> Vec<Effect> {
    let mut effects = Vec::new();
    let mut settings = Map::new();
    for (name, values) in columns {
        let after = values.get(1).cloned().unwrap_or_default();
        match (name.as_str(), after) {
            ("enabled", Value::Bool(true)) => effects.push(Effect::SubscriberEnabled { imsi: imsi.to_owned() }),
            ("enabled", _) => effects.push(Effect::SubscriberDisabled { imsi: imsi.to_owned() }),
            ("imsi" | "auc_id" | "msisdn", _) => {}
            (_, after) => {
                settings.insert(name.clone(), after);
            }
        }
    }
    if !settings.is_empty() {
        effects.push(Effect::ServiceUpdated { of: imsi.to_owned(), settings });
    }
    effects
}

/// Every number of a row of `ims_subscriber`, in either column, the primary number first; and their holder.
fn registered(row: Option<&Row>) -> (Vec<String>, String) {
    let (primary, list) = (text(row, "msisdn"), text(row, "msisdn_list").unwrap_or_default());
    let mut numbers: Vec<String> = Vec::new();
    for number in primary.into_iter().filter(|number| !number.is_empty()).chain(listed_numbers(&list)) {
        if !numbers.contains(&number) {
            numbers.push(number);
        }
    }
    (numbers, text(row, "imsi").unwrap_or_default())
}

/// A number that only moves from one column to the other keeps its holder and has no effect of its own.
fn of_ims_subscriber(change: &RowChange<'_>) -> Vec<Effect> {
    let ((old, old_imsi), (new, new_imsi)) = (registered(change.before), registered(change.after));
    let is_same_row = change.before.is_some() && change.after.is_some();
    let keeps_a_number = old.iter().any(|msisdn| new.contains(msisdn));
    let mut effects: Vec<Effect> = old
        .iter()
        .filter(|msisdn| !new.contains(msisdn))
        .map(|msisdn| Effect::NumberReleased { msisdn: msisdn.clone(), imsi: old_imsi.clone() })
        .collect();
    if is_same_row && keeps_a_number && old_imsi != new_imsi {
        let table = "ims_subscriber".to_owned();
        effects.push(Effect::SimSwapped { table, old_imsi, new_imsi: new_imsi.clone() });
    }
    let added = new.iter().filter(|msisdn| !old.contains(msisdn));
    effects.extend(added.map(|msisdn| Effect::NumberAssigned { msisdn: msisdn.clone(), imsi: new_imsi.clone() }));
    effects
}

#[cfg(test)]
mod tests {
    use super::super::schema::IMS_SUBSCRIBER;
    use super::*;

    fn effects(before: Option<(&str, &str, &str)>, after: Option<(&str, &str, &str)>) -> Vec<Value> {
        let row = |(imsi, msisdn, list): (&str, &str, &str)| -> Row {
            json!({"imsi": imsi, "msisdn": msisdn, "msisdn_list": list}).as_object().unwrap().clone()
        };
        let (before, after) = (before.map(row), after.map(row));
        let change = RowChange { schema: &IMS_SUBSCRIBER, id: 1, before: before.as_ref(), after: after.as_ref() };
        changes_of(&change).into_iter().map(|change| serde_json::to_value(change.effect).unwrap()).collect()
    }

    fn released(msisdn: &str, imsi: &str) -> Value {
        json!({"effect": "number_released", "msisdn": msisdn, "imsi": imsi})
    }

    fn assigned(msisdn: &str, imsi: &str) -> Value {
        json!({"effect": "number_assigned", "msisdn": msisdn, "imsi": imsi})
    }

    #[test]
    fn a_number_counts_once_whether_in_one_column_or_both() {
        assert_eq!(effects(None, Some(("A", "1", "1, 2"))), [assigned("1", "A"), assigned("2", "A")]);
        assert_eq!(effects(Some(("A", "1", "1,2")), None), [released("1", "A"), released("2", "A")]);
        assert_eq!(effects(Some(("A", "1", "1,2")), Some(("A", "1", "1,3"))), [released("2", "A"), assigned("3", "A")]);
    }

    #[test]
    fn a_number_that_moves_to_the_other_column_is_neither_released_nor_assigned() {
        assert_eq!(effects(Some(("A", "1", "1,2")), Some(("A", "2", "2"))), [released("1", "A")]);
        let moved = effects(Some(("A", "1", "2")), Some(("A", "2", "1")));
        assert_eq!(moved, [json!({"effect": "row_changed", "table": "ims_subscriber", "id": 1})]);
    }

    #[test]
    fn a_row_with_another_sim_keeps_its_numbers() {
        let swapped = json!({"effect": "sim_swapped", "table": "ims_subscriber", "old_imsi": "A", "new_imsi": "B"});
        assert_eq!(effects(Some(("A", "1", "1,2")), Some(("B", "1", "1,2"))), [swapped]);
    }
}
