//! TLS of a service: the certificate and the key are files, and are read again when they change.

use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};

use interlock_domain::error_code::ErrorCode;
use interlock_fault::Fault;
use interlock_settings::TlsSettings;
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use sha2::{Digest, Sha256};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

/// The files as they were read.
struct Pair {
    key: Arc<CertifiedKey>,
    digest: [u8; 32],
}

/// The certificate that is served now.
#[derive(Debug)]
struct Shown(RwLock<Arc<CertifiedKey>>);

impl ResolvesServerCert for Shown {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner)))
    }
}

/// Makes the connections of a service TLS. The files are watched until `stop`.
///
/// # Errors
/// [`Fault`] `tls_unusable`.
pub(super) fn acceptor(settings: &TlsSettings, stop: CancellationToken) -> Result<TlsAcceptor, Fault> {
    let unusable =
        |reason: String| Fault::wrong_use(ErrorCode::TlsUnusable, format!("TLS cannot be served: {reason}."));
    let pair = read(settings).map_err(unusable)?;
    let shown = Arc::new(Shown(RwLock::new(pair.key)));
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| unusable(error.to_string()))?;
    let mut config = config.with_no_client_auth().with_cert_resolver(Arc::clone(&shown) as Arc<dyn ResolvesServerCert>);
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    tokio::spawn(watch(settings.clone(), shown, pair.digest, stop));
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// Serves a new certificate once the files have one. If it cannot be used, the previous one is kept.
async fn watch(settings: TlsSettings, shown: Arc<Shown>, mut digest: [u8; 32], stop: CancellationToken) {
    let wait = || tokio::time::sleep(settings.reload_interval);
    let mut told = None;
    while stop.run_until_cancelled(wait()).await.is_some() {
        match read(&settings) {
            Ok(pair) if pair.digest == digest => {}
            Ok(pair) => {
                digest = pair.digest;
                *shown.0.write().unwrap_or_else(PoisonError::into_inner) = pair.key;
                tracing::info!(certificate = %settings.certificate.display(), "the certificate was reloaded");
                told = None;
            }
            Err(reason) => {
                if told.as_ref() != Some(&reason) {
                    tracing::error!(%reason, "the new certificate cannot be used; the previous one stays in use");
                    told = Some(reason);
                }
            }
        }
    }
}

fn read(settings: &TlsSettings) -> Result<Pair, String> {
    let text = |path: &Path| std::fs::read(path).map_err(|error| format!("{} cannot be read: {error}", path.display()));
    let (certificate, key) = (text(&settings.certificate)?, text(&settings.key)?);
    let digest = Sha256::new().chain_update(&certificate).chain_update(&key).finalize().into();
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&certificate).collect();
    let chain = chain.map_err(|error| format!("{} is not PEM: {error}", settings.certificate.display()))?;
    if chain.is_empty() {
        return Err(format!("{} has no certificate", settings.certificate.display()));
    }
    let key = PrivateKeyDer::from_pem_slice(&key)
        .map_err(|error| format!("{} has no key in PEM without a password: {error}", settings.key.display()))?;
    // This also checks that the two match.
    let key = CertifiedKey::from_der(chain, key, &ring::default_provider())
        .map_err(|error| format!("the certificate does not match the key: {error}"))?;
    Ok(Pair { key: Arc::new(key), digest })
}
