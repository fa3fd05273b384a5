//! The guest's side of `wit/`, generated.

wit_bindgen::generate!({
    path: "../../wit/0.1",
    world: "transformer",
    pub_export_macro: true,
    default_bindings_module: "millrace_sdk::bindings",
});
