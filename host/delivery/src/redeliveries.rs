//! What a stream still retains, delivered once more: to a prefix of its own, through a version that
//! may be named. An order has lanes of its own over the same logs, from where it begins to where it
//! ends, with a destination that is kept with it; what they did is none of the delivery stream's
//! counts.
//!
//! ```text
//! stretches  which frames of which logs
//! row        all that the outcome depends on, kept with the beginnings of all lanes
//! entry      an order as it is at the moment
//! work       its task: some lanes at a time, to their ends
//! status     how far it is
//! shares     how many orders an account has at work
//! ```
//!
//! Names of objects follow from the number of the order, the shard and the cut, so that a crash
//! repeats work and no object. An order is known by its id: whoever gives it again is told how far
//! it is.

mod entry;
mod limits;
pub(crate) mod row;
mod shares;
mod status;
mod stretches;
mod work;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use store::{CommitError, Expect, RowCheck, StoreError, Transaction};
use streams::pump::row as pumps;
use types::{Caller, Invalid};
use wasm::ContentHash;
use wire::ApiError;

pub use self::status::{RedeliveredShard, RedeliveryStatus};
use crate::Delivery;
use crate::counts::Counts;
use crate::delivery::ORDER_TIME_MAX;
use crate::delivery_stream::{DeliveryStream, DeliveryStreamId, Status};
use crate::lane::Tools;
use crate::ops::redelivered;
use crate::rows;
use crate::running::Running;
use crate::tables::{self, DELIVERY_STREAMS, SETTINGS};

use self::entry::Entry;
use self::limits::{ID_CHARS_MAX, KEPT_MAX, NUMBER_TRIES_MAX, PER_ACCOUNT_MAX};
use self::row::{Asked, Kept, Moment, Redelivery, State};
pub(crate) use self::shares::Shares;

/// What shall be delivered once more, as it is asked for.
#[derive(Clone, Copy, Debug)]
pub struct RedeliveryOrder<'a> {
    /// What it is called; without it, by its prefix.
    pub id: Option<&'a str>,
    /// `TRIM_HORIZON`, milliseconds since 1970, or a sequence number, which means its shard alone.
    pub from: &'a str,
    /// Before which time or up to which sequence number; `None`: where the logs end now.
    pub to: Option<&'a str>,
    /// What stands before names of objects.
    pub prefix: &'a str,
    /// The same of failed records; `None`: below the prefix.
    pub error_prefix: Option<&'a str>,
    /// The hash of the version; `None`: the one in force when each is delivered.
    pub version: Option<&'a str>,
}

/// The orders of one delivery stream.
#[derive(Default)]
pub(crate) struct Redeliveries {
    all: Mutex<Vec<Arc<Entry>>>,
    /// Held by whoever makes or cancels one.
    turn: tokio::sync::Mutex<()>,
}

impl Redeliveries {
    fn lock(&self) -> MutexGuard<'_, Vec<Arc<Entry>>> {
        // Each statement under the lock leaves the list whole.
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn all(&self) -> Vec<Arc<Entry>> {
        self.lock().clone()
    }

    fn find(&self, id: &str) -> Option<Arc<Entry>> {
        let all = self.all();
        all.into_iter().find(|entry| entry.redelivery().id == id)
    }

    /// What the order is called whose lanes have this number.
    pub(crate) fn id_of(&self, lanes: DeliveryStreamId) -> Option<String> {
        let all = self.all();
        let mut orders = all.iter().map(|entry| entry.redelivery());
        orders.find(|it| it.lanes_id() == lanes).map(|it| it.id)
    }

    /// How each is, the newest last.
    pub(crate) fn statuses(&self) -> Vec<RedeliveryStatus> {
        let all = self.all();
        all.iter()
            .map(|entry| RedeliveryStatus::of(entry))
            .collect()
    }

    /// Ends the tasks of all. Whether they have ended within this time each.
    pub(crate) async fn end(&self, time: Duration) -> bool {
        let mut have_ended = true;
        for entry in self.all() {
            have_ended &= entry.end(time).await;
        }
        have_ended
    }
}

/// Goes on with the orders that were at work when an earlier process ended, and shows all.
///
/// # Errors
/// When they cannot be read.
pub(crate) async fn resume(delivery: &Delivery) -> Result<(), StoreError> {
    let engine = &*delivery.tools.engine;
    let mut all = row::load_all(engine).await?;
    for running in delivery.directory.all() {
        let stream = running.stream();
        let mut kept = all.remove(&stream.id).unwrap_or_default();
        kept.sort_by_key(|(redelivery, _)| redelivery.number);
        for kept in kept {
            let is_at_work = kept.0.is_at_work();
            let account = stream.arn.owner.account;
            let share = is_at_work.then(|| delivery.redelivery_shares.keep(account));
            let id = kept.0.id.clone();
            let entry = match Entry::load(engine, &stream, (kept, share)).await {
                Ok(entry) => entry,
                // Another build wrote rows of its lanes: it stands still alone.
                Err(error @ StoreError::Unreadable { .. }) => {
                    tracing::error!(stream = %stream.arn, id, %error, "a redelivery stands still");
                    continue;
                }
                Err(error) => return Err(error),
            };
            running.redeliveries.lock().push(Arc::clone(&entry));
            if is_at_work && stream.status == Status::Active {
                work::start(&running, &delivery.tools, &entry);
            }
        }
    }
    Ok(())
}

/// What takes away all orders of a delivery stream that is deleted; their tasks have ended.
///
/// # Errors
/// When they are not taken away.
pub(crate) async fn take_away(
    tools: &Tools,
    stream: &DeliveryStream,
) -> Result<Vec<store::TableWrite>, StoreError> {
    let engine = &*tools.engine;
    let (lanes, mut writes) = row::removals(engine, stream.id).await?;
    for id in lanes {
        let kept = rows::load_lanes(engine, Some(tables::LaneKey::rows_of(id))).await?;
        writes.extend(kept.into_keys().map(rows::lane_removal));
        let begun = rows::load_begun(engine, id).await?;
        let pumps = begun.iter().map(|key| pumps::removal(&key.pump_name()));
        writes.extend(pumps);
    }
    Ok(writes)
}

impl Delivery {
    /// Delivers once more what the source of a delivery stream retains, to a prefix of its own. The
    /// order is durable when this answers. One that was given before is not done again: how it is
    /// is answered.
    ///
    /// # Errors
    /// InvalidArgumentException: it cannot be done. LimitExceededException: another one is at work.
    /// ResourceNotFoundException: there is no such delivery stream.
    pub async fn redeliver(
        &self,
        caller: &Caller,
        name: &str,
        order: RedeliveryOrder<'_>,
    ) -> Result<RedeliveryStatus, ApiError> {
        let running = self.redelivering(caller, name)?;
        let asked = asked(order)?;
        let id = order.id.unwrap_or(order.prefix);
        if id.is_empty() || id.chars().count() > ID_CHARS_MAX {
            return Err(refused(format!(
                "The id of an order has 1 to {ID_CHARS_MAX} characters."
            )));
        }
        let _turn = running.redeliveries.turn.lock().await;
        if let Some(known) = running.redeliveries.find(id) {
            return if known.redelivery().asked == asked {
                Ok(RedeliveryStatus::of(&known))
            } else {
                Err(refused(format!("The id {id:?} is that of another order.")))
            };
        }
        let entry = self.make(&running, id, asked).await?;
        work::start(&running, &self.tools, &entry);
        Ok(RedeliveryStatus::of(&entry))
    }

    /// How the orders of a delivery stream are, in the order in which they were made; `None` if
    /// there is no such delivery stream.
    pub fn redeliveries(&self, caller: &Caller, name: &str) -> Option<Vec<RedeliveryStatus>> {
        let running = self.find(caller, name)?;
        Some(running.redeliveries.statuses())
    }

    /// Ends an order before it is done. What it has delivered stays.
    ///
    /// # Errors
    /// ResourceNotFoundException: there is no such order. ServiceUnavailableException: it does not
    /// end yet; it can be asked again.
    pub async fn cancel_redelivery(
        &self,
        caller: &Caller,
        name: &str,
        id: &str,
    ) -> Result<RedeliveryStatus, ApiError> {
        let running = self.redelivering(caller, name)?;
        let _turn = running.redeliveries.turn.lock().await;
        let Some(entry) = running.redeliveries.find(id) else {
            let what = format!("There is no redelivery {id:?} of {name}.");
            return Err(ApiError::new("ResourceNotFoundException", what).with_status(404));
        };
        if !entry.redelivery().is_at_work() {
            return Ok(RedeliveryStatus::of(&entry));
        }
        if !entry.end(ORDER_TIME_MAX).await {
            return Err(busy("It is told to end, and has not ended yet: ask again."));
        }
        if entry.redelivery().is_at_work() {
            let of = running.stream().id;
            let ended = work::end(&self.tools, of, &entry, State::Cancelled).await;
            ended.map_err(|why| busy(&format!("It was not kept that it ended: {why}.")))?;
        }
        Ok(RedeliveryStatus::of(&entry))
    }

    fn redelivering(&self, caller: &Caller, name: &str) -> Result<Arc<Running>, ApiError> {
        let running = self.find(caller, name).ok_or_else(|| {
            let what = format!("There is no such delivery stream {name}.");
            ApiError::new("ResourceNotFoundException", what).with_status(404)
        })?;
        match running.stream().status {
            Status::Active => Ok(running),
            status => Err(refused(format!(
                "The delivery stream {name} is not ACTIVE, but {}.",
                status.as_str()
            ))),
        }
    }

    /// Makes an order that is new. Nobody makes another one of the delivery stream meanwhile.
    async fn make(
        &self,
        running: &Running,
        id: &str,
        asked: Asked,
    ) -> Result<Arc<Entry>, ApiError> {
        let stream = running.stream();
        let known = running.redeliveries.all();
        let mut at_work = known.iter().map(|entry| entry.redelivery());
        if let Some(other) = at_work.find(Redelivery::is_at_work) {
            return Err(over_limit(format!(
                "The redelivery {:?} is at work, and a delivery stream has one at a time.",
                other.id
            )));
        }
        let share = self.redelivery_shares.take(stream.arn.owner.account);
        let share = share.ok_or_else(|| {
            over_limit(format!(
                "The account has {PER_ACCOUNT_MAX} redeliveries at work, and may have no more."
            ))
        })?;
        let destination = redelivered::destination(self, &stream, &asked).await?;
        let _held = self.version_of(&destination, asked.version()).await?;
        let redelivery = Redelivery {
            number: 0,
            id: id.to_owned(),
            made_at_ms: self.now().0,
            ended_at_ms: None,
            state: State::Working,
            version_id: stream.version_id,
            destination,
            stretches: stretches::stretches(self, &stream, &asked).await?,
            counts: Counts::default(),
            left: 0,
            asked,
        };
        let forgotten = to_forget(&known);
        let kept = self.keep(&stream, redelivery, &forgotten).await?;
        let entry = Entry::load(&*self.tools.engine, &stream, (kept, Some(share))).await;
        let entry = entry.map_err(|error| unread(&error))?;
        let mut all = running.redeliveries.lock();
        all.retain(|entry| {
            forgotten
                .iter()
                .all(|(it, _)| it.id != entry.redelivery().id)
        });
        all.push(Arc::clone(&entry));
        Ok(entry)
    }

    /// The version that an order names, held until it is kept that it does.
    async fn version_of(
        &self,
        destination: &crate::delivery_stream::Destination,
        version: Option<ContentHash>,
    ) -> Result<Option<Arc<wasm::Version>>, ApiError> {
        let Some(hash) = version else {
            return Ok(None);
        };
        let Some(transform) = &destination.transform else {
            return Err(refused(
                "A version is named, and the delivery stream has no plugin.",
            ));
        };
        let plugin = transform.plugin();
        let plugin = plugin.map_err(|Invalid(why)| refused(format!("{why}.")))?;
        let told = format!("Version {hash} of {plugin}");
        let plugins = Arc::clone(&self.tools.plugins);
        let loading = tokio::task::spawn_blocking(move || plugins.version(&plugin, hash));
        let loaded = loading.await.map_err(|error| busy(&error.to_string()))?;
        let version = loaded.map_err(|why| refused(format!("{told} cannot be had: {why}.")))?;
        Ok(Some(version))
    }

    /// Keeps an order with the beginnings of its lanes, in one transaction that a delivery stream
    /// which is changed or deleted meanwhile refuses.
    async fn keep(
        &self,
        stream: &DeliveryStream,
        redelivery: Redelivery,
        forgotten: &[Kept],
    ) -> Result<Kept, ApiError> {
        let mut tries = 0;
        loop {
            tries += 1;
            match self.try_to_keep(stream, &redelivery, forgotten).await {
                Ok(kept) => return Ok(kept),
                // Another one had its number.
                Err(CommitError::Conflict {
                    table: SETTINGS, ..
                }) if tries < NUMBER_TRIES_MAX => {}
                Err(CommitError::Conflict { .. }) => {
                    return Err(busy(
                        "The delivery stream was changed at the same time: ask again.",
                    ));
                }
                Err(error) => return Err(busy(&format!("It was not kept: {error}."))),
            }
        }
    }

    async fn try_to_keep(
        &self,
        stream: &DeliveryStream,
        redelivery: &Redelivery,
        forgotten: &[Kept],
    ) -> Result<Kept, CommitError> {
        let engine = &*self.tools.engine;
        let (number, next) = row::next_number(engine).await.map_err(CommitError::Store)?;
        let redelivery = Redelivery {
            number,
            ..redelivery.clone()
        };
        let kept = row::write(stream.id, &redelivery, Expect::Absent);
        let mut writes = vec![next, kept.map_err(CommitError::Store)?];
        for stretch in &redelivery.stretches {
            let key = redelivery.lane(stretch);
            let beginning = pumps::beginning(&key.pump_name(), stretch.from());
            writes.push(beginning.map_err(CommitError::Store)?);
            let lane = rows::lane_write(key, &rows::Lane::default());
            writes.push(lane.map_err(CommitError::Store)?);
        }
        writes.extend(forgotten.iter().map(|kept| row::removal(stream.id, kept)));
        let transaction = Transaction {
            writes,
            checks: vec![RowCheck {
                table: DELIVERY_STREAMS,
                key: tables::stream_key(&stream.arn),
                expect: Expect::Version(stream.row_version),
            }],
            ..Transaction::default()
        };
        match engine.commit(transaction).await {
            Ok(committed) => Ok((redelivery, committed.version)),
            Err(error @ CommitError::Unknown(_)) => {
                let found = row::find(engine, stream.id, &redelivery.id).await;
                let found = found.map_err(CommitError::Store)?;
                found.filter(|(it, _)| *it == redelivery).ok_or(error)
            }
            Err(error) => Err(error),
        }
    }
}

/// Those that ended first, as many as must go for another one.
fn to_forget(known: &[Arc<Entry>]) -> Vec<Kept> {
    let surplus = (known.len() + 1).saturating_sub(KEPT_MAX);
    let mut ended: Vec<Kept> = known.iter().map(|entry| entry.kept()).collect();
    ended.retain(|(redelivery, _)| !redelivery.is_at_work());
    ended.sort_by_key(|(redelivery, _)| (redelivery.ended_at_ms, redelivery.number));
    ended.truncate(surplus);
    ended
}

/// An order as it is asked for, read.
fn asked(order: RedeliveryOrder<'_>) -> Result<Asked, ApiError> {
    let wrong = |member: &str| {
        refused(format!(
            "{member} is neither TRIM_HORIZON nor milliseconds since 1970 nor a sequence number."
        ))
    };
    let version = match order.version.map(ContentHash::parse) {
        None => None,
        Some(Some(hash)) => Some(hash.0),
        Some(None) => return Err(refused("The version is named by its whole hash.")),
    };
    let to = order.to.map(|to| moment(to).ok_or_else(|| wrong("To")));
    Ok(Asked {
        from: moment(order.from).ok_or_else(|| wrong("From"))?,
        to: to.transpose()?,
        prefix: order.prefix.to_owned(),
        error_prefix: order.error_prefix.map(str::to_owned),
        version,
    })
}

/// A place: `TRIM_HORIZON`, milliseconds since 1970, or a sequence number.
fn moment(text: &str) -> Option<Moment> {
    if text == "TRIM_HORIZON" {
        return Some(Moment::TrimHorizon);
    }
    let is_number = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    // No time has as many digits as a sequence number.
    is_number.then(|| match text.parse() {
        Ok(ms) => Moment::At(ms),
        Err(_) => Moment::Number(text.to_owned()),
    })
}

fn refused(why: impl Into<String>) -> ApiError {
    ApiError::new("InvalidArgumentException", why)
}

fn over_limit(why: String) -> ApiError {
    ApiError::new("LimitExceededException", why)
}

fn busy(why: &str) -> ApiError {
    ApiError::new("ServiceUnavailableException", why).with_status(503)
}

fn unread(error: &StoreError) -> ApiError {
    busy(&format!("What is retained cannot be read: {error}."))
}
