//! Secrets: the file names where they are, never what they are.

use std::path::PathBuf;

use interlock_domain::error_code::ErrorCode;
use interlock_domain::toml_text::{Entry, Faults, Section};
use secrecy::SecretString;

/// Where a secret is: `{ env = "NAME" }` or `{ file = "PATH" }`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum SecretSource {
    /// An environment variable.
    Environment(String),
    /// A file. Blanks and line ends around its text are no part of the secret.
    File(PathBuf),
}

/// A secret is not where the file says. The text names the place, never the secret.
#[derive(Debug, thiserror::Error)]
pub(super) enum SecretMissing {
    /// The variable.
    #[error("the environment variable {0} is not set; set it to the secret")]
    Environment(String),
    /// The file.
    #[error("the file {0:?} cannot be read ({1}); put the secret there")]
    File(PathBuf, std::io::ErrorKind),
    /// Nothing in it.
    #[error("{0} is empty; put the secret there")]
    Empty(String),
}

impl SecretSource {
    /// Reads the key `key`, which is required.
    pub(super) fn require(section: &mut Section<'_>, key: &'static str, faults: &mut Faults<'_>) -> Option<Self> {
        let entry = section.require(key, faults)?;
        Self::read(&entry, faults)
    }

    pub(super) fn read(entry: &Entry<'_>, faults: &mut Faults<'_>) -> Option<Self> {
        if entry.as_text().is_some() {
            let message = "A secret has no place in this file: write { env = \"NAME\" } or { file = \"PATH\" }.";
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
        let (text, place) = match self {
            Self::Environment(name) => {
                let text = std::env::var(name).map_err(|_| SecretMissing::Environment(name.clone()))?;
                (text, format!("the environment variable {name}"))
            }
            Self::File(path) => {
                let text = std::fs::read_to_string(path);
                let text = text.map_err(|error| SecretMissing::File(path.clone(), error.kind()))?;
                (text, format!("the file '{}'", path.display()))
            }
        };
        let secret = text.trim();
        if secret.is_empty() { Err(SecretMissing::Empty(place)) } else { Ok(secret.into()) }
    }
}
