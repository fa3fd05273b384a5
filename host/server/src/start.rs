//! The server's life from start to stop.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::available_parallelism;
use std::time::Duration;

use analytics::Analytics;
use consumers::Consumers;
use delivery::objects::{LocalObjects, Objects, S3Objects};
use delivery::{Delivery, Foundations, Secrets};
use store::Engine;
use streams::kms::Kms;
use streams::{AccountLimits, Options, Streams};
use tables::Tables;
use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::{MissedTickBehavior, interval, timeout};
use types::Clock;
use wasm::{GrantBook, GuestThreads, PluginName, Plugins};

use crate::auth::Authenticator;
use crate::budget::{Budget, answer_bytes_max};
use crate::config::Config;
use crate::cors::Cors;
use crate::egress::EndpointCalls;
use crate::granting::{Granting, open_grants};
use crate::limits::Limits;
use crate::listen::{Addresses, Listener};
use crate::operations::Services;
use crate::read_turns::read_turns;
use crate::request_id::RequestIds;
use crate::retained::RecordsOfDeliveries;
use crate::route::{Deployers, Looks, Router};
use crate::shutdown::Stage;
use crate::start_error::StartError;
use crate::telemetry::Telemetry;
use crate::tls::Tls;

/// How long connections that were cut off may take to let go of what they hold.
const CUT_OFF: Duration = Duration::from_secs(1);
/// How often answers are looked at within the time that a client may be behind.
const PACE_LOOKS: u32 = 8;
/// Answers are looked at no more rarely than this. One that was ended and is still there is told
/// again.
const PACE_PERIOD_MAX: Duration = Duration::from_secs(1);
/// Below the data directory: versions of plugins and their compiled code, and buckets.
const PLUGINS: &str = "plugins";
const BUCKETS: &str = "s3";
/// The same: master keys that services have by themselves, unless the configuration has them
/// elsewhere.
const KEYS: &str = "keys";

/// A server that takes requests.
pub struct Running {
    address: SocketAddr,
    tls: Option<TlsPort>,
    router: Arc<Router>,
    stage: watch::Sender<Stage>,
    listeners: Vec<JoinHandle<()>>,
    connections: mpsc::Receiver<()>,
    /// What goes on for ever beside the requests.
    loops: Vec<JoinHandle<()>>,
}

/// The port that speaks TLS.
#[derive(Clone, Debug)]
pub struct TlsPort {
    /// Where it listens, with the port that it got.
    pub address: SocketAddr,
    /// The file that clients must trust; `None` with an operator's certificate.
    pub authority: Option<PathBuf>,
}

/// All ports.
struct Ports {
    plain: Port,
    tls: Option<Port>,
}

/// A socket that listens, and what is spoken there.
struct Port {
    socket: TcpListener,
    address: SocketAddr,
    tls: Option<Arc<Tls>>,
}

/// Opens the streams that `engine` keeps and listens. Plugins are loaded meanwhile: see
/// [`Running::plugins_started`]. The server owns the engine from now on and closes it when it is
/// shut down.
pub async fn start(
    config: Config,
    engine: Arc<dyn Engine>,
    clock: Arc<dyn Clock>,
) -> Result<Running, StartError> {
    let ports = open_ports(&config, &clock).await?;
    let process = getrandom::u64().map_err(|error| StartError::Random(error.to_string()))?;
    let streams = open_streams(&config, &engine, &clock).await?;
    let grants = open_grants(&config).await.map_err(StartError::Egress)?;
    let plugins = open_plugins(&config, &streams, &grants, &clock).await?;
    hold_plugins(&config, &plugins, &*engine).await?;
    let threads = start_threads(&config)?;
    let secrets = Arc::new(Secrets::new(config.secrets.clone()));
    let objects = open_objects(&config).await?;
    let foundations = Foundations {
        threads: Arc::clone(&threads),
        work_limits: config.delivery_limits.work,
        lanes_per_account_max: config.limits.lanes_per_account_max,
        engine: Arc::clone(&engine),
        clock: Arc::clone(&clock),
        streams: Arc::clone(&streams),
        plugins: Arc::clone(&plugins),
        objects: Arc::clone(&objects),
        endpoints: Arc::new(EndpointCalls::new(config.egress_allow.clone())),
        glue: config.glue.clone(),
        secrets: Arc::clone(&secrets),
        throttle: config.throttle,
        naming_key: streams.derived_key("names of objects"),
    };
    let delivery = open_delivery(foundations).await?;
    let tables = open_tables(&engine, &clock).await?;
    let foundations = consumers::Foundations {
        engine: Arc::clone(&engine),
        clock: Arc::clone(&clock),
        streams: Arc::clone(&streams),
        tables: Arc::clone(&tables),
        plugins: Arc::clone(&plugins),
        threads: Arc::clone(&threads),
    };
    let consumers = open_consumers(foundations, config.plugin_grants.clone()).await?;
    let parts = (&delivery, objects, &threads);
    let analytics = open_analytics(&engine, &clock, &streams, parts).await?;
    let granting = Granting::new(grants, Arc::clone(&consumers), secrets, &config);
    let deployers = deployers(&config);
    let (skew_max, metrics_token) = (config.clock_skew_max, config.metrics_token);
    let budget = Arc::new(Budget::new(&config.limits, Arc::clone(&clock)));
    let loops = begin_loops(&budget, granting, &config.limits);
    let router = Arc::new(Router {
        services: Services {
            streams,
            delivery,
            consumers,
            analytics,
            tables,
            cloudwatch: Arc::default(),
        },
        plugins,
        threads,
        deployers,
        engine,
        clock,
        authenticator: Authenticator::new(config.credentials, skew_max, metrics_token),
        cors: Cors::new(config.cors_origins),
        telemetry: Arc::new(Telemetry::new()),
        looks: Looks::default(),
        log_lines_lost: config.log_lines_lost,
        budget: Arc::clone(&budget),
        limits: config.limits,
        reads: read_turns(available_parallelism().map_or(1, usize::from)),
        ids: RequestIds::new(process),
    });
    Ok(listen(router, ports, loops))
}

/// Tells the plugins which of their versions applications are pinned to, and who deploys.
async fn hold_plugins(
    config: &Config,
    plugins: &Plugins,
    engine: &dyn Engine,
) -> Result<(), StartError> {
    let pinned = consumers::pinned(engine).await;
    plugins.pin(pinned.map_err(|error| StartError::Streams(error.into()))?);
    if let Deployers::Accounts(accounts) = deployers(config) {
        plugins.are_deployed_by(accounts);
    }
    Ok(())
}

fn start_threads(config: &Config) -> Result<Arc<GuestThreads>, StartError> {
    let rules = config.plugin_limits.cpu_rules();
    let threads = GuestThreads::start_sharing(config.delivery_limits.threads, rules);
    Ok(Arc::new(threads.map_err(StartError::Threads)?))
}

/// Opens the delivery streams, whose records plugins are tried with.
async fn open_delivery(foundations: Foundations) -> Result<Arc<Delivery>, StartError> {
    let plugins = Arc::clone(&foundations.plugins);
    let delivery = Delivery::open(foundations).await;
    let delivery = delivery.map_err(StartError::Delivery)?;
    plugins.records_come_from(RecordsOfDeliveries::of(&delivery, Handle::current()));
    Ok(delivery)
}

async fn open_streams(
    config: &Config,
    engine: &Arc<dyn Engine>,
    clock: &Arc<dyn Clock>,
) -> Result<Arc<Streams>, StartError> {
    let (options, kms) = (stream_options(config), open_kms(config).await?);
    let opened = Streams::open_with(Arc::clone(engine), Arc::clone(clock), options, kms);
    opened.await.map_err(StartError::Streams)
}

fn stream_options(config: &Config) -> Options {
    Options {
        throttle: config.throttle,
        limits: AccountLimits {
            streams_max: config.limits.streams_per_account_max,
            shards_max: config.limits.shards_per_account_max,
            policy_bytes_max: config.limits.policy_bytes_per_account_max,
        },
        answer_bytes_max: answer_bytes_max(&config.limits),
    }
}

async fn open_consumers(
    foundations: consumers::Foundations,
    grants: BTreeMap<PluginName, consumers::Grants>,
) -> Result<Arc<Consumers>, StartError> {
    let options = consumers::Options {
        grants,
        work_bytes: consumers::WORK_BYTES,
    };
    let opened = Consumers::open(foundations, options).await;
    opened.map_err(StartError::Consumers)
}

async fn open_tables(
    engine: &Arc<dyn Engine>,
    clock: &Arc<dyn Clock>,
) -> Result<Arc<Tables>, StartError> {
    let opened = Tables::open(Arc::clone(engine), Arc::clone(clock)).await;
    opened.map_err(StartError::Tables)
}

/// Opens the applications of SQL, which read streams and put to streams and delivery streams.
async fn open_analytics(
    engine: &Arc<dyn Engine>,
    clock: &Arc<dyn Clock>,
    streams: &Arc<Streams>,
    (delivery, objects, threads): (&Arc<Delivery>, Arc<dyn Objects>, &Arc<GuestThreads>),
) -> Result<Arc<Analytics>, StartError> {
    let opened = Analytics::open(analytics::Foundations {
        engine: Arc::clone(engine),
        clock: Arc::clone(clock),
        streams: Arc::clone(streams),
        delivery: Arc::clone(delivery),
        threads: Arc::clone(threads),
        objects,
    });
    opened.await.map_err(StartError::Analytics)
}

/// Who may deploy plugins: where nobody is told apart, anybody.
fn deployers(config: &Config) -> Deployers {
    if config.credentials.is_empty() {
        Deployers::Anybody
    } else {
        Deployers::Accounts(config.plugin_accounts.clone())
    }
}

/// Listens at all ports from now on.
fn listen(router: Arc<Router>, ports: Ports, loops: Vec<JoinHandle<()>>) -> Running {
    let (stage, stages) = watch::channel(Stage::Running);
    let (open, connections) = mpsc::channel(1);
    let addresses = Arc::new(Addresses::default());
    let mut running = Running {
        address: ports.plain.address,
        tls: None,
        router,
        stage,
        listeners: Vec::new(),
        connections,
        loops,
    };
    for port in [Some(ports.plain), ports.tls].into_iter().flatten() {
        if let Some(tls) = &port.tls {
            let period = running.router.limits().certificate_period;
            let renewal = Arc::clone(tls).renew(period, Arc::clone(&running.router.clock));
            running.loops.push(tokio::spawn(renewal));
            running.tls = Some(TlsPort {
                address: port.address,
                authority: tls.authority().map(Path::to_owned),
            });
        }
        let listener = Listener {
            socket: port.socket,
            tls: port.tls,
            addresses: Arc::clone(&addresses),
            router: Arc::clone(&running.router),
            stage: stages.clone(),
            open: open.clone(),
        };
        running.listeners.push(tokio::spawn(listener.run()));
    }
    running
}

/// Binds the ports, and finds the certificate of the one that speaks TLS.
async fn open_ports(config: &Config, clock: &Arc<dyn Clock>) -> Result<Ports, StartError> {
    let (socket, address) = bind(config, config.listen).await?;
    let plain = Port {
        socket,
        address,
        tls: None,
    };
    let Some(wanted) = config.tls_listen else {
        return match config.tls {
            Some(_) => Err(StartError::NoTlsAddress),
            None => Ok(Ports { plain, tls: None }),
        };
    };
    let (socket, address) = bind(config, wanted).await?;
    let (files, data, now) = (config.tls.clone(), config.data.clone(), clock.now());
    let opened = spawn_blocking(move || Tls::open(files, &data, address, now)).await;
    let opened = opened.map_err(|error| StartError::Task(error.to_string()))?;
    let tls = opened.map_err(StartError::Tls)?;
    match tls.authority() {
        Some(ca) => tracing::info!(%address, ca = %ca.display(), "TLS: clients trust this file"),
        None => tracing::info!(%address, "TLS with the certificate of the configuration"),
    }
    let tls = Port {
        socket,
        address,
        tls: Some(Arc::new(tls)),
    };
    Ok(Ports {
        plain,
        tls: Some(tls),
    })
}

/// A socket to listen on, and its address.
async fn bind(
    config: &Config,
    wanted: SocketAddr,
) -> Result<(TcpListener, SocketAddr), StartError> {
    if config.credentials.is_empty() && !wanted.ip().to_canonical().is_loopback() {
        return Err(StartError::Unprotected(wanted));
    }
    let refused = |error| StartError::Listen(wanted, error);
    let socket = TcpListener::bind(wanted).await.map_err(refused)?;
    let address = socket.local_addr().map_err(refused)?;
    Ok((socket, address))
}

/// Begins what goes on for ever beside the requests.
fn begin_loops(budget: &Arc<Budget>, granting: Granting, limits: &Limits) -> Vec<JoinHandle<()>> {
    vec![
        tokio::spawn(keep_pace(Arc::clone(budget), limits.answer_grace)),
        tokio::spawn(granting.keep(limits.certificate_period)),
    ]
}

/// Ends answers whose clients are too slow, for ever. One is noticed up to an eighth of the grace
/// late, or a second.
async fn keep_pace(budget: Arc<Budget>, grace: Duration) {
    // An interval of zero panics.
    let period = (grace / PACE_LOOKS).clamp(Duration::from_millis(1), PACE_PERIOD_MAX);
    let mut looks = interval(period);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        looks.tick().await;
        budget.look();
    }
}

/// Reads the files of master keys.
async fn open_kms(config: &Config) -> Result<Kms, StartError> {
    let mut settings = config.kms.clone();
    let below_data = || config.data.join(KEYS);
    settings.service_keys.get_or_insert_with(below_data);
    let opened = spawn_blocking(move || Kms::open(settings)).await;
    let opened = opened.map_err(|error| StartError::Task(error.to_string()))?;
    opened.map_err(StartError::Kms)
}

/// Opens what plugins are kept in, begins to load those that lie in their directory, and watches
/// it.
async fn open_plugins(
    config: &Config,
    streams: &Streams,
    grants: &Arc<GrantBook>,
    clock: &Arc<dyn Clock>,
) -> Result<Arc<Plugins>, StartError> {
    let options = wasm::Options {
        directory: config.plugins.clone(),
        keep: config.data.join(PLUGINS),
        limits: config.plugin_limits,
        rollout: config.plugin_rollout,
        signatures: config.plugin_signatures.clone(),
        grants: Arc::clone(grants),
        cache_key: streams.derived_key("compiled plugins"),
        compiler: config.compiler.clone(),
    };
    let clock = Arc::clone(clock);
    let opened = spawn_blocking(move || {
        let plugins = Plugins::prepare(options, clock)?;
        plugins.watch()?;
        Ok(Arc::new(plugins))
    });
    let opened = opened.await;
    let opened = opened.map_err(|error| StartError::Task(error.to_string()))?;
    opened.map_err(StartError::Plugins)
}

async fn close_plugins(plugins: &Arc<Plugins>) {
    // First, because every thread for blocking calls may be waiting for the compiler, and then
    // there would be none for the rest.
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

    /// The port that speaks TLS, if there is one.
    pub fn tls(&self) -> Option<&TlsPort> {
        self.tls.as_ref()
    }

    /// All plugins.
    pub fn plugins(&self) -> Vec<wasm::Plugin> {
        self.router.plugins.list()
    }

    /// Waits until every plugin that lay there at the start is in force or refused. Requests are
    /// answered before.
    pub async fn plugins_started(&self) {
        let mut started = self.router.plugins.started();
        // Its other end lives as long as the plugins.
        let _ = started.wait_for(|started| *started).await;
    }

    /// Connections that are open now.
    pub fn connections(&self) -> usize {
        self.router.telemetry().connections()
    }

    /// Bytes that requests and answers hold now.
    pub fn in_flight_bytes(&self) -> usize {
        self.router.budget.bytes()
    }

    /// Takes no more requests, answers those under way within [`crate::Limits::drain`], and
    /// closes the streams and the engine. An error is what the engine said while it closed;
    /// nothing that was acknowledged depends on it.
    pub async fn shut_down(mut self) -> Result<(), store::StoreError> {
        self.stage.send_replace(Stage::Draining);
        // Who waits for one is answered, and need not be waited for.
        self.router.plugins.stop_trying();
        for listener in std::mem::take(&mut self.listeners) {
            if let Err(error) = listener.await {
                tracing::error!(%error, "a listener did not end well");
            }
        }
        let drain = self.router.limits().drain;
        if timeout(drain, self.connections.recv()).await.is_err() {
            tracing::warn!("requests were not answered in time and are cut off");
            self.stage.send_replace(Stage::Stopped);
            if timeout(CUT_OFF, self.connections.recv()).await.is_err() {
                tracing::warn!("connections hang");
            }
        }
        for forever in &self.loops {
            forever.abort();
        }
        // Before the deliveries, so that none of them waits for a version that is being compiled.
        close_plugins(&self.router.plugins).await;
        self.router.services.analytics.close().await;
        self.router.services.consumers.close().await;
        self.router.services.delivery.close().await;
        self.router.services.tables.close().await;
        self.router.services.streams.close().await;
        self.router.engine.close().await
    }
}
