//! For unit tests: a Temporal server that gives scripted answers and keeps the requests.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use futures_util::FutureExt;
use http::HeaderMap;
use prost::Message;
use temporalio_client::callback_based::{CallbackBasedGrpcService, GrpcRequest, GrpcSuccessResponse};
use temporalio_client::{Client, ClientOptions, Connection, ConnectionOptions};
use temporalio_common::protos::temporal::api::workflowservice::v1::GetSystemInfoResponse;
use tonic::Status;
use url::Url;

/// A scripted answer, as the bytes of the message.
type Answer = Result<Vec<u8>, Status>;

/// The server. It expects the scripted calls and no others.
#[derive(Default)]
pub(crate) struct ScriptedServer {
    answers: Mutex<VecDeque<(&'static str, Answer)>>,
    requests: Mutex<VecDeque<Vec<u8>>>,
}

impl ScriptedServer {
    /// Answers the next call, which must be of this name.
    pub(crate) fn answers(self, rpc: &'static str, message: &impl Message) -> Self {
        self.answers.lock().unwrap().push_back((rpc, Ok(message.encode_to_vec())));
        self
    }

    /// Rejects the next call, which must be of this name.
    pub(crate) fn refuses(self, rpc: &'static str, status: Status) -> Self {
        self.answers.lock().unwrap().push_back((rpc, Err(status)));
        self
    }

    /// A client of the server.
    pub(crate) async fn client(self) -> (Arc<Self>, Client) {
        let server = Arc::new(self);
        let scripted = Arc::clone(&server);
        let callback = move |call: GrpcRequest| {
            let answer = scripted.answer(&call);
            async move { answer.map(|proto| GrpcSuccessResponse { headers: HeaderMap::new(), proto }) }.boxed()
        };
        let options = ConnectionOptions::new(Url::parse("http://server.invalid:7233").unwrap())
            .identity("test".to_owned())
            .dns_load_balancing(None)
            .service_override(CallbackBasedGrpcService { callback: Arc::new(callback) })
            .build();
        let connection = Connection::connect(options).await.unwrap();
        (server, Client::new(connection, ClientOptions::new("default").build()).unwrap())
    }

    /// The next request that it got.
    pub(crate) fn request<M: Message + Default>(&self) -> M {
        M::decode(self.requests.lock().unwrap().pop_front().unwrap().as_slice()).unwrap()
    }

    /// Whether all scripted calls were made.
    pub(crate) fn is_done(&self) -> bool {
        self.answers.lock().unwrap().is_empty()
    }

    fn answer(&self, call: &GrpcRequest) -> Answer {
        if call.rpc == "GetSystemInfo" {
            return Ok(GetSystemInfoResponse::default().encode_to_vec());
        }
        let next = self.answers.lock().unwrap().pop_front();
        match next {
            Some((rpc, answer)) if rpc == call.rpc => {
                self.requests.lock().unwrap().push_back(call.proto.to_vec());
                answer
            }
            other => Err(Status::internal(format!("{} was called, but the script has {other:?}", call.rpc))),
        }
    }
}
