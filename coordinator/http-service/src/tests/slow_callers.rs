use super::*;

const BRIEF: Duration = Duration::from_millis(200);

#[tokio::test]
async fn half_sent_heads_are_closed_in_time_and_hold_up_nobody() {
    let attacked = attacked(|settings| settings.header_timeout = BRIEF).await;
    let mut half_sent = Vec::new();
    for _ in 0..100 {
        half_sent.push(attacked.sent("GET /quick HTTP/1.1\r\nHost: loc").await);
    }
    assert_eq!(attacked.get("/quick").await.0, 200);
    for stream in &mut half_sent {
        let (status, text) = answer_on(stream).await;
        assert!(status == 408 && text.contains("head_too_slow"), "{text}");
    }
}

#[tokio::test]
async fn a_connection_that_sends_nothing_is_closed_without_an_answer() {
    let attacked = attacked(|settings| settings.header_timeout = BRIEF).await;
    assert_eq!(answer_on(&mut attacked.connect().await).await, (0, String::new()));
}

#[tokio::test]
async fn the_head_of_a_second_request_has_its_own_time_and_answer() {
    let attacked = attacked(|settings| settings.header_timeout = BRIEF).await;
    let mut stream = attacked.sent("GET /quick HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    let mut first = [0; 1024];
    let read = in_time(stream.read(&mut first)).await.unwrap();
    assert!(first[..read].starts_with(b"HTTP/1.1 200"));
    // The service waits for it as soon as the answer to the first one is sent.
    stream.write_all(b"GET /quick HTTP/1.1\r\nHo").await.unwrap();
    let (status, text) = answer_on(&mut stream).await;
    assert!(status == 408 && text.contains("head_too_slow"), "{text}");
}

#[tokio::test]
async fn a_head_that_comes_byte_by_byte_has_no_more_time() {
    let attacked = attacked(|settings| settings.header_timeout = BRIEF).await;
    let mut stream = attacked.connect().await;
    // Each byte is sent after the previous one; if the other end is closed, sending fails sooner or later.
    let dripped = async {
        while stream.write_all(b"G").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    in_time(dripped).await;
}

#[tokio::test]
async fn a_connection_that_asks_nothing_more_is_closed() {
    let attacked = attacked(|settings| settings.idle_timeout = BRIEF).await;
    let (status, text) = attacked.answered("GET /quick HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    // It was kept open for another request, but read to its end.
    assert!(status == 200 && !text.to_ascii_lowercase().contains("connection: close"), "{text}");
}

#[tokio::test]
async fn a_body_that_does_not_arrive_is_answered_408() {
    let attacked = attacked(|settings| settings.body_timeout = BRIEF).await;
    let (status, text) =
        attacked.answered("POST /read HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nten bytes.").await;
    assert_eq!(status, 408, "{text}");
    assert!(text.contains("body_too_slow"), "{text}");
    // Within the time limit it is read.
    let whole = "POST /read HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 10\r\n\r\nten bytes.";
    assert_eq!(attacked.answered(whole).await.0, 200);
}

#[tokio::test]
async fn a_caller_that_does_not_take_its_answer_is_cut_off() {
    let attacked = attacked(|settings| {
        settings.body_timeout = BRIEF;
        settings.connections_max = few(1);
    })
    .await;
    let _greedy = attacked.sent("GET /large HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    // It has the only place: others are served once it is gone.
    attacked.until_served("/quick").await;
}

#[tokio::test]
async fn a_body_that_nobody_reads_does_not_cost_its_caller_the_answer() {
    let attacked = attacked(|_| {}).await;
    for _ in 0..20 {
        let stream = attacked.connect().await;
        let (mut reading, mut writing) = stream.into_split();
        let head = "POST /refused HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4194304\r\n\r\n";
        let sending = tokio::spawn(async move {
            writing.write_all(head.as_bytes()).await?;
            writing.write_all(&vec![b' '; 4 * 1024 * 1024]).await?;
            writing.shutdown().await
        });
        in_time(sending).await.unwrap().unwrap();
        let mut answer = Vec::new();
        in_time(reading.read_to_end(&mut answer)).await.unwrap();
        assert!(answer.starts_with(b"HTTP/1.1 401"), "{}", String::from_utf8_lossy(&answer));
    }
}
