//! What the host offers: natively it is played by `native`.

#[cfg(target_arch = "wasm32")]
pub(crate) use crate::bindings::imports::{
    checkpoint, context, emit, http, records, secrets, table,
};
#[cfg(not(target_arch = "wasm32"))]
pub(crate) use crate::native::{checkpoint, context, emit, http, records, secrets, table};
