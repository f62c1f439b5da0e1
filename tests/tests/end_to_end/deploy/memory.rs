//! The memory of workers: limits, caches and `deploy/docs/sizing.md` fit each other.

use interlock_domain::routing::{QueueKind, ShardCount};
use interlock_settings::{Settings, SettingsSources};
use interlock_worker_pools::{PoolTuning, QueueTuning};

use super::compose;
use super::containers::{Container, environment};
use super::manifests::{deploy, pods, strings, text};

/// What a process takes apart from its cache, in bytes.
const PROCESS: u64 = 100_000_000;
/// A node with many cores: a worker must not take more memory there.
const CORES_MAX: usize = 256;
/// How much of its limit a worker may take: allocators and open requests need the rest.
const SHARE_PERCENT: u64 = 80;

/// What is measured for an entity in a cache, in bytes.
fn entity_bytes(kind: QueueKind) -> u64 {
    match kind {
        QueueKind::Resource => 83_000,
        QueueKind::Entity | QueueKind::Jobs | QueueKind::TenantOps => 100_000,
    }
}

/// The kinds of queues that a worker with these arguments caches entities of.
fn kinds(arguments: &[String]) -> &'static [QueueKind] {
    let serves = |workload: &str| arguments.iter().any(|argument| argument == workload);
    match () {
        () if serves("entity") => &[QueueKind::Entity],
        () if serves("resource") => &[QueueKind::Resource],
        () if serves("jobs") => &[QueueKind::Jobs, QueueKind::TenantOps],
        () => &[],
    }
}

fn tuning(container: &Container, settings: &str) -> PoolTuning {
    let literal = |(name, value): (&String, &Option<String>)| Some((name.clone(), value.clone()?));
    let of_container = container.environment.iter().filter_map(literal);
    let sources = SettingsSources {
        environment: of_container.filter(|(name, _)| name != "INTERLOCK_CONFIG").collect(),
        config_file: Some(deploy(settings)),
        ..SettingsSources::default()
    };
    PoolTuning::new(&Settings::load(&sources).unwrap().workers, None)
}

fn of_kind(tuning: &PoolTuning, kind: QueueKind) -> &QueueTuning {
    match kind {
        QueueKind::Entity => &tuning.entity,
        QueueKind::Resource => &tuning.resource,
        QueueKind::Jobs | QueueKind::TenantOps => &tuning.jobs,
    }
}

/// What the process takes if all its caches are full of entities of the usual size, in bytes.
fn full(tuning: &PoolTuning, kinds: &[QueueKind]) -> u64 {
    let queues = usize::from(ShardCount::default().get());
    let cached = |kind: &QueueKind| {
        let of = of_kind(tuning, *kind);
        let entities = queues * of.workers(queues, CORES_MAX) * of.worker.cached_entities_max;
        u64::try_from(entities).unwrap() * entity_bytes(*kind)
    };
    PROCESS + kinds.iter().map(cached).sum::<u64>()
}

/// A quantity of Kubernetes in bytes.
fn bytes(quantity: &str) -> u64 {
    let (number, unit) = quantity.split_at(quantity.len() - 2);
    let factor = match unit {
        "Gi" => 1 << 30,
        "Mi" => 1 << 20,
        other => panic!("what is {other}?"),
    };
    number.parse::<u64>().unwrap() * factor
}

#[test]
fn a_worker_with_full_caches_stays_below_its_memory_limit_whatever_its_node_is() {
    let mut checked = 0;
    for pod in pods() {
        let arguments = strings(&pod.container()["args"]);
        let kinds = kinds(&arguments);
        if kinds.is_empty() {
            continue;
        }
        let container = Container { of: pod.of.clone(), environment: environment(&pod.container()["env"]), arguments };
        let full = full(&tuning(&container, "kubernetes/base/interlock.toml"), kinds);
        let limit = bytes(pod.container()["resources"]["limits"]["memory"].as_str().unwrap());
        assert!(full * 100 <= limit * SHARE_PERCENT, "{}: {full} bytes of {limit}", pod.of);
        checked += 1;
    }
    assert_eq!(checked, 3);
}

#[test]
fn the_workers_of_a_queue_do_not_grow_with_the_cores_of_a_node() {
    let of_pods = pods().into_iter().map(|pod| {
        let container = Container {
            of: pod.of.clone(),
            arguments: strings(&pod.container()["args"]),
            environment: environment(&pod.container()["env"]),
        };
        (container, "kubernetes/base/interlock.toml")
    });
    let of_compose = compose::containers().into_iter().map(|container| (container, "compose/interlock.toml"));
    for (container, settings) in of_pods.chain(of_compose) {
        let tuning = tuning(&container, settings);
        for kind in kinds(&container.arguments) {
            let workers = |cores| of_kind(&tuning, *kind).workers(1, cores);
            assert_eq!(workers(CORES_MAX), workers(1), "{}", container.of);
        }
    }
}

#[test]
fn the_page_on_sizing_says_the_numbers_of_the_manifests() {
    let page = text(&deploy("docs/sizing.md"));
    for pod in pods() {
        let arguments = strings(&pod.container()["args"]);
        let Some(kind) = kinds(&arguments).first() else { continue };
        let container = Container { of: pod.of.clone(), environment: environment(&pod.container()["env"]), arguments };
        let tuning = tuning(&container, "kubernetes/base/interlock.toml");
        let of = of_kind(&tuning, *kind);
        let workload = if *kind == QueueKind::Entity { "entity" } else { kind.as_str() };
        let row = page.lines().find(|line| line.starts_with(&format!("| {workload} | "))).unwrap();
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let limit = pod.container()["resources"]["limits"]["memory"].as_str().unwrap();
        let expected = [
            of.workers(16, CORES_MAX).to_string(),
            of.worker.cached_entities_max.to_string(),
            format!("{} kB", entity_bytes(*kind) / 1_000),
            format!("{:.1} GB", to_gb(full(&tuning, kinds(&container.arguments)))),
        ];
        let said = [cells[3], &cells[4].replace(',', ""), cells[5], cells[6]];
        assert_eq!(said, expected.each_ref().map(String::as_str), "{}", pod.of);
        assert_eq!(bytes(&cells[7].replace(' ', "").replace("iB", "i")), bytes(limit), "{}", pod.of);
    }
}

#[allow(clippy::cast_precision_loss, reason = "bytes of a process fit")]
fn to_gb(bytes: u64) -> f64 {
    bytes as f64 / 1e9
}
