//! Secrets in settings: their text or, better, their place, so that the settings file itself need not be secret.

use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

/// A secret in a settings file: `"its text"`, `{ env = "NAME" }` or `{ file = "PATH" }`. If it is elsewhere, it is read only when it is
/// needed, so that processes that do not need it need not have it. It is never printed.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged, expecting = "a secret must be a text, { env = \"NAME\" } or { file = \"PATH\" }")]
pub enum Secret {
    /// The secret itself.
    Text(SecretString),
    /// An environment variable.
    Environment(InEnvironment),
    /// A file. Whitespace around its text is not part of the secret.
    File(InFile),
}

/// `{ env = "NAME" }`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InEnvironment {
    /// The name of the variable.
    pub env: String,
}

/// `{ file = "PATH" }`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InFile {
    /// The path. If it is not absolute, it is relative to the working directory.
    pub file: PathBuf,
}

/// A secret is missing at its place. The text names the place, never the secret.
#[derive(Debug, thiserror::Error)]
pub enum SecretMissing {
    /// The variable.
    #[error("the environment variable {0} is not set; set it to the secret")]
    Environment(String),
    /// The file.
    #[error("the file {0:?} cannot be read ({1}); write the secret there")]
    File(PathBuf, std::io::ErrorKind),
    /// It is empty.
    #[error("{0} is empty; write the secret there")]
    Empty(String),
}

impl Secret {
    /// Reads the secret. It is read again on each call.
    ///
    /// # Errors
    /// [`SecretMissing`] if it is not at its place.
    pub fn read(&self) -> Result<SecretString, SecretMissing> {
        match self {
            Self::Text(text) if self.is_blank() => Err(SecretMissing::Empty("the text in the settings".to_owned())),
            Self::Text(text) => Ok(text.clone()),
            Self::Environment(InEnvironment { env }) => in_environment(env),
            Self::File(InFile { file }) => in_file(file),
        }
    }
}

impl Secret {
    /// Whether its text is in the settings.
    pub fn is_text(&self) -> bool {
        matches!(self, Self::Text(_))
    }

    /// Whether its text is in the settings and is blank.
    pub fn is_blank(&self) -> bool {
        matches!(self, Self::Text(text) if text.expose_secret().trim().is_empty())
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self::Text(text.into())
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self::Text(text.into())
    }
}

/// The secret in a variable.
pub(crate) fn in_environment(name: &str) -> Result<SecretString, SecretMissing> {
    let text = std::env::var(name).map_err(|_| SecretMissing::Environment(name.to_owned()))?;
    trimmed(&text, || format!("the environment variable {name}"))
}

/// The secret in a file.
pub(crate) fn in_file(path: &Path) -> Result<SecretString, SecretMissing> {
    let text = std::fs::read_to_string(path);
    let text = text.map_err(|error| SecretMissing::File(path.to_owned(), error.kind()))?;
    trimmed(&text, || format!("the file '{}'", path.display()))
}

fn trimmed(text: &str, place: impl FnOnce() -> String) -> Result<SecretString, SecretMissing> {
    let secret = text.trim();
    if secret.is_empty() { Err(SecretMissing::Empty(place())) } else { Ok(secret.into()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: serde_json::Value) -> Secret {
        serde_json::from_value(json).unwrap()
    }

    #[test]
    fn a_secret_is_its_text_or_its_place() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("key");
        std::fs::write(&path, "open sesame\n").unwrap();
        assert_eq!(read("open".into()).read().unwrap().expose_secret(), "open");
        let in_file = read(serde_json::json!({ "file": path }));
        assert_eq!(in_file.read().unwrap().expose_secret(), "open sesame");
        let in_environment = read(serde_json::json!({ "env": "PATH" }));
        assert_eq!(in_environment.read().unwrap().expose_secret(), std::env::var("PATH").unwrap().trim());
    }

    #[test]
    fn a_missing_secret_is_reported_with_its_place() {
        let missing = |json| read(json).read().err().unwrap().to_string();
        assert!(missing(serde_json::json!({ "file": "/nowhere/key" })).contains("/nowhere/key"));
        assert!(missing(serde_json::json!({ "env": "INTERLOCK_NOT_SET" })).contains("INTERLOCK_NOT_SET"));
    }

    #[test]
    fn an_empty_or_blank_secret_counts_as_missing() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("key");
        for blank in ["", " ", "\t \n"] {
            std::fs::write(&path, blank).unwrap();
            for secret in [read(blank.into()), read(serde_json::json!({ "file": path }))] {
                assert!(matches!(secret.read(), Err(SecretMissing::Empty(_))), "{secret:?}");
            }
            assert!(read(blank.into()).is_blank());
        }
        // The test cannot set environment variables, so it only checks how their text is handled.
        assert!(matches!(trimmed(" ", || "x".to_owned()), Err(SecretMissing::Empty(_))));
    }

    #[test]
    fn other_values_are_rejected_as_secrets() {
        for wrong in [serde_json::json!({ "env": "A", "file": "B" }), serde_json::json!({ "path": "B" }), 7.into()] {
            let error = serde_json::from_value::<Secret>(wrong).unwrap_err();
            assert!(error.to_string().contains("{ env = \"NAME\" }"), "{error}");
        }
    }
}
