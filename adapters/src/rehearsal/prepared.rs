//! Puts the stand-in HSS into the state that a call expects: what an earlier call of the same order does is not prepared.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::Stage;
use crate::adapter::{Adapter, Call};
use crate::pyhss::PyhssAdapter;
use crate::sandbox::Seed;

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
                    stage.seed(&Seed { iccid: text("iccid"), sim_only: true, ..self.seed(&imsi) });
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
                    stage.seed(&Seed { sim_only: true, ..self.seed(&new) });
                    match msisdn {
                        Some(msisdn) => self.register(adapter, stage, call, &old, &msisdn).await,
                        None => stage.seed(&self.seed(&old)),
                    }
                    self.made.insert(new);
                }
            }
            operation => {
                if let Some(imsi) = imsi.filter(|imsi| !self.made.contains(imsi)) {
                    stage.seed(&self.seed(&imsi));
                }
                if let Some(msisdn) = msisdn.filter(|_| operation == "assign_number") {
                    self.assigned.insert(msisdn);
                }
            }
        }
    }

    fn seed(&self, imsi: &str) -> Seed {
        Seed { imsi: imsi.to_owned(), ..Seed::default() }
    }

    /// Registers a number, unless the order itself has.
    async fn register(&self, adapter: &PyhssAdapter, stage: &Stage, call: &Call, imsi: &str, msisdn: &str) {
        if self.assigned.contains(msisdn) {
            return;
        }
        stage.seed(&self.seed(imsi));
        let data = json!({ "imsi": imsi, "msisdn": msisdn });
        let data: Map<String, Value> = data.as_object().cloned().unwrap_or_default();
        let _outcome = adapter.call(&Call { operation: "assign_number".to_owned(), data, ..call.clone() }).await;
    }
}

/// An argument, as PyHSS stores it.
fn digits(data: &Map<String, Value>, name: &str) -> Option<String> {
    let text = data.get(name)?.as_str()?;
    Some(text.chars().filter(|sign| !matches!(sign, '+' | ' ' | '-')).collect())
}
