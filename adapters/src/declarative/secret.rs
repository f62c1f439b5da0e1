//! Secrets: the file names their places, never their values.

use std::path::PathBuf;

use interlock_domain::error_code::ErrorCode;
use interlock_domain::toml_text::{Entry, Faults, Section};
use secrecy::SecretString;

use crate::secret::{SecretMissing, in_environment, in_file};

/// The place of a secret: `{ env = "NAME" }` or `{ file = "PATH" }`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum SecretSource {
    /// An environment variable.
    Environment(String),
    /// A file. Whitespace around its text is not part of the secret.
    File(PathBuf),
}

impl SecretSource {
    /// Parses the key `key`, which is required.
    pub(super) fn require(section: &mut Section<'_>, key: &'static str, faults: &mut Faults<'_>) -> Option<Self> {
        let entry = section.require(key, faults)?;
        Self::read(&entry, faults)
    }

    pub(super) fn read(entry: &Entry<'_>, faults: &mut Faults<'_>) -> Option<Self> {
        if entry.as_text().is_some() {
            let message = "Secrets must not be written in this file: write { env = \"NAME\" } or { file = \"PATH\" }.";
            faults.add(&entry.spot, ErrorCode::InlineSecret, message);
            return None;
        }
        let mut section = entry.section(faults)?;
        let variable = section.text("env", faults);
        let file = section.text("file", faults);
        let spot = section.spot.clone();
        section.finish(faults);
        match (variable, file) {
            (Some(name), None) if !name.is_empty() && !name.contains(['=', '\0']) => {
                Some(Self::Environment(name.to_owned()))
            }
            (None, Some(path)) if !path.is_empty() => Some(Self::File(path.into())),
            _ => {
                faults.add(&spot, ErrorCode::BadSecret, "Write either { env = \"NAME\" } or { file = \"PATH\" }.");
                None
            }
        }
    }

    /// The secret itself.
    pub(super) fn resolve(&self) -> Result<SecretString, SecretMissing> {
        match self {
            Self::Environment(name) => in_environment(name),
            Self::File(path) => in_file(path),
        }
    }
}
