//! The web console, as a browser without script sees it: pages, forms, cookies.

use interlock_adapters::sandbox::Seed;
use interlock_domain::action_log::GuardedAction;
use interlock_domain::error_code::ErrorCode;
use interlock_domain::ids::OrderId;
use interlock_domain::routing::TenantSettings;
use interlock_settings::{GatewayRole, GatewayToken, Settings, TargetRight};
use regex::Regex;
use reqwest::header::{ACCEPT, CONTENT_SECURITY_POLICY, CONTENT_TYPE, COOKIE, LOCATION, SET_COOKIE};
use reqwest::{Client, RequestBuilder, StatusCode};
use url::form_urlencoded;

use crate::events::{Customer, assigned, event};
use crate::scene::{Scene, imsi, number};
use crate::testbed::{Testbed, Wanted, run};
use crate::waiting::until;

/// The tenant of the pages.
pub const TENANT: &str = "blue";

fn tokens(settings: &mut Settings) {
    let token = |name: &str, role, tenant: &str| GatewayToken {
        token: format!("token-of-{name}").into(),
        name: Some(name.to_owned()),
        role,
        tenants: vec![tenant.parse().unwrap()],
        realms: Vec::new(),
        targets: vec![TargetRight::All],
    };
    settings.console.temporal_ui = Some("http://temporal.example/ui/".parse().unwrap());
    settings.gateway.tokens = vec![
        token("ann", GatewayRole::Operate, TENANT),
        token("bob", GatewayRole::Operate, TENANT),
        token("ray", GatewayRole::Read, TENANT),
        token("sue", GatewayRole::Submit, TENANT),
        token("gus", GatewayRole::Operate, "green"),
    ];
}

/// A testbed with tokens.
pub async fn testbed(name: &str) -> Testbed {
    let tenants = vec![(TENANT, TenantSettings::default()), ("green", TenantSettings::default())];
    Testbed::start(name, Wanted { tenants, settings: Some(Box::new(tokens)), ..Wanted::default() }).await
}

/// A person's browser.
struct Browser {
    http: Client,
    url: String,
    cookie: String,
}

/// A page that was loaded.
struct Loaded {
    status: StatusCode,
    /// Where it leads to; empty if it is no redirect.
    to: String,
    text: String,
}

impl Browser {
    fn new(bed: &Testbed) -> Self {
        let http = Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        Self { http, url: bed.platform.gateway_url(), cookie: String::new() }
    }

    async fn of(bed: &Testbed, whose: &str) -> Self {
        let mut browser = Self::new(bed);
        let sent = [("token", format!("token-of-{whose}"))];
        let answer = form(browser.request("POST", "/console/sign-in"), &sent).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::SEE_OTHER);
        let cookie = answer.headers()[SET_COOKIE].to_str().unwrap().to_owned();
        assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict"), "{cookie}");
        assert!(!cookie.contains("token-of"), "{cookie}");
        cookie.split(';').next().unwrap().clone_into(&mut browser.cookie);
        browser
    }

    fn request(&self, method: &str, path: &str) -> RequestBuilder {
        self.http.request(method.parse().unwrap(), format!("{}{path}", self.url)).header(COOKIE, &self.cookie)
    }

    async fn load(&self, path: &str) -> Loaded {
        loaded(self.request("GET", path)).await
    }

    /// Sends the form of a page that does this action, with these values.
    async fn act(&self, page: &str, to: &str, action: &str, values: &[(&str, &str)]) -> Loaded {
        let text = self.load(page).await.text;
        let found = text.split("<form").find(|form| form.contains(&format!("value=\"{action}\"")));
        let found = found.unwrap_or_else(|| panic!("{page} has no form for {action}: {text}"));
        let hidden = Regex::new("name=\"([^\"]+)\" value=\"([^\"]*)\"").unwrap();
        let mut sent: Vec<(String, String)> =
            hidden.captures_iter(found).map(|found| (found[1].to_owned(), found[2].to_owned())).collect();
        for (name, value) in values {
            sent.retain(|(of, _)| of != name);
            sent.push(((*name).to_owned(), (*value).to_owned()));
        }
        loaded(form(self.request("POST", to), &sent)).await
    }
}

/// A request with a form, as browsers send it.
fn form<N: AsRef<str>, V: AsRef<str>>(request: RequestBuilder, fields: &[(N, V)]) -> RequestBuilder {
    let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    request.header(CONTENT_TYPE, "application/x-www-form-urlencoded").body(body)
}

async fn loaded(request: RequestBuilder) -> Loaded {
    let answer = request.send().await.unwrap();
    let policy = answer.headers().get(CONTENT_SECURITY_POLICY).unwrap().to_str().unwrap();
    assert!(policy.contains("default-src 'none'") && policy.contains("script-src 'self'"), "{policy}");
    let to = answer.headers().get(LOCATION).map(|to| to.to_str().unwrap().to_owned()).unwrap_or_default();
    Loaded { status: answer.status(), to, text: answer.text().await.unwrap() }
}

/// Order, number and customer say what happened.
async fn its_end_is_shown(ann: &Browser, order: &str, number: &str, customer: &Customer) {
    let shown = ann.load(order).await.text;
    for said in ["completed", "By ann", "the SIM is provisioned now"] {
        assert!(shown.contains(said), "{said}: {shown}");
    }
    let shown = ann.load(&format!("/console/blue/resources/msisdn/{number}")).await.text;
    assert!(shown.contains(&customer.id) && shown.contains("granted"), "{shown}");
    let shown = ann.load(&format!("/console/blue/customers/{}", customer.id)).await.text;
    assert!(shown.contains(number) && shown.contains("No order is open"), "{shown}");
    let workflow = format!("/workflows/{TENANT}%2Fcustomer%2F{}\"", customer.id.replace('%', "%25"));
    assert!(shown.contains("http://temporal.example/ui/namespaces/") && shown.contains(&workflow), "{shown}");
}

#[test]
fn a_person_finds_a_held_order_sees_why_acts_and_it_completes() {
    run(async {
        let bed = testbed("console").await;
        {
            let scene = Scene { bed: &bed, tenant: TENANT.parse().unwrap() };
            let (ann, customer, wanted) = (Browser::of(&bed, "ann").await, Scene::newcomer("held"), number());
            let order = scene.submit(&assigned(&customer, &wanted)).await;
            until("the order to be held", || async { (scene.order(&order).await?["state"] == "held").then_some(()) })
                .await;

            let start = ann.load("/console").await;
            assert_eq!(start.to, "/console/blue/now");
            until("the page to show the cause", || async {
                let now = ann.load("/console/blue/now").await;
                assert_eq!(now.status, StatusCode::OK);
                (now.text.contains("unknown_subscriber") && now.text.contains("code=unknown_subscriber")).then_some(())
            })
            .await;
            let listed = ann.load("/console/blue/orders?state=held&code=unknown_subscriber").await.text;
            assert!(listed.contains(&format!("data-order=\"{order}\"")), "{listed}");

            let page = format!("/console/blue/orders/{}", order.as_str().replace('~', "%7E").replace('-', "%2D"));
            let plain = format!("/console/blue/orders/{order}");
            for wanted in [order.as_str(), &wanted, &customer.id] {
                let found = ann.load(&format!("/console/blue/find?q={wanted}")).await;
                assert!(
                    found.status.is_redirection() || found.text.contains("href=\"/console/blue/"),
                    "{}",
                    found.text
                );
            }
            assert_eq!(ann.load(&format!("/console/blue/find?q={order}")).await.to, page);
            let shown = ann.load(&plain).await.text;
            for said in [
                "Why it waits",
                "<svg",
                "data-cause",
                "waits for <strong>person",
                "unknown_subscriber",
                "field.imsi",
                "Amend",
            ] {
                assert!(shown.contains(said), "{said}: {shown}");
            }

            is_previewed(&scene, &ann, &order).await;

            // What the claim is about cannot be amended: the refusal is shown, and nothing changes.
            let actions = format!("{plain}/actions");
            let words = [("field.imsi", "001019999999999"), ("reason", "the shop mistyped the SIM")];
            let refused = ann.act(&plain, &actions, "amend", &words).await;
            assert_eq!(refused.status, StatusCode::CONFLICT);
            assert!(refused.text.contains(ErrorCode::AmendChangesClaim.as_str()), "{}", refused.text);
            // The subscription is there now.
            bed.hss.seed(&[Seed { imsi: customer.imsi.clone(), ..Seed::default() }]).unwrap();
            let done = ann.act(&plain, &actions, "retry", &[("reason", "the SIM is provisioned now")]).await;
            assert_eq!((done.status, done.to.as_str()), (StatusCode::SEE_OTHER, page.as_str()), "{}", done.text);
            scene.completed(std::slice::from_ref(&order)).await;

            its_end_is_shown(&ann, &plain, &wanted, &customer).await;
            is_amended(&scene, &ann, &customer).await;
        }
        bed.stop().await;
    });
}

/// What a retry would do is shown, and not done.
async fn is_previewed(scene: &Scene<'_>, ann: &Browser, order: &OrderId) {
    let page = format!("/console/blue/orders/{order}");
    let preview = format!("{page}/actions?preview=true");
    let shown = ann.act(&page, &preview, "retry", &[("reason", "what if")]).await;
    assert_eq!(shown.status, StatusCode::OK, "{}", shown.text);
    for said in ["This is a forecast.", "is called: hss.assign_number", "Do it: retry", "what if"] {
        assert!(shown.text.contains(said), "{said}: {}", shown.text);
    }
    assert_eq!(scene.order(order).await.unwrap()["state"], "held");
}

/// An event without claims that named the wrong SIM is held, and completes once it is amended.
async fn is_amended(scene: &Scene<'_>, ann: &Browser, customer: &Customer) {
    let touched = event("line.touched", &customer.id, &serde_json::json!({"imsi": imsi()}));
    let order = scene.submit(&touched).await;
    until("the order to be held", || async { (scene.order(&order).await?["state"] == "held").then_some(()) }).await;
    let page = format!("/console/blue/orders/{order}");
    let words = [("field.imsi", customer.imsi.as_str()), ("reason", "the shop mistyped the SIM")];
    let done = ann.act(&page, &format!("{page}/actions"), "amend", &words).await;
    assert_eq!(done.status, StatusCode::SEE_OTHER, "{}", done.text);
    scene.completed(std::slice::from_ref(&order)).await;
}

#[test]
fn a_target_is_paused_and_resumed_in_the_console() {
    run(async {
        let bed = testbed("console-target").await;
        {
            let ann = Browser::of(&bed, "ann").await;
            let (page, actions) = ("/console/blue/targets/crm", "/console/blue/targets/crm/actions");
            until("the target to be known", || async {
                ann.load(page).await.text.contains("value=\"pause\"").then_some(())
            })
            .await;
            let done = ann.act(page, actions, "pause", &[("reason", "their window")]).await;
            assert_eq!(done.status, StatusCode::SEE_OTHER, "{}", done.text);
            let shown = ann.load(page).await.text;
            assert!(shown.contains("data-state=\"paused\"") && shown.contains("their window"), "{shown}");
            let limited = ann.act(page, actions, "limit", &[("reason", "x"), ("per_second", "many")]).await;
            assert_eq!(limited.status, StatusCode::BAD_REQUEST, "{}", limited.text);
            let done = ann.act(page, actions, "resume", &[("reason", "over")]).await;
            assert_eq!(done.status, StatusCode::SEE_OTHER, "{}", done.text);
            until("the target to be called again", || async {
                ann.load(page).await.text.contains("data-state=\"closed\"").then_some(())
            })
            .await;
        }
        bed.stop().await;
    });
}

fn with_second_person(settings: &mut Settings) {
    tokens(settings);
    settings.second_person.actions = [GuardedAction::Pause].into();
}

#[test]
fn the_console_shows_who_did_what_and_a_second_person_confirms_there() {
    run(async {
        let tenants = vec![(TENANT, TenantSettings::default()), ("green", TenantSettings::default())];
        let wanted = Wanted { tenants, settings: Some(Box::new(with_second_person)), ..Wanted::default() };
        let bed = Testbed::start("console-second-person", wanted).await;
        {
            let (ann, bob, ray) =
                (Browser::of(&bed, "ann").await, Browser::of(&bed, "bob").await, Browser::of(&bed, "ray").await);
            let (page, actions) = ("/console/blue/targets/crm", "/console/blue/targets/crm/actions");
            let refused = ann.act(page, actions, "pause", &[("reason", "<b>window</b>"), ("ticket", "INC-7")]).await;
            assert_eq!(refused.status, StatusCode::CONFLICT);
            assert!(refused.text.contains(ErrorCode::SecondPersonNeeded.as_str()), "{}", refused.text);

            let (list, confirm) = ("/console/blue/actions", "/console/blue/actions/targets%2D1/confirmation");
            let shown = ray.load(list).await.text;
            assert!(
                shown.contains("&lt;b&gt;window") && shown.contains("INC-7") && shown.contains("waits for a"),
                "{shown}"
            );
            assert!(!shown.contains("value=\"confirm\""), "who may read only has no button: {shown}");
            assert!(!ray.load("/console/blue/actions?ticket=INC-8").await.text.contains("INC-7"));
            let own = ann.act(list, confirm, "confirm", &[]).await;
            assert!(own.text.contains(ErrorCode::SamePerson.as_str()), "{}", own.text);
            let done = bob.act(list, confirm, "confirm", &[]).await;
            assert_eq!((done.status, done.to.as_str()), (StatusCode::SEE_OTHER, list), "{}", done.text);
            assert!(ann.load(page).await.text.contains("ann, confirmed by bob"));
            let shown = ann.load(list).await.text;
            assert!(shown.contains("confirmed by bob") && shown.contains("data-state=\"done\""), "{shown}");
            let done = bob.act(page, actions, "resume", &[("reason", "over")]).await;
            assert_eq!(done.status, StatusCode::SEE_OTHER, "only what the rule names needs two: {}", done.text);
        }
        bed.stop().await;
    });
}

/// Nobody who has not signed in sees anything; a forged or strange cookie is none.
async fn strangers_see_nothing(bed: &Testbed, page: &str) {
    let mut nobody = Browser::new(bed);
    for cookie in ["", "interlock_session=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "interlock_session=%00"] {
        cookie.clone_into(&mut nobody.cookie);
        for path in ["/console", "/console/blue/now", page] {
            assert_eq!(nobody.load(path).await.to, "/console/sign-in", "{path} {cookie}");
        }
    }
    for token in ["token-of-nobody", "", "token-of-sue"] {
        let sent = form(nobody.request("POST", "/console/sign-in"), &[("token", token)]);
        assert_eq!(loaded(sent).await.status, StatusCode::UNAUTHORIZED, "{token}");
    }
}

#[test]
fn a_console_shows_and_does_only_what_its_token_may() {
    run(async {
        let bed = testbed("console-rights").await;
        {
            let scene = Scene { bed: &bed, tenant: TENANT.parse().unwrap() };
            let script = "<script>alert(1)</script>";
            let customer = Scene::newcomer("held");
            let mut said = assigned(&customer, &number());
            said["id"] = script.into();
            let order = scene.submit(&said).await;
            until("the order to be held", || async { (scene.order(&order).await?["state"] == "held").then_some(()) })
                .await;
            let page = format!("/console/blue/orders/{order}");
            let actions = format!("{page}/actions");

            strangers_see_nothing(&bed, &page).await;

            // A person who may read sees no button, and cannot act with a form of another person.
            let (ann, ray, gus) =
                (Browser::of(&bed, "ann").await, Browser::of(&bed, "ray").await, Browser::of(&bed, "gus").await);
            let shown = ray.load(&page).await.text;
            assert!(shown.contains("unknown_subscriber") && !shown.contains("name=\"action\""), "{shown}");
            assert!(shown.contains("&lt;script&gt;") && !shown.contains(script), "{shown}");
            let form_token = |text: &str| {
                let found = Regex::new("name=\"form_token\" value=\"([0-9a-f]+)\"").unwrap();
                found.captures(text).unwrap()[1].to_owned()
            };
            let (of_ray, of_ann) = (form_token(&shown), form_token(&ann.load(&page).await.text));
            let retry = |form_token: &str| {
                let words = [("action", "cancel"), ("action_id", "x"), ("reason", "r"), ("form_token", form_token)];
                words.map(|(name, value)| (name.to_owned(), value.to_owned()))
            };
            let refused = loaded(form(ray.request("POST", &actions), &retry(&of_ray))).await;
            assert_eq!(refused.status, StatusCode::FORBIDDEN);
            assert!(refused.text.contains(ErrorCode::RoleForbidden.as_str()), "{}", refused.text);
            for (browser, form_token) in [(&ray, &of_ann), (&ann, &of_ray), (&ann, &String::new())] {
                let refused = loaded(form(browser.request("POST", &actions), &retry(form_token))).await;
                assert!(refused.text.contains("belongs to another session"), "{}", refused.text);
            }

            // Another origin's page cannot act with the person's session, and other tenants have other pages.
            for (name, value) in [("origin", "http://evil.example"), ("sec-fetch-site", "cross-site")] {
                let forged = form(ann.request("POST", &actions).header(name, value), &retry(&of_ann));
                assert_eq!(forged.send().await.unwrap().status(), StatusCode::FORBIDDEN, "{name}");
            }
            for path in ["/console/blue/now", "/console/nobody/now", &page] {
                assert_eq!(gus.load(path).await.status, StatusCode::FORBIDDEN, "{path}");
            }
            assert_eq!(gus.load(&page.replace("blue", "green")).await.status, StatusCode::NOT_FOUND);
            assert_eq!(scene.order(&order).await.unwrap()["state"], "held");

            // With the own form it is done; a script gets the result as JSON, and the same action again changes nothing.
            for _ in 0..2 {
                let sent = form(ann.request("POST", &actions).header(ACCEPT, "application/json"), &retry(&of_ann));
                let taken: serde_json::Value = sent.send().await.unwrap().json().await.unwrap();
                assert_eq!(taken["state"], "cancelled", "{taken}");
            }

            let left = loaded(form(ann.request("POST", "/console/sign-out"), &[("form_token", &of_ann)])).await;
            assert_eq!(left.to, "/console/sign-in");
        }
        bed.stop().await;
    });
}

#[test]
fn orders_that_are_held_for_the_same_reason_are_one_line() {
    run(async {
        let bed = testbed("console-causes").await;
        {
            let scene = Scene { bed: &bed, tenant: TENANT.parse().unwrap() };
            let mut orders = Vec::new();
            for _ in 0..12 {
                let customer = Scene::newcomer("many");
                let data = serde_json::json!({"imsi": customer.imsi});
                orders.push(scene.submit(&event("line.touched", &customer.id, &data)).await);
            }
            let ann = Browser::of(&bed, "ann").await;
            until("one cause for all orders", || async {
                let now = ann.load("/console/blue/now").await.text;
                now.contains(">12</a>").then_some(())
            })
            .await;
        }
        bed.stop().await;
    });
}
