//! A query of the file: a request that reads what the target knows, and the parts of its answer that are used.

use interlock_domain::outcome::Outcome;
use interlock_domain::toml_text::{Faults, Section};
use serde_json::{Map, Value};

use super::attempt::Attempt;
use super::class::{Asked, Class};
use super::operation::{Inquiry, Surroundings};
use super::pointer::Pointer;
use super::scope::Scope;
use super::variables::Variables;

/// One query.
#[derive(Debug, Clone)]
pub(super) struct Query {
    question: Inquiry,
    /// The names of the parts of the answer, and where they are.
    bind: Vec<(String, Pointer)>,
}

impl Query {
    pub(super) fn read(
        mut section: Section<'_>,
        surroundings: &Surroundings<'_>,
        faults: &mut Faults<'_>,
    ) -> Option<Self> {
        let scope = Scope::of_query(&surroundings.parameters);
        let question = Inquiry::read(&mut section, Asked::Query, &scope, surroundings, faults);
        section.text("describes", faults);
        section.require("bind", faults);
        let bind = section.named("bind", faults);
        let bind: Vec<_> = bind
            .into_iter()
            .filter_map(|(name, entry)| Some((name.to_owned(), Pointer::read(&entry, faults)?)))
            .collect();
        section.finish(faults);
        Some(Self { question: question?, bind })
    }

    /// Asks. Each name has a value: null if the target's answer does not have it, or if there is nothing.
    pub(super) async fn ask(
        &self,
        attempt: &Attempt<'_>,
        variables: &Variables,
    ) -> Result<Map<String, Value>, Outcome> {
        let (interpretation, answer) = attempt.ask(&self.question, variables).await?;
        let body = match interpretation.class {
            Class::Found => answer.body.as_ref(),
            Class::Absent => None,
            _ => return Err(interpretation.into_outcome_of_question()),
        };
        let value = |pointer: &Pointer| body.and_then(|body| pointer.first(body)).cloned().unwrap_or(Value::Null);
        Ok(self.bind.iter().map(|(name, pointer)| (name.clone(), value(pointer))).collect())
    }
}
