//! `interlock dev` itself: it says where everything is, takes an event to its end, and stops everything it started.
#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::Mutex;
use tokio::time::timeout;

/// The time limit of each wait: the start of a server, too.
const LIMIT: Duration = Duration::from_mins(2);

/// One at a time: two that start at the same moment may take the same of Temporal's usual ports.
static ONE: Mutex<()> = Mutex::const_new(());

/// A started `interlock dev`, and what it printed once it was ready.
async fn dev() -> (Child, Value) {
    dev_in(tempfile::tempdir().unwrap().path()).await
}

/// The same, in this folder.
async fn dev_in(folder: &Path) -> (Child, Value) {
    let mut process = Command::new(env!("CARGO_BIN_EXE_interlock"))
        .args(["dev", "--output", "json"])
        .env("INTERLOCK_GATEWAY_LISTEN", "127.0.0.1:0")
        .current_dir(folder)
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
    let _one = ONE.lock().await;
    let (mut process, ready) = dev().await;
    let address = |name: &str| ready[name].as_str().unwrap_or_else(|| panic!("{name} of {ready}")).to_owned();
    let (http, gateway, ui, temporal) = (http(), address("gateway"), address("ui"), address("temporal"));
    let page = http.get(address("console")).send().await.unwrap().text().await.unwrap();
    assert!(page.contains("<h1>Now</h1>") && page.contains("/console/default/targets/hss"), "{page}");
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

/// The blocks of code of a page, each with its language.
fn blocks(page: &str) -> Vec<(String, String)> {
    let parts: Vec<&str> = page.split("```").collect();
    let code = parts.iter().skip(1).step_by(2).map(|block| block.split_once('\n').unwrap());
    code.map(|(language, code)| (language.to_owned(), code.to_owned())).collect()
}

#[tokio::test]
async fn the_page_that_connects_a_crm_is_followed_as_written() {
    let _one = ONE.lock().await;
    let page = include_str!("../docs/connect-your-crm.md");
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let of = |wanted: &str| -> Vec<String> {
        let matching = blocks(page).into_iter().filter(|(language, _)| language == wanted);
        matching
            .map(|(_, code)| {
                code.replace("127.0.0.1:9999", &free.to_string()).replace("9999), R", &format!("{}), R", free.port()))
            })
            .collect()
    };
    std::fs::write(folder.path().join("interlock.toml"), &of("toml")[0]).unwrap();
    std::fs::write(folder.path().join("receiver.py"), &of("python")[0]).unwrap();
    let steps = of("sh");
    assert_eq!((steps[0].trim(), steps[1].trim(), steps.len()), ("interlock dev", "python3 receiver.py", 5));

    let (mut process, ready) = dev_in(folder.path()).await;
    let gateway = ready["gateway"].as_str().unwrap();
    let program = std::path::Path::new(env!("CARGO_BIN_EXE_interlock"));
    let path = format!("{}:{}", program.parent().unwrap().display(), std::env::var("PATH").unwrap());
    let shell = |script: &str| {
        let mut command = Command::new("bash");
        command.args(["-e", "-c", &script.replace("http://127.0.0.1:8088", gateway)]).current_dir(folder.path());
        command.env("PATH", &path).env("TEMPORAL_ADDRESS", ready["temporal"].as_str().unwrap()).kill_on_drop(true);
        command
    };
    let mut receiver = shell(&format!("exec {}", steps[1])).stdout(Stdio::piped()).spawn().unwrap();
    let mut printed = BufReader::new(receiver.stdout.take().unwrap()).lines();
    for (step, expected) in [(&steps[2], None), (&steps[3], Some(0)), (&steps[4], Some(1))] {
        let output = shell(step).output().await.unwrap();
        assert!(output.status.success(), "{step}: {}", String::from_utf8_lossy(&output.stderr));
        let Some(expected) = expected else { continue };
        for line in of("text")[expected].lines() {
            let told = timeout(LIMIT, printed.next_line()).await.unwrap().unwrap().unwrap();
            assert_eq!(told.trim_end(), line);
        }
    }
    receiver.kill().await.unwrap();
    kill(Pid::from_raw(process.id().unwrap().try_into().unwrap()), Signal::SIGINT).unwrap();
    assert_eq!(timeout(LIMIT, process.wait()).await.unwrap().unwrap().code(), Some(0));
}
