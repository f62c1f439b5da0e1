//! A short part of these tests once more, on a production-like server: built from its Go module, with PostgreSQL as store. The whole runs
//! there with `INTERLOCK_TEST_TEMPORAL_ADDRESS` (CONTRIBUTING.md).

use std::process::Stdio;
use std::time::Duration;

use interlock_production_server::{Binaries, ProductionServer, ProductionServerOptions, Role};
use tokio::process::Command;

use crate::skipped::skipped;
use crate::testbed::run_large;

/// The tests of the short part, by the beginnings of their names. None counts events: on a busy machine this server adds workflow tasks.
const SHORT_PART: [&str; 1] = ["hand_over::"];
/// How long the short part may take.
const LIMIT: Duration = Duration::from_mins(8);

/// The server's binaries. `None`, and a line that says what to install, where they cannot be built.
pub async fn binaries() -> Option<Binaries> {
    let found = Binaries::find_or_build(&|sentence| eprintln!("{sentence}")).await;
    found.inspect_err(|error| skipped("production-server", &error.to_string())).ok()
}

#[test]
fn the_short_part_passes_on_a_production_like_server_and_single_parts_of_it_can_be_killed() {
    run_large(async {
        let Some(binaries) = binaries().await else { return };
        let mut server = ProductionServer::start(&binaries, ProductionServerOptions::default()).await.unwrap();
        // Each part goes away once, and comes back, before anything depends on it.
        for role in Role::ALL {
            server.kill_role(role).await.unwrap();
            server.revive().await.unwrap();
        }
        server.stop_postgres_at_once().await.unwrap();
        server.start_postgres().await.unwrap();
        server.revive().await.unwrap();
        let mut tests = Command::new(std::env::current_exe().unwrap());
        tests.args(SHORT_PART).env("INTERLOCK_TEST_TEMPORAL_ADDRESS", server.address());
        tests.stdin(Stdio::null()).kill_on_drop(true);
        let ended = tokio::time::timeout(LIMIT, tests.output()).await.expect("the short part ends in time").unwrap();
        let said = String::from_utf8_lossy(&ended.stdout);
        assert!(ended.status.success(), "{said}\n{}", String::from_utf8_lossy(&ended.stderr));
        println!("{}", said.lines().filter(|line| line.starts_with("test ")).collect::<Vec<_>>().join("\n"));
        server.stop().await.unwrap();
    });
}
