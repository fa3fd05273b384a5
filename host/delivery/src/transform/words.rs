//! What is said of records that did not come out, in AWS's words.

use std::collections::HashMap;

use wasm::{Fault, Outputs, Status};

use super::Outlet;
use crate::failed_record::Failure;
use crate::output::Output;
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
    let mut keys = outputs.partition_keys().peekable();
    let (mut failed, mut delivered) = (None, Delivered::default());
    for output in outputs.iter() {
        let source = first + output.source;
        let own = std::iter::from_fn(|| keys.next_if(|(place, _, _)| *place <= output.place));
        let own = own.map(|(_, name, value)| (name, value)).collect();
        delivered.before(source, outlet);
        if let Some(target) = aimed.get(&output.source) {
            if failed != Some(source) {
                failed = Some(source);
                fail_for_target(target, source, outlet);
            }
            continue;
        }
        match output.status {
            Status::Ok => delivered.push(source, output.data, own),
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
    delivered.end(outlet);
}

/// What is delivered of the record that is looked at.
#[derive(Default)]
struct Delivered<'a> {
    source: usize,
    outputs: Vec<Output<'a>>,
}

impl<'a> Delivered<'a> {
    /// An output of a record comes next: what comes before it is whole.
    fn before(&mut self, source: usize, outlet: &mut impl Outlet) {
        if self.source != source {
            self.end(outlet);
        }
    }

    fn push(&mut self, source: usize, data: &'a [u8], keys: Vec<(&'a str, &'a str)>) {
        self.source = source;
        self.outputs.push(Output { data, keys });
    }

    fn end(&mut self, outlet: &mut impl Outlet) {
        if !self.outputs.is_empty() {
            outlet.deliver_all(self.source, &self.outputs);
            self.outputs.clear();
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
