//! The pollers and the configuration of task queues.

use std::collections::BTreeMap;

use temporalio_client::grpc::WorkflowService;
use temporalio_client::{Client, NamespacedClient};
use temporalio_common::protos::temporal::api::enums::v1::TaskQueueType;
use temporalio_common::protos::temporal::api::taskqueue::v1::{RateLimit, TaskQueue, TaskQueueConfig};
use temporalio_common::protos::temporal::api::workflowservice::v1::update_task_queue_config_request::RateLimitUpdate;
use temporalio_common::protos::temporal::api::workflowservice::v1::{
    DescribeTaskQueueRequest, DescribeTaskQueueResponse, UpdateTaskQueueConfigRequest,
};
use tonic::{Code, IntoRequest};

use crate::server_error::ServerError;

/// A rate limit that was set on a queue.
#[derive(Debug, Clone, PartialEq)]
pub struct QueueRateLimit {
    /// The reason that was given.
    pub reason: String,
    /// The limit, or `None` if it was lifted.
    pub requests_per_second: Option<f32>,
}

/// The identities of the workers that poll a queue for tasks of a type, as the server knows them.
///
/// # Errors
/// [`ServerError`].
pub async fn pollers(
    client: &Client,
    namespace: &str,
    task_queue: &str,
    kind: TaskQueueType,
) -> Result<Vec<String>, ServerError> {
    let described = describe(client, request(namespace, task_queue, kind)).await?;
    Ok(described.pollers.into_iter().map(|poller| poller.identity).collect())
}

/// The rate limit that was set on a queue of activities, or `None` if none was ever set.
///
/// # Errors
/// [`ServerError`].
pub async fn rate_limit(
    client: &Client,
    namespace: &str,
    task_queue: &str,
) -> Result<Option<QueueRateLimit>, ServerError> {
    let request =
        DescribeTaskQueueRequest { report_config: true, ..request(namespace, task_queue, TaskQueueType::Activity) };
    Ok(describe(client, request).await?.config.and_then(rate_limit_of))
}

/// A limit that was never set has no metadata. It is the server's own limit for all queues.
fn rate_limit_of(config: TaskQueueConfig) -> Option<QueueRateLimit> {
    let limit = config.queue_rate_limit?;
    let requests_per_second = limit.rate_limit.map(|rate| rate.requests_per_second);
    Some(QueueRateLimit { reason: limit.metadata?.reason, requests_per_second })
}

/// Sets the rate limit of a queue of activities, or lifts it.
///
/// # Errors
/// [`ServerError`].
pub async fn set_rate_limit(
    client: &Client,
    namespace: &str,
    task_queue: &str,
    limit: QueueRateLimit,
) -> Result<(), ServerError> {
    let update = RateLimitUpdate {
        rate_limit: limit.requests_per_second.map(|requests_per_second| RateLimit { requests_per_second }),
        reason: limit.reason,
    };
    let request = UpdateTaskQueueConfigRequest {
        update_queue_rate_limit: Some(update),
        ..update_request(client, namespace, task_queue)
    };
    client.clone().update_task_queue_config(request.into_request()).await?;
    Ok(())
}

/// Checks that this client may set limits of queues: asks the server for an update that changes nothing.
///
/// # Errors
/// [`ServerError`].
pub async fn check_limits(client: &Client, namespace: &str, task_queue: &str) -> Result<(), ServerError> {
    let request = update_request(client, namespace, task_queue).into_request();
    match client.clone().update_task_queue_config(request).await {
        // It may say that there is nothing to change.
        Err(status) if status.code() != Code::InvalidArgument => Err(status.into()),
        Ok(_) | Err(_) => Ok(()),
    }
}

/// What each tenant gets of a queue. A tenant is known by its fairness key.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TenantShares {
    /// The weights of fairness keys, whatever weight an activity was started with.
    pub weights: BTreeMap<String, f32>,
    /// The most calls a second for a key with the weight 1; the server multiplies it by a key's weight. `None`: no limit, and one that
    /// was set before is lifted.
    pub requests_per_second: Option<f32>,
}

/// Sets the shares of tenants on a queue of activities, in one call. Returns whether the server reports them.
///
/// # Errors
/// [`ServerError`].
pub async fn set_tenant_shares(
    client: &Client,
    namespace: &str,
    task_queue: &str,
    shares: &TenantShares,
) -> Result<bool, ServerError> {
    let rate_limit = shares.requests_per_second.map(|requests_per_second| RateLimit { requests_per_second });
    let reason = "the setting 'rate_per_tenant' of the target".to_owned();
    let request = UpdateTaskQueueConfigRequest {
        set_fairness_weight_overrides: shares.weights.clone().into_iter().collect(),
        update_fairness_key_rate_limit_default: Some(RateLimitUpdate { rate_limit, reason }),
        ..update_request(client, namespace, task_queue)
    };
    let updated = client.clone().update_task_queue_config(request.into_request()).await?.into_inner();
    let reported = updated.config.unwrap_or_default();
    let limited = reported.fairness_keys_rate_limit_default.and_then(|limit| limit.rate_limit);
    let has_weights = shares.weights.keys().all(|key| reported.fairness_weight_overrides.contains_key(key));
    Ok(has_weights && limited == rate_limit)
}

fn request(namespace: &str, task_queue: &str, kind: TaskQueueType) -> DescribeTaskQueueRequest {
    DescribeTaskQueueRequest {
        namespace: namespace.to_owned(),
        task_queue: Some(TaskQueue { name: task_queue.to_owned(), ..TaskQueue::default() }),
        task_queue_type: kind.into(),
        ..DescribeTaskQueueRequest::default()
    }
}

async fn describe(
    client: &Client,
    request: DescribeTaskQueueRequest,
) -> Result<DescribeTaskQueueResponse, ServerError> {
    Ok(client.clone().describe_task_queue(request.into_request()).await?.into_inner())
}

fn update_request(client: &Client, namespace: &str, task_queue: &str) -> UpdateTaskQueueConfigRequest {
    UpdateTaskQueueConfigRequest {
        namespace: namespace.to_owned(),
        identity: client.identity(),
        task_queue: task_queue.to_owned(),
        task_queue_type: TaskQueueType::Activity.into(),
        ..UpdateTaskQueueConfigRequest::default()
    }
}

#[cfg(test)]
mod tests {
    use temporalio_common::protos::temporal::api::taskqueue::v1::{ConfigMetadata, RateLimitConfig};
    use temporalio_common::protos::temporal::api::workflowservice::v1::UpdateTaskQueueConfigResponse;

    use super::*;
    use crate::scripted_server::ScriptedServer;

    #[tokio::test]
    async fn the_shares_of_tenants_are_set_together() {
        let weights = BTreeMap::from([("blue".to_owned(), 10.0), ("red".to_owned(), 1.0)]);
        let shares = TenantShares { weights, requests_per_second: Some(2.5) };
        let reported = |shares: &TenantShares| UpdateTaskQueueConfigResponse {
            config: Some(TaskQueueConfig {
                fairness_weight_overrides: shares.weights.clone().into_iter().collect(),
                fairness_keys_rate_limit_default: Some(RateLimitConfig {
                    rate_limit: shares.requests_per_second.map(|requests_per_second| RateLimit { requests_per_second }),
                    metadata: None,
                }),
                ..TaskQueueConfig::default()
            }),
        };
        let without = |change: fn(&mut TenantShares)| {
            let mut less = shares.clone();
            change(&mut less);
            reported(&less)
        };
        let server = ScriptedServer::default().answers("UpdateTaskQueueConfig", &reported(&shares));
        let server = server.answers("UpdateTaskQueueConfig", &without(|shares| shares.weights.clear()));
        let server = server.answers("UpdateTaskQueueConfig", &without(|shares| shares.requests_per_second = None));
        let (server, client) = server.client().await;
        let set = async || set_tenant_shares(&client, "default", "interlock.provisioning-hss", &shares).await;
        assert!(set().await.unwrap());
        assert!(!set().await.unwrap(), "a server without weights ignores them");
        assert!(!set().await.unwrap(), "a server without limits of keys ignores them");
        let request: UpdateTaskQueueConfigRequest = server.request();
        assert_eq!(request.task_queue_type(), TaskQueueType::Activity);
        assert_eq!(request.set_fairness_weight_overrides.into_iter().collect::<BTreeMap<_, _>>(), shares.weights);
        let limit = request.update_fairness_key_rate_limit_default.unwrap();
        assert_eq!(limit.rate_limit, Some(RateLimit { requests_per_second: 2.5 }));
    }

    /// Otherwise a limit would stay on the queue when it is removed from the settings.
    #[tokio::test]
    async fn without_a_rate_the_limit_of_tenants_is_lifted() {
        let server =
            ScriptedServer::default().answers("UpdateTaskQueueConfig", &UpdateTaskQueueConfigResponse::default());
        let (server, client) = server.client().await;
        let none = TenantShares::default();
        assert!(set_tenant_shares(&client, "default", "interlock.provisioning-hss", &none).await.unwrap());
        let request: UpdateTaskQueueConfigRequest = server.request();
        assert_eq!(request.update_fairness_key_rate_limit_default.unwrap().rate_limit, None);
    }

    #[test]
    fn the_servers_own_limit_is_not_that_of_the_queue() {
        let config = |metadata| TaskQueueConfig {
            queue_rate_limit: Some(RateLimitConfig {
                rate_limit: Some(RateLimit { requests_per_second: 5.0 }),
                metadata,
            }),
            ..TaskQueueConfig::default()
        };
        assert_eq!(rate_limit_of(config(None)), None);
        assert_eq!(rate_limit_of(TaskQueueConfig::default()), None);
        let set = ConfigMetadata { reason: "slow".to_owned(), ..ConfigMetadata::default() };
        let limit = QueueRateLimit { reason: "slow".to_owned(), requests_per_second: Some(5.0) };
        assert_eq!(rate_limit_of(config(Some(set))), Some(limit));
    }
}
