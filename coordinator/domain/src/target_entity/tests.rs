//! Each way from one state to another.

use super::*;
use crate::ids::TargetId;

const START: i64 = 1_000_000;

/// A target entity, with a server that sets every limit, and a target that is up or down.
struct Scene {
    target: Target,
    now: Timestamp,
    up: bool,
    /// What the server was told, in order.
    told: Vec<Limit>,
    probes: usize,
}

impl Scene {
    fn new(rules: TargetRules) -> Self {
        let name: TargetId = "hss".parse().unwrap();
        let now = Timestamp(START);
        Self { target: Target::new(name, rules, now), now, up: true, told: Vec::new(), probes: 0 }
    }

    /// A closed one, whose queue has no limit.
    fn closed(rules: TargetRules) -> Self {
        let mut scene = Self::new(rules.clone());
        scene.stands(LimitRecord::of(Limit::NONE), rules);
        assert_eq!(scene.state(), "closed");
        scene.told.clear();
        scene.probes = 0;
        scene
    }

    /// Starts with a queue in this state.
    fn stands(&mut self, record: LimitRecord, rules: TargetRules) {
        assert_eq!(self.target.step(self.now, Input::Configured(rules)), [Effect::Probe]);
        let finding = self.finding();
        self.give(Input::Probed(ProbeAnswer { finding, stands: Some(record) }));
    }

    fn finding(&self) -> Finding {
        if self.up { Finding::Up } else { Finding::Down { detail: "refused".to_owned() } }
    }

    /// Feeds an input, and answers all effects at once.
    fn give(&mut self, input: Input) {
        let effects = self.target.step(self.now, input);
        self.carry_out(effects);
    }

    fn carry_out(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::SetLimit { limit, record } => {
                    assert_eq!(record.limit, limit);
                    self.told.push(limit);
                    self.give(Input::LimitSet(Ok(())));
                }
                Effect::Probe => {
                    self.probes += 1;
                    let finding = self.finding();
                    self.give(Input::Probed(ProbeAnswer { finding, stands: None }));
                }
            }
        }
    }

    /// Lets time pass, waking the entity whenever it wants.
    fn pass(&mut self, ms: u64) {
        let end = self.now.plus_ms(ms);
        while let Some(at) = self.target.wake_at(self.now).filter(|at| *at <= end) {
            self.now = at.max(self.now);
            self.give(Input::Woke);
        }
        self.now = end;
    }

    fn report(&mut self, process: &str, transition: BreakerTransition) {
        let report = BreakerReport { process: process.to_owned(), transition, reason: "refused".to_owned() };
        self.give(Input::Reported(report));
    }

    fn act(&mut self, id: &str, kind: TargetActionKind) -> Result<TargetActionDone, Refusal> {
        let (actor, reason) = ("anna".to_owned(), "because".to_owned());
        let (answer, effects) =
            self.target.act(self.now, &TargetAction { action_id: id.to_owned(), kind, actor, reason });
        self.carry_out(effects);
        answer
    }

    fn state(&self) -> &'static str {
        self.target.state.name().as_str()
    }

    fn told_rates(&self) -> Vec<Option<f64>> {
        self.told.iter().map(|limit| limit.0.map(Rate::get)).collect()
    }
}

fn rate(per_second: u32) -> TargetRules {
    TargetRules { rate: Some(Rate::per_second(per_second)), ..TargetRules::default() }
}

#[test]
fn a_target_that_answers_from_the_start_gets_its_configured_rate_at_once() {
    let mut scene = Scene::new(rate(7));
    scene.stands(LimitRecord::of(Limit::NONE), rate(7));
    assert_eq!((scene.state(), scene.told_rates()), ("closed", vec![Some(7.0)]));
}

#[test]
fn a_target_whose_first_probe_fails_is_open() {
    let mut scene = Scene::new(rate(7));
    scene.up = false;
    scene.stands(LimitRecord::of(Limit::NONE), rate(7));
    assert_eq!((scene.state(), scene.told_rates()), ("open", vec![Some(0.0)]));
}

#[test]
fn a_target_that_could_not_be_asked_at_first_is_left_as_it_is_and_asked_again() {
    let mut scene = Scene::new(rate(7));
    assert_eq!(scene.target.step(scene.now, Input::Woke), [Effect::Probe]);
    let finding = Finding::NotAsked { detail: "no worker".to_owned() };
    assert_eq!(scene.target.step(scene.now, Input::Probed(ProbeAnswer { finding, stands: None })), []);
    assert_eq!(scene.target.wake_at(scene.now), Some(scene.now.plus_ms(5_000)));
    scene.now = scene.now.plus_ms(4_999);
    assert_eq!(scene.target.step(scene.now, Input::Woke), []);
    scene.now = scene.now.plus_ms(1);
    assert_eq!(scene.target.step(scene.now, Input::Woke), [Effect::Probe]);
}

#[test]
fn a_queue_that_stood_at_0_when_the_entity_was_terminated_is_opened_in_a_ramp() {
    let mut scene = Scene::new(rate(4));
    scene.stands(LimitRecord { state: "open".to_owned(), ..LimitRecord::of(Limit::STOPPED) }, rate(4));
    assert_eq!(scene.state(), "ramping");
    scene.pass(20_000);
    assert_eq!((scene.state(), scene.told_rates()), ("closed", vec![Some(1.0), Some(2.0), Some(4.0)]));
}

#[test]
fn what_a_person_ordered_outlives_the_entity() {
    let record = LimitRecord {
        state: "paused".to_owned(),
        until: Some(Timestamp(START + 60_000)),
        actor: Some("anna".to_owned()),
        reason: Some("the vendor asks".to_owned()),
        limited_to: Some(Rate::per_second(3)),
        limit: Limit::STOPPED,
    };
    let mut scene = Scene::new(TargetRules::default());
    scene.stands(record.clone(), TargetRules::default());
    let paused = TargetState::Paused {
        until: Some(Timestamp(START + 60_000)),
        actor: "anna".to_owned(),
        reason: "the vendor asks".to_owned(),
    };
    assert_eq!(scene.target.state, paused);
    let line = scene.target.history.back().unwrap();
    assert_eq!((line.what.as_str(), line.who.as_deref()), ("still_paused", Some("anna")));
    scene.act("r", TargetActionKind::Resume).unwrap();
    scene.pass(60_000);
    assert_eq!((scene.state(), scene.told.last()), ("closed", Some(&Limit(Some(Rate::per_second(3))))));

    let limited =
        LimitRecord { limited_to: Some(Rate::per_second(3)), ..LimitRecord::of(Limit(Some(Rate::per_second(3)))) };
    let mut scene = Scene::new(rate(9));
    scene.stands(limited, rate(9));
    assert_eq!((scene.state(), scene.told_rates()), ("closed", vec![Some(3.0)]));
}

#[test]
fn one_open_breaker_stops_the_calls_and_the_probe_comes_later() {
    let mut scene = Scene::closed(TargetRules::default());
    scene.up = false;
    scene.report("p1", BreakerTransition::Opened);
    assert_eq!((scene.state(), scene.told_rates(), scene.probes), ("open", vec![Some(0.0)], 0));
    scene.pass(4_999);
    assert_eq!(scene.probes, 0);
    scene.pass(1);
    assert_eq!((scene.state(), scene.probes), ("open", 1));
}

#[test]
fn where_two_processes_must_agree_one_is_not_enough() {
    let mut scene = Scene::closed(TargetRules { open_processes: 2, ..TargetRules::default() });
    scene.report("p1", BreakerTransition::Opened);
    assert_eq!(scene.state(), "closed");
    scene.report("p1", BreakerTransition::Opened);
    assert_eq!(scene.state(), "closed");
    scene.report("p1", BreakerTransition::Closed);
    scene.report("p2", BreakerTransition::Opened);
    assert_eq!(scene.state(), "closed");
    scene.report("p1", BreakerTransition::Opened);
    assert_eq!(scene.state(), "open");
}

#[test]
fn probes_back_off_to_their_cap() {
    let mut scene = Scene::closed(TargetRules::default());
    scene.up = false;
    scene.report("p1", BreakerTransition::Opened);
    // 5, 10, 20, 40, 60, 60 …
    for (ms, probes) in [(5_000, 1), (10_000, 2), (20_000, 3), (40_000, 4), (60_000, 5), (59_999, 5), (1, 6)] {
        scene.pass(ms);
        assert_eq!(scene.probes, probes, "after {ms} ms more");
    }
    assert_eq!(scene.told_rates(), [Some(0.0)], "an outage of any length is told once");
    assert!(scene.target.history.len() < 5, "nor does it fill the history");
}

#[test]
fn a_target_that_answers_again_is_called_in_a_ramp_up_to_its_rate() {
    let mut scene = Scene::closed(rate(6));
    scene.report("p1", BreakerTransition::Opened);
    scene.pass(5_000);
    assert_eq!((scene.state(), scene.told_rates()), ("ramping", vec![Some(0.0), Some(1.0)]));
    scene.pass(15_000);
    assert_eq!(scene.told_rates(), [Some(0.0), Some(1.0), Some(2.0), Some(4.0), Some(6.0)]);
    scene.pass(5_000);
    assert_eq!(scene.state(), "closed");
    assert!(scene.target.open_breakers.is_empty());
}

#[test]
fn a_ramp_without_a_configured_rate_ends_without_a_limit() {
    let mut scene = Scene::closed(TargetRules { ramp_top: Rate::per_second(2), ..TargetRules::default() });
    scene.report("p1", BreakerTransition::Opened);
    scene.pass(60_000);
    assert_eq!((scene.state(), scene.told_rates()), ("closed", vec![Some(0.0), Some(1.0), Some(2.0), None]));
}

#[test]
fn a_failure_in_the_ramp_stops_the_calls_again_and_backs_off_further() {
    let mut scene = Scene::closed(TargetRules::default());
    scene.report("p1", BreakerTransition::Opened);
    scene.pass(5_000);
    assert_eq!(scene.state(), "ramping");
    scene.report("p2", BreakerTransition::Opened);
    assert_eq!((scene.state(), *scene.told.last().unwrap()), ("open", Limit::STOPPED));
    scene.pass(9_999);
    assert_eq!((scene.state(), scene.probes), ("open", 1));
    scene.pass(1);
    assert_eq!((scene.state(), scene.probes), ("ramping", 2));
}

#[test]
fn a_stage_lasts_from_when_the_server_knows_of_it() {
    let mut scene = Scene::closed(TargetRules::default());
    scene.report("p1", BreakerTransition::Opened);
    scene.now = scene.now.plus_ms(5_000);
    assert_eq!(scene.target.step(scene.now, Input::Woke), [Effect::Probe]);
    let effects = scene.target.step(scene.now, Input::Probed(ProbeAnswer { finding: Finding::Up, stands: None }));
    assert!(matches!(effects[..], [Effect::SetLimit { .. }]));
    // Telling the server takes time.
    assert_eq!(scene.target.wake_at(scene.now), None);
    scene.now = scene.now.plus_ms(7_000);
    scene.give(Input::LimitSet(Ok(())));
    assert_eq!(scene.target.wake_at(scene.now), Some(scene.now.plus_ms(5_000)));
}

#[test]
fn a_limit_that_could_not_be_told_is_told_again() {
    let mut scene = Scene::closed(rate(5));
    let report =
        BreakerReport { process: "p".to_owned(), transition: BreakerTransition::Opened, reason: String::new() };
    assert!(matches!(scene.target.step(scene.now, Input::Reported(report))[..], [Effect::SetLimit { .. }]));
    assert_eq!(scene.target.step(scene.now, Input::LimitSet(Err("away".to_owned()))), []);
    assert_eq!(scene.target.view().limit_fault.as_deref(), Some("away"));
    assert_eq!(scene.target.wake_at(scene.now), Some(scene.now.plus_ms(5_000)));
    scene.now = scene.now.plus_ms(5_000);
    scene.give(Input::Woke);
    assert_eq!(scene.told_rates()[0], Some(0.0));
    assert_eq!(scene.target.view().limit_fault, None);
}

#[test]
fn what_a_limit_under_way_says_is_not_what_is_wanted_any_more_when_calls_fail_meanwhile() {
    let mut scene = Scene::closed(rate(5));
    let effects = scene.target.step(scene.now, Input::Configured(rate(8)));
    assert!(matches!(effects[..], [Effect::SetLimit { .. }]));
    scene.report("p1", BreakerTransition::Opened);
    assert_eq!(scene.told_rates(), [], "one telling at a time");
    scene.give(Input::LimitSet(Ok(())));
    assert_eq!(scene.told_rates(), [Some(0.0)]);
}

fn window(begins: i64, lasts_ms: u64) -> TargetRules {
    let window = MaintenanceWindow {
        begins: Timestamp(START + begins),
        lasts_ms,
        every_ms: None,
        reason: "new release".to_owned(),
    };
    TargetRules { maintenance: vec![window], ..TargetRules::default() }
}

#[test]
fn in_maintenance_nothing_is_sent_and_nothing_is_probed_until_its_end() {
    let mut scene = Scene::closed(window(10_000, 100_000));
    scene.pass(9_999);
    assert_eq!(scene.state(), "closed");
    scene.pass(1);
    assert_eq!((scene.state(), scene.told_rates()), ("maintenance", vec![Some(0.0)]));
    scene.report("p1", BreakerTransition::Opened);
    scene.pass(99_999);
    assert_eq!((scene.state(), scene.probes), ("maintenance", 0));
    scene.pass(1);
    assert_eq!((scene.state(), scene.probes), ("ramping", 1));
}

#[test]
fn maintenance_that_a_person_ends_early_does_not_begin_again() {
    let mut scene = Scene::closed(window(1, 100_000));
    scene.pass(1);
    assert_eq!(scene.state(), "maintenance");
    scene.act("a", TargetActionKind::Resume).unwrap();
    assert_eq!(scene.state(), "ramping");
    scene.pass(200_000);
    assert_eq!(scene.state(), "closed");
}

#[test]
fn a_window_that_is_taken_out_of_the_calendar_is_over() {
    let mut scene = Scene::closed(window(1, 100_000));
    scene.pass(1);
    assert_eq!(scene.state(), "maintenance");
    scene.give(Input::Configured(TargetRules::default()));
    assert_eq!(scene.state(), "ramping");
}

#[test]
fn a_pause_lasts_until_it_is_resumed_and_then_the_target_is_asked_first() {
    let mut scene = Scene::closed(TargetRules::default());
    assert_eq!(scene.act("a", TargetActionKind::Pause { until: None }).unwrap().state, TargetStateName::Paused);
    scene.report("p1", BreakerTransition::Opened);
    scene.pass(1_000_000);
    assert_eq!((scene.state(), scene.told_rates(), scene.probes), ("paused", vec![Some(0.0)], 0));
    scene.up = false;
    assert_eq!(scene.act("b", TargetActionKind::Resume).unwrap().state, TargetStateName::Probing);
    assert_eq!((scene.state(), scene.probes), ("open", 1));
}

#[test]
fn a_pause_with_an_end_ends_by_itself() {
    let mut scene = Scene::closed(TargetRules::default());
    let until = Some(scene.now.plus_ms(60_000));
    scene.act("a", TargetActionKind::Pause { until }).unwrap();
    scene.pass(59_999);
    assert_eq!(scene.state(), "paused");
    scene.pass(1);
    assert_eq!(scene.state(), "ramping");
    let past = Some(scene.now);
    assert_eq!(scene.act("b", TargetActionKind::Pause { until: past }).unwrap_err().code, "pause_over");
}

#[test]
fn a_pause_goes_before_maintenance_and_maintenance_before_an_outage() {
    let mut scene = Scene::closed(window(10_000, 10_000));
    scene.up = false;
    scene.report("p1", BreakerTransition::Opened);
    scene.pass(10_000);
    assert_eq!(scene.state(), "maintenance");
    scene.act("a", TargetActionKind::Pause { until: None }).unwrap();
    scene.pass(1_000);
    assert_eq!(scene.state(), "paused");
    scene.act("b", TargetActionKind::Resume).unwrap();
    assert_eq!(scene.state(), "maintenance");
}

#[test]
fn in_an_outage_a_person_may_have_the_target_asked_at_once() {
    let mut scene = Scene::closed(TargetRules::default());
    scene.report("p1", BreakerTransition::Opened);
    assert_eq!(scene.act("a", TargetActionKind::Resume).unwrap().state, TargetStateName::Probing);
    assert_eq!((scene.state(), scene.probes), ("ramping", 1));
    assert_eq!(scene.act("b", TargetActionKind::Resume).unwrap_err().code, "target_not_stopped");
}

#[test]
fn a_persons_limit_goes_before_the_configured_one_until_it_is_lifted() {
    let mut scene = Scene::closed(rate(50));
    let limit = |per_second| TargetActionKind::Limit { per_second };
    scene.act("a", limit(Some(Rate::per_second(3)))).unwrap();
    scene.give(Input::Configured(rate(40)));
    scene.act("b", limit(None)).unwrap();
    assert_eq!(scene.told_rates(), [Some(3.0), Some(3.0), Some(40.0)]);
    assert_eq!(scene.act("c", limit(Some(Rate::ZERO))).unwrap_err().code, "limit_is_zero");
    assert_eq!(scene.state(), "closed");
}

#[test]
fn the_same_action_again_changes_nothing() {
    let mut scene = Scene::closed(TargetRules::default());
    scene.act("a", TargetActionKind::Pause { until: None }).unwrap();
    scene.act("b", TargetActionKind::Resume).unwrap();
    let (told, again) = (scene.told.len(), scene.act("a", TargetActionKind::Pause { until: None }).unwrap());
    assert!(again.repeated);
    assert_eq!((scene.state(), scene.told.len()), ("ramping", told));
}

#[test]
fn a_new_run_begins_again_what_was_under_way() {
    let mut scene = Scene::closed(TargetRules::default());
    scene.report("p1", BreakerTransition::Opened);
    scene.now = scene.now.plus_ms(5_000);
    assert_eq!(scene.target.step(scene.now, Input::Woke), [Effect::Probe]);
    assert!(!scene.target.is_idle());
    let carried = serde_json::to_value(&scene.target).unwrap();
    scene.target = serde_json::from_value(carried).unwrap();
    scene.told.clear();
    scene.give(Input::Resumed);
    assert_eq!((scene.state(), scene.told_rates(), scene.probes), ("ramping", vec![Some(0.0), Some(1.0)], 1));
}

#[test]
fn a_probe_whose_answer_comes_too_late_decides_nothing() {
    let mut scene = Scene::closed(TargetRules::default());
    scene.report("p1", BreakerTransition::Opened);
    scene.now = scene.now.plus_ms(5_000);
    assert_eq!(scene.target.step(scene.now, Input::Woke), [Effect::Probe]);
    scene.act("a", TargetActionKind::Pause { until: None }).unwrap();
    scene.give(Input::Probed(ProbeAnswer { finding: Finding::Up, stands: None }));
    assert_eq!(scene.state(), "paused");
}

#[test]
fn what_is_kept_of_breakers_actions_and_history_is_bounded() {
    let mut scene = Scene::closed(TargetRules::default());
    for number in 0..1_000 {
        scene.report(&format!("p{number}"), BreakerTransition::Opened);
        scene.now = scene.now.plus_ms(1);
        let kind = TargetActionKind::Limit { per_second: Some(Rate::per_second(number + 1)) };
        scene.act(&number.to_string(), kind).unwrap();
    }
    let target = &scene.target;
    assert_eq!(
        (target.open_breakers.len(), target.actions.len(), target.history.len()),
        (OPEN_BREAKERS_MAX, TARGET_ACTIONS_MAX, TARGET_HISTORY_MAX)
    );
    assert!(target.open_breakers.contains_key("p999"));
    assert!(serde_json::to_vec(target).unwrap().len() < 100_000);
}

#[test]
fn the_view_says_state_limit_and_why() {
    let mut scene = Scene::closed(rate(5));
    scene.up = false;
    scene.report("worker-7", BreakerTransition::Opened);
    scene.pass(5_000);
    let view = serde_json::to_value(scene.target.view()).unwrap();
    assert_eq!((&view["state"], &view["limit"], &view["configured_rate"]), (&"open".into(), &0.0.into(), &5.0.into()));
    assert_eq!(view["last_probe"]["detail"], "refused");
    assert_eq!(view["breakers"][0]["process"], "worker-7");
    assert_eq!(view["limit_pending"], false);
    let whats: Vec<&str> =
        view["history"].as_array().unwrap().iter().map(|line| line["what"].as_str().unwrap()).collect();
    assert_eq!(whats, ["began", "opened"]);
}

#[test]
fn the_view_says_why_it_is_not_called_and_who_said_so() {
    let because = |scene: &Scene| {
        let view = scene.target.view();
        (view.reason, view.actor)
    };
    let said = |reason: &str, actor: Option<&str>| (Some(reason.to_owned()), actor.map(str::to_owned));
    let mut scene = Scene::closed(TargetRules::default());
    assert_eq!(because(&scene), (None, None), "it is called");
    scene.act("1", TargetActionKind::Limit { per_second: Some(Rate::per_second(3)) }).unwrap();
    assert_eq!(because(&scene), said("because", Some("anna")));
    scene.up = false;
    scene.report("w1", BreakerTransition::Opened);
    assert_eq!((scene.state(), because(&scene)), ("open", said("refused", None)));
    scene.up = true;
    scene.pass(5_000);
    assert_eq!((scene.state(), because(&scene)), ("ramping", said("refused", None)), "that is why it is a ramp");
    scene.act("2", TargetActionKind::Pause { until: None }).unwrap();
    assert_eq!((scene.state(), because(&scene)), ("paused", said("because", Some("anna"))));
    scene.act("3", TargetActionKind::Resume).unwrap();
    assert_eq!((scene.state(), because(&scene)), ("ramping", (None, None)), "the outage before the pause is no reason");
    let mut scene = Scene::closed(window(1_000, 1_000));
    scene.pass(1_500);
    assert_eq!((scene.state(), because(&scene)), ("maintenance", said("new release", None)));
}

#[test]
fn a_persons_limit_outlives_the_entity_also_where_the_next_life_is_told_to_pause_first() {
    let mut target = Target::new("hss".parse().unwrap(), TargetRules::default(), Timestamp(START));
    assert_eq!(target.step(Timestamp(START), Input::Woke), [Effect::Probe]);
    let action = |id: &str, kind| TargetAction {
        action_id: id.to_owned(),
        kind,
        actor: "anna".to_owned(),
        reason: "because".to_owned(),
    };
    let (answer, effects) = target.act(Timestamp(START), &action("1", TargetActionKind::Pause { until: None }));
    assert_eq!((answer.unwrap().state.as_str(), effects), ("paused", vec![]), "what stands there is read first");
    let limited =
        LimitRecord { limited_to: Some(Rate::per_second(3)), ..LimitRecord::of(Limit(Some(Rate::per_second(3)))) };
    let answer = ProbeAnswer { finding: Finding::Up, stands: Some(limited) };
    let told = target.step(Timestamp(START + 5), Input::Probed(answer));
    let [Effect::SetLimit { limit, record }] = told.as_slice() else { panic!("{told:?}") };
    assert_eq!((*limit, record.limited_to), (Limit::STOPPED, Some(Rate::per_second(3))));
    assert_eq!(target.state.name(), TargetStateName::Paused);

    // A target whose queue cannot be read also stops the calls.
    let mut blind = Target::new("hss".parse().unwrap(), TargetRules::default(), Timestamp(START));
    blind.step(Timestamp(START), Input::Woke);
    blind.act(Timestamp(START), &action("1", TargetActionKind::Pause { until: None })).0.unwrap();
    let not_asked = Finding::NotAsked { detail: "no worker".to_owned() };
    let told = blind.step(Timestamp(START + 5), Input::Probed(ProbeAnswer { finding: not_asked, stands: None }));
    assert!(matches!(told.as_slice(), [Effect::SetLimit { limit: Limit::STOPPED, .. }]), "{told:?}");
}

#[test]
fn an_outage_is_one_however_often_it_is_probed_or_fails_again_in_its_ramp() {
    let mut scene = Scene::closed(rate(8));
    scene.pass(1_000);
    let began = scene.now;
    scene.up = false;
    scene.report("w1", BreakerTransition::Opened);
    scene.pass(600_000);
    assert!(scene.probes > 5);
    let view = scene.target.view();
    assert_eq!((view.since.clone(), view.down_since), (began.to_rfc3339(), Some(began.to_rfc3339())));
    scene.up = true;
    while scene.state() != "ramping" {
        scene.pass(1_000);
    }
    assert_ne!(scene.target.view().since, began.to_rfc3339());
    scene.report("w1", BreakerTransition::Opened);
    assert_eq!((scene.state(), scene.target.view().since), ("open", began.to_rfc3339()));
    scene.pass(600_000);
    let view = scene.target.view();
    assert_eq!((view.state.known(), view.down_since), (Some(TargetStateName::Closed), None));
}

#[test]
fn a_process_that_is_not_heard_of_any_more_does_not_count() {
    let rules = TargetRules { open_processes: 2, breaker_open_ms: 1_000, ..TargetRules::default() };
    let mut scene = Scene::closed(rules.clone());
    scene.report("p1", BreakerTransition::Opened);
    scene.pass(12_001);
    scene.report("p2", BreakerTransition::Opened);
    assert_eq!(scene.state(), "closed", "p1 was killed, and p2 is its next life");
    let mut scene = Scene::closed(rules);
    scene.report("p1", BreakerTransition::Opened);
    scene.pass(12_000);
    scene.report("p2", BreakerTransition::Opened);
    assert_eq!(scene.state(), "open");
}

#[test]
fn what_a_person_says_fits_beside_the_limit_on_the_server() {
    let long = |words: &str| words.repeat(1_000 / words.len());
    for words in ["a", "ü", "\u{1}", "\""] {
        let mut scene = Scene::closed(TargetRules::default());
        let kind = TargetActionKind::Pause { until: Some(Timestamp(i64::MAX)) };
        let action = TargetAction { action_id: "1".to_owned(), kind, actor: long(words), reason: long(words) };
        let (answer, effects) = scene.target.act(scene.now, &action);
        answer.unwrap();
        let [Effect::SetLimit { record, .. }] = effects.as_slice() else { panic!("{effects:?}") };
        let note = serde_json::to_string(record).unwrap();
        assert!(note.len() <= 1_000, "{}", note.len());
        assert!(record.reason.as_ref().is_some_and(|reason| reason.chars().count() >= 50), "{record:?}");
    }
}
