//! The catalogue of errors is the only place in which a code is written.
//!
//! The types enforce this: `Fault`, `Problem`, `Rejection`, `Refusal` and the faults of catalogs and adapter files take an `ErrorCode`,
//! and the `ReasonCode` of outcomes and states is made from one, or from a target's answer. These tests check what types cannot: views
//! and journals are texts.

use std::path::{Path, PathBuf};

use interlock_domain::error_code::ErrorCode;

/// The source folders, in addition to the crates below `coordinator/`. The sandbox targets are left out, since their codes are those
/// of an outside system.
const ROOMS: [&str; 4] = ["coordinator/src", "workflows/src", "activities/src", "adapters/src"];
const OUTSIDE_SYSTEMS: &str = "adapters/src/sandbox";
const CATALOGUE: &str = "coordinator/domain/src/error_code";

/// The pattern of a code that is written by hand.
const BY_HAND: [&str; 6] =
    ["code: \"", "code: Some(\"", "code = Some(\"", "code: String::from(\"", "of_target(\"", "of_target(format!(\""];
/// Codes for targets that gave none, made from the status: see the head of the reference page.
const OF_STATUS: &str = "of_target(format!(\"http_{";

fn house() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn sources() -> Vec<(PathBuf, String)> {
    let house = house();
    let mut found = Vec::new();
    let mut directories: Vec<PathBuf> = ROOMS.iter().map(|room| house.join(room)).collect();
    let below = std::fs::read_dir(house.join("coordinator")).unwrap().map(|entry| entry.unwrap().path().join("src"));
    directories.extend(below.filter(|directory| directory.is_dir()));
    while let Some(directory) = directories.pop() {
        for entry in std::fs::read_dir(&directory).unwrap() {
            let path = entry.unwrap().path();
            let is_other = [OUTSIDE_SYSTEMS, CATALOGUE].iter().any(|other| path.starts_with(house.join(other)));
            if is_other {
                continue;
            }
            if path.is_dir() {
                directories.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push((path.clone(), std::fs::read_to_string(&path).unwrap()));
            }
        }
    }
    found
}

/// The lines that are neither tests nor comments. Unit tests are at the end of a file or in a separate file.
fn lines_of_production(path: &Path, text: &str) -> Vec<String> {
    let stems = path.components().filter_map(|part| part.as_os_str().to_str()).map(|part| part.trim_end_matches(".rs"));
    if stems.skip_while(|part| *part != "src").any(|part| part == "tests" || part.ends_with("_tests")) {
        return Vec::new();
    }
    let production = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    production.lines().filter(|line| !line.trim_start().starts_with("//")).map(str::to_owned).collect()
}

#[test]
fn no_code_is_written_by_hand() {
    let mut by_hand = Vec::new();
    for (path, text) in sources() {
        for line in lines_of_production(&path, &text) {
            if BY_HAND.iter().any(|way| line.contains(way)) && !line.contains(OF_STATUS) {
                by_hand.push(format!("{}: {}", path.display(), line.trim()));
            }
        }
    }
    assert!(by_hand.is_empty(), "use ErrorCode:\n{}", by_hand.join("\n"));
}

#[test]
fn every_code_of_the_catalogue_can_be_met() {
    let seeds = std::fs::read_to_string(house().join("adapters/src/sandbox/seeds.rs")).unwrap();
    let texts = sources().into_iter().map(|(path, text)| lines_of_production(&path, &text).join("\n"));
    let texts: Vec<String> = texts.chain([seeds]).collect();
    let is_used = |code: &ErrorCode| {
        let written = format!("ErrorCode::{code:?}");
        texts.iter().any(|text| {
            text.match_indices(&written)
                .any(|(at, _)| !text[at + written.len()..].starts_with(|next: char| next.is_ascii_alphanumeric()))
        })
    };
    let never: Vec<&ErrorCode> = ErrorCode::ALL.iter().filter(|code| !is_used(code)).collect();
    assert!(never.is_empty(), "these codes are no longer used: {never:?}");
}
