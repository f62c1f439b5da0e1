//! The crates of the workspace, and their dependencies: these go in one direction only. One crate calls the Temporal server.

mod modules;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use cargo_metadata::{DependencyKind, MetadataCommand, Package};

/// Each crate, and the crates of the workspace that it may use.
const MAY_USE: [(&str, &[&str]); 26] = [
    ("interlock-domain", &[]),
    ("interlock-workflows", &["interlock-domain"]),
    ("interlock-adapters", &["interlock-domain"]),
    ("interlock-client", &["interlock-domain", "interlock-workflows"]),
    ("interlock-activities", &["interlock-adapters", "interlock-client", "interlock-domain", "interlock-workflows"]),
    ("interlock-replay", &["interlock-workflows"]),
    ("interlock-fault", &["interlock-domain"]),
    ("interlock-settings", &["interlock-adapters", "interlock-domain", "interlock-fault"]),
    (
        "interlock-embedded-server",
        &["interlock-adapters", "interlock-domain", "interlock-fault", "interlock-workflows"],
    ),
    ("interlock-observability", &["interlock-adapters", "interlock-domain", "interlock-fault", "interlock-settings"]),
    ("interlock-http-service", &["interlock-adapters", "interlock-domain", "interlock-fault", "interlock-settings"]),
    ("interlock-connection", &["interlock-client", "interlock-domain", "interlock-fault", "interlock-settings"]),
    (
        "interlock-operations",
        &[
            "interlock-adapters",
            "interlock-client",
            "interlock-connection",
            "interlock-domain",
            "interlock-fault",
            "interlock-observability",
            "interlock-replay",
            "interlock-settings",
            "interlock-workflows",
        ],
    ),
    (
        "interlock-audit",
        &[
            "interlock-adapters",
            "interlock-client",
            "interlock-domain",
            "interlock-fault",
            "interlock-replay",
            "interlock-workflows",
        ],
    ),
    (
        "interlock-brokers",
        &[
            "interlock-adapters",
            "interlock-domain",
            "interlock-fault",
            "interlock-observability",
            "interlock-operations",
        ],
    ),
    (
        "interlock-worker-pools",
        &[
            "interlock-activities",
            "interlock-adapters",
            "interlock-client",
            "interlock-connection",
            "interlock-domain",
            "interlock-fault",
            "interlock-observability",
            "interlock-operations",
            "interlock-replay",
            "interlock-settings",
            "interlock-workflows",
        ],
    ),
    ("interlock-console", &["interlock-domain", "interlock-http-service"]),
    (
        "interlock-gateway",
        &[
            "interlock-adapters",
            "interlock-connection",
            "interlock-console",
            "interlock-domain",
            "interlock-fault",
            "interlock-http-service",
            "interlock-observability",
            "interlock-operations",
            "interlock-settings",
        ],
    ),
    // The command line; `client` and `workflows` only in its tests.
    (
        "interlock-coordinator",
        &[
            "interlock-adapters",
            "interlock-audit",
            "interlock-brokers",
            "interlock-client",
            "interlock-connection",
            "interlock-domain",
            "interlock-embedded-server",
            "interlock-fault",
            "interlock-gateway",
            "interlock-http-service",
            "interlock-observability",
            "interlock-operations",
            "interlock-settings",
            "interlock-worker-pools",
            "interlock-workflows",
        ],
    ),
    ("interlock-model", &["interlock-domain"]),
    // What the fuzz targets do.
    (
        "interlock-fuzz-targets",
        &["interlock-adapters", "interlock-domain", "interlock-gateway", "interlock-operations", "interlock-workflows"],
    ),
    // The domain of the previous build, with a test next to it.
    ("interlock-previous", &["interlock-domain", "interlock-model"]),
    // A page that strangers copy.
    ("interlock-example-producer", &["interlock-client", "interlock-domain"]),
    // A server for tests and benchmarks.
    ("interlock-production-server", &["interlock-embedded-server", "interlock-fault"]),
    // A program: it drives all of Interlock, and judges.
    (
        "interlock-battery",
        &[
            "interlock-adapters",
            "interlock-audit",
            "interlock-client",
            "interlock-connection",
            "interlock-coordinator",
            "interlock-domain",
            "interlock-embedded-server",
            "interlock-fault",
            "interlock-operations",
            "interlock-production-server",
            "interlock-settings",
            "interlock-worker-pools",
            "interlock-workflows",
        ],
    ),
    (
        "interlock-tests",
        &[
            "interlock-adapters",
            "interlock-audit",
            "interlock-battery",
            // Only the producer in Rust, which is run as a process.
            "interlock-client",
            "interlock-connection",
            "interlock-coordinator",
            "interlock-domain",
            "interlock-embedded-server",
            "interlock-http-service",
            "interlock-observability",
            "interlock-operations",
            "interlock-production-server",
            "interlock-settings",
            "interlock-worker-pools",
            "interlock-workflows",
        ],
    ),
];

/// The external dependencies that a crate must not have, by the beginning of their names.
const HAS_NO_USE_FOR: [(&str, &[&str]); 13] = [
    // No clock, no I/O, no Temporal.
    ("interlock-domain", &["temporalio", "tokio", "reqwest", "hyper", "axum", "tonic", "rand", "fastrand"]),
    // Neither the SDK's worker side nor an HTTP client.
    ("interlock-workflows", &["temporalio-sdk", "temporalio-client", "tokio", "reqwest", "hyper", "axum", "tonic"]),
    // A producer of events needs neither a worker nor HTTP.
    ("interlock-client", &["temporalio-sdk", "reqwest", "hyper", "axum"]),
    // It does not depend on Temporal.
    ("interlock-adapters", &["temporalio", "tonic"]),
    // Words only.
    ("interlock-fault", &["temporalio", "tokio", "reqwest", "hyper", "axum", "tonic", "clap"]),
    // They are read and checked; nothing is connected to.
    ("interlock-settings", &["temporalio", "tokio", "reqwest", "hyper", "axum", "tonic"]),
    // It serves whatever router it is given.
    ("interlock-http-service", &["temporalio", "tonic", "clap"]),
    ("interlock-connection", &["temporalio-sdk", "reqwest", "hyper", "axum"]),
    // It reads histories and prints nothing.
    ("interlock-audit", &["reqwest", "hyper", "axum", "clap"]),
    // Neither HTTP nor the command line: those are for whoever asks.
    ("interlock-operations", &["hyper", "axum", "clap"]),
    // Events from brokers: neither HTTP nor the command line nor Temporal.
    ("interlock-brokers", &["temporalio", "reqwest", "hyper", "axum", "tonic", "clap"]),
    ("interlock-gateway", &["temporalio-sdk", "clap"]),
    ("interlock-model", &["temporalio", "tokio", "reqwest"]),
];

/// The sources outside the client crate that may call Temporal's services.
const MAY_CALL_TEMPORAL: [&str; 2] = [
    // It waits for a server that this process has just started, before there is a client.
    "coordinator/embedded-server/src/readiness.rs",
    // It passes on the calls of the SDK's workers.
    "coordinator/worker-pools/src/query_guard/proxy.rs",
];

/// What a source names if it calls Temporal's services itself.
const CALLS_OF_TEMPORAL: [&str; 8] = [
    "WorkflowService",
    "OperatorService",
    ".workflow_service()",
    ".operator_service()",
    ".start_activity(",
    ".start_workflow(",
    ".get_activity_handle(",
    ".get_workflow_handle(",
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
fn the_crates_are_those_of_the_design() {
    let expected: BTreeSet<&str> = MAY_USE.iter().map(|(room, _)| *room).collect();
    let rooms = rooms();
    assert_eq!(rooms.keys().map(String::as_str).collect::<BTreeSet<_>>(), expected);
}

#[test]
fn a_crate_uses_only_crates_below_it() {
    let rooms = rooms();
    for (room, may_use) in MAY_USE {
        let all = [DependencyKind::Normal, DependencyKind::Build, DependencyKind::Development];
        for used in uses(&rooms[room], &all).iter().filter(|used| rooms.contains_key(*used)) {
            assert!(may_use.contains(&used.as_str()), "{room} must not use {used}");
        }
    }
}

#[test]
fn a_crate_has_none_of_the_external_dependencies_that_it_must_not_have() {
    let rooms = rooms();
    for (room, forbidden) in HAS_NO_USE_FOR {
        for used in uses(&rooms[room], &[DependencyKind::Normal, DependencyKind::Build]) {
            assert!(!forbidden.iter().any(|begin| used.starts_with(begin)), "{room} must not use {used}");
        }
    }
}

#[test]
fn only_the_client_crate_calls_the_temporal_server() {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut callers = BTreeSet::new();
    for (room, package) in rooms() {
        let sources = package.manifest_path.parent().unwrap().join("src");
        // Tests and their server call Temporal as any client in any language can.
        if ["interlock-battery", "interlock-client", "interlock-production-server", "interlock-tests"]
            .contains(&room.as_str())
        {
            continue;
        }
        for file in sources_below(sources.as_std_path()) {
            let text = fs::read_to_string(&file).unwrap();
            if CALLS_OF_TEMPORAL.iter().any(|call| text.contains(call)) {
                callers.insert(file.strip_prefix(workspace).unwrap().to_str().unwrap().to_owned());
            }
        }
    }
    assert_eq!(callers, MAY_CALL_TEMPORAL.map(str::to_owned).into());
}

fn sources_below(folder: &Path) -> Vec<PathBuf> {
    let mut sources = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources.extend(sources_below(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            sources.push(path);
        }
    }
    sources
}

#[test]
fn the_table_of_crates_itself_has_no_cycle() {
    let may_use: BTreeMap<&str, &[&str]> = MAY_USE.into();
    for (room, below) in MAY_USE {
        for other in below {
            assert!(!may_use[other].contains(&room), "{room} and {other} may use each other");
        }
    }
}
