//! The OpenAPI description in front of tools of others: schemathesis calls everything that it describes, and a client in TypeScript that is
//! generated from it sends an event.

use std::num::NonZeroU32;
use std::path::Path;
use std::time::Duration;

use interlock_adapters::TargetSettings;
use interlock_domain::ids::TenantId;
use interlock_domain::routing::TenantSettings;
use interlock_settings::{GatewayRole, GatewayToken, Settings, TargetRight};
use tokio::process::Command;

use crate::espf::portaone_events;
use crate::events::assigned;
use crate::outside_tools::find;
use crate::scene::{Scene, number};
use crate::testbed::{Testbed, Wanted, run};

/// The tenant that is called.
const TENANT: &str = "green";
/// How long a tool may take.
const LIMIT: Duration = Duration::from_mins(5);
/// How to get the tool.
const HOW: &str = "pip install schemathesis";

fn tokens(settings: &mut Settings) {
    let token = |name: &str, role| GatewayToken {
        token: format!("token-to-{name}").into(),
        name: Some(name.to_owned()),
        role,
        tenants: vec![TENANT.parse().unwrap()],
        realms: Vec::new(),
        targets: vec![TargetRight::All],
    };
    // What is answered must not depend on how fast the machine is.
    settings.gateway.actions_per_second_max = NonZeroU32::MAX;
    settings.gateway.reads_per_second_max = NonZeroU32::MAX;
    settings.gateway.lists_per_second_max = NonZeroU32::MAX;
    let espf = serde_json::from_value(serde_json::json!({"target": "portaone-in"})).unwrap();
    settings.espf.insert(TENANT.parse().unwrap(), espf);
    settings.gateway.tokens = vec![
        token("submit", GatewayRole::Submit),
        token("read", GatewayRole::Read),
        token("operate", GatewayRole::Operate),
    ];
}

async fn testbed(name: &str) -> Testbed {
    let roles = [("intake".parse().unwrap(), "portaone-in".parse().unwrap())].into();
    let wanted = Wanted {
        tenants: vec![(TENANT, TenantSettings { targets: roles, ..TenantSettings::default() })],
        targets: vec![("portaone-in", TargetSettings::intake("portaone-espf.toml", None))],
        more_events: portaone_events(),
        settings: Some(Box::new(tokens)),
        ..Wanted::default()
    };
    Testbed::start(name, wanted).await
}

/// What a tool says that has to succeed.
async fn said(mut tool: Command) -> String {
    let output = tokio::time::timeout(LIMIT, tool.kill_on_drop(true).output()).await.expect("it ends in time").unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{tool:?}: {said}");
    said
}

/// What schemathesis cannot learn from a description: the tenant that the tokens are for, and that what two fields say together may be
/// wrong.
fn configuration(folder: &Path) -> String {
    let file = folder.join("schemathesis.toml");
    let text = format!(
        r#"
[parameters]
"path.tenant" = "{TENANT}"

# A cursor is opaque: one that was made up is refused.
[[operations]]
include-operation-id = "listOrders"
checks.positive_data_acceptance.expected-statuses = ["2xx", 400, 403, 404]

# What a URL must be, and a limit of encoded bytes, cannot be said by a schema.
[[operations]]
include-operation-id = "addSubscription"
checks.positive_data_acceptance.expected-statuses = ["2xx", 400, 403, 409]

# What an amendment may correct depends on the order.
[[operations]]
include-operation-id = "actOnOrder"
checks.positive_data_acceptance.expected-statuses = ["2xx", 400, 403, 404, 409]

# What data must not have (a NUL character, too many levels) cannot be said by a schema.
[[operations]]
include-operation-id = "planEvent"
checks.positive_data_acceptance.expected-statuses = ["2xx", 400, 403]

# In binary mode some headers are required together.
[[operations]]
include-operation-id = "submitEvents"
checks.positive_data_acceptance.expected-statuses = ["2xx", 400, 403]
"#
    );
    std::fs::write(&file, text).unwrap();
    file.to_str().unwrap().to_owned()
}

#[test]
fn schemathesis_finds_nothing_with_a_token_of_any_role() {
    run(async {
        let Some(schemathesis) = find("schemathesis", HOW) else { return };
        let bed = testbed("schemathesis").await;
        let scene = Scene { bed: &bed, tenant: TENANT.parse::<TenantId>().unwrap() };
        let (customer, number) = (scene.customer("described"), number());
        scene.done(&assigned(&customer, &number)).await;
        let folder = tempfile::tempdir().unwrap();
        let configuration = configuration(folder.path());
        for role in ["submit", "read", "operate"] {
            let mut tool = Command::new(&schemathesis);
            tool.current_dir(folder.path()).args(["--config-file", &configuration, "run"]);
            tool.arg(format!("{}/openapi.json", bed.platform.gateway_url()));
            tool.args(["--header", &format!("Authorization: Bearer token-to-{role}")]);
            tool.args([
                "--checks",
                "all",
                "--max-examples",
                "20",
                "--seed",
                "1",
                "--no-color",
                "--continue-on-failure",
            ]);
            let said = said(tool).await;
            assert!(said.contains("Tested: 22"), "{said}");
        }
        bed.stop().await;
    });
}

/// The files of the client in TypeScript.
const CLIENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/typescript");

#[test]
fn a_client_that_is_generated_from_the_description_compiles_and_sends_an_event() {
    run(async {
        let how = "npm ci in a copy of tests/typescript";
        let (Some(node), Some(generator)) = (find("node", "nodejs.org"), find("openapi-typescript", how)) else {
            return;
        };
        let generator = std::fs::canonicalize(generator).unwrap();
        let modules = generator.ancestors().find(|folder| folder.ends_with("node_modules")).unwrap();
        let bed = testbed("generated-client").await;
        let scene = Scene { bed: &bed, tenant: TENANT.parse::<TenantId>().unwrap() };
        let (customer, number) = (scene.customer("generated"), number());
        let event = assigned(&customer, &number);

        let folder = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink(modules, folder.path().join("node_modules")).unwrap();
        for file in ["package.json", "send.ts"] {
            std::fs::copy(Path::new(CLIENT).join(file), folder.path().join(file)).unwrap();
        }
        let url = bed.platform.gateway_url();
        let run_node = async |arguments: &[&str]| {
            let mut tool = Command::new(&node);
            tool.current_dir(folder.path()).args(arguments);
            said(tool).await
        };
        run_node(&[generator.to_str().unwrap(), &format!("{url}/openapi.json"), "--output", "gateway.ts"]).await;
        let compile = ["node_modules/typescript/bin/tsc", "--strict", "--target", "es2022", "--module", "nodenext"];
        run_node(&[&compile[..], &["--skipLibCheck", "send.ts"]].concat()).await;
        let said = run_node(&["send.js", &url, "token-to-submit", TENANT, &event.to_string()]).await;
        let order = scene.done(&event).await;
        assert_eq!(said, format!("accepted {order}\n").repeat(2));
        bed.stop().await;
    });
}
