//! The command `interlock`, run as a person runs it, and the corresponding calls to the gateway.

use std::path::Path;
use std::process::Output;

use reqwest::{Method, StatusCode};
use serde_json::Value;

use crate::scene::Scene;

/// The output of a command, and how it ended.
pub struct Said {
    /// Its exit code.
    pub code: i32,
    /// Its data, on stdout.
    pub stdout: String,
    /// Its other output, on stderr.
    pub stderr: String,
}

impl From<Output> for Said {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code().expect("nobody kills it"),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

/// Runs the command for a scene's tenant.
pub async fn interlock(scene: &Scene<'_>, arguments: &[&str]) -> Said {
    interlock_at(scene, &scene.bed.platform.temporal_address(), arguments).await
}

/// The same, with another address of Temporal.
pub async fn interlock_at(scene: &Scene<'_>, temporal: &str, arguments: &[&str]) -> Said {
    let (mut command, _catalog) = prepared(scene, temporal, Path::new(INTERLOCK), arguments);
    let said = Said::from(command.output().await.unwrap());
    eprintln!("$ interlock {}\n{}{}= {}", arguments.join(" "), said.stdout, said.stderr, said.code);
    said
}

/// The program `interlock`.
pub const INTERLOCK: &str = env!("CARGO_BIN_EXE_interlock-under-test");

/// A program with these arguments and those of a scene, not started yet, and the file that it needs while it runs.
pub fn prepared(
    scene: &Scene<'_>,
    temporal: &str,
    program: &Path,
    arguments: &[&str],
) -> (tokio::process::Command, tempfile::NamedTempFile) {
    let mut command = tokio::process::Command::new(program);
    command.args(arguments).args(["--tenant", scene.tenant.as_str(), "--log-level", "warn"]);
    command.args(["--address", temporal, "--namespace", scene.bed.namespace()]);
    command.envs(scene.bed.environment.iter().cloned());
    // The catalog of the testbed, which the workers have.
    let catalog = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(catalog.path(), &scene.bed.catalog).unwrap();
    command.arg("--catalog").arg(catalog.path()).env("USER", "night-shift").kill_on_drop(true);
    (command, catalog)
}

/// The same for a command that must succeed. Returns its data.
///
/// # Panics
/// If the command fails.
pub async fn done(scene: &Scene<'_>, arguments: &[&str]) -> String {
    let said = interlock(scene, arguments).await;
    assert_eq!(said.code, 0, "{arguments:?}: {}{}", said.stdout, said.stderr);
    said.stdout
}

/// The gateway's answer.
pub async fn call(scene: &Scene<'_>, method: Method, path: &str, body: Option<&Value>) -> (StatusCode, Value) {
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let url = format!("{}/v1/tenants/{}/{path}", scene.bed.platform.gateway_url(), scene.tenant);
    let request = http.request(method, url);
    let request = match body {
        Some(body) => request.json(body),
        None => request,
    };
    let answer = request.send().await.unwrap();
    (answer.status(), answer.json().await.unwrap())
}
