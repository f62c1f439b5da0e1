//! Whether an entity runs.

use interlock_domain::routing::EntityRoute;
use temporalio_client::grpc::WorkflowService;
use temporalio_common::protos::temporal::api::common::v1::WorkflowExecution;
use temporalio_common::protos::temporal::api::enums::v1::WorkflowExecutionStatus;
use temporalio_common::protos::temporal::api::workflowservice::v1::DescribeWorkflowExecutionRequest;
use tonic::{Code, IntoRequest};

use super::Sweeper;
use crate::inspection::{InspectionError, of_status};

impl Sweeper {
    /// Whether the entity runs. One that was terminated still answers questions.
    pub(super) async fn runs(&self, route: &EntityRoute) -> Result<bool, InspectionError> {
        let request = DescribeWorkflowExecutionRequest {
            namespace: route.namespace.clone(),
            execution: Some(WorkflowExecution { workflow_id: route.workflow_id.clone(), run_id: String::new() }),
        };
        let mut client = self.installation.client.clone();
        match client.describe_workflow_execution(request.into_request()).await {
            Ok(answer) => {
                let info = answer.into_inner().workflow_execution_info;
                Ok(info.is_some_and(|info| info.status() == WorkflowExecutionStatus::Running))
            }
            Err(status) if status.code() == Code::NotFound => Ok(false),
            Err(status) => Err(of_status("An entity", &status)),
        }
    }
}
