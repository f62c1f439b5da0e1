//! `interlock bootstrap`, and processes whose settings differ from what it recorded, run as people run them.

use std::time::Duration;

use serde_json::Value;

use crate::command::Said;
use crate::testbed::{Testbed, run, shared, unique};

/// The time limit of a command that must end by itself.
const ENDS_WITHIN: Duration = Duration::from_mins(1);

/// Runs the command with only these variables of Interlock's.
async fn interlock(bed: &Testbed, arguments: &[&str], environment: &[(&str, &str)]) -> Said {
    let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_interlock-under-test"));
    command.args(arguments).args(["--log-level", "warn", "--output", "json"]).kill_on_drop(true);
    command.args(["--address", &bed.platform.temporal_address()]).envs(environment.iter().copied());
    if !arguments.contains(&"--namespace") {
        command.args(["--namespace", bed.namespace()]);
    }
    let output = tokio::time::timeout(ENDS_WITHIN, command.output()).await.expect("it ends by itself");
    let said = Said::from(output.unwrap());
    eprintln!("$ interlock {}\n{}{}= {}", arguments.join(" "), said.stdout, said.stderr, said.code);
    said
}

/// The result for each thing, as `what outcome`.
fn outcomes(said: &Said) -> Vec<String> {
    let report: Value = serde_json::from_str(&said.stdout).unwrap();
    let word = |deed: &Value, field: &str| deed[field].as_str().unwrap().to_owned();
    report["done"].as_array().unwrap().iter().map(|deed| word(deed, "what") + " " + &word(deed, "outcome")).collect()
}

fn fault(said: &Said) -> Value {
    assert_eq!(said.code, 2, "{}", said.stderr);
    // Before it, a service that waits says so.
    serde_json::from_str(said.stderr.lines().last().unwrap()).unwrap()
}

/// Checks that the command refuses to start with this code, and prints all of these words.
fn assert_refuses(said: &Said, code: &str, words: &[&str]) {
    let fault = fault(said);
    assert_eq!(fault["code"], code, "{fault}");
    let text = format!("{} {}", fault["message"].as_str().unwrap(), fault["next"].as_str().unwrap());
    for word in words {
        assert!(text.contains(word), "'{word}' in {text}");
    }
}

#[test]
fn a_namespace_is_prepared_once_and_found_prepared_afterwards() {
    run(async {
        let bed = shared().await;
        let namespace = unique("fresh");
        let fresh = namespace.as_str();
        let of = |more: &[&'static str]| -> Vec<&str> { [&["bootstrap", "--namespace", fresh], more].concat() };
        let looked = interlock(bed, &of(&["--dry-run"]), &[]).await;
        assert_eq!((looked.code, outcomes(&looked)), (0, vec!["namespace would_make".to_owned()]));
        let before = interlock(bed, &["route", "blue", "--namespace", fresh], &[]).await;
        assert_refuses(&before, "not_bootstrapped", &[&format!("'{fresh}'"), "interlock bootstrap"]);

        let made = interlock(bed, &of(&["--shards", "3"]), &[]).await;
        assert_eq!(made.code, 0, "{}", made.stdout);
        let things = ["namespace", "search_attribute", "search_attribute", "search_attribute", "record", "schedule"];
        assert_eq!(outcomes(&made), things.map(|thing| format!("{thing} made")));
        assert!(!made.stderr.contains("not registered"), "it warns of what it makes: {}", made.stderr);
        let again = interlock(bed, &of(&[]), &[]).await;
        assert_eq!((again.code, outcomes(&again)), (0, things.map(|thing| format!("{thing} found")).to_vec()));

        let route = interlock(bed, &["route", "blue", "--namespace", fresh], &[]).await;
        let route: Value = serde_json::from_str(&route.stdout).unwrap();
        // 4 bytes of SHA-256("blue") modulo 3, as recorded.
        let expected = interlock_domain::routing::shard_of("blue", 3_u64.try_into().unwrap());
        assert_eq!((&route["namespace"], route["shard"].as_u64()), (&fresh.into(), Some(expected.get().into())));
    });
}

#[test]
fn a_process_whose_settings_differ_from_the_recorded_ones_does_not_start_and_says_why() {
    run(async {
        let bed = shared().await;
        let commands: [&[&str]; 3] =
            [&["worker", "--listen", "127.0.0.1:0"], &["gateway", "--listen", "127.0.0.1:0"], &["submit", "-"]];
        for arguments in commands {
            let said = interlock(bed, arguments, &[("INTERLOCK_QUEUE_SHARDS", "3")]).await;
            assert_refuses(&said, "shard_count_disagrees", &["1 shards", "3 shards", "INTERLOCK_QUEUE_SHARDS"]);
            let said = interlock(bed, arguments, &[("INTERLOCK_PREFIX", "other")]).await;
            assert_refuses(&said, "prefix_disagrees", &["'interlock'", "'other'", "INTERLOCK_PREFIX"]);
            // Services wait for the bootstrap, without a limit unless one is set.
            let elsewhere = [arguments, &["--namespace", "nowhere", "--client-connect-timeout", "2s"]].concat();
            let said = interlock(bed, &elsewhere, &[]).await;
            assert_refuses(&said, "not_bootstrapped", &["'nowhere'", "interlock bootstrap"]);
        }
        let other = interlock(bed, &["bootstrap"], &[("INTERLOCK_PREFIX", "other")]).await;
        assert_refuses(&other, "prefix_disagrees", &["another namespace"]);
        let old = interlock(bed, &["bootstrap"], &[("INTERLOCK_QUEUE_SHARDS", "2")]).await;
        assert_refuses(&old, "shard_count_disagrees", &["--shards"]);
    });
}
