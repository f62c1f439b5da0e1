//! One update of one entity, whose answer is waited for.

use std::time::{Duration, Instant};

use interlock_client::{EntityHandle, failure_text};
use serde_json::Value;
use temporalio_client::NamespacedClient;
use temporalio_client::grpc::WorkflowService;
use temporalio_common::data_converters::{SerializationContextData, WorkflowSerializationContext};
use temporalio_common::protos::temporal::api::common::v1::{Payloads, WorkflowExecution};
use temporalio_common::protos::temporal::api::enums::v1::UpdateWorkflowExecutionLifecycleStage;
use temporalio_common::protos::temporal::api::update::v1 as update;
use temporalio_common::protos::temporal::api::workflowservice::v1::UpdateWorkflowExecutionRequest;
use tonic::{Code, IntoRequest, Status};

use super::Actions;
use crate::inspection::{InspectionError, of_status};

/// How long is waited before an update is made again that could not be taken just now.
const PAUSE: Duration = Duration::from_millis(50);

/// One update.
pub(crate) struct Update<'a> {
    /// What it is for, in words.
    pub(crate) what: &'a str,
    /// The entity.
    pub(crate) entity: &'a EntityHandle,
    /// The update's name.
    pub(crate) name: &'a str,
    /// Its id: the same one again in the same run is answered as the first was.
    pub(crate) id: &'a str,
    /// Its argument.
    pub(crate) argument: &'a Value,
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
    pub(crate) async fn update(&self, update: Update<'_>) -> Result<Value, InspectionError> {
        let refused = |reason: String| InspectionError::Refused { what: update.what.to_owned(), reason };
        let converter = &self.installation.client.options().data_converter;
        let context = SerializationContextData::Workflow(WorkflowSerializationContext::new());
        let payloads = converter.to_payloads(&context, update.argument).await;
        let payloads = payloads.map_err(|error| refused(error.to_string()))?;
        let outcome = self.outcome(&update, Payloads { payloads }).await?;
        match outcome {
            update::outcome::Value::Success(answer) => converter
                .from_payloads(&context, answer.payloads)
                .await
                .map_err(|error| refused(format!("its answer cannot be read: {error}"))),
            update::outcome::Value::Failure(failure) => Err(refused(failure_text(converter, failure).await)),
        }
    }

    async fn outcome(
        &self,
        update: &Update<'_>,
        payloads: Payloads,
    ) -> Result<update::outcome::Value, InspectionError> {
        let request = self.request(update, payloads);
        let began = Instant::now();
        loop {
            let left = update.limit.saturating_sub(began.elapsed());
            let mut client = self.installation.client.clone();
            let asked = client.update_workflow_execution(request.clone().into_request());
            let status = match tokio::time::timeout(left, asked).await {
                Ok(Ok(answer)) => match answer.into_inner().outcome.and_then(|outcome| outcome.value) {
                    Some(outcome) => return Ok(outcome),
                    // The server waited as long as it does: it was taken, and is not answered yet.
                    None => Status::deadline_exceeded("the update is not answered yet"),
                },
                Ok(Err(status)) => status,
                Err(_) => return Err(InspectionError::NoWorker(update.what.to_owned())),
            };
            if !may_pass(&status) || began.elapsed() + PAUSE >= update.limit {
                return Err(of_status(update.what, &status));
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    fn request(&self, update: &Update<'_>, args: Payloads) -> UpdateWorkflowExecutionRequest {
        let route = &update.entity.route;
        let completed = UpdateWorkflowExecutionLifecycleStage::Completed;
        let identity = self.installation.client.identity();
        UpdateWorkflowExecutionRequest {
            namespace: route.namespace.clone(),
            workflow_execution: Some(WorkflowExecution {
                workflow_id: route.workflow_id.clone(),
                run_id: String::new(),
            }),
            wait_policy: Some(update::WaitPolicy { lifecycle_stage: completed.into() }),
            request: Some(update::Request {
                meta: Some(update::Meta { update_id: update.id.to_owned(), identity }),
                input: Some(update::Input {
                    name: update.name.to_owned(),
                    args: Some(args),
                    ..update::Input::default()
                }),
                ..update::Request::default()
            }),
            ..UpdateWorkflowExecutionRequest::default()
        }
    }
}

/// Whether the entity may take it in a moment: its run is just ending, or it has as many updates under way as it may.
fn may_pass(status: &Status) -> bool {
    matches!(status.code(), Code::Aborted | Code::Unavailable | Code::ResourceExhausted | Code::DeadlineExceeded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_passes_is_asked_again() {
        assert!(may_pass(&Status::aborted("the update was aborted by closing workflow")));
        assert!(may_pass(&Status::resource_exhausted("limit on number of concurrent in-flight updates")));
        assert!(!may_pass(&Status::not_found("workflow execution already completed")));
        assert!(!may_pass(&Status::invalid_argument("the update id is too long")));
    }
}
