//! The connection to Temporal, configured as Temporal's own tools are: flags, `TEMPORAL_*`, `temporal.toml` profiles.
//!
//! The SDK reads environment and file; this module only adds the flags on top.

use std::time::{Duration, Instant};

use backon::{ExponentialBuilder, Retryable};
use interlock_domain::error_code::ErrorCode;
use interlock_fault::{Fault, with_causes};
use temporalio_client::envconfig::{ClientConfigProfile, ConfigError, DataSource, LoadClientConfigProfileOptions};
use temporalio_client::errors::ClientConnectError;
use temporalio_client::{Client, ClientOptions, ConnectionOptions, GrpcCompression, RetryOptions};
use temporalio_common::data_converters::DataConverter;
use temporalio_common::envconfig::{ClientConfigTLS, load_client_config_profile};
use tonic::Code;
use url::{Host, Url};

/// The namespace if none is set: Temporal's own default.
const NAMESPACE_DEFAULT: &str = "default";
/// How long one attempt to connect may take.
pub const ATTEMPT_LIMIT: Duration = Duration::from_secs(10);
/// The first and the longest pause between two attempts.
const PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));

/// The shortest time for an attempt: with less time left there is no further attempt.
const LAST_ATTEMPT: Duration = Duration::from_secs(1);

/// How long `interlock bootstrap` waits for Temporal, and a service for each further connection.
pub const STARTUP_LIMIT: Duration = Duration::from_mins(1);
/// How long a query or an action waits for Temporal: a person waits for the result, and can ask again.
pub const ASKING_LIMIT: Duration = Duration::from_secs(10);

/// The heading of Temporal's flags in the help. It is set on each flag: a heading for the whole group would also apply to the flags
/// that a command declares after it.
pub const HEADING: &str = "Connection to Temporal (as in the Temporal CLI)";

/// Temporal's own flags, with Temporal's own names and meanings.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct ConnectionFlags {
    /// Address of the Temporal service, HOST:PORT [default: from the profile, else localhost:7233]
    #[arg(long, help_heading = HEADING, value_name = "HOST:PORT")]
    pub address: Option<String>,
    /// Namespace [default: from the profile, else default]
    #[arg(long, help_heading = HEADING, short = 'n')]
    pub namespace: Option<String>,
    /// Profile in temporal.toml
    #[arg(long, help_heading = HEADING)]
    pub profile: Option<String>,
    /// Configuration file of Temporal's tools [env: TEMPORAL_CONFIG_FILE] [default: temporal.toml in their directory]
    #[arg(long, help_heading = HEADING, value_name = "FILE")]
    pub config_file: Option<String>,
    /// Do not read Temporal's configuration file
    #[arg(long, help_heading = HEADING)]
    pub disable_config_file: bool,
    /// Do not read the connection from TEMPORAL_* variables
    #[arg(long, help_heading = HEADING)]
    pub disable_config_env: bool,
    /// API key; prefer TEMPORAL_API_KEY, because other users can see command lines
    #[arg(long, help_heading = HEADING)]
    pub api_key: Option<String>,
    /// Whether to use TLS [default: yes if an API key or another TLS option is set]
    #[arg(long, help_heading = HEADING, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub tls: Option<bool>,
    /// File with the client's certificate
    #[arg(long, help_heading = HEADING, value_name = "FILE")]
    pub tls_cert_path: Option<String>,
    /// File with the client's private key
    #[arg(long, help_heading = HEADING, value_name = "FILE")]
    pub tls_key_path: Option<String>,
    /// File with the server's CA certificate
    #[arg(long, help_heading = HEADING, value_name = "FILE")]
    pub tls_ca_path: Option<String>,
    /// Server name to expect in the server's certificate
    #[arg(long, help_heading = HEADING, value_name = "NAME")]
    pub tls_server_name: Option<String>,
    /// How long to wait if Temporal does not respond, for example 30s [default: 10s; bootstrap: 1m; worker and gateway: as long as it takes]
    #[arg(long = "client-connect-timeout", help_heading = HEADING, value_name = "DURATION", value_parser = wait)]
    pub connect_timeout: Option<Duration>,
    /// Whether to use only the flags: environment and profiles are not read.
    #[arg(skip)]
    pub own_server: bool,
}

fn wait(text: &str) -> Result<Duration, String> {
    let wait = humantime::parse_duration(text).map_err(|error| error.to_string())?;
    if wait.is_zero() { Err("must be greater than 0".to_owned()) } else { Ok(wait) }
}

impl ConnectionFlags {
    /// Flags for a server of one's own. Environment and profiles are ignored, because they are for other servers.
    pub fn to_server(address: String) -> Self {
        Self { address: Some(address), own_server: true, ..Self::default() }
    }

    /// The options for connection and client, from flags, environment and profile.
    ///
    /// # Errors
    /// [`Fault`] `temporal_profile_not_found` or `temporal_configuration_invalid`.
    pub fn options(&self) -> Result<(ConnectionOptions, ClientOptions), Fault> {
        let mut profile = self.configured()?;
        self.lay_over(&mut profile);
        warn_of_what_the_client_ignores(&profile);
        let namespace = profile.namespace.clone().unwrap_or_else(|| NAMESPACE_DEFAULT.to_owned());
        let mut connection = ConnectionOptions::try_from(profile).map_err(configuration_fault)?;
        // In containers every process may have the same id: the host is the container's name.
        let host = gethostname::gethostname();
        connection.identity = format!("interlock@{}@{}", std::process::id(), host.to_string_lossy());
        connection.connect_timeout = Some(ATTEMPT_LIMIT);
        if is_on_this_machine(&connection.target) {
            connection.grpc_compression = GrpcCompression::None;
        }
        Ok((connection, ClientOptions::new(namespace).build()))
    }

    /// What environment and profile say.
    fn configured(&self) -> Result<ClientConfigProfile, Fault> {
        if self.own_server || (self.disable_config_file && self.disable_config_env) {
            return Ok(ClientConfigProfile::default());
        }
        let sources = LoadClientConfigProfileOptions::builder()
            .maybe_config_source(self.config_file.clone().map(DataSource::Path))
            .maybe_config_file_profile(self.profile.clone())
            .disable_file(self.disable_config_file)
            .disable_env(self.disable_config_env)
            .build();
        load_client_config_profile(sources, None).map_err(configuration_fault)
    }

    fn lay_over(&self, profile: &mut ClientConfigProfile) {
        let set = |field: &mut Option<String>, flag: &Option<String>| {
            if flag.is_some() {
                field.clone_from(flag);
            }
        };
        set(&mut profile.address, &self.address);
        set(&mut profile.namespace, &self.namespace);
        set(&mut profile.api_key, &self.api_key);
        let files = [&self.tls_cert_path, &self.tls_key_path, &self.tls_ca_path];
        let any_of_tls = files.iter().any(|file| file.is_some()) || self.tls_server_name.is_some();
        if self.tls.is_none() && !any_of_tls {
            return;
        }
        let tls: &mut ClientConfigTLS = profile.tls.get_or_insert_default();
        if let Some(wanted) = self.tls {
            tls.disabled = Some(!wanted);
        }
        set(&mut tls.server_name, &self.tls_server_name);
        for (field, flag) in [&mut tls.client_cert, &mut tls.client_key, &mut tls.server_ca_cert].into_iter().zip(files)
        {
            if let Some(file) = flag {
                *field = Some(DataSource::Path(file.clone()));
            }
        }
    }
}

/// Whether calls to this address do not leave the machine, so that compressing them only costs CPU time.
fn is_on_this_machine(target: &Url) -> bool {
    match target.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

/// Connects, waiting up to `limit`, or as long as the flags say, for a server that is not up yet. Payloads are not encrypted: see
/// [`connect_with`].
///
/// # Errors
/// [`Fault`] `temporal_unreachable`, `temporal_access_denied`, or those of [`ConnectionFlags::options`].
pub async fn connect(flags: &ConnectionFlags, limit: Duration) -> Result<Client, Fault> {
    connect_with(flags, limit, RetryOptions::default(), DataConverter::default()).await
}

/// As [`connect`]; calls that fail temporarily are retried as `retries` says, and payloads are written and read by
/// `converter`.
///
/// # Errors
/// As [`connect`].
pub async fn connect_with(
    flags: &ConnectionFlags,
    limit: Duration,
    retries: RetryOptions,
    converter: DataConverter,
) -> Result<Client, Fault> {
    let (mut connection, mut client) = flags.options()?;
    client.data_converter = converter;
    connection.retry_options = retries;
    let target = connection.target.to_string();
    let until = Instant::now() + flags.connect_timeout.unwrap_or(limit);
    let left = || until.saturating_duration_since(Instant::now());
    let attempt = || async {
        let connecting = Client::connect(connection.clone(), client.clone());
        let limit = left().min(ATTEMPT_LIMIT);
        match tokio::time::timeout(limit, connecting).await {
            Ok(Ok(client)) => Ok(client),
            Ok(Err(error)) => Err(connect_fault(&target, &error)),
            Err(_) => Err(unreachable_fault(&target, &format!("no response within {:.1} s", limit.as_secs_f32()))),
        }
    };
    let pauses = ExponentialBuilder::default()
        .with_min_delay(PAUSES.0)
        .with_max_delay(PAUSES.1)
        .with_jitter()
        .without_max_times();
    let connected = attempt
        .retry(pauses)
        .when(|fault: &Fault| fault.code == UNREACHABLE)
        .adjust(|_, pause| left().checked_sub(LAST_ATTEMPT).and_then(|spare| Some(pause?.min(spare))))
        .notify(|fault, pause| tracing::warn!(pause_ms = pause.as_millis(), "{} Trying again.", fault.message))
        .await?;
    tracing::debug!(%target, "connected to Temporal");
    Ok(connected)
}

const UNREACHABLE: ErrorCode = ErrorCode::TemporalUnreachable;

fn unreachable_fault(target: &str, reason: &str) -> Fault {
    Fault::failed(UNREACHABLE, format!("Temporal at {target} cannot be reached: {reason}."))
}

/// Why the connection failed.
pub fn connect_fault(target: &str, error: &ClientConnectError) -> Fault {
    match error {
        ClientConnectError::InvalidUri(_)
        | ClientConnectError::InvalidHeaders(_)
        | ClientConnectError::InvalidConfig(_) => invalid_fault(&with_causes(error)),
        ClientConnectError::SystemInfoCallError(status)
            if matches!(status.code(), Code::Unauthenticated | Code::PermissionDenied) =>
        {
            Fault::failed(
                ErrorCode::TemporalAccessDenied,
                format!("Temporal at {target} denied access to this client: {}.", status.message()),
            )
        }
        ClientConnectError::SystemInfoCallError(status) => unreachable_fault(target, status.message()),
        other => unreachable_fault(target, &with_causes(other)),
    }
}

fn configuration_fault(error: ConfigError) -> Fault {
    match error {
        ConfigError::ProfileNotFound(profile) => Fault::wrong_use(
            ErrorCode::TemporalProfileNotFound,
            format!("The profile '{profile}' does not exist in temporal.toml."),
        ),
        ConfigError::InvalidConfig(reason) => invalid_fault(&reason),
        ConfigError::LoadError(error) => invalid_fault(&error.to_string()),
    }
}

fn invalid_fault(reason: &str) -> Fault {
    Fault::wrong_use(
        ErrorCode::TemporalConfigurationInvalid,
        format!("The configuration of the connection to Temporal is invalid: {reason}."),
    )
}

/// Warns about settings that the Rust client reads and ignores.
fn warn_of_what_the_client_ignores(profile: &ClientConfigProfile) {
    if profile.codec.is_some() {
        tracing::warn!(
            "a remote codec is configured (TEMPORAL_CODEC_*), but Temporal's Rust client does not support it"
        );
    }
    if profile.tls.as_ref().is_some_and(|tls| tls.disable_host_verification) {
        tracing::warn!(
            "TLS host verification is turned off in the configuration, but Temporal's Rust client does not support \
             that: it stays on"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flag_wins_over_the_profile() {
        let mut profile = ClientConfigProfile::builder().address("one:1").namespace("blue").build();
        ConnectionFlags { address: Some("two:2".to_owned()), ..ConnectionFlags::default() }.lay_over(&mut profile);
        assert_eq!(profile.address.as_deref(), Some("two:2"));
        assert_eq!(profile.namespace.as_deref(), Some("blue"));
        assert_eq!(profile.tls, None);
    }

    #[test]
    fn tls_flags_switch_tls_on_unless_it_is_switched_off() {
        let mut profile = ClientConfigProfile::default();
        let flags =
            ConnectionFlags { tls_server_name: Some("temporal.example".to_owned()), ..ConnectionFlags::default() };
        flags.lay_over(&mut profile);
        let connection = ConnectionOptions::try_from(profile.clone()).unwrap();
        assert!(connection.tls_options.is_some());
        ConnectionFlags { tls: Some(false), ..ConnectionFlags::default() }.lay_over(&mut profile);
        assert!(ConnectionOptions::try_from(profile).unwrap().tls_options.is_none());
    }

    #[test]
    fn calls_are_compressed_unless_they_stay_on_this_machine() {
        let compression = |address: &str| {
            let (connection, _) = ConnectionFlags::to_server(address.to_owned()).options().unwrap();
            connection.grpc_compression
        };
        for address in ["127.0.0.1:7233", "localhost:7233", "[::1]:7233"] {
            assert_eq!(compression(address), GrpcCompression::None, "{address}");
        }
        for address in ["10.0.0.1:7233", "temporal.example:7233", "localhost.example:7233"] {
            assert_eq!(compression(address), GrpcCompression::Gzip, "{address}");
        }
    }

    #[tokio::test]
    async fn a_server_that_is_not_there_is_told_with_its_address() {
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let flags = ConnectionFlags::to_server(format!("127.0.0.1:{port}"));
        let fault = connect(&flags, Duration::from_millis(300)).await.err().unwrap();
        assert_eq!((fault.code, fault.exit_code()), (ErrorCode::TemporalUnreachable, 1));
        assert!(fault.message.contains(&port.to_string()), "{fault}");
    }

    /// A server that accepts connections and does not answer is also unavailable.
    #[tokio::test]
    async fn a_server_that_does_not_answer_is_waited_for_as_long_as_the_flag_says_and_no_longer() {
        let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let mut flags = ConnectionFlags::to_server(silent.local_addr().unwrap().to_string());
        flags.connect_timeout = Some(wait("1500ms").unwrap());
        let began = Instant::now();
        let fault = connect(&flags, STARTUP_LIMIT).await.err().unwrap();
        assert_eq!(fault.code, ErrorCode::TemporalUnreachable);
        assert!((Duration::from_millis(1_400)..Duration::from_secs(8)).contains(&began.elapsed()), "{fault}");
        assert!(wait("0s").is_err() && wait("soon").is_err());
    }
}
