//! How many orders a second a healthy target completes while as many are sent as it can handle.

use std::time::{Duration, Instant};

use futures_util::stream::{self, StreamExt, TryStreamExt};

use crate::stage::{AT_A_TIME, Customer, Stage, until};
use crate::{Failure, drain};

/// The number of customers.
const CUSTOMERS: usize = 25;
/// The number of orders of each customer in a round.
const ORDERS: usize = 4;
/// The time limit of one round.
const ROUND_LIMIT: Duration = Duration::from_mins(2);

/// Orders a second at the CRM, over at least this time. `first` is the number of the first customer; each measurement uses other
/// customers.
pub async fn at_crm(stage: &Stage, first: usize, lasts: Duration) -> Result<f64, Failure> {
    let customers: Vec<Customer> = (first..first + CUSTOMERS).map(Customer::numbered).collect();
    // An entity that must first be started is slower, which is not what is compared.
    round(stage, &customers, 0).await?;
    let began = Instant::now();
    let mut done = 0;
    while began.elapsed() < lasts {
        done += round(stage, &customers, done).await?;
    }
    Ok(f64::from(u32::try_from(done)?) / began.elapsed().as_secs_f64())
}

/// A round: sends this many orders and waits until all are applied. Returns the number.
async fn round(stage: &Stage, customers: &[Customer], value: usize) -> Result<usize, Failure> {
    let before = drain::applied(&stage.crm.log());
    let orders: Vec<_> =
        (0..ORDERS).flat_map(|order| customers.iter().map(move |customer| (customer, order))).collect();
    let sent = orders.iter().map(|(customer, order)| async move {
        stage.submit(&customer.tuned("account.tuned", value + order)).await.map(|_| ())
    });
    stream::iter(sent).buffer_unordered(AT_A_TIME).try_collect::<()>().await?;
    until(ROUND_LIMIT, "the orders at the CRM", || async {
        Ok((drain::applied(&stage.crm.log()) >= before + orders.len()).then_some(()))
    })
    .await?;
    Ok(orders.len())
}
