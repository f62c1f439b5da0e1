//! The last resort: the download that Temporal's SDK uses for its own tests. The SDK decides how. Only with the feature `sdk-download`, since it
//! brings an HTTP client and archive formats that nothing else here needs.

use std::path::{Path, PathBuf};

/// The SDK's own directory within the cache.
fn directory(cache: &Path) -> PathBuf {
    cache.join("temporal-cli").join("sdk")
}

/// The version to request: pinned, like that of the install by pip, because the default changes with SDK releases.
const VERSION: &str = "v1.9.1";

/// Where the SDK puts the binary.
pub(super) fn downloaded_path(cache: &Path) -> PathBuf {
    directory(cache).join(format!("temporal-cli-{VERSION}"))
}

#[cfg(feature = "sdk-download")]
pub(super) use with_sdk::download;

/// The same without the SDK: an explanation.
#[cfg(not(feature = "sdk-download"))]
#[allow(clippy::unused_async, reason = "as the one that downloads")]
pub(super) async fn download(_cache: &Path, _say: &(dyn Fn(&str) + Sync)) -> Result<PathBuf, String> {
    Err("this build has no other way (it is built without the feature `sdk-download`)".to_owned())
}

#[cfg(feature = "sdk-download")]
mod with_sdk {
    use std::path::{Path, PathBuf};
    use std::time::Duration;

    use interlock_fault::with_causes;
    use temporalio_sdk::testing::{
        EphemeralExe, EphemeralExeVersion, LocalWorkflowEnvironmentOptions, WorkflowEnvironment,
    };

    use super::{VERSION, directory, downloaded_path};

    /// How long the download may take over a slow connection.
    const DOWNLOAD_LIMIT: Duration = Duration::from_mins(15);

    /// A value that the CLI refuses, so that it ends at once with one line on stderr. The SDK has no call that only
    /// downloads, and the server that it would start writes to this process's stdout, which is reserved for data.
    const DOWNLOAD_ONLY: [&str; 2] = ["--search-attribute", "InterlockOnly=Download"];

    /// Downloads the CLI. The error is the second half of a sentence: why it failed. The caller holds the install lock and checks
    /// the binary; the SDK checks no hash, only HTTPS, and renames the file when it is complete.
    pub(in super::super) async fn download(cache: &Path, say: &(dyn Fn(&str) + Sync)) -> Result<PathBuf, String> {
        let directory = directory(cache);
        std::fs::create_dir_all(&directory)
            .map_err(|error| format!("creating {} failed: {error}", directory.display()))?;
        say(&format!("Downloading the Temporal CLI {VERSION} into {} with Temporal's SDK.", directory.display()));
        interlock_adapters::install_crypto_provider();
        let options = LocalWorkflowEnvironmentOptions::builder()
            .server_executable(EphemeralExe::CachedDownload {
                version: EphemeralExeVersion::Fixed(VERSION.to_owned()),
                dest_dir: Some(directory.to_string_lossy().into_owned()),
                ttl: None,
            })
            .extra_args(DOWNLOAD_ONLY.map(str::to_owned).to_vec())
            .build();
        let started = tokio::time::timeout(DOWNLOAD_LIMIT, WorkflowEnvironment::start_local(options)).await;
        let path = downloaded_path(cache);
        // The start fails in any case; whether the file exists tells whether the download succeeded.
        match started {
            _ if path.is_file() => Ok(path),
            Ok(Err(error)) => Err(format!("the download by Temporal's SDK failed: {}", with_causes(&error))),
            Ok(Ok(_)) => Err("Temporal's SDK downloaded the CLI to an unexpected place".to_owned()),
            Err(_) => {
                Err(format!("the download by Temporal's SDK took more than {} minutes", DOWNLOAD_LIMIT.as_secs() / 60))
            }
        }
    }
}
