//! Reads JSON from outside: it rejects duplicate keys in one object, because readers disagree on which value counts, and more
//! values than the limit, because a few bytes of text may need many bytes of memory.

use std::cell::{Cell, RefCell};
use std::fmt;

use serde::de::{DeserializeSeed, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};
use thiserror::Error;

/// How much is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JsonLimits {
    /// The most elements of a text that is an array.
    pub elements_max: usize,
    /// The most values in total: texts, numbers, arrays, objects.
    pub values_max: usize,
}

impl JsonLimits {
    /// For texts from the user who runs the program.
    pub const NONE: Self = Self { elements_max: usize::MAX, values_max: usize::MAX };
}

/// Why a text was rejected.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum JsonError {
    /// It is not JSON.
    #[error("{0}")]
    NotJson(String),
    /// An object has a key twice.
    #[error("duplicate key '{0}' in one object")]
    DuplicateKey(String),
    /// The array has more elements.
    #[error("it has more than {0} elements")]
    TooManyElements(usize),
    /// It has more values.
    #[error("it has more than {0} values")]
    TooManyValues(usize),
}

/// The longest part of a duplicate key that is shown in an error.
const KEY_SHOWN_MAX: usize = 64;

/// Reads a text.
///
/// # Errors
/// [`JsonError`].
pub fn read(text: &[u8], limits: JsonLimits) -> Result<Value, JsonError> {
    let reader = Reader { limits, values: Cell::new(0), broken: RefCell::new(None) };
    let mut deserializer = serde_json::Deserializer::from_slice(text);
    let of_whole = Part { reader: &reader, is_whole: true };
    let read = of_whole.deserialize(&mut deserializer).and_then(|value| deserializer.end().map(|()| value));
    read.map_err(|error| reader.broken.take().unwrap_or_else(|| JsonError::NotJson(error.to_string())))
}

struct Reader {
    limits: JsonLimits,
    values: Cell<usize>,
    /// The fault, if it is not in the text's syntax.
    broken: RefCell<Option<JsonError>>,
}

impl Reader {
    fn fails<E: serde::de::Error>(&self, error: JsonError) -> E {
        let text = error.to_string();
        self.broken.replace(Some(error));
        E::custom(text)
    }

    fn count<E: serde::de::Error>(&self) -> Result<(), E> {
        let values = self.values.get() + 1;
        self.values.set(values);
        let max = self.limits.values_max;
        if values > max { Err(self.fails(JsonError::TooManyValues(max))) } else { Ok(()) }
    }
}

/// A value that is about to be read.
#[derive(Clone, Copy)]
struct Part<'r> {
    reader: &'r Reader,
    is_whole: bool,
}

impl<'r> Part<'r> {
    fn inner(self) -> Part<'r> {
        Part { is_whole: false, ..self }
    }
}

impl<'de> DeserializeSeed<'de> for Part<'_> {
    type Value = Value;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        self.reader.count()?;
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Part<'_> {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut array: A) -> Result<Value, A::Error> {
        let max = if self.is_whole { self.reader.limits.elements_max } else { usize::MAX };
        let mut elements = Vec::new();
        while let Some(element) = array.next_element_seed(self.inner())? {
            if elements.len() == max {
                return Err(self.reader.fails(JsonError::TooManyElements(max)));
            }
            elements.push(element);
        }
        Ok(Value::Array(elements))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Value, A::Error> {
        let mut entries = Map::new();
        while let Some(key) = object.next_key::<String>()? {
            if entries.contains_key(&key) {
                let shown = key.chars().take(KEY_SHOWN_MAX).collect();
                return Err(self.reader.fails(JsonError::DuplicateKey(shown)));
            }
            let value = object.next_value_seed(self.inner())?;
            entries.insert(key, value);
        }
        Ok(Value::Object(entries))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FEW: JsonLimits = JsonLimits { elements_max: 3, values_max: 8 };

    #[test]
    fn a_text_is_read_as_any_reader_reads_it() {
        for text in
            ["null", "[1,-2,0.5]", r#"{"a":{"b":"\u00e9\n"},"c":[true,null]}"#, " 18446744073709551615 ", "1e300"]
        {
            let expected: Value = serde_json::from_str(text).unwrap();
            assert_eq!(read(text.as_bytes(), JsonLimits::NONE), Ok(expected), "{text}");
        }
        for text in ["", "{", "[1,]", "1 2", "1e400", "\"\u{1}\""] {
            assert!(matches!(read(text.as_bytes(), JsonLimits::NONE), Err(JsonError::NotJson(_))), "{text}");
        }
        let deep = "[".repeat(100_000);
        assert!(matches!(read(deep.as_bytes(), JsonLimits::NONE), Err(JsonError::NotJson(_))));
    }

    #[test]
    fn a_key_comes_once_at_any_depth_however_it_is_written() {
        for text in [r#"{"a":1,"a":1}"#, r#"[{"x":{"a":1,"b":2,"\u0061":3}}]"#] {
            assert_eq!(read(text.as_bytes(), JsonLimits::NONE), Err(JsonError::DuplicateKey("a".to_owned())), "{text}");
        }
        assert!(read(br#"[{"a":1},{"a":1}]"#, JsonLimits::NONE).is_ok());
    }

    #[test]
    fn elements_and_values_are_counted_up_to_their_limits() {
        assert!(read(b"[1,2,3]", FEW).is_ok());
        assert_eq!(read(b"[1,2,3,4]", FEW), Err(JsonError::TooManyElements(3)));
        // The limit of elements applies only to the outermost array.
        assert!(read(b"[[1,2,3,4,5,6]]", FEW).is_ok());
        assert_eq!(read(b"[[1,2,3,4,5,6,7]]", FEW), Err(JsonError::TooManyValues(8)));
        assert_eq!(read(br#"{"a":[1,2,3,4,5,6,7]}"#, FEW), Err(JsonError::TooManyValues(8)));
    }
}
