//! The two commands of the README that a newcomer tries first.
#![allow(clippy::unwrap_used)]

use std::process::{Command, Output};

use serde_json::Value;

fn demo(arguments: &[&str]) -> (Output, Value) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_interlock"));
    let output = command.args(["demo", "--output", "json"]).args(arguments).output().unwrap();
    let report = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)));
    (output, report)
}

#[test]
fn the_demo_shows_the_hand_over_and_says_that_the_order_was_right() {
    let (output, report) = demo(&[]);
    assert_eq!((output.status.code(), &report["right"]), (Some(0), &Value::Bool(true)), "{report}");
    assert_eq!(report["look_up"]["imsi"], "001010000000002");
}

#[test]
fn without_leases_the_number_is_lost_and_the_exit_code_says_so() {
    let (output, report) = demo(&["--without-leases"]);
    assert_eq!((output.status.code(), &report["right"]), (Some(1), &Value::Bool(false)), "{report}");
    assert_eq!(report["look_up"], Value::Null);
}
