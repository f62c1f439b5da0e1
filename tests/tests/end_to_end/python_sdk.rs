//! Programs in Python with Temporal's own SDK: how the tests install it, and run the programs.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};

use interlock_coordinator::local::cli_search;
use interlock_settings::Settings;
use sha2::{Digest, Sha256};
use tokio::process::Command;

use crate::skipped::skipped;

/// The packages that pip installs: each with its version and the SHA-256 of each of its files.
const REQUIREMENTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/python/requirements.txt");

/// Why a test cannot run here.
pub struct Skipped(String);

impl Skipped {
    /// Says why the test is skipped.
    ///
    /// # Panics
    /// If Python is required here.
    pub fn say(&self) {
        skipped("python-sdk", &self.0);
    }

    /// Why.
    pub fn why(self) -> String {
        self.0
    }
}

/// Python with the SDK, and with the modules at `search_path`.
pub fn python(arguments: &[&str], search_path: Option<&Path>) -> Command {
    let mut command = Command::new("python3");
    command.args(arguments).stdin(Stdio::null()).kill_on_drop(true);
    // pip rejects both options together with --target, and they may come from a person's pip configuration.
    command.env("PIP_USER", "0").env("PIP_REQUIRE_VIRTUALENV", "0").env("PYTHONDONTWRITEBYTECODE", "1");
    command.env("PYTHONPATH", search_path.unwrap_or(Path::new("")));
    command
}

/// The path of a program of `tests/python/`.
pub fn program(name: &str) -> String {
    format!("{}/python/{name}", env!("CARGO_MANIFEST_DIR"))
}

async fn pip(arguments: &[&str]) -> std::io::Result<Output> {
    python(&[&["-m", "pip"], arguments].concat(), None).output().await
}

/// The directory of the SDK: in Interlock's cache, installed there once for all tests of this machine.
///
/// # Errors
/// [`Skipped`] if there is no Python, or if nothing may be installed.
pub async fn python_sdk() -> Result<PathBuf, Skipped> {
    let version = python(&["-c", "import sys; print(sys.implementation.cache_tag)"], None).output().await;
    let tag = match version {
        Ok(output) if output.status.success() => String::from_utf8(output.stdout).unwrap().trim().to_owned(),
        _ => return Err(Skipped("there is no python3 on PATH".to_owned())),
    };
    let settings = Settings::from_environment().unwrap();
    let cache = cli_search(&settings).unwrap().cache_dir.join("python-sdk");
    let requirements = Sha256::digest(std::fs::read(REQUIREMENTS).unwrap());
    let installed = cache.join(format!("{}-{tag}", &format!("{requirements:x}")[..16]));
    if installed.is_dir() {
        return Ok(installed);
    }
    if settings.offline {
        return Err(Skipped("INTERLOCK_OFFLINE forbids to install Temporal's Python SDK".to_owned()));
    }
    match pip(&["--version"]).await {
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

/// Installs it in a temporary place, and moves it when it is complete.
async fn install(cache: &Path, installed: &Path) {
    eprintln!("Installing Temporal's Python SDK into {} with pip.", cache.display());
    let workspace = tempfile::Builder::new().prefix(".installing-").tempdir_in(cache).unwrap();
    let unpacked = workspace.path().join("unpacked");
    let quietly = ["install", "--quiet", "--disable-pip-version-check", "--no-input", "--require-hashes"];
    let what = ["--only-binary", ":all:", "--target", unpacked.to_str().unwrap(), "--requirement", REQUIREMENTS];
    let output = pip(&[&quietly[..], &what[..]].concat()).await.unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "pip failed; set INTERLOCK_OFFLINE=true to leave this test out: {said}");
    std::fs::rename(&unpacked, installed).unwrap();
}
