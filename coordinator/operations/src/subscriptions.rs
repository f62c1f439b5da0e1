//! Subscriptions: those in the settings, and those that tenants made themselves, for the gateway and the command line alike.

use std::collections::BTreeSet;
use std::fmt::Display;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures_util::{StreamExt, TryStreamExt, stream};
use interlock_adapters::{Adapter, AdapterKind, Secret, TargetSettings, WebhookAdapter};
use interlock_client::{EntityCallError, ServerError, names, visibility};
use interlock_connection::Installation;
use interlock_domain::error_code::ErrorCode;
use interlock_domain::ids::{CustomerId, CustomerRef, SubscriptionId, TargetId, TenantId, Timestamp};
use interlock_domain::message::Delivery;
use interlock_domain::outcome::Outcome;
use interlock_domain::outgoing::{About, OutgoingEvent, TellAgain};
use interlock_domain::subscription::{OutgoingFormat, OutgoingType, SubscriptionSettings, receiver_of};
use interlock_domain::tenant::{CALLBACK_BYTES_MAX, OwnSubscription, TenantActionKind, as_known};
use interlock_domain::views::{MadeBy, SubscriptionList, SubscriptionMade, SubscriptionView};
use interlock_fault::Fault;
use secrecy::ExposeSecret;
use url::Url;
use uuid::Uuid;

use crate::actions::{ActionError, ActionWords};
use crate::inspection::{InspectionError, of_status};
use crate::tenants::Tenants;

/// How long a tenant has to show a subscription that was made.
const SHOWN_LIMIT: Duration = Duration::from_secs(5);
/// How often that is looked at.
const SHOWN_POLL: Duration = Duration::from_millis(100);

/// How many customers are asked at the same time.
const ASKED_AT_A_TIME: usize = 32;
/// The `subject` of a test event.
const TEST_CUSTOMER: &str = "test";
/// The group of ESPF statuses, which a subscription that a tenant makes does not name.
const ESPF_GROUP: &str = "HSS";

/// A subscription that a tenant asks for.
#[derive(Debug, Clone)]
pub struct NewSubscription {
    /// The URL of the receiver.
    pub callback: String,
    /// How events are written.
    pub format: OutgoingFormat,
    /// The types of the events that it gets; if empty, all that are about orders.
    pub types: BTreeSet<OutgoingType>,
    /// Only orders made by events of these types.
    pub event_types: BTreeSet<String>,
    /// Only orders with a step at one of these targets.
    pub step_targets: BTreeSet<TargetId>,
    /// Only these customers.
    pub customers: BTreeSet<CustomerId>,
}

/// The subscriptions of the tenants of one installation.
#[derive(Clone)]
pub struct Subscriptions {
    installation: Installation,
    tenants: Tenants,
}

impl Subscriptions {
    /// Uses this installation's connection.
    pub fn new(installation: Installation) -> Self {
        Self { tenants: Tenants::new(installation.clone()), installation }
    }

    /// All subscriptions of a tenant, sorted by id: those in the settings of this process, and those that it made itself.
    ///
    /// # Errors
    /// [`InspectionError`] if those that it made itself cannot be read.
    pub async fn list(&self, tenant: &TenantId) -> Result<SubscriptionList, InspectionError> {
        let mut subscriptions: Vec<SubscriptionView> = self.configured(tenant).collect();
        let own = self.installation.entities.own_subscriptions(tenant).await;
        let own = own.map_err(|error| InspectionError::of_server("The list of subscriptions", &error))?;
        subscriptions.extend(own.iter().map(|(id, of)| of_own(id, of)));
        subscriptions.sort_by(|one, other| one.id.cmp(&other.id));
        Ok(SubscriptionList { subscriptions })
    }

    /// One of them.
    ///
    /// # Errors
    /// As [`Self::list`]; [`InspectionError::NeverSeen`] if there is none with this id.
    pub async fn show(&self, tenant: &TenantId, id: &SubscriptionId) -> Result<SubscriptionView, InspectionError> {
        let found = self.list(tenant).await?.subscriptions.into_iter().find(|of| of.id == *id);
        found.ok_or_else(|| InspectionError::NeverSeen(format!("The subscription '{id}'")))
    }

    /// The subscriptions that the tenants of the installation made themselves.
    ///
    /// # Errors
    /// [`ServerError`] if the tenants cannot be listed, or one of them cannot be read.
    pub async fn own_of_all(&self) -> Result<Vec<(TenantId, SubscriptionId, OwnSubscription)>, ServerError> {
        let mut all = Vec::new();
        for tenant in self.tenants.with_subscriptions().await? {
            let own = self.installation.entities.own_subscriptions(&tenant).await?;
            all.extend(own.iter().map(|(id, of)| (tenant.clone(), id.clone(), of.clone())));
        }
        Ok(all)
    }

    fn configured(&self, tenant: &TenantId) -> impl Iterator<Item = SubscriptionView> {
        let targets = &self.installation.settings.targets;
        self.installation.routing.tenant(tenant).subscriptions.iter().map(move |(id, settings)| SubscriptionView {
            id: id.clone(),
            made_by: MadeBy::Settings.into(),
            callback: None,
            format: targets.get(&settings.target).map(|of| of.format).unwrap_or_default().into(),
            wants: settings.clone(),
            since: None,
        })
    }

    /// Makes a subscription, with an id of Interlock's choice.
    ///
    /// # Errors
    /// [`ActionError`]: `subscription_invalid`, `callback_forbidden`, `subscriptions_full`, or that the tenant's workflow cannot be reached.
    pub async fn add(
        &self,
        tenant: &TenantId,
        wanted: NewSubscription,
        words: ActionWords,
    ) -> Result<SubscriptionMade, ActionError> {
        self.check_callback(&wanted.callback).await?;
        let of_orders_only = matches!(wanted.format, OutgoingFormat::Tmf641 | OutgoingFormat::Espf);
        if let Some(other) = wanted.types.iter().find(|of| of_orders_only && !of.is_of_order()) {
            let detail = format!("The format '{}' cannot express '{}'.", wanted.format.as_str(), other.as_str());
            return Err(refused(ErrorCode::SubscriptionInvalid, detail));
        }
        let id: SubscriptionId = Uuid::new_v4().to_string().parse().map_err(|error| {
            refused(ErrorCode::SubscriptionInvalid, format!("The id of the subscription is invalid: {error}."))
        })?;
        let target = receiver_of(tenant, &id).ok_or_else(|| {
            refused(ErrorCode::SubscriptionInvalid, "The name of the tenant is too long for a receiver.".to_owned())
        })?;
        let NewSubscription { callback, format, types, event_types, step_targets, customers } = wanted;
        let settings = SubscriptionSettings { target, types, event_types, step_targets, customers };
        let own = OwnSubscription { callback, format, settings, since: now() };
        let kind = TenantActionKind::Subscribe { id: id.clone(), subscription: Box::new(own.clone()) };
        self.tenants.act(tenant, kind, words).await?;
        self.until_shown(tenant, &id).await;
        let keys = self
            .installation
            .settings
            .subscriptions
            .keys_of(tenant, &id)
            .map_err(|fault| refused(ErrorCode::SubscriptionInvalid, fault.message))?;
        let signing_key = keys.first().map(|key| key.expose_secret().to_owned());
        Ok(SubscriptionMade { subscription: of_own(&id, &own), signing_key })
    }

    /// Waits until the tenant shows a subscription that was just made, so that the caller can read it: a subscription was once
    /// not shown right after it was made. Gives up after [`SHOWN_LIMIT`]: the subscription exists all the same.
    async fn until_shown(&self, tenant: &TenantId, id: &SubscriptionId) {
        let shown = async {
            while !self.installation.entities.own_subscriptions(tenant).await.is_ok_and(|own| own.contains_key(id)) {
                tokio::time::sleep(SHOWN_POLL).await;
            }
        };
        if tokio::time::timeout(SHOWN_LIMIT, shown).await.is_err() {
            tracing::debug!(%tenant, subscription = %id, "the tenant does not show its new subscription yet");
        }
    }

    /// Removes a subscription that the tenant made itself.
    ///
    /// # Errors
    /// [`ActionError`]: `subscription_unknown`, `subscription_configured` for one in the settings, or that the tenant's workflow cannot be
    /// reached.
    pub async fn remove(&self, tenant: &TenantId, id: &SubscriptionId, words: ActionWords) -> Result<(), ActionError> {
        if self.installation.routing.tenant(tenant).subscriptions.contains_key(id) {
            let detail = format!("The subscription '{id}' is in the settings; remove it there.");
            return Err(refused(ErrorCode::SubscriptionConfigured, detail));
        }
        self.tenants.act(tenant, TenantActionKind::Unsubscribe { id: id.clone() }, words).await?;
        Ok(())
    }

    /// Has customers tell a receiver again how orders ended, from a time on: one customer, or all that run, as Temporal's visibility store knows
    /// them. Returns how many were asked. Each tells what its journal has.
    ///
    /// # Errors
    /// [`ActionError`]: there is no such subscription, or a customer cannot be asked; those before it were asked. It is safe to repeat it.
    pub async fn replay(
        &self,
        tenant: &TenantId,
        id: &SubscriptionId,
        since: Timestamp,
        customer: Option<&CustomerId>,
    ) -> Result<u64, ActionError> {
        self.show(tenant, id).await?;
        let entities = &self.installation.entities;
        let configured = self.installation.routing.tenant(tenant).subscribers();
        let own = entities.own_subscriptions(tenant).await;
        let own = own.map_err(|error| InspectionError::of_server("The list of subscriptions", &error))?;
        let subscriptions = configured.into_iter().chain(as_known(&own)).collect();
        let again = TellAgain { subscription: id.clone(), since, subscriptions };
        let mut asked = 0;
        let ask = |customer: CustomerId| {
            let again = &again;
            async move {
                let entity = entities.customer(tenant, &customer);
                let request_id = Uuid::new_v4().to_string();
                let signalled = entities.signal(&entity, names::TELL_AGAIN, again, &request_id).await;
                signalled.map_err(|error| not_asked(&customer, &error))
            }
        };
        if let Some(customer) = customer {
            return match ask(customer.clone()).await? {
                Delivery::Delivered => Ok(1),
                Delivery::Lost => Err(InspectionError::NeverSeen(format!("The customer {customer}")).into()),
            };
        }
        let (client, namespace) = (&self.installation.client, self.installation.routing.namespace(tenant));
        let question = visibility::customers_of(tenant);
        let mut token = Vec::new();
        loop {
            let page = visibility::find(client, namespace, tenant, &question, token).await;
            let page = page.map_err(InspectionError::from)?;
            asked += u64::try_from(page.entities.len()).unwrap_or(u64::MAX);
            let asking = stream::iter(page.entities.into_iter().map(|found| ask(found.customer)));
            asking.buffer_unordered(ASKED_AT_A_TIME).try_collect::<Vec<Delivery>>().await?;
            if page.next.is_empty() {
                return Ok(asked);
            }
            token = page.next;
        }
    }

    /// Sends the receiver a test event from this process, and returns its answer.
    ///
    /// # Errors
    /// [`Fault`]: there is no such subscription, or its receiver's settings cannot be used here.
    pub async fn test(&self, tenant: &TenantId, id: &SubscriptionId) -> Result<Outcome, Fault> {
        let configured = self.installation.routing.tenant(tenant).subscriptions.get(id);
        let adapter: Arc<dyn Adapter> = if let Some(configured) = configured {
            self.installation.settings.adapter_of(&configured.target)?
        } else {
            let own = self.installation.entities.own_subscriptions(tenant).await;
            let own = own.map_err(|error| InspectionError::of_server("The list of subscriptions", &error))?;
            let unknown = || InspectionError::NeverSeen(format!("The subscription '{id}'"));
            Arc::new(receiver(&self.installation, tenant, id, own.get(id).ok_or_else(unknown)?)?)
        };
        let customer = TEST_CUSTOMER.parse().map_err(|error| {
            Fault::failed(ErrorCode::SubscriptionInvalid, format!("The customer of a test is invalid: {error}."))
        })?;
        let sender = CustomerRef { tenant: tenant.clone(), customer };
        let event = OutgoingEvent {
            id: Uuid::new_v4(),
            event_type: OutgoingType::SubscriptionTest,
            at: now(),
            about: About::Test,
        };
        Ok(adapter.deliver(&sender, &event).await)
    }

    /// Checks the URL of a receiver, and the addresses that its name has now.
    async fn check_callback(&self, callback: &str) -> Result<(), ActionError> {
        let invalid = |detail: &str| Err(refused(ErrorCode::SubscriptionInvalid, detail.to_owned()));
        if callback.len() > CALLBACK_BYTES_MAX {
            return invalid("The callback is longer than 2,000 bytes.");
        }
        let Ok(url) = Url::parse(callback) else { return invalid("The callback is not a URL.") };
        if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
            return invalid("The callback is not an http or https URL.");
        }
        if !url.username().is_empty() || url.password().is_some() || url.fragment().is_some() {
            return invalid("The callback has a user, a password or a fragment.");
        }
        let rule = self.installation.settings.subscriptions.address_rule();
        if !rule.allows_now(&url).await {
            let detail =
                "The callback has no address that receivers may have: it is not on the public internet, and the \
                          settings do not allow it."
                    .to_owned();
            return Err(refused(ErrorCode::CallbackForbidden, detail));
        }
        Ok(())
    }
}

/// The adapter of the receiver of a subscription that a tenant made itself.
///
/// # Errors
/// [`Fault`] `subscription_invalid`, or `subscription_key_invalid`.
pub fn receiver(
    installation: &Installation,
    tenant: &TenantId,
    id: &SubscriptionId,
    own: &OwnSubscription,
) -> Result<WebhookAdapter, Fault> {
    let invalid = |detail: &dyn Display| {
        Fault::failed(ErrorCode::SubscriptionInvalid, format!("The subscription '{id}' is invalid: {detail}."))
    };
    let url = own.callback.parse().map_err(|error| invalid(&error))?;
    let mut settings = TargetSettings::new(AdapterKind::Webhook, url);
    settings.format = own.format;
    let keys = installation.settings.subscriptions.keys_of(tenant, id)?;
    settings.signing_keys = keys.iter().map(|key| Secret::from(key.expose_secret())).collect();
    if own.format == OutgoingFormat::Espf {
        settings.espf_group = Some(ESPF_GROUP.to_owned());
    }
    let rule = installation.settings.subscriptions.address_rule();
    WebhookAdapter::within(&own.settings.target, &settings, rule).map_err(|error| invalid(&error))
}

fn not_asked(customer: &CustomerId, error: &EntityCallError) -> ActionError {
    let what = format!("The customer {customer}");
    match error.status() {
        Some(status) => of_status(&what, status).into(),
        None => InspectionError::Refused { what, reason: error.to_string() }.into(),
    }
}

fn of_own(id: &SubscriptionId, own: &OwnSubscription) -> SubscriptionView {
    SubscriptionView {
        id: id.clone(),
        made_by: MadeBy::Tenant.into(),
        callback: Some(own.callback.clone()),
        format: own.format.into(),
        wants: own.settings.clone(),
        since: Some(own.since.to_rfc3339()),
    }
}

fn refused(code: ErrorCode, detail: String) -> ActionError {
    ActionError::Refused { code, detail }
}

fn now() -> Timestamp {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX))
}
