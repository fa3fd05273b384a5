//! Room for notes of objects: there are so many at most, and those of objects that are gone go.

use store::Transaction;
use tokio::time::{Instant, timeout_at};

use super::LetterError;
use super::limits::{NOTES_LOOKED_AT_MAX, NOTES_MAX, ROOM_TIME_MAX};
use super::notes::{self, Tally};
use crate::Delivery;
use crate::arn::BucketName;
use crate::rows::damaged;
use crate::running::Running;

/// The tally with one note more.
///
/// # Errors
/// There are as many as there may be.
pub fn with_one_more(tally: Tally) -> Result<Tally, LetterError> {
    if tally.notes >= NOTES_MAX {
        return Err(LetterError::Refused(format!(
            "{NOTES_MAX} objects of this delivery stream are noted as replayed or discarded, and \
             all that were looked at are still in the bucket: delete some of them there."
        )));
    }
    let notes = tally.notes + 1;
    Ok(Tally { notes, ..tally })
}

/// Forgets what is noted of objects that are not in the bucket any more, where there are many
/// notes.
///
/// # Errors
/// When it cannot be read or changed what is noted.
pub async fn make_room(delivery: &Delivery, running: &Running) -> Result<(), LetterError> {
    let (engine, stream) = (&*delivery.tools.engine, running.stream());
    let (tally, _) = notes::tally(engine, stream.id).await?;
    if tally.notes < NOTES_MAX {
        return Ok(());
    }
    let mut all = notes::all(engine, stream.id).await?;
    all.sort_by_key(|(_, note, _)| note.at);
    // Elsewhere at each call, so that those of objects that stay are in nobody's way.
    let begin = delivery.now().0 % all.len().max(1) as u64;
    all.rotate_left(usize::try_from(begin).unwrap_or(0)); // It is less than their number.
    let (mut removals, end_at) = (Vec::new(), Instant::now() + ROOM_TIME_MAX);
    for (key, note, version) in all.into_iter().take(NOTES_LOOKED_AT_MAX) {
        let objects = &delivery.tools.objects;
        let bucket = BucketName::parse(&note.bucket);
        let bucket = bucket.ok_or_else(|| damaged("the bucket of a note"))?;
        // One in a bucket that does not answer stays.
        match timeout_at(end_at, objects.find(&bucket, &note.object)).await {
            Ok(Ok(None)) => removals.push(notes::removal(key, version)),
            Ok(_) => {}
            Err(_) => break,
        }
    }
    if removals.is_empty() {
        return Ok(());
    }
    let (tally, was) = notes::tally(engine, stream.id).await?;
    let notes = tally.notes.saturating_sub(removals.len() as u64);
    let left = Tally { notes, ..tally };
    removals.push(notes::tally_write(stream.id, &left, was)?);
    let transaction = Transaction {
        writes: removals,
        ..Transaction::default()
    };
    engine
        .commit(transaction)
        .await
        .map_err(LetterError::of_commit)?;
    Ok(())
}
