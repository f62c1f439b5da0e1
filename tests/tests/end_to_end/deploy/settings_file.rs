//! The settings files and the catalog that are deployed.

use std::path::Path;

use interlock_domain::catalog::{Catalog, REFERENCE_TEXT};
use interlock_domain::ids::TargetId;
use interlock_settings::{Settings, SettingsSources};

use super::manifests::{deploy, pods, strings, text};

/// The directory of the secrets in Kubernetes pods.
const SECRETS: &str = "/run/secrets/interlock";

/// Loads a settings file below `deploy/`, as the program does.
pub(super) fn load(file: &str) -> Settings {
    let sources = SettingsSources { config_file: Some(deploy(file)), ..SettingsSources::default() };
    Settings::load(&sources).unwrap_or_else(|fault| panic!("{file}: {fault}"))
}

/// Loads a settings file, and checks that the adapters of all targets can be created, that the gateway may be reached, that each role
/// of the catalog has its target, and that each secret which the file expects in `there` exists in `here`.
pub(super) fn check(file: &str, here: &Path, there: &str) {
    let settings = load(file);
    assert!(settings.adapters().is_ok() || text(&deploy(file)).contains(there), "{file}");
    assert!(!settings.gateway.tokens.is_empty(), "{file}");
    for role in Catalog::reference().roles() {
        assert!(settings.targets.contains_key(&TargetId::from(&role)), "{file}: nobody is the {role:?}");
    }
    for secret in secrets(file, there) {
        assert!(here.join(&secret).is_file(), "{file}: there is no {secret} in {}", here.display());
    }
}

/// The names of the secrets that a settings file expects in a folder.
pub(super) fn secrets(file: &str, folder: &str) -> Vec<String> {
    let text = text(&deploy(file));
    let begin = format!("{{ file = \"{folder}/");
    let after = text.split(&begin).skip(1);
    let found: Vec<String> = after.map(|rest| rest.split('"').next().unwrap().to_owned()).collect();
    assert_eq!(found.len(), text.matches("{ file = ").count(), "{file}: a secret is somewhere else");
    found
}

#[test]
fn the_settings_of_the_base_load_with_the_secrets_that_the_page_makes() {
    let file = "kubernetes/base/interlock.toml";
    let page = text(&deploy("README.md"));
    let made = tempfile::tempdir().unwrap();
    for secret in secrets(file, SECRETS) {
        if page.contains(&format!("--from-file={secret}")) {
            std::fs::write(made.path().join(&secret), "open sesame").unwrap();
        }
    }
    check(file, made.path(), SECRETS);
    // As in a pod, with the secrets elsewhere. Now the adapters are really created.
    let moved = text(&deploy(file)).replace(SECRETS, made.path().to_str().unwrap());
    let settings = made.path().join("interlock.toml");
    std::fs::write(&settings, moved).unwrap();
    let sources = SettingsSources { config_file: Some(settings), ..SettingsSources::default() };
    let settings = Settings::load(&sources).unwrap();
    assert_eq!(settings.adapters().unwrap().targets().len(), settings.targets.len());
}

#[test]
fn nothing_secret_is_written_into_a_settings_file() {
    for file in ["kubernetes/base/interlock.toml", "compose/interlock.toml"] {
        let text = text(&deploy(file));
        for key in ["token", "key", "password", "value"] {
            let lines = text.lines().filter(|line| line.contains(&format!("{key} = ")));
            for line in lines {
                assert!(line.contains(&format!("{key} = {{ file = \"/run/secrets/interlock/")), "{file}: {line}");
            }
        }
    }
}

#[test]
fn the_deployed_catalog_is_the_reference_catalog_and_valid() {
    let deployed = text(&deploy("kubernetes/base/catalog.toml"));
    assert!(Catalog::parse(&deployed).is_ok());
    assert!(deployed == REFERENCE_TEXT, "copy coordinator/domain/src/catalog/reference.toml over it");
}

#[test]
fn the_files_are_where_the_pods_look_for_them() {
    let settings = load("kubernetes/base/interlock.toml");
    for pod in pods() {
        let mounts = pod.container()["volumeMounts"].as_array().unwrap();
        let path_of = |volume: &str| {
            let mount = mounts.iter().find(|mount| mount["name"] == volume)?;
            assert_eq!(mount["readOnly"], true, "{}", pod.of);
            mount["mountPath"].as_str().map(str::to_owned)
        };
        let folder = path_of("settings").unwrap_or_else(|| panic!("{} has no settings", pod.of));
        let variables = super::containers::environment(&pod.container()["env"]);
        assert_eq!(variables["INTERLOCK_CONFIG"].as_deref(), Some(&*format!("{folder}/interlock.toml")), "{}", pod.of);
        assert_eq!(settings.catalog.as_deref(), Some(Path::new(&format!("{folder}/catalog.toml"))));
        let arguments = strings(&pod.container()["args"]);
        let needs = ["gateway", "provisioning", "jobs"].iter().any(|word| arguments.iter().any(|of| of == word));
        assert_eq!(path_of("secrets").as_deref(), needs.then_some(SECRETS), "{}: secrets", pod.of);
        for mount in mounts {
            let volumes = pod.spec["volumes"].as_array().unwrap();
            assert!(volumes.iter().any(|volume| volume["name"] == mount["name"]), "{}: {mount}", pod.of);
        }
    }
}
