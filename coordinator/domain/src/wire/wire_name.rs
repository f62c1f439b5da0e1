//! A word of a fixed set, as one build writes it and another one reads it.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A fixed set of words: the states of an order, of a step, of a target, …
pub trait WireWord: Copy {
    /// The word, as it is written.
    fn as_str(self) -> &'static str;
}

/// One word of a set; or a word that another build has added, kept as it was written.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(untagged)]
pub enum WireName<T> {
    /// A word that this build knows.
    Known(T),
    /// A word of another build.
    Unknown(String),
}

impl<T: WireWord> WireName<T> {
    /// The word, if this build knows it.
    pub fn known(&self) -> Option<T> {
        match self {
            Self::Known(word) => Some(*word),
            Self::Unknown(_) => None,
        }
    }

    /// The word, as it is written.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Known(word) => word.as_str(),
            Self::Unknown(word) => word,
        }
    }
}

impl<T> From<T> for WireName<T> {
    fn from(word: T) -> Self {
        Self::Known(word)
    }
}

impl<T: PartialEq> PartialEq<T> for WireName<T> {
    fn eq(&self, other: &T) -> bool {
        matches!(self, Self::Known(word) if word == other)
    }
}

impl<T: WireWord> fmt::Display for WireName<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// An enum whose variants are written as these words. They are token trees, so that other macros see them as literals.
macro_rules! wire_words {
    ($(#[$meta:meta])* $name:ident { $($(#[$variant_meta:meta])* $variant:ident = $word:tt),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(
            Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
        )]
        #[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
        pub enum $name {
            $($(#[$variant_meta])* #[serde(rename = $word)] $variant,)+
        }

        impl $name {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The word, as it is written.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)+
                }
            }
        }

        impl $crate::wire::WireWord for $name {
            fn as_str(self) -> &'static str {
                Self::as_str(self)
            }
        }
    };
}

pub(crate) use wire_words;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    wire_words! {
        /// A word.
        Word {
            /// One.
            One = "one",
            /// Two words.
            TwoWords = "two words",
        }
    }

    #[test]
    fn a_word_of_another_build_is_kept_as_it_was_written() {
        for (written, read) in
            [("one", WireName::Known(Word::One)), ("three", WireName::<Word>::Unknown("three".to_owned()))]
        {
            let word: WireName<Word> = serde_json::from_value(json!(written)).unwrap();
            assert_eq!((&word, word.as_str()), (&read, written));
            assert_eq!(json!(word), json!(written));
        }
        assert!(serde_json::from_value::<WireName<Word>>(json!(1)).is_err());
    }

    #[test]
    fn a_word_is_written_as_it_is_said() {
        for word in Word::ALL {
            assert_eq!(json!(word), json!(word.as_str()));
        }
        assert_eq!(WireName::from(Word::TwoWords), Word::TwoWords);
        assert_eq!(format!("{:>4}", WireName::from(Word::One)), " one");
    }
}
