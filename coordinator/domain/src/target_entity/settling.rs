//! Whatever happens, in whatever order: a target that is healthy in the end is called at its rate in the end.

use proptest::prelude::*;

use super::*;

/// Something that happens.
#[derive(Debug, Clone)]
enum Occurrence {
    Opened(u8),
    Closed(u8),
    Configured {
        rate: u32,
        window: bool,
    },
    Pause {
        for_ms: Option<u64>,
    },
    Resume,
    Limit(Option<u32>),
    /// The oldest thing under way ends, well or not.
    Ends(bool),
    Passes(u64),
    NewRun,
    Reset,
}

fn occurrence() -> impl Strategy<Value = Occurrence> {
    prop_oneof![
        (0..4_u8).prop_map(Occurrence::Opened),
        (0..4_u8).prop_map(Occurrence::Closed),
        (0..20_u32, any::<bool>()).prop_map(|(rate, window)| Occurrence::Configured { rate, window }),
        proptest::option::of(1..100_000_u64).prop_map(|for_ms| Occurrence::Pause { for_ms }),
        Just(Occurrence::Resume),
        proptest::option::of(0..9_u32).prop_map(Occurrence::Limit),
        any::<bool>().prop_map(Occurrence::Ends),
        any::<bool>().prop_map(Occurrence::Ends),
        (0..70_000_u64).prop_map(Occurrence::Passes),
        Just(Occurrence::NewRun),
        Just(Occurrence::Reset),
    ]
}

struct World {
    target: Target,
    now: Timestamp,
    under_way: Vec<Effect>,
    /// What the server was told last.
    server: Limit,
    actions: u32,
}

impl World {
    fn feed(&mut self, input: Input) {
        let effects = self.target.step(self.now, input);
        self.under_way.extend(effects);
        self.judge();
    }

    fn act(&mut self, kind: TargetActionKind) {
        self.actions += 1;
        let action =
            TargetAction { action_id: self.actions.to_string(), kind, actor: String::new(), reason: String::new() };
        let (_answer, effects) = self.target.act(self.now, &action);
        self.under_way.extend(effects);
        self.judge();
    }

    /// What must hold after each step.
    fn judge(&self) {
        let target = &self.target;
        let telling = self.under_way.iter().filter(|effect| matches!(effect, Effect::SetLimit { .. })).count();
        let probing = self.under_way.iter().filter(|effect| matches!(effect, Effect::Probe)).count();
        assert!(telling <= 1 && probing <= 1, "one thing of a kind at a time: {:?}", self.under_way);
        let is_settled = telling == 0 && target.told_in_vain.is_none() && !target.fresh && !target.reads_note();
        if is_settled {
            assert_eq!(Some(self.server), target.wanted(), "the queue stands otherwise than {:?} wants", target.state);
        }
        if matches!(target.state, TargetState::Closed) && is_settled {
            assert_ne!(self.server, Limit::STOPPED, "closed, and nothing is let through");
        }
        let waits_for_a_person = matches!(target.state, TargetState::Paused { until: None, .. });
        let goes_on = telling + probing > 0 || target.wake_at(self.now).is_some();
        let rests = matches!(target.state, TargetState::Closed) || waits_for_a_person;
        assert!(goes_on || rests, "nothing would ever happen in {:?}", target.state);
    }

    fn end_one(&mut self, well: bool) {
        if self.under_way.is_empty() {
            return;
        }
        let input = match (self.under_way.remove(0), well) {
            (Effect::SetLimit { limit, .. }, true) => {
                self.server = limit;
                Input::LimitSet(Ok(()))
            }
            (Effect::SetLimit { .. }, false) => Input::LimitSet(Err("away".to_owned())),
            (Effect::Probe, _) => {
                let finding = if well { Finding::Up } else { Finding::Down { detail: String::new() } };
                Input::Probed(ProbeAnswer { finding, stands: Some(LimitRecord::of(self.server)) })
            }
        };
        self.feed(input);
    }

    fn pass(&mut self, ms: u64) {
        let end = self.now.plus_ms(ms);
        let mut wakes = 0;
        while let Some(at) = self.target.wake_at(self.now).filter(|at| *at <= end) {
            wakes += 1;
            assert!(wakes < 10_000, "it is woken again and again in {:?}", self.target.state);
            self.now = at.max(self.now);
            self.feed(Input::Woke);
        }
        self.now = end;
    }

    fn happen(&mut self, occurrence: &Occurrence) {
        let report = |process: u8, transition| {
            Input::Reported(BreakerReport { process: process.to_string(), transition, reason: String::new() })
        };
        match *occurrence {
            Occurrence::Opened(process) => self.feed(report(process, BreakerTransition::Opened)),
            Occurrence::Closed(process) => self.feed(report(process, BreakerTransition::Closed)),
            Occurrence::Configured { rate, window } => self.feed(Input::Configured(rules(rate, window))),
            Occurrence::Pause { for_ms } => {
                self.act(TargetActionKind::Pause { until: for_ms.map(|ms| self.now.plus_ms(ms)) });
            }
            Occurrence::Resume => self.act(TargetActionKind::Resume),
            Occurrence::Limit(rate) => self.act(TargetActionKind::Limit { per_second: rate.map(Rate::per_second) }),
            Occurrence::Ends(well) => self.end_one(well),
            Occurrence::Passes(ms) => self.pass(ms),
            Occurrence::NewRun => {
                let carried = serde_json::to_string(&self.target).unwrap();
                self.target = serde_json::from_str(&carried).unwrap();
                self.under_way.clear();
                self.feed(Input::Resumed);
            }
            Occurrence::Reset => self.feed(Input::WasReset),
        }
    }
}

fn rules(rate: u32, window: bool) -> TargetRules {
    let daily = MaintenanceWindow {
        begins: Timestamp(30_000),
        lasts_ms: 20_000,
        every_ms: Some(400_000),
        reason: String::new(),
    };
    TargetRules {
        rate: (rate > 0).then(|| Rate::per_second(rate)),
        maintenance: if window { vec![daily] } else { Vec::new() },
        ..TargetRules::default()
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn a_target_that_is_well_in_the_end_is_called_at_its_rate(happenings in proptest::collection::vec(occurrence(), 0..60)) {
        let target = Target::new("hss".parse().unwrap(), TargetRules::default(), Timestamp(0));
        let mut world = World { target, now: Timestamp(0), under_way: Vec::new(), server: Limit::NONE, actions: 0 };
        world.feed(Input::Configured(TargetRules::default()));
        for occurrence in happenings {
            world.happen(&occurrence);
        }
        // From here on nothing goes wrong, and no one wants it paused or in maintenance.
        world.happen(&Occurrence::Configured { rate: 5, window: false });
        world.happen(&Occurrence::Limit(None));
        world.happen(&Occurrence::Resume);
        for _ in 0..200 {
            world.end_one(true);
            world.pass(1_000);
        }
        prop_assert_eq!(&world.target.state, &TargetState::Closed);
        prop_assert_eq!(world.server, Limit(Some(Rate::per_second(5))));
        prop_assert!(world.target.is_idle());
    }
}
