//! The templates of an adapter file: text with `{{ … }}` in minijinja's syntax.
//!
//! A text that is a single `{{ expression }}` keeps the JSON type of its value. If the value is "nothing" (`none`, or the result of the
//! filter `optional`), the header, query parameter or field is left out of the request.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::LazyLock;

use interlock_domain::error_code::ErrorCode;
use interlock_domain::toml_text::{Entry, Faults};
use minijinja::value::Object;
use minijinja::{Environment, Error, ErrorKind, UndefinedBehavior, Value as Rendered};
use serde_json::{Map, Value};

use super::bounded_text::{self, RENDERED_BYTES_MAX};
use super::scope::Scope;
use super::template_names::called_names;

/// The most instructions that one template may execute: far more than a request needs, and few enough that they take no noticeable
/// time.
const FUEL: u64 = 100_000;

/// For requests: a missing value is an error, so that no incomplete request is sent.
static STRICT: LazyLock<Environment<'static>> = LazyLock::new(|| environment(UndefinedBehavior::Strict));
/// For texts about an answer: a value that the target left out is empty.
static LENIENT: LazyLock<Environment<'static>> = LazyLock::new(|| environment(UndefinedBehavior::Chainable));

fn environment(undefined: UndefinedBehavior) -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(undefined);
    environment.set_fuel(Some(FUEL));
    environment.add_filter("optional", |value: &Rendered| {
        if value.is_undefined() || value.is_none() { Rendered::from_object(LeftOut) } else { value.clone() }
    });
    // Compact, and not escaped. minijinja's own JSON has spaces and is escaped for HTML.
    environment.add_filter("tojson", |value: &Rendered| {
        serde_json::to_string(value)
            .map_err(|_| Error::new(ErrorKind::BadSerialization, "the value cannot be represented in JSON"))
    });
    environment.add_filter("base64url", |text: &str| base64::Engine::encode(&base64::prelude::BASE64_URL_SAFE, text));
    if undefined == UndefinedBehavior::Strict {
        environment.set_formatter(|out, state, value| {
            if value.is_none() || is_left_out(value) {
                return Err(Error::new(ErrorKind::UndefinedError, "a value inside a text is missing"));
            }
            minijinja::escape_formatter(out, state, value)
        });
    }
    environment
}

/// The result of the filter `optional` for a missing value.
#[derive(Debug)]
struct LeftOut;

impl Object for LeftOut {}

fn is_left_out(value: &Rendered) -> bool {
    value.downcast_object_ref::<LeftOut>().is_some()
}

/// A template could not be rendered: a value is missing, or an expression failed.
#[derive(Debug)]
pub(crate) struct NotRendered {
    /// The place of the template in the file.
    pub(crate) path: String,
    /// The kind of failure. It contains no value, since values are personal.
    pub(crate) reason: String,
}

impl fmt::Display for NotRendered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "'{}': {}", self.path, self.reason)
    }
}

/// One text of the file.
#[derive(Debug, Clone)]
pub(crate) struct Template {
    source: String,
    path: String,
    /// The expression, if the text is a single `{{ expression }}`.
    expression: Option<String>,
}

impl Template {
    /// Parses the text and checks its syntax, variables, filters and tests.
    pub(crate) fn read(entry: &Entry<'_>, scope: &Scope, faults: &mut Faults<'_>) -> Option<Self> {
        Self::of(entry.text(faults)?, entry, scope, faults)
    }

    /// Like [`Self::read`], for a part of the entry's text.
    pub(crate) fn of(source: &str, entry: &Entry<'_>, scope: &Scope, faults: &mut Faults<'_>) -> Option<Self> {
        let spot = &entry.spot;
        let variables = match STRICT.template_from_str(source) {
            Ok(template) => template.undeclared_variables(true).into_iter().collect::<BTreeSet<_>>(),
            Err(error) => {
                let detail = error.detail().unwrap_or("it is malformed").to_owned();
                faults.add(spot, ErrorCode::TemplateSyntax, format!("'{source}' is not a valid template: {detail}."));
                return None;
            }
        };
        for variable in variables.iter().filter(|variable| !scope.knows(variable)) {
            let message = format!("The variable '{variable}' is unknown here; known are: {}.", scope.known());
            faults.add(spot, ErrorCode::UnknownVariable, message);
        }
        let names = called_names(source);
        for filter in names.filters.iter().filter(|name| is_unknown(&format!("''|{name}"), ErrorKind::UnknownFilter)) {
            faults.add(spot, ErrorCode::UnknownFilter, format!("The filter '{filter}' is unknown."));
        }
        for test in names.tests.iter().filter(|name| is_unknown(&format!("'' is {name}"), ErrorKind::UnknownTest)) {
            faults.add(spot, ErrorCode::UnknownTest, format!("The test '{test}' after 'is' is unknown."));
        }
        Some(Self { source: source.to_owned(), path: spot.path.clone(), expression: expression_of(source) })
    }

    /// Reads a condition: an expression without `{{ }}`.
    pub(crate) fn read_condition(entry: &Entry<'_>, scope: &Scope, faults: &mut Faults<'_>) -> Option<Self> {
        let template = Self::of(&format!("{{{{ {} }}}}", entry.text(faults)?), entry, scope, faults)?;
        if template.expression.is_none() {
            let message = "A condition is an expression without '{{' and '}}', for example \"kept.status == 'used'\".";
            faults.add(&entry.spot, ErrorCode::TemplateSyntax, message);
            return None;
        }
        Some(template)
    }

    /// Whether the condition holds: its value is neither none, false, 0 nor empty.
    pub(crate) fn holds(&self, variables: &Rendered) -> Result<bool, NotRendered> {
        Ok(match self.value(variables)? {
            None | Some(Value::Null) => false,
            Some(Value::Bool(flag)) => flag,
            Some(Value::Number(number)) => number.as_f64() != Some(0.0),
            Some(Value::String(text)) => !text.is_empty(),
            Some(Value::Array(items)) => !items.is_empty(),
            Some(Value::Object(fields)) => !fields.is_empty(),
        })
    }

    /// Whether it is the same for every call.
    pub(crate) fn is_constant(&self) -> bool {
        !["{{", "{%", "{#"].iter().any(|mark| self.source.contains(mark))
    }

    /// The text in the file.
    pub(crate) fn source(&self) -> &str {
        &self.source
    }

    /// The rendered text. `None` if it is a single expression without a value.
    pub(crate) fn text(&self, variables: &Rendered) -> Result<Option<String>, NotRendered> {
        if self.is_constant() {
            return Ok(Some(self.source.clone()));
        }
        if self.expression.is_some() {
            return Ok(self.value(variables)?.filter(|value| !value.is_null()).map(|value| match value {
                Value::String(text) => text,
                other => other.to_string(),
            }));
        }
        bounded_text::whole(&STRICT, &self.source, variables).map(Some).map_err(|error| self.failed(&error))
    }

    /// The JSON value. `None` if it must be left out.
    pub(crate) fn value(&self, variables: &Rendered) -> Result<Option<Value>, NotRendered> {
        let Some(expression) = &self.expression else { return Ok(self.text(variables)?.map(Value::String)) };
        let value = STRICT
            .compile_expression(expression)
            .and_then(|expression| expression.eval(variables))
            .map_err(|error| self.failed(&error))?;
        if is_left_out(&value) {
            return Ok(None);
        }
        if value.is_undefined() {
            let reason = "a value is missing; write '| optional' if it may be absent".to_owned();
            return Err(NotRendered { path: self.path.clone(), reason });
        }
        let not_rendered = |reason: String| NotRendered { path: self.path.clone(), reason };
        let json = serde_json::to_value(&value)
            .map_err(|_| not_rendered("the value cannot be represented in JSON".to_owned()))?;
        if size_of(&json) > RENDERED_BYTES_MAX {
            return Err(not_rendered(format!("the value has more than {RENDERED_BYTES_MAX} bytes")));
        }
        Ok(Some(json))
    }

    /// The rendered text, in which missing values are empty: for texts about an answer.
    pub(crate) fn sentence(&self, variables: &Rendered) -> Option<String> {
        if self.is_constant() {
            return Some(self.source.clone());
        }
        bounded_text::beginning(&LENIENT, &self.source, variables).filter(|text| !text.trim().is_empty())
    }

    fn failed(&self, error: &Error) -> NotRendered {
        NotRendered { path: self.path.clone(), reason: error.kind().to_string() }
    }
}

/// About how many bytes of JSON the value has.
fn size_of(value: &Value) -> usize {
    /// Of a number, a word, or what stands around a text.
    const LEAST: usize = 4;
    match value {
        Value::String(text) => LEAST + text.len(),
        Value::Array(items) => LEAST + items.iter().map(size_of).sum::<usize>(),
        Value::Object(fields) => {
            LEAST + fields.iter().map(|(name, value)| LEAST + name.len() + size_of(value)).sum::<usize>()
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => LEAST,
    }
}

/// The expression of a text that is a single `{{ expression }}`.
fn expression_of(source: &str) -> Option<String> {
    let inside = source.trim().strip_prefix("{{")?.strip_suffix("}}")?;
    STRICT.compile_expression(inside).is_ok().then(|| inside.to_owned())
}

/// Whether the expression fails because a name in it is unknown.
fn is_unknown(expression: &str, kind: ErrorKind) -> bool {
    STRICT
        .compile_expression(expression)
        .and_then(|expression| expression.eval(()).map(drop))
        .is_err_and(|error| error.kind() == kind)
}

/// A JSON value of the file whose texts are templates.
#[derive(Debug, Clone)]
pub(crate) enum JsonTemplate {
    /// The same for every call.
    Constant(Value),
    /// A text.
    Text(Template),
    /// An array.
    Array(Vec<JsonTemplate>),
    /// An object.
    Object(Vec<(String, JsonTemplate)>),
}

impl JsonTemplate {
    pub(crate) fn read(entry: &Entry<'_>, scope: &Scope, faults: &mut Faults<'_>) -> Option<Self> {
        if entry.as_text().is_some() {
            let template = Template::read(entry, scope, faults)?;
            return Some(if template.is_constant() {
                Self::Constant(Value::from(template.source()))
            } else {
                Self::Text(template)
            });
        }
        if entry.is_array() {
            let items = entry.items(faults);
            return Some(Self::Array(items.iter().filter_map(|item| Self::read(item, scope, faults)).collect()));
        }
        if entry.is_table() {
            let section = entry.section(faults)?;
            let field = |(key, entry): (&str, Entry<'_>)| Some((key.to_owned(), Self::read(&entry, scope, faults)?));
            return Some(Self::Object(section.entries().into_iter().filter_map(field).collect()));
        }
        entry.scalar(faults).map(Self::Constant)
    }

    /// The value. `None` if it must be left out.
    pub(crate) fn value(&self, variables: &Rendered) -> Result<Option<Value>, NotRendered> {
        Ok(match self {
            Self::Constant(value) => Some(value.clone()),
            Self::Text(template) => template.value(variables)?,
            Self::Array(items) => {
                let mut array = Vec::with_capacity(items.len());
                for item in items {
                    array.extend(item.value(variables)?);
                }
                Some(Value::Array(array))
            }
            Self::Object(fields) => {
                let mut object = Map::new();
                for (key, field) in fields {
                    if let Some(value) = field.value(variables)? {
                        object.insert(key.clone(), value);
                    }
                }
                Some(Value::Object(object))
            }
        })
    }

    /// The constant value, if it is constant.
    pub(crate) fn constant(&self) -> Option<&Value> {
        match self {
            Self::Constant(value) => Some(value),
            _ => None,
        }
    }
}
