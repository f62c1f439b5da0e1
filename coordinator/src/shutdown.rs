//! Ending in good order: the first SIGINT or SIGTERM asks everything to drain, the second ends the process at once.

use interlock_domain::error_code::ErrorCode;
use interlock_fault::Fault;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// The exit code of a process that was told twice: 128 + SIGINT, as shells have it.
const EXIT_CODE_AT_ONCE: i32 = 130;

/// A token that is cancelled by the first SIGINT (Ctrl-C) or SIGTERM. From then on a second one ends the process.
///
/// Call it once, inside a runtime.
///
/// # Errors
/// [`Fault`] `signals_unavailable` if the process cannot listen to signals.
pub fn on_signals() -> Result<CancellationToken, Fault> {
    let mut signals = Signals::listen()?;
    let token = CancellationToken::new();
    let on_first = token.clone();
    tokio::spawn(async move {
        signals.next().await;
        tracing::info!("shutting down gracefully; a second signal stops at once");
        on_first.cancel();
        signals.next().await;
        tracing::warn!("stopping at once");
        std::process::exit(EXIT_CODE_AT_ONCE);
    });
    Ok(token)
}

/// The signals that end a process: SIGINT (Ctrl-C) and SIGTERM.
pub struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    /// Listens from now on; the signals no longer end the process by themselves. Call it inside a runtime.
    ///
    /// # Errors
    /// [`Fault`] `signals_unavailable` if the process cannot listen to signals.
    pub fn listen() -> Result<Self, Fault> {
        let listen = |kind| {
            signal(kind).map_err(|error| {
                Fault::failed(
                    ErrorCode::SignalsUnavailable,
                    format!("This process cannot install its signal handlers: {error}."),
                )
            })
        };
        Ok(Self { interrupt: listen(SignalKind::interrupt())?, terminate: listen(SignalKind::terminate())? })
    }

    /// Waits for the next one.
    pub async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}
