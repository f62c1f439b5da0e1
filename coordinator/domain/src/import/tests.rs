use super::*;

fn progress() -> ImportProgress {
    ImportProgress::new("t".parse().unwrap(), crate::ids::Timestamp(0))
}

fn part(number: u64) -> ImportPart {
    ImportPart { number, lines: 10, data: String::new() }
}

fn seeded(seeded: u64) -> ImportTally {
    ImportTally { seeded, ..ImportTally::default() }
}

#[test]
fn parts_come_in_order_and_the_same_part_again_changes_nothing() {
    let mut import = progress();
    assert_eq!(import.part(part(1)), (PartAnswer::Expected { number: 0 }, vec![]));
    assert_eq!(import.part(part(0)), (PartAnswer::Taken, vec![Effect::Begin(part(0))]));
    let before = import.clone();
    assert_eq!(import.part(part(0)), (PartAnswer::Taken, vec![]));
    assert_eq!(import, before);
}

#[test]
fn only_so_many_parts_are_under_way_and_one_waits() {
    let mut import = progress();
    for number in 0..PARTS_AT_ONCE as u64 {
        assert_eq!(import.part(part(number)).1.len(), 1);
    }
    assert_eq!(import.part(part(2)), (PartAnswer::Taken, vec![]));
    assert_eq!(import.part(part(3)), (PartAnswer::Busy, vec![]));
    assert_eq!(import.ended(0, Some(seeded(10))), vec![Effect::Begin(part(2))]);
    assert_eq!(import.ended(0, Some(seeded(10))), vec![], "the same end again");
    assert_eq!(import.tally.seeded, 10);
}

#[test]
fn a_part_that_failed_comes_again() {
    let mut import = progress();
    import.part(part(0));
    import.part(part(1));
    import.ended(0, None);
    import.ended(1, Some(seeded(10)));
    import.complete(2);
    assert!(!import.is_done());
    assert_eq!(import.part(part(0)).1, vec![Effect::Begin(part(0))]);
    import.ended(0, Some(seeded(10)));
    assert!(import.is_done());
    assert_eq!(import.tally.seeded, 20);
}

#[test]
fn a_run_ends_after_its_parts_and_the_next_one_begins_what_waits() {
    let mut import = progress();
    for number in 0..u64::from(PARTS_PER_RUN) {
        assert_eq!(import.part(part(number)).1.len(), 1);
        assert!(import.ended(number, Some(seeded(1))).is_empty());
    }
    let next = u64::from(PARTS_PER_RUN);
    assert_eq!(import.part(part(next)), (PartAnswer::Taken, vec![]));
    assert!(import.run_is_over() && import.is_idle() && !import.is_done());
    let carried = serde_json::to_string(&import).unwrap();
    let mut import: ImportProgress = serde_json::from_str(&carried).unwrap();
    assert_eq!(import.resumed(), vec![Effect::Begin(part(next))]);
    assert!(!import.run_is_over());
}

#[test]
fn an_import_is_done_when_the_list_has_come_to_its_end_and_every_part_is_done() {
    let mut import = progress();
    import.part(part(0));
    import.complete(1);
    assert!(!import.is_done());
    import.ended(0, Some(seeded(1)));
    assert!(import.is_done());
    let mut empty = progress();
    empty.complete(0);
    assert!(empty.is_done());
}

const WEEK: u64 = GIVES_UP_AFTER_MS;
const BEGAN: crate::ids::Timestamp = crate::ids::Timestamp(1_000_000);

#[test]
fn an_import_whose_command_does_not_come_back_gives_up_a_week_after_anything_came_in() {
    let mut import = progress();
    import.heard(BEGAN, Some(WEEK));
    import.part(part(0));
    import.heard(BEGAN.plus_ms(5), None);
    let first = import.wake_at().unwrap();
    assert_eq!(first, BEGAN.plus_ms(WEEK), "what comes in moves no timer");
    import.ended(0, Some(seeded(10)));
    import.woke(first);
    assert_eq!((import.is_abandoned(), import.wake_at()), (false, Some(BEGAN.plus_ms(WEEK + 5))));
    let mut import: ImportProgress = serde_json::from_str(&serde_json::to_string(&import).unwrap()).unwrap();
    import.woke(BEGAN.plus_ms(WEEK + 4));
    assert!(!import.is_abandoned(), "too early");
    import.woke(BEGAN.plus_ms(WEEK + 5));
    assert!(import.is_abandoned() && import.run_is_over() && !import.is_done());
    assert_eq!((import.wake_at(), import.tally.seeded), (None, 10));
}

#[test]
fn a_part_under_way_is_waited_for_before_an_import_gives_up() {
    let mut import = progress();
    import.heard(BEGAN, Some(WEEK));
    import.part(part(0));
    import.woke(BEGAN.plus_ms(WEEK));
    assert_eq!((import.is_abandoned(), import.wake_at()), (false, Some(BEGAN.plus_ms(2 * WEEK))));
}

#[test]
fn an_import_that_a_build_before_began_waits_for_ever_as_it_did() {
    let mut import = progress();
    import.heard(BEGAN, None);
    assert_eq!(import.wake_at(), None);
    let mut done = progress();
    done.heard(BEGAN, Some(WEEK));
    done.complete(0);
    assert_eq!(done.wake_at(), None, "there is nothing to wait for");
}
