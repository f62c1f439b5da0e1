use super::*;
use crate::error_code::ErrorCode;
use crate::subscription::{OutgoingFormat, SubscriptionSettings, receiver_of};

const NOW: Timestamp = Timestamp(1_000_000);

fn tenant() -> Tenant {
    Tenant::new("blue".parse().unwrap(), NOW)
}

fn action(id: &str, kind: TenantActionKind) -> TenantAction {
    TenantAction { action_id: id.to_owned(), kind, actor: "ann".to_owned(), reason: "r".to_owned(), outlook: None }
}

fn fault() -> StepFault {
    StepFault { code: ErrorCode::TenantStepFailed.into(), detail: "it did not answer".to_owned() }
}

/// Performs an action that is accepted.
fn acts(tenant: &mut Tenant, now: Timestamp, id: &str, kind: TenantActionKind) -> Vec<Effect> {
    let (taken, effects) = tenant.act(now, &action(id, kind));
    assert!(taken.is_ok(), "{taken:?}");
    effects
}

/// Completes every step successfully, and returns the steps.
fn prepare_all(tenant: &mut Tenant, mut effects: Vec<Effect>) -> (Vec<Step>, Vec<Effect>) {
    let mut steps = Vec::new();
    while let Some(Effect::Prepare(step)) = effects.first().cloned() {
        steps.push(step);
        effects = tenant.step(NOW, Input::Prepared(step, Ok("well".to_owned())));
    }
    (steps, effects)
}

#[test]
fn on_boarding_does_its_steps_in_order_and_the_tenant_is_active() {
    let mut blue = tenant();
    let (done, effects) = blue.act(NOW, &action("1", TenantActionKind::Onboard));
    assert_eq!(done.unwrap().state, TenantState::Onboarding);
    let (steps, rest) = prepare_all(&mut blue, effects);
    assert_eq!((steps.as_slice(), rest), (Step::ALL.as_slice(), vec![]));
    assert_eq!(blue.state, TenantState::Active);
    let (again, effects) = blue.act(NOW, &action("1", TenantActionKind::Onboard));
    assert!(again.unwrap().repeated && effects.is_empty() && blue.state == TenantState::Active);
}

#[test]
fn what_whoever_on_boards_it_has_set_is_kept_for_the_workers_that_prepare_it() {
    let mut blue = tenant();
    let outlook = TenantOutlook { namespace: "blue".to_owned(), ..TenantOutlook::default() };
    let onboard = TenantAction { outlook: Some(outlook.clone()), ..action("1", TenantActionKind::Onboard) };
    assert!(blue.act(NOW, &onboard).0.is_ok());
    let carried: Tenant = serde_json::from_str(&serde_json::to_string(&blue).unwrap()).unwrap();
    assert_eq!(carried.outlook, Some(outlook));
    // An earlier build wrote none, and a sender without settings is believed.
    acts(&mut blue, NOW, "2", TenantActionKind::Onboard);
    assert_eq!(blue.outlook, None);
}

#[test]
fn a_step_that_fails_is_told_and_tried_again_with_growing_pauses() {
    let mut blue = tenant();
    acts(&mut blue, NOW, "1", TenantActionKind::Onboard);
    let mut now = NOW;
    for wait in [RETRY_MS_MIN, 2 * RETRY_MS_MIN, 4 * RETRY_MS_MIN] {
        assert_eq!(blue.step(now, Input::Prepared(Step::Namespace, Err(fault()))), vec![]);
        assert_eq!(blue.wake_at(), Some(now.plus_ms(wait)));
        assert_eq!(blue.step(now, Input::Woke), vec![], "too early");
        now = now.plus_ms(wait);
        assert_eq!(blue.step(now, Input::Woke), vec![Effect::Prepare(Step::Namespace)]);
    }
    let step = &blue.view().steps[0];
    assert_eq!(
        (step.state.known(), step.code.as_deref()),
        (Some(OnboardingStepState::Failed), Some("tenant_step_failed"))
    );
    assert_eq!(
        blue.step(now, Input::Prepared(Step::Namespace, Ok(String::new()))),
        vec![Effect::Prepare(Step::SearchAttributes)]
    );
}

#[test]
fn off_boarding_lets_open_orders_end_and_then_refuses_events_and_on_boarding_opens_again() {
    let mut blue = tenant();
    let (_, effects) = blue.act(NOW, &action("1", TenantActionKind::Offboard { at_once: false }));
    assert_eq!(effects, vec![Effect::Count]);
    let mut now = NOW;
    for (customers, is_left) in [(2, false), (0, false), (1, false), (0, false)] {
        assert_eq!(blue.step(now, Input::Counted(Ok(customers))), vec![]);
        assert_eq!((blue.state == TenantState::Left, blue.customers_left), (is_left, Some(customers)));
        assert!(!blue.refuses_events(), "events that end the open orders come in still");
        now = now.plus_ms(DRAIN_LOOK_MS);
        assert_eq!(blue.step(now, Input::Woke), vec![Effect::Count]);
    }
    assert_eq!(blue.step(now, Input::Counted(Ok(0))), vec![Effect::Show { refuses_events: true }]);
    assert_eq!(blue.state, TenantState::Left);
    assert_eq!(blue.wake_at(), None);
    let (_, effects) = blue.act(now, &action("2", TenantActionKind::Onboard));
    assert!(blue.refuses_events(), "until all is well");
    let (steps, rest) = prepare_all(&mut blue, effects);
    assert_eq!((steps.len(), rest), (Step::ALL.len(), vec![Effect::Show { refuses_events: false }]));
}

#[test]
fn a_drain_that_cannot_be_looked_at_does_not_end() {
    let mut blue = tenant();
    acts(&mut blue, NOW, "1", TenantActionKind::Offboard { at_once: false });
    blue.step(NOW, Input::Counted(Ok(0)));
    blue.step(NOW.plus_ms(DRAIN_LOOK_MS), Input::Woke);
    blue.step(NOW.plus_ms(DRAIN_LOOK_MS), Input::Counted(Err(fault())));
    assert_eq!((blue.state, blue.quiet_looks), (TenantState::Leaving, 0));
    assert!(blue.wake_at().is_some());
}

#[test]
fn who_leaves_at_once_refuses_events_at_once_and_nothing_of_before_is_taken() {
    let mut blue = tenant();
    acts(&mut blue, NOW, "1", TenantActionKind::Onboard);
    let (_, effects) = blue.act(NOW, &action("2", TenantActionKind::Offboard { at_once: true }));
    assert_eq!(effects, vec![Effect::Show { refuses_events: true }]);
    assert_eq!(blue.step(NOW, Input::Prepared(Step::Namespace, Ok(String::new()))), vec![]);
    assert_eq!(blue.state, TenantState::Left);
    let carried = serde_json::to_string(&blue).unwrap();
    assert_eq!(serde_json::from_str::<Tenant>(&carried).unwrap(), blue);
}

#[test]
fn a_new_run_begins_again_what_was_under_way() {
    let mut blue = tenant();
    acts(&mut blue, NOW, "1", TenantActionKind::Onboard);
    assert_eq!(blue.step(NOW, Input::Resumed), vec![Effect::Prepare(Step::Namespace)]);
}

fn own(subscription: &str) -> TenantActionKind {
    let id: SubscriptionId = subscription.parse().unwrap();
    let target = receiver_of(&"blue".parse().unwrap(), &id).unwrap();
    let settings: SubscriptionSettings = serde_json::from_value(serde_json::json!({ "target": target })).unwrap();
    let callback = "https://crm.example/hook".to_owned();
    let own = OwnSubscription { callback, format: OutgoingFormat::CloudEvents, settings, since: NOW };
    TenantActionKind::Subscribe { id, subscription: Box::new(own) }
}

#[test]
fn a_tenant_shows_the_subscriptions_that_it_made_and_makes_no_more_than_it_may() {
    let mut blue = tenant();
    for number in 0..OWN_SUBSCRIPTIONS_MAX {
        let effects = acts(&mut blue, NOW, &format!("add {number}"), own(&format!("s{number}")));
        let [Effect::ShowSubscriptions(shown)] = effects.as_slice() else { panic!("{effects:?}") };
        assert_eq!(shown.len(), number + 1);
    }
    let (refused, effects) = blue.act(NOW, &action("one more", own("more")));
    assert_eq!(refused.unwrap_err().code, ErrorCode::SubscriptionsFull);
    assert_eq!(effects, vec![]);
    let remove = || TenantActionKind::Unsubscribe { id: "s3".parse().unwrap() };
    let effects = acts(&mut blue, NOW, "remove", remove());
    let [Effect::ShowSubscriptions(shown)] = effects.as_slice() else { panic!("{effects:?}") };
    assert!(!shown.contains_key(&"s3".parse().unwrap()));
    let (again, effects) = blue.act(NOW, &action("remove", remove()));
    assert!(again.unwrap().repeated && effects.is_empty());
    let (unknown, _) = blue.act(NOW, &action("remove again", remove()));
    assert_eq!(unknown.unwrap_err().code, ErrorCode::SubscriptionUnknown);
    assert_eq!(blue.state, TenantState::Active, "its state is another matter");
    assert_eq!(blue.subscriptions().len(), OWN_SUBSCRIPTIONS_MAX - 1);
}

#[test]
fn a_subscription_names_its_own_receiver() {
    let mut blue = tenant();
    let TenantActionKind::Subscribe { subscription, .. } = own("s1") else { panic!() };
    let of_another = TenantActionKind::Subscribe { id: "s2".parse().unwrap(), subscription: subscription.clone() };
    let (refused, _) = blue.act(NOW, &action("1", of_another));
    assert_eq!(refused.unwrap_err().code, ErrorCode::SubscriptionInvalid);
    for (bytes, is_taken) in [(CALLBACK_BYTES_MAX, true), (CALLBACK_BYTES_MAX + 1, false)] {
        let long = OwnSubscription { callback: "x".repeat(bytes), ..*subscription.clone() };
        let kind = TenantActionKind::Subscribe { id: "s1".parse().unwrap(), subscription: Box::new(long) };
        assert_eq!(blue.act(NOW, &action(&bytes.to_string(), kind)).0.is_ok(), is_taken);
    }
}

#[test]
fn a_subscription_is_as_small_as_every_customer_can_keep_it() {
    let mut blue = tenant();
    let TenantActionKind::Subscribe { subscription, .. } = own("s1") else { panic!() };
    let with = |bytes: usize| {
        let mut filtered = *subscription.clone();
        filtered.settings.event_types = ["x".repeat(bytes)].into();
        filtered
    };
    let room = OWN_SUBSCRIPTION_BYTES_MAX - with(0).bytes();
    for (bytes, is_taken) in [(room, true), (room + 1, false)] {
        let kind = TenantActionKind::Subscribe { id: "s1".parse().unwrap(), subscription: Box::new(with(bytes)) };
        let (taken, _) = blue.act(NOW, &action(&bytes.to_string(), kind));
        assert_eq!(
            taken.map(drop).map_err(|refusal| refusal.code),
            if is_taken { Ok(()) } else { Err(ErrorCode::SubscriptionInvalid.into()) }
        );
    }
}
