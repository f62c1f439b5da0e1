//! Another language: a producer in Python, with Temporal's own SDK, that knows nothing but the wire contract.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};

use interlock_coordinator::settings::Settings;
use tokio::process::Command;

use crate::scene::{Scene, number};
use crate::testbed::{run, shared};

/// The version of Temporal's Python SDK, the PyPI package `temporalio`.
const SDK_VERSION: &str = "1.35.0";

/// Why the test cannot be made here.
struct Skipped(String);

async fn python(arguments: &[&str], search_path: Option<&Path>) -> std::io::Result<Output> {
    let mut command = Command::new("python3");
    command.args(arguments).stdin(Stdio::null()).kill_on_drop(true);
    // Both would be refused together with --target, and may come from a person's pip configuration.
    command.env("PIP_USER", "0").env("PIP_REQUIRE_VIRTUALENV", "0").env("PYTHONDONTWRITEBYTECODE", "1");
    command.env("PYTHONPATH", search_path.unwrap_or(Path::new("")));
    command.output().await
}

/// The directory with the SDK in it: in Interlock's cache, installed there once for all tests of this machine.
async fn python_sdk() -> Result<PathBuf, Skipped> {
    let version = python(&["-c", "import sys; print(sys.implementation.cache_tag)"], None).await;
    let tag = match version {
        Ok(output) if output.status.success() => String::from_utf8(output.stdout).unwrap().trim().to_owned(),
        _ => return Err(Skipped("there is no python3 on PATH".to_owned())),
    };
    let settings = Settings::from_environment().unwrap();
    let cache = settings.cli_search().unwrap().cache_dir.join("python-sdk");
    let installed = cache.join(format!("temporalio-{SDK_VERSION}-{tag}"));
    if installed.is_dir() {
        return Ok(installed);
    }
    if settings.offline {
        return Err(Skipped("INTERLOCK_OFFLINE forbids to install Temporal's Python SDK".to_owned()));
    }
    match python(&["-m", "pip", "--version"], None).await {
        Ok(output) if output.status.success() => {}
        _ => return Err(Skipped("python3 has no pip".to_owned())),
    }
    std::fs::create_dir_all(&cache).unwrap();
    let lock = File::create(cache.join("install.lock")).unwrap();
    let lock = tokio::task::spawn_blocking(move || lock.lock().map(|()| lock)).await.unwrap().unwrap();
    if !installed.is_dir() {
        install(&cache, &installed).await;
    }
    drop(lock);
    Ok(installed)
}

/// Installs it beside its place, and moves it there when it is whole.
async fn install(cache: &Path, installed: &Path) {
    eprintln!("Installing Temporal's Python SDK {SDK_VERSION} into {} with pip.", cache.display());
    let workspace = tempfile::Builder::new().prefix(".installing-").tempdir_in(cache).unwrap();
    let unpacked = workspace.path().join("unpacked");
    let package = format!("temporalio=={SDK_VERSION}");
    let quietly = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"];
    let what = ["--only-binary", ":all:", "--target", unpacked.to_str().unwrap(), &package];
    let output = python(&[&quietly[..], &what[..]].concat(), None).await.unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "pip failed; set INTERLOCK_OFFLINE=true to leave this test out: {said}");
    std::fs::rename(&unpacked, installed).unwrap();
}

#[test]
fn a_producer_in_python_that_knows_only_the_wire_contract_sees_the_hand_over() {
    run(async {
        let sdk = match python_sdk().await {
            Ok(sdk) => sdk,
            Err(Skipped(reason)) => {
                println!("SKIPPED: {reason}");
                eprintln!("SKIPPED the producer in Python: {reason}");
                return;
            }
        };
        let scene = Scene::on(shared().await);
        let (a1, a2, number) = (scene.customer("A1"), scene.customer("A2"), number());
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/python/hand_over.py");
        let address = scene.bed.platform.temporal_address();
        let named = [
            ("--address", address.as_str()),
            ("--tenant", scene.tenant.as_str()),
            ("--giving", &a1.id),
            ("--giving-imsi", &a1.imsi),
            ("--receiving", &a2.id),
            ("--receiving-imsi", &a2.imsi),
            ("--number", &number),
        ];
        let mut arguments = vec![script];
        arguments.extend(named.iter().flat_map(|(name, value)| [*name, *value]));
        let output = python(&arguments, Some(&sdk)).await.unwrap();
        let (said, faults) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{said}\n{faults}");
        let expected = [
            format!("{} holds msisdn/{number}", a1.id),
            format!("{} waits for msisdn/{number}", a2.id),
            format!("{} holds msisdn/{number}", a2.id),
            format!("{} holds nothing", a1.id),
        ];
        assert_eq!(said.lines().collect::<Vec<_>>(), expected);
        scene.judge(&[&number]);
        let expected = [format!("{}+", a1.imsi), format!("{}-", a1.imsi), format!("{}+", a2.imsi)];
        assert_eq!(scene.registrations(&number), expected);
    });
}
