//! The common parts of the plays: the cast, the loss, the inputs meanwhile, and the end.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::io::Write as _;
use std::time::Duration;

use interlock_domain::ids::OrderId;
use interlock_workflows::names;
use serde_json::{Value, json};
use tempfile::NamedTempFile;
use uuid::Uuid;

use super::{assign, lock, unassign};
use crate::command::{done, interlock};
use crate::events::{Customer, happened};
use crate::lossy_bed::{LossyBed, REFUSED_FOR, tasks_given_up};
use crate::lossy_proxy::{Fate, Loss, Moment, Way};
use crate::scene::{Scene, number};
use crate::temporal_calls::{RawEntity, json_payload};
use crate::waiting::{looked_for, until, until_or_give_up};

/// How much earlier the event of the older claim happened, in milliseconds.
const OLDER_BY_MS: i64 = 60_000;
/// The time limit of a play after the loss, on a busy machine.
const END_LIMIT: Duration = Duration::from_mins(3);
/// The pause between two checks of a play.
const PAUSE: Duration = Duration::from_millis(500);
/// The final states of an order.
const OVER: [&str; 6] = ["completed", "partial", "failed", "cancelled", "rejected", "superseded"];

/// A requested loss, and the entity of its task.
pub struct Ordered {
    loss: usize,
    entity: RawEntity,
}

/// One play: customers and two numbers of its own.
pub struct Play<'a> {
    /// The testbed.
    pub lossy: &'a LossyBed,
    /// Its tenant.
    pub scene: Scene<'a>,
    /// The number that it is about.
    pub number: String,
    /// Another one.
    pub other: String,
    /// Has the number first, if any customer has.
    pub a: Customer,
    /// Shall get it next.
    pub b: Customer,
    /// Claims it meanwhile, with an earlier time.
    pub c: Customer,
    /// Claims it meanwhile.
    pub d: Customer,
    /// Waits for it until a person cancels its order.
    pub e: Customer,
    /// Has the other number.
    pub x: Customer,
    /// All orders that must end.
    orders: RefCell<Vec<OrderId>>,
    /// Those of them that have ended.
    over: RefCell<BTreeSet<OrderId>>,
    /// The order that is cancelled meanwhile, if it already waits.
    to_cancel: RefCell<Option<OrderId>>,
    /// The other waiting orders.
    more: RefCell<Vec<Customer>>,
    /// The customers that a number was taken from so that the next one gets it, with their epochs.
    given_up: RefCell<BTreeSet<(String, u64)>>,
}

impl<'a> Play<'a> {
    /// A new play: no customer has anything.
    pub fn on(lossy: &'a LossyBed) -> Self {
        let scene = Scene::on(&lossy.bed);
        let customer = |name| scene.customer(name);
        Self {
            lossy,
            number: number(),
            other: number(),
            a: customer("A"),
            b: customer("B"),
            c: customer("C"),
            d: customer("D"),
            e: customer("E"),
            x: customer("X"),
            orders: RefCell::default(),
            over: RefCell::default(),
            to_cancel: RefCell::default(),
            more: RefCell::default(),
            given_up: RefCell::default(),
            scene,
        }
    }

    /// The same, if A has the number, and E waits for it.
    pub async fn with_a_holder(lossy: &'a LossyBed) -> Self {
        let play = Self::on(lossy);
        play.scene.done(&assign(&play.a, &play.number)).await;
        play.e_waits().await;
        play
    }

    /// The same, if no customer has the number, and its ledger knows that.
    pub async fn with_a_free_number(lossy: &'a LossyBed) -> Self {
        let play = Self::on(lossy);
        play.scene.done(&assign(&play.a, &play.number)).await;
        play.scene.done(&unassign(&play.a, &play.number)).await;
        play
    }

    /// The same, if B has the lease of the number but has not begun, since X has the other number that B's order wants.
    pub async fn with_a_lease_not_used(lossy: &'a LossyBed) -> (Self, OrderId) {
        let play = Self::on(lossy);
        play.scene.done(&assign(&play.x, &play.other)).await;
        let locks = play.submit(&lock(&play.b, &play.number, &play.other)).await;
        play.is_held_by(&play.b).await;
        play.e_waits().await;
        (play, locks)
    }

    async fn e_waits(&self) {
        let waits = self.submit(&assign(&self.e, &self.number)).await;
        self.scene.is_waiting_for(&self.e, &self.number).await;
        self.to_cancel.replace(Some(waits));
    }

    /// Waits until the ledger says that this customer has the number.
    pub async fn is_held_by(&self, customer: &Customer) {
        let held = until_or_give_up(|| async {
            (self.scene.holder(&self.number).await.as_deref() == Some(&customer.id)).then_some(())
        });
        assert!(held.await.is_some(), "{}", self.told().await);
    }

    /// Submits an event whose order must end.
    pub async fn submit(&self, event: &Value) -> OrderId {
        let order = self.scene.submit(event).await;
        self.orders.borrow_mut().push(order.clone());
        order
    }

    /// The entity of a customer.
    pub fn of(&self, customer: &Customer) -> RawEntity {
        self.scene.entity(&customer.id.parse().unwrap())
    }

    /// The entity of the number.
    pub fn of_number(&self) -> RawEntity {
        self.scene.number_entity(&self.number)
    }

    /// Requests the loss of the task in which an entity sends a message with these parts.
    pub fn lose(&self, entity: RawEntity, contains: &[&str]) -> Ordered {
        self.lose_saying(entity, None, contains)
    }

    /// The same for a message that a local activity sends to this receiver.
    pub fn lose_saying(&self, entity: RawEntity, to: Option<String>, contains: &[&str]) -> Ordered {
        let contains = contains.iter().map(|&part| part.to_owned()).collect();
        let (of, when) = (entity.workflow_id().to_owned(), Moment::Saying { to, contains });
        let fate = Fate::Lost { for_at_least: REFUSED_FOR };
        Ordered { loss: self.lossy.proxy.lose(Loss { of, when, fate }), entity }
    }

    /// Waits for the loss, and sends the inputs meanwhile. `acts`: a person's action on the entity whose task is lost.
    pub async fn in_between(&self, ordered: &Ordered, acts: Option<(&str, &OrderId)>) -> Way {
        let way = self.lossy.proxy.until_lost(ordered.loss).await;
        self.submit(&happened(assign(&self.c, &self.number), OLDER_BY_MS, chrono::Utc::now())).await;
        self.submit(&assign(&self.d, &self.number)).await;
        let cancelled = self.to_cancel.take();
        let cancels = async {
            if let Some(order) = &cancelled {
                self.acts("cancel", order).await;
            }
        };
        let acts = async {
            if let Some((action, order)) = acts {
                self.acts(action, order).await;
            }
        };
        tokio::join!(cancels, acts);
        way
    }

    /// A person acts on an order and gets an answer. The answer may be a refusal, if the order has already gone on. The command first
    /// asks the entity about the order, and would wait for a task that is lost, so this is the call that it makes afterwards.
    pub async fn acts(&self, action: &str, order: &OrderId) {
        let action_id = Uuid::new_v4().to_string();
        let argument =
            json!({"action_id": action_id, "order_id": order, "action": action, "actor": "ann", "reason": "a test"});
        let entity = self.scene.entity(&order.customer());
        until(format!("{action} of {order} to be answered"), || async {
            entity.try_to_update(names::ACT, &argument, &action_id).await.ok()
        })
        .await;
    }

    /// Hands each number on from customer to customer until none waits, and checks the result.
    ///
    /// # Panics
    /// If an order does not end, if a number was given to one customer while another had it, or if the records disagree at the end.
    /// Also if the server did not give up the task that had to be lost.
    pub async fn ends(self, ordered: &Ordered) {
        let of = ordered.entity.workflow_id();
        let lost =
            looked_for(END_LIMIT, PAUSE, || async { (tasks_given_up(&ordered.entity, "").await > 0).then_some(()) });
        assert!(lost.await.is_some(), "{of}: no task was lost");
        let numbers = [self.number.as_str(), self.other.as_str()];
        let ended = looked_for(END_LIMIT, PAUSE, || async {
            for number in numbers {
                self.pass_on(number).await;
            }
            self.are_all_over().await.then_some(())
        });
        assert!(ended.await.is_some(), "{of}: not all orders end\n{}", self.told().await);
        for number in numbers {
            let agreed =
                looked_for(END_LIMIT, PAUSE, || async { self.disagreement(number).await.is_none().then_some(()) });
            if agreed.await.is_none() {
                let differs = self.disagreement(number).await.unwrap_or_default();
                panic!("{of}: {differs}\n{}", self.told().await);
            }
        }
        self.scene.judge(&numbers);
    }

    /// Adds an order that must end.
    pub fn is_to_end(&self, order: OrderId) {
        self.orders.borrow_mut().push(order);
    }

    /// Waits until an order waits for a lease.
    pub async fn waits_for_a_lease(&self, order: &OrderId) {
        let waits = until_or_give_up(|| async {
            (self.scene.order(order).await?["waiting_for"]["waits_for"] == "lease").then_some(())
        });
        assert!(waits.await.is_some(), "{}", self.told().await);
    }

    /// Adds a customer.
    pub fn also_plays(&self, customer: &Customer) {
        self.more.borrow_mut().push(customer.clone());
    }

    /// A person has the number taken from its holder, and asks again if there is no answer. The action may be refused.
    pub async fn forces(&self, more: &[&str]) {
        let resource = format!("msisdn/{}", self.number);
        let forces = ["resource", "release", &resource, "--force", "--reason", "a test"];
        let arguments = [&forces[..], more].concat();
        let answered = looked_for(END_LIMIT, PAUSE, || async {
            let said = interlock(&self.scene, &arguments).await;
            let is_unanswered = ["[no_worker]", "_unanswered]"].iter().any(|code| said.stderr.contains(code));
            (!is_unanswered).then_some(())
        });
        assert!(answered.await.is_some(), "{}", self.told().await);
    }

    /// A list says that A has the number, and A's entity knows this.
    pub async fn is_imported_for_a(&self) {
        let mut list = NamedTempFile::new().unwrap();
        writeln!(list, "kind,id,customer\nmsisdn,{},{}", self.number, self.a.id).unwrap();
        done(&self.scene, &["resource", "import", list.path().to_str().unwrap()]).await;
        let knows = until_or_give_up(|| async {
            let state = self.scene.customer_state(&self.a).await;
            state["leases"]
                .as_array()?
                .iter()
                .any(|lease| lease["resource"] == format!("msisdn/{}", self.number))
                .then_some(())
        });
        assert!(knows.await.is_some(), "{}", self.told().await);
    }

    /// Asks a customer to repeat what it has and wants.
    pub async fn is_asked_again(&self, customer: &Customer) {
        self.of(customer).signal(names::REASSERT, vec![json_payload("{}")]).await;
    }

    /// All customers that have something.
    fn cast(&self) -> Vec<Customer> {
        let known = [&self.a, &self.b, &self.c, &self.d, &self.e, &self.x];
        known.into_iter().chain(self.more.borrow().iter()).cloned().collect()
    }

    async fn are_all_over(&self) -> bool {
        let orders = self.orders.borrow().clone();
        for order in &orders {
            if self.over.borrow().contains(order) {
                continue;
            }
            let shown = self.scene.order(order).await;
            if !shown.is_some_and(|shown| OVER.iter().any(|state| shown["state"] == *state)) {
                return false;
            }
            self.over.borrow_mut().insert(order.clone());
        }
        orders.len() == self.orders.borrow().len()
    }

    /// If a customer waits for a number, and its holder has nothing open, the holder releases it.
    async fn pass_on(&self, number: &str) {
        let Some(ledger) = self.scene.number_state(number).await else { return };
        if ledger["queue"].as_array().is_none_or(Vec::is_empty) {
            return;
        }
        let is_holder = |customer: &&Customer| ledger["holder"]["customer_id"] == *customer.id;
        let is_target_identity = |customer: &&Customer| ledger["holder"]["party"] == *customer.imsi;
        let cast = self.cast();
        let Some(holder) = cast.iter().find(is_holder).or_else(|| cast.iter().find(is_target_identity)) else { return };
        let exists = self.of(holder).exists().await;
        let has_open = exists && self.scene.customer_state(holder).await["orders"] != json!([]);
        let epoch = ledger["holder"]["epoch"].as_u64().unwrap_or_default();
        if !has_open && self.given_up.borrow_mut().insert((number.to_owned(), epoch)) {
            self.submit(&unassign(holder, number)).await;
        }
    }

    /// The states of a number's ledger, the HSS and the customers if they disagree. `None` if they agree.
    async fn disagreement(&self, number: &str) -> Option<String> {
        let ledger = self.scene.number_state(number).await;
        let (holder, epoch, queue) = match &ledger {
            Some(ledger) => (&ledger["holder"]["customer_id"], &ledger["holder"]["epoch"], &ledger["queue"]),
            None => (&Value::Null, &Value::Null, &Value::Null),
        };
        let mut leases = Vec::new();
        for customer in self.cast() {
            let Some(state) = self.leases_of(&customer).await else { continue };
            let of_number = state.as_array().into_iter().flatten();
            let of_number = of_number.filter(|lease| lease["resource"] == format!("msisdn/{number}"));
            leases.extend(of_number.map(|lease| (json!(customer.id), lease["epoch"].clone())));
        }
        let at_hss = self.scene.registrations(number);
        let registered = at_hss.last().and_then(|last| last.strip_suffix('+'));
        let registered = self.cast().into_iter().find(|customer| registered == Some(customer.imsi.as_str()));
        let registered = registered.map_or(Value::Null, |customer| json!(customer.id));
        let expected: Vec<_> = (!holder.is_null()).then(|| (holder.clone(), epoch.clone())).into_iter().collect();
        let nobody_waits = queue.as_array().is_none_or(Vec::is_empty);
        let agree = registered == *holder && leases == expected && nobody_waits;
        (!agree).then(|| format!("{number}: leases {leases:?}, HSS {at_hss:?}, ledger {ledger:#?}"))
    }

    /// The leases of a customer. `None` if its entity was never started.
    async fn leases_of(&self, customer: &Customer) -> Option<Value> {
        self.of(customer).exists().await.then_some(())?;
        Some(self.scene.customer_state(customer).await["leases"].clone())
    }

    /// All known facts about the play, for a person who reads that it failed.
    async fn told(&self) -> String {
        let mut told = String::new();
        let orders = self.orders.borrow().clone();
        for order in orders {
            told = format!("{told}\n{order}: {:#}", self.scene.order(&order).await.unwrap_or_default());
        }
        for entity in self.cast().iter().map(|customer| self.of(customer)).chain([self.of_number()]) {
            let pending = entity.pending_activities().await;
            told = format!("{told}\n{} waits for {pending:?}", entity.workflow_id());
        }
        for number in [&self.number, &self.other] {
            let ledger = self.scene.number_state(number).await.unwrap_or_default();
            told = format!("{told}\n{number} at the HSS: {:?}\n{ledger:#}", self.scene.registrations(number));
        }
        told
    }
}
