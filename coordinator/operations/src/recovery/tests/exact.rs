//! The replay of a run that died, from a run of the fault battery: targets failed, persons acted, workers died, and all its orders had ended.

use interlock_replay::Replayer;

use super::super::exact::{LastCustomer, last_customer};
use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn what_had_ended_before_a_termination_is_not_submitted_again() {
    let written = include_bytes!("../histories/acted.binpb");
    let events = History::decode_length_delimited(written.as_slice()).unwrap().events;
    let (me, mut runs) = recorded(written);
    let replayer = Replayer::<LastCustomer>::start().unwrap();
    runs[0].replayed = last_customer(&replayer, "0", events).await.unwrap();
    let open = open_in(&me, &runs);
    assert_eq!((open.events.len(), open.lost.len(), open.doubts.len()), (0, 0, 0), "{open:?}");
    // Without a replay it cannot be followed, and what cannot be ruled out is submitted again, with a doubt.
    runs[0].replayed = None;
    let open = open_in(&me, &runs);
    assert_eq!((open.events.len(), open.doubts.len()), (3, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_history_that_does_not_replay_is_read_event_by_event() {
    let replayer = Replayer::<LastCustomer>::start().unwrap();
    // Its run is not named.
    let unnamed =
        History::decode_length_delimited(include_bytes!("../histories/in_the_middle.binpb").as_slice()).unwrap();
    assert_eq!(last_customer(&replayer, "0", unnamed.events).await.unwrap(), None);
    let mut events =
        History::decode_length_delimited(include_bytes!("../histories/acted.binpb").as_slice()).unwrap().events;
    let scheduled = events.iter_mut().find_map(|event| match event.attributes.as_mut() {
        Some(Attributes::ActivityTaskScheduledEventAttributes(scheduled)) => scheduled.activity_type.as_mut(),
        _ => None,
    });
    scheduled.unwrap().name.push_str("_of_another_build");
    assert_eq!(last_customer(&replayer, "0", events).await.unwrap(), None);
}
