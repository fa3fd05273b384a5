//! `millrace serve`.

use std::env::VarError;
use std::io::{self, IsTerminal};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use clap::{Args, ValueEnum};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use server::{Config, TlsPort};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing_subscriber::EnvFilter;
use types::SystemClock;

use crate::commands::compile_worker;
use crate::failure::Failure;
use crate::log_output::LogOutput;
use crate::{open, output};

/// What is logged unless MILLRACE_LOG says otherwise.
const LOG_DEFAULT: &str = "info";
const LOG_VARIABLE: &str = "MILLRACE_LOG";

#[derive(Args)]
pub(crate) struct ServeArgs {
    /// The directory of everything that the server keeps [default: ./millrace-data]
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Where to listen; port 0 takes any free one [default: 127.0.0.1:4567]
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
    /// Where to listen for TLS as well; port 0 takes any free one [default: nowhere]
    #[arg(long, value_name = "ADDRESS")]
    tls_listen: Option<SocketAddr>,
    /// The directory of plugins
    #[arg(long, value_name = "DIR")]
    plugins: Option<PathBuf>,
    /// The configuration file
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Take and give more per shard and second than AWS does
    #[arg(long)]
    no_throttle: bool,
    /// How log lines look; they go to standard error. MILLRACE_LOG filters them, as in
    /// `debug` or `info,millrace_server=trace`
    #[arg(long, value_enum, default_value_t = LogFormat::Text)]
    log_format: LogFormat,
}

#[derive(Clone, Copy, ValueEnum)]
enum LogFormat {
    /// For people
    Text,
    /// For programs, an object per line
    Json,
}

pub(crate) async fn run(args: ServeArgs) -> Result<(), Failure> {
    let log_lines_lost = Arc::new(AtomicU64::new(0));
    start_log(args.log_format, Arc::clone(&log_lines_lost))?;
    let mut config = configure(args)?;
    config.log_lines_lost = log_lines_lost;
    check_plugins(&config)?;
    raise_open_files();
    let mut signals = Signals::new().map_err(no_signals)?;
    let data = config.data.clone();
    let plugins = config.plugins.clone();
    let anybody = config.credentials.is_empty();
    let engine = tokio::select! {
        engine = open::engine(&data) => engine?,
        // Recovery may be cut off anywhere: the next start begins it anew.
        () = signals.stop() => return Ok(()),
    };
    let started = server::start(config, engine, Arc::new(SystemClock));
    let running = started.await.map_err(|error| error.to_string())?;
    let plugins = plugins.map(|directory| {
        let all = running.plugins();
        format!("{}: {}", directory.display(), plugins_text(&all))
    });
    let announced = announce(
        running.address(),
        running.tls(),
        &data.display().to_string(),
        plugins.as_deref().unwrap_or("none; see --plugins"),
        anybody,
    );
    // Clients need the server, and not what it prints.
    if let Err(error) = announced {
        tracing::warn!(%error, "standard output does not take that the server is ready");
    }
    signals.stop().await;
    running
        .shut_down()
        .await
        .map_err(|error| format!("close the data directory: {error}"))?;
    tracing::info!("closed");
    Ok(())
}

/// The signals by which an operator or a terminal ends the server. They are listened for from the
/// start on.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    /// Waits for one of them. A signal that came before is not lost.
    async fn stop(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => tracing::info!("SIGTERM: no more requests are taken"),
            _ = self.interrupt.recv() => tracing::info!("interrupted: no more requests are taken"),
        }
    }
}

/// The configuration file, and over it what the flags say.
fn configure(args: ServeArgs) -> Result<Config, String> {
    let mut config = match &args.config {
        Some(path) => Config::load(path).map_err(|error| error.to_string())?,
        None => Config::default(),
    };
    config.compiler = compile_worker::program();
    if let Some(data) = args.data {
        config.data = data;
    }
    if let Some(listen) = args.listen {
        config.listen = listen;
    }
    if args.tls_listen.is_some() {
        config.tls_listen = args.tls_listen;
    }
    if args.plugins.is_some() {
        config.plugins = args.plugins;
    }
    if args.no_throttle {
        config.throttle = false;
    }
    Ok(config)
}

fn check_plugins(config: &Config) -> Result<(), String> {
    let Some(plugins) = &config.plugins else {
        return Ok(());
    };
    if !plugins.is_dir() {
        return Err(format!("plugins: {} is not a directory", plugins.display()));
    }
    Ok(())
}

/// What is known of the plugins when the server begins to answer.
fn plugins_text(all: &[wasm::Plugin]) -> String {
    let in_force = all.iter().filter(|plugin| plugin.version.is_some()).count();
    let loading = all.iter().filter(|plugin| plugin.is_loading()).count();
    let refused = all.len() - in_force - loading;
    let mut text = format!("{in_force} in force, {refused} refused");
    if loading > 0 {
        text.push_str(&format!(", {loading} being loaded"));
    }
    text
}

fn announce(
    address: SocketAddr,
    tls: Option<&TlsPort>,
    data: &str,
    plugins: &str,
    anybody: bool,
) -> io::Result<()> {
    let endpoint = format!("http://{address}");
    let tls = tls.map_or_else(String::new, tls_text);
    let tls_line = match tls.as_str() {
        "" => String::new(),
        tls => format!("  tls      {tls}\n"),
    };
    let (access, keys) = if anybody {
        (
            "any credentials, because the configuration has none; loopback only",
            "AWS_ACCESS_KEY_ID=any AWS_SECRET_ACCESS_KEY=any AWS_DEFAULT_REGION=us-east-1 ",
        )
    } else {
        (
            "requests signed with [[credentials]] of the configuration",
            "",
        )
    };
    let version = env!("CARGO_PKG_VERSION");
    output::lines(&format!(
        "millrace {version}\n  \
         endpoint  {endpoint}\n\
         {tls_line}  \
         data      {data}\n  \
         plugins   {plugins}\n  \
         access    {access}\n  \
         try       {keys}AWS_ENDPOINT_URL={endpoint} aws kinesis list-streams\n\
         ready {endpoint}{tls}"
    ))
}

/// Where TLS is spoken, and what clients trust for it as the AWS CLI and SDKs are told. Begins with
/// a space.
fn tls_text(tls: &TlsPort) -> String {
    let mut text = format!(" https://{}", tls.address);
    if let Some(authority) = &tls.authority {
        text.push_str(&format!(" AWS_CA_BUNDLE={}", authority.display()));
    }
    text
}

fn start_log(format: LogFormat, lost: Arc<AtomicU64>) -> Result<(), String> {
    let wanted = match std::env::var(LOG_VARIABLE) {
        Ok(wanted) => wanted,
        Err(VarError::NotPresent) => LOG_DEFAULT.to_owned(),
        Err(error) => return Err(format!("{LOG_VARIABLE}: {error}")),
    };
    let filter = EnvFilter::try_new(&wanted)
        .map_err(|error| format!("{LOG_VARIABLE} is '{wanted}': {error}"))?;
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(io::stderr().is_terminal())
        .with_writer(LogOutput::new(lost))
        // It says on standard error what is wrong with a line, and panics where it cannot.
        .log_internal_errors(false);
    match format {
        LogFormat::Text => log.init(),
        LogFormat::Json => log.json().init(),
    }
    Ok(())
}

/// A shell often allows 1,024 open files, which 10,000 connections do not fit in.
fn raise_open_files() {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    if let Err(error) = setrlimit(Resource::Nofile, raised) {
        tracing::warn!(%error, "the limit of open files stays as it is");
    }
}

fn no_signals(error: io::Error) -> String {
    format!("listen for signals: {error}")
}
