//! How the forecast of an action is written: the output of `--preview`.

use interlock_domain::views::{
    ActionForecast, ForecastEvent, ForecastHolder, ForecastOrder, ForecastResource, ForecastWhat,
};
use interlock_observability::terminal;

use super::tables::waiting_for;

/// The forecast as text.
pub(super) fn forecast_text(forecast: &ActionForecast) -> String {
    let mut lines = vec![format!("forecast of {}: nothing was sent, and nothing has changed", forecast.action)];
    if forecast.repeated {
        lines.push("  this action was already applied: nothing would change".to_owned());
    }
    lines.extend(forecast.next.iter().map(|event| format!("  {}", of_event(event))));
    if forecast.cut_off {
        lines.push("  … and more".to_owned());
    }
    lines.extend(forecast.orders.iter().map(|order| format!("  then {}", of_order(order))));
    lines.extend(forecast.resources.iter().map(|resource| format!("  then {}", of_resource(resource))));
    if let Some(target) = &forecast.target {
        let limit = target.limit.0.map_or_else(|| "no limit".to_owned(), |rate| format!("{} per second", rate.get()));
        let until = target.until.as_ref().map(|until| format!(" until {until}")).unwrap_or_default();
        lines.push(format!("  then {} is {}{until} (now {}), {limit}", target.target, target.then, target.now));
    }
    lines.extend(forecast.assumes.iter().map(|sentence| format!("  assumed: {sentence}")));
    lines.extend(forecast.unknown.iter().map(|sentence| format!("  not known: {sentence}")));
    lines.iter().map(|line| terminal::line(line)).collect::<Vec<_>>().join("\n")
}

fn of_event(event: &ForecastEvent) -> String {
    let text = |value: Option<String>| value.unwrap_or_else(|| "another".to_owned());
    let customer = || text(event.customer_id.as_ref().map(ToString::to_string));
    let order = event.order_id.as_ref().map(|order| format!(" ({order})")).unwrap_or_default();
    let resource = || text(event.resource.as_ref().map(ToString::to_string));
    let what = match event.what.known() {
        Some(ForecastWhat::Call) => format!(
            "{} is called: {}{order}",
            text(event.target.as_ref().map(ToString::to_string)),
            text(event.step.clone())
        ),
        Some(ForecastWhat::Granted) => format!("{} is granted to {}{order}", resource(), customer()),
        Some(ForecastWhat::Released) => format!("{} comes back from {}", resource(), customer()),
        Some(ForecastWhat::Ended) => {
            format!("the order of {} ends as {}{order}", customer(), text(event.state.clone()))
        }
        Some(ForecastWhat::Target) => format!("the target becomes {}", text(event.state.clone())),
        None => event.what.as_str().to_owned(),
    };
    match event.after_ms {
        0 => what,
        after => format!("after {} s: {what}", after.div_ceil(1_000)),
    }
}

fn of_order(order: &ForecastOrder) -> String {
    let then = order.then.as_ref().map_or("no longer known", |state| state.as_str());
    let now = order.now.as_ref().map(|state| format!(" (now {state})")).unwrap_or_default();
    let code = order.code.as_ref().map(|code| format!(" [{code}]")).unwrap_or_default();
    let waits = order.waits_for.as_ref().map(|wait| format!(", waits for {}", waiting_for(Some(wait))));
    format!("{} is {then}{code}{now}{}", order.order_id, waits.unwrap_or_default())
}

fn of_resource(resource: &ForecastResource) -> String {
    let holder = |holder: &ForecastHolder| match (&holder.customer_id, holder.held) {
        (Some(customer), _) => format!("held by {customer}"),
        (None, true) => "held by another".to_owned(),
        (None, false) => "free".to_owned(),
    };
    let ForecastResource { resource, now, then, waiting } = resource;
    format!("{resource} is {} (now {}), {waiting} waiting", holder(then), holder(now))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_forecast_is_marked_as_one_and_says_what_comes_after_what() {
        let order = "A1~00000000-0000-0000-0000-000000000001";
        let forecast = json!({
            "forecast": true, "action": "retry",
            "next": [
                {"what": "call", "order_id": order, "customer_id": "A1", "target": "hss", "step": "hss.do"},
                {"what": "granted", "after_ms": 1_500, "resource": "msisdn/1206", "customer_id": "A2"},
            ],
            "orders": [{"order_id": order, "customer_id": "A1", "now": "held", "then": "completed", "waits_for": null}],
            "resources": [{"resource": "msisdn/1206", "now": {"held": true, "customer_id": "A1"}, "then": {"held": false}, "waiting": 0}],
            "assumes": ["Every call is done."], "unknown": ["The customer A3 did not answer."],
        });
        let text = forecast_text(&serde_json::from_value(forecast).unwrap());
        for said in [
            "forecast of retry: nothing was sent",
            "hss is called: hss.do",
            "after 2 s: msisdn/1206 is granted to A2",
            &format!("then {order} is completed (now held)"),
            "msisdn/1206 is free (now held by A1), 0 waiting",
            "assumed: Every call is done.",
            "not known: The customer A3",
        ] {
            assert!(text.contains(said), "{said}: {text}");
        }
    }
}
