//! What is said of records that did not come out, in AWS's words.

use std::collections::HashMap;

use wasm::{Fault, Outputs, Status};

use super::Outlet;
use crate::failed_record::Failure;
use crate::settled::TIMED_OUT;

/// What AWS says of a record that the function gave back as failed.
const FAILED_STATUS: &str = "Lambda.ProcessingFailedStatus";
const FAILED_STATUS_MESSAGE: &str = "ProcessingFailed status set for record";
const FUNCTION_ERROR: &str = "Lambda.FunctionError";

/// Tells what became of the records from the `first` of a batch on. A delivery stream has one
/// destination: a source with an output for another one fails, with all its outputs.
pub(super) fn give(outputs: &Outputs, first: usize, outlet: &mut impl Outlet) {
    let aimed = outputs.iter().filter(|output| output.target.is_some());
    let aimed: HashMap<usize, &str> = aimed
        .filter_map(|output| Some((output.source, output.target?)))
        .collect();
    let mut failed = None;
    for output in outputs.iter() {
        let source = first + output.source;
        if let Some(target) = aimed.get(&output.source) {
            if failed != Some(source) {
                failed = Some(source);
                fail_for_target(target, source, outlet);
            }
            continue;
        }
        match output.status {
            Status::Ok => outlet.deliver(source, output.data),
            Status::Dropped => outlet.drop_record(source),
            Status::Failed => {
                let reason = String::from_utf8_lossy(output.data);
                let failure = Failure {
                    code: FAILED_STATUS,
                    message: FAILED_STATUS_MESSAGE,
                    reason: Some(&reason),
                    attempts: 1,
                };
                outlet.fail(source, failure);
            }
        }
    }
}

fn fail_for_target(target: &str, source: usize, outlet: &mut impl Outlet) {
    let target = target.escape_debug();
    let message = format!("it is for '{target}', which the delivery stream does not have");
    let failure = Failure {
        code: FUNCTION_ERROR,
        message: &message,
        reason: None,
        attempts: 1,
    };
    outlet.fail(source, failure);
}

/// AWS's words for why a function did not do its work.
pub(super) fn code(fault: &Fault) -> &'static str {
    match fault {
        Fault::Deadline(_) => TIMED_OUT,
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
