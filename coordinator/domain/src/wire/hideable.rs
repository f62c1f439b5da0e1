//! A value of a view that the caller may not be allowed to see.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A value, or null for a value that is not shown.
///
/// A field of this type that may also be absent is an `Option` that is read by [`Hideable::there`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hideable<T> {
    /// A value that is shown.
    Shown(T),
    /// A value that is not shown.
    Hidden,
}

impl<T> Hideable<T> {
    /// The value, if it is shown.
    pub fn shown(&self) -> Option<&T> {
        match self {
            Self::Shown(value) => Some(value),
            Self::Hidden => None,
        }
    }

    /// Reads a field that is present: null says that its value is hidden.
    ///
    /// # Errors
    /// If it is neither null nor such a value.
    pub fn there<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Self>, D::Error>
    where
        T: Deserialize<'de>,
    {
        Self::deserialize(deserializer).map(Some)
    }
}

impl<T: Serialize> Serialize for Hideable<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.shown().serialize(serializer)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Hideable<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Option::deserialize(deserializer)?.map_or(Self::Hidden, Self::Shown))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct View {
        #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "Hideable::there")]
        name: Option<Hideable<String>>,
    }

    #[test]
    fn what_is_absent_hidden_or_shown_is_told_apart() {
        for (written, name) in [
            (json!({}), None),
            (json!({"name": null}), Some(Hideable::Hidden)),
            (json!({"name": "x"}), Some(Hideable::Shown("x".to_owned()))),
        ] {
            let view: View = serde_json::from_value(written.clone()).unwrap();
            assert_eq!((&view.name, json!(view)), (&name, written));
        }
    }
}
