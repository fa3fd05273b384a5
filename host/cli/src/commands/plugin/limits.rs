//! Which limits hold on an author's machine: those of a server, or of a server without a
//! configuration.

use std::path::PathBuf;

use clap::Args;
use server::Config;
use wasm::Limits;

#[derive(Args)]
pub(super) struct LimitArgs {
    /// The configuration of the server that it is for: its [plugin_limits] hold
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

impl LimitArgs {
    /// What plugins may use.
    ///
    /// # Errors
    /// When the configuration is not one that a server takes.
    pub(super) fn limits(&self) -> Result<Limits, String> {
        match &self.config {
            None => Ok(Limits::default()),
            Some(path) => Config::load(path)
                .map(|config| config.plugin_limits)
                .map_err(|error| error.to_string()),
        }
    }
}
