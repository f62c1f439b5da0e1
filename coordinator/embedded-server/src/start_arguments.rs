//! The arguments of `temporal server start-dev`, with settings for one machine.

use std::ffi::OsString;
use std::path::Path;

use interlock_workflows::names::SEARCH_ATTRIBUTES;

/// The address that everything binds to: an embedded server is for this machine only.
pub(super) const BIND_ADDRESS: &str = "127.0.0.1";

/// Settings of the server beyond its flags, as key and JSON value.
///
/// The dev server's request limits are reached long before a machine's cores are busy (`matching.rps` is 1,200 by default). One
/// partition per task queue avoids forwarding between partitions, which only helps on a cluster.
const DYNAMIC_CONFIG: [(&str, &str); 12] = [
    ("frontend.rps", "100000"),
    ("frontend.namespaceRPS", "100000"),
    ("frontend.namespaceRPS.visibility", "1000"),
    ("history.rps", "100000"),
    // A call back has the target of an order that stands alone asked at once.
    ("history.enableStandaloneActivityOperatorCommands", "true"),
    // How often per second the only shard of a dev server looks for tasks to dispatch: by default 20 times, which delays
    // everything by 50 ms under more load than that.
    ("history.transferProcessorMaxPollRPS", "10000"),
    ("history.timerProcessorMaxPollRPS", "10000"),
    ("matching.rps", "100000"),
    // Tenants share a target's queue by their fairness keys and weights.
    ("matching.enableFairness", "true"),
    // How long the server may refuse changes of a queue's limit after one that it recorded and took for failed: by default 5 minutes.
    ("matching.getUserDataRefresh", "\"15s\""),
    ("matching.numTaskqueueReadPartitions", "1"),
    ("matching.numTaskqueueWritePartitions", "1"),
];

/// Without these a database file is 10 to 15 times slower than memory, with them about as fast. A crash of the server
/// loses nothing; a power failure may lose the last moments.
const SQLITE_PRAGMAS: [&str; 2] = ["journal_mode=WAL", "synchronous=NORMAL"];

/// What differs between servers.
#[derive(Debug, Clone)]
pub(super) struct StartArguments<'a> {
    pub(super) frontend_port: u16,
    /// The web UI's port; none if it is off.
    pub(super) ui_port: Option<u16>,
    /// The codec server that the web UI uses, if any.
    pub(super) ui_codec_endpoint: Option<&'a str>,
    pub(super) db_file: Option<&'a Path>,
    pub(super) namespaces: &'a [String],
    /// Additional `KEY=JSON` settings; they override ours.
    pub(super) dynamic_config: &'a [(String, String)],
}

impl StartArguments<'_> {
    /// The arguments after the binary's name.
    pub(super) fn to_vec(&self) -> Vec<OsString> {
        let mut arguments: Vec<OsString> = vec!["server".into(), "start-dev".into()];
        let mut flag = |name: &str, value: OsString| {
            arguments.push(name.into());
            arguments.push(value);
        };
        flag("--ip", BIND_ADDRESS.into());
        flag("--port", self.frontend_port.to_string().into());
        flag("--log-level", "warn".into());
        if let Some(file) = self.db_file {
            flag("--db-filename", file.into());
            for pragma in SQLITE_PRAGMAS {
                flag("--sqlite-pragma", pragma.into());
            }
        }
        for namespace in self.namespaces {
            flag("--namespace", namespace.into());
        }
        for attribute in SEARCH_ATTRIBUTES {
            flag("--search-attribute", format!("{attribute}=Keyword").into());
        }
        let overridden = |key: &str| self.dynamic_config.iter().any(|(other, _)| other == key);
        for (key, value) in DYNAMIC_CONFIG.into_iter().filter(|(key, _)| !overridden(key)) {
            flag("--dynamic-config-value", format!("{key}={value}").into());
        }
        for (key, value) in self.dynamic_config {
            flag("--dynamic-config-value", format!("{key}={value}").into());
        }
        if let Some(endpoint) = self.ui_codec_endpoint {
            flag("--ui-codec-endpoint", endpoint.into());
        }
        match self.ui_port {
            Some(port) => flag("--ui-port", port.to_string().into()),
            None => arguments.push("--headless".into()),
        }
        arguments
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(arguments: &StartArguments<'_>) -> String {
        arguments.to_vec().iter().map(|part| part.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn a_server_on_a_file_gets_the_pragmas_that_make_it_fast() {
        let file = Path::new("/tmp/db.sqlite");
        let namespaces = ["blue".to_owned()];
        let text = text(&StartArguments {
            frontend_port: 7233,
            ui_port: Some(8233),
            ui_codec_endpoint: Some("http://127.0.0.1:8089"),
            db_file: Some(file),
            namespaces: &namespaces,
            dynamic_config: &[],
        });
        assert!(text.contains("--db-filename /tmp/db.sqlite --sqlite-pragma journal_mode=WAL"));
        assert!(text.contains("--namespace blue"));
        assert!(text.contains("--ui-codec-endpoint http://127.0.0.1:8089 --ui-port 8233"));
        assert!(!text.contains("--headless"));
    }

    #[test]
    fn a_setting_given_by_the_caller_wins() {
        let dynamic_config = [("matching.rps".to_owned(), "7".to_owned())];
        let text = text(&StartArguments {
            frontend_port: 1,
            ui_port: None,
            ui_codec_endpoint: None,
            db_file: None,
            namespaces: &[],
            dynamic_config: &dynamic_config,
        });
        assert_eq!(text.matches("matching.rps").count(), 1);
        assert!(text.contains("matching.rps=7"));
        assert!(!text.contains("--sqlite-pragma"));
        assert!(text.ends_with("--headless"));
    }
}
