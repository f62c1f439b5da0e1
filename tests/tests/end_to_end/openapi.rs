//! The OpenAPI description in front of a tool of others: schemathesis calls everything that it describes.

use std::path::Path;
use std::time::Duration;

use interlock_domain::ids::TenantId;
use interlock_domain::routing::TenantSettings;
use interlock_settings::{GatewayRole, GatewayToken, Settings, TargetRight};
use tokio::process::Command;

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
    settings.gateway.tokens = vec![
        token("submit", GatewayRole::Submit),
        token("read", GatewayRole::Read),
        token("operate", GatewayRole::Operate),
    ];
}

async fn testbed(name: &str) -> Testbed {
    let wanted = Wanted {
        tenants: vec![(TENANT, TenantSettings::default())],
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
checks.positive_data_acceptance.expected-statuses = ["2xx", 400, 403, 404, 429]

# What a URL must be, and a limit of encoded bytes, cannot be said by a schema.
[[operations]]
include-operation-id = "addSubscription"
checks.positive_data_acceptance.expected-statuses = ["2xx", 400, 403, 409, 429]

# In binary mode some headers are required together.
[[operations]]
include-operation-id = "submitEvents"
checks.positive_data_acceptance.expected-statuses = ["2xx", 400, 403, 429]
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
            assert!(said.contains("Tested: 18"), "{said}");
        }
        bed.stop().await;
    });
}
