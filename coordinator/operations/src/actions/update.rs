//! One update of one entity, with its answer.

use std::time::Duration;

use interlock_client::EntityHandle;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Actions;
use crate::inspection::{Inspection, InspectionError};

/// One update.
pub(crate) struct Update<'a, M> {
    /// Its object, in words.
    pub(crate) what: &'a str,
    /// The entity.
    pub(crate) entity: &'a EntityHandle,
    /// The update's name.
    pub(crate) name: &'a str,
    /// Its id: repeating it in the same run returns the first answer.
    pub(crate) id: &'a str,
    /// Its argument.
    pub(crate) argument: &'a M,
    /// How long the entity may take to answer.
    pub(crate) limit: Duration,
}

impl Actions {
    /// Updates a running entity, and waits for its answer. If the entity cannot accept it at the moment, because its run is
    /// ending or it is busy, the update is repeated with the same id.
    ///
    /// # Errors
    /// [`InspectionError`]: `never_seen` if no such entity runs, `no_worker` if no answer comes in time: the update
    /// may still be accepted later.
    pub(crate) async fn update<M: Serialize + Sync, A: DeserializeOwned>(
        &self,
        update: Update<'_, M>,
    ) -> Result<A, InspectionError> {
        let Update { what, entity, name, id, argument, limit } = update;
        let answer = self.installation.entities.update_running(entity, name, argument, id, limit).await;
        match answer {
            Ok(answer) => Ok(answer),
            Err(error) => {
                let inspection = Inspection::new(self.installation.clone());
                Err(inspection.with_place(entity, what, InspectionError::of_call(what, error)).await)
            }
        }
    }
}
