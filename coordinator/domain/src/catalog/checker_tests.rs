//! Each fault of a catalog is found, with its line, and all of them at once.

use super::*;

/// The codes of a text's faults, each with its line.
fn faults(text: &str) -> Vec<(usize, &'static str)> {
    Catalog::parse(text).err().unwrap_or_default().iter().map(|fault| (fault.line, fault.code.as_str())).collect()
}

/// A valid catalog of one event type, with these lines in place of its own.
fn with(claims: &str, steps: &str, more: &str) -> String {
    format!(
        "[resources.n]\n[resources.m]\n[events.t]\n\
         claims = [{claims}]\n\
         steps = [{steps}]\n\
         {more}\n\
         [events.t.data]\n\
         required = ['a', 'b', 'any']\n\
         properties = {{ a = {{ type = 'string' }}, b = {{ type = 'integer' }}, any = {{}}, may = {{ type = 'string' }} }}\n"
    )
}

const CLAIM: &str = "{ mode = 'assign', resource = 'n/{a}' }";
const STEP: &str = "{ role = 'r', operation = 'o', resources = ['n/{a}'] }";
const FREE_STEP: &str = "{ role = 'r', operation = 'o' }";
/// The lines of [`with`].
const CLAIMS: usize = 4;
const STEPS: usize = 5;
const MORE: usize = 6;

fn of_claims(claims: &str) -> Vec<(usize, &'static str)> {
    faults(&with(claims, STEP, ""))
}

fn of_steps(steps: &str) -> Vec<(usize, &'static str)> {
    faults(&with(CLAIM, steps, ""))
}

#[test]
fn a_sound_catalog_has_no_faults() {
    assert_eq!(faults(&with(CLAIM, STEP, "")), []);
    assert_eq!(faults(&with("", FREE_STEP, "urgent = true\nlate = 'hold'\ndue_within = '1h'")), []);
    assert_eq!(faults(&with("", FREE_STEP, "ordering = 'none'\nexpires_after = '366days'")), []);
}

#[test]
fn what_is_no_toml_is_told_by_line_and_nothing_else() {
    assert_eq!(faults("[events.t]\nsteps = [\n\n[other\nx = = 1\n").first().unwrap().1, "syntax");
    assert_eq!(faults("a = 1\na = 2\n"), [(2, "duplicate_key")]);
    assert_eq!(faults("[events.t]\n[events.t]\n"), [(2, "duplicate_key")]);
}

#[test]
fn an_empty_catalog_lacks_its_events() {
    assert_eq!(faults(""), [(1, "missing_key")]);
    assert_eq!(faults("events = 1"), [(1, "wrong_type")]);
    assert_eq!(faults("[events.t]"), [(1, "missing_key"), (1, "missing_key")]);
}

#[test]
fn unknown_keys_are_found_everywhere() {
    let text = format!("colour = 1\n{}", with("{ mode = 'assign', resource = 'n/{a}', x = 1 }", STEP, "speed = 1"));
    assert_eq!(faults(&text), [(1, "unknown_key"), (5, "unknown_key"), (7, "unknown_key")]);
    assert_eq!(faults(&with("", FREE_STEP, "[resources.k]\nx = 1")), [(7, "unknown_key")]);
    assert_eq!(of_steps("{ role = 'r', operation = 'o', resources = ['n/{a}'], x = 1 }"), [(STEPS, "unknown_key")]);
}

#[test]
fn unknown_words_are_found() {
    assert_eq!(of_claims("{ mode = 'steal', resource = 'n/{a}' }"), [(CLAIMS, "unknown_value")]);
    assert_eq!(
        faults(&with(CLAIM, STEP, "ordering = 'random'\nlate = 'never'")),
        [(MORE, "unknown_value"), (MORE + 1, "unknown_value")]
    );
    assert_eq!(
        of_steps("{ role = 'r', operation = 'o', resources = ['n/{a}'], on_failure = 'cry' }"),
        [(STEPS, "unknown_value")]
    );
}

#[test]
fn wrong_types_and_names_are_found() {
    assert_eq!(faults(&with(CLAIM, STEP, "urgent = 'yes'")), [(MORE, "wrong_type")]);
    let codes = of_steps("{ role = 'r', operation = 'a/b' }");
    assert_eq!(codes, [(STEPS, "bad_name")]);
    assert_eq!(
        faults(&with("", "{ role = '..', operation = 'o' }, { role = 'r', operation = 'o' }", "")),
        [(STEPS, "bad_name")]
    );
    assert_eq!(faults(&with("", FREE_STEP, "[resources.'..']")), [(MORE, "bad_name")]);
    assert_eq!(faults(&with("", FREE_STEP, "[resources.k]\nauthority = { role = 'r' }")), [(MORE + 1, "missing_key")]);
}

#[test]
fn a_type_has_a_priority_from_0_to_4() {
    for number in ["0", "4"] {
        assert_eq!(faults(&with("", FREE_STEP, &format!("priority = {number}"))), [], "{number}");
    }
    for number in ["5", "-1", "1.5"] {
        assert_eq!(faults(&with("", FREE_STEP, &format!("priority = {number}"))), [(MORE, "bad_priority")], "{number}");
    }
    assert_eq!(faults(&with("", FREE_STEP, "priority = 'high'")), [(MORE, "wrong_type")]);
}

#[test]
fn durations_are_taken_at_their_edges_and_not_beyond() {
    for text in ["1ms", "5s", "1h 30m", "366days"] {
        assert_eq!(faults(&with("", FREE_STEP, &format!("due_within = '{text}'"))), [], "{text}");
    }
    for text in ["0s", "367days", "soon", "-5s", "5", "99999999999999999999s"] {
        assert_eq!(faults(&with("", FREE_STEP, &format!("due_within = '{text}'"))), [(MORE, "bad_duration")], "{text}");
    }
    assert_eq!(faults(&with("", FREE_STEP, "[resources.k]\nfresh_wait = '0s'")), []);
}

/// A step with these keys.
fn step_with(keys: &str) -> String {
    with("", &format!("{{ role = 'r', operation = 'o', {keys} }}"), "")
}

#[test]
fn the_time_of_an_attempt_is_taken_at_its_edges_and_not_beyond() {
    for text in ["100ms", "10m"] {
        assert_eq!(faults(&step_with(&format!("attempt_timeout = '{text}'"))), [], "{text}");
    }
    for text in ["99ms", "10m 1ms", "0s", "never"] {
        let text = format!("attempt_timeout = '{text}'");
        assert_eq!(faults(&step_with(&text)), [(STEPS, "bad_duration")], "{text}");
        assert_eq!(faults(&with("", FREE_STEP, &text)), [(MORE, "bad_duration")], "{text}");
        assert_eq!(
            faults(&with("", FREE_STEP, &format!("[defaults]\n{text}"))),
            [(MORE + 1, "bad_duration")],
            "{text}"
        );
    }
}

#[test]
fn the_pauses_between_attempts_are_taken_at_their_edges_and_not_beyond() {
    let sound = [
        "initial = '100ms', cap = '100ms'",
        "initial = '1h', cap = '24h'",
        "cap = '100ms'",
        "initial = '1h'",
        "factor = 1",
        "factor = 10",
        "factor = 10.0",
        "factor = 1.25",
    ];
    for retry in sound {
        assert_eq!(faults(&step_with(&format!("retry = {{ {retry} }}"))), [], "{retry}");
    }
    let faulty = [
        ("initial = '99ms'", "bad_duration"),
        ("initial = '1h 1ms', cap = '24h'", "bad_duration"),
        ("cap = '99ms'", "bad_duration"),
        ("cap = '24h 1ms'", "bad_duration"),
        ("factor = 0.99", "bad_factor"),
        ("factor = 10.01", "bad_factor"),
        ("factor = 1.255", "bad_factor"),
        ("factor = -2", "bad_factor"),
        ("factor = '2'", "wrong_type"),
        ("initial = '2s', cap = '1s'", "not_together"),
        ("jitter = 1", "unknown_key"),
    ];
    for (retry, code) in faulty {
        assert_eq!(faults(&step_with(&format!("retry = {{ {retry} }}"))), [(STEPS, code)], "{retry}");
        let defaults = format!("[defaults]\nretry = {{ {retry} }}");
        assert_eq!(faults(&with("", FREE_STEP, &defaults)), [(MORE + 1, code)], "{retry}");
    }
    assert_eq!(faults(&step_with("retry = '5s'")), [(STEPS, "wrong_type")]);
    assert_eq!(faults(&with("", FREE_STEP, "[defaults]\nurgent = true")), [(MORE + 1, "unknown_key")]);
}

#[test]
fn a_first_pause_of_one_place_and_a_shorter_cap_of_another_are_found() {
    let text = with("", "{ role = 'r', operation = 'o', retry = { cap = '1s' } }", "retry = { initial = '2s' }");
    assert_eq!(faults(&text), [(STEPS, "not_together")]);
}

#[test]
fn a_step_after_no_known_step_or_after_itself_is_found() {
    let steps = "{ role = 'r', operation = 'o', resources = ['n/{a}'], after = ['r.x'] }";
    assert_eq!(of_steps(steps), [(STEPS, "unknown_step")]);
    assert_eq!(
        of_steps("{ role = 'r', operation = 'o', resources = ['n/{a}'], after = ['r.o'] }"),
        [(STEPS, "step_cycle")]
    );
    let ring = "{ role = 'r', operation = 'o', resources = ['n/{a}'], after = ['r.q'] },
        { role = 'r', operation = 'p', after = ['r.o'] },
        { role = 'r', operation = 'q', after = ['r.p'] },
        { role = 'r', operation = 'behind', after = ['r.q'] }";
    assert_eq!(of_steps(ring), [(STEPS, "step_cycle"), (STEPS + 1, "step_cycle"), (STEPS + 2, "step_cycle")]);
}

#[test]
fn steps_may_be_written_in_any_order() {
    let text = with("", "{ role = 'r', operation = 'o', after = ['r.o#2'] }, { role = 'r', operation = 'o' }", "");
    let catalog = Catalog::parse(&text).unwrap();
    let Body::Order(order) = &catalog.rule("t").unwrap().body else { panic!("one order") };
    assert_eq!(order.sequence, [1, 0]);
    assert_eq!(order.steps.iter().map(|step| step.name.as_str()).collect::<Vec<_>>(), ["r.o", "r.o#2"]);
}

#[test]
fn a_resource_must_be_claimed_and_a_claim_must_be_named() {
    let codes = faults(&with(CLAIM, "{ role = 'r', operation = 'o', resources = ['n/{b}'] }", ""));
    assert_eq!(codes, [(CLAIMS, "claim_without_step"), (STEPS, "resource_not_claimed")]);
    let codes = faults(&with("", "{ role = 'r', operation = 'o', resources = ['*', 'n/*'] }", ""));
    assert_eq!(codes, [(STEPS, "resource_not_claimed"), (STEPS, "resource_not_claimed")]);
}

#[test]
fn a_claim_of_an_unknown_kind_is_found() {
    let text =
        with("{ mode = 'lock', resource = 'k/{a}' }", "{ role = 'r', operation = 'o', resources = ['k/{a}'] }", "");
    assert_eq!(faults(&text), [(CLAIMS, "unknown_kind")]);
}

#[test]
fn two_claims_that_may_be_one_resource_are_found() {
    let both = "{ mode = 'assign', resource = 'n/{a}' }, { mode = 'release', resource = 'n/{b}' }";
    let step = "{ role = 'r', operation = 'o', resources = ['n/{a}', 'n/{b}'] }";
    assert_eq!(faults(&with(both, step, "")), [(CLAIMS, "claims_may_collide")]);
    assert_eq!(faults(&with(both, step, "distinct = ['a']")), [(CLAIMS, "claims_may_collide")]);
    assert_eq!(faults(&with(both, step, "distinct = ['a', 'b']")), []);
    assert_eq!(faults(&with(&format!("{CLAIM}, {CLAIM}"), STEP, "")), [(CLAIMS, "duplicate_claim")]);
    let kinds = "{ mode = 'assign', resource = 'n/{a}' }, { mode = 'release', resource = 'm/{a}' }";
    assert_eq!(faults(&with(kinds, "{ role = 'r', operation = 'o', resources = ['n/{a}', 'm/{a}'] }", "")), []);
}

#[test]
fn a_step_that_releases_is_neither_skipped_nor_compensated() {
    let release = "{ mode = 'release', resource = 'n/{a}' }";
    let step = |more: &str| format!("{{ role = 'r', operation = 'o', resources = ['n/{{a}}'], {more} }}");
    assert_eq!(faults(&with(release, &step("on_failure = 'skip'"), "")), [(STEPS, "skip_on_release")]);
    assert_eq!(faults(&with(release, &step("compensation = 'undo'"), "")), [(STEPS, "compensated_release")]);
    assert_eq!(faults(&with(CLAIM, &step("on_failure = 'skip', compensation = 'undo'"), "")), []);
    let held = "{ role = 'r', operation = 'o', resources = ['n/*'], on_failure = 'skip' }";
    assert_eq!(faults(&with("{ mode = 'release', resource = '*' }", held, "")), [(STEPS, "skip_on_release")]);
}

#[test]
fn templates_name_fields_that_are_always_there() {
    let step =
        |with: &str| format!("{{ role = 'r', operation = 'o', resources = ['n/{{a}}'], with = {{ x = {with} }} }}");
    for (argument, code) in [
        ("'{nobody}'", "field_not_required"),
        ("'{may}'", "field_not_required"),
        ("'{a.inner}'", "field_not_required"),
        ("'number {any}'", "field_not_text"),
        ("['{may}']", "field_not_required"),
        ("{ y = 'to {may}' }", "field_not_required"),
        ("'{@held}'", "held_without_each"),
        ("'{'", "bad_template"),
        ("'{@nobody}'", "bad_template"),
        ("1979-05-27", "wrong_type"),
    ] {
        assert_eq!(of_steps(&step(argument)), [(STEPS, code)], "{argument}");
    }
    for argument in ["'{any}'", "'{a}-{b}'", "['{a}', 1, true, 1.5]", "{ y = '{@customer_id}' }"] {
        assert_eq!(of_steps(&step(argument)), [], "{argument}");
    }
    let claim = "{ mode = 'assign', resource = 'n/{a}', party = '{may}' }";
    assert_eq!(of_claims(claim), [(CLAIMS, "field_not_required")]);
    assert_eq!(faults(&with(CLAIM, STEP, "distinct = ['a', 'may']")), [(MORE, "field_not_required")]);
}

#[test]
fn a_resource_is_a_kind_and_an_id() {
    for resource in ["n", "n/", "/x", "{a}/x", "n/{", "../x"] {
        let codes = of_claims(&format!("{{ mode = 'assign', resource = '{resource}' }}"));
        assert_eq!(codes, [(CLAIMS, "bad_template")], "{resource}");
    }
}

#[test]
fn what_is_held_can_only_be_released_and_repeated_for() {
    let all = "{ mode = 'release', resource = '*' }";
    let each = |each: &str, resource: &str| {
        format!(
            "{{ role = 'r', operation = 'o', each = '{each}', resources = ['{resource}'], with = {{ x = '{{@held}}' }} }}"
        )
    };
    assert_eq!(faults(&with(all, &each("n/*", "n/{@held}"), "")), []);
    assert_eq!(faults(&with(all, &each("n/*", "m/{@held}"), "")), [(STEPS, "resource_not_claimed")]);
    assert_eq!(faults(&with(all, &each("*", "*"), "")), [(STEPS, "held_without_claim")]);
    assert_eq!(
        faults(&with("", &each("n/*", "n/{@held}"), "")),
        [(STEPS, "held_without_claim"), (STEPS, "resource_not_claimed")]
    );
    assert_eq!(faults(&with("{ mode = 'assign', resource = '*' }", FREE_STEP, "")), [(CLAIMS, "not_together")]);
}

#[test]
fn settings_that_contradict_each_other_are_found() {
    assert_eq!(faults(&with(CLAIM, STEP, "ordering = 'none'")), [(3, "not_together")]);
    assert_eq!(
        faults(&with("", FREE_STEP, "ordering = 'none'\nurgent = true\nlate = 'hold'")),
        [(3, "not_together"), (3, "not_together")]
    );
    assert_eq!(faults(&with("", FREE_STEP, "expires_after = '6h'")), [(3, "not_together")]);
    assert_eq!(faults(&with(CLAIM, STEP, "late = 'reject'")), [(3, "not_together")]);
    assert_eq!(
        of_claims("{ mode = 'assign', resource = 'n/{a}', release_when = 'granted' }"),
        [(CLAIMS, "not_together")]
    );
    assert_eq!(faults(&with("", "", "")), [(STEPS, "no_steps")]);
}

#[test]
fn an_invalid_schema_is_told_at_the_line_it_is_on() {
    let with_schema = |schema: &str| faults(&format!("[events.t]\nsteps = [{FREE_STEP}]\n[events.t.data]\n{schema}\n"));
    assert_eq!(with_schema("required = ['a']\nproperties.a = { type = 'text' }"), [(5, "invalid_schema")]);
    assert_eq!(
        with_schema("required = 1\nproperties.a = { minLength = -1 }"),
        [(4, "invalid_schema"), (5, "invalid_schema")]
    );
    assert_eq!(with_schema("properties.a = { pattern = '(' }").first().unwrap().1, "invalid_schema");
    assert_eq!(with_schema("properties.a = { format = 'fax' }").first().unwrap().1, "invalid_schema");
    assert_eq!(with_schema("'$ref' = 'https://example.com/schema'").first().unwrap().1, "invalid_schema");
}

#[test]
fn halves_name_event_types_that_exist_and_give_what_those_require() {
    let with_halves = |from: &str, to: &str| {
        faults(&format!(
            "[events.one]\nsteps = [{FREE_STEP}]\ndata = {{ required = ['x'], properties.x = {{ type = 'string' }} }}\n\
             [events.two]\n{from}\n{to}\n\
             data = {{ required = ['a', 'b'], properties = {{ a = {{ type = 'string' }}, b = {{ type = 'string' }} }} }}\n"
        ))
    };
    let from = "from = { customer = 'a', as = 'one', with = { x = '{a}' } }";
    assert_eq!(with_halves(from, "to = { customer = 'b', as = 'one', with = { x = '{b}' } }"), []);
    assert_eq!(with_halves(from, "to = { customer = 'b', as = 'none' }"), [(6, "unknown_event_type")]);
    assert_eq!(with_halves(from, "to = { customer = 'b', as = 'one' }"), [(6, "missing_argument")]);
    assert_eq!(
        with_halves(from, "to = { customer = 'c', as = 'one', with = { x = '{d}' } }"),
        [(6, "field_not_required"), (6, "field_not_required")]
    );
    assert_eq!(
        with_halves(from, "to = { customer = 'b', as = 'two', with = { a = '{a}', b = '{b}' } }"),
        [(6, "unknown_event_type")]
    );
    assert_eq!(with_halves(from, ""), [(4, "missing_key")]);
    assert_eq!(
        with_halves(from, "to = { customer = 'b', as = 'one', with = { x = '{b}' } }\nurgent = true"),
        [(7, "unknown_key")]
    );
}

#[test]
fn all_faults_of_a_text_are_told_at_once_and_by_line() {
    let text = "\
[resources.n]
colour = 'red'
[events.first]
ordering = 'sideways'
claims = [{ mode = 'assign', resource = 'k/{a}' }]
steps = [{ role = 'r', operation = 'o', after = ['x.y'] }]
[events.first.data]
type = 'objekt'
[events.second]
steps = []
data = {}
";
    let found = faults(text);
    assert_eq!(
        found,
        [
            (2, "unknown_key"),
            (4, "unknown_value"),
            (5, "claim_without_step"),
            (5, "unknown_kind"),
            (6, "unknown_step"),
            (8, "invalid_schema"),
            (10, "no_steps")
        ]
    );
    let sound_schema = text.replace("objekt", "object");
    assert_eq!(
        faults(&sound_schema),
        [
            (2, "unknown_key"),
            (4, "unknown_value"),
            (5, "claim_without_step"),
            (5, "field_not_required"),
            (5, "unknown_kind"),
            (6, "unknown_step"),
            (10, "no_steps")
        ]
    );
}

#[test]
fn a_fault_reads_as_line_column_path_and_sentence() {
    let fault = &Catalog::parse("[events.\"a.b\"]\ndata = {}\nsteps = [{ role = 'r', operation = 'o', x = 1 }]")
        .unwrap_err()[0];
    assert_eq!((fault.line, fault.column), (3, 41));
    assert_eq!(fault.path, "events.\"a.b\".steps[0].x");
    assert!(fault.to_string().starts_with("3:41: events.\"a.b\".steps[0].x: The key 'x' is unknown here"), "{fault}");
}

proptest::proptest! {
    #[test]
    fn no_text_makes_the_checker_panic(text in "(?s).{0,200}") {
        let _ = Catalog::parse(&text);
    }

    #[test]
    fn no_damage_to_the_shipped_catalog_makes_the_checker_panic(at in 0..REFERENCE_TEXT.len(), cut in 0_usize..40, put in "[{}\\[\\]='\"a-z.\n]{0,4}") {
        let before: String = REFERENCE_TEXT.chars().take(at).collect();
        let after: String = REFERENCE_TEXT.chars().skip(at + cut).collect();
        let _ = Catalog::parse(&format!("{before}{put}{after}"));
    }
}

#[test]
fn a_kind_that_could_not_be_told_from_the_id_of_a_resource_is_a_fault() {
    assert!(faults("[resources.\"ip/v4\"]\n").contains(&(1, "bad_name")));
}
