//! The web console in a real browser, with its script: signing in by keyboard, pages that load themselves again, actions on many orders.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use fantoccini::key::Key;
use fantoccini::{Client, ClientBuilder, Locator};
use interlock_adapters::sandbox::Seed;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::console::{TENANT, testbed};
use crate::events::event;
use crate::outside_tools::find;
use crate::scene::{Scene, imsi};
use crate::testbed::{Testbed, run};
use crate::waiting::{looked_for, until};

/// How long a page may take until it shows what is expected.
const LIMIT: Duration = Duration::from_secs(40);
const PAUSE: Duration = Duration::from_millis(200);

/// A browser and its driver, which end with it.
struct Browser {
    page: Client,
    driver: Child,
    _profile: TempDir,
    url: String,
}

impl Drop for Browser {
    fn drop(&mut self) {
        // If it has ended already, there is nothing to end.
        drop(self.driver.kill());
        drop(self.driver.wait());
    }
}

impl Browser {
    /// A browser, or `None` if there is none on this machine.
    async fn start(bed: &Testbed, more: &[&str]) -> Option<Self> {
        let program = find("chromedriver", "apt-get install chromium chromium-driver")?;
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let driver = Command::new(program)
            .args([format!("--port={port}"), "--log-level=SEVERE".to_owned()])
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let profile = tempfile::tempdir().unwrap();
        let folder = format!("--user-data-dir={}", profile.path().display());
        let mut arguments = vec!["--headless=new", "--no-sandbox", "--disable-gpu", "--window-size=1280,900", &folder];
        arguments.extend(more);
        let options = json!({ "args": arguments });
        let capabilities = [("goog:chromeOptions".to_owned(), options)].into_iter().collect();
        let mut builder = ClientBuilder::new(hyper_util::client::legacy::connect::HttpConnector::new());
        builder.capabilities(capabilities);
        let address = format!("http://127.0.0.1:{port}");
        let page = until("the browser to start", || async { builder.connect(&address).await.ok() }).await;
        Some(Self { page, driver, _profile: profile, url: bed.platform.gateway_url() })
    }

    async fn open(&self, path: &str) {
        self.page.goto(&format!("{}{path}", self.url)).await.unwrap();
    }

    /// The text that a person sees in the content.
    async fn text(&self) -> String {
        match self.page.find(Locator::Id("main")).await {
            Ok(main) => main.text().await.unwrap_or_default(),
            Err(_) => String::new(),
        }
    }

    async fn shows(&self, wanted: &str) {
        let seen = looked_for(LIMIT, PAUSE, || async { self.text().await.contains(wanted).then_some(()) }).await;
        assert!(seen.is_some(), "'{wanted}' is not shown: {}", self.text().await);
    }

    async fn script(&self, script: &str) -> Value {
        self.page.execute(script, Vec::new()).await.unwrap()
    }

    /// Keeps what is seen, for the docs.
    async fn keep(&self, name: &str) {
        let png = self.page.screenshot().await.unwrap();
        std::fs::write(Path::new(env!("CARGO_TARGET_TMPDIR")).join(name), png).unwrap();
    }

    async fn end(self) {
        self.page.clone().close().await.unwrap();
    }
}

#[test]
fn a_person_works_with_the_keyboard_and_pages_load_themselves_again() {
    run(async {
        let bed = testbed("console-chromium").await;
        if let Some(browser) = Browser::start(&bed, &[]).await {
            let scene = Scene { bed: &bed, tenant: TENANT.parse().unwrap() };
            browser.open("/console").await;
            // The field has the focus: a token and Enter are enough.
            let focused = browser.page.active_element().await.unwrap();
            focused.send_keys(&format!("token-of-ann{}", char::from(Key::Enter))).await.unwrap();
            browser.shows("Nothing is held.").await;
            // The page now reloads by itself. The text of an event must never run as a script.
            let mut orders = Vec::new();
            let mut sims = Vec::new();
            for _ in 0..6 {
                let (customer, sim) = (Scene::newcomer("bulk"), imsi());
                let mut said = event("line.touched", &customer.id, &json!({ "imsi": sim }));
                said["id"] = format!("<img src=x onerror=document.title='hacked'> {sim}").into();
                orders.push(scene.submit(&said).await);
                sims.push(Seed { imsi: sim, ..Seed::default() });
            }
            until("all to be held", || async {
                for order in &orders {
                    (scene.order(order).await?["state"] == "held").then_some(())?;
                }
                Some(())
            })
            .await;
            browser.shows("unknown_subscriber").await;
            browser.keep("console-now.png").await;

            // All of the cause are chosen by one click, and retried; after two refusals the rest is left alone.
            browser.open("/console/blue/orders?state=held&code=unknown_subscriber").await;
            browser.shows("<img src=x").await;
            assert_ne!(browser.page.title().await.unwrap(), "hacked");
            browser.page.find(Locator::Css("[data-all]")).await.unwrap().click().await.unwrap();
            assert_eq!(browser.script("return document.querySelector('[data-count]').textContent").await, json!("6"));
            bed.hss.seed(&sims).unwrap();
            browser
                .page
                .find(Locator::Css(".bulk [name=reason]"))
                .await
                .unwrap()
                .send_keys("provisioned")
                .await
                .unwrap();
            browser.page.find(Locator::Css(".bulk button")).await.unwrap().click().await.unwrap();
            browser.page.accept_alert().await.unwrap();
            let summary = "return document.querySelector('.bulk').dataset.summary || ''";
            let done = looked_for(LIMIT, PAUSE, || async { (browser.script(summary).await == "6/0/0").then_some(()) });
            assert!(done.await.is_some(), "{} {}", browser.script(summary).await, browser.text().await);
            browser.keep("console-orders.png").await;
            scene.completed(&orders).await;

            // They are over: the same action again is refused, and stops after two refusals.
            browser.script("document.querySelector('.bulk [name=refusals]').value = 2").await;
            browser.page.find(Locator::Css("[data-all]")).await.unwrap().click().await.unwrap();
            browser.page.find(Locator::Css("[data-all]")).await.unwrap().click().await.unwrap();
            browser.page.find(Locator::Css(".bulk button")).await.unwrap().click().await.unwrap();
            browser.page.accept_alert().await.unwrap();
            let stopped =
                looked_for(LIMIT, PAUSE, || async { (browser.script(summary).await == "0/2/4").then_some(()) });
            assert!(stopped.await.is_some(), "{} {}", browser.script(summary).await, browser.text().await);
            browser.end().await;
        }
        bed.stop().await;
    });
}

#[test]
fn pages_are_readable_in_both_themes_and_named_for_screen_readers() {
    run(async {
        let bed = testbed("console-themes").await;
        for (theme, dark) in
            [("light", &[][..]), ("dark", &["--force-dark-mode", "--blink-settings=preferredColorScheme=0"])]
        {
            let Some(browser) = Browser::start(&bed, dark).await else { break };
            browser.open("/console").await;
            let focused = browser.page.active_element().await.unwrap();
            focused.send_keys(&format!("token-of-ann{}", char::from(Key::Enter))).await.unwrap();
            browser.shows("Nothing is held.").await;
            let is_dark = browser.script("return matchMedia('(prefers-color-scheme: dark)').matches").await;
            assert_eq!(is_dark, json!(theme == "dark"));
            // WCAG 2.2, 1.4.3: the contrast of text is at least 4.5.
            for path in ["/console/blue/now", "/console/blue/targets/hss", "/console/blue/orders"] {
                browser.open(path).await;
                assert_eq!(browser.script(CONTRASTS).await, json!([]), "{theme} {path}");
                assert_eq!(browser.script(UNNAMED).await, json!([]), "{theme} {path}");
            }
            browser.end().await;
        }
        bed.stop().await;
    });
}

/// The texts whose contrast with their ground is too low.
const CONTRASTS: &str = "
const rgb = (text) => text.match(/[\\d.]+/g).map(Number);
const ground = (element) => {
  for (let of = element; of; of = of.parentElement) {
    const colour = rgb(getComputedStyle(of).backgroundColor);
    if (colour.length === 3 || colour[3] > 0) return colour;
  }
  return [255, 255, 255];
};
const luminance = (colour) => colour.slice(0, 3).map((part) => part / 255)
  .map((part) => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4)
  .reduce((sum, part, place) => sum + part * [0.2126, 0.7152, 0.0722][place], 0);
const contrast = (one, other) => {
  const [low, high] = [luminance(one), luminance(other)].sort((left, right) => left - right);
  return (high + 0.05) / (low + 0.05);
};
const texts = [...document.body.querySelectorAll('*')].filter((element) =>
  [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim()));
return texts.filter((element) => contrast(rgb(getComputedStyle(element).color), ground(element)) < 4.5)
  .map((element) => element.outerHTML);";

/// The fields and buttons without a name, and the parts of a page that must be there once and are not.
const UNNAMED: &str = "
const fields = [...document.querySelectorAll('input:not([type=hidden]), select, textarea')];
const unnamed = fields.filter((field) => field.labels.length === 0 && !field.ariaLabel);
const buttons = [...document.querySelectorAll('button, a')].filter((button) => !button.textContent.trim());
const once = ['h1', 'main', 'header', 'title'].filter((name) => document.querySelectorAll(name).length !== 1);
const ids = [...document.querySelectorAll('[id]')].map((element) => element.id);
const twice = ids.filter((id, place) => ids.indexOf(id) !== place);
return [...unnamed.map((field) => field.outerHTML), ...buttons.map((button) => button.outerHTML), ...once, ...twice];";
