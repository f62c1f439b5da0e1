//! Texts with placeholders: `msisdn/{new_msisdn}`, `{from.imsi}`, `{@customer_id}`.
//!
//! `{field}` is a field of the event's data (with dots for nested fields), `{@name}` one of the names of [`Given`],
//! `{{` and `}}` are braces.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::error_code::ErrorCode;
use crate::ids::{CustomerId, TenantId};
use crate::order::Rejection;
use crate::toml_text::{Entry, Faults, Spot};

/// The path to a field of the data: `from.imsi` is `["from", "imsi"]`.
pub(super) type FieldPath = Vec<String>;

/// Reads a path of field names; `None` if a name is empty.
pub(super) fn field_path(text: &str) -> Option<FieldPath> {
    let path: FieldPath = text.split('.').map(str::to_owned).collect();
    path.iter().all(|name| !name.is_empty() && !name.starts_with('@')).then_some(path)
}

/// What a template may name besides the event's data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Given {
    /// `{@customer_id}`: the order's customer.
    CustomerId,
    /// `{@tenant_id}`: the customer's tenant.
    TenantId,
    /// `{@event_id}`: the event's `id`.
    EventId,
    /// `{@held}`: the id of the resource for which the step is repeated.
    Held,
}

impl Given {
    const NAMES: [(&'static str, Self); 4] = [
        ("@customer_id", Self::CustomerId),
        ("@tenant_id", Self::TenantId),
        ("@event_id", Self::EventId),
        ("@held", Self::Held),
    ];
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Piece {
    Text(String),
    Field(FieldPath),
    Given(Given),
}

/// A text with placeholders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Template {
    pub(super) pieces: Vec<Piece>,
}

/// The values that templates are filled from.
#[derive(Debug, Clone, Copy)]
pub(super) struct Facts<'a> {
    pub(super) tenant: &'a TenantId,
    pub(super) customer: &'a CustomerId,
    pub(super) event_id: &'a str,
    pub(super) data: &'a Map<String, Value>,
    pub(super) held: Option<&'a str>,
}

impl Facts<'_> {
    /// The value of a field of the data.
    pub(super) fn field(&self, path: &[String]) -> Result<&Value, Rejection> {
        let (first, rest) = path.split_first().ok_or_else(|| invalid(path, "is missing"))?;
        let value = self.data.get(first).ok_or_else(|| invalid(path, "is missing"))?;
        rest.iter().try_fold(value, |value, name| value.get(name)).ok_or_else(|| invalid(path, "is missing"))
    }

    /// The same as text; only strings, integers and booleans can be written as text.
    pub(super) fn field_text(&self, path: &[String]) -> Result<String, Rejection> {
        match self.field(path)? {
            Value::String(text) => Ok(text.clone()),
            Value::Number(number) if !number.is_f64() => Ok(number.to_string()),
            Value::Bool(flag) => Ok(flag.to_string()),
            _ => Err(invalid(path, "must be text or an integer")),
        }
    }

    fn given(&self, given: Given) -> &str {
        match given {
            Given::CustomerId => self.customer.as_str(),
            Given::TenantId => self.tenant.as_str(),
            Given::EventId => self.event_id,
            Given::Held => self.held.unwrap_or_default(),
        }
    }
}

/// The data do not match the catalog's schema; the detail names the field, never its value.
pub(super) fn invalid(path: &[String], what: &str) -> Rejection {
    Rejection::new(ErrorCode::InvalidData, format!("The field data.{} {what}.", path.join(".")))
}

impl Template {
    /// Reads a template.
    ///
    /// # Errors
    /// What is wrong with it, as a sentence.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut pieces = Vec::new();
        let mut literal = String::new();
        let mut rest = text;
        while let Some(at) = rest.find(['{', '}']) {
            literal.push_str(&rest[..at]);
            rest = &rest[at..];
            if rest.starts_with("{{") || rest.starts_with("}}") {
                literal.push_str(&rest[..1]);
                rest = &rest[2..];
                continue;
            }
            let name = rest.strip_prefix('{').and_then(|open| open.split_once('}')).map(|(name, _)| name);
            let Some(name) = name else {
                return Err(format!("'{text}' has an unmatched brace; write '{{{{' or '}}}}' for a literal brace"));
            };
            rest = &rest[name.len() + 2..];
            if !literal.is_empty() {
                pieces.push(Piece::Text(std::mem::take(&mut literal)));
            }
            pieces.push(placeholder(name)?);
        }
        literal.push_str(rest);
        if !literal.is_empty() {
            pieces.push(Piece::Text(literal));
        }
        Ok(Self { pieces })
    }

    /// Reads the template of an entry; notes a fault if it is invalid.
    pub(super) fn read(entry: &Entry<'_>, faults: &mut Faults<'_>) -> Option<Self> {
        let text = entry.text(faults)?;
        Self::parse(text).map_err(|what| faults.add(&entry.spot, ErrorCode::BadTemplate, format!("{what}."))).ok()
    }

    /// The field, if the template is one field and nothing else.
    pub(super) fn whole_field(&self) -> Option<&FieldPath> {
        match self.pieces.as_slice() {
            [Piece::Field(path)] => Some(path),
            _ => None,
        }
    }

    /// The text, if it has no placeholders.
    pub(super) fn constant(&self) -> Option<&str> {
        match self.pieces.as_slice() {
            [] => Some(""),
            [Piece::Text(text)] => Some(text),
            _ => None,
        }
    }

    pub(super) fn uses_held(&self) -> bool {
        self.pieces.contains(&Piece::Given(Given::Held))
    }

    /// The text with its placeholders filled.
    pub(super) fn render(&self, facts: &Facts<'_>) -> Result<String, Rejection> {
        self.pieces.iter().try_fold(String::new(), |mut text, piece| {
            match piece {
                Piece::Text(literal) => text.push_str(literal),
                Piece::Field(path) => text.push_str(&facts.field_text(path)?),
                Piece::Given(given) => text.push_str(facts.given(*given)),
            }
            Ok(text)
        })
    }
}

fn placeholder(name: &str) -> Result<Piece, String> {
    if name.starts_with('@') {
        let given = Given::NAMES.iter().find(|(known, _)| *known == name);
        return given.map(|(_, given)| Piece::Given(*given)).ok_or_else(|| {
            let known = Given::NAMES.map(|(known, _)| known).join(", ");
            format!("'{{{name}}}' is unknown; known are: {known}")
        });
    }
    field_path(name).map(Piece::Field).ok_or_else(|| format!("'{{{name}}}' is not a field name"))
}

/// The value of one argument of an operation.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Argument {
    /// A text. If it is one `{field}` and nothing else, the field's JSON value unchanged.
    Text(Template),
    Literal(Value),
    List(Vec<Argument>),
    Fields(Vec<(String, Argument)>),
}

impl Argument {
    /// Reads the argument at `pointer` of a table that was read as JSON into `places`.
    pub(super) fn of(value: &Value, pointer: &str, places: &BTreeMap<String, Spot>, faults: &mut Faults<'_>) -> Self {
        match value {
            Value::String(text) => match Template::parse(text) {
                Ok(template) => Self::Text(template),
                Err(what) => {
                    if let Some(spot) = places.get(pointer) {
                        faults.add(spot, ErrorCode::BadTemplate, format!("{what}."));
                    }
                    Self::Literal(Value::Null)
                }
            },
            Value::Array(items) => {
                let item = |(index, item)| Self::of(item, &format!("{pointer}/{index}"), places, faults);
                Self::List(items.iter().enumerate().map(item).collect())
            }
            Value::Object(fields) => {
                let field = |(name, value): (&String, &Value)| {
                    let escaped = name.replace('~', "~0").replace('/', "~1");
                    (name.clone(), Self::of(value, &format!("{pointer}/{escaped}"), places, faults))
                };
                Self::Fields(fields.iter().map(field).collect())
            }
            literal => Self::Literal(literal.clone()),
        }
    }

    /// Calls `visit` with each template in it.
    pub(super) fn each_template<'a>(&'a self, visit: &mut dyn FnMut(&'a Template)) {
        match self {
            Self::Text(template) => visit(template),
            Self::Literal(_) => {}
            Self::List(items) => items.iter().for_each(|item| item.each_template(visit)),
            Self::Fields(fields) => fields.iter().for_each(|(_, value)| value.each_template(visit)),
        }
    }

    pub(super) fn render(&self, facts: &Facts<'_>) -> Result<Value, Rejection> {
        Ok(match self {
            Self::Text(template) => match template.whole_field() {
                Some(path) => facts.field(path)?.clone(),
                None => Value::String(template.render(facts)?),
            },
            Self::Literal(value) => value.clone(),
            Self::List(items) => Value::Array(items.iter().map(|item| item.render(facts)).collect::<Result<_, _>>()?),
            Self::Fields(fields) => Value::Object(render_fields(fields, facts)?),
        })
    }
}

/// Fills a whole map of arguments.
pub(super) fn render_fields(fields: &[(String, Argument)], facts: &Facts<'_>) -> Result<Map<String, Value>, Rejection> {
    fields.iter().map(|(name, value)| Ok((name.clone(), value.render(facts)?))).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn rendered(text: &str) -> Result<Value, Rejection> {
        let data = json!({"a": {"b": "x"}, "n": 7, "list": [1], "float": 1.5});
        let facts = Facts {
            tenant: &"t".parse().unwrap(),
            customer: &"c".parse().unwrap(),
            event_id: "e",
            data: data.as_object().unwrap(),
            held: Some("h"),
        };
        Argument::Text(Template::parse(text).unwrap()).render(&facts)
    }

    #[test]
    fn a_template_is_filled_from_the_data_and_the_given() {
        assert_eq!(rendered("msisdn/{a.b}-{n}").unwrap(), "msisdn/x-7");
        assert_eq!(rendered("{@tenant_id}{@customer_id}{@event_id}{@held}").unwrap(), "tceh");
        assert_eq!(rendered("{{{n}}}").unwrap(), "{7}");
        assert_eq!(rendered("").unwrap(), "");
    }

    #[test]
    fn a_whole_field_keeps_its_json_type() {
        assert_eq!(rendered("{n}").unwrap(), json!(7));
        assert_eq!(rendered("{list}").unwrap(), json!([1]));
    }

    #[test]
    fn what_has_no_text_or_is_missing_is_rejected() {
        assert_eq!(rendered("x{list}").unwrap_err().code, "invalid_data");
        assert_eq!(rendered("x{float}").unwrap_err().code, "invalid_data");
        assert_eq!(rendered("{a.c}").unwrap_err().detail, "The field data.a.c is missing.");
    }

    #[test]
    fn a_broken_template_says_what_is_wrong() {
        for text in ["{", "}", "{a", "a}", "{}", "{a..b}", "{@nobody}", "{a.@held}"] {
            assert!(Template::parse(text).is_err(), "{text}");
        }
    }
}
