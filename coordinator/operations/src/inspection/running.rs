//! Queries entities by their workflow ids, of any type, as long as they run.

use serde::Serialize;
use serde::de::DeserializeOwned;
use temporalio_common::protos::temporal::api::common::v1::WorkflowExecution;

use super::{Inspection, InspectionError};

impl Inspection {
    /// An entity's answer to a query; none if it does not run: a terminated entity also answers, but its state
    /// no longer changes.
    ///
    /// # Errors
    /// [`InspectionError`].
    pub(crate) async fn ask_running<A: DeserializeOwned>(
        &self,
        namespace: &str,
        workflow_id: &str,
        query: &str,
        argument: &(impl Serialize + Sync),
    ) -> Result<Option<A>, InspectionError> {
        let execution = WorkflowExecution { workflow_id: workflow_id.to_owned(), run_id: String::new() };
        match self.ask_execution(&format!("The entity {workflow_id}"), namespace, execution, query, argument).await {
            Ok((answer, run)) => Ok(run.ended().is_none().then_some(answer)),
            Err(InspectionError::NeverSeen(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }
}
