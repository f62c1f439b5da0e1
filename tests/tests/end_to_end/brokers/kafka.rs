//! A Kafka broker in KRaft mode that tests share, and a topic of it.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use krafka::admin::{CreateTopicsOptions, NewTopic};
use krafka::consumer::{AutoOffsetReset, Consumer};
use krafka::producer::Producer;
use krafka::{Kafka, Record};
use tokio::sync::OnceCell;

use super::wire::{Letter, Sent, Wire};
use crate::outside_tools;
use crate::waiting::until;

/// The partitions of each topic.
const PARTITIONS: i32 = 4;
/// A group that nobody consumes in, to read with.
const LIMIT: Duration = Duration::from_secs(10);

/// Counts topics.
static NEXT: AtomicU32 = AtomicU32::new(1);
static SHARED: OnceCell<Option<KafkaBroker>> = OnceCell::const_new();

/// The broker. It ends with the process of the tests, whose end its shell notices by its stdin.
struct KafkaBroker {
    port: u16,
    _shell: Child,
}

/// Ends the program that it runs when nothing holds its stdin any more.
const RUN_WHILE_HELD: &str = "\"$@\" & program=$!; read -r _; kill -9 $program";

/// A broker that needs little, starts fast, and counts a silent consumer as gone after a second.
const SETTINGS: &str = "\
process.roles=broker,controller
node.id=1
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.num.partitions=1
transaction.state.log.min.isr=1
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=500
auto.create.topics.enable=false
";

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

impl KafkaBroker {
    /// `None`, and a line that says how to get it, where there is none.
    async fn start() -> Option<Self> {
        let program = outside_tools::find("kafka", "Java 17 and Maven")?;
        outside_tools::find("java", "apt-get install openjdk-17-jre-headless")?;
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("kafka-{}", std::process::id()));
        fs::create_dir_all(folder.join("data")).unwrap();
        let (port, of_controller) = (free_port(), free_port());
        let settings = format!(
            "{SETTINGS}listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{of_controller}\n\
             advertised.listeners=PLAINTEXT://127.0.0.1:{port}\n\
             controller.quorum.voters=1@127.0.0.1:{of_controller}\nlog.dirs={}\n",
            folder.join("data").display()
        );
        fs::write(folder.join("server.properties"), settings).unwrap();
        // What its own tool would write into a new folder.
        let identity = "version=1\ncluster.id=aW50ZXJsb2NrLXRlc3RzMQ\nnode.id=1\ndirectory.id=aW50ZXJsb2NrLWRpcjAwMA\n";
        fs::write(folder.join("data/meta.properties"), identity).unwrap();
        let log = fs::File::create(folder.join("kafka.log")).unwrap();
        let shell = Command::new("sh")
            .args(["-c", RUN_WHILE_HELD, "sh"])
            .arg(program)
            .arg("kafka.Kafka")
            .arg(folder.join("server.properties"))
            .env("KAFKA_JVM_OPTIONS", "-Xmx384m -XX:+UseSerialGC -XX:TieredStopAtLevel=1")
            .stdin(Stdio::piped())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        let address = format!("127.0.0.1:{port}");
        until("Kafka to listen", || async { TcpStream::connect(&address).ok().map(drop) }).await;
        Some(Self { port, _shell: shell })
    }
}

/// A topic, and one for dead letters.
pub struct KafkaWire {
    servers: String,
    topic: String,
    client: Kafka,
    producer: Producer,
    /// Reads what the group has committed, without consuming in it.
    committed: Consumer,
}

impl KafkaWire {
    /// `None` where there is no broker.
    pub async fn start() -> Option<Self> {
        let broker = SHARED.get_or_init(KafkaBroker::start).await.as_ref();
        let Some(broker) = broker else {
            // Each test says that it is skipped.
            outside_tools::find("kafka", "Java 17 and Maven");
            return None;
        };
        let servers = format!("127.0.0.1:{}", broker.port);
        let client = until("Kafka to answer", || async { Kafka::builder(servers.clone()).connect().await.ok() }).await;
        let topic = format!("events-{}", NEXT.fetch_add(1, Ordering::Relaxed));
        let create = || async {
            let topics = [(topic.clone(), PARTITIONS), (format!("{topic}-dead"), 1)];
            let topics = topics.map(|(name, partitions)| NewTopic::new(name, partitions, 1).unwrap());
            let created = client.admin().create_topics(topics, CreateTopicsOptions::default()).await.ok()?;
            created.into_values().collect::<Result<(), _>>().ok()
        };
        until("the topics", create).await;
        let producer = client.producer().linger(Duration::ZERO).build().await.unwrap();
        let committed = client.consumer(topic.clone()).build().await.unwrap();
        Some(Self { servers, topic, client, producer, committed })
    }
}

#[async_trait]
impl Wire for KafkaWire {
    fn arguments(&self) -> Vec<String> {
        let dead = format!("{}-dead", self.topic);
        let arguments = [
            "kafka",
            "--bootstrap-servers",
            &self.servers,
            "--topic",
            &self.topic,
            "--group",
            &self.topic,
            "--dead-letter",
            &dead,
            "--session-timeout",
            "1s",
        ];
        arguments.map(str::to_owned).to_vec()
    }

    async fn send(&self, sent: &Sent) {
        let mut record = Record::new(self.topic.clone(), sent.payload.clone()).key(sent.customer.clone());
        for (name, value) in &sent.headers {
            record = record.header(*name, value.clone());
        }
        let _stored_at = self.producer.send(record).await.unwrap();
    }

    async fn unacknowledged(&self) -> u64 {
        let partitions: Vec<(&str, i32)> = (0..PARTITIONS).map(|partition| (self.topic.as_str(), partition)).collect();
        let committed = self.committed.committed(&partitions).await.unwrap();
        let mut left = 0;
        for (topic, partition) in partitions {
            let (_, end) = self.committed.fetch_watermarks(topic, partition).await.unwrap();
            let done = committed.get(&(topic.to_owned(), partition)).map_or(0, |of| of.offset);
            left += u64::try_from(end - done).unwrap();
        }
        left
    }

    async fn dead_letters(&self) -> Vec<Letter> {
        let topic = format!("{}-dead", self.topic);
        let reader =
            self.client.consumer_without_group().auto_offset_reset(AutoOffsetReset::Earliest).build().await.unwrap();
        reader.assign(&topic, vec![0]).await.unwrap();
        let (_, end) = reader.fetch_watermarks(&topic, 0).await.unwrap();
        let mut letters = Vec::new();
        while letters.len() < usize::try_from(end).unwrap() {
            for record in reader.poll(LIMIT).await.unwrap() {
                let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
                let header = |(name, value): &(String, Option<bytes::Bytes>)| {
                    (name.clone(), text(value.as_deref().unwrap_or_default()))
                };
                let headers = record.headers.iter().map(header).collect();
                letters.push(Letter { headers, payload: record.value.unwrap_or_default() });
            }
        }
        letters
    }

    fn place_header(&self) -> &'static str {
        "interlock-topic"
    }

    fn place(&self) -> &str {
        &self.topic
    }

    fn binary_header(&self, attribute: &str, value: &str) -> (&'static str, String) {
        (String::leak(format!("ce_{attribute}")), value.to_owned())
    }

    fn keeps_order_over_processes(&self) -> bool {
        true
    }
}
