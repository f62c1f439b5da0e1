//! The result of an import.

use serde::{Deserialize, Serialize};

use crate::import::{ImportTally, LineProblem};

/// The results of all lines of a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImportSummary {
    /// How many lines there are.
    pub lines: u64,
    /// The results, counted.
    #[serde(flatten)]
    pub tally: ImportTally,
    /// Whether nothing was changed.
    #[serde(default)]
    pub dry_run: bool,
    /// The lines that were not imported, if the output is one JSON value; otherwise each was already written.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<LineProblem>,
}
