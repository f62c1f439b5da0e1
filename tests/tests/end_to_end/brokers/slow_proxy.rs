//! A proxy in front of Temporal that is slow, or cuts every connection.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// The proxy.
pub struct SlowProxy {
    address: String,
    is_cut: Arc<watch::Sender<bool>>,
}

impl SlowProxy {
    /// Starts one: what goes through it waits for this time.
    pub async fn start(to: &str, slowed_by: Duration) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let is_cut = Arc::new(watch::channel(false).0);
        let (to, cut) = (to.trim_start_matches("http://").to_owned(), Arc::clone(&is_cut));
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let mut cut = cut.subscribe();
                if *cut.borrow() {
                    continue;
                }
                let to = to.clone();
                tokio::spawn(async move {
                    let Ok(server) = TcpStream::connect(&to).await else { return };
                    let ((from_client, to_client), (from_server, to_server)) =
                        (client.into_split(), server.into_split());
                    tokio::select! {
                        () = pass(from_client, to_server, slowed_by) => {}
                        () = pass(from_server, to_client, Duration::ZERO) => {}
                        _ = cut.wait_for(|is_cut| *is_cut) => {}
                    }
                });
            }
        });
        Self { address, is_cut }
    }

    /// Its address.
    pub fn address(&self) -> String {
        self.address.clone()
    }

    /// Cuts all connections, and refuses new ones.
    pub fn cut(&self) {
        self.is_cut.send_replace(true);
    }

    /// Lets connections through again.
    pub fn mend(&self) {
        self.is_cut.send_replace(false);
    }
}

async fn pass(mut from: impl AsyncReadExt + Unpin, mut to: impl AsyncWriteExt + Unpin, slowed_by: Duration) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(length) = from.read(&mut buffer).await {
        if length == 0 {
            return;
        }
        tokio::time::sleep(slowed_by).await;
        if to.write_all(&buffer[..length]).await.is_err() {
            return;
        }
    }
}
