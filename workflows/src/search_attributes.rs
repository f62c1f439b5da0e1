//! The state of entities in lists: the search attributes of the wire contract. They contain no personal data.

use interlock_domain::customer::ShownState;
use interlock_domain::tenant::OwnSubscriptions;
use temporalio_workflow::WorkflowContext;
use temporalio_workflow::common::MemoValue;
use temporalio_workflow::common::search_attributes::SearchAttributeKey;

use crate::names;

const TENANT: SearchAttributeKey<String> = SearchAttributeKey::keyword("InterlockTenant");
const ENTITY_KIND: SearchAttributeKey<String> = SearchAttributeKey::keyword("InterlockEntityKind");
const STATE: SearchAttributeKey<String> = SearchAttributeKey::keyword("InterlockState");

/// Sets the state of a customer, and its tenant if one is given: a producer in another language may have started the entity without it.
pub(crate) fn show_customer<W>(context: &WorkflowContext<W>, tenant: Option<String>, state: ShownState) {
    let mut updates = vec![STATE.value_set(state.as_str().to_owned())];
    if let Some(tenant) = tenant {
        updates.push(TENANT.value_set(tenant));
        updates.push(ENTITY_KIND.value_set("customer".to_owned()));
    }
    context.upsert_search_attributes(updates);
}

/// Tells all components which subscriptions a tenant made itself.
pub(crate) fn show_subscriptions<W>(context: &WorkflowContext<W>, subscriptions: OwnSubscriptions) {
    if let Err(fault) = context.upsert_memo([(names::MEMO_SUBSCRIPTIONS, Some(MemoValue::new(subscriptions)))]) {
        context.force_task_fail(format!("the memo cannot be written: {fault}"));
    }
}

/// Tells the components that accept events whether to reject a tenant's events. A memo needs no registration on the server.
pub(crate) fn show_tenant<W>(context: &WorkflowContext<W>, refuses_events: bool) {
    if let Err(fault) = context.upsert_memo([(names::MEMO_REFUSES_EVENTS, Some(MemoValue::new(refuses_events)))]) {
        context.force_task_fail(format!("the memo cannot be written: {fault}"));
    }
}
