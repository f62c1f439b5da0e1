//! JSON pointers (RFC 6901), with one addition: the step `*` matches every item of an array.

use interlock_domain::error_code::ErrorCode;
use interlock_domain::toml_text::{Entry, Faults};
use serde_json::Value;

/// One or several places in a JSON body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pointer(Vec<String>);

impl Pointer {
    pub(super) fn read(entry: &Entry<'_>, faults: &mut Faults<'_>) -> Option<Self> {
        let pointer = Self::parse(entry.text(faults)?);
        if pointer.is_none() {
            let message = "A JSON pointer starts with '/', for example \"/errors/0/code\"; \"\" is the whole body.";
            faults.add(&entry.spot, ErrorCode::BadPointer, message);
        }
        pointer
    }

    fn parse(text: &str) -> Option<Self> {
        if text.is_empty() {
            return Some(Self(Vec::new()));
        }
        let steps = text.strip_prefix('/')?.split('/');
        Some(Self(steps.map(|step| step.replace("~1", "/").replace("~0", "~")).collect()))
    }

    /// Whether it points to exactly one place.
    pub(super) fn is_single(&self) -> bool {
        !self.0.iter().any(|step| step == "*")
    }

    /// The values at these places.
    pub(super) fn all<'a>(&self, body: &'a Value) -> Vec<&'a Value> {
        let mut here = vec![body];
        for step in &self.0 {
            here = here.into_iter().flat_map(|value| below(value, step)).collect();
        }
        here
    }

    /// The first of these values that is not null.
    pub(super) fn first<'a>(&self, body: &'a Value) -> Option<&'a Value> {
        self.all(body).into_iter().find(|value| !value.is_null())
    }
}

fn below<'a>(value: &'a Value, step: &str) -> Vec<&'a Value> {
    match value {
        Value::Array(items) if step == "*" => items.iter().collect(),
        Value::Array(items) => step.parse::<usize>().ok().and_then(|index| items.get(index)).into_iter().collect(),
        Value::Object(fields) => fields.get(step).into_iter().collect(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_pointer_finds_fields_items_and_every_item() {
        let body = json!({"errors": [{"code": "A"}, {"code": "B"}], "a/b": {"m~n": null}});
        let all = |text: &str| Pointer::parse(text).unwrap().all(&body).into_iter().cloned().collect::<Vec<_>>();
        assert_eq!(all("/errors/1/code"), [json!("B")]);
        assert_eq!(all("/errors/*/code"), [json!("A"), json!("B")]);
        assert_eq!(all("/a~1b/m~0n"), [json!(null)]);
        assert!(all("/errors/2/code").is_empty());
        assert_eq!(all("").len(), 1);
        assert_eq!(Pointer::parse("errors"), None);
        assert_eq!(Pointer::parse("/a~1b/m~0n").unwrap().first(&body), None);
    }
}
