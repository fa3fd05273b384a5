//! The lines that make a component of a crate.

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

/// Makes a component of the crate that it stands in: once, in its `lib.rs`.
///
/// `consumer!(Words)` takes a type that is a [`Consumer`](crate::Consumer).
///
/// ```
/// use millrace_sdk::{Assignment, Batch, Consumer, Error, table};
///
/// /// Counts the records of each partition key.
/// struct Counts;
///
/// impl Consumer for Counts {
///     fn start(_: &Assignment) -> Result<Self, Error> {
///         Ok(Self)
///     }
///
///     fn process(&mut self, batch: &Batch) -> Result<(), Error> {
///         for record in batch.iter() {
///             let key = record.partition_key().unwrap_or("none");
///             let count = match table::get("counts", key)? {
///                 Some(count) => str::from_utf8(&count)?.parse::<u64>()?,
///                 None => 0,
///             };
///             table::put("counts", key, (count + 1).to_string())?;
///         }
///         Ok(())
///     }
/// }
///
/// millrace_sdk::consumer!(Counts);
/// ```
///
/// The component says that it is the crate's name and version.
#[macro_export]
macro_rules! consumer {
    ($consumer:ty) => {
        const _: () = {
            use $crate::bindings::consumer::exports::millrace::plugin as __exports;

            struct __Plugin;

            impl __exports::lifecycle::Guest for __Plugin {
                fn describe() -> __exports::lifecycle::Manifest {
                    __exports::lifecycle::Manifest {
                        name: ::core::env!("CARGO_PKG_NAME").to_owned(),
                        version: ::core::env!("CARGO_PKG_VERSION").to_owned(),
                    }
                }

                fn init() -> ::core::result::Result<(), ::std::string::String> {
                    $crate::export::begin()
                }
            }

            impl __exports::record_processor::Guest for __Plugin {
                fn initialize(
                    assignment: $crate::export::WitAssignment,
                ) -> ::core::result::Result<(), ::std::string::String> {
                    $crate::export::initialize::<$consumer>(assignment)
                }

                fn process(
                    data: $crate::export::Slab,
                    millis_behind: u64,
                ) -> ::core::result::Result<(), $crate::export::Fault> {
                    $crate::export::process::<$consumer>(data, millis_behind)
                }

                fn lease_lost() {
                    $crate::export::lease_lost::<$consumer>()
                }

                fn shard_ended() -> ::core::result::Result<(), ::std::string::String> {
                    $crate::export::shard_ended::<$consumer>()
                }

                fn shutdown_requested() -> ::core::result::Result<(), ::std::string::String> {
                    $crate::export::shutdown_requested::<$consumer>()
                }
            }

            impl __exports::state::Guest for __Plugin {
                fn state_version() -> u32 {
                    <$consumer as $crate::Consumer>::STATE_VERSION
                }

                fn snapshot() -> ::core::result::Result<::std::vec::Vec<u8>, ::std::string::String>
                {
                    $crate::export::snapshot::<$consumer>()
                }

                fn restore(
                    version: u32,
                    state: ::std::vec::Vec<u8>,
                ) -> ::core::result::Result<(), ::std::string::String> {
                    $crate::export::restore::<$consumer>(version, &state)
                }
            }

            // Natively nothing is exported: without this the author's functions would be unused.
            #[cfg(not(target_arch = "wasm32"))]
            const _: fn(
                $crate::export::Slab,
                u64,
            ) -> ::core::result::Result<(), $crate::export::Fault> =
                <__Plugin as __exports::record_processor::Guest>::process;

            #[cfg(target_arch = "wasm32")]
            $crate::bindings::consumer::export! {
                __Plugin with_types_in $crate::bindings::consumer
            }
        };
    };
}
