//! The gRPC frames that pass through a proxy.

use std::convert::Infallible;
use std::io::Read as _;

use bytes::{BufMut as _, Bytes, BytesMut};
use flate2::read::GzDecoder;
use futures_util::stream;
use http::{HeaderMap, Response};
use http_body_util::StreamBody;
use http_body_util::combinators::UnsyncBoxBody;
use hyper::body::Frame;
use prost::Message;
use temporalio_common::protos::temporal::api::workflowservice::v1::{
    PollWorkflowTaskQueueResponse, RespondWorkflowTaskCompletedRequest, RespondWorkflowTaskCompletedResponse,
};

/// The whole body of a request or an answer.
pub type Body = UnsyncBoxBody<Bytes, Infallible>;

/// The prefix of each message: whether it is compressed, and its length.
const PREFIX_BYTES: usize = 5;

/// A body of these bytes.
pub fn body(bytes: Bytes) -> Body {
    body_with_trailers(bytes, None)
}

/// A body of these bytes, with trailers after them.
pub fn body_with_trailers(bytes: Bytes, trailers: Option<HeaderMap>) -> Body {
    let data = Some(bytes).filter(|bytes| !bytes.is_empty()).map(Frame::data);
    let frames = data.into_iter().chain(trailers.map(Frame::trailers)).map(Ok);
    Body::new(StreamBody::new(stream::iter(frames)))
}

/// The gRPC answer UNAVAILABLE, after which clients retry.
///
/// # Panics
/// If `why` is not ASCII.
pub fn unavailable(why: &str) -> Response<Body> {
    let answer = Response::builder().header("content-type", "application/grpc").header("grpc-status", "14");
    let answer = answer.header("grpc-message", why).body(body(Bytes::new()));
    answer.expect("constant headers, and a text in ASCII")
}

/// The single message of a body. `None` if there is none, or if it cannot be read.
pub fn decode<M: Message + Default>(body: &[u8]) -> Option<M> {
    let (prefix, rest) = body.split_at_checked(PREFIX_BYTES)?;
    let length = usize::try_from(u32::from_be_bytes(prefix[1..].try_into().ok()?)).ok()?;
    let message = rest.get(..length)?;
    if prefix[0] == 0 {
        return M::decode(message).ok();
    }
    let mut plain = Vec::new();
    GzDecoder::new(message).read_to_end(&mut plain).ok()?;
    M::decode(plain.as_slice()).ok()
}

/// The body with this message, not compressed.
///
/// # Panics
/// If the message has 4 GiB or more.
pub fn encode(message: &impl Message) -> Bytes {
    let length = message.encoded_len();
    let mut body = BytesMut::with_capacity(PREFIX_BYTES + length);
    body.put_u8(0);
    body.put_u32(u32::try_from(length).expect("a message of less than 4 GiB"));
    message.encode(&mut body).expect("the buffer grows");
    body.freeze()
}

/// The content of a call that completes a workflow task.
pub struct Completion {
    /// The token of the task.
    pub token: Vec<u8>,
    /// Each command, and each answer to an update, in encoded form: JSON in it is readable.
    pub said: Vec<String>,
}

/// The completion that this call contains.
pub fn completion(call: &str, body: &[u8]) -> Option<Completion> {
    let completes = call == "RespondWorkflowTaskCompleted";
    let request = completes.then(|| decode::<RespondWorkflowTaskCompletedRequest>(body))??;
    let commands = request.commands.iter().map(Message::encode_to_vec);
    let all = commands.chain(request.messages.iter().map(Message::encode_to_vec));
    let said = all.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).collect();
    Some(Completion { token: request.task_token, said })
}

/// The workflow tasks in an answer: their tokens, and the workflow ids of their entities.
pub fn tasks(call: &str, body: &[u8]) -> Option<(Vec<u8>, String)> {
    let task = match call {
        "PollWorkflowTaskQueue" => decode::<PollWorkflowTaskQueueResponse>(body),
        "RespondWorkflowTaskCompleted" => decode::<RespondWorkflowTaskCompletedResponse>(body)?.workflow_task,
        _ => None,
    }?;
    let workflow_id = task.workflow_execution?.workflow_id;
    (!task.task_token.is_empty()).then_some((task.task_token, workflow_id))
}
