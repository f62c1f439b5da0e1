use rcgen::{CertifiedKey, generate_simple_self_signed};

use super::*;

/// Files of a certificate for this machine.
struct Files {
    directory: tempfile::TempDir,
}

impl Files {
    fn new() -> Self {
        Self { directory: tempfile::tempdir().unwrap() }
    }

    fn settings(&self) -> TlsSettings {
        let path = |name: &str| self.directory.path().join(name);
        let reload_interval = Duration::from_millis(20);
        TlsSettings { certificate: path("tls.crt"), key: path("tls.key"), reload_interval }
    }

    /// Writes a new pair; its certificate.
    fn renew(&self) -> String {
        let CertifiedKey { cert, signing_key } = generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        std::fs::write(self.settings().key, signing_key.serialize_pem()).unwrap();
        std::fs::write(self.settings().certificate, cert.pem()).unwrap();
        cert.pem()
    }
}

/// A GET by a caller that trusts this certificate, on a new connection without session resumption.
async fn get(url: &str, trusted: &str) -> reqwest::Result<String> {
    interlock_adapters::install_crypto_provider();
    let trusted = reqwest::Certificate::from_pem(trusted.as_bytes()).unwrap();
    let caller = reqwest::Client::builder().no_proxy().tls_certs_only([trusted]).build().unwrap();
    caller.get(url).send().await?.text().await
}

#[tokio::test]
async fn a_certificate_is_shown_and_another_once_the_files_change() {
    let files = Files::new();
    let first = files.renew();
    let settings: &'static TlsSettings = Box::leak(Box::new(files.settings()));
    let attacked = attacked_with(|_| {}, |options| options.tls(Some(settings))).await;
    let url = format!("https://localhost:{}/quick", attacked.service.address().port());
    assert!(attacked.service.url().starts_with("https://"));
    assert_eq!(get(&url, &first).await.unwrap(), "done");

    // Files that cannot be used change nothing.
    std::fs::write(files.settings().certificate, "half a certif").unwrap();
    for _ in 0..10 {
        assert!(get(&url, &first).await.is_ok(), "the one before is kept");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }

    let second = files.renew();
    let changed = async { while get(&url, &second).await.is_err() {} };
    in_time(changed).await;
    assert!(get(&url, &first).await.is_err(), "the old certificate is not shown any more");
}

#[tokio::test]
async fn who_does_not_speak_tls_is_not_served_and_who_says_nothing_is_closed() {
    let files = Files::new();
    let certificate = files.renew();
    let settings: &'static TlsSettings = Box::leak(Box::new(files.settings()));
    let attacked = attacked_with(
        |settings| settings.header_timeout = Duration::from_millis(200),
        |options| options.tls(Some(settings)),
    )
    .await;
    let (status, text) = attacked.get("/quick").await;
    assert!(status == 0 && !text.contains("done"), "{text}");
    let mut silent = attacked.connect().await;
    assert_eq!(answer_on(&mut silent).await.0, 0);
    let url = format!("https://localhost:{}/quick", attacked.service.address().port());
    assert_eq!(get(&url, &certificate).await.unwrap(), "done");
}

#[tokio::test]
async fn files_that_cannot_be_used_stop_the_service_before_it_listens() {
    let files = Files::new();
    let start = async |settings: &TlsSettings| {
        let http = HttpSettings::default();
        let options = HttpOptions::new(&http, http.front_door(loopback())).tls(Some(settings));
        HttpService::start(loopback(), Router::new(), options).await.err().map(|fault| (fault.code, fault.message))
    };
    let (code, message) = start(&files.settings()).await.unwrap();
    assert_eq!(code, ErrorCode::TlsUnusable);
    assert!(message.contains("tls.crt"), "{message}");
    // The key of another certificate.
    let _of_first = files.renew();
    let key = std::fs::read(files.settings().key).unwrap();
    let _of_second = files.renew();
    std::fs::write(files.settings().key, key).unwrap();
    assert_eq!(start(&files.settings()).await.unwrap().0, ErrorCode::TlsUnusable);
    std::fs::write(files.settings().key, "").unwrap();
    assert!(start(&files.settings()).await.unwrap().1.contains("tls.key"));
}
