//! The server that a plugin is developed in: a server of its own, so that nothing of a trial is in
//! another one. Its tables are its own too, and begin with copies.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use server::{Config, Running};
use tempfile::TempDir;
use types::SystemClock;
use wasm::{Grants, PluginName, Role, Version};

use super::access::AccessArgs;
use crate::client::{CallError, Client, Target};
use crate::commands::app::{NewApp, create as create_app};
use crate::commands::compile_worker;
use crate::commands::delivery::{NewDelivery, create as create_delivery};
use crate::commands::plugin::entries::Entry;
use crate::commands::stream::create as create_stream;
use crate::commands::table;
use crate::failure::Failure;
use crate::open;

/// The bucket of what comes out, a directory below the server's.
const BUCKET: &str = "out";
/// Of AWS's hints the smallest: what goes in is to be seen when it comes out.
const INTERVAL_SECONDS: u32 = 1;
const SIZE_MIB: u32 = 1;
const SHARDS: u32 = 1;

/// A server with one plugin, one stream, and one delivery stream from it through the plugin, or the
/// plugin as an application.
pub(super) struct Stage {
    pub(super) target: Arc<Target>,
    name: PluginName,
    config: Config,
    granted: Grants,
    /// What the author hands over.
    pub(super) access: AccessArgs,
    /// `None` only while it begins anew.
    running: Option<Running>,
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
        let mut config = Config {
            listen: listen.unwrap_or(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0)),
            data: data.clone(),
            plugins: Some(plugins),
            compiler: compile_worker::program(),
            throttle: false,
            ..Config::default()
        };
        let running = start(&config).await?;
        // One that begins anew is where it was.
        config.listen = running.address();
        Ok(Self {
            target: Arc::new(Target::local(running.address())?),
            name: name.clone(),
            config,
            granted: Grants::default(),
            access: AccessArgs::default(),
            running: Some(running),
            _temporary: temporary,
        })
    }

    /// Grants the plugin what its manifest asks for: its author is the operator here. A server
    /// reads its grants when it starts, so it begins anew where they are others. Returns lines
    /// about what the author may want to hand over.
    pub(super) async fn grant(&mut self, grants: &Grants) -> Result<Vec<String>, Failure> {
        if self.granted == *grants {
            return Ok(Vec::new());
        }
        let name = self.name.clone();
        let (access, lines) = self.access.settings(grants, &self.config.data)?;
        self.config.plugin_access.insert(name.clone(), access);
        let granted = self.config.plugin_grants.entry(name).or_default();
        granted.tables.clone_from(&grants.tables);
        granted.emit = grants.emit.iter().map(ToString::to_string).collect();
        self.shut_down().await?;
        let running = start(&self.config).await?;
        running.plugins_started().await;
        self.running = Some(running);
        self.granted = grants.clone();
        Ok(lines)
    }

    /// What it grants to the plugin.
    pub(super) fn granted(&self) -> &Grants {
        &self.granted
    }

    /// Where the server keeps everything.
    pub(super) fn data(&self) -> &Path {
        &self.config.data
    }

    /// Where objects come out.
    pub(super) fn bucket(&self) -> PathBuf {
        self.config.data.join("s3").join(BUCKET)
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
        let mut plugins = self.running.iter().flat_map(Running::plugins);
        let found = plugins.find(|plugin| plugin.name == self.name);
        let version = found.and_then(|plugin| plugin.version);
        version.ok_or_else(|| format!("{} is not in force any more", self.name).into())
    }

    /// Creates the stream, and for a transform the delivery stream through it, unless they are
    /// there from an earlier time; for a consumer its tables, which hold these entries, the streams
    /// that it emits to, and its application.
    pub(super) async fn create(&self, version: &Version, entries: &[Entry]) -> Result<(), Failure> {
        let stream = self.stream(version);
        if version.role() == Role::Transform {
            there(create_stream(&self.target, &stream, SHARDS).await)?;
            return self.deliver(&stream).await;
        }
        self.make_targets(entries).await?;
        there(create_stream(&self.target, &stream, SHARDS).await)?;
        let declared = version.manifest().application.as_ref();
        if declared.is_some_and(|it| it.account.is_none() && it.region.is_none()) {
            // The server makes it an application by itself, where its stream is.
            return Ok(());
        }
        let new = NewApp {
            stream: &stream,
            plugin: self.name.as_str(),
            start: "TRIM_HORIZON",
            version: None,
        };
        there(create_app(&self.target, self.name.as_str(), &new).await)
    }

    /// Makes the tables and the streams that are granted, unless they are there.
    pub(super) async fn make_targets(&self, entries: &[Entry]) -> Result<(), Failure> {
        for table in &self.granted.tables {
            let entries = entries.iter().filter(|entry| entry.table == *table);
            let entries = entries.map(|entry| (entry.key.clone(), entry.value.clone()));
            table::make(&self.target, table, entries.collect()).await?;
        }
        for stream in &self.granted.emit {
            there(create_stream(&self.target, stream.as_str(), SHARDS).await)?;
        }
        Ok(())
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
            compression: "UNCOMPRESSED",
            endpoint: None,
        };
        there(create_delivery(&self.target, &new).await)
    }

    /// A client of the server.
    pub(super) fn client(&self) -> Client {
        Client::new(&self.target)
    }

    pub(super) async fn close(mut self) -> Result<(), String> {
        self.shut_down().await
    }

    async fn shut_down(&mut self) -> Result<(), String> {
        let Some(running) = self.running.take() else {
            return Ok(());
        };
        let closed = running.shut_down().await;
        closed.map_err(|error| format!("close the data directory: {error}"))
    }
}

async fn start(config: &Config) -> Result<Running, String> {
    let engine = open::engine(&config.data).await?;
    let running = server::start(config.clone(), engine, Arc::new(SystemClock)).await;
    running.map_err(|error| error.to_string())
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
