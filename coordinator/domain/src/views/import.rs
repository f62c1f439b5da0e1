//! What became of an import.

use serde::{Deserialize, Serialize};

use crate::import::{ImportTally, LineProblem};

/// What became of all lines of a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImportSummary {
    /// How many lines there are.
    pub lines: u64,
    /// What became of them.
    #[serde(flatten)]
    pub tally: ImportTally,
    /// Whether nothing was changed.
    #[serde(default)]
    pub dry_run: bool,
    /// The lines that were not taken, where all is one JSON value; else each was told before.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<LineProblem>,
}
