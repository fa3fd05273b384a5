//! A real server with a stream, a plugin, and a delivery stream that reads the one through the
//! other.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use crate::Failure;
use crate::bench::Bench;
use crate::calls;
use crate::child::{self, Server};
use crate::components::Folder;
use crate::destination::{self, Destination, NAME, STREAM};
use crate::requests::Service;

const SHARDS: usize = 2;
/// How long a delivery stream may take to become ACTIVE, and what is put to be delivered.
const ACTIVE_MAX: Duration = Duration::from_secs(10);
const DELIVERED_MAX: Duration = Duration::from_secs(120);
/// Between two looks at the server's page, which costs the server next to nothing.
const LOOK: Duration = Duration::from_millis(5);

/// The server, and the directories that it lives in.
pub struct Delivering {
    /// The server.
    pub server: Server,
    /// Where its plugin lies.
    pub plugins: Folder,
    dir: TempDir,
}

/// What became of records so far.
#[derive(Clone, Copy, Debug, Default)]
pub struct Progress {
    /// Of cuts that are done.
    pub done: u64,
    /// In delivered objects.
    pub delivered: u64,
    /// Objects of delivered records.
    pub objects: u64,
}

impl Delivering {
    /// Starts it and waits until the delivery stream is ACTIVE.
    pub fn start(
        bench: &Bench,
        plugins: Folder,
        destination: &Destination<'_>,
    ) -> Result<Self, Failure> {
        let dir = bench.fresh_dir()?;
        let server = Server::start_with(bench, dir.path(), Some(&plugins.plugins()))?;
        calls::create_stream(server.address, STREAM, SHARDS)?;
        let (service, input) = (Service::DELIVERY, destination.input());
        calls::call_of(service, server.address, "CreateDeliveryStream", &input)?;
        let delivering = Self {
            server,
            plugins,
            dir,
        };
        let begin = Instant::now();
        while delivering.page()?["status"] != "ACTIVE" {
            if ACTIVE_MAX < begin.elapsed() {
                return Err("the delivery stream did not become ACTIVE".into());
            }
            std::thread::sleep(LOOK);
        }
        Ok(delivering)
    }

    /// Waits until so many records are in objects.
    pub fn wait(&self, records: u64) -> Result<Progress, Failure> {
        let begin = Instant::now();
        loop {
            let page = self.page()?;
            let count = |name: &str| page[name].as_u64().ok_or(format!("no {name}: {page}"));
            let progress = Progress {
                // The two are not read at one moment.
                done: count("recordsIn")?.saturating_sub(count("waitingRecords")?),
                delivered: count("delivered")?,
                objects: count("objects")?,
            };
            match &page["trouble"] {
                Value::String(why) => return Err(why.clone().into()),
                _ if progress.done >= records => return Ok(progress),
                _ if DELIVERED_MAX < begin.elapsed() => {
                    return Err(format!("{progress:?} of {records} records").into());
                }
                _ => std::thread::sleep(LOOK),
            }
        }
    }

    /// The folder of delivered objects, which is there once there is one.
    pub fn objects(&self) -> PathBuf {
        destination::folder(&child::buckets(self.dir.path()))
    }

    fn page(&self) -> Result<Value, Failure> {
        let path = format!("/_millrace/delivery-streams/{NAME}");
        calls::page(self.server.address, &path)
    }
}
