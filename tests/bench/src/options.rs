//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;

use crate::Failure;

/// A signature is good for five minutes and made once before a timed run, so a run is shorter.
const SECONDS_MAX: f64 = 120.0;
const RESTART_GIB_MAX: u64 = 1_024;
const PLUGINS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../plugins");
const LANGUAGES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/languages");

/// Measures millrace and the machine below it, and prints one table.
#[derive(Clone, Debug, Parser)]
#[command(name = "cargo xtask bench")]
pub struct Options {
    /// Only rows whose name contains one of these.
    pub rows: Vec<String>,
    /// Name the rows and leave.
    #[arg(long)]
    pub list: bool,
    /// Seconds of one timed run.
    #[arg(long, default_value_t = 3.0)]
    pub seconds: f64,
    /// Runs of each row; the table shows the median.
    #[arg(long, default_value_t = 3)]
    pub repeat: usize,
    /// Processors that client and server share [default: the first two].
    #[arg(long, value_delimiter = ',')]
    pub cpus: Vec<usize>,
    /// Connections of a load over HTTP.
    #[arg(long, default_value_t = 16)]
    pub connections: usize,
    /// Gibibytes of records for the restart with much data.
    #[arg(long, default_value_t = 10)]
    pub restart_gib: u64,
    /// Where data goes; a real disk, not a memory file system [default: beside this program].
    #[arg(long)]
    pub dir: Option<PathBuf>,
    /// The server to measure [default: `millrace` beside this program].
    #[arg(long, env = "MILLRACE_BIN")]
    pub server: Option<PathBuf>,
    /// The plugins to measure, built [default: the repository's].
    #[arg(long, default_value = PLUGINS, hide_default_value = true)]
    pub plugins: PathBuf,
    /// Components of other languages, as `js.wasm`, `python.wasm` and `c.wasm`.
    #[arg(long, default_value = LANGUAGES, hide_default_value = true)]
    pub languages: PathBuf,
    /// Where the numbers go as JSON.
    #[arg(long, default_value = "bench-results.json")]
    pub json: PathBuf,
}

impl Options {
    /// Refuses options with which no run can be made.
    pub fn refuse_nonsense(&self) -> Result<(), Failure> {
        if !(0.1..=SECONDS_MAX).contains(&self.seconds) {
            return Err(format!("--seconds is 0.1 to {SECONDS_MAX}").into());
        }
        if self.repeat == 0 || self.connections == 0 {
            return Err("--repeat and --connections are 1 or more".into());
        }
        if !(1..=RESTART_GIB_MAX).contains(&self.restart_gib) {
            return Err(format!("--restart-gib is 1 to {RESTART_GIB_MAX}").into());
        }
        Ok(())
    }

    /// How long a timed run is.
    pub fn duration(&self) -> Duration {
        Duration::from_secs_f64(self.seconds)
    }
}
