//! Orders that are one call to a target: standalone activities. The id of the activity is the id of the order.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use interlock_domain::attempt::of_unanswered;
use interlock_domain::ids::{OrderId, TenantId, Timestamp};
use interlock_domain::message::ProvisionRequest;
use interlock_domain::outcome::Outcome;
use interlock_domain::routing;
use interlock_workflows::activity_options::{HEARTBEAT_TIMEOUT, close_timeouts, endless_retries};
use interlock_workflows::{TargetActivities, unanswered};
use temporalio_client::errors::{ActivityInteractionError, StartActivityError};
use temporalio_client::grpc::WorkflowService;
use temporalio_client::{
    ActivityDescribeOptions, ActivityExecutionInfoLike, ActivityIdConflictPolicy, ActivityIdReusePolicy,
    ActivityStartOptions, Client, PendingActivityState,
};
use temporalio_common::Priority;
use temporalio_common::protos::temporal::api::activity::v1::ActivityExecutionListInfo;
use temporalio_common::protos::temporal::api::workflowservice::v1::ListActivityExecutionsRequest;
use temporalio_common::search_attributes::{SearchAttributeKey, SearchAttributes};
use tonic::{Code, IntoRequest};

pub use temporalio_client::ActivityExecutionStatus;

use crate::failure_text::FailedAttempt;
use crate::list_error::ListError;
use crate::run_info::time_of;
use crate::server_error::{ServerError, within};
use crate::visibility::{ANSWER_LIMIT, ENTITIES_PER_PAGE};

/// The search attribute with the tenant of an order.
const TENANT_ATTRIBUTE: SearchAttributeKey<String> = SearchAttributeKey::keyword("InterlockTenant");

/// An order to start.
#[derive(Debug, Clone, Copy)]
pub struct StandaloneStart<'a> {
    /// The call.
    pub request: &'a ProvisionRequest,
    /// The queue of its target.
    pub task_queue: &'a str,
    /// The priority of its tenant.
    pub priority: &'a routing::Priority,
    /// The type of its event. It is stored with the activity, so that the order can be shown.
    pub event_type: &'a str,
    /// The id of its event. It is stored with the activity, too.
    pub event_id: &'a str,
    /// Whether to set the search attribute with its tenant. The server rejects an attribute that is not registered.
    pub with_tenant: bool,
    /// The present time.
    pub now: Timestamp,
}

impl StandaloneStart<'_> {
    /// Starts the activity in the namespace of the client. An order that was started before is left unchanged.
    ///
    /// # Errors
    /// [`ServerError`]. The activity may have been started anyway, and it is safe to start it again.
    pub async fn start(self, client: &Client) -> Result<(), ServerError> {
        match client.start_activity(TargetActivities::provision, self.request.clone(), self.options()).await {
            Ok(_) | Err(StartActivityError::AlreadyStarted { .. }) => Ok(()),
            Err(StartActivityError::Rpc(status)) => Err(status.into()),
            Err(other) => Err(ServerError::payload(other)),
        }
    }

    fn options(self) -> ActivityStartOptions {
        let timeouts = close_timeouts(self.request, self.now);
        let mut priority = Priority::default();
        priority.priority_key = self.request.priority.map(|priority| priority.key().into());
        priority.fairness_key = Some(self.priority.fairness_key.clone());
        priority.fairness_weight = Some(self.priority.fairness_weight);
        let tenant = || SearchAttributes::new([TENANT_ATTRIBUTE.value_set(self.request.tenant.to_string())]);
        ActivityStartOptions::new(self.task_queue.to_owned(), self.request.order.to_string(), timeouts)
            .heartbeat_timeout(HEARTBEAT_TIMEOUT)
            .retry_policy(endless_retries(&self.request.retry))
            .priority(priority)
            .id_reuse_policy(ActivityIdReusePolicy::RejectDuplicate)
            .id_conflict_policy(ActivityIdConflictPolicy::UseExisting)
            .summary(self.event_type.to_owned())
            .static_details(self.event_id.to_owned())
            .maybe_search_attributes(self.with_tenant.then(tenant))
            .build()
    }
}

/// An order, as the server describes its activity.
#[derive(Debug, Clone, PartialEq)]
pub struct StandaloneActivity {
    /// The id of its event.
    pub event_id: String,
    /// The type of its event.
    pub event_type: String,
    /// The call.
    pub request: ProvisionRequest,
    /// The state of the activity.
    pub status: ActivityExecutionStatus,
    /// The number of its current or next attempt, from 1.
    pub attempt: u32,
    /// How often its worker says that it sent the request, if the activity is over.
    pub calls: Option<u32>,
    /// Whether a worker has begun an attempt. The number of the attempt does not tell this for the first one.
    pub begun: bool,
    /// When it was accepted.
    pub since: Timestamp,
    /// Its outcome, if it is over.
    pub outcome: Option<Outcome>,
    /// Why it failed, or why its last attempt failed.
    pub failure: Option<String>,
}

/// The activity of an order in the namespace of the client. `None` if there is none.
///
/// # Errors
/// [`ServerError`].
pub async fn describe(client: &Client, order: &OrderId) -> Result<Option<StandaloneActivity>, ServerError> {
    match described(client, order).await {
        Ok(activity) => Ok(Some(activity)),
        Err(ActivityInteractionError::NotFound(_)) => Ok(None),
        Err(ActivityInteractionError::Rpc(status)) => Err(status.into()),
        Err(other) => Err(ServerError::payload(other)),
    }
}

async fn described(client: &Client, order: &OrderId) -> Result<StandaloneActivity, ActivityInteractionError> {
    let options =
        ActivityDescribeOptions::builder().include_input(true).include_outcome(true).include_last_failure(true);
    let handle = client.get_activity_handle(TargetActivities::provision, order.as_str(), None);
    let description = handle.describe(options.build()).await?;
    let request = description.input().await?;
    let request = request.ok_or_else(|| ActivityInteractionError::Other("the activity has no input".into()))?;
    let mut calls = None;
    let (outcome, failure) = match description.outcome().await? {
        Some(Ok(answer)) => {
            calls = answer.calls;
            (Some(answer.outcome), None)
        }
        Some(Err(failure)) => {
            let outcome = of_unanswered(unanswered(Some(&failure)), request.expires_at.is_some());
            (Some(outcome), Some(failure.to_string()))
        }
        None => (None, description.last_failure()?.map(|failure| FailedAttempt::of(failure.to_string()).sentence)),
    };
    Ok(StandaloneActivity {
        event_id: description.static_details().await?.unwrap_or_default(),
        event_type: description.static_summary().await?.unwrap_or_default(),
        request,
        status: description.status(),
        attempt: description.attempt(),
        calls,
        begun: description.attempt() > 1 || description.run_state() != PendingActivityState::Scheduled,
        since: description.schedule_time().map_or(Timestamp(0), timestamp),
        outcome,
        failure,
    })
}

fn timestamp(time: SystemTime) -> Timestamp {
    let since_epoch: Duration = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX))
}

/// An activity as Temporal's visibility store lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedActivity {
    /// Its id.
    pub activity_id: String,
    /// The tenant that was set when it was started, if any was set.
    pub tenant: Option<String>,
    /// When it was accepted, in milliseconds.
    pub started_ms: i64,
}

impl ListedActivity {
    fn of(info: ActivityExecutionListInfo) -> Self {
        let attributes = info.search_attributes.as_ref().map(SearchAttributes::from_proto);
        let tenant = attributes.and_then(|attributes| attributes.get(&TENANT_ATTRIBUTE));
        let started = info.schedule_time.map(|time| time_of(time.seconds, time.nanos)).unwrap_or_default();
        Self { activity_id: info.activity_id, tenant, started_ms: started.timestamp_millis() }
    }

    /// Whether it may be an order of this tenant: no other tenant was set when it was started.
    pub fn may_be_of(&self, tenant: &TenantId) -> bool {
        self.tenant.as_deref().is_none_or(|said| said == tenant.as_str())
    }
}

/// A page of activities, later ones first, with the server's token of the next page. The token is empty on the last page.
#[derive(Debug, Default)]
pub struct ActivityPage {
    /// The activities.
    pub activities: Vec<ListedActivity>,
    /// The token.
    pub next: Vec<u8>,
}

/// One page of the answer to a query. Empty if the server does not support standalone activities.
///
/// # Errors
/// [`ListError`].
pub async fn find(client: &Client, namespace: &str, query: &str, token: Vec<u8>) -> Result<ActivityPage, ListError> {
    let resumed = !token.is_empty();
    let request = ListActivityExecutionsRequest {
        namespace: namespace.to_owned(),
        page_size: ENTITIES_PER_PAGE,
        next_page_token: token,
        query: query.to_owned(),
    };
    let mut client = client.clone();
    let listing = async { Ok(client.list_activity_executions(request.into_request()).await?.into_inner()) };
    match within(ANSWER_LIMIT, listing).await {
        Ok(page) => Ok(ActivityPage {
            activities: page.executions.into_iter().map(ListedActivity::of).collect(),
            next: page.next_page_token,
        }),
        Err(error) if error.has_code(Code::Unimplemented) => Ok(ActivityPage::default()),
        Err(error) => Err(ListError::of(namespace, resumed, &error)),
    }
}

#[cfg(test)]
mod tests {
    use tonic::Status;

    use super::*;
    use crate::scripted_server::ScriptedServer;

    fn listed(tenant: Option<&str>) -> ListedActivity {
        let attributes = tenant.map(|tenant| SearchAttributes::new([TENANT_ATTRIBUTE.value_set(tenant.to_owned())]));
        ListedActivity::of(ActivityExecutionListInfo {
            activity_id: "A1~1".to_owned(),
            search_attributes: attributes.map(|attributes| attributes.to_proto()),
            ..ActivityExecutionListInfo::default()
        })
    }

    #[tokio::test]
    async fn a_server_without_standalone_activities_has_none() {
        const LIST: &str = "ListActivityExecutions";
        let server = ScriptedServer::default().refuses(LIST, Status::unimplemented("unknown method"));
        let (_, client) = server.refuses(LIST, Status::invalid_argument("invalid page token")).client().await;
        let page = find(&client, "default", "", Vec::new()).await.unwrap();
        assert!(page.activities.is_empty() && page.next.is_empty());
        assert_eq!(find(&client, "default", "", b"old".to_vec()).await.unwrap_err(), ListError::BadToken);
    }

    #[test]
    fn an_activity_that_was_started_for_another_tenant_is_recognised() {
        let blue: TenantId = "blue".parse().unwrap();
        assert!(listed(Some("blue")).may_be_of(&blue));
        assert!(listed(None).may_be_of(&blue));
        assert!(!listed(Some("red")).may_be_of(&blue));
        let expected =
            ListedActivity { activity_id: "A1~1".to_owned(), tenant: Some("blue".to_owned()), started_ms: 0 };
        assert_eq!(listed(Some("blue")), expected);
    }
}
