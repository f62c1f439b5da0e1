//! What kustomize makes of the base with its components, as an overlay of one's own has them (`deploy/README.md`): it builds, Kubernetes
//! would take it, and what is named once gets everywhere.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;
use tempfile::TempDir;

use super::manifests::{Manifest, deploy, files, text};
use crate::outside_tools::{faults_of_objects, kustomized};

/// The address and the namespace of an overlay of one's own.
const ADDRESS: &str = "mine.example:7233";
const NAMESPACE: &str = "mine";
/// What can be combined with the base.
const COMBINATIONS: [&[&str]; 5] = [
    &[],
    &["temporal-mtls", "temporal-ca", "id-key", "codec", "service-monitor", "prometheus-rule"],
    &["keda", "temporal-api-key", "codec"],
    &["keda", "temporal-mtls", "temporal-ca"],
    &["worker-controller", "temporal-api-key", "id-key", "codec"],
];

/// An overlay of one's own, built.
struct Built {
    folder: TempDir,
    text: String,
    objects: Vec<Manifest>,
}

/// Builds the base with these components, in a copy of the files. None if there is no kustomize.
fn built(components: &[&str]) -> Option<Built> {
    let folder = tempfile::tempdir().unwrap();
    let source = deploy("kubernetes");
    for file in files(&source, &[".yaml", ".toml"]) {
        let copy = folder.path().join("kubernetes").join(file.strip_prefix(&source).unwrap());
        std::fs::create_dir_all(copy.parent().unwrap()).unwrap();
        std::fs::copy(file, copy).unwrap();
    }
    let own = folder.path().join("own");
    std::fs::create_dir(&own).unwrap();
    let components: Vec<String> =
        components.iter().map(|name| format!("  - ../kubernetes/components/{name}\n")).collect();
    let components = components.concat();
    let kustomization = format!(
        "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nnamespace: interlock\n\
         resources: [../kubernetes/base]\ncomponents:\n{components}configMapGenerator:\n  - name: interlock-temporal\n    \
         behavior: replace\n    literals: [\"TEMPORAL_ADDRESS={ADDRESS}\", \"TEMPORAL_NAMESPACE={NAMESPACE}\"]\n"
    );
    std::fs::write(own.join("kustomization.yaml"), kustomization).unwrap();
    let text = kustomized(&own)?;
    let objects = read(&text);
    Some(Built { folder, text, objects })
}

fn read(built: &str) -> Vec<Manifest> {
    let values = serde_saphyr::from_multiple::<Value>(built).unwrap();
    values.into_iter().map(|value| Manifest::read(value, Path::new("what kustomize made"))).collect()
}

impl Built {
    fn of_kind(&self, kind: &str) -> Vec<&Manifest> {
        self.objects.iter().filter(|it| it.kind == kind).collect()
    }

    fn one(&self, kind: &str) -> &Manifest {
        let all = self.of_kind(kind);
        assert_eq!(all.len(), 1, "{kind}");
        all[0]
    }

    fn names(&self) -> BTreeSet<(String, String)> {
        let named = self.objects.iter().filter(|it| it.kind != "ConfigMap");
        named.map(|it| (it.kind.clone(), it.name.clone())).collect()
    }
}

#[test]
fn every_combination_is_what_kubernetes_takes_and_names_what_exists() {
    for components in COMBINATIONS {
        let Some(built) = built(components) else { return };
        let settings: BTreeSet<&str> = built.of_kind("ConfigMap").iter().map(|it| it.name.as_str()).collect();
        assert_eq!(settings.len(), 2, "{components:?}");
        for pod in
            built.objects.iter().filter_map(|it| it.value.pointer("/spec/template/spec/containers/0").map(|_| it))
        {
            let from = pod.at("/spec/template/spec/containers/0/envFrom/0/configMapRef/name");
            assert!(from.is_null() || settings.contains(from.as_str().unwrap()), "{}: {from}", pod.name);
            for volume in pod.at("/spec/template/spec/volumes").as_array().unwrap() {
                let name = volume.pointer("/configMap/name").and_then(Value::as_str);
                assert!(name.is_none_or(|name| settings.contains(name)), "{}: {volume}", pod.name);
            }
        }
        let file = built.folder.path().join("built.yaml");
        std::fs::write(&file, &built.text).unwrap();
        let Some(faults) = faults_of_objects(&file) else { continue };
        assert_eq!(faults, "", "{components:?}");
    }
}

#[test]
fn the_overlays_are_the_base_with_their_component() {
    for component in ["keda", "worker-controller"] {
        let Some(overlay) = kustomized(&deploy("kubernetes/overlays").join(component)) else { return };
        let overlay: BTreeSet<_> =
            read(&overlay).into_iter().map(|it| (it.kind, it.name)).filter(|(kind, _)| kind != "ConfigMap").collect();
        assert_eq!(overlay, built(&[component]).unwrap().names());
    }
}

#[test]
fn an_address_that_is_named_once_gets_everywhere() {
    for components in COMBINATIONS {
        let Some(built) = built(components) else { return };
        assert!(!built.text.contains("temporal-frontend"), "{components:?} keeps the base's address");
        for scaled in built.of_kind("ScaledObject") {
            for trigger in scaled.at("/spec/triggers").as_array().unwrap().iter().filter(|it| it["type"] == "temporal")
            {
                let of = |field: &str| trigger["metadata"][field].as_str().unwrap().to_owned();
                assert_eq!((of("endpoint"), of("namespace")), (ADDRESS.to_owned(), NAMESPACE.to_owned()), "{trigger}");
            }
        }
        for deployment in built.of_kind("WorkerDeployment") {
            assert_eq!(deployment.at("/spec/workerOptions/temporalNamespace"), NAMESPACE, "{}", deployment.name);
            assert_eq!(built.one("Connection").at("/spec/hostPort"), ADDRESS);
        }
    }
}

#[test]
fn keda_and_the_worker_controller_get_the_credentials_that_the_processes_have() {
    let parameters = |components: &[&str]| {
        let built = built(components)?;
        let authentication = built.one("TriggerAuthentication");
        for scaled in built.of_kind("ScaledObject") {
            for trigger in scaled.at("/spec/triggers").as_array().unwrap().iter().filter(|it| it["type"] == "temporal")
            {
                assert_eq!(trigger["authenticationRef"]["name"], authentication.name.as_str(), "{trigger}");
            }
        }
        let said = authentication.at("/spec/secretTargetRef").as_array().unwrap().clone();
        Some(said.iter().map(|one| one["parameter"].as_str().unwrap().to_owned()).collect::<Vec<_>>())
    };
    let Some(none) = parameters(&["keda"]) else { return };
    assert_eq!(none, [""; 0]);
    assert_eq!(parameters(&["keda", "temporal-api-key"]).unwrap(), ["apiKey"]);
    assert_eq!(parameters(&["keda", "temporal-mtls", "temporal-ca"]).unwrap(), ["cert", "key", "ca"]);
    let connection = |component| built(&["worker-controller", component]).unwrap().one("Connection").value.clone();
    assert_eq!(connection("temporal-api-key")["spec"]["apiKeySecretRef"]["name"], "interlock-temporal-api-key");
    assert_eq!(connection("temporal-mtls")["spec"]["mutualTLSSecretRef"]["name"], "interlock-temporal-mtls");
}

/// The objects that `kubectl delete` of a section's commands deletes.
fn deleted_by(section: &str) -> BTreeSet<(String, String)> {
    let kind = |short: &str| match short {
        "hpa" => "HorizontalPodAutoscaler",
        "deploy" => "Deployment",
        "scaledobject" => "ScaledObject",
        "triggerauthentication" => "TriggerAuthentication",
        "workerdeployment" => "WorkerDeployment",
        "workerresourcetemplate" => "WorkerResourceTemplate",
        "connection" => "Connection",
        other => panic!("what is {other}?"),
    };
    let words = section.lines().filter_map(|line| line.split_once(" delete ")).flat_map(|(_, rest)| rest.split(' '));
    words
        .filter_map(|word| word.split_once('/'))
        .map(|(short, name)| (kind(short).to_owned(), name.to_owned()))
        .collect()
}

#[test]
fn what_an_overlay_leaves_behind_is_deleted_by_the_steps_of_the_page_or_taken_over() {
    let (Some(base), Some(keda)) = (built(&[]), built(&["keda"])) else { return };
    let controller = built(&["worker-controller"]).unwrap();
    let page = text(&deploy("README.md"));
    let section = |begin: &str| {
        let after = page.split_once(begin).unwrap_or_else(|| panic!("no section '{begin}'")).1;
        after.split("\nFrom ").next().unwrap().split("\n**").next().unwrap().to_owned()
    };
    let left = |from: &Built, to: &Built| from.names().difference(&to.names()).cloned().collect::<BTreeSet<_>>();
    let taken_over: BTreeSet<(String, String)> = keda
        .of_kind("ScaledObject")
        .iter()
        .filter(|it| it.at("/metadata/annotations/scaledobject.keda.sh~1transfer-hpa-ownership") == "true")
        .map(|it| it.at("/spec/advanced/horizontalPodAutoscalerConfig/name").as_str().unwrap().to_owned())
        .map(|name| ("HorizontalPodAutoscaler".to_owned(), name))
        .collect();
    assert_eq!(left(&base, &keda), taken_over);
    assert_eq!(left(&keda, &base), deleted_by(&section("From `keda` back to the base:")));
    assert_eq!(left(&base, &controller), deleted_by(&section("From the base to `worker-controller`:")));
    assert_eq!(left(&controller, &base), deleted_by(&section("From `worker-controller` back to the base:")));
}

/// A Job's pods cannot be changed: a Job that names a ConfigMap could not be applied again after a changed setting.
#[test]
fn nothing_that_is_applied_again_is_immutable() {
    for components in COMBINATIONS {
        let Some(built) = built(components) else { return };
        assert!(built.of_kind("Job").is_empty() && built.of_kind("Pod").is_empty(), "{components:?}");
        let prepares =
            |it: &&Manifest| it.at("/spec/template/spec/containers/0/args").to_string().contains("--bootstrap");
        assert_eq!(built.objects.iter().filter(prepares).count(), 1, "{components:?}: who prepares Temporal?");
    }
}
