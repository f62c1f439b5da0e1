//! What an entity knows of its past: whether anything ever happened to it, and whether an earlier life knew more.

use serde::{Deserialize, Serialize};

/// The life of the entity, and whether it has started.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(from = "StoredLife", into = "StoredLife")]
pub enum Life {
    /// Nothing ever happened to it: it waits and looks before its first grant.
    #[default]
    New,
    /// Nothing happened to it since an earlier life was terminated, or it was reset: it waits until its holder could have
    /// reported, and only then looks.
    NewAgain,
    /// It knows its kind, and its whole past.
    Begun,
    /// It knows its kind; an earlier life, or what a reset undid, knew more.
    BegunAgain,
}

impl Life {
    /// Whether nothing ever happened to it: an entity without history waits and looks before its first grant.
    pub fn is_new(self) -> bool {
        matches!(self, Self::New | Self::NewAgain)
    }

    /// Whether an earlier life was terminated, or it was reset: the holder of the resource may be unknown here.
    pub fn is_again(self) -> bool {
        matches!(self, Self::NewAgain | Self::BegunAgain)
    }

    /// Marks it as started.
    pub(super) fn begin(&mut self) {
        *self = if self.is_again() { Self::BegunAgain } else { Self::Begun };
    }

    /// Records that there was an earlier life, or a reset.
    pub(super) fn mark_again(&mut self) {
        *self = if self.is_new() { Self::NewAgain } else { Self::BegunAgain };
    }
}

/// The serialised form: two fields of its resource, since 0.1.0.
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
