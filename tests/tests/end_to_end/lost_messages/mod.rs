//! Every kind of message between entities: the workflow task that decides it is lost, and other inputs arrive before it is retried.
//!
//! Each play brings one message to the point where it is about to leave, and loses the completion of the task that decides it.
//! Meanwhile an older claim arrives, a younger one, an order that a person cancels, and an action on the entity whose task is lost.
//! Then every number is handed on until no customer waits. At the end every order has ended, each number had one customer at a time
//! according to the log of the HSS, and HSS, ledger and customers agree.

mod play;
mod said_by_customers;
mod said_by_resources;

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;

use futures_util::FutureExt as _;
use futures_util::stream::{self, StreamExt as _};
use interlock_domain::limits::EntityLimits;
use serde_json::{Value, json};

use crate::events::{Customer, event};
use crate::lossy_bed::{Lossy, LossyBed};
use crate::testbed::run_large;

/// The most tickets that may wait for a number: more than in any play except that of the full queue.
const TICKETS_MAX: usize = 6;

/// The number of concurrent plays. They mostly wait, but more of them would keep two cores too busy for their limits.
const PLAYS_AT_ONCE: usize = 10;

/// A play, by its name.
type Named<'a> = (String, Pin<Box<dyn Future<Output = ()> + 'a>>);

fn named<'a>(name: impl Into<String>, play: impl Future<Output = ()> + 'a) -> Named<'a> {
    (name.into(), Box::pin(play))
}

/// Runs all plays, several at a time.
///
/// # Panics
/// If one of them panicked, after all have ended.
async fn run_all(plays: Vec<Named<'_>>) {
    let running = plays.into_iter().map(|(name, play)| async {
        let ended = AssertUnwindSafe(play).catch_unwind().await;
        ended.is_err().then_some(name)
    });
    let ended = stream::iter(running).buffer_unordered(PLAYS_AT_ONCE);
    let failed: Vec<String> = ended.filter_map(std::future::ready).collect().await;
    assert!(failed.is_empty(), "these did not end well: {failed:#?}");
}

async fn bed(name: &str) -> LossyBed {
    let limits = EntityLimits { tickets_max: TICKETS_MAX, ..EntityLimits::default() };
    LossyBed::start_with(name, Lossy { limits, ..Lossy::default() }).await
}

/// The customer gets the number.
fn assign(customer: &Customer, number: &str) -> Value {
    event("line.assigned", &customer.id, &json!({"imsi": customer.imsi, "msisdn": number}))
}

/// The customer releases the number.
fn unassign(customer: &Customer, number: &str) -> Value {
    event("line.unassigned", &customer.id, &json!({"imsi": customer.imsi, "msisdn": number}))
}

/// The customer needs both numbers for a moment.
fn lock(customer: &Customer, one: &str, two: &str) -> Value {
    event("pair.locked", &customer.id, &json!({"imsi": customer.imsi, "one": one, "two": two}))
}

#[test]
fn hand_overs_end_well_whichever_task_with_a_message_from_a_customer_to_a_resource_is_lost() {
    run_large(async {
        let lossy = bed("lost-of-customers").await;
        run_all(said_by_customers::all(&lossy)).await;
        Box::pin(lossy.stop()).await;
    });
}

#[test]
fn hand_overs_end_well_whichever_task_with_a_message_from_a_resource_to_a_customer_is_lost() {
    run_large(async {
        let lossy = bed("lost-of-resources").await;
        run_all(said_by_resources::all(&lossy)).await;
        Box::pin(lossy.stop()).await;
    });
}
