//! The files: one history in each, in the JSON form that the SDK reads, compressed.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use serde_json::Value;
use temporalio_common::protos::temporal::api::history::v1::History;

/// The next release that this build becomes.
pub const RELEASE: &str = env!("CARGO_PKG_VERSION");
/// The histories that are recorded before that release, of paths that earlier releases do not have. They are replaced by the release's
/// own.
pub const NEXT_RELEASE: &str = "0.2.0-pre";
/// Replaces the identity and the host of the recording.
const FORGOTTEN: &str = "recorded";
const ENDING: &str = ".json.gz";

/// One recorded history.
#[derive(Debug, Clone)]
pub struct Recorded {
    /// Its release.
    pub release: String,
    /// `PATH.WHO`, or `PATH.WHO.RUN` for one of several runs.
    pub name: String,
    /// The history.
    pub history: History,
}

impl Recorded {
    /// `PATH.WHO`.
    pub fn path(&self) -> &str {
        path_of(&self.name)
    }
}

/// The name without the number of the run.
pub fn path_of(name: &str) -> &str {
    let run = name.rsplit_once('.').filter(|(_, run)| run.parse::<usize>().is_ok());
    run.map_or(name, |(path, _)| path)
}

/// Whether this run of the tests must record.
pub fn is_to_be_recorded() -> bool {
    std::env::var_os("INTERLOCK_RECORD_HISTORIES").is_some()
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("histories")
}

/// The histories of all releases.
pub fn all() -> Vec<Recorded> {
    entries(&folder()).iter().flat_map(|release| of_release(release)).collect()
}

/// The histories of one release, sorted by name. Empty if there is no such release.
pub fn of_release(release: &str) -> Vec<Recorded> {
    let files = entries(&folder().join(release));
    let recorded = files.iter().filter_map(|file| file.strip_suffix(ENDING)).map(|name| Recorded {
        release: release.to_owned(),
        name: name.to_owned(),
        history: read(&file_of(release, name)),
    });
    recorded.collect()
}

fn file_of(release: &str, name: &str) -> PathBuf {
    folder().join(release).join(format!("{name}{ENDING}"))
}

fn entries(folder: &Path) -> Vec<String> {
    let Ok(found) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut names: Vec<String> = found.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn read(file: &Path) -> History {
    let mut json = Vec::new();
    GzDecoder::new(File::open(file).unwrap()).read_to_end(&mut json).unwrap();
    serde_json::from_slice(&json).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

/// Whether this run of the tests must record the paths for the next release.
pub fn is_next_to_be_recorded() -> bool {
    std::env::var_os("INTERLOCK_RECORD_NEXT_HISTORIES").is_some()
}

/// Empties the folder of a release.
pub fn empty(release: &str) {
    let folder = folder().join(release);
    drop(std::fs::remove_dir_all(&folder));
    std::fs::create_dir_all(&folder).unwrap();
}

/// Writes one history of a release, without any information about the recording machine.
pub fn write(release: &str, name: &str, history: &History) {
    let mut json = serde_json::to_value(history).unwrap();
    forget_machine(&mut json);
    let mut file = GzEncoder::new(File::create(file_of(release, name)).unwrap(), Compression::best());
    file.write_all(json.to_string().as_bytes()).unwrap();
    file.finish().unwrap();
}

fn forget_machine(json: &mut Value) {
    match json {
        Value::Array(all) => all.iter_mut().for_each(forget_machine),
        Value::Object(fields) => {
            for (name, value) in fields {
                if name == "identity" && value.is_string() {
                    *value = FORGOTTEN.into();
                } else {
                    forget_machine(value);
                }
            }
        }
        // The sticky queue of one worker.
        Value::String(text) if text.starts_with("interlock@") => FORGOTTEN.clone_into(text),
        _ => {}
    }
}
