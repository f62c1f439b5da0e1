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
