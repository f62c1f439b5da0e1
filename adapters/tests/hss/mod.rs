//! An HSS under test: the sandbox, or a running PyHSS.
#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::Once;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use interlock_adapters::sandbox::{self, Sandbox, SandboxOptions};
use interlock_adapters::{AdapterKind, Authentication, Call, PyhssAdapter, TargetSettings, install_crypto_provider};
use interlock_domain::ids::{Epoch, TargetId};
use serde_json::{Map, Value, json};
use uuid::Uuid;

/// Makes two tests of each case: one against the sandbox, one against a running PyHSS.
#[allow(unused_macros, reason = "not every test binary has a contract")]
macro_rules! contract {
    ($($(#[$doc:meta])* async fn $name:ident($hss:ident) $body:block)*) => {
        mod cases {
            use super::*;
            $($(#[$doc])* pub async fn $name($hss: &Hss) $body)*
        }
        mod against_the_sandbox {
            $(#[tokio::test] async fn $name() { super::cases::$name(&super::Hss::sandbox().await).await; })*
        }
        mod against_a_running_pyhss {
            $(#[tokio::test] async fn $name() {
                if let Some(hss) = super::Hss::running() { super::cases::$name(&hss).await; }
            })*
        }
    };
}

/// An HSS, its adapter, and plain HTTP to bypass the adapter.
pub struct Hss {
    pub base_url: String,
    pub adapter: PyhssAdapter,
    pub http: reqwest::Client,
    /// The sandbox, if it is one.
    pub sandbox: Option<Sandbox>,
}

/// An existing subscription without a number.
pub struct Subscription {
    pub imsi: String,
    pub iccid: String,
}

pub fn target() -> TargetId {
    "hss".parse().unwrap()
}

impl Hss {
    /// A fresh sandbox.
    pub async fn sandbox() -> Self {
        Self::sandbox_with(SandboxOptions::default()).await
    }

    pub async fn sandbox_with(options: SandboxOptions) -> Self {
        let sandbox = sandbox::hss(options).await.unwrap();
        let mut hss = Self::at(&sandbox.base_url());
        hss.sandbox = Some(sandbox);
        hss
    }

    /// The PyHSS that `PYHSS_URL` names. If it is not set, says so and returns `None`.
    ///
    /// # Panics
    /// If it is not set, and `PYHSS_REQUIRED` is.
    pub fn running() -> Option<Self> {
        let base_url = variable("PYHSS_URL")?;
        Some(Self::at(&base_url))
    }

    /// A fresh sandbox that requires a provisioning key, and the key.
    pub async fn locked_sandbox() -> (Self, String) {
        let key = "open sesame".to_owned();
        let options = SandboxOptions { provisioning_key: Some(key.as_str().into()), ..SandboxOptions::default() };
        (Self::sandbox_with(options).await, key)
    }

    /// The locked PyHSS that `PYHSS_LOCKED_URL` names, and its key, `PYHSS_PROVISIONING_KEY`. If they are not set, says so and returns
    /// `None`.
    ///
    /// # Panics
    /// If one of them is not set, and `PYHSS_REQUIRED` is.
    pub fn running_locked() -> Option<(Self, String)> {
        let (base_url, key) = (variable("PYHSS_LOCKED_URL")?, variable("PYHSS_PROVISIONING_KEY")?);
        Some((Self::at(&base_url), key))
    }

    /// An adapter for the same HSS that sends this provisioning key.
    pub fn with_key(&self, key: &str) -> PyhssAdapter {
        let mut settings = TargetSettings::new(AdapterKind::Pyhss, self.base_url.parse().unwrap());
        settings.auth = Authentication::ProvisioningKey { key: key.into() };
        PyhssAdapter::new(&target(), &settings).unwrap()
    }

    pub fn at(base_url: &str) -> Self {
        let settings = TargetSettings::new(AdapterKind::Pyhss, base_url.parse().unwrap());
        Self::with_settings(&settings)
    }

    pub fn with_settings(settings: &TargetSettings) -> Self {
        install_crypto_provider();
        Self {
            base_url: settings.base_url.as_ref().unwrap().as_str().trim_end_matches('/').to_owned(),
            adapter: PyhssAdapter::new(&target(), settings).unwrap(),
            http: reqwest::Client::builder().no_proxy().build().unwrap(),
            sandbox: None,
        }
    }

    /// Sends one request that bypasses the adapter. Returns the status and the body.
    pub async fn send(&self, method: &str, path: &str, body: Option<Value>) -> (u16, Value) {
        self.send_as(None, method, path, body).await
    }

    /// The same with a provisioning key, or none.
    pub async fn send_as(&self, key: Option<&str>, method: &str, path: &str, body: Option<Value>) -> (u16, Value) {
        let method = method.parse().unwrap();
        let mut request = self.http.request(method, format!("{}{path}", self.base_url));
        if let Some(key) = key {
            request = request.header("provisioning-key", key);
        }
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body.to_string());
        }
        let response = request.send().await.unwrap();
        let status = response.status().as_u16();
        (status, serde_json::from_str(&response.text().await.unwrap()).unwrap())
    }

    pub async fn get(&self, path: &str) -> Value {
        self.send("GET", path, None).await.1
    }

    /// Loads a SIM, and the first access point if there is none.
    pub async fn load_sim(&self) -> Subscription {
        if self.get("/apn/1").await.is_null() {
            let apn = json!({"apn": "internet", "apn_ambr_dl": 9999, "apn_ambr_ul": 9999});
            self.send("PUT", "/apn/", Some(apn)).await;
        }
        let subscription = Subscription { imsi: digits("001", 15), iccid: digits("898", 19) };
        let key = "0".repeat(32);
        let sim = json!({
            "ki": key, "opc": key, "amf": "8000", "sqn": 0, "imsi": subscription.imsi, "iccid": subscription.iccid
        });
        assert_eq!(self.send("PUT", "/auc/", Some(sim)).await.0, 200);
        subscription
    }

    /// Creates a subscription without a number. Returns its row.
    pub async fn subscribe(&self) -> (Subscription, Value) {
        let subscription = self.load_sim().await;
        let sim = self.get(&format!("/auc/imsi/{}", subscription.imsi)).await;
        let row = json!({
            "imsi": subscription.imsi, "auc_id": sim["auc_id"], "default_apn": 1, "apn_list": "1",
            "msisdn": subscription.imsi
        });
        let (status, row) = self.send("PUT", "/subscriber/", Some(row)).await;
        assert_eq!(status, 200);
        (subscription, row)
    }

    pub async fn subscriber(&self, imsi: &str) -> Value {
        self.get(&format!("/subscriber/imsi/{imsi}")).await
    }

    /// Registers numbers, bypassing the adapter. Returns the row of `ims_subscriber`.
    pub async fn register(&self, imsi: &str, primary: &str, list: &str) -> Value {
        let row = json!({"imsi": imsi, "msisdn": primary, "msisdn_list": list, "ifc_path": "default_ifc.xml"});
        let (status, row) = self.send("PUT", "/ims_subscriber/", Some(row)).await;
        assert_eq!(status, 200, "{row}");
        row
    }

    /// Every IMSI that has a number, in any column of any row. It looks at all rows.
    pub async fn everybody_with(&self, number: &str) -> Vec<String> {
        let has = |row: &Value| {
            let list = row["msisdn_list"].as_str().unwrap_or_default();
            row["msisdn"] == number || list.split(',').any(|listed| listed.trim() == number)
        };
        let mut holders = Vec::new();
        for table in ["ims_subscriber", "subscriber"] {
            let rows = self.get(&format!("/{table}/list?page=0&page_size=0")).await;
            let with = rows.as_array().unwrap().iter().filter(|row| has(row));
            holders.extend(with.map(|row| row["imsi"].as_str().unwrap_or("no IMSI").to_owned()));
        }
        holders.sort_unstable();
        holders.dedup();
        holders
    }

    pub async fn ims_subscriber(&self, msisdn: &str) -> Value {
        self.get(&format!("/ims_subscriber/ims_subscriber_msisdn/{msisdn}")).await
    }
}

/// A variable that says where a PyHSS runs. If it is not set, the case that needs it is skipped, and one line says so.
///
/// # Panics
/// If it is not set, and `PYHSS_REQUIRED` is: then no case may be skipped.
fn variable(name: &str) -> Option<String> {
    static SAID: Once = Once::new();
    let value = std::env::var(name).ok();
    let script = "adapters/tests/pyhss/run";
    if value.is_none() {
        assert!(std::env::var_os("PYHSS_REQUIRED").is_none(), "{name} is not set; {script} starts a PyHSS and sets it");
        // Written directly, since the test runner keeps what passing tests print.
        let say =
            || writeln!(std::io::stderr(), "skipped: the cases of a running PyHSS. {script} starts one and runs them");
        SAID.call_once(|| drop(say()));
    }
    value
}

/// Digits that no other test of this or another run uses.
pub fn digits(prefix: &str, length: usize) -> String {
    static COUNTER: AtomicU64 = AtomicU64::new(0);
    let unique = Uuid::new_v4().as_u128() as u64 ^ COUNTER.fetch_add(1, Ordering::Relaxed);
    let random = format!("{unique:020}");
    format!("{prefix}{}", &random[random.len() - (length - prefix.len())..])
}

pub fn number() -> String {
    digits("1", 11)
}

/// A call with a key of its own.
pub fn call(operation: &str, data: Value) -> Call {
    let Value::Object(data) = data else { panic!("the data of a call is an object") };
    call_with_key(operation, data, Uuid::new_v4())
}

fn call_with_key(operation: &str, data: Map<String, Value>, idempotency_key: Uuid) -> Call {
    Call {
        tenant: "default".parse().unwrap(),
        order: "A1~6f9619ff-8b86-5011-b42d-00cf4fc964ff".parse().unwrap(),
        target: target(),
        operation: operation.to_owned(),
        data,
        idempotency_key,
        epoch: Some(Epoch(7)),
        epochs: BTreeMap::new(),
        attempt: 1,
        callback_url: None,
        timeout: Duration::from_secs(10),
    }
}
