//! The server's life from start to stop.

use std::fmt;
use std::future::{Future, pending};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use delivery::objects::{LocalObjects, ObjectError, Objects, S3Objects};
use delivery::{Delivery, Foundations};
use store::Engine;
use streams::{AccountLimits, OpenError, Options, Streams};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::timeout;
use types::Clock;
use wasm::Plugins;

use crate::auth::Authenticator;
use crate::body::InFlight;
use crate::config::Config;
use crate::listen::Listener;
use crate::operations::Services;
use crate::request_id::RequestIds;
use crate::route::Router;
use crate::shutdown::Stage;
use crate::telemetry::Telemetry;

/// How long connections that were cut off may take to let go of what they hold.
const CUT_OFF: Duration = Duration::from_secs(1);
/// Below the data directory: versions of plugins and their compiled code, and buckets.
const PLUGINS: &str = "plugins";
const BUCKETS: &str = "s3";

/// Why the server did not start.
#[derive(Debug)]
pub enum StartError {
    /// Without credentials anybody may call, so only this machine may reach it.
    Unprotected(SocketAddr),
    /// The address could not be listened on.
    Listen(SocketAddr, io::Error),
    /// The machine gave no random numbers.
    Random(String),
    /// The streams could not be opened.
    Streams(OpenError),
    /// Plugins, or what they are kept in, could not be opened.
    Plugins(wasm::OpenError),
    /// Where objects go could not be opened.
    Objects(ObjectError),
    /// The delivery streams could not be opened.
    Delivery(delivery::OpenError),
    /// A task ended that should not have.
    Task(String),
    /// It was told to stop before it had started. Everything that was opened is closed.
    Stopped,
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unprotected(address) => write!(
                f,
                "listen on {address}: without [[credentials]] in the configuration anybody who \
                 reaches the server may use it, so it listens on loopback addresses only"
            ),
            Self::Listen(address, error) => write!(f, "listen on {address}: {error}"),
            Self::Random(why) => write!(f, "draw a random number: {why}"),
            Self::Streams(error) => error.fmt(f),
            Self::Plugins(error) => error.fmt(f),
            Self::Objects(error) => error.fmt(f),
            Self::Delivery(error) => error.fmt(f),
            Self::Task(why) => f.write_str(why),
            Self::Stopped => f.write_str("it was told to stop"),
        }
    }
}

impl std::error::Error for StartError {}

/// A server that takes requests.
pub struct Running {
    address: SocketAddr,
    router: Arc<Router>,
    stage: watch::Sender<Stage>,
    listener: JoinHandle<()>,
    connections: mpsc::Receiver<()>,
}

/// Opens the streams that `engine` keeps and listens. The server owns the engine from now on and
/// closes it when it is shut down.
pub async fn start(
    config: Config,
    engine: Arc<dyn Engine>,
    clock: Arc<dyn Clock>,
) -> Result<Running, StartError> {
    start_unless(pending(), config, engine, clock).await
}

/// As [`start`], but gives up what may take long, which is compiling plugins, as soon as `stopped`
/// is ready. Then, too, the engine is closed.
pub async fn start_unless(
    stopped: impl Future<Output = ()>,
    config: Config,
    engine: Arc<dyn Engine>,
    clock: Arc<dyn Clock>,
) -> Result<Running, StartError> {
    let wanted = config.listen;
    if config.credentials.is_empty() && !wanted.ip().to_canonical().is_loopback() {
        return Err(StartError::Unprotected(wanted));
    }
    let refused = |error| StartError::Listen(wanted, error);
    let socket = TcpListener::bind(wanted).await.map_err(refused)?;
    let address = socket.local_addr().map_err(refused)?;
    let process = getrandom::u64().map_err(|error| StartError::Random(error.to_string()))?;
    let options = Options {
        throttle: config.throttle,
        limits: AccountLimits {
            streams_max: config.limits.streams_per_account_max,
            shards_max: config.limits.shards_per_account_max,
        },
    };
    let streams = Streams::open(Arc::clone(&engine), Arc::clone(&clock), options)
        .await
        .map_err(StartError::Streams)?;
    let plugins = prepare_plugins(&config, &streams, &clock).await?;
    if !watch_plugins(&plugins, stopped).await? {
        streams.close().await;
        if let Err(error) = engine.close().await {
            // As little depends on it as when a server that runs is shut down.
            tracing::warn!(%error, "close the engine of a server that did not start");
        }
        return Err(StartError::Stopped);
    }
    let foundations = Foundations {
        engine: Arc::clone(&engine),
        clock: Arc::clone(&clock),
        streams: Arc::clone(&streams),
        plugins: Arc::clone(&plugins),
        objects: open_objects(&config).await?,
        naming_key: streams.derived_key("names of objects"),
    };
    let delivery = Delivery::open(foundations).await;
    let router = Arc::new(Router {
        services: Services {
            streams,
            delivery: delivery.map_err(StartError::Delivery)?,
        },
        plugins,
        engine,
        clock,
        authenticator: Authenticator::new(config.credentials, config.clock_skew_max),
        telemetry: Telemetry::new(),
        in_flight: InFlight::new(config.limits.in_flight_bytes_max),
        limits: config.limits,
        ids: RequestIds::new(process),
    });
    let (stage, stages) = watch::channel(Stage::Running);
    let (open, connections) = mpsc::channel(1);
    let listener = Listener {
        socket,
        router: Arc::clone(&router),
        stage: stages,
        open,
    };
    Ok(Running {
        address,
        router,
        stage,
        listener: tokio::spawn(listener.run()),
        connections,
    })
}

/// Opens what plugins are kept in.
async fn prepare_plugins(
    config: &Config,
    streams: &Streams,
    clock: &Arc<dyn Clock>,
) -> Result<Arc<Plugins>, StartError> {
    let options = wasm::Options {
        directory: config.plugins.clone(),
        keep: config.data.join(PLUGINS),
        limits: config.plugin_limits,
        cache_key: streams.derived_key("compiled plugins"),
        compiler: config.compiler.clone(),
    };
    let clock = Arc::clone(clock);
    let opened = spawn_blocking(move || Plugins::prepare(options, clock)).await;
    let opened = opened.map_err(|error| StartError::Task(error.to_string()))?;
    opened.map(Arc::new).map_err(StartError::Plugins)
}

/// Takes the plugins that lie in their directory, and watches it; `false` if that was `stopped`,
/// after which no thread of theirs is left.
async fn watch_plugins(
    plugins: &Arc<Plugins>,
    stopped: impl Future<Output = ()>,
) -> Result<bool, StartError> {
    let watched = Arc::clone(plugins);
    let mut watching = spawn_blocking(move || watched.watch());
    let ended = tokio::select! {
        ended = &mut watching => Some(ended),
        () = stopped => None,
    };
    let Some(ended) = ended else {
        plugins.stop_compiling();
        if let Err(error) = watching.await {
            tracing::error!(%error, "the plugins did not end well");
        }
        close_plugins(plugins).await;
        return Ok(false);
    };
    let watched = ended.map_err(|error| StartError::Task(error.to_string()))?;
    watched.map_err(StartError::Plugins)?;
    Ok(true)
}

async fn close_plugins(plugins: &Arc<Plugins>) {
    // At once: there may be no thread for the rest before those who wait are let go.
    plugins.stop_compiling();
    let plugins = Arc::clone(plugins);
    if let Err(error) = spawn_blocking(move || plugins.close()).await {
        tracing::error!(%error, "the plugins did not end well");
    }
}

/// The S3 endpoint of the configuration, or else a directory of buckets.
async fn open_objects(config: &Config) -> Result<Arc<dyn Objects>, StartError> {
    if let Some(s3) = &config.s3 {
        let objects = S3Objects::new(s3.clone()).map_err(StartError::Objects)?;
        return Ok(Arc::new(objects));
    }
    let root = config.data.join(BUCKETS);
    let opened = spawn_blocking(move || LocalObjects::open(&root)).await;
    let opened = opened.map_err(|error| StartError::Task(error.to_string()))?;
    Ok(Arc::new(opened.map_err(StartError::Objects)?))
}

impl Running {
    /// Where it listens, with the port that it got.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// How many plugins have a version in force, and how many have none.
    pub fn plugins(&self) -> (usize, usize) {
        let plugins = self.router.plugins.list();
        let running = plugins
            .iter()
            .filter(|plugin| plugin.version.is_some())
            .count();
        (running, plugins.len() - running)
    }

    /// Connections that are open now.
    pub fn connections(&self) -> usize {
        self.router.telemetry().connections()
    }

    /// Takes no more requests, answers those under way within [`crate::Limits::drain`], and
    /// closes the streams and the engine. An error is what the engine said while it closed;
    /// nothing that was acknowledged depends on it.
    pub async fn shut_down(mut self) -> Result<(), store::StoreError> {
        self.stage.send_replace(Stage::Draining);
        if let Err(error) = self.listener.await {
            tracing::error!(%error, "the listener did not end well");
        }
        let drain = self.router.limits().drain;
        if timeout(drain, self.connections.recv()).await.is_err() {
            tracing::warn!("requests were not answered in time and are cut off");
            self.stage.send_replace(Stage::Stopped);
            if timeout(CUT_OFF, self.connections.recv()).await.is_err() {
                tracing::warn!("connections hang");
            }
        }
        // First, so that a delivery does not wait for a version that is being compiled.
        close_plugins(&self.router.plugins).await;
        self.router.services.delivery.close().await;
        self.router.services.streams.close().await;
        self.router.engine.close().await
    }
}
