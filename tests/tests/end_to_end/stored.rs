//! Everything that a Temporal server returns about a namespace, as bytes, and a search in it.

use std::path::Path;

use interlock_coordinator::local::LocalPlatform;
use prost::Message;
use temporalio_client::Client;
use temporalio_client::grpc::WorkflowService;
use temporalio_common::protos::temporal::api::common::v1::WorkflowExecution;
use temporalio_common::protos::temporal::api::enums::v1::TaskQueueType;
use temporalio_common::protos::temporal::api::taskqueue::v1::TaskQueue;
use temporalio_common::protos::temporal::api::workflowservice::v1::{
    DescribeActivityExecutionRequest, DescribeScheduleRequest, DescribeTaskQueueRequest,
    DescribeWorkflowExecutionRequest, GetWorkflowExecutionHistoryRequest, ListActivityExecutionsRequest,
    ListSchedulesRequest, ListWorkflowExecutionsRequest,
};
use tonic::IntoRequest;

const NAMESPACE: &str = "default";

/// Data that a server or a process returned.
pub struct Stored {
    /// Its origin.
    pub what: String,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

impl Stored {
    /// The bytes of a file. Empty if it does not exist.
    pub fn file(file: &Path) -> Self {
        Self { what: file.display().to_string(), bytes: std::fs::read(file).unwrap_or_default() }
    }

    fn of(what: String, message: &impl Message) -> Self {
        Self { what, bytes: message.encode_to_vec() }
    }
}

/// Which of these numbers, of at least ten digits, are in the data, and where. Percent-encoding does not change digits.
pub fn found(numbers: &[String], all: &[Stored]) -> Vec<String> {
    let mut found = Vec::new();
    for Stored { what, bytes } in all {
        let digits = bytes.split(|byte| !byte.is_ascii_digit()).filter(|run| run.len() >= 10);
        let digits: Vec<&str> = digits.filter_map(|run| std::str::from_utf8(run).ok()).collect();
        let is_in = |number: &&String| digits.iter().any(|run| run.contains(number.as_str()));
        found.extend(numbers.iter().filter(is_in).map(|number| format!("{number} in {what}")));
    }
    found
}

/// Everything of the namespace `default`: workflows, including closed ones, with their histories; standalone activities; schedules; the
/// state of the targets' queues.
pub async fn everything(platform: &LocalPlatform) -> Vec<Stored> {
    let client = platform.installation.client.clone();
    let mut all = workflows(&client).await;
    all.extend(activities(&client).await);
    all.extend(schedules(&client).await);
    for target in platform.installation.settings.targets.keys() {
        let request = DescribeTaskQueueRequest {
            namespace: NAMESPACE.to_owned(),
            task_queue: Some(TaskQueue {
                name: platform.installation.routing.provisioning_queue(target),
                ..TaskQueue::default()
            }),
            task_queue_type: TaskQueueType::Activity.into(),
            report_config: true,
            ..DescribeTaskQueueRequest::default()
        };
        let answer = client.clone().describe_task_queue(request.into_request()).await.unwrap().into_inner();
        all.push(Stored::of(format!("the queue of {target}"), &answer));
    }
    all
}

async fn workflows(client: &Client) -> Vec<Stored> {
    let mut all = Vec::new();
    let mut next_page_token = Vec::new();
    loop {
        let request =
            ListWorkflowExecutionsRequest { namespace: NAMESPACE.to_owned(), next_page_token, ..Default::default() };
        let page = client.clone().list_workflow_executions(request.into_request()).await.unwrap().into_inner();
        for listed in &page.executions {
            let execution = listed.execution.clone().unwrap();
            all.push(Stored::of(format!("the list of workflows: {}", execution.workflow_id), listed));
            let request = DescribeWorkflowExecutionRequest {
                namespace: NAMESPACE.to_owned(),
                execution: Some(execution.clone()),
            };
            let described = client.clone().describe_workflow_execution(request.into_request()).await;
            all.push(Stored::of(
                format!("the description of {}", execution.workflow_id),
                &described.unwrap().into_inner(),
            ));
            all.extend(history(client, execution).await);
        }
        next_page_token = page.next_page_token;
        if next_page_token.is_empty() {
            return all;
        }
    }
}

async fn history(client: &Client, execution: WorkflowExecution) -> Vec<Stored> {
    let mut all = Vec::new();
    let mut next_page_token = Vec::new();
    loop {
        let request = GetWorkflowExecutionHistoryRequest {
            namespace: NAMESPACE.to_owned(),
            execution: Some(execution.clone()),
            next_page_token,
            ..Default::default()
        };
        let page = client.clone().get_workflow_execution_history(request.into_request()).await.unwrap().into_inner();
        for event in page.history.iter().flat_map(|history| &history.events) {
            let kind = event.event_type().as_str_name();
            all.push(Stored::of(format!("{kind} of {}", execution.workflow_id), event));
        }
        next_page_token = page.next_page_token;
        if next_page_token.is_empty() {
            return all;
        }
    }
}

async fn activities(client: &Client) -> Vec<Stored> {
    let request =
        ListActivityExecutionsRequest { namespace: NAMESPACE.to_owned(), page_size: 1_000, ..Default::default() };
    let page = client.clone().list_activity_executions(request.into_request()).await.unwrap().into_inner();
    let mut all = Vec::new();
    for listed in &page.executions {
        all.push(Stored::of(format!("the list of activities: {}", listed.activity_id), listed));
        let request = DescribeActivityExecutionRequest {
            namespace: NAMESPACE.to_owned(),
            activity_id: listed.activity_id.clone(),
            run_id: listed.run_id.clone(),
            include_input: true,
            include_outcome: true,
            include_heartbeat_details: true,
            include_last_failure: true,
            ..Default::default()
        };
        let described = client.clone().describe_activity_execution(request.into_request()).await.unwrap().into_inner();
        all.push(Stored::of(format!("the activity {}", listed.activity_id), &described));
    }
    all
}

async fn schedules(client: &Client) -> Vec<Stored> {
    let request =
        ListSchedulesRequest { namespace: NAMESPACE.to_owned(), maximum_page_size: 100, ..Default::default() };
    let page = WorkflowService::list_schedules(&mut client.clone(), request.into_request()).await.unwrap().into_inner();
    let mut all = Vec::new();
    for listed in &page.schedules {
        all.push(Stored::of(format!("the list of schedules: {}", listed.schedule_id), listed));
        let request =
            DescribeScheduleRequest { namespace: NAMESPACE.to_owned(), schedule_id: listed.schedule_id.clone() };
        let described = WorkflowService::describe_schedule(&mut client.clone(), request.into_request()).await;
        all.push(Stored::of(format!("the schedule {}", listed.schedule_id), &described.unwrap().into_inner()));
    }
    all
}
