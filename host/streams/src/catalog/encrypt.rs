//! How a stream comes to be encrypted, to be encrypted with another key, or not to be.
//!
//! ```text
//! row UPDATING + what comes + its data key, wrapped  ->  answer  ->  row ACTIVE + in force
//! ```
//!
//! A record is sealed with what was in force when its put began. What was sealed before stays as
//! it is, and is read as long as its master key is there.

use store::{Expect, Purpose, Transaction};
use types::{StreamArn, Timestamp};

use super::{CatalogTask, ChangeError};
use crate::directory::owner;
use crate::encryption::{Asked, Coming, Sealing};
use crate::kms::{KeyOwner, Kms};
use crate::rows;
use crate::stream::{Status, Stream};

impl CatalogTask {
    /// Keeps what a stream's records are to be sealed with. Answers when that is durable as
    /// UPDATING; what is so already changes nothing.
    pub(super) async fn begin_encryption(
        &mut self,
        arn: &StreamArn,
        asked: Asked,
    ) -> Result<(), ChangeError> {
        let stream = self.ground.directory.at(arn).ok_or(ChangeError::NotFound)?;
        if stream.status != Status::Active {
            return Err(ChangeError::NotActive(stream.status));
        }
        if stream.encryption.is(&asked) {
            return Ok(());
        }
        let (kms, ring) = (&self.ground.kms, self.ground.engine.keys());
        let now = self.ground.clock.now();
        let (made, coming) = match asked {
            Asked::Stop => (None, Coming::Stop),
            Asked::Start { named, master } => {
                // Before a key is made for nothing.
                let may_change = stream.encryption.changing(Coming::Stop, now);
                may_change.map_err(|_| ChangeError::OverEncryptionChanges)?;
                let of = (KeyOwner::Stream(stream.id.0), &master);
                let made = kms.make(ring, of, &owner(arn), self.latest_arrival(&stream, now)?);
                let made = made.map_err(ChangeError::Kms)?;
                let sealing = Sealing::new(named, master, &made);
                (Some(made), Coming::Start(sealing))
            }
        };
        let mut updating = Stream::clone(&stream);
        let changing = stream.encryption.changing(coming, now);
        updating.encryption = changing.map_err(|_| ChangeError::OverEncryptionChanges)?;
        updating.status = Status::Updating;
        let mut writes = vec![rows::encryption::write(&updating)?];
        let made_id = made.as_ref().map(|made| made.id);
        writes.extend(made.map(|made| made.write));
        let parts = Transaction {
            writes,
            ..Transaction::default()
        };
        let expect = Expect::Version(stream.version);
        let kept = self.replace_expecting((updating, expect), parts, Purpose::Keep);
        if let Err(error) = kept.await {
            kms.forget(ring, made_id.as_slice());
            return Err(error);
        }
        Ok(())
    }

    /// `now`, or later: when the newest record of a stream reads as having arrived, though the
    /// clock was ahead then. A key that is made then outlives none that is needed.
    fn latest_arrival(&self, stream: &Stream, now: Timestamp) -> Result<Timestamp, ChangeError> {
        let mut latest = now;
        for shard in stream.shards.all() {
            let arrival = self.ground.engine.last_arrival(shard.facts().log)?;
            latest = latest.max(arrival.unwrap_or(now));
        }
        Ok(latest)
    }

    /// Puts in force what was kept, and forgets data keys of which no record is kept any more.
    pub(super) async fn finish_encryption(&mut self, stream: &Stream) -> Result<(), ChangeError> {
        let mut active = stream.clone();
        active.status = Status::Active;
        active.encryption = stream.encryption.changed();
        let time = self.ground.retention_clock.look();
        let mut outlived = Vec::new();
        if time.may_trim {
            let (of, cutoff) = (KeyOwner::Stream(stream.id.0), stream.cutoff(time));
            outlived = self.ground.kms.outlived(of, cutoff);
            if !outlived.is_empty() {
                // Also for the next server, whose clock may be doubted: nobody opens them again.
                active.expired_before = cutoff;
            }
        }
        let mut writes = vec![rows::encryption::write(&active)?];
        writes.extend(outlived.iter().map(|key| Kms::removal(*key)));
        let parts = Transaction {
            writes,
            ..Transaction::default()
        };
        let expect = Expect::Version(stream.version);
        self.replace_expecting((active, expect), parts, Purpose::Keep)
            .await?;
        self.ground.kms.forget(self.ground.engine.keys(), &outlived);
        Ok(())
    }
}
