//! The guest's side of `wit/`, generated: the world of transforms. That of consumers, and what both
//! import, are in a crate of their own.

pub use millrace_sdk_bindings as consumer;

wit_bindgen::generate!({
    path: "../../wit/0.1",
    world: "transformer",
    pub_export_macro: true,
    default_bindings_module: "millrace_sdk::bindings",
    with: {
        "millrace:plugin/types@0.1.0": millrace_sdk_bindings::millrace::plugin::types,
        "millrace:plugin/context@0.1.0": millrace_sdk_bindings::millrace::plugin::context,
        "millrace:plugin/records@0.1.0": millrace_sdk_bindings::millrace::plugin::records,
        "millrace:plugin/http@0.1.0": millrace_sdk_bindings::millrace::plugin::http,
        "millrace:plugin/secrets@0.1.0": millrace_sdk_bindings::millrace::plugin::secrets,
    },
});

/// What a plugin imports.
pub mod imports {
    pub use millrace_sdk_bindings::millrace::plugin::{
        checkpoint, context, emit, http, records, secrets, table, types,
    };
}
