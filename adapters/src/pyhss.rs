//! The adapter for PyHSS 2.0, a home subscriber server with an HTTP API.
//!
//! Its peculiarities, and how the adapter handles them:
//!
//! - The status alone is not enough: success is 200 *and* an object with the expected id. After a 200 with `null` to a write, and after
//!   a 500, the adapter reads the row back ([`attempt`]).
//! - Each write carries an `operation_id`, derived from the step's idempotency key, which PyHSS stores in the same
//!   transaction. [`PyhssAdapter::verify`](crate::Adapter::verify) looks for it in the operation log.
//! - Additional numbers are in `ims_subscriber.msisdn_list`, for which PyHSS has no look-up ([`places`], [`sightings`]).
//! - It accepts a second `subscriber` with the same number, and then finds neither by it. So the adapter writes a number only after it
//!   has checked both tables, and reads it back afterwards ([`assign_number`]).
//! - `subscriber.msisdn` cannot be emptied: a subscriber without a number has its own IMSI there, the *placeholder*.
//!
//! PyHSS ignores epochs. The adapter sends them as a header anyway, for proxies and logs on the way.

mod arguments;
mod assign_number;
mod attempt;
mod create_subscriber;
mod find_holder;
mod list_holders;
mod own_rows;
mod places;
mod reader;
mod release_number;
mod remove_subscriber;
mod row;
mod service;
mod sightings;
mod swap_sim;

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use interlock_domain::error_code::ErrorCode;
use interlock_domain::ids::{ResourceId, ResourceKind, TargetId, TenantId};
use interlock_domain::outcome::{HolderAnswer, Outcome};
use serde_json::{Map, Value};

use crate::adapter::{Adapter, Call, Capabilities, Fence, HolderPage, OnAmbiguous, Verification};
use crate::error::RegistryError;
use crate::exchange::Exchange;
use crate::settings::TargetSettings;
use crate::stage::Stage;
use attempt::Attempt;
use reader::Reader;
use sightings::Sightings;

/// The longest time that one request may take. PyHSS waits 30 s for a database connection; after that, its look-ups answer `null`, as
/// they do for a missing row. A shorter request cannot be misled by that.
const REQUEST_TIMEOUT_MAX: Duration = Duration::from_secs(25);
/// How long a request may take effect after it was sent: PyHSS's wait for its database, and the commit.
const MAX_APPLY_DELAY: Duration = Duration::from_secs(35);

/// Calls one PyHSS.
pub struct PyhssAdapter {
    exchange: Exchange,
    request_timeout: Duration,
    max_apply_delay: Duration,
    profiles: BTreeMap<String, Map<String, Value>>,
    ifc_path: String,
    scan_rows_max: u32,
    sightings: Sightings,
}

/// The result of reading back an operation.
enum EffectState {
    /// The target is in the state that the operation asks for.
    InPlace,
    /// It is not, or only in part.
    Missing,
    /// Another subscriber has what the operation needs.
    HeldBy(Option<String>),
}

impl PyhssAdapter {
    /// Creates the adapter of this target. It opens no connection yet.
    ///
    /// # Errors
    /// [`RegistryError`] if the settings are invalid.
    pub fn new(target: &TargetId, settings: &TargetSettings) -> Result<Self, RegistryError> {
        Ok(Self::with(Exchange::new(target, settings)?, settings))
    }

    /// The same, with a stand-in in place of the network.
    pub(crate) fn rehearsed(
        target: &TargetId,
        settings: &TargetSettings,
        stage: &Stage,
    ) -> Result<Self, RegistryError> {
        Ok(Self::with(Exchange::rehearsed(target, settings, stage)?, settings))
    }

    fn with(exchange: Exchange, settings: &TargetSettings) -> Self {
        Self {
            exchange,
            request_timeout: settings.timeout.min(REQUEST_TIMEOUT_MAX),
            max_apply_delay: settings.max_apply_delay.unwrap_or(MAX_APPLY_DELAY),
            profiles: settings.profiles.clone(),
            ifc_path: settings.ifc_path.clone(),
            scan_rows_max: settings.scan_rows_max,
            sightings: Sightings::default(),
        }
    }

    /// Reads back the current state of this call's operation.
    async fn effect_state(&self, call: &Call) -> Result<EffectState, Outcome> {
        let attempt = Attempt::new(self, call);
        match call.operation.as_str() {
            "assign_number" => assign_number::effect_state(&attempt).await,
            "release_number" => release_number::effect_state(&attempt).await,
            "create_subscriber" => create_subscriber::effect_state(&attempt).await,
            "remove_subscriber" => remove_subscriber::effect_state(&attempt).await,
            "swap_sim" => swap_sim::effect_state(&attempt).await,
            "update_service" | "set_enabled" => service::effect_state(&attempt).await,
            other => Err(unknown_operation(other)),
        }
    }

    /// Whether the operation log has the write that completes this call's operation.
    async fn is_recorded(&self, call: &Call) -> Result<bool, Outcome> {
        let completing_write = match call.operation.as_str() {
            "create_subscriber" => create_subscriber::COMPLETING_WRITE,
            "remove_subscriber" => remove_subscriber::COMPLETING_WRITE,
            "update_service" | "set_enabled" => service::COMPLETING_WRITE,
            // A number must be registered or released now, and a SIM be in place now. An earlier success is not enough.
            _ => return Ok(false),
        };
        Attempt::new(self, call).is_recorded(completing_write).await
    }
}

#[async_trait]
impl Adapter for PyhssAdapter {
    fn capabilities(&self, _operation: &str) -> Capabilities {
        Capabilities {
            fence: Fence::None,
            verify: true,
            idempotency_keys: false,
            on_ambiguous: OnAmbiguous::Verify,
            max_apply_delay: self.max_apply_delay,
        }
    }

    async fn call(&self, call: &Call) -> Outcome {
        let mut attempt = Attempt::new(self, call);
        let result = match call.operation.as_str() {
            "assign_number" => assign_number::run(&mut attempt).await,
            "release_number" => release_number::run(&mut attempt).await,
            "create_subscriber" => create_subscriber::run(&mut attempt).await,
            "remove_subscriber" => remove_subscriber::run(&mut attempt).await,
            "swap_sim" => swap_sim::run(&mut attempt).await,
            "update_service" | "set_enabled" => service::run(&mut attempt).await,
            other => Err(unknown_operation(other)),
        };
        attempt.conclude(result)
    }

    async fn verify(&self, call: &Call) -> Verification {
        match self.effect_state(call).await {
            Ok(EffectState::InPlace) => Verification::Applied,
            Ok(EffectState::HeldBy(holder)) => Verification::InUse { holder },
            // The step took effect, and the row was changed again since.
            Ok(EffectState::Missing) => match self.is_recorded(call).await {
                Ok(true) => Verification::Applied,
                Ok(false) => Verification::NotApplied,
                Err(outcome) => Verification::Unclear { detail: outcome.words().to_owned() },
            },
            // A call that can never be accepted was not accepted. Sending it again returns the real reason.
            Err(Outcome::Permanent { .. }) => Verification::NotApplied,
            Err(outcome) => Verification::Unclear { detail: outcome.words().to_owned() },
        }
    }

    async fn find_holder(&self, _tenant: &TenantId, resource: &ResourceId) -> Result<HolderAnswer, Outcome> {
        find_holder::find_holder(self, resource).await
    }

    async fn list_holders(&self, kind: &ResourceKind, page: u32) -> Result<HolderPage, Outcome> {
        list_holders::list_holders(self, kind, page).await
    }

    async fn registered_under(&self, call: &Call, target_identity: &ResourceId) -> Result<Vec<ResourceId>, Outcome> {
        find_holder::registered_under(self, call, target_identity).await
    }

    async fn health(&self) -> Result<(), Outcome> {
        let body = Reader::new(self, self.request_timeout).ask(&["oam", "ping"], &[]).await?;
        match body.get("result").and_then(Value::as_str) {
            Some("OK") => Ok(()),
            _ => Err(Outcome::unavailable("PyHSS did not answer the ping with OK")),
        }
    }
}

fn unknown_operation(operation: &str) -> Outcome {
    Outcome::Permanent {
        code: ErrorCode::UnknownOperation.into(),
        detail: format!("PyHSS does not have the operation '{operation}': correct the catalog"),
    }
}
