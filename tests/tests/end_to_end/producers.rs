//! The producers of `examples/producers`, each a program in another language with Temporal's own SDK: they know only the wire contract.

use std::path::Path;
use std::process::{Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use interlock_domain::event::Event;
use interlock_domain::ids::OrderId;
use serde_json::{Value, json};
use tokio::io::{AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::Command;

use crate::events::{assigned, event, moved, unassigned};
use crate::producer_programs::{Language, Program, program};
use crate::scene::{Scene, number};
use crate::testbed::{run, shared};

/// The golden vectors.
const VECTORS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../coordinator/domain/vectors.json");
/// How long a program may take.
const LIMIT: Duration = Duration::from_mins(2);
/// What a program says if it does not know what became of an event.
const AGAIN: &str = "sending the same events again is safe";

/// What a program did with this input.
async fn output(mut command: Command, input: &str) -> Output {
    let command = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let mut process = command.spawn().unwrap_or_else(|fault| panic!("{command:?}: {fault}"));
    let mut stdin = process.stdin.take().unwrap();
    // A program that refuses its options may not read the input.
    let _written = stdin.write_all(input.as_bytes()).await;
    drop(stdin);
    let ended = tokio::time::timeout(LIMIT, process.wait_with_output()).await;
    ended.unwrap_or_else(|_| panic!("{command:?} takes too long")).unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// The lines that a successful program printed.
fn lines(output: &Output) -> Vec<String> {
    let (said, faults) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success() && faults.is_empty(), "{}\n{said}\n{faults}", output.status);
    said.lines().map(str::to_owned).collect()
}

/// A command that sends the events of its input to this server.
fn sending(program: &Program, scene: &Scene<'_>, address: &str, more: &[&str]) -> Command {
    sending_of(program, scene.tenant.as_str(), scene, address, more)
}

fn sending_of(program: &Program, tenant: &str, scene: &Scene<'_>, address: &str, more: &[&str]) -> Command {
    let mut command = program.command();
    command.args(["send", "--address", address, "--namespace", scene.bed.namespace()]);
    command.args(["--tenant", tenant, "--shards", "1"]).args(more).arg("-");
    command
}

/// The same, but it finds the server as Temporal's own commands do.
fn sending_by_environment(program: &Program, scene: &Scene<'_>) -> Command {
    let mut command = program.command();
    command.env("TEMPORAL_ADDRESS", scene.bed.platform.temporal_address());
    command.env("TEMPORAL_NAMESPACE", scene.bed.namespace());
    command.args(["send", "--tenant", scene.tenant.as_str(), "--shards", "1", "-"]);
    command
}

fn order_of(scene: &Scene<'_>, event: &Value) -> OrderId {
    let event = Event::from_value(event, usize::MAX).unwrap();
    scene.bed.platform.installation.catalog.order_id(&scene.tenant, &event)
}

fn orders(lines: &[String]) -> Vec<OrderId> {
    lines.iter().map(|line| line.parse().unwrap()).collect()
}

async fn computes_the_golden_vectors(program: &Program) {
    let vectors: Value = serde_json::from_str(&std::fs::read_to_string(VECTORS).unwrap()).unwrap();
    let all = |section: &str| vectors[section].as_array().unwrap().iter();
    let shards: usize = all("shards").map(|v| v["shard_by_count"].as_object().unwrap().len()).sum();
    let expected = format!(
        "encodings {}, rejected ids {}, workflow ids {}, order ids {}, shards {shards}, spread shards {}, queues {}, hidden ids {}, \
         weights {}: all as expected",
        all("encodings").len(),
        all("rejected_ids").len(),
        all("workflow_ids").len(),
        all("order_ids").len(),
        all("spread_shards").len(),
        all("queues").filter(|v| v.get("kind").is_some()).count(),
        all("hidden_ids").len(),
        all("fairness_weights").len(),
    );
    let mut command = program.command();
    command.args(["vectors", VECTORS]);
    assert_eq!(lines(&output(command, "").await), [expected]);

    // It notices a difference.
    let mut wrong = vectors;
    wrong["order_ids"][3]["order_id"] = json!("A2~99a0ae1e-23d5-555d-a1a2-77077debdcc1");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("vectors.json");
    std::fs::write(&file, wrong.to_string()).unwrap();
    let mut command = program.command();
    command.arg("vectors").arg(&file);
    let output = output(command, "").await;
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(text(&output.stderr).contains("order ids"), "{output:?}");
}

/// A server that closes the first connections, and then passes on to the real one.
async fn away_at_first(real: String, closed: usize) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let seen = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&seen);
    tokio::spawn(async move {
        while let Ok((mut connection, _)) = listener.accept().await {
            if count.fetch_add(1, Ordering::Relaxed) >= closed {
                let real = real.clone();
                tokio::spawn(async move {
                    let mut server = TcpStream::connect(real).await?;
                    copy_bidirectional(&mut connection, &mut server).await
                });
            }
        }
    });
    (address, seen)
}

/// A number moves from A1 to A2, whose event comes first, and back. Each event is sent twice: one after the other, or by two processes at
/// the same time.
async fn hands_a_number_over_and_sends_again_safely(program: &Program, scene: &Scene<'_>) {
    let (a1, a2, number) = (scene.customer("A1"), scene.customer("A2"), number());
    let address = scene.bed.platform.temporal_address();

    // Two events, one on each line.
    let (first, touch) = (assigned(&a1, &number), event("line.touched", &a2.id, &json!({"imsi": a2.imsi})));
    let expected = [order_of(scene, &first), order_of(scene, &touch)];
    for _ in 0..2 {
        let said = output(sending(program, scene, &address, &[]), &format!("{first}\n\n{touch}\n")).await;
        assert_eq!(orders(&lines(&said)), expected);
    }
    scene.completed(&expected).await;

    // One event over several lines, by two processes.
    let second = assigned(&a2, &number);
    let pretty = serde_json::to_string_pretty(&second).unwrap();
    let (one, other) = tokio::join!(
        output(sending(program, scene, &address, &["--plan", "pro"]), &pretty),
        output(sending(program, scene, &address, &["--plan", "pro"]), &pretty),
    );
    assert_eq!(lines(&one), [order_of(scene, &second).to_string()]);
    assert_eq!(lines(&other), lines(&one));
    scene.is_waiting_for(&a2, &number).await;

    let third = unassigned(&a1, &number);
    let compact = third.to_string();
    let (one, other) = tokio::join!(
        output(sending_by_environment(program, scene), &compact),
        output(sending_by_environment(program, scene), &compact),
    );
    assert_eq!(lines(&one), [order_of(scene, &third).to_string()]);
    assert_eq!(lines(&other), lines(&one));
    scene.completed(&[order_of(scene, &second), order_of(scene, &third)]).await;

    // An event that makes two orders, at a server that is not there at first.
    let fourth = moved(&a2, &a1, &number);
    let (late, connections) = away_at_first(address, 3).await;
    let said = output(sending(program, scene, &late, &["--retry-for", "60"]), &fourth.to_string()).await;
    let both = orders(&lines(&said));
    assert_eq!(both[0], order_of(scene, &fourth));
    assert_eq!((both.len(), both[1].customer().as_str()), (2, a1.id.as_str()));
    assert!(connections.load(Ordering::Relaxed) > 3);
    scene.completed(&both).await;

    // Each was done once, although customers received two of their events twice.
    let parties = [(&a1, '+'), (&a1, '-'), (&a2, '+'), (&a2, '-'), (&a1, '+')];
    let expected = parties.map(|(customer, what)| format!("{}{what}", customer.imsi));
    assert_eq!(scene.registrations(&number), expected);
    scene.judge(&[&number]);
    for customer in [&a1, &a2] {
        let counts = &scene.customer_state(customer).await["counts"];
        assert_eq!(
            (&counts["accepted"], &counts["duplicates"], &counts["rejected"]),
            (&json!(3), &json!(2), &json!(0))
        );
    }
}

async fn refuses_what_breaks_a_limit(program: &Program, scene: &Scene<'_>) {
    let customer = scene.customer("A1");
    let event = assigned(&customer, &number());
    let mut too_long = event.clone();
    too_long["subject"] = "客".repeat(28).into();
    let mut too_large = event.clone();
    too_large["data"]["note"] = "x".repeat(16 * 1024).into();
    let long_tenant = "t".repeat(65);
    let tenant = scene.tenant.as_str();
    let cases = [
        (format!("{event}\n{too_long}"), tenant, "250"),
        (too_large.to_string(), tenant, "16384"),
        (event.to_string(), &long_tenant, "64"),
        (format!("{event}\n{{"), tenant, "line 2"),
    ];
    let address = scene.bed.platform.temporal_address();
    for (input, tenant, named) in cases {
        let output = output(sending_of(program, tenant, scene, &address, &[]), &input).await;
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains(named), "{said}");
        assert_eq!(text(&output.stdout), "");
    }
    // Not the valid event before it, either.
    assert_eq!(scene.order(&order_of(scene, &event)).await, None);
}

async fn says_what_it_does_not_know_if_the_server_is_away(program: &Program, scene: &Scene<'_>) {
    let event = assigned(&scene.customer("A1"), &number());
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().to_string();
    let output = output(sending(program, scene, &free, &["--retry-for", "1"]), &event.to_string()).await;
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("not known whether it was accepted") && said.contains(AGAIN), "{said}");
    assert_eq!(text(&output.stdout), "");
}

fn keeps_its_promises(language: Language) {
    run(async {
        let program = match program(language).await {
            Ok(program) => program,
            Err(skipped) => return skipped.say(),
        };
        let scene = Scene::on(shared().await);
        computes_the_golden_vectors(&program).await;
        hands_a_number_over_and_sends_again_safely(&program, &scene).await;
        refuses_what_breaks_a_limit(&program, &scene).await;
        says_what_it_does_not_know_if_the_server_is_away(&program, &scene).await;
    });
}

#[test]
fn the_producer_in_rust_keeps_its_promises() {
    keeps_its_promises(Language::Rust);
}

#[test]
fn the_producer_in_python_keeps_its_promises() {
    keeps_its_promises(Language::Python);
}

#[test]
fn the_producer_in_go_keeps_its_promises() {
    keeps_its_promises(Language::Go);
}

#[test]
fn the_producer_in_java_keeps_its_promises() {
    keeps_its_promises(Language::Java);
}

#[test]
fn the_producer_in_typescript_keeps_its_promises() {
    keeps_its_promises(Language::TypeScript);
}

#[test]
fn the_programs_in_python_need_the_same_packages() {
    let below = |path: &str| std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap();
    assert_eq!(below("python/requirements.txt"), below("../examples/producers/python/requirements.txt"));
}
