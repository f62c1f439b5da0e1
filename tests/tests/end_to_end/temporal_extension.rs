//! `temporal interlock …`: Temporal's own CLI runs Interlock as its extension.

use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::Stdio;

use interlock_coordinator::local::cli_search;
use interlock_embedded_server::find_or_install;
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tempfile::TempDir;
use tokio::process::Command;

use crate::command::{INTERLOCK, Said, prepared};
use crate::scene::Scene;
use crate::testbed::{Testbed, run, shared};
use crate::waiting::until_true;
use crate::watched::Written;

/// Temporal's CLI, with Interlock as an extension on PATH.
struct Extended {
    cli: PathBuf,
    directory: TempDir,
}

impl Extended {
    async fn of(bed: &Testbed) -> Self {
        let search = cli_search(&bed.platform.installation.settings).unwrap();
        let cli = find_or_install(&search, &|_| ()).await.unwrap().path;
        let directory = tempfile::tempdir().unwrap();
        symlink(INTERLOCK, directory.path().join("temporal-interlock")).unwrap();
        Self { cli, directory }
    }

    /// `temporal` with these arguments alone.
    fn bare(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.cli);
        command.args(arguments).env("PATH", self.directory.path()).env("HOME", self.directory.path());
        command.current_dir(self.directory.path()).kill_on_drop(true);
        command
    }

    async fn said(&self, arguments: &[&str]) -> Said {
        told(arguments, &mut self.bare(arguments)).await
    }

    /// `temporal` with these arguments and those of a scene.
    async fn said_on(&self, scene: &Scene<'_>, arguments: &[&str]) -> Said {
        let (mut command, _catalog) = prepared(scene, &scene.bed.platform.temporal_address(), &self.cli, arguments);
        told(arguments, command.env("PATH", self.directory.path())).await
    }
}

async fn told(arguments: &[&str], command: &mut Command) -> Said {
    let said = Said::from(command.output().await.unwrap());
    eprintln!("$ temporal {}\n{}{}= {}", arguments.join(" "), said.stdout, said.stderr, said.code);
    said
}

#[test]
fn temporals_cli_lists_interlock_and_passes_arguments_and_exit_codes() {
    run(async {
        let bed = shared().await;
        let extended = Extended::of(bed).await;
        let scene = Scene::on(bed);
        let said = extended.said(&["help", "--all"]).await;
        assert!(said.stdout.contains("interlock"), "{}", said.stdout);
        let listed = extended.said_on(&scene, &["interlock", "order", "list", "-o", "json"]).await;
        assert_eq!(listed.code, 0, "{}", listed.stderr);
        assert_eq!(serde_json::from_str::<serde_json::Value>(&listed.stdout).unwrap()["orders"], serde_json::json!([]));
        let refused = extended.said_on(&scene, &["interlock", "order", "show", "x"]).await;
        assert_eq!(refused.code, 2, "{}", refused.stderr);
        let unknown = extended.said_on(&scene, &["interlock", "customer", "show", "nobody"]).await;
        assert_eq!(unknown.code, 1, "{}", unknown.stderr);
    });
}

#[test]
fn help_and_usage_name_the_program_as_temporal_calls_it() {
    run(async {
        let extended = Extended::of(shared().await).await;
        for (arguments, usage) in [
            (["interlock", "--help"].as_slice(), "Usage: temporal interlock [OPTIONS] <COMMAND>"),
            (&["interlock", "order", "list", "--help"], "Usage: temporal interlock order list [OPTIONS]"),
            (&["help", "interlock", "order"], "Usage: temporal interlock order [OPTIONS] <COMMAND>"),
        ] {
            let said = extended.said(arguments).await;
            assert_eq!(said.code, 0, "{}", said.stderr);
            assert!(said.stdout.contains(usage), "{}", said.stdout);
        }
        let wrong = extended.said(&["interlock", "order", "lst"]).await;
        assert_eq!(wrong.code, 2);
        assert!(wrong.stderr.contains("Usage: temporal interlock order"), "{}", wrong.stderr);
        assert!(extended.said(&["interlock", "--version"]).await.stdout.starts_with("interlock "));
    });
}

/// Temporal's CLI puts its global flags in front of the command of the extension.
#[test]
fn temporals_global_flags_mean_the_same_before_and_after_the_name_of_the_extension() {
    run(async {
        let bed = shared().await;
        let extended = Extended::of(bed).await;
        let profiles = extended.directory.path().join("profiles.toml");
        let address = bed.platform.temporal_address();
        let profile = format!("[profile.night]\naddress = \"{address}\"\nnamespace = \"{}\"\n", bed.namespace());
        std::fs::write(&profiles, profile).unwrap();
        let profiles = profiles.to_str().unwrap();
        for arguments in [
            ["interlock", "target", "list", "--profile", "night", "--config-file", profiles].as_slice(),
            &["--profile", "night", "--config-file", profiles, "interlock", "target", "list"],
            &["--profile=night", "interlock", "target", "list", "--config-file", profiles, "--command-timeout", "60s"],
            &["interlock", "target", "list", "--address", &address, "--namespace", bed.namespace(), "--color", "never"],
        ] {
            let said = extended.said(arguments).await;
            assert_eq!(said.code, 0, "{arguments:?}: {}", said.stderr);
            assert!(said.stdout.contains("hss"), "{}", said.stdout);
        }
        let unknown =
            extended.said(&["interlock", "target", "list", "--profile", "day", "--config-file", profiles]).await;
        assert!(unknown.stderr.contains("temporal_profile_not_found"), "{}", unknown.stderr);
        let legacy = extended.said(&["--env", "night", "interlock", "target", "list"]).await;
        assert_eq!(legacy.code, 2, "environments of `temporal env` are not read: {}", legacy.stderr);
    });
}

#[test]
fn a_watched_list_is_ended_by_ctrl_c_under_temporals_cli_too() {
    run(async {
        let bed = shared().await;
        let extended = Extended::of(bed).await;
        let scene = Scene::on(bed);
        let address = bed.platform.temporal_address();
        let arguments = ["interlock", "order", "list", "--watch", "1"];
        let (mut command, _catalog) = prepared(&scene, &address, &extended.cli, &arguments);
        command.env("PATH", extended.directory.path()).process_group(0).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let stdout = Written::from(child.stdout.take().unwrap());
        until_true("two snapshots", || stdout.text().matches("Every 1s: interlock order list").count() >= 2).await;
        // A terminal sends the signal to all processes in front of it.
        killpg(Pid::from_raw(child.id().unwrap().try_into().unwrap()), Signal::SIGINT).unwrap();
        let status = child.wait().await.unwrap();
        assert!(
            matches!(status.code(), Some(0 | 1)),
            "{status}: Temporal's CLI ends with 1 if it was interrupted first"
        );
    });
}
