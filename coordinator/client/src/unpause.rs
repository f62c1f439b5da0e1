//! Lets an activity continue that an operator paused in Temporal.

use interlock_domain::routing::EntityRoute;
use temporalio_client::grpc::WorkflowService;
use temporalio_common::protos::temporal::api::workflowservice::v1::{UnpauseActivityRequest, unpause_activity_request};
use tonic::Code;

use crate::entity_call_error::EntityCallError;
use crate::entity_calls::{EntityCalls, execution, unthrottled};

impl EntityCalls {
    /// Lets a paused activity of an entity continue. An activity that is not pending any more needs nothing.
    pub(crate) async fn unpause_activity(
        &self,
        route: &EntityRoute,
        activity_id: &str,
        identity: &str,
    ) -> Result<(), EntityCallError> {
        let request = UnpauseActivityRequest {
            namespace: route.namespace.clone(),
            execution: Some(execution(route)),
            identity: identity.to_owned(),
            activity: Some(unpause_activity_request::Activity::Id(activity_id.to_owned())),
            ..UnpauseActivityRequest::default()
        };
        let unpaused = self.while_busy(|mut client| {
            let request = request.clone();
            async move { client.unpause_activity(unthrottled(request)).await }
        });
        match unpaused.await {
            Ok(_) => Ok(()),
            Err(status) if status.code() == Code::NotFound => Ok(()),
            Err(status) => Err(EntityCallError::refused(&route.workflow_id, status)),
        }
    }
}

#[cfg(test)]
mod tests {
    use interlock_domain::routing::{Routing, RoutingSettings};
    use temporalio_common::protos::temporal::api::workflowservice::v1::UnpauseActivityResponse;
    use tonic::Status;

    use super::*;
    use crate::scripted_server::ScriptedServer;

    const UNPAUSE: &str = "UnpauseActivity";

    fn route() -> EntityRoute {
        Routing::new(RoutingSettings::default()).unwrap().customer(&"blue".parse().unwrap(), &"A1".parse().unwrap())
    }

    #[tokio::test(start_paused = true)]
    async fn a_busy_entity_is_unpaused_a_moment_later() {
        let unpaused = UnpauseActivityResponse::default();
        let server = ScriptedServer::default().refuses(UNPAUSE, Status::resource_exhausted("Workflow is busy."));
        let (server, client) = server.answers(UNPAUSE, &unpaused).client().await;
        EntityCalls::new(client).unpause_activity(&route(), "7", "ann").await.unwrap();
        let request: UnpauseActivityRequest = server.request();
        assert_eq!((request.identity.as_str(), request.execution), ("ann", Some(execution(&route()))));
        assert!(server.is_done());
    }

    #[tokio::test]
    async fn an_activity_that_is_over_needs_no_unpause() {
        let server = ScriptedServer::default().refuses(UNPAUSE, Status::not_found("activity not found"));
        let (_, client) = server.refuses(UNPAUSE, Status::permission_denied("no")).client().await;
        let calls = EntityCalls::new(client);
        calls.unpause_activity(&route(), "7", "ann").await.unwrap();
        let error = calls.unpause_activity(&route(), "7", "ann").await.unwrap_err();
        assert_eq!(error.status().unwrap().message(), "no");
    }
}
