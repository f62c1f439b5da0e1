use super::*;

#[tokio::test]
async fn beyond_all_connections_health_is_answered_and_all_else_sent_away() {
    let attacked = attacked(|settings| settings.connections_max = few(2)).await;
    let (first, _second) = (attacked.held().await, attacked.held().await);
    let (status, text) = attacked.get("/quick").await;
    assert_eq!(status, 503, "{text}");
    assert!(
        text.contains("service_overloaded") && text.to_ascii_lowercase().contains("\r\nretry-after: 1\r\n"),
        "{text}"
    );
    assert!(text.contains("application/problem+json"), "{text}");
    assert_eq!(attacked.get("/healthz").await.0, 200);
    drop(first);
    attacked.until_served("/quick").await;
}

#[tokio::test]
async fn beyond_the_connections_of_one_address_others_are_sent_away() {
    let attacked = attacked(|settings| settings.connections_per_peer_max = few(1)).await;
    let held = attacked.held().await;
    assert_eq!(attacked.get("/quick").await.0, 503);
    assert_eq!(attacked.get("/healthz").await.0, 200);
    drop(held);
    attacked.until_served("/quick").await;
}

#[tokio::test]
async fn who_asks_nothing_gives_way_to_who_asks() {
    let attacked = attacked(|settings| settings.connections_max = few(3)).await;
    let mut silent = vec![attacked.connect().await, attacked.sent("GET /quick HTTP/1.1\r\nHo").await];
    silent.push(attacked.connect().await);
    attacked.until_served("/quick").await;
    // The one that waited longest; it gets no response.
    assert_eq!(answer_on(&mut silent[0]).await, (0, String::new()));
}

#[tokio::test]
async fn health_is_answered_also_where_many_take_the_last_places_and_ask_nothing() {
    let attacked = attacked(|settings| settings.connections_max = few(1)).await;
    let _held = attacked.held().await;
    let mut silent = Vec::new();
    for _ in 0..100 {
        silent.push(attacked.sent("GET /quick HTTP/1.1\r\n").await);
    }
    assert_eq!(attacked.get("/healthz").await.0, 200);
    let _silent = silent;
}

#[tokio::test]
async fn bodies_share_what_may_be_under_way() {
    let attacked = attacked(|settings| settings.body_bytes_max = few(1024 * 1024)).await;
    let head = |bytes: usize| {
        format!("POST /read HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {bytes}\r\n\r\n")
    };
    let second = head(500 * 1024) + &" ".repeat(500 * 1024);
    let began = Instant::now();
    loop {
        let mut half = attacked.sent(&head(900 * 1024)).await;
        half.write_all(&vec![b' '; 700 * 1024]).await.unwrap();
        // Once the service has read that much, there is no room for a second one. If it read the second one first, there was.
        let (status, text) = attacked.answered(&second).await;
        if status == 503 {
            assert!(text.contains("service_overloaded") && text.to_ascii_lowercase().contains("retry-after"), "{text}");
            half.write_all(&vec![b' '; 200 * 1024]).await.unwrap();
            assert_eq!(answer_on(&mut half).await.0, 200);
            break;
        }
        assert!(status == 200 && began.elapsed() < LIMIT, "{text}");
    }
    assert_eq!(attacked.answered(&(head(500 * 1024) + &" ".repeat(500 * 1024))).await.0, 200);
}

#[tokio::test]
async fn slow_bodies_take_no_room_from_others() {
    let attacked = attacked(|settings| settings.body_bytes_max = few(1024 * 1024)).await;
    let announced = "POST /read HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\n";
    let unannounced = "POST /read HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nbytes\r\n";
    let mut slow = Vec::new();
    for _ in 0..20 {
        slow.push(attacked.sent(&format!("{announced}bytes")).await);
        slow.push(attacked.sent(unannounced).await);
    }
    for _ in 0..20 {
        let bytes = 500 * 1024;
        let head =
            format!("POST /read HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {bytes}\r\n\r\n");
        assert_eq!(attacked.answered(&(head + &" ".repeat(bytes))).await.0, 200);
    }
}
