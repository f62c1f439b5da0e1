//! Leases that a customer has by an import.

use super::*;

fn told(epoch: u64) -> Input {
    let notice = Notice::LeaseImported { epoch: Epoch(epoch), target_identity: None, unused: false };
    Input::Told(ToCustomer { resource: number(), incarnation: Incarnation(1), notice })
}

#[test]
fn an_imported_lease_is_kept_and_released_by_the_release_of_its_number() {
    let mut a = customer();
    assert_eq!(a.step(NOW, told(7)), vec![]);
    assert!(a.leases[&number()].kept);
    let effects = a.step(NOW, Input::Submitted(Ok(event("e1"))));
    let [Effect::Admit(admission)] = effects.as_slice() else { panic!("{effects:?}") };
    assert!(admission.held.contains(&number()) && admission.holdings.contains_key(&number()), "all that it holds");
    let effects = a.step(NOW, planned(release(), vec![]));
    let [Effect::Provision { request, .. }] = effects.as_slice() else { panic!("{effects:?}") };
    assert_eq!(request.epoch, Some(Epoch(7)));
    let effects = a.step(NOW, done("e1", 0));
    let [Effect::Send(messages)] = effects.as_slice() else { panic!("{effects:?}") };
    let given_back =
        |message: &ToResource| matches!(message, ToResource::GiveBack { epoch: Epoch(7), how: GiveBack::Released, .. });
    assert!(messages.iter().any(|(_, message)| given_back(message)), "{messages:?}");
    a.step(NOW, Input::Sent);
    a.step(NOW, told(7));
    assert!(a.leases.is_empty(), "the same message again, late");
}

#[test]
fn an_imported_lease_is_said_again_to_a_resource_that_forgot_it() {
    let mut a = customer();
    a.step(NOW, told(7));
    let effects = a.step(NOW, Input::Reassert { resource: Some(number()) });
    let [Effect::Send(messages)] = effects.as_slice() else { panic!("{effects:?}") };
    assert!(
        matches!(&messages[0].1, ToResource::Reassert { lease: Some(lease), .. } if lease.epoch == Epoch(7)),
        "{messages:?}"
    );
}

#[test]
fn an_import_for_an_earlier_life_is_lost_and_one_beyond_the_limit_is_declined() {
    let mut a = customer();
    let notice = Notice::LeaseImported { epoch: Epoch(7), target_identity: None, unused: false };
    let effects = a.step(NOW, Input::Told(ToCustomer { resource: number(), incarnation: Incarnation(0), notice }));
    let [Effect::Send(messages)] = effects.as_slice() else { panic!("{effects:?}") };
    assert!(matches!(messages[0].1, ToResource::Decline { lost: Some(Incarnation(0)), .. }), "{messages:?}");

    let mut full = customer();
    for n in 0..crate::limits::RESOURCES_REMEMBERED_MAX {
        let notice = Notice::LeaseImported { epoch: Epoch(7), target_identity: None, unused: false };
        let resource = format!("msisdn/{}", n + 2).parse().unwrap();
        assert_eq!(full.step(NOW, Input::Told(ToCustomer { resource, incarnation: Incarnation(1), notice })), vec![]);
    }
    let effects = full.step(NOW, told(7));
    let [Effect::Send(messages)] = effects.as_slice() else { panic!("{effects:?}") };
    assert!(matches!(messages[0].1, ToResource::Decline { lost: None, .. }), "{messages:?}");
    assert_eq!(full.leases.len(), crate::limits::RESOURCES_REMEMBERED_MAX);
}
