//! What is said of records that did not come out, in AWS's words.

use wasm::{Fault, Output, Status};

use super::Sink;
use crate::failed_record::Failure;

/// What AWS says of a record that the function gave back as failed.
const FAILED_STATUS: &str = "Lambda.ProcessingFailedStatus";
const FAILED_STATUS_MESSAGE: &str = "ProcessingFailed status set for record";
const FUNCTION_ERROR: &str = "Lambda.FunctionError";

/// Tells what became of the records from the `first` of a batch on.
pub(super) fn give<'a>(
    outputs: impl Iterator<Item = Output<'a>>,
    first: usize,
    sink: &mut impl Sink,
) {
    for output in outputs {
        let source = first + output.source;
        match output.status {
            Status::Ok => sink.deliver(source, output.data),
            Status::Dropped => sink.drop_record(source),
            Status::Failed => {
                let reason = String::from_utf8_lossy(output.data);
                let failure = Failure {
                    code: FAILED_STATUS,
                    message: FAILED_STATUS_MESSAGE,
                    reason: Some(&reason),
                    attempts: 1,
                };
                sink.fail(source, failure);
            }
        }
    }
}

/// AWS's words for why a function did not do its work.
pub(super) fn code(fault: &Fault) -> &'static str {
    match fault {
        Fault::Deadline(_) => "Lambda.FunctionTimedOut",
        Fault::Answer(_) => "Lambda.MissingRecordId",
        Fault::Doubled(_) => "Lambda.DuplicatedRecordId",
        Fault::Panicked(_)
        | Fault::Trap(_)
        | Fault::NotReady(_)
        | Fault::Retryable(_)
        | Fault::Permanent(_)
        | Fault::Unavailable(_)
        | Fault::NoInstance(_)
        | Fault::Stopped => FUNCTION_ERROR,
    }
}
