//! `order list`.

use std::collections::BTreeSet;
use std::process::ExitCode;

use chrono::{DateTime, Utc};
use clap::Args;
use futures_util::StreamExt;
use interlock_connection::ConnectionFlags;
use interlock_domain::customer::ListedOrder;
use interlock_domain::ids::{CustomerId, TargetId, TenantId};
use interlock_domain::views::OrderPage;
use interlock_fault::Fault;
use interlock_operations::inspection::Inspection;
use interlock_operations::inspection::listing::{LIMIT_DEFAULT, LIMIT_MAX, OrderFilter};
use interlock_settings::Settings;

use crate::cli::age::{age, age_of};
use crate::cli::output::{Output, OutputFormat, json, tell};
use crate::cli::show::{bad_id, inspection};
use crate::cli::tables::{cell, prose, table, text, waiting_for};
use crate::cli::watch::{Entry, Snapshot, WatchArguments, Watched, watch};

/// `order list`.
#[derive(Debug, Args)]
pub(in crate::cli) struct ListArguments {
    #[command(flatten)]
    filter: FilterArguments,
    /// Orders per page, 1 to 1,000
    #[arg(long, value_name = "N", default_value_t = LIMIT_DEFAULT, value_parser = limit)]
    limit: usize,
    /// Where to continue: the cursor that the previous page returned
    #[arg(long, conflicts_with_all = ["all", "watch"])]
    cursor: Option<String>,
    /// Print all pages
    #[arg(long, conflicts_with = "limit")]
    all: bool,
    #[command(flatten)]
    watch: WatchArguments,
    #[command(flatten)]
    connection: ConnectionFlags,
}

/// Selects open orders.
#[derive(Debug, Default, Args)]
pub(in crate::cli) struct FilterArguments {
    /// Only orders in this state; repeatable
    #[arg(long = "state", value_parser = ["acknowledged", "pending", "inProgress", "held"])]
    states: Vec<String>,
    /// Only orders of this customer
    #[arg(long, value_name = "ID")]
    customer: Option<String>,
    /// Only orders that wait at this target, or are held there
    #[arg(long, value_name = "NAME")]
    target: Option<String>,
    /// Only orders that are held with this code
    #[arg(long)]
    code: Option<String>,
    /// Only orders that are past their time limit
    #[arg(long)]
    overdue: bool,
}

impl FilterArguments {
    /// Whether no filter is set.
    pub(in crate::cli) fn is_empty(&self) -> bool {
        let Self { states, customer, target, code, overdue } = self;
        states.is_empty() && customer.is_none() && target.is_none() && code.is_none() && !overdue
    }

    /// The filter as flags of the command.
    fn flags(&self) -> String {
        let Self { states, customer, target, code, overdue } = self;
        let states = states.iter().map(|state| ("state", state));
        let others = [("customer", customer), ("target", target), ("code", code)];
        let others = others.into_iter().filter_map(|(flag, value)| Some((flag, value.as_ref()?)));
        let mut flags = String::new();
        for (flag, value) in states.chain(others) {
            for part in [" --", flag, " ", value] {
                flags.push_str(part);
            }
        }
        if *overdue {
            flags.push_str(" --overdue");
        }
        flags
    }

    /// The filter in these arguments.
    ///
    /// # Errors
    /// [`Fault`] `bad_id`, `state_not_open`.
    pub(in crate::cli) fn filter(&self) -> Result<OrderFilter, Fault> {
        let customer = self.customer.as_ref().map(|id| id.parse::<CustomerId>()).transpose();
        let target = self.target.as_ref().map(|id| id.parse::<TargetId>()).transpose();
        Ok(OrderFilter {
            states: self.states.iter().map(|name| OrderFilter::state(name)).collect::<Result<_, _>>()?,
            customer: customer.map_err(|error| bad_id("customer", &error))?,
            target: target.map_err(|error| bad_id("target", &error))?,
            code: self.code.clone(),
            overdue: self.overdue,
            for_persons: false,
        })
    }
}

fn limit(text: &str) -> Result<usize, String> {
    let limit = text.parse().ok().filter(|limit| (1..=LIMIT_MAX).contains(limit));
    limit.ok_or_else(|| format!("not a number from 1 to {LIMIT_MAX}"))
}

/// Exit code 1 if the orders of some customers are missing, because they did not answer.
pub(super) async fn run(arguments: &ListArguments, settings: Settings, output: Output) -> Result<ExitCode, Fault> {
    let filter = arguments.filter.filter()?;
    let tenant = settings.tenant.clone();
    if let Some(every) = arguments.watch.every {
        settings.catalog()?;
        let orders = WatchedOrders { arguments, filter, tenant, settings, inspection: None };
        return watch(orders, every, output).await;
    }
    let inspection = inspection(&arguments.connection, settings).await?;
    let mut whole = OrderPage::default();
    if arguments.all {
        let mut pages = std::pin::pin!(inspection.all_orders(&tenant, &filter));
        while let Some(page) = pages.next().await {
            let page = page?;
            whole.unanswered.extend(page.unanswered);
            match output.format() {
                // Written page by page, so that memory never holds them all.
                OutputFormat::Jsonl => output.list(&page.orders, |_| String::new())?,
                _ => whole.orders.extend(page.orders),
            }
        }
    } else {
        whole = inspection.orders(&tenant, &filter, arguments.limit, arguments.cursor.as_deref()).await?;
    }
    match output.format() {
        OutputFormat::Jsonl if arguments.all => {}
        OutputFormat::Jsonl => output.list(&whole.orders, |_| String::new())?,
        _ => output.one(&whole, |page| page_text(page, Utc::now()))?,
    }
    say_what_is_missing(&whole, output.format());
    Ok(ExitCode::from(u8::from(!whole.unanswered.is_empty())))
}

/// The open orders, read again and again.
struct WatchedOrders<'a> {
    arguments: &'a ListArguments,
    filter: OrderFilter,
    tenant: TenantId,
    settings: Settings,
    /// Once Temporal was reached.
    inspection: Option<Inspection>,
}

impl Watched for WatchedOrders<'_> {
    const THING: &'static str = "order";

    fn command(&self) -> String {
        let all = if self.arguments.all { " --all" } else { "" };
        format!("order list --tenant {}{}{all}", self.tenant, self.arguments.filter.flags())
    }

    async fn read(&mut self) -> Result<Snapshot, Fault> {
        let inspection = match self.inspection.take() {
            Some(inspection) => inspection,
            None => inspection(&self.arguments.connection, self.settings.clone()).await?,
        };
        let inspection = self.inspection.insert(inspection);
        let page = if self.arguments.all {
            let mut whole = OrderPage::default();
            let mut pages = std::pin::pin!(inspection.all_orders(&self.tenant, &self.filter));
            while let Some(page) = pages.next().await {
                let page = page?;
                whole.orders.extend(page.orders);
                whole.unanswered.extend(page.unanswered);
            }
            whole
        } else {
            inspection.orders(&self.tenant, &self.filter, self.arguments.limit, None).await?
        };
        snapshot(&page, Utc::now())
    }
}

fn snapshot(page: &OrderPage, now: DateTime<Utc>) -> Result<Snapshot, Fault> {
    let mut text = page_text(page, now);
    for line in missing_customers(page) {
        text = format!("{text}\n{line}");
    }
    if page.next_cursor.is_some() {
        text.push_str("\nThere may be more: use --all, or a higher --limit");
    }
    let entry = |order: &ListedOrder| {
        let asked = order.customer_id.to_string();
        Ok((order.order_id.to_string(), Entry { asked, value: json(order)? }))
    };
    let entries = page.orders.iter().map(entry).collect::<Result<_, Fault>>()?;
    let unanswered: BTreeSet<String> = page.unanswered.iter().map(|missing| missing.customer_id.to_string()).collect();
    Ok(Snapshot { text, whole: json(page)?, entries, unanswered })
}

/// The customers whose orders are missing from a page, in a line each.
fn missing_customers(page: &OrderPage) -> impl Iterator<Item = String> {
    page.unanswered.iter().map(|missing| {
        format!("warning: the orders of {} are missing: {} [{}]", missing.customer_id, missing.detail, missing.code)
    })
}

/// Reports on stderr what is missing from the data on stdout.
fn say_what_is_missing(page: &OrderPage, format: OutputFormat) {
    missing_customers(page).for_each(|line| tell(&line));
    if let Some(cursor) = page.next_cursor.as_ref().filter(|_| format != OutputFormat::Json) {
        tell(&format!("There may be more: use --all, or --cursor {cursor}"));
    }
}

fn page_text(page: &OrderPage, now: DateTime<Utc>) -> String {
    let missing = page.unanswered.len();
    let incomplete = match missing {
        0 => None,
        1 => Some("incomplete: one customer did not answer, and its orders are missing here".to_owned()),
        _ => Some(format!("incomplete: {missing} customers did not answer, and their orders are missing here")),
    };
    if page.orders.is_empty() {
        let none = if page.next_cursor.is_some() { "no open orders on this page" } else { "no open orders" };
        return incomplete.unwrap_or_else(|| none.to_owned());
    }
    let mut orders = table(&["order", "type", "state", "waits for", "for", "code", "due"]);
    for order in &page.orders {
        orders.add_row([
            text(order.order_id.as_str()),
            text(&order.event_type),
            text(order.state.as_str()),
            prose(&waiting_for(order.waiting_for.as_ref())),
            cell(age_of(&order.since, now)),
            cell(order.code.as_ref()),
            due(order, now),
        ]);
    }
    match incomplete {
        Some(incomplete) => format!("{orders}\n{incomplete}"),
        None => orders.to_string(),
    }
}

/// How long an order has been overdue; if it is not, when it is due.
fn due(order: &ListedOrder, now: DateTime<Utc>) -> String {
    let due = order.due_at.as_ref().and_then(|due| DateTime::parse_from_rfc3339(due).ok());
    match due.filter(|due| *due < now) {
        Some(due) => format!("{} ago", age(due.to_utc(), now)),
        None => cell(order.due_at.as_ref()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn a_page_says_what_each_order_waits_for_and_since_when() {
        let now = DateTime::parse_from_rfc3339("2026-01-01T02:10:00Z").unwrap().to_utc();
        let order = json!({
            "order_id": "A1~00000000-0000-0000-0000-000000000001", "event_id": "e", "customer_id": "A1",
            "type": "number.assigned", "state": "pending", "since": "2026-01-01T00:00:00Z", "accepted_at": "",
            "waiting_for": {"waits_for": "lease", "resource": "msisdn/1", "resources": [], "step": "s", "since": ""},
            "due_at": "2026-01-01T01:10:00Z",
        });
        let order = serde_json::from_value(order).unwrap();
        let shown = page_text(&OrderPage { orders: vec![order], ..OrderPage::default() }, now);
        assert!(shown.contains("the lease of msisdn/1"), "{shown}");
        assert!(shown.contains("2 h 10 min") && shown.contains("1 h ago"), "{shown}");
        assert_eq!(page_text(&OrderPage::default(), now), "no open orders");
    }

    #[test]
    fn a_watched_page_says_in_its_text_what_it_does_not_show() {
        let page = json!({"orders": [], "next_cursor": "c",
                          "unanswered": [{"customer_id": "A", "code": "no_worker", "detail": "No worker."}]});
        let page: OrderPage = serde_json::from_value(page).unwrap();
        let snapshot = snapshot(&page, Utc::now()).unwrap();
        assert!(snapshot.text.contains("the orders of A are missing: No worker. [no_worker]"), "{}", snapshot.text);
        assert!(snapshot.text.ends_with("There may be more: use --all, or a higher --limit"), "{}", snapshot.text);
        assert_eq!(snapshot.unanswered, ["A".to_owned()].into());
    }

    #[test]
    fn a_heading_has_the_filter_as_it_was_given() {
        let filter = FilterArguments {
            states: vec!["held".to_owned()],
            target: Some("hss".to_owned()),
            overdue: true,
            ..FilterArguments::default()
        };
        assert_eq!(filter.flags(), " --state held --target hss --overdue");
        assert_eq!(FilterArguments::default().flags(), "");
    }

    #[test]
    fn a_page_without_some_customers_says_so_and_never_that_there_are_no_open_orders() {
        let missing = |customer: &str| json!({"customer_id": customer, "code": "no_worker", "detail": "No worker."});
        let page = |missing: &[Value]| serde_json::from_value(json!({"orders": [], "unanswered": missing})).unwrap();
        let shown = |page: OrderPage| page_text(&page, Utc::now());
        assert!(shown(page(&[missing("A")])).starts_with("incomplete: one customer"));
        let two = shown(page(&[missing("A"), missing("B")]));
        assert!(two.starts_with("incomplete: 2 customers") && !two.contains("no open orders"), "{two}");
        let not_the_last = OrderPage { next_cursor: Some("more".to_owned()), ..OrderPage::default() };
        assert_eq!(shown(not_the_last), "no open orders on this page");
    }
}
