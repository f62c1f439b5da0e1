//! Tools of others that check files of this repository: `.ci/tools` fetches them. Where one is missing, its test is [`skipped`].

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::skipped::skipped;

/// The program of this name on PATH. If there is none, a line says how to get it.
pub fn find(name: &str, how: &str) -> Option<PathBuf> {
    let found = on_path(name);
    if found.is_none() {
        skipped(name, &missing(name, how));
    }
    found
}

/// The program of this name on PATH.
pub fn on_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(name)).find(|file| file.is_file())
}

fn missing(name: &str, how: &str) -> String {
    format!("there is no {name}. To have it: .ci/tools, or {how}")
}

/// What kustomize makes of a folder with a kustomization, as YAML. None if there is no kustomize, alone or in kubectl.
///
/// # Panics
/// If it does not build.
pub fn kustomized(folder: &Path) -> Option<String> {
    let (program, argument) = match (on_path("kustomize"), on_path("kubectl")) {
        (Some(kustomize), _) => (kustomize, "build"),
        (None, Some(kubectl)) => (kubectl, "kustomize"),
        (None, None) => {
            let how = "kubectl, or go install sigs.k8s.io/kustomize/kustomize/v5@v5.5.0";
            skipped("kustomize", &missing("kustomize", how));
            return None;
        }
    };
    let built = Command::new(program).arg(argument).arg(folder).output().unwrap();
    let said = String::from_utf8_lossy(&built.stderr);
    assert!(built.status.success() && said.is_empty(), "{}: {said}", folder.display());
    Some(String::from_utf8(built.stdout).unwrap())
}

/// The faults of Kubernetes objects in a YAML file, decoded strictly: a field that does not exist is one, too. Kinds of others are
/// passed over. None if the validator is missing.
pub fn faults_of_objects(file: &Path) -> Option<String> {
    const MODULE: &str = "kubernetes_validate";
    let python = find("python3", "apt-get install python3")?;
    let run = |arguments: &[&OsStr]| Command::new(&python).args(arguments).output().unwrap();
    let import = format!("import {MODULE}");
    if !run(&["-c".as_ref(), import.as_ref()]).status.success() {
        let how = "pip install kubernetes-validate";
        skipped("kubernetes-validate", &missing("Python module kubernetes_validate", how));
        return None;
    }
    let options = ["-m", MODULE, "--strict", "--quiet", "--no-warn", "-k", "1.33"].map(OsStr::new);
    let said = run(&[&options[..], &[file.as_os_str()]].concat());
    let text = String::from_utf8_lossy(&said.stdout).into_owned() + &String::from_utf8_lossy(&said.stderr);
    Some(if said.status.success() { String::new() } else { text })
}
