//! The cost of a message from one workflow to another, in each way that was considered for Interlock's messages.
//!
//! A local activity is recorded together with the workflow task that wanted it, so it may run before its cause is recorded. The two others
//! leave after that. Interlock uses the first where the message is the same in every attempt, and the second elsewhere.
//!
//! Pairs of workflows send each other messages in turn, so that each message has a workflow task that decides it, as in a hand-over.

use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::{self, StreamExt, TryStreamExt};
use serde::{Deserialize, Serialize};
use temporalio_client::{
    Client, ClientOptions, Connection, ConnectionOptions, WorkflowGetResultOptions, WorkflowSignalOptions,
    WorkflowStartOptions,
};
use temporalio_common::protos::temporal::api::workflowservice::v1::{
    DescribeNamespaceRequest, RegisterNamespaceRequest,
};
use temporalio_macros::{activities, workflow, workflow_methods};
use temporalio_sdk::activities::{ActivityContext, ActivityError};
use temporalio_sdk::runtime::RuntimeOptions;
use temporalio_sdk::{
    ActivityOptions, LocalActivityOptions, Runtime, SignalWorkflowOptions, SyncWorkflowContext, Worker, WorkerOptions,
    WorkflowContext, WorkflowResult,
};
use tonic::IntoRequest;

use crate::Failure;
use crate::measure::Meter;

const NAMESPACE: &str = "interlock-messages";
const QUEUE: &str = "messages";
/// How many pairs send messages at the same time.
const PAIRS: usize = 8;
/// The time limit of an activity.
const ACTIVITY_LIMIT: Duration = Duration::from_secs(10);
/// How long a new namespace may be unknown to parts of the server.
const NAMESPACE_LIMIT: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(500);

/// A way to send a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Way {
    LocalActivity,
    RecordedActivity,
    SignalExternalWorkflow,
}

impl Way {
    const ALL: [(Self, &str); 3] = [
        (Self::LocalActivity, "local activity"),
        (Self::RecordedActivity, "activity, recorded first"),
        (Self::SignalExternalWorkflow, "signal_external_workflow"),
    ];
}

/// What a workflow does.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Part {
    way: Way,
    peer: String,
    /// The number of messages to send and to receive.
    count: usize,
    /// Whether it sends before it has received anything.
    begins: bool,
}

struct Messages {
    client: Client,
}

#[activities]
impl Messages {
    #[activity]
    async fn send(self: Arc<Self>, _context: ActivityContext, to: String) -> Result<(), ActivityError> {
        let handle = self.client.get_workflow_handle::<Correspondent>(to);
        let sent = handle.signal(Correspondent::message, (), WorkflowSignalOptions::default()).await;
        sent.map_err(|error| ActivityError::from(anyhow::Error::from(error)))
    }
}

#[workflow]
#[derive(Default)]
struct Correspondent {
    received: usize,
}

#[workflow_methods]
impl Correspondent {
    #[run]
    async fn run(context: &mut WorkflowContext<Self>, part: Part) -> WorkflowResult<()> {
        for sent in 0..part.count {
            let awaited = if part.begins { sent } else { sent + 1 };
            context.wait_condition(|state| state.received >= awaited).await?;
            send(context, &part).await?;
        }
        context.wait_condition(|state| state.received >= part.count).await?;
        Ok(())
    }

    #[signal]
    fn message(&mut self, _context: &mut SyncWorkflowContext<Self>) {
        self.received += 1;
    }
}

async fn send(context: &mut WorkflowContext<Correspondent>, part: &Part) -> WorkflowResult<()> {
    let peer = part.peer.clone();
    match part.way {
        Way::LocalActivity => {
            let options = LocalActivityOptions::builder().start_to_close_timeout(ACTIVITY_LIMIT).build();
            context.execute_local_activity(Messages::send, peer, options).await?;
        }
        Way::RecordedActivity => {
            let options = ActivityOptions::start_to_close_timeout(ACTIVITY_LIMIT);
            context.execute_activity(Messages::send, peer, options).await?;
        }
        Way::SignalExternalWorkflow => {
            let handle = context.external_workflow(peer, None);
            handle.signal(Correspondent::message, (), SignalWorkflowOptions::default()).await?;
        }
    }
    Ok(())
}

/// Measures messages in each way.
pub async fn measure(meter: &Meter, messages: usize) -> Result<(), Failure> {
    let target: temporalio_client::Url = format!("http://{}", meter.address()).parse()?;
    let connection =
        Connection::connect(ConnectionOptions::new(target).identity("benchmark".to_owned()).build()).await?;
    create_namespace(&connection).await?;
    let client = Client::new(connection, ClientOptions::new(NAMESPACE).build())?;
    let options = WorkerOptions::new(QUEUE)
        .register_workflow::<Correspondent>()?
        .register_activities(Messages { client: client.clone() })
        .build();
    let runtime = Runtime::from_current_tokio(RuntimeOptions::default())?;
    let mut worker = Worker::new(&runtime, client.clone(), options)?;
    let stop = worker.shutdown_handle();
    let measuring = async {
        let measured = measure_ways(meter, &client, messages).await;
        stop();
        measured
    };
    let (measured, worked) = tokio::join!(measuring, worker.run());
    worked?;
    measured
}

async fn measure_ways(meter: &Meter, client: &Client, messages: usize) -> Result<(), Failure> {
    // A round for caches and connections.
    correspond(client, Way::RecordedActivity, "first", 4).await?;
    let each = messages.div_ceil(2 * PAIRS).max(1);
    for (way, what) in Way::ALL {
        let begin = meter.begin(&[std::process::id()]).await?;
        let events = correspond(client, way, "measured", each).await?;
        // The start and the end of the workflows are spread over all messages.
        let used = meter.end(begin).await?;
        println!("a message by {what}: {}", used.each(each * 2 * PAIRS, events));
    }
    Ok(())
}

/// Has all pairs exchange this many messages in each direction. Returns the history events of all.
async fn correspond(client: &Client, way: Way, name: &str, count: usize) -> Result<i64, Failure> {
    let pairs = (0..PAIRS).map(|pair| async move {
        let id = |side: usize| format!("{name}-{way:?}-{pair}-{side}");
        let mut handles = Vec::new();
        // The one that begins is started last, when the other one exists.
        for (side, begins) in [(1, false), (0, true)] {
            let part = Part { way, peer: id(1 - side), count, begins };
            let options = WorkflowStartOptions::new(QUEUE, id(side)).build();
            handles.push(client.start_workflow(Correspondent::run, part, options).await?);
        }
        let mut events = 0;
        for handle in handles {
            handle.get_result(WorkflowGetResultOptions::default()).await?;
            let described = handle.describe(temporalio_client::WorkflowDescribeOptions::default()).await?;
            events += described.history_length();
        }
        Ok::<i64, Failure>(i64::try_from(events)?)
    });
    let events: Vec<i64> = stream::iter(pairs).buffer_unordered(PAIRS).try_collect().await?;
    Ok(events.into_iter().sum())
}

/// Creates the namespace, and waits until the server knows it.
async fn create_namespace(connection: &Connection) -> Result<(), Failure> {
    let request = RegisterNamespaceRequest {
        namespace: NAMESPACE.to_owned(),
        workflow_execution_retention_period: Some(prost_wkt_types::Duration { seconds: 86_400, nanos: 0 }),
        ..Default::default()
    };
    connection.workflow_service().register_namespace(request.into_request()).await?;
    let deadline = tokio::time::Instant::now() + NAMESPACE_LIMIT;
    loop {
        let request = DescribeNamespaceRequest { namespace: NAMESPACE.to_owned(), ..Default::default() };
        let described = connection.workflow_service().describe_namespace(request.into_request()).await;
        match described {
            Ok(_) => break,
            Err(status) if tokio::time::Instant::now() > deadline => return Err(status.into()),
            Err(_) => tokio::time::sleep(PAUSE).await,
        }
    }
    // Each role reads namespaces anew only every few seconds.
    tokio::time::sleep(NAMESPACE_LIMIT / 2).await;
    Ok(())
}
