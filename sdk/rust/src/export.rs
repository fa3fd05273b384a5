//! What [`transform!`](crate::transform!) expands to calls this. Not for use by hand.

use std::any::Any;
use std::cell::RefCell;

pub use crate::bindings::exports::millrace::plugin::lifecycle::{Guest as Lifecycle, Manifest};
use crate::bindings::exports::millrace::plugin::transform::BatchOut;
pub use crate::bindings::exports::millrace::plugin::transform::Guest as Transform;
pub use crate::bindings::imports::types::Assignment as WitAssignment;
pub use crate::bindings::imports::types::Fault;
pub use crate::bindings::imports::types::Slab;
use crate::{Assignment, Batch, Consumer, Error, Output, Record, batch, panic};

/// What becomes of a batch.
pub type BatchResult = Result<BatchOut, Fault>;

thread_local! {
    /// What the author's `init` made, or the author's consumer at work. The macro cannot name its
    /// type.
    static SETTINGS: RefCell<Option<Box<dyn Any>>> = const { RefCell::new(None) };
}

/// Answers `lifecycle.describe`.
pub fn describe(name: &str, version: &str) -> Manifest {
    Manifest {
        name: name.to_owned(),
        version: version.to_owned(),
    }
}

/// Answers `lifecycle.init`: keeps what the author's function makes. Panics are told from here on.
///
/// # Errors
/// The author's reason.
pub fn init<Settings: 'static>(
    init: impl FnOnce() -> Result<Settings, Error>,
) -> Result<(), String> {
    panic::tell_host();
    let settings = init().map_err(|error| error.reason().to_owned())?;
    SETTINGS.set(Some(Box::new(settings)));
    Ok(())
}

/// Answers `transform.transform`. `init` only says which type the settings are of.
///
/// # Errors
/// A permanent fault before [`init`] went well, and for a batch that contradicts itself.
pub fn transform<Settings: 'static>(
    _init: impl FnOnce() -> Result<Settings, Error>,
    transform: impl Fn(&Settings, Record<'_>) -> Result<Output, Error>,
    records: Slab,
) -> BatchResult {
    SETTINGS.with_borrow(
        |settings| match settings.as_ref().and_then(|made| made.downcast_ref()) {
            Some(settings) => batch::work_on(records, |record| transform(settings, record)),
            None => Err(Fault::Permanent("a batch before init went well".to_owned())),
        },
    )
}

/// Answers `lifecycle.init` of a consumer. Panics are told from here on.
///
/// # Errors
/// None: what a consumer needs it makes when it gets its shard.
pub fn begin() -> Result<(), String> {
    panic::tell_host();
    Ok(())
}

/// Answers `record-processor.initialize`.
///
/// # Errors
/// The author's reason.
pub fn initialize<C: Consumer>(assignment: WitAssignment) -> Result<(), String> {
    let assignment = Assignment {
        application: assignment.application,
        stream: assignment.stream,
        shard: assignment.shard,
    };
    let consumer = C::start(&assignment).map_err(reason)?;
    SETTINGS.set(Some(Box::new(consumer)));
    Ok(())
}

/// Answers `record-processor.process`.
///
/// # Errors
/// The author's reason, for good or for now.
pub fn process<C: Consumer>(data: Slab, millis_behind: u64) -> Result<(), Fault> {
    let batch = Batch::new(data, millis_behind);
    let processed = with(|consumer: &mut C| consumer.process(&batch));
    panic::works_on(None);
    processed.map_err(|error| {
        let reason = error.reason().to_owned();
        if error.may_pass() {
            Fault::Retryable(reason)
        } else {
            Fault::Permanent(reason)
        }
    })
}

/// Answers `record-processor.shard-ended`.
///
/// # Errors
/// The author's reason.
pub fn shard_ended<C: Consumer>() -> Result<(), String> {
    with(C::shard_ended).map_err(reason)
}

/// Answers `record-processor.shutdown-requested`.
///
/// # Errors
/// The author's reason.
pub fn shutdown_requested<C: Consumer>() -> Result<(), String> {
    with(C::shutdown_requested).map_err(reason)
}

/// Answers `record-processor.lease-lost`.
pub fn lease_lost<C: Consumer>() {
    // One that never began has lost nothing.
    let _ = with(|consumer: &mut C| {
        consumer.lease_lost();
        Ok(())
    });
}

/// Answers `state.snapshot`.
///
/// # Errors
/// The author's reason.
pub fn snapshot<C: Consumer>() -> Result<Vec<u8>, String> {
    with(|consumer: &mut C| consumer.snapshot()).map_err(reason)
}

/// Answers `state.restore`.
///
/// # Errors
/// The author's reason.
pub fn restore<C: Consumer>(version: u32, state: &[u8]) -> Result<(), String> {
    with(|consumer: &mut C| consumer.restore(version, state)).map_err(reason)
}

/// Does this with the consumer that began.
fn with<C: 'static, T>(work: impl FnOnce(&mut C) -> Result<T, Error>) -> Result<T, Error> {
    SETTINGS.with_borrow_mut(
        |began| match began.as_mut().and_then(|began| began.downcast_mut()) {
            Some(consumer) => work(consumer),
            None => Err(Error::new("a call before the consumer had its shard")),
        },
    )
}

fn reason(error: Error) -> String {
    error.reason().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one_record() -> Slab {
        Slab {
            bytes: b"a".to_vec(),
            ends: vec![1],
        }
    }

    fn longest() -> Result<usize, Error> {
        let text = crate::config("longest").ok_or(Error::new("longest is missing"))?;
        Ok(text.parse()?)
    }

    fn transform_up_to(longest: &usize, record: Record<'_>) -> Result<Output, Error> {
        if record.data().len() > *longest {
            return Ok(Output::Drop);
        }
        Ok(Output::Keep)
    }

    #[test]
    fn a_batch_is_worked_on_with_what_init_made_and_not_before_it_did() {
        let before = transform(longest, transform_up_to, one_record());
        assert!(matches!(before, Err(Fault::Permanent(why)) if why.contains("init")));
        assert_eq!(init(longest), Err("longest is missing".to_owned()));
        assert!(transform(longest, transform_up_to, one_record()).is_err());

        let configured = crate::testing::with_config(&[("longest", "1")], || init(longest));
        assert_eq!(configured, Ok(()));
        let answer = transform(longest, transform_up_to, one_record()).unwrap();
        assert_eq!(answer.data.bytes, b"a");
    }

    #[test]
    fn a_plugin_describes_itself_with_the_name_and_version_of_its_crate() {
        let manifest = describe("a", "1.2.3");
        assert_eq!(
            (manifest.name.as_str(), manifest.version.as_str()),
            ("a", "1.2.3")
        );
    }
}
