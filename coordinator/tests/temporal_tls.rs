//! TLS to Temporal, as a server behind a TLS end has it: with a certificate authority of one's own, with client certificates, and wrong.
#![allow(clippy::unwrap_used)]

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Output;
use std::sync::Arc;

use interlock_coordinator::local::cli_search;
use interlock_embedded_server::{EmbeddedServer, EmbeddedServerOptions, find_or_install};
use interlock_settings::Settings;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::RootCertStore;
use rustls::pki_types::PrivateKeyDer;
use rustls::server::WebPkiClientVerifier;
use serde_json::Value;
use tempfile::TempDir;
use tokio::net::{TcpListener, TcpStream};
use tokio::process::Command;
use tokio_rustls::TlsAcceptor;

/// An authority, and the folder with the files that commands read.
struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    folder: TempDir,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let authority = Self { issuer, folder: tempfile::tempdir().unwrap() };
        std::fs::write(authority.file("ca.pem"), authority.issuer.pem()).unwrap();
        let key = KeyPair::generate().unwrap();
        let client =
            CertificateParams::new(vec!["client".to_owned()]).unwrap().signed_by(&key, &authority.issuer).unwrap();
        std::fs::write(authority.file("client.pem"), client.pem()).unwrap();
        std::fs::write(authority.file("client.key"), key.serialize_pem()).unwrap();
        authority
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A TLS end before a server, for this name. With `asks_clients` it demands certificates of this authority.
    async fn tls_end(&self, name: &str, asks_clients: bool, server: SocketAddr) -> SocketAddr {
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(vec![name.to_owned()]).unwrap().signed_by(&key, &self.issuer).unwrap();
        let builder = rustls::ServerConfig::builder();
        let builder = if asks_clients {
            let mut roots = RootCertStore::empty();
            roots.add(self.issuer.der().clone()).unwrap();
            builder.with_client_cert_verifier(WebPkiClientVerifier::builder(Arc::new(roots)).build().unwrap())
        } else {
            builder.with_no_client_auth()
        };
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let mut config = builder.with_single_cert(vec![certificate.der().clone()], key).unwrap();
        config.alpn_protocols = vec![b"h2".to_vec()];
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let acceptor = acceptor.clone();
                tokio::spawn(async move {
                    // A client whose certificate is refused, or that refuses ours, gets no further.
                    let Ok(mut stream) = acceptor.accept(stream).await else { return };
                    let mut server = TcpStream::connect(server).await.unwrap();
                    let _ended = tokio::io::copy_bidirectional(&mut stream, &mut server).await;
                });
            }
        });
        address
    }
}

/// Prepares the server at this address: a command that needs it and changes nothing the second time.
async fn prepare(address: SocketAddr, arguments: &[&str]) -> Output {
    command("bootstrap", address, arguments).await
}

/// What the doctor finds about a check of the connection to this address: the level and what it says, for each finding.
async fn examined(check: &str, address: SocketAddr, arguments: &[&str]) -> Vec<(String, String)> {
    let output = command("doctor", address, arguments).await;
    let report: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", said(&output)));
    let findings = report["findings"].as_array().unwrap().iter().filter(|finding| finding["check"] == check);
    let words = |finding: &Value| ["level", "detail"].map(|name| finding[name].as_str().unwrap().to_owned());
    findings.map(|finding| words(finding).into()).collect()
}

async fn command(name: &str, address: SocketAddr, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_interlock"))
        .args([name, "--output", "json", "--client-connect-timeout", "5s"])
        .args(["--address", &address.to_string()])
        .args(arguments)
        .env_clear()
        .env("INTERLOCK_QUEUE_SHARDS", "1")
        .current_dir(std::env::temp_dir())
        .output()
        .await
        .unwrap()
}

fn said(output: &Output) -> String {
    format!(
        "{:?} {}{}",
        output.status.code(),
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

#[tokio::test]
async fn commands_reach_temporal_through_tls_with_the_right_certificates_and_say_so_with_wrong_ones() {
    interlock_adapters::install_crypto_provider();
    let cli = find_or_install(&cli_search(&Settings::from_environment().unwrap()).unwrap(), &|_| {}).await.unwrap();
    let server = EmbeddedServer::start(&cli, EmbeddedServerOptions::default()).await.unwrap();
    let behind: SocketAddr = server.address().parse().unwrap();
    let (ours, other) = (Authority::new(), Authority::new());
    let path = |authority: &Authority, name: &str| authority.file(name).display().to_string();
    let (ca, foreign_ca) = (path(&ours, "ca.pem"), path(&other, "ca.pem"));
    let (certificate, key) = (path(&ours, "client.pem"), path(&ours, "client.key"));
    let (foreign_certificate, foreign_key) = (path(&other, "client.pem"), path(&other, "client.key"));
    let by_ca = ["--tls-ca-path", ca.as_str(), "--tls-server-name", "temporal.test"];
    let with = |certificate: &str, key: &str| {
        let client = ["--tls-cert-path", certificate, "--tls-key-path", key].map(str::to_owned);
        by_ca.iter().map(|argument| (*argument).to_owned()).chain(client).collect::<Vec<String>>()
    };

    let end = ours.tls_end("temporal.test", false, behind).await;
    let output = prepare(end, &by_ca).await;
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    for wrong in [
        vec!["--tls-ca-path", foreign_ca.as_str(), "--tls-server-name", "temporal.test"],
        vec!["--tls-ca-path", ca.as_str(), "--tls-server-name", "other.test"],
        vec!["--tls=false"],
    ] {
        let output = prepare(end, &wrong).await;
        assert_eq!(output.status.code(), Some(1), "{wrong:?}: {}", said(&output));
        assert!(said(&output).contains("temporal_unreachable"), "{wrong:?}: {}", said(&output));
    }

    let found = examined("tls", end, &by_ca).await;
    assert!(matches!(&found[..], [(level, detail)] if level == "ok" && detail.contains("the named CA")), "{found:?}");
    let by_foreign_ca = ["--tls-ca-path", foreign_ca.as_str(), "--tls-server-name", "temporal.test"];
    let found = examined("connection", end, &by_foreign_ca).await;
    assert!(matches!(&found[..], [(level, _)] if level == "error"), "{found:?}");

    let mutual = ours.tls_end("temporal.test", true, behind).await;
    let client = with(&certificate, &key);
    let output = prepare(mutual, &client.iter().map(String::as_str).collect::<Vec<_>>()).await;
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let found = examined("tls", mutual, &client.iter().map(String::as_str).collect::<Vec<_>>()).await;
    assert!(matches!(&found[..], [(_, detail)] if detail.contains("with a client certificate")), "{found:?}");
    let foreign = with(&foreign_certificate, &foreign_key);
    for wrong in [by_ca.to_vec(), foreign.iter().map(String::as_str).collect()] {
        let output = prepare(mutual, &wrong).await;
        assert_eq!(output.status.code(), Some(1), "{wrong:?}: {}", said(&output));
        let found = examined("connection", mutual, &wrong).await;
        assert!(matches!(&found[..], [(level, _)] if level == "error"), "{wrong:?}: {found:?}");
    }
    server.stop().await.unwrap();
}
