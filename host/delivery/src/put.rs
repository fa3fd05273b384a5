//! Records that are put directly: which of them there is room for in this second, and how they are
//! kept.

use store::{Append, BodyBuilder, CommitError, KeyId, LogId, NewFrame, Transaction};
use streams::kms::KmsError;
use types::Timestamp;

use crate::Delivery;
use crate::delivery_stream::{Origin, Status};
use crate::running::Running;

/// No less than a frame's layout adds to the bytes of a record.
const RECORD_LAYOUT_BYTES: usize = 8;

/// Why no record was put.
#[derive(Debug)]
pub enum PutError {
    /// It does not work yet, or not any more.
    NotActive,
    /// The delivery stream reads a stream, and takes no puts.
    NotDirect,
    /// It was put to as often, or as much, as it takes in a second.
    OverRate,
    /// The store did not keep them, or does not know.
    Commit(CommitError),
    /// The key that they are to be sealed with is not to be had.
    Kms(KmsError),
}

/// What became of the records of a call.
pub struct Put {
    /// Which of them were kept.
    pub admitted: Vec<bool>,
    /// Whether these are sealed.
    pub is_sealed: bool,
}

impl Delivery {
    /// Keeps those records of a delivery stream that is put to directly for which there is room in
    /// this second, all of them or none. Says of each whether it is one of them; one is at least.
    ///
    /// # Errors
    /// When no record was put.
    pub(crate) async fn put(
        &self,
        running: &Running,
        records: &[Vec<u8>],
    ) -> Result<Put, PutError> {
        let stream = running.stream();
        let Origin::DirectPut { log } = stream.origin else {
            return Err(PutError::NotDirect);
        };
        if stream.status != Status::Active {
            return Err(PutError::NotActive);
        }
        let admitted = self.admitted(running, records)?;
        if !admitted.contains(&true) {
            return Err(PutError::OverRate);
        }
        let taken: Vec<&[u8]> = records
            .iter()
            .zip(&admitted)
            .filter(|(_, admitted)| **admitted)
            .map(|(record, _)| record.as_slice())
            .collect();
        let key = stream.encryption.key();
        let frame_bytes_max = self.tools.engine.capabilities().frame_bytes_max;
        let transaction = Transaction {
            appends: appends(
                (log, key),
                taken.iter().map(|record| ("", *record)),
                (frame_bytes_max, self.now()),
            )
            .map_err(PutError::Commit)?,
            ..Transaction::default()
        };
        let bytes = taken.iter().map(|record| record.len()).sum();
        let (records, bytes) = (number(taken.len())?, number(bytes)?);
        let committed = self.tools.engine.commit(transaction).await;
        committed.map_err(|error| match error {
            CommitError::Key { key, why } => {
                let owner = &stream.arn.owner;
                PutError::Kms(self.streams.kms().refusal(key, why, owner))
            }
            error => PutError::Commit(error),
        })?;
        self.metrics().incoming_records.add(records);
        self.metrics().incoming_bytes.add(bytes);
        Ok(Put {
            admitted,
            is_sealed: key.is_some(),
        })
    }

    /// For which of the records there is room in this second.
    fn admitted(&self, running: &Running, records: &[Vec<u8>]) -> Result<Vec<bool>, PutError> {
        if !self.throttle {
            return Ok(vec![true; records.len()]);
        }
        let uptime = self.tools.clock.uptime();
        let mut rates = running.put_rates();
        let has_room = rates.call(uptime);
        let records = records.iter();
        records
            .map(|record| Ok(has_room && rates.record(number(record.len())?, uptime)))
            .collect()
    }
}

pub fn number<N: TryFrom<usize>>(count: usize) -> Result<N, PutError> {
    N::try_from(count).map_err(|_| {
        let what = format!("{count} bytes or records of one call");
        PutError::Commit(CommitError::TooLarge(what))
    })
}

/// The records with their partition keys as frames that the store takes, in order.
///
/// # Errors
/// When one is larger than a log takes.
pub fn appends<'a>(
    (log, key): (LogId, Option<KeyId>),
    records: impl Iterator<Item = (&'a str, &'a [u8])>,
    (frame_bytes_max, arrival): (usize, Timestamp),
) -> Result<Vec<Append>, CommitError> {
    let mut appends = Vec::new();
    let mut close = |body: BodyBuilder| {
        let (body, count) = body.finish();
        let frame = NewFrame {
            count,
            arrival,
            body,
            key,
        };
        appends.push(Append { log, frame });
    };
    let mut body = BodyBuilder::default();
    let mut body_bytes = 0;
    for (partition_key, record) in records {
        let bytes = partition_key.len() + record.len() + RECORD_LAYOUT_BYTES;
        let is_full = body_bytes + bytes > frame_bytes_max || body.count() == u16::MAX;
        if body.count() > 0 && is_full {
            close(std::mem::take(&mut body));
            body_bytes = 0;
        }
        body.push(partition_key, record).ok_or_else(|| {
            let what = format!("a frame of {} records and {body_bytes} bytes", body.count());
            CommitError::TooLarge(what)
        })?;
        body_bytes += bytes;
    }
    close(body);
    Ok(appends)
}
