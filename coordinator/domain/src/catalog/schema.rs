//! The JSON Schema of an event type's data. It is compiled once, then used to normalise fields, to validate, and to tell
//! the checker which fields a template can rely on.

use std::collections::BTreeMap;
use std::sync::Arc;

use jsonschema::Validator;
use serde_json::{Map, Value};

use super::form::Form;
use crate::error_code::ErrorCode;
use crate::order::Rejection;
use crate::toml_text::{Entry, Faults, Spot};

/// How deep a schema may nest. The fields that it describes cannot nest deeper than an event.
const SCHEMA_DEPTH_MAX: usize = 64;
/// How many faults of one event's data are reported.
const FAULTS_TOLD_MAX: usize = 3;

/// The keywords that validate an object by which fields it has, or by several fields together.
const OF_THE_WHOLE: [&str; 13] = [
    "required",
    "minProperties",
    "maxProperties",
    "dependentRequired",
    "dependentSchemas",
    "if",
    "then",
    "else",
    "allOf",
    "anyOf",
    "oneOf",
    "not",
    "unevaluatedProperties",
];

/// A field of an event's data, as its schema describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataField {
    /// Its name.
    pub name: String,
    /// Its JSON type: `string`, `integer`, `object`, …; none if it may have several.
    pub type_name: Option<String>,
    /// What it is, if the schema says so.
    pub description: Option<String>,
}

/// A compiled schema.
#[derive(Clone)]
pub(super) struct DataSchema {
    schema: Value,
    /// `None` if the schema has faults: then the catalog is invalid too, and only its checker sees this.
    validator: Option<Arc<Validator>>,
}

impl std::fmt::Debug for DataSchema {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DataSchema").field("schema", &self.schema).finish_non_exhaustive()
    }
}

/// What a schema says about one field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FieldUse {
    /// The field, or one that contains it, may be missing.
    Optional,
    /// It is always present; its type may be anything.
    Required,
    /// It is always present and can be written as text: a string, an integer or a boolean.
    RequiredText,
}

impl DataSchema {
    /// Reads and compiles the schema; every fault is noted with its line.
    pub(super) fn read(entry: &Entry<'_>, faults: &mut Faults<'_>) -> Self {
        let mut places = BTreeMap::new();
        let mut schema = entry.json(&mut places, faults);
        if let Value::Object(fields) = &mut schema {
            fields.entry("type").or_insert_with(|| Value::from("object"));
        }
        if nests_deeper(&schema, SCHEMA_DEPTH_MAX) {
            faults.add(
                &entry.spot,
                ErrorCode::InvalidSchema,
                format!("The schema is nested too deeply; the limit is {SCHEMA_DEPTH_MAX} levels."),
            );
            return Self::unknown();
        }
        let note = |pointer: &str, message: String, faults: &mut Faults<'_>| {
            let spot = nearest(pointer, &places).unwrap_or(&entry.spot);
            faults.add(spot, ErrorCode::InvalidSchema, format!("Invalid JSON Schema (2020-12): {message}."));
        };
        let meta = jsonschema::draft202012::meta::validator();
        let mut is_sound = true;
        for error in meta.iter_errors(&schema) {
            is_sound = false;
            note(error.instance_path().as_str(), error.to_string(), faults);
        }
        if !is_sound {
            return Self::unknown();
        }
        match options().build(&schema) {
            Ok(validator) => Self { schema, validator: Some(Arc::new(validator)) },
            Err(error) => {
                note(error.instance_path().as_str(), error.to_string(), faults);
                Self::unknown()
            }
        }
    }

    /// A placeholder for a schema with faults, so that the rest of its event type is still checked.
    pub(super) fn unknown() -> Self {
        Self { schema: Value::Null, validator: None }
    }

    /// The form of a field, if the schema gives it one.
    pub(super) fn form_of(&self, path: &[String]) -> Option<Form> {
        let field = path.iter().try_fold(&self.schema, |at, name| at.get("properties")?.get(name))?;
        field["format"].as_str().and_then(Form::of)
    }

    /// The data with each field normalised, if they are valid.
    ///
    /// # Errors
    /// `invalid_data`; the detail names fields, never values, which are personal data.
    pub(super) fn admit(&self, data: &Map<String, Value>) -> Result<Map<String, Value>, Rejection> {
        let mut wrong = Vec::new();
        let mut data = data.clone();
        normalise(&mut data, &self.schema, "data", &mut wrong);
        let value = Value::Object(data);
        if let Some(validator) = self.validator.as_ref().filter(|_| wrong.is_empty()) {
            for error in validator.iter_errors(&value).take(FAULTS_TOLD_MAX) {
                let path = format!("data{}", error.instance_path().as_str().replace('/', "."));
                wrong.push(format!("{path}: {}", error.masked_with("the value")));
            }
        }
        match value {
            Value::Object(data) if wrong.is_empty() => Ok(data),
            _ => {
                wrong.truncate(FAULTS_TOLD_MAX);
                Err(Rejection::new(
                    ErrorCode::InvalidData,
                    format!("The event's data are invalid. {}.", wrong.join("; ")),
                ))
            }
        }
    }

    /// Whether it describes a top-level field of this name.
    pub(super) fn has_field(&self, name: &str) -> bool {
        self.schema["properties"].get(name).is_some()
    }

    /// The same schema without its rules about the data as a whole: each field is validated by itself.
    ///
    /// # Errors
    /// Why it cannot be used without those rules.
    pub(super) fn of_single_fields(&self) -> Result<Self, String> {
        let mut schema = self.schema.clone();
        if let Value::Object(keywords) = &mut schema {
            keywords.retain(|keyword, _| !OF_THE_WHOLE.contains(&keyword.as_str()));
        }
        let validator = options().build(&schema).map_err(|error| error.to_string())?;
        Ok(Self { schema, validator: Some(Arc::new(validator)) })
    }

    /// What the schema says about a field, by the keywords `properties`, `required` and `type`; a `$ref` is not followed.
    pub(super) fn field(&self, path: &[String]) -> FieldUse {
        if self.validator.is_none() {
            return FieldUse::RequiredText;
        }
        let mut schema = &self.schema;
        for name in path {
            let is_required =
                schema["required"].as_array().is_some_and(|required| required.iter().any(|other| other == name));
            match schema["properties"].get(name) {
                Some(inner) if is_required => schema = inner,
                _ => return FieldUse::Optional,
            }
        }
        let has_text = ["string", "integer", "boolean"].iter().any(|kind| schema["type"] == *kind);
        if has_text { FieldUse::RequiredText } else { FieldUse::Required }
    }

    /// The required top-level fields.
    pub(super) fn required(&self) -> Vec<&str> {
        self.schema["required"]
            .as_array()
            .map(|names| names.iter().filter_map(Value::as_str).collect())
            .unwrap_or_default()
    }
}

impl DataSchema {
    /// The top-level fields.
    pub(super) fn fields(&self) -> Vec<DataField> {
        let Some(properties) = self.schema["properties"].as_object() else { return Vec::new() };
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let field = |(name, property): (&String, &Value)| DataField {
            name: name.clone(),
            type_name: text(&property["type"]),
            description: text(&property["description"]),
        };
        let mut fields: Vec<DataField> = properties.iter().map(field).collect();
        fields.sort_by(|one, other| one.name.cmp(&other.name));
        fields
    }
}

fn options() -> jsonschema::ValidationOptions<'static> {
    Form::ALL
        .into_iter()
        .fold(jsonschema::options(), |options, form| {
            options.with_format(form.as_str(), move |text| form.normalise(text).as_deref() == Ok(text))
        })
        .with_draft(jsonschema::Draft::Draft202012)
        .should_validate_formats(true)
        .should_ignore_unknown_formats(false)
        // Nothing is ever downloaded: the domain does no I/O.
        .offline()
}

fn normalise(data: &mut Map<String, Value>, schema: &Value, path: &str, wrong: &mut Vec<String>) {
    let Some(properties) = schema["properties"].as_object() else { return };
    for (name, property) in properties {
        let form = property["format"].as_str().and_then(Form::of);
        match (data.get_mut(name), form) {
            (Some(Value::Object(inner)), _) => normalise(inner, property, &format!("{path}.{name}"), wrong),
            (Some(Value::String(text)), Some(form)) => match form.normalise(text) {
                Ok(digits) => *text = digits,
                Err(what) => wrong.push(format!("{path}.{name} {what}")),
            },
            _ => {}
        }
    }
}

fn nests_deeper(value: &Value, levels: usize) -> bool {
    match value {
        Value::Array(_) | Value::Object(_) if levels == 0 => true,
        Value::Array(items) => items.iter().any(|inner| nests_deeper(inner, levels - 1)),
        Value::Object(fields) => fields.values().any(|inner| nests_deeper(inner, levels - 1)),
        _ => false,
    }
}

/// The place of the innermost part on the way to `pointer` that has a place.
fn nearest<'a>(pointer: &str, places: &'a BTreeMap<String, Spot>) -> Option<&'a Spot> {
    let mut pointer = pointer;
    loop {
        if let Some(spot) = places.get(pointer) {
            return Some(spot);
        }
        pointer = &pointer[..pointer.rfind('/')?];
    }
}
