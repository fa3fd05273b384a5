//! Records that are put to a delivery stream within somebody else's transaction, as
//! `streams::emit` does it for streams: they go the way of direct puts; only the commit is
//! another's.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use store::Append;
use types::limits::DELIVERY_RECORD_BYTES_MAX;

use crate::Delivery;
use crate::arn::DeliveryStreamArn;
use crate::delivery_stream::{Origin, Status};
use crate::put::{PutError, appends, number};
use crate::running::Running;

/// Why records cannot be put now, or not at all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EmitError {
    /// There is no such delivery stream, or it does not take records yet or any more.
    NotActive,
    /// It reads a stream, and takes no puts.
    NotDirect,
    /// A record can never be put to a delivery stream.
    TooLarge {
        /// Its place among the records.
        index: usize,
    },
    /// It has taken what a second allows: to be prepared again after this time.
    OverRate(Duration),
    /// They do not fit into frames.
    Internal(String),
}

impl fmt::Display for EmitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotActive => f.write_str("there is no such delivery stream that takes records"),
            Self::NotDirect => f.write_str("it reads a stream, and takes no puts"),
            Self::TooLarge { index } => {
                write!(
                    f,
                    "record {index} has more than {DELIVERY_RECORD_BYTES_MAX} bytes"
                )
            }
            Self::OverRate(_) => f.write_str("it has taken what a second allows"),
            Self::Internal(why) => f.write_str(why),
        }
    }
}

impl std::error::Error for EmitError {}

/// Records that are ready to be put. Dropped before [`Emission::committed`], it gives the rate of
/// the delivery stream back.
pub struct Emission {
    delivery: Arc<Delivery>,
    running: Arc<Running>,
    appends: Vec<Append>,
    records: u64,
    bytes: u64,
    /// What it was charged with, unless it is not held to a rate.
    charged: Option<(i64, i64)>,
}

impl Delivery {
    /// Makes records ready to be put to the delivery stream at an address, in this order. All of
    /// them together are held to its rate; what is over is owed.
    ///
    /// # Errors
    /// When they cannot be put, or not now. Nothing is charged then.
    pub fn prepare<'a>(
        self: &Arc<Self>,
        arn: &DeliveryStreamArn,
        records: impl Iterator<Item = &'a [u8]> + Clone,
    ) -> Result<Emission, EmitError> {
        let running = self.directory.find(arn).ok_or(EmitError::NotActive)?;
        let stream = running.stream();
        if stream.status != Status::Active {
            return Err(EmitError::NotActive);
        }
        let Origin::DirectPut { log } = stream.origin else {
            return Err(EmitError::NotDirect);
        };
        let is_larger = |record: &[u8]| record.len() > DELIVERY_RECORD_BYTES_MAX;
        if let Some(index) = records.clone().position(is_larger) {
            return Err(EmitError::TooLarge { index });
        }
        let (mut count, mut bytes) = (0, 0);
        for record in records.clone() {
            count += 1;
            bytes += record.len();
        }
        let frame_bytes_max = self.tools.engine.capabilities().frame_bytes_max;
        let internal = |why: &dyn fmt::Debug| EmitError::Internal(format!("{why:?}"));
        let laid = appends(
            (log, stream.encryption.key()),
            records.map(|record| ("", record)),
            (frame_bytes_max, self.now()),
        );
        let counted = |count: usize| number(count).map_err(|error: PutError| internal(&error));
        let mut emission = Emission {
            delivery: Arc::clone(self),
            running,
            appends: laid.map_err(|error| internal(&error))?,
            records: counted(count)?,
            bytes: counted(bytes)?,
            charged: None,
        };
        emission.charge()?;
        Ok(emission)
    }
}

impl Emission {
    /// The frames, for the transaction. They are to be appended as they are.
    pub fn appends(&self) -> &[Append] {
        &self.appends
    }

    /// The records are durable.
    pub fn committed(mut self) {
        self.charged = None;
        let metrics = self.delivery.metrics();
        metrics.incoming_records.add(self.records);
        metrics.incoming_bytes.add(self.bytes);
    }

    fn charge(&mut self) -> Result<(), EmitError> {
        if !self.delivery.throttle {
            return Ok(());
        }
        let cost = |count: u64| {
            i64::try_from(count).map_err(|error| EmitError::Internal(error.to_string()))
        };
        let cost = (cost(self.records)?, cost(self.bytes)?);
        let uptime = self.delivery.tools.clock.uptime();
        let charged = self.running.put_rates().records(cost, uptime);
        charged.map_err(EmitError::OverRate)?;
        self.charged = Some(cost);
        Ok(())
    }
}

impl Drop for Emission {
    fn drop(&mut self) {
        if let Some(charged) = self.charged {
            self.running.put_rates().give_back(charged);
        }
    }
}
