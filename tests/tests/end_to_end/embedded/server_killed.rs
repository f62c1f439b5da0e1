//! The Temporal server is killed, and restarted on its file.

use interlock_adapters::sandbox::{Action, Rule};
use std::time::Duration;

use crate::events::{assigned, unassigned};
use crate::scene::{Scene, number, write_that_releases};
use crate::testbed::{Testbed, Wanted, run};
use crate::waiting::until_true;

#[test]
fn a_hand_over_survives_the_servers_death_on_its_file() {
    run(async {
        let directory = tempfile::tempdir().unwrap();
        let db_file = Some(directory.path().join("temporal.sqlite"));
        let mut bed = Testbed::start("killed-server", Wanted { db_file, ..Wanted::default() }).await;
        let slow;
        let (tenant, a1, a2, number, first, second);
        {
            let scene = Scene::on(&bed);
            tenant = scene.tenant.clone();
            (a1, a2, number) = (scene.customer("A1"), scene.customer("A2"), self::number());
            scene.done(&assigned(&a1, &number)).await;
            slow = Rule::once(write_that_releases(&a1), Action::Delay { ms: 1_500 });
            bed.hss.add_rule(slow.clone());
            second = scene.submit(&assigned(&a2, &number)).await;
            scene.is_waiting_for(&a2, &number).await;
            first = scene.submit(&unassigned(&a1, &number)).await;
            until_true("the release to be under way", || bed.hss.knobs().rules.is_empty()).await;
        }
        bed.platform.server.embedded().unwrap().kill().await.unwrap();
        // The release ends at the HSS, and the worker cannot report it.
        until_true("the release's effect", || crate::applied_log::registrations(&bed.hss.log(), &number).len() == 2)
            .await;
        tokio::time::timeout(Duration::from_mins(1), bed.platform.server.embedded().unwrap().restart())
            .await
            .unwrap()
            .unwrap();
        {
            let scene = Scene { bed: &bed, tenant };
            scene.completed(&[first, second]).await;
            scene.judge(&[&number]);
            let expected = [format!("{}+", a1.imsi), format!("{}-", a1.imsi), format!("{}+", a2.imsi)];
            assert_eq!(scene.registrations(&number), expected);
        }
        bed.stop().await;
    });
}
