//! `--watch`: lists that are read again and again, on a terminal, in a pipe, and as JSON lines.

use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex};

use nix::pty::{Winsize, openpty};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use tempfile::NamedTempFile;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};
use tokio::task::{JoinHandle, JoinSet};

use crate::command::{INTERLOCK, prepared};
use crate::events::{assigned, unassigned};
use crate::scene::{Scene, number};
use crate::testbed::{run, shared};
use crate::waiting::{until, until_true};

/// What a process wrote so far.
#[derive(Clone, Default)]
pub struct Written(Arc<Mutex<Vec<u8>>>);

impl Written {
    /// Collects what comes.
    pub fn from(mut source: impl AsyncRead + Send + Unpin + 'static) -> Self {
        let written = Self::default();
        let into = written.clone();
        tokio::spawn(async move {
            let mut buffer = vec![0; 65_536];
            // A terminal whose last process has ended answers with an error.
            while let Ok(read @ 1..) = source.read(&mut buffer).await {
                into.0.lock().unwrap().extend_from_slice(&buffer[..read]);
            }
        });
        written
    }

    /// As text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap()).into_owned()
    }

    /// As JSON lines; one that is not whole yet is left out.
    fn lines(&self) -> Vec<Value> {
        let text = self.text();
        let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
        whole.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}"))).collect()
    }
}

/// A command that runs until it gets a signal.
struct Watching {
    child: Child,
    stdout: Written,
    stderr: Written,
    _catalog: NamedTempFile,
}

impl Watching {
    fn start(scene: &Scene<'_>, temporal: &str, arguments: &[&str]) -> Self {
        let (mut command, catalog) = prepared(scene, temporal, Path::new(INTERLOCK), arguments);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (stdout, stderr) =
            (Written::from(child.stdout.take().unwrap()), Written::from(child.stderr.take().unwrap()));
        Self { child, stdout, stderr, _catalog: catalog }
    }

    /// Presses Ctrl-C, and waits for the end.
    async fn interrupted(mut self) -> ExitStatus {
        kill(pid(&self.child), Signal::SIGINT).unwrap();
        self.child.wait().await.unwrap()
    }
}

fn pid(child: &Child) -> Pid {
    Pid::from_raw(child.id().expect("it runs").try_into().unwrap())
}

/// The server at another address that can be switched off.
struct Line {
    address: String,
    serving: JoinHandle<()>,
}

impl Line {
    async fn to(server: &str, address: &str) -> Self {
        let listener = until("a free port", || async { TcpListener::bind(address).await.ok() }).await;
        let (address, server) = (listener.local_addr().unwrap().to_string(), server.to_owned());
        let serving = tokio::spawn(async move {
            // Dropped with this task, and the connections with it.
            let mut connections = JoinSet::new();
            loop {
                let (mut near, _) = listener.accept().await.unwrap();
                let mut far = TcpStream::connect(&server).await.unwrap();
                connections.spawn(async move { tokio::io::copy_bidirectional(&mut near, &mut far).await });
            }
        });
        Self { address, serving }
    }

    async fn cut(self) {
        self.serving.abort();
        assert!(self.serving.await.unwrap_err().is_cancelled());
    }
}

#[test]
fn a_watched_list_of_orders_has_a_json_line_for_each_change() {
    run(async {
        let scene = Scene::on(shared().await);
        let (first, second, number) = (scene.customer("first"), scene.customer("second"), number());
        scene.done(&assigned(&first, &number)).await;
        let arguments = ["order", "list", "--watch", "1", "-o", "jsonl"];
        let watching = Watching::start(&scene, &scene.bed.platform.temporal_address(), &arguments);
        let waiting = scene.submit(&assigned(&second, &number)).await;
        let told = async |change: &str| {
            until(format!("a line '{change}': {}", watching.stderr.text()), || async {
                let lines = watching.stdout.lines();
                lines
                    .into_iter()
                    .find(|line| line["change"] == change && line["order"]["order_id"] == *waiting.as_str())
            })
            .await
        };
        let appeared = told("appeared").await;
        assert_eq!(appeared["order"]["customer_id"], *second.id, "{appeared}");
        assert!(appeared["at"].is_string(), "{appeared}");
        scene.submit(&unassigned(&first, &number)).await;
        scene.completed(std::slice::from_ref(&waiting)).await;
        told("left").await;
        let lines = watching.stdout.lines().len();
        assert_eq!(watching.interrupted().await.code(), Some(0), "Ctrl-C is the usual end");
        assert!(lines < 12, "{lines} lines: an order that stays as it is has none");
    });
}

#[test]
fn a_watched_list_in_a_pipe_is_one_snapshot_after_the_other_without_escape_codes() {
    run(async {
        let scene = Scene::on(shared().await);
        let arguments = ["target", "list", "--watch=1"];
        let mut watching = Watching::start(&scene, &scene.bed.platform.temporal_address(), &arguments);
        let headings = |text: &str| text.matches("Every 1s: interlock target list  20").count();
        until_true("two snapshots", || headings(&watching.stdout.text()) >= 2).await;
        let text = watching.stdout.text();
        assert!(!text.contains('\x1b') && text.contains("hss") && text.contains("last probe"), "{text}");
        kill(pid(&watching.child), Signal::SIGTERM).unwrap();
        assert_eq!(watching.child.wait().await.unwrap().code(), Some(0));
        assert_eq!(watching.stderr.text(), "");
    });
}

#[test]
fn a_watched_list_ends_when_nobody_reads_it() {
    run(async {
        let scene = Scene::on(shared().await);
        let temporal = scene.bed.platform.temporal_address();
        let (mut command, _catalog) =
            prepared(&scene, &temporal, Path::new(INTERLOCK), &["order", "list", "--watch", "1"]);
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut stdout = child.stdout.take().unwrap();
        stdout.read_exact(&mut [0; 8]).await.unwrap();
        drop(stdout);
        let status = until("the end", || std::future::ready(child.try_wait().unwrap())).await;
        assert_eq!(status.code(), Some(0));
    });
}

#[test]
fn a_watched_list_is_shown_in_place_on_a_terminal() {
    run(async {
        let scene = Scene::on(shared().await);
        let size = Winsize { ws_row: 12, ws_col: 60, ws_xpixel: 0, ws_ypixel: 0 };
        let terminal = openpty(Some(&size), None).unwrap();
        let stdout = Written::from(tokio::fs::File::from_std(std::fs::File::from(terminal.master)));
        let temporal = scene.bed.platform.temporal_address();
        let arguments = ["order", "list", "--state", "held", "--watch", "1"];
        let (mut command, _catalog) = prepared(&scene, &temporal, Path::new(INTERLOCK), &arguments);
        let mut child = on_terminal(&mut command, terminal.slave).spawn().unwrap();
        until_true("three frames", || stdout.text().matches("\x1b[H").count() >= 3).await;
        kill(pid(&child), Signal::SIGINT).unwrap();
        assert_eq!(child.wait().await.unwrap().code(), Some(0));
        drop(command);
        let text = stdout.text();
        let frame = text.split("\x1b[H").nth(2).unwrap();
        assert!(frame.starts_with("Every 1s: interlock order list --tenant"), "{frame:?}");
        assert!(frame.contains("no open orders\x1b[K"), "{frame:?}");
        let widest = frame.lines().map(|line| line.trim_end().trim_end_matches("\x1b[K").chars().count()).max();
        assert!(widest <= Some(60), "{frame:?}");
        assert!(frame.lines().count() <= 12, "{frame:?}");
    });
}

fn on_terminal(command: &mut Command, terminal: OwnedFd) -> &mut Command {
    command.env("TERM", "xterm").stdout(Stdio::from(terminal))
}

#[test]
fn a_list_that_cannot_be_read_is_reported_and_read_again() {
    run(async {
        let scene = Scene::on(shared().await);
        let server = scene.bed.platform.temporal_address();
        let line = Line::to(&server, "127.0.0.1:0").await;
        let address = line.address.clone();
        line.cut().await;
        let arguments = ["order", "list", "--watch", "1", "--client-connect-timeout", "1s", "-o", "json"];
        let mut watching = Watching::start(&scene, &address, &arguments);
        let failures = || watching.stderr.text().matches("\"code\":\"temporal_un").count();
        let snapshots = || watching.stdout.text().matches("\"orders\"").count();
        until_true("a failure before the first snapshot", || failures() > 0).await;
        assert_eq!(snapshots(), 0);

        let line = Line::to(&server, &address).await;
        until_true("a snapshot", || snapshots() > 0).await;
        line.cut().await;
        let before = failures();
        until_true("a failure after a snapshot", || failures() > before).await;
        let before = snapshots();
        let line = Line::to(&server, &address).await;
        until_true("another snapshot", || snapshots() > before).await;
        assert_eq!(watching.child.try_wait().unwrap(), None, "it never ended");
        assert_eq!(watching.interrupted().await.code(), Some(0));
        line.cut().await;
    });
}

#[test]
fn a_wrong_command_is_not_tried_again() {
    run(async {
        let scene = Scene::on(shared().await);
        for (arguments, code) in [
            (["order", "list", "--watch", "1", "--profile", "unknown", "--config-file", "/dev/null"].as_slice(), 2),
            (&["order", "list", "--watch", "0"], 2),
            (&["order", "list", "--watch", "1", "--cursor", "x"], 2),
        ] {
            let said = crate::command::interlock(&scene, arguments).await;
            assert_eq!(said.code, code, "{arguments:?}: {}", said.stderr);
        }
    });
}
