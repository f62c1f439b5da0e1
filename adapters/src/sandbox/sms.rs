//! The sandbox SMS gateway.

use serde_json::{Map, Value, json};

use super::applied::Effect;
use super::keyed::{Operations, Refusal, text, unknown_operation};

/// The sent messages.
#[derive(Default)]
pub(super) struct Sms {
    sent: Vec<Map<String, Value>>,
}

impl Operations for Sms {
    fn run(&mut self, operation: &str, data: &Map<String, Value>) -> Result<Option<Effect>, Refusal> {
        if operation != "send_sms" {
            return Err(unknown_operation(operation));
        }
        let msisdn = text(data, "msisdn")?;
        self.sent.push(data.clone());
        let mut message = data.clone();
        message.remove("msisdn");
        Ok(Some(Effect::SmsSent { msisdn, message }))
    }

    fn state(&self) -> Value {
        json!({"sent": self.sent})
    }
}
