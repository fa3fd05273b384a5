//! The records of shadow runs: `wasm` asks for them, and `delivery` has them.

use std::sync::{Arc, Weak};
use std::time::Duration;

use delivery::Delivery;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::time::timeout;
use wasm::{RecordsOf, Retained, RetainedRecords};

/// How long reading them may take. After that the version that they are for is refused for now.
const READ_TIME_MAX: Duration = Duration::from_secs(30);

/// Records of delivery streams, for threads that are no task's.
pub(crate) struct RecordsOfDeliveries {
    runtime: Handle,
    // Deliveries hold the plugins, which hold this.
    delivery: Weak<Delivery>,
}

impl RecordsOfDeliveries {
    /// Those of these deliveries, read by this runtime.
    pub(crate) fn of(delivery: &Arc<Delivery>, runtime: Handle) -> Arc<Self> {
        Arc::new(Self {
            runtime,
            delivery: Arc::downgrade(delivery),
        })
    }
}

impl RetainedRecords for RecordsOfDeliveries {
    fn last(
        &self,
        of: &RecordsOf,
        most: (usize, usize),
        mut closing: watch::Receiver<bool>,
    ) -> Result<Retained, String> {
        let delivery = self.delivery.upgrade().ok_or("the server ends")?;
        // The runtime's timers are there only within it.
        self.runtime.block_on(async {
            let reading = timeout(READ_TIME_MAX, delivery.retained(of, most));
            tokio::select! {
                read = reading => match read {
                    Ok(read) => read.map_err(|error| error.to_string()),
                    Err(_) => Err("it takes too long".to_owned()),
                },
                // An end of the plugins is one of the server.
                _ = closing.wait_for(|closing| *closing) => Err("the server closes".to_owned()),
            }
        })
    }
}
