//! A gateway process whose callers are many, slow or huge. The others go on: their events are accepted, in time.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream;
use interlock_coordinator::local::GatewayProcess;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use reqwest::StatusCode;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::events::{event, happened};
use crate::testbed::{Testbed, Wanted, run, unique};

/// How many connections stay idle.
const IDLE: usize = 10_000;
/// Descriptors that everything else in this process may need.
const DESCRIPTORS_OF_OTHERS: u64 = 2_000;
/// The addresses that they come from: more than one address may have, and more than all may have.
const PEERS: u8 = 10;
/// The longest that anybody else may wait for an answer, here where a server and other tests share the machine.
const OTHERS_WAIT_MAX: Duration = Duration::from_secs(8);
/// The times of the gateway, shorter than usual, and the bytes of bodies that may be in flight.
const SHORT_TIMES: [(&str, &str); 3] = [
    ("INTERLOCK_HTTP_HEADER_TIMEOUT", "3s"),
    ("INTERLOCK_HTTP_BODY_TIMEOUT", "6s"),
    ("INTERLOCK_HTTP_BODY_BYTES_MAX", "16777216"),
];
const HEADER_TIMEOUT: Duration = Duration::from_secs(3);
const BODY_TIMEOUT: Duration = Duration::from_secs(6);
/// How much earlier a caller may be cut off by its own clock, which starts after the gateway's.
const EARLY_MAX: Duration = Duration::from_millis(500);
/// The most memory that the gateway may need for 16 MiB of bodies in flight, with what is being copied and decoded, and what the allocator
/// keeps.
const MEMORY_GROWS_MAX: usize = 128 << 20;

async fn testbed(name: &str) -> Testbed {
    // No workers: only the acceptance counts.
    Testbed::start(name, Wanted { worker_processes: Some(Vec::new()), ..Wanted::default() }).await
}

fn address(gateway: &GatewayProcess) -> SocketAddr {
    gateway.url().strip_prefix("http://").unwrap().parse().unwrap()
}

fn events_path(tenant: &str) -> String {
    format!("/v1/tenants/{tenant}/events")
}

/// A caller like any other: it sends events, one after the other, and again if it is told that there is no room now.
struct Other {
    sending: JoinHandle<Sent>,
    stop: tokio::sync::oneshot::Sender<()>,
}

#[derive(Debug, Default)]
struct Sent {
    accepted: usize,
    /// Answers that there is no room now.
    turned_away: usize,
    longest: Duration,
}

impl Other {
    fn start(gateway: &GatewayProcess) -> Self {
        let url = format!("{}{}", gateway.url(), events_path(&unique("others")));
        let (stop, mut stopped) = tokio::sync::oneshot::channel();
        let sending = tokio::spawn(async move {
            let mut sent = Sent::default();
            let http = reqwest::Client::builder().no_proxy().build().unwrap();
            while stopped.try_recv().is_err() {
                let began = Instant::now();
                let data = json!({"imsi": "001010000000001", "msisdn": "12065551234"});
                let event = event("number.assigned", &format!("A{}", sent.accepted), &data);
                let event = happened(event, 0, chrono::Utc::now());
                loop {
                    let answer = http.post(&url).json(&event).timeout(OTHERS_WAIT_MAX).send().await;
                    let answer = answer.unwrap_or_else(|fault| panic!("after {sent:?}: {fault:?}"));
                    if answer.status() == StatusCode::ACCEPTED {
                        break;
                    }
                    assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE, "after {sent:?}: {answer:?}");
                    assert!(began.elapsed() < OTHERS_WAIT_MAX, "after {sent:?}: {:?}", answer.text().await);
                    sent.turned_away += 1;
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
                sent.accepted += 1;
                sent.longest = sent.longest.max(began.elapsed());
            }
            sent
        });
        Self { sending, stop }
    }

    /// Ends it, and checks that it was served.
    async fn was_served(self) -> Sent {
        // It has ended if it failed.
        let _sent = self.stop.send(());
        let sent = self.sending.await.unwrap();
        assert!(sent.accepted > 3 && sent.longest < OTHERS_WAIT_MAX, "{sent:?}");
        sent
    }
}

/// Everything until the other end closes: the status of the answer, 0 if there is none, and its text.
async fn answer_on(stream: &mut TcpStream, limit: Duration) -> (u16, String) {
    let mut read = Vec::new();
    // A reset after the answer also counts as the end.
    let _ended = tokio::time::timeout(limit, stream.read_to_end(&mut read)).await.expect("it is cut in time");
    let text = String::from_utf8_lossy(&read).into_owned();
    let status = text.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
    (status, text)
}

/// Peak memory of a process, in bytes.
fn peak_memory(gateway: &GatewayProcess) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{}/status", gateway.pid())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() * 1024
}

fn head(more: &str) -> String {
    let path = events_path("slow");
    format!("POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n{more}\r\n")
}

/// Sends one byte after the other until the other end closes, and returns the answer.
async fn dribble(mut stream: TcpStream, bytes: &[u8], limit: Duration) -> (u16, String, Duration) {
    let began = Instant::now();
    let (mut reading, mut writing) = stream.split();
    let mut read = Vec::new();
    let sending = async {
        for byte in bytes.iter().cycle() {
            if writing.write_all(&[*byte]).await.is_err() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        std::future::pending::<()>().await;
    };
    tokio::select! {
        () = sending => unreachable!(),
        _ended = tokio::time::timeout(limit, reading.read_to_end(&mut read)) => {}
    }
    let text = String::from_utf8_lossy(&read).into_owned();
    let status = text.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
    (status, text, began.elapsed())
}

#[test]
fn slow_callers_are_cut_off_with_408_and_others_go_on() {
    run(async {
        let mut bed = testbed("slow-callers").await;
        let gateway = bed.platform.start_gateway_process_with(&SHORT_TIMES).await.unwrap();
        let other = Other::start(&gateway);
        // Each body may become as long as a body may be. Together they would be much longer than all bodies in flight may be.
        let mut slow = Vec::new();
        for index in 0..60 {
            let mut stream = TcpStream::connect(address(&gateway)).await.unwrap();
            slow.push(tokio::spawn(async move {
                match index % 3 {
                    0 => {
                        let endless = "X-Slow: 1\r\n".as_bytes();
                        stream
                            .write_all(b"POST /v1/tenants/slow/events HTTP/1.1\r\nHost: localhost\r\n")
                            .await
                            .unwrap();
                        dribble(stream, endless, HEADER_TIMEOUT * 3).await
                    }
                    1 => {
                        stream.write_all(head("Transfer-Encoding: chunked\r\n").as_bytes()).await.unwrap();
                        dribble(stream, b"1\r\n \r\n", BODY_TIMEOUT * 3).await
                    }
                    _ => {
                        stream.write_all(head("Content-Length: 4000000\r\n").as_bytes()).await.unwrap();
                        dribble(stream, b" ", BODY_TIMEOUT * 3).await
                    }
                }
            }));
        }
        for (index, caller) in slow.into_iter().enumerate() {
            let (status, text, after) = caller.await.unwrap();
            let (limit, code) =
                if index % 3 == 0 { (HEADER_TIMEOUT, "head_too_slow") } else { (BODY_TIMEOUT, "body_too_slow") };
            assert_eq!(status, 408, "{index} after {after:?}: {text}");
            assert!(text.contains(code), "{index}: {text}");
            assert!(after + EARLY_MAX >= limit && after < limit * 2, "{index}: {after:?}");
        }
        eprintln!("beside slow callers: {:?}", other.was_served().await);
        gateway.stop().await.unwrap();
        bed.stop().await;
    });
}

#[test]
fn huge_bodies_are_refused_with_413_before_they_are_in_memory_and_others_go_on() {
    run(async {
        let mut bed = testbed("huge-bodies").await;
        let gateway = bed.platform.start_gateway_process_with(&SHORT_TIMES[2..]).await.unwrap();
        let other = Other::start(&gateway);
        let limit = Duration::from_secs(20);
        let before = peak_memory(&gateway);

        // What is announced is refused before it is sent.
        let mut announced = TcpStream::connect(address(&gateway)).await.unwrap();
        let length = head(&format!("Content-Length: {}\r\nConnection: close\r\n", 1_u64 << 40));
        announced.write_all(length.as_bytes()).await.unwrap();
        let (status, text) = answer_on(&mut announced, limit).await;
        assert!(status == 413 && text.contains("event_too_large"), "{text}");

        // What is not announced is refused once it is too long; a few bytes that become many are not decoded further.
        let bomb = bomb();
        let callers = (0..24).map(|index| {
            let (to, bomb) = (address(&gateway), &bomb);
            async move {
                let mut stream = TcpStream::connect(to).await.unwrap();
                if index % 2 == 0 {
                    stream.write_all(head("Transfer-Encoding: chunked\r\n").as_bytes()).await.unwrap();
                    let chunk = format!("{:x}\r\n{}\r\n", 1 << 20, " ".repeat(1 << 20));
                    // Until it is cut off.
                    for _ in 0..64 {
                        if stream.write_all(chunk.as_bytes()).await.is_err() {
                            break;
                        }
                    }
                } else {
                    let length = bomb.len();
                    let head =
                        head(&format!("Content-Encoding: gzip\r\nContent-Length: {length}\r\nConnection: close\r\n"));
                    stream.write_all(&[head.as_bytes(), bomb].concat()).await.unwrap();
                }
                (index, answer_on(&mut stream, limit).await)
            }
        });
        let answers: Vec<_> = stream::iter(callers).buffer_unordered(24).collect().await;
        let mut refused = [0, 0];
        for (index, (status, text)) in answers {
            // If there are too many at a time, some are told to come again. A reset may swallow the answer of one that goes on sending.
            assert!([413, 503].contains(&status) || (status == 0 && index % 2 == 0), "{index}: {text}");
            refused[index % 2] += usize::from(status == 413);
        }
        assert!(refused.iter().all(|number| *number > 0), "{refused:?}");
        let grown = peak_memory(&gateway).saturating_sub(before);
        eprintln!("refused {refused:?}; memory grew by {} MiB", grown >> 20);
        // Two GiB would have been in memory otherwise.
        assert!(grown < MEMORY_GROWS_MAX, "{grown}");
        eprintln!("beside huge bodies: {:?}", other.was_served().await);
        gateway.stop().await.unwrap();
        bed.stop().await;
    });
}

/// A hundred MiB of spaces, compressed.
fn bomb() -> Vec<u8> {
    use std::io::Write;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    let spaces = vec![b' '; 1 << 20];
    for _ in 0..100 {
        encoder.write_all(&spaces).unwrap();
    }
    encoder.finish().unwrap()
}

/// How many connections this process may have: as many as wanted, or fewer if it may not have the descriptors.
fn idle_connections() -> usize {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    // If it may not be raised, fewer are opened.
    let _raised = setrlimit(Resource::RLIMIT_NOFILE, hard, hard);
    let (soft, _) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    let room = usize::try_from(soft.saturating_sub(DESCRIPTORS_OF_OTHERS)).unwrap_or(usize::MAX);
    if room < IDLE {
        eprintln!("{room} connections instead of {IDLE}: this process may have no more than {soft} descriptors");
    }
    room.min(IDLE)
}

#[test]
fn ten_thousand_idle_connections_keep_nobody_from_being_served() {
    run(async {
        let mut bed = testbed("idle-connections").await;
        let gateway = bed.platform.start_gateway_process().await.unwrap();
        let other = Other::start(&gateway);
        let to = address(&gateway);
        let connect = async |index: usize| {
            let socket = TcpSocket::new_v4().unwrap();
            let peer = u8::try_from(index % usize::from(PEERS)).unwrap() + 2;
            socket.bind((IpAddr::from(Ipv4Addr::new(127, 0, 0, peer)), 0).into()).unwrap();
            let mut stream = socket.connect(to).await.unwrap();
            // Some have begun to ask. The gateway may have closed it already.
            if index.is_multiple_of(3) {
                let _sent = stream.write_all(b"GET /healthz HTTP/1.1\r\n").await;
            }
            stream
        };
        let wanted = idle_connections();
        let began = Instant::now();
        let idle: Vec<TcpStream> = stream::iter(0..wanted).map(connect).buffer_unordered(64).collect().await;
        eprintln!("{} connections after {:?}", idle.len(), began.elapsed());
        // They stay for a while, and those that the gateway keeps take all its places.
        tokio::time::sleep(Duration::from_secs(2)).await;
        let health = reqwest::Client::builder().no_proxy().build().unwrap();
        let health = health.get(format!("{}/healthz", gateway.url())).timeout(OTHERS_WAIT_MAX).send().await.unwrap();
        assert_eq!(health.status(), StatusCode::OK);
        let sent = other.was_served().await;
        eprintln!("beside {} idle connections: {sent:?}", idle.len());
        drop(idle);
        gateway.stop().await.unwrap();
        bed.stop().await;
    });
}
