//! The Dockerfile.

use std::collections::BTreeMap;

use super::containers::Container;
use super::manifests::{deploy, text};

/// Its instructions, one for each line, without comments.
fn instructions() -> Vec<(String, String)> {
    let text = text(&deploy("Dockerfile"));
    let lines = text.lines().filter(|line| !line.trim_start().starts_with('#')).collect::<Vec<_>>().join("\n");
    let joined = lines.replace("\\\n", " ");
    let split = |line: &str| line.trim().split_once(' ').map(|(name, rest)| (name.to_owned(), rest.trim().to_owned()));
    joined.lines().filter_map(split).collect()
}

fn last(name: &str) -> String {
    instructions().into_iter().rfind(|(of, _)| of == name).unwrap_or_else(|| panic!("no {name}")).1
}

/// The command that it runs by default.
pub(super) fn container() -> Container {
    let mut line: Vec<String> = serde_json::from_str(&last("ENTRYPOINT")).unwrap();
    assert_eq!(line.remove(0), "/usr/local/bin/interlock");
    let arguments: Vec<String> = serde_json::from_str(&last("CMD")).unwrap();
    line.extend(arguments);
    let variable = |(name, value): &(String, String)| {
        (name == "ENV")
            .then(|| value.split_once('=').unwrap())
            .map(|(of, value)| (of.to_owned(), Some(value.to_owned())))
    };
    let environment: BTreeMap<_, _> = instructions().iter().filter_map(variable).collect();
    Container { of: "Dockerfile".to_owned(), arguments: line, environment }
}

#[test]
fn the_image_runs_as_a_numbered_user_that_is_not_root() {
    let user = last("USER");
    let numbers: Vec<u32> = user.split(':').map(|number| number.parse().unwrap()).collect();
    assert!(numbers.iter().all(|number| *number >= 1_000), "{user}");
}

#[test]
fn the_image_has_the_binary_where_the_entry_point_looks() {
    let copied = last("COPY");
    assert!(copied.starts_with("--from=build ") && copied.ends_with(" /usr/local/bin/interlock"), "{copied}");
    let base = last("FROM");
    assert_eq!(base, "${RUNTIME_IMAGE}");
    let pinned = |name: &str| {
        let argument = instructions().into_iter().find(|(of, rest)| of == "ARG" && rest.starts_with(name)).unwrap().1;
        let tag = argument.rsplit_once(':').unwrap().1.to_owned();
        assert!(!tag.is_empty() && tag != "latest", "{argument}");
    };
    pinned("BUILD_IMAGE");
    pinned("RUNTIME_IMAGE");
}

#[test]
fn the_build_has_all_that_it_needs() {
    let ignored = text(&super::manifests::repository().join(".dockerignore"));
    let ignored: Vec<&str> = ignored.lines().filter(|line| !line.starts_with('#')).map(str::trim).collect();
    for room in ["coordinator", "workflows", "activities", "adapters", "examples", "tests", "Cargo.toml", "Cargo.lock"]
    {
        assert!(!ignored.contains(&room), "{room}");
    }
    for kept_out in [".git", "target"] {
        assert!(ignored.contains(&kept_out), "{kept_out}");
    }
}
