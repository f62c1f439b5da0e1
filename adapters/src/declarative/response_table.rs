//! Response tables: ordered rows over status, headers and body. The first row that matches an answer decides its meaning.

use std::sync::Arc;

use interlock_domain::error_code::ErrorCode;
use interlock_domain::toml_text::{Entry, Faults, Section, Spot};
use minijinja::Value as Rendered;

use super::class::{Asked, Class};
use super::condition::Condition;
use super::interpretation::{Interpretation, Saying};
use super::scope::Scope;
use super::status_set::StatusSet;
use crate::exchange::TargetResponse;

/// One row.
#[derive(Debug, Clone)]
struct Row {
    status: StatusSet,
    conditions: Vec<Condition>,
    saying: Saying,
}

/// The rows of one request, followed by those that all requests share.
#[derive(Debug, Clone)]
pub(super) struct ResponseTable {
    own: Vec<Row>,
    shared: Arc<SharedRows>,
}

/// The rows that are appended to those of every request: `[[responses]]`.
#[derive(Debug, Default)]
pub(super) struct SharedRows {
    rows: Vec<Row>,
    has_default: bool,
}

impl SharedRows {
    pub(super) fn read(root: &mut Section<'_>, scope: &Scope, faults: &mut Faults<'_>) -> Self {
        let Some(entry) = root.take("responses") else { return Self::default() };
        let (rows, has_default) = read_rows(&entry, Asked::Anything, scope, faults);
        Self { rows, has_default }
    }
}

impl ResponseTable {
    /// Parses the key `responses` of a request.
    pub(super) fn read(
        request: &mut Section<'_>,
        asked: Asked,
        shared: &Arc<SharedRows>,
        scope: &Scope,
        faults: &mut Faults<'_>,
    ) -> Option<Self> {
        let entry = request.require("responses", faults)?;
        let (own, has_default) = read_rows(&entry, asked, scope, faults);
        if !has_default && !shared.has_default {
            let message = "No row matches every other response: end the table, or the file's [[responses]], with a row \
                           that has neither 'status' nor conditions.";
            faults.add(&entry.spot, ErrorCode::NoDefaultRow, message);
        }
        Some(Self { own, shared: Arc::clone(shared) })
    }

    /// Whether a row of its own has this class.
    pub(super) fn has_class(&self, class: Class) -> bool {
        self.own.iter().any(|row| row.saying.class == class)
    }

    /// The meaning of the answer.
    pub(super) fn judge(&self, answer: &TargetResponse, variables: &Rendered) -> Interpretation {
        for row in self.own.iter().chain(&self.shared.rows) {
            match row.is_for(answer, variables) {
                Ok(true) => {
                    let interpretation = row.saying.interpret(Some(answer), variables);
                    let is_recognised = row.conditions.iter().any(Condition::recognises_a_web_page);
                    return if is_recognised { interpretation } else { interpretation.of_web_page(answer) };
                }
                Ok(false) => {}
                Err(path) => {
                    return Interpretation::ambiguous(format!("'{path}' could not be compared with the response"));
                }
            }
        }
        Interpretation::unmatched(answer)
    }
}

impl Row {
    fn read(entry: &Entry<'_>, asked: Asked, scope: &Scope, faults: &mut Faults<'_>) -> Option<Self> {
        let mut section = entry.section(faults)?;
        let status = section.take("status").map(|entry| StatusSet::read(entry, faults));
        let conditions = Condition::read_all(&mut section, scope, faults);
        let saying = Saying::read(&mut section, asked.words(), scope, faults);
        let spot = section.spot.clone();
        section.finish(faults);
        let status = status.unwrap_or_else(|| Some(StatusSet::all()))?;
        if status.is_bodiless() && conditions.iter().any(Condition::needs_body) {
            faults.add(&spot, ErrorCode::ImpossibleRow, "Responses with this status have no body to test.");
        }
        Some(Self { status, conditions, saying: saying? })
    }

    fn is_for(&self, answer: &TargetResponse, variables: &Rendered) -> Result<bool, String> {
        if !self.status.contains(answer.status.as_u16()) {
            return Ok(false);
        }
        for condition in &self.conditions {
            if !condition.holds(answer, variables).map_err(|not_rendered| not_rendered.path)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn is_default(&self) -> bool {
        self.conditions.is_empty() && self.status == StatusSet::all()
    }

    /// Whether this row matches every answer that `later` matches.
    fn covers(&self, later: &Self) -> bool {
        later.status.is_within(&self.status)
            && self
                .conditions
                .iter()
                .all(|condition| later.conditions.iter().any(|stricter| condition.follows_from(stricter)))
    }
}

/// Parses rows, and reports those that no answer can reach.
fn read_rows(entry: &Entry<'_>, asked: Asked, scope: &Scope, faults: &mut Faults<'_>) -> (Vec<Row>, bool) {
    let scope = scope.with_answer();
    let mut rows: Vec<Row> = Vec::new();
    let mut is_sound = true;
    for item in entry.items(faults) {
        match Row::read(&item, asked, &scope, faults) {
            Some(row) => {
                check_reach(&rows, &row, &item.spot, faults);
                rows.push(row);
            }
            None => is_sound = false,
        }
    }
    // A row that could not be parsed may have been the default. One fault is enough.
    let has_default = rows.last().is_some_and(Row::is_default) || !is_sound;
    (rows, has_default)
}

fn check_reach(earlier: &[Row], row: &Row, spot: &Spot, faults: &mut Faults<'_>) {
    if let Some(index) = earlier.iter().position(|earlier| earlier.covers(row)) {
        let message =
            format!("No response reaches this row: row [{index}] matches all of its cases. Move it before that row.");
        faults.add(spot, ErrorCode::UnreachableRow, message);
        return;
    }
    let unconditional = || earlier.iter().filter(|row| row.conditions.is_empty());
    if row.status.iter().all(|status| unconditional().any(|row| row.status.contains(status))) {
        let message = "No response reaches this row: earlier rows match all of its statuses.";
        faults.add(spot, ErrorCode::UnreachableRow, message);
    }
}
