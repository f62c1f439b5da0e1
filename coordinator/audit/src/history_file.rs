//! Histories in files: one in each, in the JSON form of Temporal's Rust SDK, compressed or not.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use flate2::read::GzDecoder;
use temporalio_common::protos::temporal::api::history::v1::{History, HistoryEvent};

use crate::error::AuditError;
use crate::facts::HistoryUnreadable;

/// The most bytes of JSON that are read from one file: a history has at most 50 MiB on the server, and JSON is larger.
const JSON_BYTES_MAX: u64 = 512 * 1024 * 1024;

/// The files with histories in a folder and the folders in it, sorted.
///
/// # Errors
/// [`AuditError::History`] if a folder cannot be read.
pub(crate) fn below(folder: &Path) -> Result<Vec<PathBuf>, AuditError> {
    let unreadable = |error: std::io::Error| {
        AuditError::History(folder.display().to_string(), HistoryUnreadable::File(error.to_string()))
    };
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        if path.is_dir() {
            files.extend(below(&path)?);
        } else if is_history(&path) {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// Whether a file is named as a history, compressed or not.
fn is_history(file: &Path) -> bool {
    let has = |path: &Path, extension: &str| path.extension().is_some_and(|found| found == extension);
    has(file, "json") || (has(file, "gz") && has(&file.with_extension(""), "json"))
}

/// The events in a file.
///
/// # Errors
/// [`HistoryUnreadable`].
pub(crate) fn read(file: &Path) -> Result<Vec<HistoryEvent>, HistoryUnreadable> {
    let unreadable = |error: std::io::Error| HistoryUnreadable::File(error.to_string());
    let opened = File::open(file).map_err(unreadable)?;
    let mut json = Vec::new();
    if file.extension().is_some_and(|extension| extension == "gz") {
        GzDecoder::new(opened).take(JSON_BYTES_MAX).read_to_end(&mut json).map_err(unreadable)?;
    } else {
        opened.take(JSON_BYTES_MAX).read_to_end(&mut json).map_err(unreadable)?;
    }
    let history: History =
        serde_json::from_slice(&json).map_err(|error| HistoryUnreadable::NotJson(error.to_string()))?;
    Ok(history.events)
}
