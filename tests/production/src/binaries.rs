//! The programs: PostgreSQL as Debian installs it, and the Temporal server, built from its Go module into Interlock's cache.

use std::ffi::OsStr;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};

use interlock_embedded_server::CliSearch;
use tokio::process::Command;

use crate::error::ProductionServerError;

/// The version of the Temporal server that is built.
pub const SERVER_VERSION: &str = "1.32.2";

const GO_IS_MISSING: ProductionServerError = ProductionServerError::Missing {
    program: "Go",
    install: "Install Go 1.21 or newer (https://go.dev/doc/install, or Debian's package `golang`); the version that the server needs comes \
              through Go's module proxy.",
};
const POSTGRES_IS_MISSING: ProductionServerError = ProductionServerError::Missing {
    program: "PostgreSQL's server",
    install: "Install PostgreSQL 15 or newer (Debian's package `postgresql`).",
};

/// Where the programs are.
#[derive(Debug, Clone)]
pub struct Binaries {
    /// The directory of `initdb`, `postgres` and `psql`.
    pub(crate) postgres: PathBuf,
    /// The Temporal server.
    pub(crate) server: PathBuf,
    /// Temporal's tool for SQL schemas.
    pub(crate) sql_tool: PathBuf,
    /// The directory that has the schemas `temporal` and `visibility` for PostgreSQL.
    pub(crate) schemas: PathBuf,
}

impl Binaries {
    /// Finds PostgreSQL, and the Temporal server in Interlock's cache. If the server is not there, it is built: about 7 minutes of CPU time.
    /// `say` is told so. Of several processes, one builds and the others wait.
    ///
    /// # Errors
    /// [`ProductionServerError::Missing`] if Go or PostgreSQL is missing, `Command` if the build fails, `File`.
    pub async fn find_or_build(say: &(dyn Fn(&str) + Sync)) -> Result<Self, ProductionServerError> {
        let postgres = find_postgres()?;
        let cache = CliSearch::new(None, std::env::var_os("INTERLOCK_CACHE_DIR").map(PathBuf::from), false)?.cache_dir;
        let directory = cache.join("temporal-server").join(SERVER_VERSION);
        let file_error = |source| ProductionServerError::File { path: directory.clone(), source };
        std::fs::create_dir_all(&directory).map_err(file_error)?;
        let lock = File::create(directory.join("build.lock")).map_err(file_error)?;
        let lock = tokio::task::spawn_blocking(move || lock.lock().map(|()| lock)).await;
        let _lock = lock.map_err(|join| file_error(std::io::Error::other(join)))?.map_err(file_error)?;
        let of = |name: &str| directory.join(name);
        let found = Self { postgres, server: of("server"), sql_tool: of("sql"), schemas: of("schema") };
        if !found.schemas.is_dir() {
            say(&format!("Building the Temporal server {SERVER_VERSION} (about 7 minutes of CPU time)."));
            build(&directory).await?;
        }
        Ok(found)
    }
}

/// Builds both programs, then copies the schemas. The directory of the schemas is the sign that everything is there.
async fn build(directory: &Path) -> Result<(), ProductionServerError> {
    find_go().await?;
    let version = format!("go.temporal.io/server/cmd/server@v{SERVER_VERSION}");
    let sql = format!("go.temporal.io/server/cmd/tools/sql@v{SERVER_VERSION}");
    let mut install = Command::new("go");
    install.args(["install", &version, &sql]).env("GOBIN", directory).env("GOTOOLCHAIN", "auto").env_remove("GOFLAGS");
    output(&mut install, "building the Temporal server").await?;
    let mut download = Command::new("go");
    download.args(["mod", "download", "-json", &format!("go.temporal.io/server@v{SERVER_VERSION}")]);
    download.env("GOTOOLCHAIN", "auto").env_remove("GOFLAGS").current_dir(directory);
    let what = "finding the server's schemas";
    let module = output(&mut download, what).await?.stdout;
    let module: serde_json::Value = serde_json::from_slice(&module)
        .map_err(|error| ProductionServerError::Command { what: what.to_owned(), reason: error.to_string() })?;
    let module = PathBuf::from(module["Dir"].as_str().unwrap_or_default());
    let partial = directory.join(".schema");
    let mut copy = Command::new("cp");
    // "-T": into what an interrupted build may have left, not beneath it.
    copy.args(["-rT", "--no-preserve=mode"]).arg(module.join("schema/postgresql/v12")).arg(&partial);
    output(&mut copy, "copying the server's schemas").await?;
    let schemas = directory.join("schema");
    std::fs::rename(&partial, &schemas).map_err(|source| ProductionServerError::File { path: schemas, source })
}

async fn find_go() -> Result<(), ProductionServerError> {
    let version = Command::new("go").arg("version").stdin(Stdio::null()).output().await;
    match version {
        Ok(output) if output.status.success() => Ok(()),
        _ => Err(GO_IS_MISSING),
    }
}

/// The directory of the newest PostgreSQL: Debian's place, which is not on PATH, or PATH.
fn find_postgres() -> Result<PathBuf, ProductionServerError> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().filter_map(Result::ok);
    let mut candidates: Vec<(u32, PathBuf)> = versions
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin"))))
        .collect();
    candidates.sort();
    let in_path = std::env::var_os("PATH").unwrap_or_default();
    let debian = candidates.into_iter().rev().map(|(_, directory)| directory);
    let has_all =
        |directory: &PathBuf| ["initdb", "postgres", "psql"].iter().all(|name| directory.join(name).is_file());
    debian.chain(std::env::split_paths(&in_path)).find(has_all).ok_or(POSTGRES_IS_MISSING)
}

/// Runs a command to its end.
pub(crate) async fn output(command: &mut Command, what: &str) -> Result<Output, ProductionServerError> {
    let failed = |reason| ProductionServerError::Command { what: what.to_owned(), reason };
    let output =
        command.stdin(Stdio::null()).kill_on_drop(true).output().await.map_err(|error| failed(error.to_string()))?;
    if output.status.success() {
        return Ok(output);
    }
    let text = String::from_utf8_lossy(&output.stderr);
    let lines: Vec<&str> = text.lines().collect();
    Err(failed(format!("{}: {}", output.status, lines[lines.len().saturating_sub(5)..].join(" / "))))
}

/// A command that runs as the user whom PostgreSQL accepts: it refuses root. Debian's package makes the user `postgres`.
pub(crate) fn as_postgres_user(program: &OsStr) -> (PathBuf, Vec<std::ffi::OsString>) {
    if nix::unistd::geteuid().is_root() {
        let options = ["--reuid=postgres", "--regid=postgres", "--init-groups", "--"];
        let mut arguments: Vec<std::ffi::OsString> = options.iter().map(Into::into).collect();
        arguments.push(program.to_owned());
        (PathBuf::from("setpriv"), arguments)
    } else {
        (PathBuf::from(program), Vec::new())
    }
}
