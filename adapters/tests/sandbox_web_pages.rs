//! Sandboxes have no tokens. They reject everything that a web page could send, and no single client can use up their connections.
#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

use interlock_adapters::install_crypto_provider;
use interlock_adapters::sandbox::{self, SandboxOptions};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

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

#[tokio::test]
async fn a_connection_above_the_limit_is_told_so_and_a_free_slot_is_used_again() {
    install_crypto_provider();
    let options = SandboxOptions { connections_max: 2, ..SandboxOptions::default() };
    let crm = sandbox::crm(options).await.unwrap();
    let connect = async || {
        let mut stream = tokio::net::TcpStream::connect(crm.address()).await.unwrap();
        stream.write_all(b"GET /__sandbox/log HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
        let mut answer = [0; 12];
        // A rejected connection may be closed before its request is read.
        stream.read_exact(&mut answer).await.unwrap();
        (stream, String::from_utf8(answer.to_vec()).unwrap())
    };
    let (first, answer) = connect().await;
    assert_eq!(answer, "HTTP/1.1 200");
    let (_second, answer) = connect().await;
    assert_eq!(answer, "HTTP/1.1 200");
    let silent = tokio::net::TcpStream::connect(crm.address()).await.unwrap();
    silent.readable().await.unwrap();
    let mut refused = [0; 12];
    assert_eq!(silent.try_read(&mut refused).unwrap(), 12);
    assert_eq!(&refused, b"HTTP/1.1 503");
    drop(first);
    // The sandbox notices a moment later that the client is gone.
    let again = async {
        loop {
            let mut stream = tokio::net::TcpStream::connect(crm.address()).await.unwrap();
            let asked = stream.write_all(b"GET /__sandbox/log HTTP/1.1\r\nhost: localhost\r\n\r\n").await;
            let mut answer = [0; 12];
            let read = stream.read_exact(&mut answer).await;
            if asked.is_ok() && read.is_ok() && &answer == b"HTTP/1.1 200" {
                return;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(10), again).await.unwrap();
}
