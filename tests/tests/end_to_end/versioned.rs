//! Worker versions, as an operator deploys them: a call makes a version that workers have registered the current one, and entities move
//! to it by themselves.

use interlock_domain::ids::CustomerId;
use interlock_worker_pools::Workload;
use temporalio_client::grpc::WorkflowService;
use temporalio_client::{Client, NamespacedClient as _};
use temporalio_common::protos::temporal::api::workflowservice::v1::{
    DescribeWorkerDeploymentRequest, SetWorkerDeploymentCurrentVersionRequest,
};
use tonic::IntoRequest;

use crate::events::assigned;
use crate::scene::{Scene, number};
use crate::testbed::{Testbed, Wanted, run};
use crate::waiting::until;

const DEPLOYMENT: &str = "interlock";

/// The builds that have registered with the server, sorted.
async fn builds(client: &Client) -> Vec<String> {
    let request =
        DescribeWorkerDeploymentRequest { namespace: client.namespace(), deployment_name: DEPLOYMENT.to_owned() };
    let answer = client.clone().describe_worker_deployment(request.into_request()).await;
    let info = answer.ok().and_then(|answer| answer.into_inner().worker_deployment_info);
    let versions = info.into_iter().flat_map(|info| info.version_summaries);
    let mut builds: Vec<String> = versions.filter_map(|of| Some(of.deployment_version?.build_id)).collect();
    builds.sort();
    builds
}

/// What an operator does when the workers of a build are ready (`temporal worker deployment set-current-version`). The server rejects
/// it until it has seen pollers on all queues that the previous version served.
async fn make_current(client: &Client, build_id: &str) {
    until(format!("{build_id} to be the current version"), || async {
        let request = SetWorkerDeploymentCurrentVersionRequest {
            namespace: client.namespace(),
            deployment_name: DEPLOYMENT.to_owned(),
            build_id: build_id.to_owned(),
            identity: "an operator".to_owned(),
            ..Default::default()
        };
        let set = client.clone().set_worker_deployment_current_version(request.into_request()).await;
        set.inspect_err(|status| eprintln!("{build_id}: {status}")).ok()
    })
    .await;
}

async fn start_build(bed: &mut Testbed, build_id: &str) {
    let environment = [("TEMPORAL_DEPLOYMENT_NAME", DEPLOYMENT), ("TEMPORAL_WORKER_BUILD_ID", build_id)];
    let worker = bed.platform.start_worker_process_with(Workload::All, &environment).await.unwrap();
    let url = worker.health_url().unwrap();
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    until(format!("the workers of {build_id} to be ready"), || async {
        let ready = client.get(format!("{url}/readyz")).send().await.ok()?;
        ready.status().is_success().then_some(())
    })
    .await;
    let about: serde_json::Value = client.get(format!("{url}/healthz")).send().await.unwrap().json().await.unwrap();
    assert_eq!((&about["deployment"], &about["build_id"]), (&DEPLOYMENT.into(), &build_id.into()));
}

/// The build that ran the last workflow task of a customer.
async fn runs_on(scene: &Scene<'_>, customer: &CustomerId) -> Option<String> {
    scene.entity(customer).build_id().await
}

#[test]
fn entities_move_on_to_a_new_version_by_themselves_once_it_is_the_current_one() {
    run(async {
        let wanted = Wanted { worker_processes: Some(Vec::new()), ..Wanted::default() };
        let mut bed = Testbed::start("versioned", wanted).await;
        let client = bed.platform.installation.client_for(bed.namespace()).unwrap();
        start_build(&mut bed, "build-1").await;
        until("build-1 to be known", || async { (builds(&client).await == ["build-1"]).then_some(()) }).await;
        make_current(&client, "build-1").await;
        let (customer, id, tenant);
        {
            let scene = Scene::on(&bed);
            customer = scene.customer("A");
            id = customer.id.parse().unwrap();
            scene.done(&assigned(&customer, &number())).await;
            assert_eq!(runs_on(&scene, &id).await.as_deref(), Some("build-1"));
            tenant = scene.tenant.clone();
        }

        start_build(&mut bed, "build-2").await;
        until("both builds to be known", || async { (builds(&client).await.len() == 2).then_some(()) }).await;
        {
            // A version that is not current gets no tasks.
            let scene = Scene { bed: &bed, tenant: tenant.clone() };
            scene.done(&assigned(&customer, &number())).await;
            assert_eq!(runs_on(&scene, &id).await.as_deref(), Some("build-1"));
        }
        make_current(&client, "build-2").await;
        bed.platform.worker_processes.remove(0).stop().await.unwrap();
        let scene = Scene { bed: &bed, tenant };
        scene.done(&assigned(&customer, &number())).await;
        assert_eq!(runs_on(&scene, &id).await.as_deref(), Some("build-2"));
        assert_eq!(scene.customer_state(&customer).await["leases"].as_array().map(Vec::len), Some(3));
        drop(scene);
        bed.stop().await;
    });
}
