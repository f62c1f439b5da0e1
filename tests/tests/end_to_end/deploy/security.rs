//! The rights of pods: as few as possible.

use serde_json::json;

use super::manifests::{all_pods, base};

#[test]
fn no_pod_is_root_or_writes_its_own_file_system() {
    for pod in all_pods() {
        let (of, spec) = (&pod.of, &pod.spec["securityContext"]);
        assert_eq!(spec["runAsNonRoot"], true, "{of}");
        assert!(spec["runAsUser"].as_u64().unwrap() >= 1_000, "{of}");
        assert_eq!(spec["seccompProfile"]["type"], "RuntimeDefault", "{of}");
        let container = &pod.container()["securityContext"];
        assert_eq!(container["allowPrivilegeEscalation"], false, "{of}");
        assert_eq!(container["readOnlyRootFilesystem"], true, "{of}");
        assert_eq!(container["capabilities"]["drop"], json!(["ALL"]), "{of}");
        for dangerous in ["hostNetwork", "hostPID", "hostIPC"] {
            assert!(pod.spec.get(dangerous).is_none(), "{of}");
        }
    }
}

#[test]
fn no_pod_gets_a_token_or_variables_that_it_did_not_ask_for() {
    let account = base().into_iter().find(|it| it.kind == "ServiceAccount").unwrap();
    assert_eq!(account.at("/automountServiceAccountToken"), false);
    for pod in all_pods() {
        assert_eq!(pod.spec["serviceAccountName"], account.name, "{}", pod.of);
        assert_eq!(pod.spec["automountServiceAccountToken"], false, "{}", pod.of);
        assert_eq!(pod.spec["enableServiceLinks"], false, "{}", pod.of);
    }
}

#[test]
fn every_pod_says_what_it_needs() {
    for pod in all_pods() {
        let resources = &pod.container()["resources"];
        for wanted in ["/requests/cpu", "/requests/memory", "/limits/memory"] {
            assert!(resources.pointer(wanted).is_some(), "{}: {wanted}", pod.of);
        }
        assert!(resources.pointer("/limits/cpu").is_none(), "{}: a CPU limit throttles workflow tasks", pod.of);
    }
}
