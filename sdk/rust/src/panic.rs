//! What is told of a panic: the record that the plugin was working on, the panic's words and where
//! it was. The host fails this record with them, and need not look for it.

use std::cell::Cell;

thread_local! {
    /// The record that is worked on, by its place in its batch.
    static RECORD: Cell<Option<u32>> = const { Cell::new(None) };
}

/// From now on a panic is one of this record, or of none.
pub(crate) fn works_on(record: Option<u32>) {
    RECORD.set(record);
}

/// Tells the host of every panic from now on, in place of what the standard library prints. A
/// plugin that sets a hook of its own in its `init` keeps that, and tells nothing.
#[cfg(target_arch = "wasm32")]
pub(crate) fn tell_host() {
    std::panic::set_hook(Box::new(|panic| {
        let message = message(panic.payload());
        let location = panic.location().map(ToString::to_string);
        crate::bindings::imports::context::panicked(
            RECORD.get(),
            message,
            &location.unwrap_or_default(),
        );
    }));
}

/// Natively a panic fails the test that it is in.
#[cfg(not(target_arch = "wasm32"))]
pub(crate) fn tell_host() {}

/// The words of a panic; one that was made of something else than text has none.
#[cfg(any(target_arch = "wasm32", test))]
fn message(payload: &(dyn std::any::Any + Send)) -> &str {
    let text = payload.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| payload.downcast_ref::<&str>().copied());
    text.unwrap_or("a value that is no text")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bindings::imports::types::Slab;
    use crate::{Output, Record, batch};

    #[test]
    fn a_panic_is_one_of_the_record_that_was_worked_on() {
        let records = || Slab {
            bytes: b"abc".to_vec(),
            ends: vec![1, 2, 3],
        };
        let seen = |bad: &'static [u8]| {
            let worked = std::panic::catch_unwind(|| {
                let transform = |record: Record<'_>| {
                    assert!(record.data() != bad, "no good");
                    Ok(Output::Keep)
                };
                batch::work_on(records(), transform).is_ok()
            });
            (worked.is_err(), RECORD.get())
        };
        assert_eq!(seen(b"a"), (true, Some(0)));
        assert_eq!(seen(b"c"), (true, Some(2)));
        assert_eq!(seen(b"none"), (false, None));
    }

    #[test]
    fn a_panic_has_its_words_whether_they_were_made_or_not() {
        assert_eq!(message(&"fixed"), "fixed");
        assert_eq!(message(&format!("made of {}", 1)), "made of 1");
        assert_eq!(message(&7), "a value that is no text");
    }
}
