//! Telling those who commit what became of it.
//!
//! The writer's thread is none of the runtime's: each answer that it gave itself would wake a
//! worker of the runtime anew, which costs more than all else that is done for a small commit
//! (two system calls each; measured: a third of the throughput at 64 commits in flight). So it
//! hands a whole block's answers to one task, which wakes the others from within.

use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};

use crate::engine::{CommitError, Committed};

/// What a commit becomes.
pub type Outcome = Result<Committed, CommitError>;
/// Who waits for it, and what it became.
pub type Answer = (oneshot::Sender<Outcome>, Outcome);

/// Blocks whose answers the task has not come to yet. Past it the writer waits.
const BLOCKS_UNANSWERED_MAX: usize = 64;

/// Gives answers.
pub struct Answers {
    task: Option<mpsc::Sender<Vec<Answer>>>,
}

impl Answers {
    /// Starts the task if there is a runtime here; without one, answers are given directly.
    pub fn new() -> Self {
        let task = Handle::try_current().ok().map(|runtime| {
            let (task, mut blocks) = mpsc::channel::<Vec<Answer>>(BLOCKS_UNANSWERED_MAX);
            runtime.spawn(async move {
                while let Some(answers) = blocks.recv().await {
                    give(answers);
                }
            });
            task
        });
        Self { task }
    }

    /// Gives the answers of one block.
    pub fn give(&self, answers: Vec<Answer>) {
        match &self.task {
            Some(task) if 1 < answers.len() => {
                // The runtime may have ended before the writer.
                if let Err(ended) = task.blocking_send(answers) {
                    give(ended.0);
                }
            }
            _ => give(answers),
        }
    }
}

fn give(answers: Vec<Answer>) {
    for (waiting, outcome) in answers {
        // Whoever dropped the future does not want the answer.
        let _ = waiting.send(outcome);
    }
}
