//! Call backs of targets that work on jobs. A call back decides nothing: the target is asked about the job, only earlier.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use interlock_client::EntityCallError;
use interlock_connection::Installation;
use interlock_domain::callback::{AfterCallback, CallPlace, CallbackKeys, CallbackRefused, after_callback};
use interlock_domain::error_code::ErrorCode;
use interlock_domain::ids::Timestamp;
use thiserror::Error;
use tokio::time::Instant;

/// How long a call back waits for the answer to the call that it belongs to, which may have been overtaken.
const OVERTAKEN_LIMIT: Duration = Duration::from_secs(5);
/// The pause between two looks at the call.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Why a call back was not taken.
#[derive(Debug, Error)]
pub enum CallbackError {
    /// It is refused.
    #[error(transparent)]
    Refused(#[from] CallbackRefused),
    /// Temporal did not answer, or its answer cannot be read.
    #[error(transparent)]
    NotLooked(EntityCallError),
}

impl CallbackError {
    /// Its stable code.
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::Refused(refused) => refused.code(),
            Self::NotLooked(EntityCallError::Refused { .. }) => ErrorCode::TemporalUnavailable,
            Self::NotLooked(error) => error.code(),
        }
    }
}

/// Takes call backs.
#[derive(Clone)]
pub struct Callbacks {
    installation: Installation,
    keys: Option<CallbackKeys>,
    /// The calls for which a call back waits.
    waiting: Arc<Mutex<HashSet<CallPlace>>>,
}

/// A call back that waits; dropping it ends that.
struct Waiter<'a> {
    place: &'a CallPlace,
    all: &'a Mutex<HashSet<CallPlace>>,
}

impl Drop for Waiter<'_> {
    fn drop(&mut self) {
        self.all.lock().unwrap_or_else(PoisonError::into_inner).remove(self.place);
    }
}

impl Callbacks {
    /// With the keys of the settings. Without keys every call back is refused.
    pub fn new(installation: Installation, keys: Option<CallbackKeys>) -> Self {
        Self { installation, keys, waiting: Arc::default() }
    }

    /// Takes the call back with this token. If the call still waits for its job, the target is asked about the job now. A repeated
    /// call back, and one for a call that is over, changes nothing.
    ///
    /// # Errors
    /// [`CallbackError`]; nothing was changed, and the target is still asked at intervals.
    pub async fn take(&self, token: &str) -> Result<(), CallbackError> {
        let place = self.keys.as_ref().and_then(|keys| keys.verify(token)).ok_or(CallbackRefused::Unknown)?;
        // Another report waits for the same call. It may still be refused, so this one must not be acknowledged for it.
        if !self.waiting.lock().unwrap_or_else(PoisonError::into_inner).insert(place.clone()) {
            return Err(CallbackRefused::UnderWay.into());
        }
        let _waiter = Waiter { place: &place, all: &self.waiting };
        let until = Instant::now() + OVERTAKEN_LIMIT;
        while !self.is_taken(&place).await? {
            if Instant::now() >= until {
                return Err(CallbackRefused::UnderWay.into());
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        Ok(())
    }

    /// Looks at the call, and has the target asked if it waits for its job. `false`: look again.
    async fn is_taken(&self, place: &CallPlace) -> Result<bool, CallbackError> {
        let entities = &self.installation.entities;
        let call = entities.pending_call(place).await.map_err(CallbackError::NotLooked)?;
        match after_callback(call, Timestamp(chrono::Utc::now().timestamp_millis())) {
            AfterCallback::Nothing => Ok(true),
            AfterCallback::LookAgain => Ok(false),
            AfterCallback::Ask => {
                tracing::info!(
                    activity = place.activity_id,
                    "a target reported that a job may be over: it is asked now"
                );
                entities.bring_forward(place).await.map_err(CallbackError::NotLooked)
            }
        }
    }
}
