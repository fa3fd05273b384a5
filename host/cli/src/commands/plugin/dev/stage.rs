//! The server that a plugin is developed in.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use server::{Config, Running};
use tempfile::TempDir;
use types::SystemClock;
use wasm::{PluginName, Role, Version};

use crate::client::{CallError, Client, Target};
use crate::commands::compile_worker;
use crate::commands::delivery::{NewDelivery, create as create_delivery};
use crate::commands::stream::create as create_stream;
use crate::failure::Failure;
use crate::open;

/// The bucket of what comes out, a directory below the server's.
const BUCKET: &str = "out";
/// Of AWS's hints the smallest: what goes in is to be seen when it comes out.
const INTERVAL_SECONDS: u32 = 1;
const SIZE_MIB: u32 = 1;
const SHARDS: u32 = 1;

/// A server with one plugin, one stream, and one delivery stream from it through the plugin.
pub(super) struct Stage {
    pub(super) target: Arc<Target>,
    name: PluginName,
    data: PathBuf,
    running: Running,
    // Is removed when the server is.
    _temporary: Option<TempDir>,
}

impl Stage {
    /// Starts the server on `data`, or on a temporary directory.
    pub(super) async fn set(
        name: &PluginName,
        data: Option<&Path>,
        listen: Option<SocketAddr>,
    ) -> Result<Self, Failure> {
        let failed = |error: std::io::Error| format!("make a directory for the server: {error}");
        let temporary = match data {
            Some(_) => None,
            None => {
                let mut builder = tempfile::Builder::new();
                Some(builder.prefix("millrace-dev-").tempdir().map_err(failed)?)
            }
        };
        let data = match (data, &temporary) {
            (Some(data), _) => data.to_owned(),
            (None, Some(temporary)) => temporary.path().join("data"),
            (None, None) => return Err(Failure::Text("there is no directory".to_owned())),
        };
        let plugins = data.join("dev-plugins");
        std::fs::create_dir_all(&plugins).map_err(failed)?;
        let config = Config {
            listen: listen.unwrap_or(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0)),
            data: data.clone(),
            plugins: Some(plugins),
            compiler: compile_worker::program(),
            throttle: false,
            ..Config::default()
        };
        let engine = open::engine(&config.data).await?;
        let running = server::start(config, engine, Arc::new(SystemClock)).await;
        let running = running.map_err(|error| error.to_string())?;
        Ok(Self {
            target: Arc::new(Target::local(running.address())?),
            name: name.clone(),
            data,
            running,
            _temporary: temporary,
        })
    }

    /// Where the server keeps everything.
    pub(super) fn data(&self) -> &Path {
        &self.data
    }

    /// Where objects come out.
    pub(super) fn bucket(&self) -> PathBuf {
        self.data.join("s3").join(BUCKET)
    }

    pub(super) fn plugin(&self) -> &PluginName {
        &self.name
    }

    /// The stream that records are put into: what a consumer's manifest says that it consumes, or
    /// one of the plugin's name.
    pub(super) fn stream(&self, version: &Version) -> String {
        let application = version.manifest().application.as_ref();
        let stream = application.map(|application| application.stream.as_str());
        stream.unwrap_or(self.name.as_str()).to_owned()
    }

    /// The version in force.
    pub(super) fn version(&self) -> Result<Arc<Version>, Failure> {
        let plugins = self.running.plugins();
        let found = plugins.into_iter().find(|plugin| plugin.name == self.name);
        let version = found.and_then(|plugin| plugin.version);
        version.ok_or_else(|| format!("{} is not in force any more", self.name).into())
    }

    /// Creates the stream, and for a transform the delivery stream through it, unless they are
    /// there from an earlier time.
    pub(super) async fn create(&self, stream: &str, role: Role) -> Result<(), Failure> {
        there(create_stream(&self.target, stream, SHARDS).await)?;
        match role {
            Role::Transform => self.deliver(stream).await,
            // Its manifest says that it is an application, and the server runs it as one.
            Role::Consumer => Ok(()),
        }
    }

    async fn deliver(&self, stream: &str) -> Result<(), Failure> {
        let name = self.name.as_str();
        let new = NewDelivery {
            name,
            stream,
            plugin: Some(name),
            bucket: BUCKET,
            prefix: "",
            error_prefix: "failed/",
            interval_seconds: INTERVAL_SECONDS,
            size_mib: SIZE_MIB,
            gzip: false,
        };
        there(create_delivery(&self.target, &new).await)
    }

    /// A client of the server.
    pub(super) fn client(&self) -> Client {
        Client::new(&self.target)
    }

    pub(super) async fn close(self) -> Result<(), String> {
        let closed = self.running.shut_down().await;
        closed.map_err(|error| format!("close the data directory: {error}"))
    }
}

/// What was made, or is there already.
fn there<T>(made: Result<T, Failure>) -> Result<(), Failure> {
    match made {
        Err(Failure::Call(CallError::Refused { code, .. })) if code == "ResourceInUseException" => {
            Ok(())
        }
        made => made.map(drop),
    }
}
