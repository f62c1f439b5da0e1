//! The rooms of the house, and the doors between them: arrows run one way.

mod modules;

use std::collections::{BTreeMap, BTreeSet};

use cargo_metadata::{DependencyKind, MetadataCommand, Package};

/// Each room, and what it may use of the house.
const MAY_USE: [(&str, &[&str]); 9] = [
    ("interlock-domain", &[]),
    ("interlock-workflows", &["interlock-domain"]),
    ("interlock-adapters", &["interlock-domain"]),
    ("interlock-client", &["interlock-domain", "interlock-workflows"]),
    ("interlock-activities", &["interlock-adapters", "interlock-client", "interlock-domain", "interlock-workflows"]),
    (
        "interlock-coordinator",
        &["interlock-activities", "interlock-adapters", "interlock-client", "interlock-domain", "interlock-workflows"],
    ),
    ("interlock-model", &["interlock-domain"]),
    // The domain of the previous build, and a test beside it.
    ("interlock-previous", &["interlock-domain", "interlock-model"]),
    (
        "interlock-tests",
        &[
            "interlock-activities",
            "interlock-adapters",
            "interlock-client",
            "interlock-coordinator",
            "interlock-domain",
            "interlock-model",
            "interlock-workflows",
        ],
    ),
];

/// What of the world outside a room has no use for, by the beginning of the name.
const HAS_NO_USE_FOR: [(&str, &[&str]); 5] = [
    // No clock, no I/O, no Temporal.
    ("interlock-domain", &["temporalio", "tokio", "reqwest", "hyper", "axum", "tonic", "rand", "fastrand"]),
    // Neither the SDK's worker side nor an HTTP client.
    ("interlock-workflows", &["temporalio-sdk", "temporalio-client", "tokio", "reqwest", "hyper", "axum", "tonic"]),
    // Whoever produces events needs no worker and no HTTP.
    ("interlock-client", &["temporalio-sdk", "reqwest", "hyper", "axum"]),
    // Knows nothing of Temporal.
    ("interlock-adapters", &["temporalio", "tonic"]),
    ("interlock-model", &["temporalio", "tokio", "reqwest"]),
];

/// The packages of the workspace, by name.
fn rooms() -> BTreeMap<String, Package> {
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.toml");
    let metadata = MetadataCommand::new().manifest_path(manifest).no_deps().exec().unwrap();
    metadata.packages.into_iter().map(|package| (package.name.to_string(), package)).collect()
}

fn uses(package: &Package, kinds: &[DependencyKind]) -> BTreeSet<String> {
    let of_kind = package.dependencies.iter().filter(|dependency| kinds.contains(&dependency.kind));
    of_kind.map(|dependency| dependency.name.clone()).collect()
}

#[test]
fn the_rooms_of_the_house_are_those_of_the_design() {
    let expected: BTreeSet<&str> = MAY_USE.iter().map(|(room, _)| *room).collect();
    let rooms = rooms();
    assert_eq!(rooms.keys().map(String::as_str).collect::<BTreeSet<_>>(), expected);
}

#[test]
fn a_room_uses_only_rooms_below_it() {
    let rooms = rooms();
    for (room, may_use) in MAY_USE {
        let all = [DependencyKind::Normal, DependencyKind::Build, DependencyKind::Development];
        for used in uses(&rooms[room], &all).iter().filter(|used| rooms.contains_key(*used)) {
            assert!(may_use.contains(&used.as_str()), "{room} must not use {used}");
        }
    }
}

#[test]
fn a_room_has_nothing_of_the_world_outside_that_it_has_no_use_for() {
    let rooms = rooms();
    for (room, forbidden) in HAS_NO_USE_FOR {
        for used in uses(&rooms[room], &[DependencyKind::Normal, DependencyKind::Build]) {
            assert!(!forbidden.iter().any(|begin| used.starts_with(begin)), "{room} must not use {used}");
        }
    }
}

#[test]
fn the_table_of_rooms_itself_has_no_ring() {
    let may_use: BTreeMap<&str, &[&str]> = MAY_USE.into();
    for (room, below) in MAY_USE {
        for other in below {
            assert!(!may_use[other].contains(&room), "{room} and {other} may use each other");
        }
    }
}
