//! One update of one entity, whose answer is waited for.

use std::time::Duration;

use interlock_client::EntityHandle;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Actions;
use crate::inspection::InspectionError;

/// One update.
pub(crate) struct Update<'a, M> {
    /// What it is for, in words.
    pub(crate) what: &'a str,
    /// The entity.
    pub(crate) entity: &'a EntityHandle,
    /// The update's name.
    pub(crate) name: &'a str,
    /// Its id: the same one again in the same run is answered as the first was.
    pub(crate) id: &'a str,
    /// Its argument.
    pub(crate) argument: &'a M,
    /// How long the entity may take to answer.
    pub(crate) limit: Duration,
}

impl Actions {
    /// Updates an entity that runs, and waits for its answer. While the entity cannot take it just now, because its run is
    /// just ending or it is busy, it is asked again with the same id.
    ///
    /// # Errors
    /// [`InspectionError`]: `never_seen` where no such entity runs, `no_worker` where nobody answers in time: the update
    /// may be taken later all the same.
    pub(crate) async fn update<M: Serialize + Sync, A: DeserializeOwned>(
        &self,
        update: Update<'_, M>,
    ) -> Result<A, InspectionError> {
        let Update { what, entity, name, id, argument, limit } = update;
        let answer = self.installation.entities.update_running(entity, name, argument, id, limit).await;
        answer.map_err(|error| InspectionError::of_call(what, error))
    }
}
