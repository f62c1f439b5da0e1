//! What lists of entities show: the search attributes of the wire contract. No personal data is among them.

use interlock_domain::customer::ShownState;
use temporalio_workflow::WorkflowContext;
use temporalio_workflow::common::MemoValue;
use temporalio_workflow::common::search_attributes::SearchAttributeKey;

use crate::names;

const TENANT: SearchAttributeKey<String> = SearchAttributeKey::keyword("InterlockTenant");
const ENTITY_KIND: SearchAttributeKey<String> = SearchAttributeKey::keyword("InterlockEntityKind");
const STATE: SearchAttributeKey<String> = SearchAttributeKey::keyword("InterlockState");

/// Shows the state of a customer, and whose it is where a tenant is given: a producer in another language may have started
/// the entity without saying so.
pub(crate) fn show_customer<W>(context: &WorkflowContext<W>, tenant: Option<String>, state: ShownState) {
    let mut updates = vec![STATE.value_set(state.as_str().to_owned())];
    if let Some(tenant) = tenant {
        updates.push(TENANT.value_set(tenant));
        updates.push(ENTITY_KIND.value_set("customer".to_owned()));
    }
    context.upsert_search_attributes(updates);
}

/// Shows those who take events in whether they are to refuse a tenant's. A memo needs no registration on the server.
pub(crate) fn show_tenant<W>(context: &WorkflowContext<W>, refuses_events: bool) {
    if let Err(fault) = context.upsert_memo([(names::MEMO_REFUSES_EVENTS, Some(MemoValue::new(refuses_events)))]) {
        context.force_task_fail(format!("the memo cannot be written: {fault}"));
    }
}
