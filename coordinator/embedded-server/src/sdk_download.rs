//! The last resort: the download that Temporal's SDK does for its own tests. Its version is the SDK's choice.

use std::path::{Path, PathBuf};
use std::time::Duration;

use interlock_fault::with_causes;
use temporalio_sdk::testing::{
    EphemeralExe, EphemeralExeVersion, LocalWorkflowEnvironmentOptions, WorkflowEnvironment,
};

/// The directory that is the SDK's own, within the cache.
fn directory(cache: &Path) -> PathBuf {
    cache.join("temporal-cli").join("sdk")
}

/// The version to ask for: pinned, as that of the install by pip is, since an SDK release's default moves.
const VERSION: &str = "v1.9.1";

/// Where the SDK leaves the binary.
pub(super) fn downloaded_path(cache: &Path) -> PathBuf {
    directory(cache).join(format!("temporal-cli-{VERSION}"))
}

/// How long the download may take over a slow line.
const DOWNLOAD_LIMIT: Duration = Duration::from_mins(15);

/// A value that the CLI refuses, so that it ends at once with one line on stderr. The SDK has no call that only
/// downloads, and the server that it would start writes to this process's stdout, which belongs to data.
const DOWNLOAD_ONLY: [&str; 2] = ["--search-attribute", "InterlockOnly=Download"];

/// Downloads the CLI. The error is half a sentence: why it did not work. The caller holds the install lock and checks
/// the binary; the SDK itself checks no hash, but HTTPS, and renames the file when it is whole.
pub(super) async fn download(cache: &Path, say: &(dyn Fn(&str) + Sync)) -> Result<PathBuf, String> {
    let directory = directory(cache);
    std::fs::create_dir_all(&directory).map_err(|error| format!("creating {} failed: {error}", directory.display()))?;
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
    // The start fails either way; whether the file is there says whether the download did.
    match started {
        _ if path.is_file() => Ok(path),
        Ok(Err(error)) => Err(format!("the download by Temporal's SDK failed: {}", with_causes(&error))),
        Ok(Ok(_)) => Err("Temporal's SDK downloaded the CLI to an unexpected place".to_owned()),
        Err(_) => {
            Err(format!("the download by Temporal's SDK took more than {} minutes", DOWNLOAD_LIMIT.as_secs() / 60))
        }
    }
}
