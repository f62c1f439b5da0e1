//! Another language: a producer in Python with Temporal's own SDK, which knows only the wire contract.

use crate::python_sdk::{program, python, python_sdk};
use crate::scene::{Scene, number};
use crate::testbed::{run, shared};

#[test]
fn a_producer_in_python_that_knows_only_the_wire_contract_sees_the_hand_over() {
    run(async {
        let sdk = match python_sdk().await {
            Ok(sdk) => sdk,
            Err(skipped) => return skipped.say(),
        };
        let scene = Scene::on(shared().await);
        let (a1, a2, number) = (scene.customer("A1"), scene.customer("A2"), number());
        let script = program("hand_over.py");
        let address = scene.bed.platform.temporal_address();
        let named = [
            ("--address", address.as_str()),
            ("--namespace", scene.bed.namespace()),
            ("--tenant", scene.tenant.as_str()),
            ("--giving", &a1.id),
            ("--giving-imsi", &a1.imsi),
            ("--receiving", &a2.id),
            ("--receiving-imsi", &a2.imsi),
            ("--number", &number),
        ];
        let mut arguments = vec![script.as_str()];
        arguments.extend(named.iter().flat_map(|(name, value)| [*name, *value]));
        let output = python(&arguments, Some(&sdk)).output().await.unwrap();
        let (said, faults) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{}\n{said}\n{faults}", output.status);
        let expected = [
            format!("{} holds msisdn/{number}", a1.id),
            format!("{} waits for msisdn/{number}", a2.id),
            format!("{} holds msisdn/{number}", a2.id),
            format!("{} holds nothing", a1.id),
        ];
        assert_eq!(said.lines().collect::<Vec<_>>(), expected);
        scene.judge(&[&number]);
        let expected = [format!("{}+", a1.imsi), format!("{}-", a1.imsi), format!("{}+", a2.imsi)];
        assert_eq!(scene.registrations(&number), expected);
    });
}
