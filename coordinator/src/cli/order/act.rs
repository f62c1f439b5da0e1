//! `order retry|skip|amend|cancel|release-first`: a person's actions, on orders by id or by filter.

use std::process::ExitCode;

use clap::Args;
use futures_util::StreamExt;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use interlock_connection::ConnectionFlags;
use interlock_domain::customer::ListedOrder;
use interlock_domain::error_code::ErrorCode;
use interlock_domain::ids::{OrderId, TenantId};
use interlock_domain::order::OrderState;
use interlock_domain::views::{AmendmentView, BulkPreview, BulkResult, ForetoldAction, ForetoldOrder};
use interlock_fault::Fault;
use interlock_observability::terminal;
use interlock_operations::actions::{ActionWords, Actions, OrderAction, OrderRequest};
use interlock_settings::Settings;
use serde_json::{Map, Value};

use super::list::FilterArguments;
use crate::cli::output::{Output, OutputFormat, tell};
use crate::cli::preview::forecast_text;
use crate::cli::show::{bad_id, installation};
use crate::cli::tables::waiting_for;
use crate::cli::words::WordsArguments;

/// From this number of orders on, a progress bar is shown.
const PROGRESS_FROM: usize = 10;

/// `order retry` and the like.
#[derive(Debug, Args)]
pub(in crate::cli) struct ActArguments {
    /// The orders; omit them to select orders with --state, --target, --code, --customer or --overdue
    #[arg(value_name = "ORDER_ID")]
    ids: Vec<String>,
    #[command(flatten)]
    filter: FilterArguments,
    /// Only report what would be done
    #[arg(long)]
    dry_run: bool,
    /// Do nothing, and forecast what would happen next: which calls, who gets which lease, how orders end
    #[arg(long, conflicts_with = "dry_run")]
    preview: bool,
    /// Act on all selected orders; without it, the command behaves as with --dry-run
    #[arg(long, short)]
    yes: bool,
    #[command(flatten)]
    words: WordsArguments,
    #[command(flatten)]
    connection: ConnectionFlags,
}

/// `order amend`.
#[derive(Debug, Args)]
pub(in crate::cli) struct AmendArguments {
    /// The fields of the event's data to correct, as JSON: {"settings":{…}}
    #[arg(long, value_name = "JSON", value_parser = fields)]
    data: Map<String, Value>,
    #[command(flatten)]
    act: ActArguments,
}

fn fields(text: &str) -> Result<Map<String, Value>, String> {
    serde_json::from_str(text).map_err(|error| format!("not a JSON object: {error}"))
}

pub(super) async fn amend(arguments: &AmendArguments, settings: Settings, output: Output) -> Result<ExitCode, Fault> {
    let action = OrderAction::Amend { data: arguments.data.clone() };
    Box::pin(run(&action, &arguments.act, settings, output)).await
}

/// Exit code 1 if an action was refused, or if orders are missing because their customers did not answer; 2 if it found orders and
/// was not told to act on them.
pub(super) async fn run(
    action: &OrderAction,
    arguments: &ActArguments,
    settings: Settings,
    output: Output,
) -> Result<ExitCode, Fault> {
    let by_filter = arguments.is_by_filter()?;
    let words = arguments.words.words()?;
    let ids = arguments.ids.iter().map(|id| id.parse::<OrderId>()).collect::<Result<Vec<_>, _>>();
    let ids = ids.map_err(|error| bad_id("order", &error))?;
    let tenant = settings.tenant.clone();
    let actions = Actions::new(installation(&arguments.connection, settings).await?);
    let found = if by_filter {
        arguments.find(&actions, &tenant, action).await?
    } else {
        Found { orders: ids.into_iter().map(|order_id| (order_id, None)).collect(), is_missing_some: false }
    };
    if arguments.preview {
        let is_sound = Box::pin(preview(&actions, &tenant, action, &words, &found, output)).await?;
        return Ok(ExitCode::from(u8::from(!is_sound || found.is_missing_some)));
    }
    if arguments.dry_run || (by_filter && !arguments.yes) {
        let is_sound = foretell(&actions, &tenant, action, &found, output).await?;
        if !arguments.dry_run {
            let message = format!("{} orders were found; nothing was changed.", found.orders.len());
            return Err(Fault::wrong_use(ErrorCode::ConfirmationNeeded, message));
        }
        return Ok(ExitCode::from(u8::from(!is_sound || found.is_missing_some)));
    }
    let orders: Vec<OrderId> = found.orders.into_iter().map(|(order_id, _)| order_id).collect();
    let is_one_of_many = by_filter || orders.len() > 1;
    let mut tally = Tally::default();
    let progress = progress(orders.len());
    let mut all = Vec::new();
    let mut results = std::pin::pin!(actions.on_orders(&tenant, orders, action, &words, is_one_of_many));
    while let Some(result) = results.next().await {
        tally.add(&result);
        progress.inc(1);
        match output.format() {
            // One array at the end.
            OutputFormat::Json => all.push(result),
            _ => progress.suspend(|| output.one(&result, text))?,
        }
    }
    progress.finish_and_clear();
    if output.format() == OutputFormat::Json {
        output.one(&all, |_| String::new())?;
    }
    tell(&format!("{} (action {}): {tally}", action.name(), words.action_id));
    Ok(ExitCode::from(u8::from(tally.refused > 0 || found.is_missing_some)))
}

/// The orders to act on.
struct Found {
    /// The orders, each with its entry in its customer's list, if the list was read.
    orders: Vec<(OrderId, Option<ListedOrder>)>,
    /// Whether the orders of some customers are missing, because they did not answer.
    is_missing_some: bool,
}

impl ActArguments {
    /// Whether the orders are selected by a filter.
    fn is_by_filter(&self) -> Result<bool, Fault> {
        match (self.ids.is_empty(), self.filter.is_empty()) {
            (true, false) => Ok(true),
            (false, true) => Ok(false),
            (true, true) => {
                let message = "Give orders or a filter.";
                Err(Fault::wrong_use(ErrorCode::WrongUse, message).with_next("Give order ids, or --state held."))
            }
            (false, false) => {
                let message = "Orders and a filter cannot be combined.";
                Err(Fault::wrong_use(ErrorCode::WrongUse, message).with_next("Give only one of them."))
            }
        }
    }

    /// Finds the orders. An action for held orders selects those, unless another state is given.
    async fn find(&self, actions: &Actions, tenant: &TenantId, action: &OrderAction) -> Result<Found, Fault> {
        let mut filter = self.filter.filter()?;
        filter.for_persons = action.is_for_held();
        if filter.states.is_empty() && action.is_for_held() {
            filter.states = vec![OrderState::Held];
        }
        let mut found = Found { orders: Vec::new(), is_missing_some: false };
        let mut standing_alone = 0;
        let mut pages = std::pin::pin!(actions.inspection().all_orders(tenant, &filter));
        while let Some(page) = pages.next().await {
            let page = page?;
            for missing in &page.unanswered {
                let (customer, detail, code) = (&missing.customer_id, &missing.detail, &missing.code);
                tell(&format!("warning: the orders of {customer} are missing: {detail} [{code}]"));
                found.is_missing_some = true;
            }
            let (alone, of_entities): (Vec<_>, Vec<_>) = page.orders.into_iter().partition(|order| order.stands_alone);
            standing_alone += alone.len();
            let listed = |order: ListedOrder| (order.order_id.clone(), Some(order));
            found.orders.extend(of_entities.into_iter().map(listed));
        }
        if standing_alone > 0 {
            tell(&format!("{standing_alone} standalone orders are skipped: actions do not apply to them."));
        }
        Ok(found)
    }
}

/// Forecasts the action on each order, as if it were taken on that order alone. Returns whether none would be refused.
async fn preview(
    actions: &Actions,
    tenant: &TenantId,
    action: &OrderAction,
    words: &ActionWords,
    found: &Found,
    output: Output,
) -> Result<bool, Fault> {
    let mut previews = Vec::with_capacity(found.orders.len());
    for (order_id, _) in &found.orders {
        let request = OrderRequest { order_id: order_id.clone(), action: action.clone(), words: words.clone() };
        previews.push(match Box::pin(actions.preview_on_order(tenant, &request)).await {
            Ok(forecast) => BulkPreview::Foreseen(Box::new(forecast)),
            Err(error) => {
                BulkPreview::Refused { order_id: order_id.clone(), code: error.code().into(), detail: error.sentence() }
            }
        });
    }
    let is_sound = previews.iter().all(|preview| matches!(preview, BulkPreview::Foreseen(_)));
    match previews.as_slice() {
        [preview] => output.one(preview, preview_text)?,
        previews => output.list(previews, preview_text)?,
    }
    Ok(is_sound)
}

fn preview_text(preview: &BulkPreview) -> String {
    match preview {
        BulkPreview::Foreseen(forecast) => forecast_text(forecast),
        BulkPreview::Refused { order_id, code, detail } => {
            terminal::line(&format!("{order_id} would be rejected [{code}] {detail}")).into_owned()
        }
    }
}

/// Reports what would be done. Returns whether it would succeed, as far as that can be checked without doing it.
async fn foretell(
    actions: &Actions,
    tenant: &TenantId,
    action: &OrderAction,
    found: &Found,
    output: Output,
) -> Result<bool, Fault> {
    let mut foretold = Vec::with_capacity(found.orders.len());
    for (order_id, listed) in &found.orders {
        foretold.push(foretell_one(actions, tenant, action, order_id, listed.clone()).await);
    }
    output.list(&foretold, foretold_text)?;
    let refused = foretold.iter().filter(|order| order.code.is_some()).count();
    tell(&format!("would {}: {} orders, {refused} of them would be rejected", action.name(), foretold.len() - refused));
    Ok(refused == 0)
}

async fn foretell_one(
    actions: &Actions,
    tenant: &TenantId,
    action: &OrderAction,
    order_id: &OrderId,
    listed: Option<ListedOrder>,
) -> ForetoldAction {
    let mut foretold = ForetoldAction {
        order_id: order_id.clone(),
        would: action.name().to_owned(),
        order: listed.map(|order| ForetoldOrder::Listed(Box::new(order))),
        amended: None,
        code: None,
        detail: None,
    };
    let refused = match action {
        OrderAction::Amend { data } => {
            let amendment = actions.amendment_of(tenant, order_id, data).await;
            amendment.map(|amendment| foretold.amended = Some(amendment)).err()
        }
        _ if foretold.order.is_none() => {
            let order = actions.inspection().order(tenant, order_id).await;
            let shown = order.map(|order| foretold.order = Some(ForetoldOrder::Shown(Box::new(order))));
            shown.err().map(Into::into)
        }
        _ => None,
    };
    if let Some(error) = refused {
        foretold.code = Some(error.code().into());
        foretold.detail = Some(error.sentence());
    }
    foretold
}

fn foretold_text(foretold: &ForetoldAction) -> String {
    let mut line = format!("{} would {}", foretold.order_id, foretold.would);
    if let (Some(code), Some(detail)) = (&foretold.code, &foretold.detail) {
        return terminal::line(&format!("{line}: rejected [{code}] {detail}")).into_owned();
    }
    if let Some(order) = &foretold.order {
        let (state, waiting) = match order {
            ForetoldOrder::Listed(order) => (&order.state, &order.waiting_for),
            ForetoldOrder::Shown(order) => (&order.state, &order.waiting_for),
        };
        line = format!("{line}: {state}, waits for {}", waiting_for(waiting.as_ref()));
    }
    if let Some(AmendmentView(steps)) = &foretold.amended {
        let changes = steps.iter().map(|(step, arguments)| format!("{step} ({})", arguments.join(", ")));
        line = format!("{line}: changes {}", changes.collect::<Vec<_>>().join(", "));
    }
    line
}

/// The results, counted.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Tally {
    taken: u64,
    repeated: u64,
    refused: u64,
}

impl Tally {
    fn add(&mut self, result: &BulkResult) {
        *match result {
            BulkResult::Taken(taken) if taken.repeated => &mut self.repeated,
            BulkResult::Taken(_) => &mut self.taken,
            BulkResult::Refused { .. } => &mut self.refused,
        } += 1;
    }
}

impl std::fmt::Display for Tally {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} applied, {} already applied, {} rejected", self.taken, self.repeated, self.refused)
    }
}

fn text(result: &BulkResult) -> String {
    match result {
        BulkResult::Taken(taken) if taken.repeated => format!("{} {} (already applied)", taken.order_id, taken.state),
        BulkResult::Taken(taken) => format!("{} {}", taken.order_id, taken.state),
        BulkResult::Refused { order_id, code, detail, .. } => {
            terminal::line(&format!("{order_id} rejected [{code}] {detail}")).into_owned()
        }
    }
}

fn progress(orders: usize) -> ProgressBar {
    // On stderr, and only if it is a terminal.
    let target = if orders < PROGRESS_FROM { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() };
    let bar = ProgressBar::with_draw_target(Some(orders as u64), target);
    let style = ProgressStyle::with_template("{bar:30} {pos}/{len} {elapsed}");
    bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn order() -> OrderId {
        OrderId::derive(&"t".parse().unwrap(), &"A1".parse().unwrap(), "s", "1", None)
    }

    #[test]
    fn a_line_says_what_became_of_an_order() {
        let refused = BulkResult::Refused {
            order_id: order(),
            action_id: "x".to_owned(),
            code: ErrorCode::NothingHeld.into(),
            detail: "No.".to_owned(),
        };
        assert_eq!(text(&refused), format!("{} rejected [nothing_held] No.", order()));
        let mut tally = Tally::default();
        tally.add(&refused);
        assert_eq!(tally.to_string(), "0 applied, 0 already applied, 1 rejected");
    }

    #[test]
    fn a_dry_run_says_what_would_change() {
        let held = json!({
            "order_id": order(), "event_id": "e", "customer_id": "A1", "type": "t", "state": "held", "accepted_at": "",
            "since": "", "waiting_for": {"waits_for": "person", "step": "hss.do", "target": "hss", "code": "no",
                                         "detail": "no", "since": ""},
        });
        let mut foretold = ForetoldAction {
            order_id: order(),
            would: "retry".to_owned(),
            order: Some(ForetoldOrder::Listed(serde_json::from_value(held).unwrap())),
            amended: None,
            code: None,
            detail: None,
        };
        assert!(foretold_text(&foretold).contains("would retry: held, waits for"), "{}", foretold_text(&foretold));
        foretold.order = None;
        foretold.amended = Some(AmendmentView([("hss.do".to_owned(), vec!["a".to_owned(), "b".to_owned()])].into()));
        assert!(foretold_text(&foretold).ends_with(": changes hss.do (a, b)"), "{}", foretold_text(&foretold));
    }
}
