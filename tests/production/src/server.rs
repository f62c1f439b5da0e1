//! The server: its directory, its configuration, its processes.

use std::collections::BTreeMap;
use std::fs::File;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use interlock_embedded_server::{ServerProcess, log_tail};
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio::process::Command;
use url::Url;

use crate::binaries::{Binaries, output};
use crate::error::ProductionServerError;
use crate::postgres::{Postgres, USER};
use crate::readiness;
use crate::role::Role;
use crate::usage::{Usage, cpu_of};

/// The settings that Interlock asks every server for.
const DYNAMIC_CONFIG: &str = include_str!("../../../deploy/temporal/dynamicconfig.yaml");

/// The template of the configuration of a role's process.
const CONFIGURATION: &str = include_str!("configuration.yaml");

/// The databases, and the folder of each one's schema.
const DATABASES: [(&str, &str); 2] = [("temporal", "temporal"), ("temporal_visibility", "visibility")];

/// How long the server may take until all its roles answer.
const START_LIMIT: Duration = Duration::from_mins(2);
/// The ports that may be chosen.
const PORTS: std::ops::Range<u16> = 15_000..32_000;
/// How many ports are tried.
const PORT_ATTEMPTS_MAX: usize = 100;
/// The time between two attempts to reach it.
const ATTEMPT_PAUSE: Duration = Duration::from_millis(200);

/// The differences between a server and the usual one.
#[derive(Debug, Clone)]
pub struct ProductionServerOptions {
    /// Where data, configuration and logs are. `None`: a directory for temporary files, removed with the server.
    pub directory: Option<PathBuf>,
    /// The number of history shards. A cluster keeps the number it was created with.
    pub history_shards: u32,
    /// The port of the front end. `None`: a free one.
    pub frontend_port: Option<u16>,
    /// Additional dynamic configuration as YAML, after that of `deploy/temporal`. Its keys must not occur there.
    pub dynamic_config: String,
}

impl Default for ProductionServerOptions {
    fn default() -> Self {
        Self { directory: None, history_shards: 64, frontend_port: None, dynamic_config: String::new() }
    }
}

/// The ports of a role.
#[derive(Debug, Clone, Copy, serde::Serialize)]
struct RolePorts {
    grpc: u16,
    membership: u16,
    metrics: u16,
}

/// A running server. Dropping it kills its processes; they also end with this process, in whatever way that ends.
#[derive(Debug)]
pub struct ProductionServer {
    binaries: Binaries,
    directory: PathBuf,
    postgres: Postgres,
    ports: BTreeMap<Role, RolePorts>,
    roles: BTreeMap<Role, ServerProcess>,
    target: Url,
    /// Dropped last.
    _temporary: Option<TempDir>,
}

impl ProductionServer {
    /// Creates the databases where they are missing, starts everything, and returns when all roles answer.
    ///
    /// # Errors
    /// [`ProductionServerError`] of the first part that fails, with the end of its log.
    pub async fn start(binaries: &Binaries, options: ProductionServerOptions) -> Result<Self, ProductionServerError> {
        let (directory, temporary) = directory_of(&options)?;
        let (ports, postgres_port) = free_ports(&options).map_err(|source| file_error(&directory, source))?;
        let postgres = Postgres::start(&binaries.postgres, &directory, postgres_port).await?;
        for (database, schema) in DATABASES {
            create_database(binaries, &postgres, database, schema).await?;
        }
        let frontend = ports[&Role::Frontend].grpc;
        write_configuration(&directory, &options, &ports, postgres_port)?;
        let target = Url::parse(&format!("http://127.0.0.1:{frontend}"))
            .map_err(|error| file_error(&directory, std::io::Error::other(error)))?;
        let (binaries, roles) = (binaries.clone(), BTreeMap::new());
        let mut server = Self { binaries, directory, postgres, ports, roles, target, _temporary: temporary };
        for role in Role::ALL {
            server.start_role(role)?;
            server.until_listening(role).await?;
        }
        server.until_ready().await?;
        Ok(server)
    }

    /// The address of its front end, `HOST:PORT`.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.ports[&Role::Frontend].grpc)
    }

    /// Where its data, configuration and logs are.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Where a role shows its metrics in Prometheus' format.
    pub fn metrics_url(&self, role: Role) -> String {
        format!("http://127.0.0.1:{}/metrics", self.ports[&role].metrics)
    }

    /// Kills a role (SIGKILL). A role that does not run is left alone.
    ///
    /// # Errors
    /// [`ProductionServerError::Process`].
    pub async fn kill_role(&mut self, role: Role) -> Result<(), ProductionServerError> {
        match self.roles.remove(&role) {
            Some(process) => Ok(process.kill().await?),
            None => Ok(()),
        }
    }

    /// Starts a role that does not run. It does not wait until the role answers: see [`ProductionServer::until_ready`].
    ///
    /// # Errors
    /// [`ProductionServerError::Process`] or `File`.
    pub fn start_role(&mut self, role: Role) -> Result<(), ProductionServerError> {
        if self.roles.contains_key(&role) {
            return Ok(());
        }
        let path = self.log_of(role);
        let log = File::options().create(true).append(true).open(&path).map_err(|source| file_error(&path, source))?;
        let mut arguments = vec!["--root".into(), self.directory.clone().into()];
        arguments.extend(["--config", "config", "--env", role.name(), "--allow-no-auth"].map(Into::into));
        arguments.extend(["start", "--service", role.name()].map(Into::into));
        self.roles.insert(role, ServerProcess::spawn(&self.binaries.server, &arguments, &log)?);
        Ok(())
    }

    /// Stops PostgreSQL at once, as a crash does. The roles go on without it.
    ///
    /// # Errors
    /// [`ProductionServerError::Command`] if it cannot be stopped.
    pub async fn stop_postgres_at_once(&mut self) -> Result<(), ProductionServerError> {
        self.postgres.stop_at_once().await
    }

    /// Starts PostgreSQL again, and returns when it answers.
    ///
    /// # Errors
    /// [`ProductionServerError`] with the end of its log.
    pub async fn start_postgres(&mut self) -> Result<(), ProductionServerError> {
        self.postgres.start_again().await
    }

    /// Copies the store, as a backup does, to a directory that does not exist yet. The server is away meanwhile.
    ///
    /// # Errors
    /// [`ProductionServerError`] of the first part that fails.
    pub async fn copy_store(&mut self, copy: &Path) -> Result<(), ProductionServerError> {
        self.postgres.stop().await?;
        self.postgres.copy_to(copy).await?;
        self.postgres.start_again().await?;
        self.revive().await
    }

    /// Kills the server, and starts it on a copy of the store that was taken earlier. What was stored since is lost.
    ///
    /// # Errors
    /// [`ProductionServerError`] of the first part that fails.
    pub async fn restore_store(&mut self, copy: &Path) -> Result<(), ProductionServerError> {
        for role in Role::ALL {
            self.kill_role(role).await?;
        }
        self.postgres.stop_at_once().await?;
        self.postgres.replace_by(copy).await?;
        self.postgres.start_again().await?;
        for role in Role::ALL {
            self.start_role(role)?;
            self.until_listening(role).await?;
        }
        self.until_ready().await
    }

    /// Waits until a role listens. Each role writes the cluster's metadata when it starts, and of those that do so together, all but one
    /// fail.
    async fn until_listening(&mut self, role: Role) -> Result<(), ProductionServerError> {
        let deadline = tokio::time::Instant::now() + START_LIMIT;
        while let Err(error) = TcpStream::connect(("127.0.0.1", self.ports[&role].grpc)).await {
            self.check_running()?;
            if tokio::time::Instant::now() >= deadline {
                return Err(self.not_ready(role, error.to_string()));
            }
            tokio::time::sleep(ATTEMPT_PAUSE).await;
        }
        Ok(())
    }

    /// Waits until all roles answer.
    ///
    /// # Errors
    /// [`ProductionServerError::EndedEarly`] if a role exits, `NotReady` after 2 minutes.
    pub async fn until_ready(&mut self) -> Result<(), ProductionServerError> {
        let deadline = tokio::time::Instant::now() + START_LIMIT;
        loop {
            let Err(last_answer) = readiness::ask(&self.target).await else { return Ok(()) };
            self.check_running()?;
            if tokio::time::Instant::now() >= deadline {
                return Err(self.not_ready(Role::Frontend, last_answer));
            }
            tokio::time::sleep(ATTEMPT_PAUSE).await;
        }
    }

    /// Starts every role that does not run, also one that exited by itself because another part was away, and returns when all answer.
    ///
    /// # Errors
    /// As [`ProductionServer::until_ready`].
    pub async fn revive(&mut self) -> Result<(), ProductionServerError> {
        let deadline = tokio::time::Instant::now() + START_LIMIT;
        loop {
            let mut ended = Vec::new();
            for (role, process) in &mut self.roles {
                if process.exited()?.is_some() {
                    ended.push(*role);
                }
            }
            for role in ended {
                self.roles.remove(&role);
            }
            for role in Role::ALL {
                self.start_role(role)?;
            }
            let Err(last_answer) = readiness::ask(&self.target).await else { return Ok(()) };
            if tokio::time::Instant::now() >= deadline {
                return Err(self.not_ready(Role::Frontend, last_answer));
            }
            tokio::time::sleep(ATTEMPT_PAUSE).await;
        }
    }

    /// Checks that no role has exited by itself.
    fn check_running(&mut self) -> Result<(), ProductionServerError> {
        for (role, process) in &mut self.roles {
            if let Some(status) = process.exited()? {
                let log_tail = log_tail(&self.directory.join(format!("{role}.log")));
                let (name, status) = (format!("The role {role}"), status.to_string());
                return Err(ProductionServerError::EndedEarly { name, status, log_tail });
            }
        }
        Ok(())
    }

    fn not_ready(&self, role: Role, last_answer: String) -> ProductionServerError {
        let (name, log_tail) = (format!("The role {role}"), log_tail(&self.log_of(role)));
        ProductionServerError::NotReady { name, limit: START_LIMIT, last_answer, log_tail }
    }

    /// What it used since its start.
    ///
    /// # Errors
    /// [`ProductionServerError::Command`] if PostgreSQL does not answer.
    pub async fn usage(&self) -> Result<Usage, ProductionServerError> {
        let mut usage = Usage::default();
        for (role, process) in &self.roles {
            usage.cpu.insert(role.to_string(), cpu_of(process.pid()));
        }
        usage.cpu.insert("postgres".to_owned(), self.postgres.pid().map_or(Duration::ZERO, cpu_of));
        for (database, _) in DATABASES {
            let sql = "SELECT xact_commit, pg_database_size(datname) FROM pg_stat_database WHERE datname = current_database()";
            let row = self.postgres.query(database, sql).await?;
            let numbers: Vec<u64> = row.split('|').filter_map(|number| number.parse().ok()).collect();
            let [transactions, bytes] = numbers[..] else {
                let what = "reading the statistics of PostgreSQL".to_owned();
                return Err(ProductionServerError::Command { what, reason: format!("it answered '{row}'") });
            };
            usage.transactions.insert(database.to_owned(), transactions);
            usage.bytes.insert(database.to_owned(), bytes);
        }
        Ok(usage)
    }

    /// Stops everything in order.
    ///
    /// # Errors
    /// [`ProductionServerError`] of the first part that does not stop.
    pub async fn stop(mut self) -> Result<(), ProductionServerError> {
        for role in Role::ALL.into_iter().rev() {
            if let Some(process) = self.roles.remove(&role) {
                process.stop().await?;
            }
        }
        self.postgres.stop().await
    }

    fn log_of(&self, role: Role) -> PathBuf {
        self.directory.join(format!("{role}.log"))
    }
}

fn file_error(path: &Path, source: std::io::Error) -> ProductionServerError {
    ProductionServerError::File { path: path.to_owned(), source }
}

/// The named directory, or one for temporary files. PostgreSQL's user must be able to reach its part of it.
fn directory_of(options: &ProductionServerOptions) -> Result<(PathBuf, Option<TempDir>), ProductionServerError> {
    if let Some(directory) = &options.directory {
        std::fs::create_dir_all(directory).map_err(|source| file_error(directory, source))?;
        let directory = directory.canonicalize().map_err(|source| file_error(directory, source))?;
        return Ok((directory, None));
    }
    let temporary = tempfile::Builder::new().prefix("interlock-production-").tempdir();
    let temporary = temporary.map_err(|source| file_error(&std::env::temp_dir(), source))?;
    let directory = temporary.path().to_owned();
    let readable = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(&directory, readable).map_err(|source| file_error(&directory, source))?;
    Ok((directory, Some(temporary)))
}

/// Free ports for all roles and for PostgreSQL. All are held at once while choosing, so that they differ.
///
/// PostgreSQL's schema stores a role's port as `smallint`, so it must be below 32768, where the operating system gives out none by itself.
fn free_ports(options: &ProductionServerOptions) -> std::io::Result<(BTreeMap<Role, RolePorts>, u16)> {
    let mut held = Vec::new();
    let mut free = || {
        let mut attempts = 0;
        loop {
            attempts += 1;
            let port = fastrand::u16(PORTS);
            match TcpListener::bind(("127.0.0.1", port)) {
                Ok(listener) => {
                    held.push(listener);
                    return Ok::<_, std::io::Error>(port);
                }
                Err(error) if attempts == PORT_ATTEMPTS_MAX => return Err(error),
                Err(_) => {}
            }
        }
    };
    let mut ports = BTreeMap::new();
    for role in Role::ALL {
        ports.insert(role, RolePorts { grpc: free()?, membership: free()?, metrics: free()? });
    }
    if let (Some(port), Some(frontend)) = (options.frontend_port, ports.get_mut(&Role::Frontend)) {
        frontend.grpc = port;
    }
    Ok((ports, free()?))
}

/// Creates a database, or upgrades its schema to the server's version.
async fn create_database(
    binaries: &Binaries,
    postgres: &Postgres,
    database: &str,
    schema: &str,
) -> Result<(), ProductionServerError> {
    let port = postgres.port().to_string();
    let schemas = binaries.schemas.join(schema).join("versioned");
    let steps: [&[&std::ffi::OsStr]; 3] = [
        &["create-database".as_ref()],
        &["setup-schema".as_ref(), "--version".as_ref(), "0.0".as_ref()],
        &["update-schema".as_ref(), "--schema-dir".as_ref(), schemas.as_os_str()],
    ];
    for step in steps {
        let mut tool = Command::new(&binaries.sql_tool);
        tool.args(["--plugin", "postgres12", "--endpoint", "127.0.0.1", "--port", &port, "--user", USER]);
        tool.args(["--database", database]).args(step);
        output(&mut tool, &format!("preparing the database '{database}'")).await?;
    }
    Ok(())
}

/// Writes the server's configuration: one file for each role, since each is a process with its own metrics port.
fn write_configuration(
    directory: &Path,
    options: &ProductionServerOptions,
    ports: &BTreeMap<Role, RolePorts>,
    postgres_port: u16,
) -> Result<(), ProductionServerError> {
    let config = directory.join("config");
    std::fs::create_dir_all(&config).map_err(|source| file_error(&config, source))?;
    let write = |name: &str, text: &str| {
        let path = config.join(name);
        std::fs::write(&path, text).map_err(|source| file_error(&path, source))
    };
    write("dynamicconfig.yaml", &format!("{DYNAMIC_CONFIG}\n{}\n", options.dynamic_config))?;
    for role in Role::ALL {
        let text =
            configuration(role, ports, postgres_port, options.history_shards, &config.join("dynamicconfig.yaml"));
        let text = text.map_err(|error| file_error(&config, std::io::Error::other(error)))?;
        write(&format!("{role}.yaml"), &text)?;
    }
    Ok(())
}

/// The configuration of a role's process. All processes know the ports of all roles.
fn configuration(
    role: Role,
    ports: &BTreeMap<Role, RolePorts>,
    postgres_port: u16,
    history_shards: u32,
    dynamic_config: &Path,
) -> Result<String, minijinja::Error> {
    let services: BTreeMap<&str, &RolePorts> = ports.iter().map(|(role, ports)| (role.name(), ports)).collect();
    let services = minijinja::Value::from(minijinja::value::Serde(services));
    let values = minijinja::context! {
        history_shards,
        postgres_port,
        user => USER,
        metrics_port => ports[&role].metrics,
        services,
        dynamic_config => dynamic_config.to_string_lossy(),
    };
    minijinja::Environment::new().render_str(CONFIGURATION, values)
}
