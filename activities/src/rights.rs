//! Checks whether another customer has what a step acts on, if its own customer is not known to have it (`first_use` in the catalog).
//! The ledger and the target are asked right before the step is sent.

use futures_util::future::BoxFuture;
use interlock_adapters::{Adapter, Call};
use interlock_client::{EntityCallError, EntityClient, names};
use interlock_domain::error_code::ErrorCode;
use interlock_domain::ids::{CustomerRef, ResourceId, TenantId};
use interlock_domain::outcome::Outcome;
use interlock_domain::resource::{HolderView, ResourceView};

use crate::breaker::SpeaksOfTarget;

/// The holder of a resource according to the ledger.
pub(crate) trait Ledger: Send + Sync {
    /// The customer that holds the resource, as this tenant means it. `None` if no customer is known to hold it.
    fn holder<'a>(
        &'a self,
        tenant: &'a TenantId,
        resource: &'a ResourceId,
    ) -> BoxFuture<'a, Result<Option<CustomerRef>, EntityCallError>>;
}

impl Ledger for EntityClient {
    fn holder<'a>(
        &'a self,
        tenant: &'a TenantId,
        resource: &'a ResourceId,
    ) -> BoxFuture<'a, Result<Option<CustomerRef>, EntityCallError>> {
        Box::pin(async move {
            let entity = self.resource(tenant, resource);
            let view: Option<ResourceView> = self.query(&entity, names::STATE).await?;
            Ok(view.and_then(|view| view.holder).as_ref().and_then(HolderView::customer))
        })
    }
}

/// The result of the check.
#[derive(Debug, PartialEq)]
pub(crate) enum Found {
    /// No other customer is known to have it.
    Free,
    /// Another customer has it, or has something under it: a sentence for a person.
    Anothers(String),
    /// The ledger did not answer.
    LedgerSilent(String),
}

impl SpeaksOfTarget for Result<Found, Outcome> {
    fn failure(&self) -> Option<String> {
        self.as_ref().err().and_then(SpeaksOfTarget::failure)
    }
}

impl Found {
    /// The outcome of the step if the right is refused.
    pub(crate) fn refusal(detail: String) -> Outcome {
        Outcome::Permanent { code: ErrorCode::RightUnproven.into(), detail }
    }
}

/// Checks whether another customer has what a call acts on.
///
/// # Errors
/// An outcome class if the target could not be asked.
pub(crate) async fn look(
    ledger: &dyn Ledger,
    adapter: &dyn Adapter,
    call: &Call,
    unproven: &[ResourceId],
) -> Result<Found, Outcome> {
    let me = CustomerRef { tenant: call.tenant.clone(), customer: call.order.customer() };
    for resource in unproven {
        match ledger.holder(&call.tenant, resource).await {
            Ok(Some(holder)) if holder != me => {
                return Ok(Found::Anothers(format!("another customer holds {resource}, which the order uses")));
            }
            Ok(_) => {}
            Err(error) => return Ok(Found::LedgerSilent(error.to_string())),
        }
        let registered = adapter.registered_under(call, resource).await?;
        for registered in registered.iter().filter(|registered| !call.epochs.contains_key(registered)) {
            match ledger.holder(&call.tenant, registered).await {
                Ok(Some(holder)) if holder == me => {}
                Ok(_) => {
                    let target = &call.target;
                    return Ok(Found::Anothers(format!(
                        "the target {target} has {registered} registered under {resource}, and this customer is not \
                         known to hold {registered}"
                    )));
                }
                Err(error) => return Ok(Found::LedgerSilent(error.to_string())),
            }
        }
    }
    Ok(Found::Free)
}

#[cfg(test)]
mod tests;
