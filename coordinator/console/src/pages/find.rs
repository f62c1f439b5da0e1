//! One field for everything: a number, a SIM, a customer, an order, an event.

use axum::extract::Query;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use interlock_domain::customer::CustomerView;
use interlock_domain::resource::ResourceView;
use interlock_domain::views::OrderPage;
use maud::html;
use serde::Deserialize;

use crate::api::part;
use crate::page::{Visit, told};

/// What is looked for.
#[derive(Deserialize)]
pub(crate) struct Wanted {
    #[serde(default)]
    q: String,
}

/// A page that was found.
struct Hit {
    what: String,
    link: String,
}

/// Goes to what was found, if it is one thing; else shows all.
pub(crate) async fn show(visit: Visit, Query(wanted): Query<Wanted>) -> Response {
    let wanted = wanted.q.trim();
    // An order's id is CUSTOMER~UUID, and no other id has the sign.
    if wanted.contains('~') {
        return Redirect::to(&visit.link(&["orders", wanted])).into_response();
    }
    let (mut hits, mut problems) = (Vec::new(), Vec::new());
    let mut found = |what: String, link: String, answer: Result<(), crate::api::ApiProblem>| match answer {
        Ok(()) => hits.push(Hit { what, link }),
        // 404: never seen; 400: not a valid id of this kind.
        Err(problem) if [StatusCode::NOT_FOUND, StatusCode::BAD_REQUEST].contains(&problem.status()) => {}
        Err(problem) => problems.push(problem),
    };
    let answer = visit.get_of_tenant::<CustomerView>(&format!("customers/{}", part(wanted))).await.map(drop);
    found(format!("Customer {wanted}"), visit.link(&["customers", wanted]), answer);
    let (kind, id) = wanted.split_once('/').map_or((None, wanted), |(kind, id)| (Some(kind), id));
    for of in visit.catalog().kinds().filter(|of| kind.is_none_or(|kind| of.as_str() == kind)) {
        let path = format!("resources/{}/{}", part(of.as_str()), part(id));
        let answer = visit.get_of_tenant::<ResourceView>(&path).await.map(drop);
        found(format!("{of} {id}"), visit.link(&["resources", of.as_str(), id]), answer);
    }
    match visit.get_of_tenant::<OrderPage>("orders?limit=1000").await {
        Ok(page) => hits.extend(page.orders.into_iter().filter(|order| order.event_id == wanted).map(|order| Hit {
            what: format!("Order {} of the event", order.order_id),
            link: visit.link(&["orders", order.order_id.as_str()]),
        })),
        Err(problem) => problems.push(problem),
    }
    if let ([only], []) = (hits.as_slice(), problems.as_slice()) {
        return Redirect::to(&only.link).into_response();
    }
    let content = html! {
        h1 { "Find " q { (wanted) } }
        @if hits.is_empty() && problems.is_empty() {
            p { "Nobody here has seen this as a customer, a resource, an order, or the event of one of the first 1,000 open orders." }
        }
        ul { @for hit in &hits { li { a href=(hit.link) { (hit.what) } } } }
        @for problem in &problems { (told(problem)) }
    };
    visit.page("Find", false, &content)
}
