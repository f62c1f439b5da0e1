//! What a changed row means.

use serde_json::{Map, Value, json};

use super::super::applied::Effect;
use super::super::target::Change;
use super::table::{Row, Schema};

/// A row before and after a write; at least one is there.
pub(super) struct RowChange<'a> {
    pub(super) schema: &'static Schema,
    pub(super) id: i64,
    pub(super) before: Option<&'a Row>,
    pub(super) after: Option<&'a Row>,
}

/// The entries of the log that a write makes. The columns stand with the first.
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

/// Every column that is another now: `{"column": [before, after]}`. Keys of SIMs are left out, and so is the time.
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

/// The number of a subscriber, where it is not the placeholder, and whose it is.
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

/// Columns that are neither the number nor the SIM.
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

fn of_ims_subscriber(change: &RowChange<'_>) -> Vec<Effect> {
    let side = |row| (text(row, "msisdn"), text(row, "imsi").unwrap_or_default());
    let ((old_msisdn, old_imsi), (new_msisdn, new_imsi)) = (side(change.before), side(change.after));
    let mut effects = Vec::new();
    if old_msisdn == new_msisdn {
        if old_imsi != new_imsi && old_msisdn.is_some() {
            effects.push(Effect::SimSwapped { table: "ims_subscriber".to_owned(), old_imsi, new_imsi });
        }
        return effects;
    }
    effects.extend(old_msisdn.map(|msisdn| Effect::NumberReleased { msisdn, imsi: old_imsi }));
    effects.extend(new_msisdn.map(|msisdn| Effect::NumberAssigned { msisdn, imsi: new_imsi }));
    effects
}
