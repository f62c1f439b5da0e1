//! Posts alerts to the configured webhook.

use std::sync::Arc;
use std::time::{Duration, Instant};

use backon::{ExponentialBuilder, Retryable};
use futures_util::stream::{self, Stream, StreamExt as _};
use interlock_fault::with_causes;
use serde_json::Value;
use thiserror::Error;
use tokio::sync::OnceCell;
use url::Url;

/// How many alerts are posted at a time.
const POSTED_AT_A_TIME: usize = 8;

/// Time limits for the webhook.
#[derive(Debug, Clone, Copy)]
struct PostLimits {
    /// How long it may take to accept an alert.
    answer: Duration,
    /// How often an alert is posted until it is accepted.
    attempts: usize,
    /// The pause before it is posted again; it doubles each time.
    pause: Duration,
}

const POST_LIMITS: PostLimits =
    PostLimits { answer: Duration::from_secs(5), attempts: 3, pause: Duration::from_secs(1) };

/// Why an alert was not accepted.
#[derive(Debug, Error)]
pub(super) enum NotTaken {
    /// The webhook did not answer, or answered with an error.
    #[error("{}", with_causes(.0))]
    Refused(#[from] reqwest::Error),
    /// The time for posting ended before the webhook had accepted it.
    #[error("the time for posting alerts ran out: the webhook is slow, or there are many alerts")]
    TooLate,
}

/// Where alerts are posted. All of them go through one client.
#[derive(Clone)]
pub(super) struct Webhook {
    url: Url,
    client: Arc<OnceCell<reqwest::Client>>,
    limits: PostLimits,
}

impl Webhook {
    /// Posts alerts to this URL.
    pub(super) fn new(url: Url) -> Self {
        Self { url, client: Arc::default(), limits: POST_LIMITS }
    }

    /// Posts alerts, several at a time, and returns for each in order whether it was accepted. After `until` none is posted or
    /// waited for. Once `stop` is ready no further one is started: the running ones end, and then the stream.
    pub(super) fn post_all<'a>(
        &'a self,
        alerts: impl IntoIterator<Item = Value, IntoIter: 'a>,
        until: Instant,
        stop: impl Future<Output = ()> + 'a,
    ) -> impl Stream<Item = Result<(), NotTaken>> + 'a {
        let posts = stream::iter(alerts).take_until(stop).map(move |alert| self.post(alert, until));
        posts.buffered(POSTED_AT_A_TIME)
    }

    async fn post(&self, alert: Value, until: Instant) -> Result<(), NotTaken> {
        if Instant::now() >= until {
            return Err(NotTaken::TooLate);
        }
        let body = alert.to_string();
        let again = ExponentialBuilder::default()
            .with_min_delay(self.limits.pause)
            .with_max_times(self.limits.attempts.saturating_sub(1));
        let posted = (|| self.post_once(body.clone())).retry(again);
        tokio::time::timeout_at(until.into(), posted).await.map_err(|_| NotTaken::TooLate)?.map_err(NotTaken::from)
    }

    async fn post_once(&self, body: String) -> Result<(), reqwest::Error> {
        let client = self.client.get_or_try_init(async || {
            interlock_adapters::install_crypto_provider();
            reqwest::Client::builder().timeout(self.limits.answer).build()
        });
        let request = client.await?.post(self.url.clone()).header("content-type", "application/cloudevents+json");
        request.body(body).send().await?.error_for_status().map(|_| ())
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use serde_json::json;
    use wiremock::matchers::any;
    use wiremock::{Mock, MockServer, ResponseTemplate};

    use super::*;

    const LONG: Duration = Duration::from_mins(1);

    async fn server(answer: ResponseTemplate) -> MockServer {
        let server = MockServer::start().await;
        Mock::given(any()).respond_with(answer).mount(&server).await;
        server
    }

    fn webhook(server: &MockServer) -> Webhook {
        let limits = PostLimits { attempts: 2, pause: Duration::from_millis(1), ..POST_LIMITS };
        Webhook { limits, ..Webhook::new(server.uri().parse().unwrap()) }
    }

    fn alerts(count: usize) -> Vec<Value> {
        (0..count).map(|number| json!({ "id": number })).collect()
    }

    async fn post_all(webhook: &Webhook, count: usize, until: Duration) -> Vec<Result<(), NotTaken>> {
        webhook.post_all(alerts(count), Instant::now() + until, pending()).collect().await
    }

    async fn requests(server: &MockServer) -> usize {
        server.received_requests().await.unwrap().len()
    }

    #[tokio::test]
    async fn many_alerts_are_posted_side_by_side_each_once() {
        let slow = Duration::from_millis(200);
        let server = server(ResponseTemplate::new(204).set_delay(slow)).await;
        let began = Instant::now();
        let posted = post_all(&webhook(&server), 24, LONG).await;
        assert!(posted.len() == 24 && posted.iter().all(Result::is_ok), "{posted:?}");
        assert_eq!(requests(&server).await, 24);
        assert!(began.elapsed() < slow * 24 / 2, "they were posted one after the other: {:?}", began.elapsed());
    }

    #[tokio::test]
    async fn one_that_is_refused_is_posted_again_and_then_given_up() {
        let server = server(ResponseTemplate::new(503)).await;
        let posted = post_all(&webhook(&server), 1, LONG).await;
        assert!(matches!(posted[..], [Err(NotTaken::Refused(_))]), "{posted:?}");
        assert_eq!(requests(&server).await, 2);
    }

    #[tokio::test]
    async fn a_webhook_that_hangs_is_given_up_when_the_time_is_over_and_the_rest_is_not_posted() {
        let server = server(ResponseTemplate::new(204).set_delay(LONG)).await;
        let began = Instant::now();
        let posted = post_all(&webhook(&server), 1_000, Duration::from_millis(300)).await;
        assert!(began.elapsed() < POST_LIMITS.answer, "{:?}", began.elapsed());
        assert!(posted.len() == 1_000 && posted.iter().all(|taken| matches!(taken, Err(NotTaken::TooLate))));
        assert!(requests(&server).await <= POSTED_AT_A_TIME);
    }

    #[tokio::test]
    async fn once_it_is_to_stop_no_other_is_posted_and_what_is_under_way_is_waited_for() {
        let server = server(ResponseTemplate::new(204).set_delay(Duration::from_millis(300))).await;
        let webhook = webhook(&server);
        let stop = tokio::time::sleep(Duration::from_millis(100));
        let posted: Vec<_> = webhook.post_all(alerts(100), Instant::now() + LONG, stop).collect().await;
        assert!(posted.len() == POSTED_AT_A_TIME && posted.iter().all(Result::is_ok), "{}", posted.len());
        assert_eq!(requests(&server).await, POSTED_AT_A_TIME);
    }
}
