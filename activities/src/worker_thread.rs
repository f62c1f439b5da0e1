//! Runs a worker on a thread of its own, since the SDK runs all workflow code of a worker on one thread.

use std::thread::JoinHandle;

use temporalio_sdk::{Worker, WorkerRunError};
use thiserror::Error;
use tokio::runtime::Handle;
use tokio::sync::oneshot;

use crate::workers::WorkerFault;

/// Why a worker did not start, or why it ended.
#[derive(Debug, Error)]
pub enum WorkerThreadError {
    /// It could not be created.
    #[error("a worker could not be created: {0}")]
    Made(#[from] WorkerFault),
    /// It ended with an error.
    #[error("a worker ended: {0}")]
    Ran(#[from] WorkerRunError),
    /// The thread could not be started, or panicked.
    #[error("the thread of a worker ended: {0}")]
    Thread(String),
}

/// A running worker.
pub struct WorkerThread {
    task_queue: String,
    stop: Box<dyn Fn() + Send + Sync>,
    ended: oneshot::Receiver<Result<(), WorkerRunError>>,
    thread: JoinHandle<()>,
}

impl WorkerThread {
    /// Creates a worker on a new thread and runs it there. The current Tokio runtime drives its I/O. It must be a multi-thread runtime.
    ///
    /// # Errors
    /// [`WorkerThreadError::Made`] if it cannot be created.
    pub async fn start<M>(name: &str, make: M) -> Result<Self, WorkerThreadError>
    where
        M: FnOnce() -> Result<Worker, WorkerFault> + Send + 'static,
    {
        let (made, is_made) = oneshot::channel();
        let (end, ended) = oneshot::channel();
        let runtime = Handle::current();
        let body = move || {
            runtime.block_on(async {
                let mut worker = match make() {
                    Ok(worker) => worker,
                    Err(fault) => return drop(made.send(Err(fault))),
                };
                let stop: Box<dyn Fn() + Send + Sync> = Box::new(worker.shutdown_handle());
                if made.send(Ok((worker.task_queue().to_owned(), stop))).is_ok() {
                    drop(end.send(worker.run().await));
                }
            });
        };
        let thread = std::thread::Builder::new()
            .name(name.to_owned())
            .spawn(body)
            .map_err(|error| WorkerThreadError::Thread(error.to_string()))?;
        let (task_queue, stop) =
            is_made.await.map_err(|_| WorkerThreadError::Thread("it panicked while starting".to_owned()))??;
        Ok(Self { task_queue, stop, ended, thread })
    }

    /// The queue that it serves.
    pub fn task_queue(&self) -> &str {
        &self.task_queue
    }

    /// Lets the worker finish its current tasks and take no more.
    pub fn stop(&self) {
        (self.stop)();
    }

    /// Waits until the worker has ended.
    ///
    /// # Errors
    /// [`WorkerThreadError`] if it ended for another reason than [`Self::stop`].
    pub async fn ended(&mut self) -> Result<(), WorkerThreadError> {
        let ended = (&mut self.ended).await;
        Ok(ended.map_err(|_| WorkerThreadError::Thread("it panicked".to_owned()))??)
    }

    /// Whether its thread has ended.
    pub fn is_over(&self) -> bool {
        self.thread.is_finished()
    }
}
