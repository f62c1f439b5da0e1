//! Targets with different abilities to resolve doubt, one for each row of the README's table, and the troubles of a request to them.

use std::path::PathBuf;
use std::time::Duration;

use interlock_adapters::sandbox::{self, Action, Effect, Keys, Pattern, Received, Rule, Sandbox, SandboxOptions};
use interlock_adapters::{AdapterKind, OnAmbiguous, TargetSettings};
use interlock_domain::ids::{OrderId, TenantId};
use interlock_worker_pools::Workload;
use serde_json::{Value, json};

use crate::applied_log::{of_account, registrations};
use crate::events::{Customer, event};
use crate::scene::{Scene, number, write_that_assigns};
use crate::testbed::{Testbed, Wanted};
use crate::waiting::until;

/// A target of these tests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Doubtful {
    /// PyHSS: it can be read back, and keeps a log of operation ids.
    Hss,
    /// A CRM that honours idempotency keys and can be read back.
    Crm,
    /// The same, with effects that can be counted: text messages.
    KeysAndVerify,
    /// It can be read back, but performs a repeated key again.
    VerifyOnly,
    /// It honours keys, but cannot be read back.
    KeysOnly,
    /// Neither. A step in doubt waits for a person.
    Holding,
    /// Neither. A step in doubt is sent again.
    Resending,
    /// Neither. A step in doubt is given up.
    GivingUp,
    /// Described by an adapter file. It can be read back.
    Declared,
}

use Doubtful::{Crm, Declared, GivingUp, Holding, Hss, KeysAndVerify, KeysOnly, Resending, VerifyOnly};

/// All targets.
pub const ALL: [Doubtful; 9] = [Hss, Crm, KeysAndVerify, VerifyOnly, KeysOnly, Holding, Resending, GivingUp, Declared];

/// The adapter file of the target [`Declared`].
const ADAPTER_FILE: &str = r#"
describes = "A gateway for text messages that says what it carried out."

[capabilities]
verify = true
on_ambiguous = "verify"
max_apply_delay = "2s"

[[responses]]
status = "4xx"
class = "permanent"
code = "{{ body.code }}"
[[responses]]
class = "ambiguous"

[operations.send_sms.request]
method = "POST"
path = "send_sms"
headers = { Idempotency-Key = "{{ idempotency_key }}" }
body = { data = "{{ data }}" }
responses = [{ status = 200, class = "done" }]
[operations.send_sms.verify]
method = "GET"
path = "operations/{{ idempotency_key }}"
responses = [
  { status = 200, body = { pointer = "/applied", equals = "true" }, class = "applied" },
  { status = 200, class = "not_applied" },
]
"#;

impl Doubtful {
    /// Its role in the catalog, which is also its name.
    pub fn role(self) -> &'static str {
        match self {
            Hss => "hss",
            Crm => "crm",
            KeysAndVerify => "notify",
            VerifyOnly => "verify-only",
            KeysOnly => "keys-only",
            Holding => "holding",
            Resending => "resending",
            GivingUp => "giving-up",
            Declared => "declared",
        }
    }

    /// An event type with one step at this target.
    fn event_type(self, attempt_timeout: &str) -> String {
        let (role, claims) = (self.role(), if self == Hss { CLAIM } else { "" });
        let (operation, with, resources) = match self {
            Hss => ("assign_number", "imsi = \"{imsi}\", msisdn = \"{msisdn}\"", "resources = [\"msisdn/{msisdn}\"],"),
            Crm => ("add_number", "customer_id = \"{@customer_id}\", msisdn = \"{msisdn}\"", ""),
            _ => ("send_sms", "msisdn = \"{msisdn}\"", ""),
        };
        format!(
            "\n[events.\"doubt.{role}\"]\nclaims = [{claims}]\nattempt_timeout = \"{attempt_timeout}\"\n\
             retry = {{ initial = \"500ms\", cap = \"2s\" }}\n\
             steps = [{{ role = \"{role}\", operation = \"{operation}\", {resources} with = {{ {with} }} }}]\n\
             [events.\"doubt.{role}\".data]\nrequired = [\"imsi\", \"msisdn\"]\n\
             properties.imsi = {{ type = \"string\", format = \"imsi\" }}\n\
             properties.msisdn = {{ type = \"string\", format = \"msisdn\" }}\n"
        )
    }

    /// The write that has the effect for a number.
    pub fn write(self, number: &str) -> Pattern {
        match self {
            Hss => write_that_assigns(number),
            _ => Pattern {
                method: Some("POST".to_owned()),
                body_contains: Some(format!("\"{number}\"")),
                ..Pattern::default()
            },
        }
    }
}

const CLAIM: &str = "{ mode = \"assign\", resource = \"msisdn/{msisdn}\", party = \"{imsi}\" }";

/// Event types that expire after 3 s.
fn expiring() -> String {
    let event_type = |target: Doubtful| {
        let role = target.role();
        format!(
            "\n[events.\"soon.{role}\"]\nordering = \"none\"\nexpires_after = \"3s\"\nattempt_timeout = \"4s\"\n\
             steps = [{{ role = \"{role}\", operation = \"send_sms\", with = {{ msisdn = \"{{msisdn}}\" }} }}]\n\
             [events.\"soon.{role}\".data]\nrequired = [\"msisdn\"]\n\
             properties.msisdn = {{ type = \"string\", format = \"msisdn\" }}\n"
        )
    };
    [KeysAndVerify, KeysOnly, VerifyOnly].map(event_type).concat()
}

/// A testbed with these targets.
pub struct DoubtfulBed {
    /// The testbed.
    pub bed: Testbed,
    /// A sandbox that performs a repeated key again, and reports which it performed.
    recording: Sandbox,
    /// A sandbox that ignores keys.
    ignoring: Sandbox,
    /// A sandbox that honours keys.
    honouring: Sandbox,
}

impl DoubtfulBed {
    /// Starts one with these time-outs for an attempt and for a request.
    pub async fn start(
        name: &str,
        worker_processes: Option<Vec<Workload>>,
        attempt_timeout: &str,
        request_timeout: Duration,
    ) -> Self {
        let of_keys = |keys| SandboxOptions { keys, ..SandboxOptions::default() };
        let recording = sandbox::sms(of_keys(Keys::Recorded)).await.unwrap();
        let ignoring = sandbox::sms(of_keys(Keys::Ignored)).await.unwrap();
        let honouring = sandbox::sms(of_keys(Keys::Honoured)).await.unwrap();
        // Its workers need this file for as long as they run.
        let file = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-adapter.toml"));
        std::fs::write(&file, ADAPTER_FILE).unwrap();
        let at = |sandbox: &Sandbox| sandbox.base_url().parse().unwrap();
        let neither = |on_ambiguous| {
            let mut settings = TargetSettings::new(AdapterKind::Json, at(&ignoring));
            (settings.verify, settings.idempotency_keys, settings.on_ambiguous) = (false, false, on_ambiguous);
            settings
        };
        let mut verify_only = TargetSettings::new(AdapterKind::Json, at(&recording));
        verify_only.idempotency_keys = false;
        let mut keys_only = TargetSettings::new(AdapterKind::Json, at(&honouring));
        keys_only.verify = false;
        let mut declared = TargetSettings::new(AdapterKind::Declarative, at(&recording));
        declared.file = Some(file);
        let wanted = Wanted {
            worker_processes,
            request_timeout: Some(request_timeout),
            more_events: ALL.iter().map(|target| target.event_type(attempt_timeout)).collect::<String>() + &expiring(),
            targets: vec![
                (VerifyOnly.role(), verify_only),
                (KeysOnly.role(), keys_only),
                (Holding.role(), neither(None)),
                (Resending.role(), neither(Some(OnAmbiguous::Resend))),
                (GivingUp.role(), neither(Some(OnAmbiguous::GiveUp))),
                (Declared.role(), declared),
            ],
            ..Wanted::default()
        };
        Self { bed: Testbed::start(name, wanted).await, recording, ignoring, honouring }
    }

    /// The sandbox of a target.
    pub fn sandbox(&self, target: Doubtful) -> &Sandbox {
        match target {
            Hss => &self.bed.hss,
            Crm => &self.bed.crm,
            KeysAndVerify => &self.bed.sms,
            KeysOnly => &self.honouring,
            VerifyOnly | Declared => &self.recording,
            Holding | Resending | GivingUp => &self.ignoring,
        }
    }

    /// Stops all of it.
    pub async fn stop(self) {
        self.bed.stop().await;
        self.recording.shutdown().await;
        self.ignoring.shutdown().await;
        self.honouring.shutdown().await;
    }
}

/// One order at one target, whose request will get into trouble.
pub struct InDoubt<'a> {
    /// The target.
    pub target: Doubtful,
    bed: &'a DoubtfulBed,
    /// The scene that it belongs to.
    pub scene: Scene<'a>,
    /// The customer of the order.
    pub customer: Customer,
    /// Its number.
    pub number: String,
    event: Value,
}

impl<'a> InDoubt<'a> {
    /// Prepares an order.
    pub fn at(bed: &'a DoubtfulBed, target: Doubtful) -> Self {
        let scene = Scene::on(&bed.bed);
        let (customer, number) = (scene.customer("doubt"), number());
        let data = json!({"imsi": customer.imsi, "msisdn": number});
        let event = event(&format!("doubt.{}", target.role()), &customer.id, &data);
        Self { target, bed, scene, customer, number, event }
    }

    /// Finds an order that was prepared before.
    pub fn again(bed: &'a DoubtfulBed, target: Doubtful, tenant: TenantId, order: &OrderId, number: &str) -> Self {
        let scene = Scene { bed: &bed.bed, tenant };
        let customer = Customer { id: order.customer().to_string(), imsi: String::new() };
        Self { target, bed, scene, customer, number: number.to_owned(), event: Value::Null }
    }

    /// The same with trouble for its write, once.
    pub fn with(self, trouble: Action) -> Self {
        self.bed.sandbox(self.target).add_rule(Rule::once(self.target.write(&self.number), trouble));
        self
    }

    /// Submits its event.
    pub async fn submit(&self) -> OrderId {
        self.scene.submit(&self.event).await
    }

    /// How often it took effect.
    pub fn effects(&self) -> usize {
        let log = self.bed.sandbox(self.target).log();
        match self.target {
            Hss => registrations(&log, &self.number).len(),
            Crm => of_account(&log, &self.customer.id).len(),
            _ => {
                let is_ours =
                    |effect: &Effect| matches!(effect, Effect::SmsSent { msisdn, .. } if *msisdn == self.number);
                log.iter().filter(|entry| is_ours(&entry.effect)).count()
            }
        }
    }

    /// The requests for its effect.
    pub fn requests(&self) -> Vec<Received> {
        let is_write = |request: &Received| request.method != "GET" && request.body.contains(&self.number);
        self.bed.sandbox(self.target).received().into_iter().filter(is_write).collect()
    }

    /// Waits until the order has ended or is held. Returns its state, with the code if it is held.
    pub async fn end(&self, order: &OrderId) -> String {
        until(format!("the end of {order} at {:?}", self.target), || async {
            let shown = self.scene.order(order).await?;
            match shown["state"].as_str()? {
                "held" => Some(format!("held {}", shown["waiting_for"]["code"].as_str()?)),
                state @ ("completed" | "partial" | "failed" | "cancelled" | "rejected") => Some(state.to_owned()),
                _ => None,
            }
        })
        .await
    }
}
