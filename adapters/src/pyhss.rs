//! The adapter for PyHSS 2.0, a home subscriber server with an HTTP API.
//!
//! What is special about it, and met here:
//!
//! - The status alone says nothing: success is 200 *and* an object with the expected id. A 200 with `null` after a
//!   write, and a 500, are settled by reading the row back ([`attempt`]).
//! - Each write carries an `operation_id`, derived from the step's idempotency key, which PyHSS stores in the same
//!   transaction. [`PyhssAdapter::verify`](crate::Adapter::verify) looks for it in the operation log.
//! - Additional numbers stand in `ims_subscriber.msisdn_list`, for which it has no look-up ([`places`], [`sightings`]).
//! - It accepts a second `subscriber` with the same number, and then finds neither by it. So a number is only written
//!   after both tables were asked, and read back afterwards ([`assign_number`]).
//! - `subscriber.msisdn` cannot be emptied: a subscriber without a number has its own IMSI there, the *placeholder*.
//!
//! PyHSS does not know epochs. They are sent as a header all the same, for proxies and logs on the way.

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
use attempt::Attempt;
use reader::Reader;
use sightings::Sightings;

/// The longest that one request may take. PyHSS waits 30 s for a connection to its database; then its look-ups answer
/// `null`, as they do for a row that is not there. A request that is over before cannot be misled by that.
const REQUEST_TIMEOUT_MAX: Duration = Duration::from_secs(25);
/// How long after it was sent a request may still land: PyHSS's wait for its database, and the commit.
const MAX_APPLY_DELAY: Duration = Duration::from_secs(35);

/// Speaks to one PyHSS.
pub struct PyhssAdapter {
    exchange: Exchange,
    request_timeout: Duration,
    max_apply_delay: Duration,
    profiles: BTreeMap<String, Map<String, Value>>,
    ifc_path: String,
    scan_rows_max: u32,
    sightings: Sightings,
}

/// What reading back says of an operation.
enum Standing {
    /// The target is as the operation wants it.
    InPlace,
    /// It is not, or not wholly.
    Missing,
    /// Somebody else has what the operation wants.
    HeldBy(Option<String>),
}

impl PyhssAdapter {
    /// The adapter of this target. Makes no connection yet.
    ///
    /// # Errors
    /// [`RegistryError`] where the settings do not do.
    pub fn new(target: &TargetId, settings: &TargetSettings) -> Result<Self, RegistryError> {
        Ok(Self {
            exchange: Exchange::new(target, settings)?,
            request_timeout: settings.timeout.min(REQUEST_TIMEOUT_MAX),
            max_apply_delay: settings.max_apply_delay.unwrap_or(MAX_APPLY_DELAY),
            profiles: settings.profiles.clone(),
            ifc_path: settings.ifc_path.clone(),
            scan_rows_max: settings.scan_rows_max,
            sightings: Sightings::default(),
        })
    }

    /// Reads back where the operation of this call stands.
    async fn standing(&self, call: &Call) -> Result<Standing, Outcome> {
        let attempt = Attempt::new(self, call);
        match call.operation.as_str() {
            "assign_number" => assign_number::standing(&attempt).await,
            "release_number" => release_number::standing(&attempt).await,
            "create_subscriber" => create_subscriber::standing(&attempt).await,
            "remove_subscriber" => remove_subscriber::standing(&attempt).await,
            "swap_sim" => swap_sim::standing(&attempt).await,
            "update_service" | "set_enabled" => service::standing(&attempt).await,
            other => Err(unknown_operation(other)),
        }
    }

    /// Whether the operation log has the write that completes this call's operation.
    async fn is_recorded(&self, call: &Call) -> Result<bool, Outcome> {
        let completing_write = match call.operation.as_str() {
            "create_subscriber" => create_subscriber::COMPLETING_WRITE,
            "remove_subscriber" => remove_subscriber::COMPLETING_WRITE,
            "update_service" | "set_enabled" => service::COMPLETING_WRITE,
            // A number must be registered or given up, and a SIM in its place, now: that it was so once is not enough.
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
        match self.standing(call).await {
            Ok(Standing::InPlace) => Verification::Applied,
            Ok(Standing::HeldBy(holder)) => Verification::InUse { holder },
            // Not in place, but it was: somebody changed it since. The step has had its effect.
            Ok(Standing::Missing) => match self.is_recorded(call).await {
                Ok(true) => Verification::Applied,
                Ok(false) => Verification::NotApplied,
                Err(outcome) => Verification::Unclear { detail: detail_of(&outcome) },
            },
            // A call that can never be accepted was not accepted: sending it says so in its own words.
            Err(Outcome::Permanent { .. }) => Verification::NotApplied,
            Err(outcome) => Verification::Unclear { detail: detail_of(&outcome) },
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

/// The sentence of an outcome, or its class where it has none.
fn detail_of(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Transient { detail }
        | Outcome::Throttled { detail, .. }
        | Outcome::Unavailable { detail, .. }
        | Outcome::Permanent { detail, .. }
        | Outcome::Ambiguous { detail } => detail.clone(),
        Outcome::Done | Outcome::AlreadyDone | Outcome::InUse { .. } => outcome.class().to_owned(),
    }
}
