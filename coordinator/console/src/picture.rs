//! Why an order waits, as a picture: a tree of boxes from the order to what holds everything up. Each box is a link. The list beside it says
//! the same in words, so screen readers skip the picture.

use interlock_domain::customer::waiting::WaitKind;
use interlock_domain::views::{Link, Why};
use maud::{Markup, html};

use crate::page::Visit;

/// The most boxes of a picture; the list beside it has all links.
const BOXES_MAX: usize = 60;
/// The most characters of a line in a box.
const LINE_CHARS_MAX: usize = 30;
/// The size of a box, and the distances to the next one, in pixels.
const BOX: (usize, usize) = (230, 62);
const STEP: (usize, usize) = (270, 82);
const MARGIN: usize = 8;

/// One box.
struct Node {
    depth: usize,
    parent: Option<usize>,
    in_ring: bool,
    is_cause: bool,
    link: Option<String>,
    lines: [String; 3],
}

/// The picture; nothing for a chain of one link that waits for nothing else.
pub(crate) fn of_chain(visit: &Visit, why: &Why) -> Markup {
    let nodes = nodes(visit, &why.chain);
    let width = nodes.iter().map(|node| node.depth).max().unwrap_or_default() * STEP.0 + BOX.0 + 2 * MARGIN;
    let height = nodes.len() * STEP.1 + MARGIN;
    html! {
        @if nodes.len() > 1 {
            figure.picture aria-hidden="true" {
                svg viewBox=(format!("0 0 {width} {height}")) width=(width) height=(height) {
                    @for (row, node) in nodes.iter().enumerate() { @if let Some(parent) = node.parent { (edge(&nodes, parent, row)) } }
                    @for (row, node) in nodes.iter().enumerate() { (drawn(row, node)) }
                }
            }
        }
    }
}

fn nodes(visit: &Visit, chain: &[Link]) -> Vec<Node> {
    let mut nodes: Vec<Node> = Vec::new();
    // The row of the last box at each depth: a link waits for those below it that are one level deeper.
    let mut last: Vec<usize> = Vec::new();
    for link in chain.iter().take(BOXES_MAX) {
        let parent = link.depth.checked_sub(1).and_then(|above| last.get(above)).copied();
        last.truncate(link.depth);
        last.push(nodes.len());
        nodes.push(of_link(visit, link, parent));
        let at_target = matches!(link.wait(), Some(WaitKind::Target | WaitKind::Settling | WaitKind::Person));
        if let Some(target) = link.target.as_ref().filter(|_| at_target) {
            nodes.push(Node {
                depth: link.depth.saturating_add(1),
                parent: last.last().copied(),
                in_ring: false,
                is_cause: true,
                link: Some(visit.link(&["targets", target.as_str()])),
                lines: [
                    target.to_string(),
                    link.step.clone().unwrap_or_default(),
                    link.code.as_ref().map(ToString::to_string).or_else(|| state_of(link)).unwrap_or_default(),
                ],
            });
        }
    }
    nodes
}

fn state_of(link: &Link) -> Option<String> {
    link.target_state.as_ref().map(|state| format!("the target is {state}"))
}

fn of_link(visit: &Visit, link: &Link, parent: Option<usize>) -> Node {
    let is_own = link.tenant_id == visit.tenant;
    let name = match (&link.order_id, &link.customer_id, &link.resource) {
        (Some(order), _, _) => order.to_string(),
        (None, Some(customer), _) => customer.to_string(),
        (None, None, Some(resource)) => resource.to_string(),
        (None, None, None) => link.tenant_id.to_string(),
    };
    let target = match (&link.order_id, &link.customer_id, &link.resource) {
        (Some(order), _, _) if is_own => Some(visit.link(&["orders", order.as_str()])),
        (None, Some(customer), _) if is_own => Some(visit.link(&["customers", customer.as_str()])),
        (None, None, Some(resource)) => Some(visit.link(&["resources", resource.kind().as_str(), resource.id()])),
        _ => None,
    };
    let waits = link.waits_for.as_ref().map_or_else(|| "has ended".to_owned(), |wait| format!("waits for {wait}"));
    let what = match (&link.resource, &link.holder) {
        (Some(resource), Some(holder)) => format!("{resource}, held by {holder}"),
        (Some(resource), None) => resource.to_string(),
        (None, _) => link.state.as_ref().map(ToString::to_string).unwrap_or_default(),
    };
    let is_cause = link.next.is_some() && link.target.is_none();
    Node { depth: link.depth, parent, in_ring: link.in_ring, is_cause, link: target, lines: [name, waits, what] }
}

fn corner(row: usize, node: &Node) -> (usize, usize) {
    (MARGIN + node.depth * STEP.0, MARGIN + row * STEP.1)
}

/// From the middle of the lower edge of a box to the left edge of the one that it waits for.
fn edge(nodes: &[Node], parent: usize, row: usize) -> Markup {
    let (above, below) = (&nodes[parent], &nodes[row]);
    let ((x1, y1), (x2, y2)) = (corner(parent, above), corner(row, below));
    let (from, to) = (x1 + BOX.0 / 8, y2 + BOX.1 / 2);
    let is_ring = above.in_ring && below.in_ring;
    html! { path data-ring[is_ring] d=(format!("M{from} {} V{to} H{x2}", y1 + BOX.1)); }
}

fn drawn(row: usize, node: &Node) -> Markup {
    let (x, y) = corner(row, node);
    let shape = html! {
        rect x=(x) y=(y) width=(BOX.0) height=(BOX.1) rx="6" data-ring[node.in_ring] data-cause[node.is_cause] {}
        @for (place, line) in node.lines.iter().enumerate() {
            text x=(x + 8) y=(y + 18 + place * 18) { (shortened(line)) }
        }
    };
    html! { @match &node.link {
        // It is skipped by the keyboard, too: the list has the same links.
        Some(link) => a href=(link) tabindex="-1" { (shape) },
        None => g { (shape) },
    } }
}

/// Long ids are cut in their middle: what differs is at both ends.
fn shortened(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    if chars.len() <= LINE_CHARS_MAX {
        return text.to_owned();
    }
    let half = LINE_CHARS_MAX / 2;
    let (start, end) = (chars.iter().take(half), chars.iter().skip(chars.len() - half + 1));
    start.chain(std::iter::once(&'…')).chain(end).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_id_keeps_both_of_its_ends() {
        assert_eq!(shortened("A1~short"), "A1~short");
        let long = shortened("customer-with-a-long-name~00000000-0000-0000-0000-00000000000f");
        assert_eq!(long.chars().count(), LINE_CHARS_MAX);
        assert!(long.starts_with("customer-with-a") && long.ends_with("0000f"), "{long}");
    }
}
