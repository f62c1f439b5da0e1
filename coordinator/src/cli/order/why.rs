//! `order why`.

use std::process::ExitCode;

use chrono::{DateTime, Utc};
use interlock_domain::customer::waiting::WaitKind;
use interlock_domain::ids::{OrderId, TargetId};
use interlock_domain::views::{Link, Why};
use interlock_fault::Fault;
use interlock_observability::terminal;
use interlock_settings::Settings;

use crate::cli::age::age;
use crate::cli::output::Output;
use crate::cli::show::{ShowArguments, bad_id};

pub(super) async fn run(arguments: &ShowArguments, settings: Settings, output: Output) -> Result<ExitCode, Fault> {
    let id: OrderId = arguments.id.parse().map_err(|error| bad_id("order", &error))?;
    let tenant = settings.tenant.clone();
    let why = arguments.inspection(settings).await?.why(&tenant, &id, |_| true).await?;
    output.one(&why, |why| tree(why, Utc::now()))?;
    Ok(ExitCode::SUCCESS)
}

/// The longest sequence of orders waiting for each other's turns that is shown in full.
const TURNS_SHOWN_MAX: usize = 4;

/// The chain as a tree: each line waits for the lines below it that are indented one level more.
fn tree(why: &Why, now: DateTime<Utc>) -> String {
    let mut lines = Vec::new();
    // The depths of the links above that are not shown.
    let mut left_out: Vec<usize> = Vec::new();
    let mut links = why.chain.iter().enumerate();
    while let Some((index, link)) = links.next() {
        left_out.retain(|depth| *depth < link.depth);
        let depth = link.depth - left_out.len();
        let indent = "   ".repeat(depth);
        let branch = if depth == 0 { String::new() } else { format!("{}└─ ", &indent[3..]) };
        lines.push(format!("{branch}{}", sentence(link, now)));
        let detail = link.detail.as_ref().filter(|_| link.waits_for.is_some());
        for (label, text) in [("", detail), ("next: ", link.next.as_ref())] {
            lines.extend(text.iter().map(|text| format!("{indent}   {label}{text}")));
        }
        let turns = turns_from(&why.chain[index..]);
        if turns > TURNS_SHOWN_MAX {
            lines.push(format!("{indent}   … {} more orders in the queue …", turns - 2));
            left_out.extend(links.by_ref().take(turns - 2).map(|(_, between)| between.depth));
        }
    }
    if why.ring {
        lines.push("This is a cycle: the orders marked ↻ wait for each other.".to_owned());
    }
    if why.cut_off {
        lines.push("The chain is longer; ask for its last order to see more.".to_owned());
    }
    lines.iter().map(|line| terminal::line(line)).collect::<Vec<_>>().join("\n")
}

/// How many orders in a row wait for the turn of the next one, starting with this one; rings are shown in full.
fn turns_from(links: &[Link]) -> usize {
    let turns = links.iter().take_while(|link| link.wait() == Some(WaitKind::Turn) && !link.in_ring);
    turns.zip(links[0].depth..).take_while(|(link, depth)| link.depth == *depth).count()
}

/// Who waits, for what, and for how long.
fn sentence(link: &Link, now: DateTime<Utc>) -> String {
    let resource = link.resource.as_ref().map_or_else(|| "a resource".to_owned(), ToString::to_string);
    let target = link.target.as_ref().map_or("a target", TargetId::as_str);
    let who = match (&link.order_id, &link.holder, &link.customer_id) {
        (Some(order), _, _) => order.to_string(),
        (None, Some(holder), _) => holder.clone(),
        (None, None, Some(customer)) => customer.to_string(),
        (None, None, None) => resource.clone(),
    };
    let state = link.state.as_ref().map(|state| format!(" ({state})")).unwrap_or_default();
    let step = link.step.as_ref().map(|step| format!(" at {step}")).unwrap_or_default();
    let code = link.code.as_ref().map(|code| format!(" [{code}]")).unwrap_or_default();
    let does = match (link.wait(), &link.waits_for) {
        (Some(WaitKind::Lease), _) => {
            let holder = link.holder.as_ref().map(|holder| format!(", held by {holder}")).unwrap_or_default();
            format!("waits for the lease of {resource}{holder}")
        }
        (Some(WaitKind::Turn), _) => format!("waits for its turn at {target}"),
        (Some(WaitKind::Target), _) => format!("waits for {target} to answer{step}"),
        (Some(WaitKind::Person), _) => format!("waits for a person{step}{code}"),
        (Some(WaitKind::Window), _) => format!("waits for a maintenance window{step}"),
        (Some(WaitKind::Settling), _) => format!("settles{step}"),
        (Some(WaitKind::Admission), _) => "waits for its plan".to_owned(),
        (Some(WaitKind::Event), _) => format!("keeps {resource} until an event releases it"),
        (Some(WaitKind::Unanswered), _) => format!("did not answer{code}"),
        (Some(WaitKind::Forbidden), _) => format!("access denied{code}"),
        (Some(WaitKind::Date) | None, Some(other)) => format!("waits for {other}{step}{code}"),
        (Some(WaitKind::Date) | None, None) => format!("has ended{code}"),
    };
    let since = link.since.as_ref().and_then(|since| DateTime::parse_from_rfc3339(since).ok());
    let since = since.map(|since| age(since.to_utc(), now)).map(|age| match link.waits_for {
        Some(_) => format!(", for {age}"),
        None => format!(", {age} ago"),
    });
    let since = since.unwrap_or_default();
    let ring = if link.in_ring { "↻ " } else { "" };
    format!("{ring}{who}{state} {does}{since}")
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn order(number: usize) -> String {
        OrderId::derive(&"blue".parse().unwrap(), &"A".parse().unwrap(), "s", &number.to_string(), None).to_string()
    }

    fn shown(chain: &[Value], ring: bool) -> String {
        let why = serde_json::from_value(json!({"chain": chain, "ring": ring})).unwrap();
        tree(&why, DateTime::parse_from_rfc3339("2026-01-01T02:10:00Z").unwrap().to_utc())
    }

    #[test]
    fn a_chain_is_a_tree_with_ages_and_what_to_do_next() {
        let text = shown(
            &[
                json!({"depth": 0, "tenant_id": "blue", "order_id": order(1), "state": "pending", "waits_for": "lease",
                       "resource": "msisdn/1", "holder": "B", "since": "2026-01-01T00:00:00Z"}),
                json!({"depth": 1, "tenant_id": "blue", "order_id": order(2), "state": "held", "waits_for": "person",
                       "step": "hss.assign_number", "code": "permanent", "since": "2026-01-01T02:09:57Z",
                       "detail": "The HSS said no.", "next": "fix it"}),
            ],
            false,
        );
        let expected = format!(
            "{} (pending) waits for the lease of msisdn/1, held by B, for 2 h 10 min\n\
             └─ {} (held) waits for a person at hss.assign_number [permanent], for 3 s\n      \
             The HSS said no.\n      next: fix it",
            order(1),
            order(2)
        );
        assert_eq!(text, expected);
    }

    #[test]
    fn a_long_line_of_turns_is_shown_by_its_ends() {
        let turn = |depth: usize| json!({"depth": depth, "tenant_id": "blue", "order_id": order(depth), "waits_for": "turn", "target": "hss"});
        let mut chain: Vec<Value> = (0..500).map(turn).collect();
        chain.push(
            json!({"depth": 500, "tenant_id": "blue", "order_id": order(500), "waits_for": "target", "target": "hss"}),
        );
        let text = shown(&chain, false);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 4, "{text}");
        assert_eq!(lines[1].trim(), "… 498 more orders in the queue …");
        assert!(lines[2].starts_with(&format!("└─ {}", order(499))), "{text}");
        assert!(lines[3].starts_with(&format!("   └─ {}", order(500))), "{text}");
        assert_eq!(shown(&chain[497..], false).lines().count(), 4);
    }

    #[test]
    fn a_ring_is_marked() {
        let link = |depth: usize| json!({"depth": depth, "tenant_id": "blue", "order_id": order(depth), "waits_for": "lease", "in_ring": true});
        let text = shown(&[link(0), link(1)], true);
        assert_eq!(text.matches("↻ A~").count(), 2, "{text}");
        assert!(text.ends_with("This is a cycle: the orders marked ↻ wait for each other."), "{text}");
    }
}
