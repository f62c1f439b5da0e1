//! The sandbox targets, each a server with its own port.

use std::time::Duration;

use interlock_adapters::sandbox::{self, Sandbox, SandboxError, SandboxOptions};
use interlock_adapters::{AdapterKind, TargetSettings};
use interlock_domain::error_code::ErrorCode;
use interlock_domain::ids::TargetId;
use interlock_fault::Fault;
use interlock_settings::Settings;
use url::Url;

/// The targets of the reference catalog, and the adapter for each sandbox.
const TARGETS: [(&str, AdapterKind); 3] =
    [("hss", AdapterKind::Pyhss), ("crm", AdapterKind::Json), ("notify", AdapterKind::Json)];

/// The running sandbox targets.
#[derive(Default)]
pub struct Sandboxes {
    running: Vec<(TargetId, Sandbox)>,
}

impl Sandboxes {
    /// Starts one for each target of the reference catalog that the settings do not configure, and adds it to the
    /// settings.
    ///
    /// # Errors
    /// [`Fault`] `sandbox_listen_failed`.
    pub async fn start(settings: &mut Settings, hss_latency: Duration) -> Result<Self, Fault> {
        let mut sandboxes = Self::default();
        for (name, adapter) in TARGETS {
            let target: TargetId = name.parse().map_err(|error| sandbox_fault(&error, name))?;
            if settings.targets.contains_key(&target) {
                continue;
            }
            let started = match name {
                "hss" => sandbox::hss(SandboxOptions { latency: hss_latency, ..SandboxOptions::default() }).await,
                "crm" => sandbox::crm(SandboxOptions::default()).await,
                _ => sandbox::sms(SandboxOptions::default()).await,
            };
            let sandbox = started.map_err(|error: SandboxError| sandbox_fault(&error, name))?;
            let url = Url::parse(&sandbox.base_url()).map_err(|error| sandbox_fault(&error, name))?;
            settings.targets.insert(target.clone(), TargetSettings::new(adapter, url));
            sandboxes.running.push((target, sandbox));
        }
        Ok(sandboxes)
    }

    /// The sandbox that replaces a target.
    pub fn get(&self, target: &str) -> Option<&Sandbox> {
        self.running.iter().find(|(name, _)| name.as_str() == target).map(|(_, sandbox)| sandbox)
    }

    /// Each sandbox with the target that it replaces.
    pub fn iter(&self) -> impl Iterator<Item = (&TargetId, &Sandbox)> {
        self.running.iter().map(|(target, sandbox)| (target, sandbox))
    }

    /// Stops them all.
    pub async fn stop(self) {
        for (_, sandbox) in self.running {
            sandbox.shutdown().await;
        }
    }
}

fn sandbox_fault(error: &dyn std::fmt::Display, name: &str) -> Fault {
    Fault::failed(ErrorCode::SandboxListenFailed, format!("The sandbox target for '{name}' cannot start: {error}."))
        .with_next("Check that this process may listen on loopback ports.")
}
