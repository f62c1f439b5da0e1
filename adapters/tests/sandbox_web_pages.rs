//! Sandboxes have no tokens: what a web page could send to one is turned away.
#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

use interlock_adapters::install_crypto_provider;
use interlock_adapters::sandbox::{self, SandboxOptions};
use serde_json::{Value, json};

#[tokio::test]
async fn a_web_page_can_neither_change_a_sandbox_nor_read_from_it() {
    install_crypto_provider();
    let crm = sandbox::crm(SandboxOptions::default()).await.unwrap();
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let knobs = json!({"rules": []}).to_string();
    let put = || http.put(format!("{}/__sandbox/knobs", crm.base_url())).body(knobs.clone());
    let call = || http.post(format!("{}/add_number", crm.base_url())).body("{}");
    let code = async |request: reqwest::RequestBuilder| {
        let answer = request.send().await.unwrap();
        (
            answer.status().as_u16(),
            answer.json::<Value>().await.unwrap()["code"].as_str().unwrap_or_default().to_owned(),
        )
    };
    let is = |status: u16, code: &str| (status, code.to_owned());
    for request in [put(), call()] {
        let json = request.try_clone().unwrap().header("content-type", "application/json");
        let evil = json.try_clone().unwrap().header("host", "evil.example");
        assert_eq!(code(evil).await, is(403, "host_forbidden"));
        let from_page = json.try_clone().unwrap().header("origin", "http://evil.example");
        assert_eq!(code(from_page).await, is(403, "origin_forbidden"));
        let by_form = request.header("content-type", "text/plain");
        assert_eq!(code(by_form).await, is(415, "unsupported_content_type"));
    }
    let read = http.get(format!("{}/__sandbox/requests", crm.base_url())).header("host", "evil.example");
    assert_eq!(code(read).await, is(403, "host_forbidden"));
    assert!(crm.received().is_empty(), "none of them reached the target");

    let options = SandboxOptions { hosts: vec!["crm.example".to_owned()], ..SandboxOptions::default() };
    let named = sandbox::crm(options).await.unwrap();
    let by_name = http.get(format!("{}/__sandbox/log", named.base_url())).header("host", "crm.example");
    assert_eq!(by_name.send().await.unwrap().status().as_u16(), 200);
}
