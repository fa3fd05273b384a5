//! Whether the code of an application is a program.

use tokio::task::spawn_blocking;
use wire::ApiError;

use super::error;
use crate::Analytics;
use crate::application::Configuration;
use crate::program;

/// Refuses a configuration whose schemas cannot be used, or whose code is no program over them.
/// Code that comes before any input is taken as it is, as AWS does: there is nothing yet that it
/// could read.
pub async fn check(analytics: &Analytics, configuration: &Configuration) -> Result<(), ApiError> {
    for input in &configuration.inputs {
        check_schema(&input.schema, "InputSchema")?;
    }
    for reference in &configuration.references {
        check_schema(&reference.schema, "ReferenceSchema")?;
    }
    if configuration.inputs.is_empty() || configuration.code.trim().is_empty() {
        return Ok(());
    }
    // A thread of the runtime is not held for as long as 100 KiB of code may take.
    let Ok(_turn) = analytics.compilations.acquire().await else {
        return Err(ApiError::unavailable("The server is shutting down."));
    };
    let configuration = configuration.clone();
    let compiled = spawn_blocking(move || program::compile(&configuration).map(drop)).await;
    match compiled {
        Ok(compiled) => compiled.map_err(|invalid| error::code(invalid.to_string())),
        Err(error) => Err(error::task("check the code of an application", &error)),
    }
}

fn check_schema(schema: &crate::application::Schema, what: &str) -> Result<(), ApiError> {
    match program::input_schema(schema) {
        Ok(_) => Ok(()),
        Err(invalid) => Err(error::invalid_argument(format!("{what}: {invalid}"))),
    }
}
