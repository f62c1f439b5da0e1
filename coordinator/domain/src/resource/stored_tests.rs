//! A resource's state as JSON: what an earlier build wrote can be read, and an earlier build can read what is written.

use serde_json::{Value, json};

use super::{AskedFor, Life, LookUp, Resource};

/// Every look-up, with its three fields: under way, stale, for a forced release.
const STORED: [(LookUp, [bool; 3]); 6] = [
    (LookUp::None, [false, false, false]),
    (LookUp::NoneAfterStale, [false, true, false]),
    (LookUp::UnderWay { asked_for: AskedFor::Ledger, is_stale: false }, [true, false, false]),
    (LookUp::UnderWay { asked_for: AskedFor::Ledger, is_stale: true }, [true, true, false]),
    (LookUp::UnderWay { asked_for: AskedFor::Force, is_stale: false }, [true, false, true]),
    (LookUp::UnderWay { asked_for: AskedFor::Force, is_stale: true }, [true, true, true]),
];

const KEYS: [&str; 3] = ["looking_up", "look_up_is_stale", "look_up_is_for_force"];

fn resource() -> Resource {
    Resource::new("t".parse().unwrap(), "msisdn/1".parse().unwrap())
}

#[test]
fn a_look_up_is_written_and_read_as_three_fields_of_the_resource() {
    for (look_up, fields) in STORED {
        let resource = Resource { look_up, ..resource() };
        let written = serde_json::to_value(&resource).unwrap();
        assert_eq!(KEYS.map(|key| &written[key]), fields.map(Value::from).each_ref(), "{look_up:?}");
        assert_eq!(serde_json::from_value::<Resource>(written).unwrap(), resource);
        let text = serde_json::to_string(&resource).unwrap();
        assert_eq!(serde_json::from_str::<Resource>(&text).unwrap(), resource);
    }
}

#[test]
fn what_a_look_up_was_for_that_is_not_under_way_is_not_remembered() {
    let mut json = serde_json::to_value(resource()).unwrap();
    json["look_up_is_for_force"] = true.into();
    assert_eq!(serde_json::from_value::<Resource>(json).unwrap(), resource());
}

#[test]
fn a_life_is_written_and_read_as_two_fields_of_the_resource() {
    let stored = [
        (Life::New, [true, false]),
        (Life::NewAgain, [true, true]),
        (Life::Begun, [false, false]),
        (Life::BegunAgain, [false, true]),
    ];
    for (life, fields) in stored {
        let resource = Resource { life, ..resource() };
        let written = serde_json::to_value(&resource).unwrap();
        assert_eq!(["fresh", "reborn"].map(|key| &written[key]), fields.map(Value::from).each_ref(), "{life:?}");
        assert_eq!(serde_json::from_value::<Resource>(written).unwrap(), resource);
    }
}

#[test]
fn a_state_without_the_younger_fields_is_read() {
    let mut json = serde_json::to_value(resource()).unwrap();
    let fields = json.as_object_mut().unwrap();
    fields.remove("look_up_is_stale");
    fields.remove("look_up_is_for_force");
    fields.remove("reborn");
    fields.insert("looking_up".to_owned(), true.into());
    let read: Resource = serde_json::from_value(json.clone()).unwrap();
    assert_eq!(read.look_up, LookUp::UnderWay { asked_for: AskedFor::Ledger, is_stale: false });
    assert_eq!(read.life, Life::New);
    for of_every_build in ["looking_up", "fresh"] {
        let mut without = json.clone();
        without.as_object_mut().unwrap().remove(of_every_build);
        assert!(serde_json::from_value::<Resource>(without).is_err(), "{of_every_build}");
    }
}

#[test]
fn the_state_of_a_new_resource_has_these_fields_and_no_others() {
    let expected = json!({
        "realm": "t",
        "id": "msisdn/1",
        "policy": resource().policy,
        "epoch": 0,
        "holder": null,
        "vacancy": "known",
        "queue": [],
        "finished": [],
        "not_before": i64::MIN,
        "contested_in_a_row": 0,
        "looking_up": false,
        "look_up_is_stale": false,
        "look_up_is_for_force": false,
        "outbox": [],
        "sending": 0,
        "history": [],
        "fresh": true,
        "reborn": false,
        "settled": 0,
        "floor": 0,
    });
    assert_eq!(serde_json::to_value(resource()).unwrap(), expected);
}
