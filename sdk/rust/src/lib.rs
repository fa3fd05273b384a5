//! Plugins for millrace in Rust: one function, and one line that makes a component of it.
//!
//! ```
//! use millrace_sdk::{Error, Output, Record};
//!
//! /// Drops empty records and keeps all others.
//! fn transform(record: Record<'_>) -> Result<Output, Error> {
//!     match record.data() {
//!         [] => Ok(Output::Drop),
//!         _ => Ok(Output::Keep),
//!     }
//! }
//!
//! millrace_sdk::transform!(transform);
//! ```
//!
//! - A record is [kept, replaced, dropped or split](Output), or it fails with an [`Error`], whose
//!   reason is kept beside it. The other records of its batch go on.
//! - A panic ends the instance. The record that was worked on fails with the panic's message and
//!   its place; the host works on the others on a new instance.
//! - The host offers [`config`], [`counter`], [`log`] and [`now_ms`]; there are no files, no
//!   sockets and no environment.
//! - `cargo test` runs the function natively; [`testing`] shows what becomes of a whole batch.
//! - `cargo build --release --target wasm32-wasip2` builds the component of a crate whose
//!   `crate-type` is `["cdylib"]`.

mod batch;
#[doc(hidden)]
pub mod bindings;
mod context;
mod error;
#[doc(hidden)]
pub mod export;
#[cfg(not(target_arch = "wasm32"))]
mod native;
mod output;
mod panic;
mod record;
mod spare;
#[cfg(not(target_arch = "wasm32"))]
pub mod testing;

pub use context::{config, counter, log, now_ms};
pub use error::Error;
pub use output::{Output, Parts};
pub use record::Record;
pub use spare::buffer;

/// Makes a component of the crate that it stands in: once, in its `lib.rs`.
///
/// `transform!(transform)` takes a `fn(Record<'_>) -> Result<Output, Error>`, which is called for
/// each record, in order.
///
/// `transform!(transform, init = init)` takes an `init` function too. It is called once on each
/// instance, before the first batch. What it makes is handed to each call; when it fails, this
/// version of the plugin is refused and the one before it goes on.
///
/// ```
/// use millrace_sdk::{Error, Output, Record};
///
/// struct Settings {
///     longest: usize,
/// }
///
/// fn init() -> Result<Settings, Error> {
///     let longest = millrace_sdk::config("longest").unwrap_or("1000".to_owned());
///     Ok(Settings { longest: longest.parse()? })
/// }
///
/// fn transform(settings: &Settings, record: Record<'_>) -> Result<Output, Error> {
///     if record.data().len() > settings.longest {
///         return Err(Error::new("too long"));
///     }
///     Ok(Output::Keep)
/// }
///
/// millrace_sdk::transform!(transform, init = init);
/// ```
///
/// The component says that it is the crate's name and version.
#[macro_export]
macro_rules! transform {
    ($transform:path) => {
        const _: () = {
            // Names that no author gives to a function: these hide the author's.
            fn __no_settings() -> ::core::result::Result<(), $crate::Error> {
                Ok(())
            }
            fn __without_settings(
                _: &(),
                record: $crate::Record<'_>,
            ) -> ::core::result::Result<$crate::Output, $crate::Error> {
                $transform(record)
            }
            $crate::transform!(__without_settings, init = __no_settings);
        };
    };
    ($transform:path, init = $init:path) => {
        const _: () = {
            struct __Plugin;

            impl $crate::export::Lifecycle for __Plugin {
                fn describe() -> $crate::export::Manifest {
                    $crate::export::describe(
                        ::core::env!("CARGO_PKG_NAME"),
                        ::core::env!("CARGO_PKG_VERSION"),
                    )
                }

                fn init() -> ::core::result::Result<(), ::std::string::String> {
                    $crate::export::init($init)
                }
            }

            impl $crate::export::Transform for __Plugin {
                fn transform(records: $crate::export::Slab) -> $crate::export::BatchResult {
                    $crate::export::transform($init, $transform, records)
                }
            }

            // Natively nothing is exported: without this the author's functions would be unused.
            #[cfg(not(target_arch = "wasm32"))]
            const _: fn($crate::export::Slab) -> $crate::export::BatchResult =
                <__Plugin as $crate::export::Transform>::transform;

            #[cfg(target_arch = "wasm32")]
            $crate::bindings::export! { __Plugin with_types_in $crate::bindings }
        };
    };
}
