//! What [`transform!`](crate::transform!) expands to calls this. Not for use by hand.

use std::any::Any;
use std::cell::RefCell;

pub use crate::bindings::exports::millrace::plugin::lifecycle::{Guest as Lifecycle, Manifest};
use crate::bindings::exports::millrace::plugin::transform::BatchOut;
pub use crate::bindings::exports::millrace::plugin::transform::Guest as Transform;
use crate::bindings::millrace::plugin::types::Fault;
pub use crate::bindings::millrace::plugin::types::Slab;
use crate::{Error, Output, Record, batch, panic};

/// What becomes of a batch.
pub type BatchResult = Result<BatchOut, Fault>;

thread_local! {
    /// What the author's `init` made. The macro cannot name its type.
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
