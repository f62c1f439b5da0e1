//! A declarative target that requires a client certificate.
#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

mod declarative;

use std::sync::Arc;

use declarative::{call, described, file, outcome};
use interlock_adapters::{Adapter, install_crypto_provider};
use interlock_domain::error_code::ErrorCode;
use interlock_domain::outcome::Outcome;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::RootCertStore;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// A certificate and its key, in PEM.
struct Shown {
    certificate: String,
    key: String,
    der: (CertificateDer<'static>, PrivateKeyDer<'static>),
}

fn authority() -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

fn signed(authority: &CertifiedIssuer<'static, KeyPair>) -> Shown {
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    let certificate = params.signed_by(&key, authority).unwrap();
    let der = (certificate.der().clone(), PrivateKeyDer::try_from(key.serialize_der()).unwrap());
    Shown { certificate: certificate.pem(), key: key.serialize_pem(), der }
}

/// A server that answers 200 to clients with a certificate of this authority. Returns its address.
async fn target(authority: &CertifiedIssuer<'static, KeyPair>) -> String {
    let mut roots = RootCertStore::empty();
    roots.add(authority.der().clone()).unwrap();
    let verifier = WebPkiClientVerifier::builder(Arc::new(roots)).build().unwrap();
    let (certificate, key) = signed(authority).der;
    let config = rustls::ServerConfig::builder()
        .with_client_cert_verifier(verifier)
        .with_single_cert(vec![certificate], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            // A client without a certificate gets no connection.
            let Ok(mut stream) = acceptor.accept(stream).await else { continue };
            let mut buffer = [0; 4096];
            let _ = stream.read(&mut buffer).await.unwrap();
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").await.unwrap();
            stream.shutdown().await.unwrap();
        }
    });
    format!("https://{address}")
}

fn text(tls: &str) -> String {
    format!(
        "describes = \"x\"\n[tls]\n{tls}\n[operations.put.request]\nmethod = \"POST\"\npath = \"put\"\n\
         responses = [{{ status = 200, class = \"done\" }}, {{ class = \"ambiguous\" }}]\n"
    )
}

#[tokio::test]
async fn the_client_certificate_is_sent_and_the_targets_certificate_is_checked() {
    install_crypto_provider();
    let ours = authority();
    let url = target(&ours).await;
    let client = signed(&ours);
    let files = [file(&ours.pem()), file(&client.certificate), file(&client.key)];
    let place = |index: usize| format!("{{ file = {:?} }}", files[index].path());
    let trust = format!("certificate_authority = {}", place(0));
    let shown = format!("{trust}\nclient_certificate = {}\nclient_key = {}", place(1), place(2));

    let adapter = described(&text(&shown), &url).unwrap();
    assert_eq!(outcome(&adapter, "put", json!({})).await, "done");

    let silent = described(&text(&trust), &url).unwrap();
    let Outcome::Unavailable { cause: Some(cause), detail, .. } = silent.call(&call("put", json!({}))).await else {
        panic!("the target did not read the request, and a person must correct the certificate");
    };
    assert_eq!(cause, ErrorCode::ClientCertificateRejected, "{detail}");

    let other = file(&authority().pem());
    let distrustful = shown.replace(&place(0), &format!("{{ file = {:?} }}", other.path()));
    let adapter = described(&text(&distrustful), &url).unwrap();
    assert_eq!(outcome(&adapter, "put", json!({})).await, "unavailable");
}

#[tokio::test]
async fn an_invalid_certificate_is_reported_at_the_start() {
    let nonsense = file("open sesame");
    let place = format!("{{ file = {:?} }}", nonsense.path());
    for tls in
        [format!("certificate_authority = {place}"), format!("client_certificate = {place}\nclient_key = {place}")]
    {
        let error = described(&text(&tls), "https://127.0.0.1:1").err().unwrap();
        assert_eq!(error.code(), "target_secret_missing");
        assert!(!error.to_string().contains("sesame"), "{error}");
    }
}
