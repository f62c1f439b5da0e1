//! Temporal's own buttons on the entity of a target: an operator's orders for the target, and its outage, survive a reset.

use interlock_workflows::names;
use serde_json::Value;

use crate::command::done;
use crate::outage::{all_wait, asked, bed, comes_back, goes_down, standing, until_it_is, watched};
use crate::scene::Scene;
use crate::temporal_buttons::Reapply;
use crate::temporal_calls::RawEntity;
use crate::testbed::{Testbed, run};
use crate::waiting::until;

fn entity_of(bed: &Testbed, target: &str) -> RawEntity {
    RawEntity::new(&bed.platform, bed.platform.installation.routing.target(&target.parse().unwrap()))
}

/// How often a target's history records a reset of the workflow.
fn resets(view: &Value) -> usize {
    view["history"].as_array().unwrap().iter().filter(|line| line["what"] == "reset").count()
}

/// Resets a target's entity to its first task, and waits until its history records this.
async fn reset(bed: &Testbed, target: &str, reapply: Reapply) {
    let entity = entity_of(bed, target);
    entity.reset_run("", entity.first_task().await, reapply).await;
    until(format!("{target} to know of the reset"), || async {
        standing(bed, target).await.filter(|view| resets(view) > 0)
    })
    .await;
}

#[test]
fn a_target_that_is_paused_or_down_stays_so_when_its_workflow_is_reset_or_cancelled() {
    run(async {
        let bed = bed("buttons-of-targets", watched).await;
        let orders = {
            let scene = Scene::on(&bed);
            for target in ["hss", "crm"] {
                until_it_is(&bed, target, "closed").await;
            }
            done(&scene, &["target", "pause", "crm", "--reason", "it is moved"]).await;
            until_it_is(&bed, "crm", "paused").await;
            goes_down(&bed.hss);
            let (_, orders) = all_wait(&scene, 20).await;
            until_it_is(&bed, "hss", "open").await;

            tokio::join!(reset(&bed, "crm", Reapply::Nothing), reset(&bed, "hss", Reapply::All));
            let view = until_it_is(&bed, "crm", "paused").await;
            assert_eq!((&view["limit"], view["reason"].as_str()), (&Value::from(0.0), Some("it is moved")), "{view:#}");
            until_it_is(&bed, "hss", "open").await;
            for target in ["hss", "crm"] {
                entity_of(&bed, target).cancel().await;
            }
            let (steps, probes) = asked(&bed.hss);
            until("more probes", || async { (asked(&bed.hss).1 > probes + 1).then_some(()) }).await;
            assert_eq!(asked(&bed.hss).0, steps, "it is probed, and not called");
            let view = until_it_is(&bed, "crm", "paused").await;
            assert_eq!(view["limit"], 0.0, "{view:#}");

            comes_back(&bed.hss);
            scene.completed(&orders).await;
            until_it_is(&bed, "hss", "closed").await;
            done(&scene, &["target", "resume", "crm", "--reason", "it is there"]).await;
            until_it_is(&bed, "crm", "closed").await;
            orders.len()
        };
        assert_eq!(orders, 20);
        assert!(entity_of(&bed, "hss").query(names::STATE).await.is_ok());
        bed.stop().await;
    });
}
