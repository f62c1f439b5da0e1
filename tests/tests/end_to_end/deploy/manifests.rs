//! The files of `deploy/`, and the Kubernetes objects in them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::Value;

/// The repository.
pub(super) fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// A path below `deploy/`.
pub(super) fn deploy(path: &str) -> PathBuf {
    repository().join("deploy").join(path)
}

/// All files below a folder whose names end in this, sorted.
pub(super) fn files(folder: &Path, endings: &[&str]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() && name != "target" && !name.starts_with('.') {
            found.extend(files(&path, endings));
        } else if endings.iter().any(|ending| name.ends_with(ending)) {
            found.push(path);
        }
    }
    found.sort();
    found
}

pub(super) fn text(file: &Path) -> String {
    std::fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

/// The YAML documents of a file.
pub(super) fn documents(file: &Path) -> Vec<Value> {
    let read = serde_saphyr::from_multiple::<Value>(&text(file));
    read.unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

/// One Kubernetes object.
#[derive(Debug, Clone)]
pub(super) struct Manifest {
    pub(super) kind: String,
    pub(super) name: String,
    pub(super) value: Value,
}

impl Manifest {
    pub(super) fn read(value: Value, file: &Path) -> Self {
        let field = |pointer: &str| {
            let text = value.pointer(pointer).and_then(Value::as_str);
            text.unwrap_or_else(|| panic!("{}: an object has no {pointer}", file.display())).to_owned()
        };
        Self { kind: field("/kind"), name: field("/metadata/name"), value }
    }

    pub(super) fn at(&self, pointer: &str) -> &Value {
        self.value.pointer(pointer).unwrap_or(&Value::Null)
    }

    /// The pods that it creates, if any.
    pub(super) fn pod(&self) -> Option<Pod> {
        let template = self.value.pointer("/spec/template").filter(|_| matches!(&*self.kind, "Deployment" | "Job"))?;
        Some(Pod {
            of: format!("{}/{}", self.kind, self.name),
            labels: labels(&template["metadata"]["labels"]),
            spec: template["spec"].clone(),
        })
    }
}

/// The pod of its template.
#[derive(Debug, Clone)]
pub(super) struct Pod {
    pub(super) of: String,
    pub(super) labels: BTreeMap<String, String>,
    pub(super) spec: Value,
}

impl Pod {
    /// Its only container.
    pub(super) fn container(&self) -> &Value {
        let containers = self.spec["containers"].as_array().unwrap();
        assert_eq!(containers.len(), 1, "{}", self.of);
        assert!(self.spec.get("initContainers").is_none(), "{}", self.of);
        &containers[0]
    }

    /// The number of a port that is given by number or name.
    pub(super) fn port(&self, port: &Value) -> Option<u64> {
        let ports = self.container()["ports"].as_array().into_iter().flatten();
        let named = |name: &str| ports.clone().find(|port| port["name"] == name)?["containerPort"].as_u64();
        port.as_u64().or_else(|| named(port.as_str()?))
    }

    /// Whether a label selector matches it.
    pub(super) fn is_picked_by(&self, selector: &Value) -> bool {
        let wanted = labels(&selector["matchLabels"]);
        let expressions = selector["matchExpressions"].as_array().into_iter().flatten();
        let holds = |expression: &Value| {
            assert_eq!(expression["operator"], "In");
            let own = self.labels.get(expression["key"].as_str().unwrap());
            expression["values"].as_array().unwrap().iter().any(|value| value.as_str() == own.map(String::as_str))
        };
        wanted.iter().all(|(key, value)| self.labels.get(key) == Some(value)) && expressions.clone().all(holds)
    }
}

/// Labels as a map.
pub(super) fn labels(value: &Value) -> BTreeMap<String, String> {
    let pairs = value.as_object().into_iter().flatten();
    pairs.map(|(key, value)| (key.clone(), value.as_str().unwrap().to_owned())).collect()
}

/// A sequence of strings.
pub(super) fn strings(value: &Value) -> Vec<String> {
    value.as_array().into_iter().flatten().map(|item| item.as_str().unwrap().to_owned()).collect()
}

/// The Kubernetes objects of some files of a folder below `deploy/kubernetes`.
pub(super) fn objects(folder: &str) -> Vec<Manifest> {
    let folder = deploy("kubernetes").join(folder);
    let kustomization = &documents(&folder.join("kustomization.yaml"))[0];
    let resources = strings(&kustomization["resources"]);
    let files = resources.iter().map(|resource| folder.join(resource)).filter(|path| path.is_file());
    files.flat_map(|file| documents(&file).into_iter().map(move |value| Manifest::read(value, &file))).collect()
}

/// The objects of the base.
pub(super) fn base() -> Vec<Manifest> {
    objects("base")
}

/// The pods of the base.
pub(super) fn pods() -> Vec<Pod> {
    base().iter().filter_map(Manifest::pod).collect()
}

/// Those of the base and of components.
pub(super) fn all_pods() -> Vec<Pod> {
    let of_components = objects("components/codec");
    pods().into_iter().chain(of_components.iter().filter_map(Manifest::pod)).collect()
}

#[test]
fn every_file_of_deploy_is_yaml() {
    let all = files(&deploy(""), &[".yaml", ".yml"]);
    assert!(all.len() > 15, "{all:?}");
    for file in all {
        assert!(!documents(&file).is_empty(), "{}", file.display());
    }
}

#[test]
fn the_base_has_the_workloads_of_the_command() {
    let names: Vec<_> = base().iter().filter(|it| it.kind == "Deployment").map(|it| it.name.clone()).collect();
    let expected = ["gateway", "worker-entity", "worker-resource", "worker-provisioning", "worker-jobs"];
    assert_eq!(names, expected.map(|name| format!("interlock-{name}")));
}
