//! How many orders a second a target gets done that is well, while so many are sent as it takes.

use std::time::{Duration, Instant};

use futures_util::stream::{self, StreamExt, TryStreamExt};

use crate::stage::{AT_A_TIME, Customer, Stage, until};
use crate::{Failure, drain};

/// How many customers there are.
const CUSTOMERS: usize = 25;
/// Orders of each in a round.
const ORDERS: usize = 4;
/// How long one round may take.
const ROUND_LIMIT: Duration = Duration::from_mins(2);

/// Orders a second at the CRM, over so long at least. `first` is the number of the first customer: others than those of any
/// other measurement.
pub async fn at_crm(stage: &Stage, first: usize, lasts: Duration) -> Result<f64, Failure> {
    let customers: Vec<Customer> = (first..first + CUSTOMERS).map(Customer::numbered).collect();
    // An entity that has to be started first is slower: that is not what is compared.
    round(stage, &customers, 0).await?;
    let began = Instant::now();
    let mut done = 0;
    while began.elapsed() < lasts {
        done += round(stage, &customers, done).await?;
    }
    Ok(f64::from(u32::try_from(done)?) / began.elapsed().as_secs_f64())
}

/// A round: so many orders are sent, and all are applied. Says how many.
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
