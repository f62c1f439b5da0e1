use super::*;

#[tokio::test]
async fn a_service_that_is_stopped_answers_what_it_was_asked_before() {
    let Attacked { service, asked, answer } = attacked(|_| {}).await;
    let call = tokio::spawn(reqwest::get(format!("{}/slow", service.url())));
    asked.notified().await;
    let url = service.url();
    let stopping = tokio::spawn(service.stop());
    let refuses = async { while reqwest::get(format!("{url}/other")).await.is_ok() {} };
    in_time(refuses).await;
    answer.notify_one();
    assert_eq!(call.await.unwrap().unwrap().text().await.unwrap(), "done");
    stopping.await.unwrap();
}

#[tokio::test]
async fn a_service_does_not_wait_for_ever() {
    let stop = CancellationToken::new();
    let brief = Duration::from_millis(50);
    let attacked = attacked_with(|_| {}, |options| options.stoppable(stop, brief)).await;
    let mut held = attacked.held().await;
    in_time(attacked.service.stop()).await;
    assert_eq!(answer_on(&mut held).await.0, 0, "what does not end is cut off");
}

#[tokio::test]
async fn connections_without_a_request_do_not_hold_up_the_end() {
    let attacked = attacked(|_| {}).await;
    let _silent = attacked.connect().await;
    let _half = attacked.sent("GET /quick HTTP/1.1\r\nHo").await;
    // The service knows both once a later one was answered.
    attacked.until_served("/quick").await;
    let began = Instant::now();
    in_time(attacked.service.stop()).await;
    assert!(began.elapsed() < DRAIN, "it waited for those that ask nothing");
}
