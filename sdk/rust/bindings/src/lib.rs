//! The guest's side of `wit/` for consumers, generated, with all that plugins import. For
//! `millrace-sdk`, which has the transforms' side: a crate can have the macro that exports an
//! interface only once, and both worlds export `lifecycle`.
#![expect(missing_docs, reason = "what is generated says what `wit/` says")]

wit_bindgen::generate!({
    path: "../../../wit/0.1",
    world: "stateful-consumer",
    pub_export_macro: true,
    default_bindings_module: "millrace_sdk_bindings",
});
