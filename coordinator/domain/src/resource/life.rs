//! What an entity knows of what was before: whether anything ever happened to it, and whether an earlier life knew more.

use serde::{Deserialize, Serialize};

/// Which life of the entity it is, and whether it has begun.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(from = "StoredLife", into = "StoredLife")]
pub enum Life {
    /// Nothing ever happened to it: it waits and looks before its first grant.
    #[default]
    New,
    /// Nothing happened to it since an earlier life of it was terminated, or it was reset: it waits until its holder may have
    /// said so, and looks only then.
    NewAgain,
    /// It heard of its kind, and knows all that was before.
    Begun,
    /// It heard of its kind, and an earlier life of it, or what a reset undid, knew more.
    BegunAgain,
}

impl Life {
    /// Whether nothing ever happened to it: an entity without history waits and looks before its first grant.
    pub fn is_new(self) -> bool {
        matches!(self, Self::New | Self::NewAgain)
    }

    /// Whether an earlier life of it was terminated, or it was reset: whoever has the resource may not be known here.
    pub fn is_again(self) -> bool {
        matches!(self, Self::NewAgain | Self::BegunAgain)
    }

    /// It has begun, if it had not.
    pub(super) fn begin(&mut self) {
        *self = if self.is_again() { Self::BegunAgain } else { Self::Begun };
    }

    /// An earlier life is heard of, or the entity was reset.
    pub(super) fn mark_again(&mut self) {
        *self = if self.is_new() { Self::NewAgain } else { Self::BegunAgain };
    }
}

/// How it travels: as two fields of its resource, since 0.1.0.
#[derive(Serialize, Deserialize)]
struct StoredLife {
    /// Whether nothing ever happened to it.
    fresh: bool,
    /// Whether there was an earlier life.
    #[serde(default)]
    #[serde(rename = "reborn")]
    recreated: bool,
}

impl From<StoredLife> for Life {
    fn from(stored: StoredLife) -> Self {
        match (stored.fresh, stored.recreated) {
            (true, false) => Self::New,
            (true, true) => Self::NewAgain,
            (false, false) => Self::Begun,
            (false, true) => Self::BegunAgain,
        }
    }
}

impl From<Life> for StoredLife {
    fn from(life: Life) -> Self {
        Self { fresh: life.is_new(), recreated: life.is_again() }
    }
}
