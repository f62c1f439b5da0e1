//! Faults of the Temporal server.

use std::time::Duration;

use interlock_production_server::{ProductionServer, ProductionServerError, Role};

use super::Disturbance;
use super::kind::Fault;
use crate::stage::Stage;

/// How long the server, or a part of it, is away.
const AWAY_MS: std::ops::Range<u64> = 500..8_000;

impl Disturbance<'_> {
    pub(super) async fn kill_server(&mut self, stage: &mut Stage, fault: Fault) {
        let is_hit = stage.under_way.all() > 0;
        let pause = Duration::from_millis(self.rng.u64(AWAY_MS));
        let is_done = match &mut stage.production {
            Some(server) => {
                let role = Role::ALL[self.rng.usize(0..Role::ALL.len())];
                pull(server, fault, role, pause).await.is_ok()
            }
            None => match stage.platform.server.embedded() {
                Some(server) => {
                    let killed = server.kill().await.is_ok();
                    tokio::time::sleep(pause).await;
                    killed && server.restart().await.is_ok()
                }
                None => false,
            },
        };
        if is_done {
            self.tally.hit(fault.name(), u64::from(is_hit));
        } else {
            self.tally.done("server-not-back");
        }
    }
}

/// Pulls a plug of the server, and puts it in again.
async fn pull(
    server: &mut ProductionServer,
    fault: Fault,
    role: Role,
    pause: Duration,
) -> Result<(), ProductionServerError> {
    match fault {
        Fault::PostgresStopped => {
            server.stop_postgres_at_once().await?;
            tokio::time::sleep(pause).await;
            server.start_postgres().await?;
        }
        Fault::RoleKilled => {
            server.kill_role(role).await?;
            tokio::time::sleep(pause).await;
        }
        _ => {
            for role in Role::ALL {
                server.kill_role(role).await?;
            }
            tokio::time::sleep(pause).await;
        }
    }
    server.revive().await
}
