//! A NATS server with JetStream, and a stream of it.

use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use async_nats::HeaderMap;
use async_nats::jetstream::consumer::PullConsumer;
use async_nats::jetstream::consumer::pull::Config as PullConfig;
use async_nats::jetstream::{self, Context, stream};
use async_trait::async_trait;
use bytes::Bytes;
use futures_util::StreamExt;
use tempfile::TempDir;
use tokio::sync::RwLock;

use super::wire::{Letter, Sent, Wire};
use crate::outside_tools;
use crate::waiting::until;

const STREAM: &str = "EVENTS";
const DEAD: &str = "DEAD";
const CONSUMER: &str = "interlock";

/// The server. It ends with this value.
pub struct NatsServer {
    program: PathBuf,
    folder: TempDir,
    port: u16,
    process: Child,
}

impl NatsServer {
    /// `None`, and a line that says how to get it, where there is none.
    async fn start() -> Option<Self> {
        let program = outside_tools::find("nats-server", "apt-get install nats-server")?;
        let folder = tempfile::tempdir().unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let process = Self::run(&program, &folder, port);
        let server = Self { program, folder, port, process };
        server.client().await;
        Some(server)
    }

    fn run(program: &PathBuf, folder: &TempDir, port: u16) -> Child {
        let mut command = Command::new(program);
        command.args(["--addr", "127.0.0.1", "--port", &port.to_string(), "--jetstream"]);
        command.arg("--store_dir").arg(folder.path());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    }

    async fn client(&self) -> async_nats::Client {
        until("NATS to answer", || async {
            let options = async_nats::ConnectOptions::new().connection_timeout(Duration::from_secs(2));
            let client = options.connect(self.url()).await.ok()?;
            client.request("$JS.API.INFO", Bytes::new()).await.ok()?;
            Some(client)
        })
        .await
    }

    /// Its URL.
    pub fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    /// Kills it.
    pub fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// Starts it again with its data.
    pub async fn start_again(&mut self) {
        self.process = Self::run(&self.program, &self.folder, self.port);
        self.client().await;
    }
}

impl Drop for NatsServer {
    fn drop(&mut self) {
        // It may have ended already.
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

/// A stream of a server of its own.
pub struct NatsWire {
    /// The server.
    pub server: NatsServer,
    context: RwLock<Context>,
}

impl NatsWire {
    /// `None` where there is no server.
    pub async fn start() -> Option<Self> {
        let server = NatsServer::start().await?;
        let context = RwLock::new(jetstream::new(server.client().await));
        let wire = Self { server, context };
        wire.create(STREAM, "events.>").await;
        wire.with_dead_letters().await;
        Some(wire)
    }

    /// Connects to a server that was started again.
    pub async fn reconnect(&self) {
        *self.context.write().await = jetstream::new(self.server.client().await);
    }

    async fn create(&self, name: &str, subject: &str) {
        let config =
            stream::Config { name: name.to_owned(), subjects: vec![subject.to_owned()], ..stream::Config::default() };
        self.context.read().await.create_stream(config).await.unwrap();
    }

    /// Dead letters are stored.
    pub async fn with_dead_letters(&self) {
        self.create(DEAD, "dead.>").await;
    }

    /// Nobody stores dead letters.
    pub async fn without_dead_letters(&self) {
        self.context.read().await.delete_stream(DEAD).await.unwrap();
    }
}

#[async_trait]
impl Wire for NatsWire {
    fn arguments(&self) -> Vec<String> {
        let url = self.server.url();
        let arguments = ["nats", "--url", &url, "--stream", STREAM, "--dead-letter", "dead.events", "--ack-wait", "1s"];
        arguments.map(str::to_owned).to_vec()
    }

    async fn send(&self, sent: &Sent) {
        let mut headers = HeaderMap::new();
        for (name, value) in &sent.headers {
            headers.insert(*name, value.as_str());
        }
        let context = self.context.read().await;
        let published = context.publish_with_headers("events.blue", headers, sent.payload.clone()).await.unwrap();
        published.await.unwrap();
    }

    async fn unacknowledged(&self) -> u64 {
        let stream = self.context.read().await.get_stream(STREAM).await.unwrap();
        match stream.consumer_info(CONSUMER).await {
            Ok(info) => info.num_pending + u64::try_from(info.num_ack_pending).unwrap(),
            // Nobody has consumed yet.
            Err(_) => stream.get_info().await.unwrap().state.messages,
        }
    }

    async fn dead_letters(&self) -> Vec<Letter> {
        let stream = self.context.read().await.get_stream(DEAD).await.unwrap();
        let consumer: PullConsumer = stream.create_consumer(PullConfig::default()).await.unwrap();
        let mut messages = consumer.fetch().max_messages(1_000).messages().await.unwrap();
        let mut letters = Vec::new();
        while let Some(message) = messages.next().await {
            let message = message.unwrap();
            let headers = message.headers.iter().flat_map(|headers| headers.iter());
            let headers = headers.flat_map(|(name, values)| values.iter().map(|of| (name.to_string(), of.to_string())));
            letters.push(Letter { headers: headers.collect(), payload: message.payload.clone() });
        }
        letters
    }

    fn place_header(&self) -> &'static str {
        "interlock-subject"
    }

    fn place(&self) -> &'static str {
        "events.blue"
    }

    fn binary_header(&self, attribute: &str, value: &str) -> (&'static str, String) {
        let encoded: String = value
            .bytes()
            .map(|byte| match byte {
                b'!'..=b'~' if byte != b'%' && byte != b'"' => char::from(byte).to_string(),
                _ => format!("%{byte:02X}"),
            })
            .collect();
        (String::leak(format!("ce-{attribute}")), encoded)
    }

    fn keeps_order_over_processes(&self) -> bool {
        false
    }
}
