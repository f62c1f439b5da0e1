//! What the commands that show something share: an id, and the connection to the installation.

use clap::Args;
use interlock_connection::{ASKING_LIMIT, CallRetries, ConnectionFlags, Installation};
use interlock_domain::error_code::ErrorCode;
use interlock_fault::Fault;
use interlock_operations::inspection::Inspection;
use interlock_settings::Settings;

/// What to show, and where it is.
#[derive(Debug, Args)]
pub(super) struct ShowArguments {
    /// Its id
    pub(super) id: String,
    #[command(flatten)]
    pub(super) connection: ConnectionFlags,
}

impl ShowArguments {
    /// The inspection of the installation that these arguments and the settings describe.
    pub(super) async fn inspection(&self, settings: Settings) -> Result<Inspection, Fault> {
        inspection(&self.connection, settings).await
    }
}

/// The inspection of the installation that these flags and the settings describe.
pub(super) async fn inspection(connection: &ConnectionFlags, settings: Settings) -> Result<Inspection, Fault> {
    Ok(Inspection::new(installation(connection, settings).await?))
}

/// The installation that these flags and the settings describe.
pub(super) async fn installation(connection: &ConnectionFlags, settings: Settings) -> Result<Installation, Fault> {
    let catalog = settings.catalog()?;
    Box::pin(Installation::connect(connection, settings, catalog, CallRetries::Brief, ASKING_LIMIT)).await
}

/// The fault of an invalid id.
pub(super) fn bad_id(what: &str, error: &dyn std::fmt::Display) -> Fault {
    Fault::wrong_use(ErrorCode::BadId, format!("This is not a valid {what}: {error}."))
}
