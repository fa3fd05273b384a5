//! The Rust side of `wit/`, generated. One module for each world; what they share is the same type.

/// The world of transforms that take slabs.
pub(crate) mod transformer {
    wasmtime::component::bindgen!({
        path: "../../wit/0.1",
        world: "transformer",
        imports: { default: trappable },
    });
}

/// The world of transforms that take lists of records.
pub(crate) mod transformer_simple {
    wasmtime::component::bindgen!({
        path: "../../wit/0.1",
        world: "transformer-simple",
        imports: { default: trappable },
        with: {
            "millrace:plugin/types": super::transformer::millrace::plugin::types,
            "millrace:plugin/context": super::transformer::millrace::plugin::context,
        },
    });
}

pub(crate) use transformer::millrace::plugin::{context, types};
