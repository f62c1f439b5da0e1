//! What Temporal stores about subscribers: nothing that can be read without the keys.

use std::path::{Path, PathBuf};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use interlock_adapters::TargetSettings;
use interlock_adapters::sandbox::{Action, Pattern, Rule, Sandbox, Seed};
use interlock_coordinator::local::cli_search;
use interlock_domain::ids::OrderId;
use interlock_domain::limits::EntityLimits;
use interlock_embedded_server::find_or_install;
use interlock_operations::targets::Targets;
use interlock_settings::{Settings, SweepSettings};
use interlock_worker_pools::Workload;
use prost::Message;
use reqwest::StatusCode;
use serde_json::{Value, json};
use tempfile::TempDir;
use temporalio_common::protos::temporal::api::history::v1::HistoryEvent;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use crate::command::{done, interlock};
use crate::events::{Customer, assigned, event, quota_exceeded, service_updated, unassigned};
use crate::scene::{Scene, imsi, number, write_that_begins_to_assign};
use crate::stored::{Stored, everything, found};
use crate::temporal_calls::{failed_tasks, json_payload};
use crate::testbed::{Testbed, Wanted, run};
use crate::waiting::until;

/// The key that hides the ids of resources.
const ID_KEY: &str = "the id key of a test";
/// Orders that are due within a second.
const DUE_SOON: &str = r#"
[events."line.due"]
due_within = "1s"
claims = [{ mode = "assign", resource = "msisdn/{msisdn}", party = "{imsi}" }]
steps = [{ role = "hss", operation = "assign_number", with = { imsi = "{imsi}", msisdn = "{msisdn}" }, resources = ["msisdn/{msisdn}"] }]
[events."line.due".data]
required = ["imsi", "msisdn"]
properties.imsi = { type = "string", format = "imsi" }
properties.msisdn = { type = "string", format = "msisdn" }
"#;

/// A directory of keys, in the form in which Kubernetes mounts a secret.
struct Keys(TempDir);

impl Keys {
    fn new(ids: &[&str]) -> Self {
        let keys = Self(tempfile::tempdir().unwrap());
        for id in ids {
            keys.make(id);
        }
        keys
    }

    fn file(&self, id: &str) -> PathBuf {
        self.0.path().join(id)
    }

    fn make(&self, id: &str) {
        let key: Vec<u8> = (0..32).map(|_| fastrand::u8(..)).collect();
        std::fs::write(self.file(id), STANDARD.encode(key)).unwrap();
    }

    /// A testbed that encrypts under one of these keys, and hides the ids of resources.
    fn wanted(&self, current: &str) -> Wanted {
        let (directory, id) = (self.0.path().to_owned(), current.to_owned());
        let environment = vec![
            ("INTERLOCK_ID_KEY", ID_KEY.to_owned()),
            ("INTERLOCK_CODEC_KEYS_DIRECTORY", directory.display().to_string()),
            ("INTERLOCK_CODEC_CURRENT_KEY", id.clone()),
        ];
        let settings = move |settings: &mut Settings| {
            settings.id_key = Some(ID_KEY.into());
            settings.codec.keys_directory = Some(directory);
            settings.codec.current_key = Some(id.parse().unwrap());
        };
        Wanted {
            settings: Some(Box::new(settings)),
            environment,
            worker_processes: Some(vec![Workload::All]),
            ..Wanted::default()
        }
    }
}

/// A process of `interlock` that prints the address it listens on.
struct Process {
    _child: Child,
    url: String,
    log: PathBuf,
}

impl Process {
    async fn start(bed: &Testbed, directory: &Path, name: &str, arguments: &[&str]) -> Self {
        let log = directory.join(format!("{name}.log"));
        let catalog = directory.join("catalog.toml");
        std::fs::write(&catalog, &bed.catalog).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_interlock-under-test"));
        command.args(arguments).args(["--listen", "127.0.0.1:0", "--output", "json", "--log-level", "info"]);
        command.arg("--catalog").arg(catalog).env("INTERLOCK_QUEUE_SHARDS", "1").envs(bed.environment.clone());
        command.stdout(std::process::Stdio::piped()).stderr(std::fs::File::create(&log).unwrap()).kill_on_drop(true);
        let mut child = command.spawn().unwrap();
        let mut said = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut text = String::new();
        let listening: Value = loop {
            text += &said.next_line().await.unwrap().expect("it must print its address");
            if let Ok(listening) = serde_json::from_str(&text) {
                break listening;
            }
        };
        let url = listening.as_object().unwrap().values().next().unwrap().as_str().unwrap().to_owned();
        Self { _child: child, url, log }
    }
}

/// Permanently refuses requests for this number or customer, and names it in the answer.
fn refuse(sandbox: &Sandbox, pattern: Pattern, text: &str) -> Rule {
    let body = json!({"code": "not_like_this", "detail": format!("{text} is not wanted"), "error": text});
    let rule = Rule::always(pattern, Action::Refuse { status: 400, body, retry_after_s: None });
    sandbox.add_rule(rule.clone());
    rule
}

fn mend(sandbox: &Sandbox, rule: &Rule) {
    let mut knobs = sandbox.knobs();
    knobs.rules.retain(|other| other != rule);
    sandbox.set_knobs(knobs);
}

async fn held(scene: &Scene<'_>, order: &OrderId) {
    until(format!("{order} is held"), || async { (scene.order(order).await?["state"] == "held").then_some(()) }).await;
}

/// A number moves from one customer to another. Returns both customers and the number.
async fn hand_over(scene: &Scene<'_>) -> (Customer, Customer, String) {
    let (a1, a2, number) = (scene.customer("A1"), scene.customer("A2"), number());
    scene.done(&assigned(&a1, &number)).await;
    let second = scene.submit(&assigned(&a2, &number)).await;
    scene.is_waiting_for(&a2, &number).await;
    let first = scene.submit(&unassigned(&a1, &number)).await;
    scene.completed(&[first, second]).await;
    (a1, a2, number)
}

/// The size of the histories of a hand-over, in bytes.
async fn bytes_of(scene: &Scene<'_>, (a1, a2, number): &(Customer, Customer, String)) -> usize {
    let mut bytes = 0;
    for entity in
        [scene.entity(&a1.id.parse().unwrap()), scene.entity(&a2.id.parse().unwrap()), scene.number_entity(number)]
    {
        bytes += entity.history("").await.iter().map(Message::encoded_len).sum::<usize>();
    }
    bytes
}

/// A refused step, one that a person fixed, and one that a person cancelled.
async fn refused_and_mended(scene: &Scene<'_>, numbers: &mut Vec<String>) {
    let (customer, number) = (scene.customer("H"), number());
    let at_hss =
        refuse(&scene.bed.hss, write_that_begins_to_assign(&number), &format!("{number} of {}", customer.imsi));
    let order = scene.submit(&assigned(&customer, &number)).await;
    held(scene, &order).await;
    let why = done(scene, &["order", "why", order.as_str()]).await;
    assert!(why.contains("refused_by_target"), "{why}");
    mend(&scene.bed.hss, &at_hss);
    let action_id = format!("call-{number}");
    done(scene, &["order", "retry", order.as_str(), "--reason", "mended", "--action-id", &action_id]).await;
    scene.completed(&[order]).await;

    let (other, another) = (scene.customer("C"), crate::scene::number());
    let of_other = Pattern { body_contains: Some(format!("\"{}\"", other.id)), ..Pattern::default() };
    let at_crm = refuse(&scene.bed.crm, of_other, &another);
    let order = scene.submit(&assigned(&other, &another)).await;
    held(scene, &order).await;
    done(scene, &["order", "cancel", order.as_str(), "--reason", "the CRM will never take it"]).await;
    assert_eq!(scene.end_of(&order).await, "failed");
    assert_eq!(scene.registrations(&another), [format!("{}+", other.imsi), format!("{}-", other.imsi)]);
    mend(&scene.bed.crm, &at_crm);
    numbers.extend([customer.imsi, number, other.imsi, another]);
}

/// A number that was assigned before Interlock was introduced, a SIM, an invalid event, and a text message.
async fn looked_up_rejected_and_texted(scene: &Scene<'_>, gateway: &str, numbers: &mut Vec<String>) {
    let (before, customer, number) = (Scene::newcomer("B"), scene.customer("L"), number());
    let seed = Seed { imsi: before.imsi.clone(), msisdn: Some(number.clone()), ..Seed::default() };
    scene.bed.hss.seed(&[seed]).unwrap();
    let waits = scene.submit(&assigned(&customer, &number)).await;
    scene.is_waiting_for(&customer, &number).await;
    scene.done(&unassigned(&before, &number)).await;
    scene.completed(&[waits]).await;

    let (sim, msisdn) = (Scene::newcomer("S"), crate::scene::number());
    let iccid = format!("8901{}", imsi());
    let seed = Seed { imsi: sim.imsi.clone(), iccid: Some(iccid.clone()), sim_only: true, msisdn: None };
    scene.bed.hss.seed(&[seed]).unwrap();
    let data = json!({"imsi": sim.imsi, "iccid": iccid, "msisdn": msisdn, "profile": "default"});
    scene.done(&event("subscriber.activated", &sim.id, &data)).await;

    let wrong = event("number.assigned", &sim.id, &json!({"imsi": format!("x{}", sim.imsi), "msisdn": msisdn}));
    assert_eq!(scene.end_of(&scene.submit(&wrong).await).await, "rejected");

    let of_text = Pattern { body_contains: Some(msisdn.clone()), ..Pattern::default() };
    // The failure of an attempt, in the target's own words.
    let body = json!({"detail": format!("no route to {msisdn}")});
    scene.bed.sms.add_rule(Rule::once(of_text, Action::Refuse { status: 500, body, retry_after_s: None }));
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let url = format!("{gateway}/v1/tenants/{}/events", scene.tenant);
    let texted = http.post(url).header("content-type", "application/cloudevents+json");
    let texted = texted.body(quota_exceeded(&sim, &msisdn).to_string()).send().await.unwrap();
    assert_eq!(texted.status(), StatusCode::ACCEPTED);
    let taken: Value = texted.json().await.unwrap();
    scene.completed(&[taken["results"][0]["order_id"].as_str().unwrap().parse().unwrap()]).await;
    numbers.extend([before.imsi, customer.imsi, number, sim.imsi, msisdn, iccid]);
}

/// A customer whose run becomes long, and one that is terminated and recovered.
async fn continued_and_recovered(scene: &Scene<'_>, numbers: &mut Vec<String>) {
    let (customer, number) = (scene.customer("N"), number());
    scene.done(&assigned(&customer, &number)).await;
    for value in 0..8 {
        scene.done(&service_updated(&customer, &json!({"ue_ambr_dl": value}))).await;
    }
    let runs = scene.entity(&customer.id.parse().unwrap()).runs().await;
    assert!(runs.len() > 1, "it has not continued as new");

    let (dead, another) = (scene.customer("R"), crate::scene::number());
    let rule = refuse(&scene.bed.hss, write_that_begins_to_assign(&another), &another);
    let order = scene.submit(&assigned(&dead, &another)).await;
    held(scene, &order).await;
    scene.entity(&dead.id.parse().unwrap()).terminate().await;
    mend(&scene.bed.hss, &rule);
    let report = done(scene, &["customer", "recover", &dead.id, "--yes", "--output", "json"]).await;
    assert_eq!(serde_json::from_str::<Value>(&report).unwrap()["submitted"], 1, "{report}");
    scene.completed(&[order]).await;
    numbers.extend([customer.imsi, number, dead.imsi, another]);
}

/// An order that is overdue, and a target that goes down.
async fn overdue_and_down(scene: &Scene<'_>, numbers: &mut Vec<String>) {
    let (holder, waiter, number) = (scene.customer("O"), scene.customer("W"), number());
    scene.done(&assigned(&holder, &number)).await;
    let data = json!({"imsi": waiter.imsi, "msisdn": number});
    let overdue = scene.submit(&event("line.due", &waiter.id, &data)).await;
    until("the sweep finds the order", || async {
        let found = done(scene, &["sweep", "--dry-run", "--output", "json"]).await;
        found.contains("order_overdue").then_some(())
    })
    .await;

    let standing = async |state: &str| {
        let targets = Targets::new(scene.bed.platform.installation.clone());
        until(format!("the CRM is {state}"), || async {
            let view = json!(targets.show(&"crm".parse().unwrap()).await.ok()?);
            (view["state"] == state && view["limit_pending"] == false).then_some(())
        })
        .await;
    };
    let body = json!({"detail": format!("no room for {} of {number}", waiter.imsi)});
    let down = Rule::always(Pattern::default(), Action::Refuse { status: 500, body, retry_after_s: None });
    scene.bed.crm.add_rule(down.clone());
    let mut orders = Vec::new();
    for value in 0..6 {
        let customer = scene.customer("D");
        orders.push(scene.submit(&service_updated(&customer, &json!({"ue_ambr_dl": value}))).await);
        numbers.push(customer.imsi);
    }
    standing("open").await;
    mend(&scene.bed.crm, &down);
    standing("closed").await;
    scene.completed(&orders).await;
    scene.done(&unassigned(&holder, &number)).await;
    scene.completed(&[overdue]).await;
    numbers.extend([holder.imsi, waiter.imsi, number]);
}

/// The CRM quickly counts as down, is quickly probed, and quickly called again.
fn crm_is_watched(target: &str, settings: &mut TargetSettings) {
    if target == "crm" {
        settings.outage.failures = 3;
        settings.outage.open_for = Duration::from_secs(1);
        settings.outage.probe_first = Duration::from_secs(1);
        settings.outage.probe_cap = Duration::from_secs(2);
        settings.outage.ramp_stage = Duration::from_millis(500);
    }
}

/// Temporal's own command shows a customer's history decrypted only if it is given the address of the codec server.
async fn shown_by_temporals_own_command(scene: &Scene<'_>, codec_server: &str, customer: &Customer, number: &str) {
    let installation = &scene.bed.platform.installation;
    let cli = find_or_install(&cli_search(&installation.settings).unwrap(), &|_| ()).await.unwrap();
    let workflow_id = installation.routing.customer(&scene.tenant, &customer.id.parse().unwrap()).workflow_id;
    let address = scene.bed.platform.temporal_address();
    let show = ["workflow", "show", "--workflow-id", &workflow_id, "--address", &address, "--output", "json"];
    let shown = async |more: &[&str]| {
        let said = Command::new(&cli.path).args(show).args(more).output().await.unwrap();
        assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
        let mut texts = String::new();
        data_of(&serde_json::from_slice(&said.stdout).unwrap(), &mut texts);
        texts
    };
    let decrypted = shown(&["--codec-endpoint", codec_server]).await;
    assert!(decrypted.contains(number), "{decrypted}");
    assert!(!shown(&[]).await.contains(number));
}

/// The data of all payloads in a history that Temporal's command prints, concatenated.
fn data_of(value: &Value, texts: &mut String) {
    match value {
        Value::Object(fields) => {
            if let Some(data) = fields.get("data").and_then(Value::as_str) {
                *texts += &String::from_utf8_lossy(&STANDARD.decode(data).unwrap());
            }
            fields.values().for_each(|inner| data_of(inner, texts));
        }
        Value::Array(items) => items.iter().for_each(|inner| data_of(inner, texts)),
        _ => {}
    }
}

/// Whether anything in a history is encrypted under this key.
fn is_under(history: &[HistoryEvent], id: &str) -> bool {
    // An entry of a map in Protocol Buffers: the key, then the tag and the length of the value, then the value.
    let entry = [b"encryption-key-id\x12\x01", id.as_bytes()].concat();
    history.iter().any(|event| event.encode_to_vec().windows(entry.len()).any(|window| window == entry))
}

#[test]
fn no_number_of_a_subscriber_is_in_anything_that_temporal_keeps_on_an_embedded_server() {
    run(async {
        let (keys, files) = (Keys::new(&["1"]), tempfile::tempdir().unwrap());
        let wanted = Wanted {
            db_file: Some(files.path().join("temporal.db")),
            more_events: DUE_SOON.to_owned(),
            limits: EntityLimits { continue_as_new_events: 30, ..EntityLimits::default() },
            sweep: Some(SweepSettings { interval: Duration::from_secs(1), ..SweepSettings::default() }),
            protect: Some(crm_is_watched),
            ..keys.wanted("1")
        };
        let bed = Testbed::start("at-rest", wanted).await;
        let mut numbers = Vec::new();
        let mut all;
        {
            let scene = Scene::on(&bed);
            let address = bed.platform.temporal_address();
            let gateway = Process::start(&bed, files.path(), "gateway", &["gateway", "--address", &address]).await;
            let codec_server = Process::start(&bed, files.path(), "codec-server", &["codec-server"]).await;
            let (a1, a2, number) = hand_over(&scene).await;
            // The resource can be found by its plain id, and shows it.
            for shown in ["show", "history"] {
                let text = done(&scene, &["resource", shown, &format!("msisdn/{number}")]).await;
                assert!(text.contains(&a2.id), "{text}");
            }
            shown_by_temporals_own_command(&scene, &codec_server.url, &a1, &number).await;
            numbers.extend([a1.imsi, a2.imsi, number]);
            refused_and_mended(&scene, &mut numbers).await;
            looked_up_rejected_and_texted(&scene, &gateway.url, &mut numbers).await;
            continued_and_recovered(&scene, &mut numbers).await;
            overdue_and_down(&scene, &mut numbers).await;
            all = everything(&bed.platform).await;
            let worker = &bed.platform.worker_processes[0];
            all.push(Stored { what: "the worker's log".to_owned(), bytes: worker.log_text().into_bytes() });
            all.extend([Stored::file(&gateway.log), Stored::file(&codec_server.log)]);
        }
        bed.stop().await;
        // Everything that the server stores, including what it shows to nobody.
        for name in ["temporal.db", "temporal.db-wal"] {
            all.push(Stored::file(&files.path().join(name)));
        }
        all.push(Stored::file(&Path::new(env!("CARGO_TARGET_TMPDIR")).join("end-to-end-at-rest.log")));
        eprintln!("{} numbers looked for in {} pieces", numbers.len(), all.len());
        let in_files: usize =
            all.iter().filter(|piece| piece.what.contains("temporal.db")).map(|it| it.bytes.len()).sum();
        assert!(in_files > 1_000_000, "the server's files have {in_files} bytes only");
        let found = found(&numbers, &all);
        assert!(found.is_empty(), "{} found:\n{}", found.len(), found.join("\n"));
    });
}

#[test]
fn without_the_keys_the_same_search_finds_numbers_in_ids_and_histories() {
    run(async {
        let bed = Testbed::start("not-at-rest", Wanted::default()).await;
        let (handed_over, all) = {
            let scene = Scene::on(&bed);
            let handed_over = hand_over(&scene).await;
            eprintln!("the histories of a hand-over, as they are: {} bytes", bytes_of(&scene, &handed_over).await);
            (handed_over, everything(&bed.platform).await)
        };
        bed.stop().await;
        let (_, _, number) = handed_over;
        let found = found(&[number], &all);
        for place in ["the list of workflows", "EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED", "EVENT_TYPE_MARKER_RECORDED"] {
            assert!(found.iter().any(|found| found.contains(place)), "not in {place}: {found:#?}");
        }
    });
}

/// A customer gets a message under the first key, which the worker does not have. The worker reports this. Returns the order.
async fn key_1_is_missed(scene: &Scene<'_>, a2: &Customer, number: &str) -> OrderId {
    let entity = scene.entity(&a2.id.parse().unwrap());
    let again = scene.submit(&unassigned(a2, number)).await;
    until("the missing key is told", || async {
        let failed = failed_tasks(&entity.history("").await);
        failed.iter().any(|failure| failure.contains("codec_key_unknown")).then_some(())
    })
    .await;
    let log = scene.bed.platform.worker_processes[0].log_text();
    assert!(log.contains("codec_key_unknown") && log.contains("'1'"), "{log}");
    // A command that must encrypt under the missing key does not start.
    let shown = interlock(scene, &["customer", "show", &a2.id]).await;
    assert_eq!(shown.code, 2, "{}", shown.stdout);
    assert!(shown.stderr.contains("codec_current_key_missing"), "{}", shown.stderr);
    again
}

#[test]
fn keys_change_while_orders_wait_and_a_missing_key_is_reported_and_loses_nothing() {
    run(async {
        let keys = Keys::new(&["1", "2"]);
        let mut bed = Testbed::start("rotated", keys.wanted("1")).await;
        let (a1, a2, number, waits, tenant) = {
            let scene = Scene::on(&bed);
            let before = hand_over(&scene).await;
            eprintln!("the histories of a hand-over, encrypted: {} bytes", bytes_of(&scene, &before).await);
            let (a1, a2, number) = (scene.customer("A1"), scene.customer("A2"), number());
            scene.done(&assigned(&a1, &number)).await;
            let waits = scene.submit(&assigned(&a2, &number)).await;
            scene.is_waiting_for(&a2, &number).await;
            (a1, a2, number, waits, scene.tenant)
        };

        // From here on the second key is the current one for the workers.
        bed.platform.stop_workers().await.unwrap();
        bed.platform.change_settings(|settings| settings.codec.current_key = Some("2".parse().unwrap()));
        bed.platform.start_workers().await.unwrap();
        {
            let scene = Scene { bed: &bed, tenant: tenant.clone() };
            scene.done(&service_updated(&a1, &json!({"ue_ambr_dl": 1}))).await;
            // A producer in another language, without a codec.
            let gives_back = unassigned(&a1, &number);
            scene.entity(&a1.id.parse().unwrap()).signal("submit", vec![json_payload(gives_back.to_string())]).await;
            scene.completed(std::slice::from_ref(&waits)).await;
            let expected = [format!("{}+", a1.imsi), format!("{}-", a1.imsi), format!("{}+", a2.imsi)];
            assert_eq!(scene.registrations(&number), expected);
            let shown = done(&scene, &["order", "show", waits.as_str()]).await;
            assert!(shown.contains("completed"), "{shown}");
            let history = scene.entity(&a1.id.parse().unwrap()).history("").await;
            assert_eq!(failed_tasks(&history), [""; 0]);
            for id in ["1", "2"] {
                assert!(is_under(&history, id), "nothing is encrypted under the key {id}");
            }
        }

        // Without the first key, data encrypted under it cannot be read. The worker reports this, and continues when it has the key
        // again.
        let first = std::fs::read(keys.file("1")).unwrap();
        bed.platform.stop_workers().await.unwrap();
        std::fs::remove_file(keys.file("1")).unwrap();
        bed.platform.start_workers().await.unwrap();
        let again = {
            let scene = Scene { bed: &bed, tenant: tenant.clone() };
            key_1_is_missed(&scene, &a2, &number).await
        };
        std::fs::write(keys.file("1"), first).unwrap();
        bed.platform.stop_workers().await.unwrap();
        bed.platform.start_workers().await.unwrap();
        {
            let scene = Scene { bed: &bed, tenant };
            scene.completed(&[again]).await;
            assert_eq!(scene.registrations(&number).last(), Some(&format!("{}-", a2.imsi)));
        }
        bed.stop().await;
    });
}
