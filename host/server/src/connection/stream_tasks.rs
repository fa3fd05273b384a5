//! The tasks of an HTTP/2 connection's streams, each of which can be ended by itself.

use std::future::Future;
use std::sync::Arc;

use hyper::rt::Executor;

use crate::ending::{Ending, StreamEnding};

tokio::task_local! {
    /// What ends the stream whose task this is.
    static STREAM: Arc<StreamEnding>;
}

/// Runs each stream's task until it is over, or is told to end. A stream whose task is dropped
/// before its answer was sent is reset, and what it has handed on is forgotten.
#[derive(Clone)]
pub(super) struct StreamTasks(Arc<Ending>);

impl StreamTasks {
    /// Those of one connection.
    pub(super) fn of(connection: &Arc<Ending>) -> Self {
        Self(Arc::clone(connection))
    }
}

impl<F> Executor<F> for StreamTasks
where
    F: Future + Send + 'static,
    F::Output: Send,
{
    fn execute(&self, stream: F) {
        let ending = Arc::new(self.0.stream());
        tokio::spawn(STREAM.scope(Arc::clone(&ending), async move {
            tokio::select! {
                biased;
                () = ending.asked() => {}
                _ = stream => {}
            }
            ending.is_over();
        }));
    }
}

/// What ends the stream that this is called for; `None` outside of such a task, as in HTTP/1.1.
pub(super) fn current() -> Option<Arc<StreamEnding>> {
    STREAM.try_with(Arc::clone).ok()
}
