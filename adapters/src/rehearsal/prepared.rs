//! Puts the stand-in HSS into the state that a call expects: what an earlier call of the same order does is not prepared.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::Registered;
use crate::adapter::{Adapter, Call};
use crate::pyhss::PyhssAdapter;
use crate::sandbox::Seed;
use crate::stage::Stage;

/// What the order itself has done so far.
#[derive(Default)]
pub(super) struct Prepared {
    /// The subscriptions that it has made or moved to.
    made: BTreeSet<String>,
    /// The numbers that it has assigned.
    assigned: BTreeSet<String>,
}

impl Prepared {
    /// Prepares the stand-in for a call.
    pub(super) async fn prepare(&mut self, adapter: &PyhssAdapter, stage: &Stage, call: &Call) {
        let text = |name: &str| digits(&call.data, name);
        let (imsi, msisdn) = (text("imsi"), text("msisdn"));
        match call.operation.as_str() {
            "create_subscriber" => {
                if let Some(imsi) = imsi {
                    stage.seed(&Seed { iccid: text("iccid"), sim_only: true, ..seed(&imsi) });
                    self.made.insert(imsi);
                }
            }
            "release_number" => {
                if let (Some(imsi), Some(msisdn)) = (imsi, msisdn) {
                    self.register(adapter, stage, call, &imsi, &msisdn).await;
                }
            }
            "swap_sim" => {
                if let (Some(old), Some(new)) = (text("old_imsi"), text("new_imsi")) {
                    stage.seed(&Seed { sim_only: true, ..seed(&new) });
                    match msisdn {
                        Some(msisdn) => self.register(adapter, stage, call, &old, &msisdn).await,
                        None => stage.seed(&seed(&old)),
                    }
                    self.made.insert(new);
                }
            }
            "set_enabled" => {
                if let Some(imsi) = imsi.filter(|imsi| !self.made.contains(imsi)) {
                    stage.seed(&seed(&imsi));
                    let mut data = call.data.clone();
                    let was = !call.data.get("enabled").and_then(Value::as_bool).unwrap_or(false);
                    data.insert("enabled".to_owned(), was.into());
                    let _outcome = adapter.call(&Call { data, ..call.clone() }).await;
                }
            }
            operation => {
                if let Some(imsi) = imsi.filter(|imsi| !self.made.contains(imsi)) {
                    stage.seed(&seed(&imsi));
                }
                if let Some(msisdn) = msisdn.filter(|_| operation == "assign_number") {
                    self.assigned.insert(msisdn);
                }
            }
        }
    }

    /// Registers what the customer has.
    pub(super) async fn register_all(
        &mut self,
        adapter: &PyhssAdapter,
        stage: &Stage,
        call: &Call,
        registered: &[Registered],
    ) {
        for Registered { imsi, msisdn } in registered {
            self.register(adapter, stage, call, imsi, msisdn).await;
        }
    }

    /// Registers a number, unless the order itself has.
    async fn register(&self, adapter: &PyhssAdapter, stage: &Stage, call: &Call, imsi: &str, msisdn: &str) {
        if self.assigned.contains(msisdn) {
            return;
        }
        stage.seed(&seed(imsi));
        let data = json!({ "imsi": imsi, "msisdn": msisdn });
        let data: Map<String, Value> = data.as_object().cloned().unwrap_or_default();
        let _outcome = adapter.call(&Call { operation: "assign_number".to_owned(), data, ..call.clone() }).await;
    }
}

fn seed(imsi: &str) -> Seed {
    Seed { imsi: imsi.to_owned(), ..Seed::default() }
}

/// An argument, as PyHSS stores it.
fn digits(data: &Map<String, Value>, name: &str) -> Option<String> {
    let text = data.get(name)?.as_str()?;
    Some(text.chars().filter(|sign| !matches!(sign, '+' | ' ' | '-')).collect())
}
