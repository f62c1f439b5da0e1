use super::*;

#[tokio::test]
async fn every_call_asks_for_the_host_and_the_page_health_too() {
    let attacked = attacked(|settings| {
        settings.hosts = vec!["interlock.example".to_owned()];
        settings.origins = vec!["https://console.example".to_owned()];
    })
    .await;
    let status = async |path: &str, headers: &str| {
        attacked.answered(&format!("GET {path} HTTP/1.1\r\n{headers}Connection: close\r\n\r\n")).await
    };
    for path in ["/quick", "/healthz", "/metrics", "/nowhere"] {
        for (headers, expected, code) in [
            ("Host: evil.example\r\n", 403, "host_forbidden"),
            ("Host: localhost\r\nOrigin: http://evil.example\r\n", 403, "origin_forbidden"),
            ("Host: localhost\r\nOrigin: null\r\n", 403, "origin_forbidden"),
            ("Host: localhost\r\nHost: localhost\r\n", 400, "repeated_header"),
            ("Host: localhost\r\nAuthorization: Bearer a\r\nAuthorization: Bearer b\r\n", 400, "repeated_header"),
            ("", 400, "host_missing"),
        ] {
            let (status, text) = status(path, headers).await;
            assert_eq!(status, expected, "{path} {headers}: {text}");
            assert!(text.contains("application/problem+json") && text.contains(code), "{path} {headers}: {text}");
        }
    }
    for headers in [
        "Host: 10.1.2.3:8088\r\n",
        "Host: interlock.example\r\n",
        "Host: localhost\r\nOrigin: https://console.example\r\n",
        "Host: interlock.example\r\nOrigin: https://interlock.example\r\n",
    ] {
        assert_eq!(status("/quick", headers).await.0, 200, "{headers}");
    }
}

#[tokio::test]
async fn a_head_without_end_is_refused() {
    let attacked = attacked(|_| {}).await;
    let endless = format!("GET /quick HTTP/1.1\r\nHost: localhost\r\nX: {}\r\n", "x".repeat(100 * 1024));
    assert_eq!(attacked.answered(&endless).await.0, 431);
    let many = "X: x\r\n".repeat(200);
    assert_eq!(attacked.answered(&format!("GET /quick HTTP/1.1\r\nHost: localhost\r\n{many}\r\n")).await.0, 431);
}
