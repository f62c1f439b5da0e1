//! The version of the server.

use interlock_client::server;
use temporalio_client::Client;

use super::report::{Check, Finding};

/// The oldest server that has every call that Interlock needs.
pub const SERVER_VERSION_MIN: (u32, u32, u32) = (1, 32, 0);
/// The oldest server whose task queues have no known fault on which fairness and the parking of targets rest.
pub const SERVER_VERSION_RECOMMENDED: (u32, u32, u32) = (1, 32, 2);

/// What the server says.
pub(super) async fn examine(client: &Client) -> Finding {
    match server::version(client).await {
        Ok(version) => judged(&version),
        Err(error) => Finding::unknown(Check::ServerVersion, "The version of the server", &error.message()),
    }
}

fn judged(version: &str) -> Finding {
    let (min, recommended) = (written(SERVER_VERSION_MIN), written(SERVER_VERSION_RECOMMENDED));
    match read(version) {
        None => Finding::warning(
            Check::ServerVersion,
            format!("The server says that its version is '{version}', which is not a version."),
            format!("Check that it is {min} or later."),
        ),
        Some(read) if read < SERVER_VERSION_MIN => Finding::error(
            Check::ServerVersion,
            format!("The server is {version}; Interlock needs {min} or later."),
            format!("Upgrade the server, best to {recommended} or later."),
        ),
        Some(read) if read < SERVER_VERSION_RECOMMENDED => Finding::warning(
            Check::ServerVersion,
            format!("The server is {version}: its task queues have faults that {recommended} repairs."),
            format!("Upgrade a production server to {recommended} or later."),
        ),
        Some(_) => Finding::ok(Check::ServerVersion, format!("The server is {version}.")),
    }
}

/// Reads `1.32.2`; anything after a `-` or `+` is ignored.
fn read(version: &str) -> Option<(u32, u32, u32)> {
    let core = version.trim().trim_start_matches('v').split(['-', '+']).next()?;
    let mut numbers = core.split('.').map(|number| number.parse().ok());
    let read = (numbers.next()??, numbers.next()??, numbers.next()??);
    numbers.next().is_none().then_some(read)
}

fn written((major, minor, patch): (u32, u32, u32)) -> String {
    format!("{major}.{minor}.{patch}")
}

#[cfg(test)]
mod tests {
    use super::super::report::Level;
    use super::*;

    #[test]
    fn an_old_server_is_an_error_and_one_with_known_faults_a_warning() {
        for (version, level) in [
            ("1.31.2", Level::Error),
            ("0.99.99", Level::Error),
            ("1.32.0", Level::Warning),
            ("1.32.1-rc.1", Level::Warning),
            ("1.32.2", Level::Ok),
            ("v1.33.0+cloud", Level::Ok),
            ("2.0.0", Level::Ok),
            ("", Level::Warning),
            ("cloud", Level::Warning),
            ("1.32.2.1", Level::Warning),
        ] {
            assert_eq!(judged(version).level, level, "{version}");
        }
    }
}
