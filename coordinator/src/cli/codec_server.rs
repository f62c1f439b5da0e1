//! `interlock codec-server`.

use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use interlock_connection::codec::KeyRing;
use interlock_fault::Fault;
use interlock_gateway::codec_server::{LoopbackOrigin, may_serve, start as start_server};
use interlock_settings::{CodecServerSettings, Settings};
use serde::Serialize;

use super::output::Output;
use super::settings_flag::SettingsFlag;
use crate::shutdown;

/// `codec-server`.
#[derive(Debug, Args)]
pub(super) struct CodecServerCommand {
    /// Address to listen on; port 0 picks a free port [env: INTERLOCK_CODEC_SERVER_LISTEN] [default: 127.0.0.1:8089]
    #[arg(long, value_name = "ADDR")]
    listen: Option<String>,
    /// Origin of the Temporal web UI whose pages may call; repeatable, added to the origins in the settings
    #[arg(long, value_name = "URL")]
    cors_origin: Vec<String>,
}

impl CodecServerCommand {
    /// The flags that set a setting.
    pub(super) fn settings_flags(&self) -> Vec<SettingsFlag> {
        self.listen.iter().map(|listen| ("--listen", "codec.server.listen", listen.clone())).collect()
    }

    /// The settings of the server, with the additions from the flags.
    fn of_server(&self, settings: Settings) -> CodecServerSettings {
        let mut of_server = settings.codec.server;
        of_server.cors_origins.extend(self.cors_origin.iter().map(|origin| origin.trim_end_matches('/').to_owned()));
        of_server
    }

    /// Checks whether it could serve, apart from the keys.
    ///
    /// # Errors
    /// [`Fault`], as for [`may_serve`].
    pub(super) fn check(&self, settings: Settings) -> Result<(), Fault> {
        may_serve(&self.of_server(settings))
    }
}

/// The output once it listens.
#[derive(Debug, Serialize)]
struct Listening {
    codec_server: String,
}

/// Runs until SIGINT or SIGTERM; then it drains.
pub(super) async fn run(command: &CodecServerCommand, settings: Settings, output: Output) -> Result<ExitCode, Fault> {
    let ending = shutdown::on_signals()?;
    let ring = Arc::new(KeyRing::from_settings(&settings.codec)?);
    let http = settings.http.clone();
    let server = start_server(ring, &command.of_server(settings), &http, LoopbackOrigin::default()).await?;
    let listening = Listening { codec_server: server.url() };
    output.line(&listening, |it| format!("codec server listens on {}", it.codec_server))?;
    ending.cancelled().await;
    server.stop().await;
    Ok(ExitCode::SUCCESS)
}
