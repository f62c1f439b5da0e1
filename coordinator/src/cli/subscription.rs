//! `subscription`.

use std::collections::BTreeSet;
use std::process::ExitCode;

use chrono::{DateTime, Utc};
use clap::{Args, Subcommand};
use interlock_connection::ConnectionFlags;
use interlock_domain::ids::{CustomerId, SubscriptionId, TargetId, Timestamp};
use interlock_domain::outcome::Outcome;
use interlock_domain::subscription::{OutgoingFormat, OutgoingType, SubscriptionSettings};
use interlock_domain::views::{SubscriptionMade, SubscriptionView};
use interlock_fault::Fault;
use interlock_operations::subscriptions::{NewSubscription, Subscriptions};
use interlock_settings::Settings;
use serde_json::json;

use super::output::Output;
use super::show::{ShowArguments, bad_id, installation};
use super::tables::{cell, prose, table, text};
use super::words::WordsArguments;

/// `subscription`.
#[derive(Debug, Subcommand)]
pub(super) enum SubscriptionCommand {
    /// List the tenant's subscriptions: those in the settings, and those that it made itself
    List(ListArguments),
    /// Show a subscription
    Show(ShowArguments),
    /// Tell a receiver what becomes of the tenant's events; prints the id and the key of the signatures
    Add(AddArguments),
    /// Remove a subscription that the tenant made itself
    Remove(RemoveArguments),
    /// Tell a receiver again how orders ended, as far as the journals of their customers have it
    Replay(ReplayArguments),
    /// Send a receiver an event of the type interlock.subscription.test from here, and show what it answers
    Test(ShowArguments),
}

/// `subscription list`.
#[derive(Debug, Args)]
pub(super) struct ListArguments {
    #[command(flatten)]
    connection: ConnectionFlags,
}

/// `subscription add`.
#[derive(Debug, Args)]
pub(super) struct AddArguments {
    /// URL of the receiver
    callback: String,
    /// How events are written: cloudevents, cloudevents_binary, tmf641, espf
    #[arg(long, value_name = "FORMAT", default_value = "cloudevents", value_parser = word::<OutgoingFormat>)]
    format: OutgoingFormat,
    /// Type of events, for example interlock.order.completed; repeatable [default: all about orders]
    #[arg(long = "type", value_name = "TYPE", value_parser = word::<OutgoingType>)]
    types: Vec<OutgoingType>,
    /// Only orders made by events of this type; repeatable
    #[arg(long = "event-type", value_name = "TYPE")]
    event_types: Vec<String>,
    /// Only orders with a step at this target; repeatable
    #[arg(long = "step-target", value_name = "TARGET")]
    step_targets: Vec<String>,
    /// Only this customer; repeatable
    #[arg(long = "customer", value_name = "ID")]
    customers: Vec<String>,
    #[command(flatten)]
    words: WordsArguments,
    #[command(flatten)]
    connection: ConnectionFlags,
}

/// `subscription remove`.
#[derive(Debug, Args)]
pub(super) struct RemoveArguments {
    #[command(flatten)]
    subscription: ShowArguments,
    #[command(flatten)]
    words: WordsArguments,
}

/// `subscription replay`.
#[derive(Debug, Args)]
pub(super) struct ReplayArguments {
    #[command(flatten)]
    subscription: ShowArguments,
    /// Since when: a time in RFC 3339, or how long ago, for example 2h
    #[arg(long, value_name = "TIME", value_parser = since)]
    since: Timestamp,
    /// Only this customer [default: all customers of the tenant]
    #[arg(long, value_name = "ID")]
    customer: Option<String>,
}

/// A time in RFC 3339, or a duration before now.
fn since(raw: &str) -> Result<Timestamp, String> {
    if let Ok(ago) = humantime::parse_duration(raw) {
        let ago = i64::try_from(ago.as_millis()).unwrap_or(i64::MAX);
        return Ok(Timestamp(Utc::now().timestamp_millis().saturating_sub(ago)));
    }
    let time = DateTime::parse_from_rfc3339(raw);
    time.map(|time| Timestamp(time.timestamp_millis()))
        .map_err(|error| format!("neither a time nor a duration: {error}"))
}

/// A word of a fixed set, as it is written.
fn word<T: serde::de::DeserializeOwned>(raw: &str) -> Result<T, String> {
    serde_json::from_value(json!(raw)).map_err(|error| error.to_string())
}

/// Runs `subscription …`.
pub(super) async fn run(command: &SubscriptionCommand, settings: Settings, output: Output) -> Result<ExitCode, Fault> {
    let tenant = settings.tenant.clone();
    match command {
        SubscriptionCommand::List(arguments) => {
            let list = subscriptions(&arguments.connection, settings).await?.list(&tenant).await?;
            output.one(&list, |list| list_text(&list.subscriptions))?;
        }
        SubscriptionCommand::Show(arguments) => {
            let id = read(&arguments.id)?;
            let view = subscriptions(&arguments.connection, settings).await?.show(&tenant, &id).await?;
            output.one(&view, view_text)?;
        }
        SubscriptionCommand::Add(arguments) => {
            let wanted = wanted(arguments)?;
            let words = arguments.words.words()?;
            let made = subscriptions(&arguments.connection, settings).await?.add(&tenant, wanted, words).await?;
            output.one(&made, made_text)?;
        }
        SubscriptionCommand::Remove(arguments) => {
            let id = read(&arguments.subscription.id)?;
            let words = arguments.words.words()?;
            subscriptions(&arguments.subscription.connection, settings).await?.remove(&tenant, &id, words).await?;
            output.one(&json!({"removed": id}), |_| format!("The subscription {id} was removed."))?;
        }
        SubscriptionCommand::Replay(arguments) => {
            let id = read(&arguments.subscription.id)?;
            let customer: Option<CustomerId> = arguments
                .customer
                .as_deref()
                .map(str::parse)
                .transpose()
                .map_err(|error| bad_id("customer", &error))?;
            let subscriptions = subscriptions(&arguments.subscription.connection, settings).await?;
            let asked = subscriptions.replay(&tenant, &id, arguments.since, customer.as_ref()).await?;
            output.one(&json!({"customers": asked}), |_| format!("{asked} customers were asked to tell it again."))?;
        }
        SubscriptionCommand::Test(arguments) => {
            let id = read(&arguments.id)?;
            let answer = subscriptions(&arguments.connection, settings).await?.test(&tenant, &id).await?;
            output.one(&answer, answer_text)?;
            return Ok(ExitCode::from(u8::from(!matches!(answer, Outcome::Done | Outcome::AlreadyDone))));
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn subscriptions(connection: &ConnectionFlags, settings: Settings) -> Result<Subscriptions, Fault> {
    Ok(Subscriptions::new(installation(connection, settings).await?))
}

fn read(id: &str) -> Result<SubscriptionId, Fault> {
    id.parse().map_err(|error| bad_id("subscription", &error))
}

fn wanted(arguments: &AddArguments) -> Result<NewSubscription, Fault> {
    let targets: Result<BTreeSet<TargetId>, _> = arguments.step_targets.iter().map(|id| id.parse()).collect();
    let customers: Result<BTreeSet<CustomerId>, _> = arguments.customers.iter().map(|id| id.parse()).collect();
    Ok(NewSubscription {
        callback: arguments.callback.clone(),
        format: arguments.format,
        types: arguments.types.iter().copied().collect(),
        event_types: arguments.event_types.iter().cloned().collect(),
        step_targets: targets.map_err(|error| bad_id("target", &error))?,
        customers: customers.map_err(|error| bad_id("customer", &error))?,
    })
}

fn list_text(subscriptions: &[SubscriptionView]) -> String {
    if subscriptions.is_empty() {
        return "The tenant has no subscriptions.".to_owned();
    }
    let mut rows = table(&["subscription", "made by", "receiver", "format", "events"]);
    for of in subscriptions {
        let receiver = of.callback.clone().unwrap_or_else(|| of.wants.target.to_string());
        rows.add_row([
            text(of.id.as_str()),
            text(of.made_by.as_str()),
            text(&receiver),
            text(of.format.as_str()),
            prose(&wants_text(&of.wants)),
        ]);
    }
    rows.to_string()
}

/// Which events it gets, in words.
fn wants_text(wants: &SubscriptionSettings) -> String {
    let types = wants.types.iter().map(|event_type| event_type.as_str().trim_start_matches("interlock."));
    let types: Vec<&str> = types.collect();
    let mut words = vec![if types.is_empty() { "order.*".to_owned() } else { types.join(", ") }];
    let mut only = |what: &str, values: Vec<String>| {
        if !values.is_empty() {
            words.push(format!("{what}: {}", values.join(", ")));
        }
    };
    only("made by", wants.event_types.iter().cloned().collect());
    only("at", wants.step_targets.iter().map(ToString::to_string).collect());
    only("of", wants.customers.iter().map(ToString::to_string).collect());
    words.join("; ")
}

fn view_text(of: &SubscriptionView) -> String {
    let mut rows = table(&["subscription", of.id.as_str()]);
    rows.add_row(["made by".to_owned(), text(of.made_by.as_str())]);
    rows.add_row(["receiver".to_owned(), cell(of.callback.as_ref())]);
    rows.add_row(["target".to_owned(), text(of.wants.target.as_str())]);
    rows.add_row(["format".to_owned(), text(of.format.as_str())]);
    rows.add_row(["events".to_owned(), text(&wants_text(&of.wants))]);
    rows.add_row(["since".to_owned(), cell(of.since.as_ref())]);
    rows.to_string()
}

fn made_text(made: &SubscriptionMade) -> String {
    let key = match &made.signing_key {
        Some(key) => format!("Its requests are signed with this key, which is shown only now: {key}"),
        None => "Its requests are not signed: the settings have no keys in [subscriptions].".to_owned(),
    };
    format!("{}\n\n{key}\nWorkers begin to serve it within seconds.", view_text(&made.subscription))
}

fn answer_text(answer: &Outcome) -> String {
    match answer {
        Outcome::Done | Outcome::AlreadyDone => "The receiver took the test event.".to_owned(),
        other => format!("The receiver did not take the test event: {}.", other.detail().unwrap_or(other.class())),
    }
}
