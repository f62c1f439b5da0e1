//! `deploy/compose.yaml`.

use serde_json::{Map, Value};

use super::containers::Container;
use super::manifests::{deploy, documents, strings};

fn services() -> Map<String, Value> {
    documents(&deploy("compose.yaml"))[0]["services"].as_object().unwrap().clone()
}

/// The services that run Interlock's image.
fn own() -> Vec<(String, Value)> {
    let is_own = |service: &Value| service["image"].as_str().unwrap().contains("interlock:");
    services().into_iter().filter(|(_, service)| is_own(service)).collect()
}

/// Interlock's containers.
pub(super) fn containers() -> Vec<Container> {
    let container = |(name, service): (String, Value)| {
        let variables = service["environment"].as_object().unwrap().iter();
        Container {
            of: format!("compose {name}"),
            arguments: strings(&service["command"]),
            environment: variables
                .map(|(name, value)| (name.clone(), Some(value.as_str().unwrap().to_owned())))
                .collect(),
        }
    };
    own().into_iter().map(container).collect()
}

/// The mounts of a service: the path on this machine, and the path in the container.
fn mounts(service: &Value) -> Vec<(String, String)> {
    let pair = |mount: String| {
        let mut parts = mount.split(':');
        (parts.next().unwrap().to_owned(), parts.next().unwrap().to_owned())
    };
    strings(&service["volumes"]).into_iter().map(pair).collect()
}

#[test]
fn everything_that_a_service_waits_for_or_mounts_exists() {
    let services = services();
    let volumes = documents(&deploy("compose.yaml"))[0]["volumes"].as_object().unwrap().clone();
    for (name, service) in &services {
        let waits_for: Vec<String> = match &service["depends_on"] {
            Value::Array(_) => strings(&service["depends_on"]),
            Value::Object(of) => of.keys().cloned().collect(),
            _ => Vec::new(),
        };
        for other in waits_for {
            assert!(services.contains_key(&other), "{name} waits for {other}");
        }
        for (here, _) in mounts(service) {
            let Some(path) = here.strip_prefix("./") else {
                assert!(volumes.contains_key(&here), "{name} mounts the volume {here}");
                continue;
            };
            assert!(deploy(path).exists(), "{name} mounts {here}");
        }
    }
}

#[test]
fn each_of_interlocks_services_is_locked_in_and_has_time_to_drain() {
    for (name, service) in own() {
        assert_eq!(service["read_only"], true, "{name}");
        assert_eq!(service["cap_drop"], serde_json::json!(["ALL"]), "{name}");
        assert!(!service["user"].as_str().unwrap().starts_with('0'), "{name}");
        let grace: u64 = service["stop_grace_period"].as_str().unwrap().trim_end_matches('s').parse().unwrap();
        let drain = super::scaling::drain_of_a_worker("compose/interlock.toml", &strings(&service["command"]));
        assert!(grace > drain.as_secs(), "{name}: {grace} s for {drain:?}");
        let version = concat!("interlock:", env!("CARGO_PKG_VERSION"), "}");
        assert!(service["image"].as_str().unwrap().ends_with(version), "{name}");
    }
}

#[test]
fn ports_are_open_on_this_machine_only() {
    for (name, service) in services() {
        for port in strings(&service["ports"]) {
            assert!(port.starts_with("127.0.0.1:"), "{name}: {port}");
        }
    }
}

#[test]
fn the_settings_and_tokens_of_compose_are_where_they_are_looked_for() {
    let of = |name: &str| services()[name].clone();
    for (name, service) in own() {
        let mounts = mounts(&service);
        let config = service["environment"]["INTERLOCK_CONFIG"].as_str().unwrap();
        assert!(mounts.iter().any(|(_, there)| there == config), "{name}");
    }
    let (here, there) = mounts(&of("gateway")).into_iter().find(|(_, there)| there.starts_with("/run")).unwrap();
    super::settings_file::check("compose/interlock.toml", &deploy(here.trim_start_matches("./")), &there);
}

#[test]
fn the_sandboxes_are_where_the_settings_look_for_targets() {
    let settings = super::settings_file::load("compose/interlock.toml");
    for (target, of) in &settings.targets {
        let url = of.base_url.as_ref().unwrap();
        let (_, service) = own().into_iter().find(|(name, _)| Some(name.as_str()) == url.host_str()).unwrap();
        let listen = strings(&service["command"]).pop().unwrap();
        assert_eq!(listen, format!("0.0.0.0:{}", url.port_or_known_default().unwrap()), "{target}");
    }
}
