//! The kustomizations: everything that they name exists, and everything that exists is named.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::manifests::{base, deploy, documents, files, strings};

fn all() -> Vec<(PathBuf, Value)> {
    let files = files(&deploy("kubernetes"), &["kustomization.yaml"]);
    files.into_iter().map(|file| (file.parent().unwrap().to_owned(), documents(&file).remove(0))).collect()
}

/// The files that a kustomization names, relative to its folder.
fn named(kustomization: &Value) -> BTreeSet<String> {
    let generators = kustomization["configMapGenerator"].as_array().into_iter().flatten();
    let generated = generators.flat_map(|generator| strings(&generator["files"]));
    let lists = ["resources", "components", "configurations"];
    lists.iter().flat_map(|list| strings(&kustomization[*list])).chain(generated).collect()
}

/// The operations of all patches in list form.
pub(super) fn patched() -> Vec<Value> {
    all().iter().flat_map(|(_, kustomization)| operations(kustomization)).map(|(_, operation)| operation).collect()
}

/// The variables that patches of kustomizations set.
pub(super) fn patched_variables() -> Vec<String> {
    let set = patched().into_iter().filter(|it| it["path"].as_str().is_some_and(|path| path.ends_with("/env/-")));
    set.map(|operation| operation["value"]["name"].as_str().unwrap().to_owned()).collect()
}

/// The variables in generated ConfigMaps.
pub(super) fn generated_variables() -> Vec<String> {
    let generators =
        all().into_iter().flat_map(|(_, of)| of["configMapGenerator"].as_array().cloned().unwrap_or_default());
    let literals = generators.flat_map(|generator| strings(&generator["literals"]));
    literals.map(|literal| literal.split_once('=').unwrap().0.to_owned()).collect()
}

/// The operations of the patches in list form (RFC 6902), each with its patch.
fn operations(kustomization: &Value) -> Vec<(Value, Value)> {
    let patches = kustomization["patches"].as_array().cloned().unwrap_or_default();
    let of = |patch: &Value| match read(patch) {
        Value::Array(operations) => operations,
        _ => Vec::new(),
    };
    patches.iter().flat_map(|patch| of(patch).into_iter().map(move |one| (patch.clone(), one))).collect()
}

fn read(patch: &Value) -> Value {
    serde_saphyr::from_str(patch["patch"].as_str().unwrap()).unwrap()
}

/// The objects of the base that the patches of a kustomization delete, by kind and name (a name may end in `.*`).
pub(super) fn deleted(folder: &str) -> Vec<(String, String)> {
    let kustomization = documents(&deploy("kubernetes").join(folder).join("kustomization.yaml")).remove(0);
    let patches = kustomization["patches"].as_array().cloned().unwrap_or_default();
    let deletes = patches.iter().filter_map(|patch| {
        let object = read(patch);
        (object["$patch"] == "delete").then(|| {
            let name = patch["target"]["name"].as_str().or_else(|| object["metadata"]["name"].as_str());
            (object["kind"].as_str().unwrap().to_owned(), name.unwrap().to_owned())
        })
    });
    deletes.collect()
}

/// Whether a patch's pattern matches a name.
pub(super) fn is_meant(name: &str, by: &str) -> bool {
    by.strip_suffix(".*").map_or(name == by, |begin| name.starts_with(begin))
}

#[test]
fn everything_that_a_kustomization_names_exists() {
    let kustomizations = all();
    assert!(kustomizations.len() >= 7, "{}", kustomizations.len());
    for (folder, kustomization) in kustomizations {
        for path in named(&kustomization) {
            assert!(folder.join(&path).exists(), "{}: there is no {path}", folder.display());
        }
    }
}

#[test]
fn no_manifest_lies_beside_a_kustomization_unused() {
    for (folder, kustomization) in all() {
        let named = named(&kustomization);
        for file in files(&folder, &[".yaml", ".yml"]).iter().filter(|file| file.parent() == Some(Path::new(&folder))) {
            let name = file.file_name().unwrap().to_str().unwrap();
            assert!(name == "kustomization.yaml" || named.contains(name), "nobody uses {}", file.display());
        }
    }
}

#[test]
fn what_a_patch_deletes_or_changes_is_in_the_base() {
    for folder in ["components/keda", "components/worker-controller"] {
        let deleted = deleted(folder);
        assert!(!deleted.is_empty(), "{folder}");
        for (kind, name) in deleted {
            assert!(base().iter().any(|it| it.kind == kind && is_meant(&it.name, &name)), "{folder}: {kind} {name}");
        }
    }
    for (folder, kustomization) in all() {
        for (patch, operation) in operations(&kustomization) {
            let kinds: Vec<&str> = patch["target"]["kind"].as_str().unwrap().split('|').collect();
            if ["TriggerAuthentication", "Connection"].contains(&kinds[0]) {
                // Of the components keda and worker-controller: `kustomized.rs` builds them together.
                continue;
            }
            let path = operation["path"].as_str().unwrap().trim_end_matches("/-");
            let existing = operation["op"] != "add" || operation["path"].as_str().unwrap().ends_with("/-");
            // If an overlay turns kinds of the base into others, changes to those count.
            for object in base().iter().filter(|it| it.kind == kinds[0] && it.name != "interlock-gateway") {
                let there = object.value.pointer(path).is_some() || !object.at("/spec/template").is_object();
                assert!(!existing || there, "{}: {} has no {path}", folder.display(), object.name);
            }
        }
    }
}

#[test]
fn components_for_every_process_work_in_every_overlay() {
    for component in ["id-key", "codec", "temporal-ca"] {
        let component = deploy("kubernetes/components").join(component).join("kustomization.yaml");
        let kinds = documents(&component)[0]["patches"][0]["target"]["kind"].as_str().unwrap().to_owned();
        // Workers with another id key would treat every resource as a new one, and workers without keys could read nothing.
        assert_eq!(kinds, "Deployment|Job|WorkerDeployment");
    }
}

#[test]
fn the_image_is_that_of_this_version() {
    for folder in ["base", "components/codec"] {
        let kustomization = documents(&deploy("kubernetes").join(folder).join("kustomization.yaml")).remove(0);
        assert_eq!(kustomization["images"][0]["name"], "interlock", "{folder}");
        assert_eq!(kustomization["images"][0]["newTag"], env!("CARGO_PKG_VERSION"), "{folder}");
    }
    for pod in super::manifests::all_pods() {
        assert_eq!(pod.container()["image"], "interlock", "{}", pod.of);
    }
}
