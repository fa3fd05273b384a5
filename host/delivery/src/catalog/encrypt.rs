//! How a delivery stream that is put to directly comes to be encrypted, to be encrypted with
//! another key, or not to be. Of one that reads a stream only what is replayed lies in a log of its
//! own, which is sealed as that stream is.
//!
//! ```text
//! what comes + its data key, wrapped (ENABLING)  ->  answer  ->  in force (ENABLED)
//! ```

use store::{Expect, KeyId, Purpose, StoreError, TableWrite};
use streams::encryption::{Asked, Coming, Encryption, Sealing};
use streams::kms::{KeyOwner, Kms};
use types::Timestamp;
use types::limits::DIRECT_PUT_RETENTION;

use super::{CatalogTask, ChangeError};
use crate::arn::DeliveryStreamArn;
use crate::delivery_stream::{DeliveryStream, Origin, Status};
use crate::rows;
use crate::running::Running;
use crate::tables::replay_log;

/// What a change to an encryption comes to, and what must be kept with it.
pub(super) struct Changing {
    pub(super) encryption: Encryption,
    /// The write of the data key that was made for it, if one was.
    pub(super) write: Option<TableWrite>,
    made: Option<KeyId>,
}

impl CatalogTask {
    /// Keeps what the records of a delivery stream are to be sealed with. What is so already
    /// changes nothing.
    pub(super) async fn begin_encryption(
        &mut self,
        arn: &DeliveryStreamArn,
        asked: Asked,
    ) -> Result<(), ChangeError> {
        let running = self.directory.find(arn).ok_or(ChangeError::NotFound)?;
        let stream = running.stream();
        if stream.status != Status::Active {
            return Err(ChangeError::NotActive(stream.status));
        }
        if stream.encryption.coming.is_some() {
            return Err(ChangeError::EncryptionUnderWay);
        }
        if stream.encryption.is(&asked) {
            return Ok(());
        }
        let changing = self.changing(&stream, asked)?;
        let mut changed = DeliveryStream::clone(&stream);
        changed.encryption = changing.encryption.clone();
        let write = changing.write.clone();
        let kept = self.keep_encryption(&running, changed, write).await;
        self.keep_or_forget(&changing, &kept);
        kept
    }

    /// What is asked for, with a data key if it needs one.
    pub(super) fn changing(
        &self,
        stream: &DeliveryStream,
        asked: Asked,
    ) -> Result<Changing, ChangeError> {
        let now = self.tools.clock.now();
        let over = |_| ChangeError::OverEncryptionChanges;
        // Before a key is made for nothing.
        let stopping = stream.encryption.changing(Coming::Stop, now);
        let stopping = stopping.map_err(over)?;
        let (named, master) = match asked {
            Asked::Start { named, master } => (named, master),
            Asked::Stop => {
                return Ok(Changing {
                    encryption: stopping,
                    write: None,
                    made: None,
                });
            }
        };
        let of = (KeyOwner::Delivery(stream.id.0), &master);
        let ring = self.tools.engine.keys();
        let made_at = self.latest_arrival(stream, now)?;
        let owner = &stream.arn.owner;
        let made = self.streams.kms().make(ring, of, owner, made_at);
        let made = made.map_err(ChangeError::Kms)?;
        let sealing = Sealing::new(named, master, &made);
        let encryption = stream.encryption.changing(Coming::Start(sealing), now);
        Ok(Changing {
            encryption: encryption.map_err(over)?,
            write: Some(made.write),
            made: Some(made.id),
        })
    }

    /// `now`, or later: when the newest record that was put reads as having arrived, though the
    /// clock was ahead then. A key that is made then outlives none that is needed.
    fn latest_arrival(
        &self,
        stream: &DeliveryStream,
        now: Timestamp,
    ) -> Result<Timestamp, ChangeError> {
        let direct = match stream.origin {
            Origin::DirectPut { log } => Some(log),
            Origin::Stream { .. } => None,
        };
        let mut latest = now;
        for log in direct.into_iter().chain([replay_log(stream.id)]) {
            match self.tools.engine.last_arrival(log) {
                Ok(arrival) => latest = latest.max(arrival.unwrap_or(now)),
                // The delivery stream is being created, or nothing of it was replayed.
                Err(StoreError::NoLog(_)) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(latest)
    }

    /// A key that was made for what was not kept is nobody's.
    pub(super) fn keep_or_forget<T>(&self, changing: &Changing, kept: &Result<T, ChangeError>) {
        if kept.is_err() {
            let ring = self.tools.engine.keys();
            self.streams.kms().forget(ring, changing.made.as_slice());
        }
    }

    /// Puts in force what was kept, and forgets data keys of which no record waits any more.
    pub(super) async fn finish_encryption(&self, running: &Running) -> Result<(), ChangeError> {
        let stream = running.stream();
        if stream.encryption.coming.is_none() {
            return Ok(());
        }
        let mut changed = DeliveryStream::clone(&stream);
        changed.encryption = stream.encryption.changed();
        let (kms, time) = (self.streams.kms(), self.streams.retention_time());
        // What is replayed waits for as long as it takes.
        let outlived = if time.may_trim && !running.has_replays_waiting(&*self.tools.engine) {
            let cutoff = time.now.before(DIRECT_PUT_RETENTION);
            kms.outlived(KeyOwner::Delivery(stream.id.0), cutoff)
        } else {
            Vec::new()
        };
        let removals = outlived.iter().map(|key| Kms::removal(*key));
        self.keep_encryption(running, changed, removals).await?;
        kms.forget(self.tools.engine.keys(), &outlived);
        Ok(())
    }

    pub(super) async fn keep_encryption(
        &self,
        running: &Running,
        mut stream: DeliveryStream,
        more: impl IntoIterator<Item = TableWrite>,
    ) -> Result<(), ChangeError> {
        let expect = Expect::Version(stream.row_version);
        let mut writes = vec![rows::encryption::write(&stream)?];
        writes.extend(more);
        writes.push(rows::stream_write(&stream, expect)?);
        stream.row_version = self.commit(writes, Purpose::Keep).await?;
        running.set(stream);
        Ok(())
    }

    /// The removals of what is kept of a delivery stream's encryption, and its data keys: nobody
    /// opens what the disk may still hold of its records.
    pub(super) fn encryption_removals(
        &self,
        stream: &DeliveryStream,
    ) -> (Vec<TableWrite>, Vec<KeyId>) {
        let keys = self.streams.kms().keys_of(KeyOwner::Delivery(stream.id.0));
        let removals = keys.iter().map(|key| Kms::removal(*key));
        let own = rows::encryption::removal(stream);
        (removals.chain([own]).collect(), keys)
    }
}
