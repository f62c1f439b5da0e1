//! `interlock dev` itself: it says where everything is, takes an event to its end, and stops everything it started.
#![allow(clippy::unwrap_used)]

use std::process::Stdio;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;

/// The time limit of each wait: the start of a server, too.
const LIMIT: Duration = Duration::from_mins(2);

/// A started `interlock dev`, and what it printed once it was ready.
async fn dev() -> (Child, Value) {
    let folder = tempfile::tempdir().unwrap();
    let mut process = Command::new(env!("CARGO_BIN_EXE_interlock"))
        .args(["dev", "--output", "json"])
        .env("INTERLOCK_GATEWAY_LISTEN", "127.0.0.1:0")
        .current_dir(folder.path())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
    let line = timeout(LIMIT, lines.next_line()).await.unwrap().unwrap().unwrap();
    (process, serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}")))
}

fn http() -> reqwest::Client {
    interlock_adapters::install_crypto_provider();
    reqwest::Client::builder().no_proxy().build().unwrap()
}

#[tokio::test]
async fn dev_says_where_all_is_takes_an_event_to_its_end_and_stops_all_of_it() {
    let (mut process, ready) = dev().await;
    let address = |name: &str| ready[name].as_str().unwrap_or_else(|| panic!("{name} of {ready}")).to_owned();
    let (http, gateway, ui, temporal) = (http(), address("gateway"), address("ui"), address("temporal"));
    let hss = ready["targets"]["hss"].as_str().unwrap();
    for target in ["crm", "notify"] {
        assert!(ready["targets"][target].is_string(), "{ready}");
    }
    assert!(http.get(&ui).send().await.unwrap().status().is_success(), "Temporal's web UI");

    let event = json!({
        "specversion": "1.0", "id": "1", "source": "/test", "type": "number.assigned", "subject": "A1",
        "data": {"imsi": "001010000000001", "msisdn": "12065551234"},
    });
    let answer = http.post(format!("{gateway}/v1/tenants/default/events")).json(&event).send().await.unwrap();
    assert_eq!(answer.status(), 202);
    let results: Value = answer.json().await.unwrap();
    let order = results["results"][0]["order_id"].as_str().unwrap();
    let completed = async {
        loop {
            let answer = http.get(format!("{gateway}/v1/tenants/default/orders/{order}")).send().await.unwrap();
            let view: Value = answer.json().await.unwrap();
            if view["state"] == "completed" {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    timeout(LIMIT, completed).await.unwrap();
    let log: Value = http.get(format!("{hss}/__sandbox/log")).send().await.unwrap().json().await.unwrap();
    assert!(log.to_string().contains("12065551234"), "{log}");

    kill(Pid::from_raw(process.id().unwrap().try_into().unwrap()), Signal::SIGINT).unwrap();
    let status = timeout(LIMIT, process.wait()).await.unwrap().unwrap();
    assert_eq!(status.code(), Some(0), "Ctrl-C is the usual end");
    for left in [gateway, ui, hss.to_owned(), format!("http://{temporal}")] {
        assert!(http.get(&left).send().await.is_err(), "{left} still answers");
    }
}
