//! Putting what a cut becomes.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use streams::pump::StepError;
use types::Invalid;

use super::{BYTES_PER_MIB, Halt, LaneStep, Phase, Undone};
use crate::counts::Became;
use crate::cut::Cut;
use crate::delivery_stream::Plan;
use crate::object_name::{Label, PARTS_PER_CUT_MAX};
use crate::objects::{Created, ObjectError};
use crate::open_cut::{OpenCut, Put, Way};
use crate::packing::Object;
use crate::prefix;
use crate::settled::Settled;
use crate::shares::Room;

/// What became of the puts of the open cut.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Puts {
    /// Nothing of the cut can be anywhere: it was kept here, and all that was put of it was
    /// refused.
    pub(super) untouched: bool,
    /// The store refused the object that was put last.
    pub(super) refused: bool,
    /// What is there of the cut, by the try that got furthest.
    pub(super) there: Put,
}

/// What stays the same for all objects of a cut.
pub(super) struct Putting<'a> {
    lane: &'a mut LaneStep,
    open: &'a OpenCut,
    plan: &'a Plan,
    /// Objects that were handed over so far.
    handed: u32,
    /// Those of them that are there.
    there: Put,
    /// A call of this cut was cut short before.
    is_slow: bool,
    /// What it holds meanwhile.
    room: Arc<Room>,
    /// Whether a put of it was slow.
    was_slow: bool,
}

/// How long a put may take, and how much longer for each mebibyte. One that takes longer is slow,
/// and counts with those that hold half of everything at most.
const QUICK_PUT_MAX: Duration = Duration::from_secs(1);
const QUICK_PUT_MAX_PER_MIB: Duration = Duration::from_millis(60);
/// Between two looks whether others wait for what a slow put holds.
const WANTED_LOOK: Duration = Duration::from_millis(100);

impl LaneStep {
    /// Delivers the open cut, and returns what became of its records.
    pub(super) async fn deliver(&mut self, open: &OpenCut) -> Result<Became, Undone> {
        self.puts.refused = false;
        if let Way::Skip(skip) = &open.way {
            return self.skip(open, skip).await;
        }
        let delivered = self.deliver_as_configured(open).await;
        if delivered.is_err() {
            self.ahead = None;
        }
        delivered
    }

    async fn deliver_as_configured(&mut self, open: &OpenCut) -> Result<Became, Undone> {
        let OpenCut {
            cut, destination, ..
        } = open;
        let plan = destination
            .plan()
            .map_err(|Invalid(why)| StepError::Failed(why))?;
        let work = self.work.clone();
        let (mut made, mut room) = match self.take_made(cut) {
            Some((done, room)) => (Some(done), room),
            None => (None, self.room(open, None).await?),
        };
        // What is worked on ahead takes no room before this has its own.
        let mut begin = self.begin_ahead(cut);
        let (mut asked, mut is_slow) = (None, false);
        loop {
            let settled = self.lane.settled.clone();
            let mut putting = Putting::new(self, (open, &plan), Arc::clone(&room));
            putting.is_slow = is_slow;
            let worked = match made.take() {
                Some(done) => Ok(done),
                None => {
                    work.run((cut, destination), settled, &room, &mut putting)
                        .await
                }
            };
            let put = match worked {
                Ok(done) => {
                    if let Some(begin) = begin.take() {
                        // Where not enough records wait for another cut, the task has ended.
                        let _ = begin.send(());
                    }
                    let put = putting.put_all(done.objects, done.settled.as_ref()).await;
                    put.map(|()| (done.label, done.became))
                }
                Err(halt) => Err(halt),
            };
            let was_slow = putting.was_slow;
            drop(putting);
            match put {
                Ok((label, became)) => {
                    (self.label, self.puts_slowly) = (label, was_slow);
                    return whole(cut, became);
                }
                Err(Halt::Undone(undone)) => return Err(undone),
                Err(Halt::NoRoom(most)) if asked == Some(most) => {
                    return Err(too_small(most).into());
                }
                Err(Halt::NoRoom(most)) => asked = Some(most),
                Err(Halt::Slow) => is_slow = true,
                Err(Halt::SlowPut) => {}
            }
            // No cut waits for room while it holds some.
            (self.ahead, begin) = (None, None);
            drop(room);
            room = self.room(open, asked).await?;
        }
    }

    /// Waits for room for the open cut, if there is none at once: so many bytes, or those that it
    /// is likely to need.
    pub(super) async fn room(
        &mut self,
        open: &OpenCut,
        bytes: Option<u64>,
    ) -> Result<Arc<Room>, StepError> {
        // No cut waits for room while it holds some.
        self.held = None;
        // What is skipped could not be delivered before.
        let is_stuck = matches!(self.phase, Phase::Stuck(_)) || open.is_skipped();
        let is_stuck = is_stuck || self.puts_slowly;
        let cut = (&open.cut, &open.destination);
        self.work.room(cut, bytes, is_stuck).await
    }
}

/// How long the put of so many bytes may take and be a quick one.
fn quick_put_max(bytes: usize) -> Result<Duration, StepError> {
    let mebibytes = u32::try_from((bytes as u64).div_ceil(BYTES_PER_MIB));
    let mebibytes = mebibytes.map_err(|error| StepError::Failed(error.to_string()))?;
    Ok(QUICK_PUT_MAX + QUICK_PUT_MAX_PER_MIB * mebibytes)
}

/// What became of all records of a cut.
///
/// # Errors
/// When it is not of as many as were gathered: then some are in no object, or in two.
fn whole(cut: &Cut, became: Became) -> Result<Became, Undone> {
    let (found, gathered) = (became.counts.records_in, cut.records);
    if found != gathered {
        let why = format!("{found} records were worked on of a cut of {gathered}");
        return Err(StepError::Failed(why).into());
    }
    Ok(became)
}

/// A cut does not fit into all the room that its delivery stream may have.
fn too_small(needed: u64) -> StepError {
    let mebibytes = needed.div_ceil(BYTES_PER_MIB);
    StepError::Failed(format!(
        "what the plugin makes of the records does not fit into the memory for one delivery \
         stream; with stream_memory_mib = {mebibytes} in [delivery_limits] it does"
    ))
}

impl<'a> Putting<'a> {
    pub(super) fn new(
        lane: &'a mut LaneStep,
        (open, plan): (&'a OpenCut, &'a Plan),
        room: Arc<Room>,
    ) -> Self {
        Self {
            lane,
            open,
            plan,
            handed: 0,
            there: Put::default(),
            is_slow: false,
            room,
            was_slow: false,
        }
    }

    /// Whether a call of this cut was cut short before.
    pub(super) fn is_slow(&self) -> bool {
        self.is_slow
    }

    /// Whether what was decided still is what is to be done: another configuration means another
    /// cut, for as long as nothing of this one is handed over.
    pub(super) fn is_still_wanted(&self) -> Result<(), Undone> {
        let lane = &*self.lane;
        let version_id = lane.signals.stream.borrow().version_id;
        if lane.lane.open.is_none() && self.open.cut.version_id != version_id {
            return Err(Undone::Changed);
        }
        Ok(())
    }

    /// Puts objects one after the other, once the cut and what is settled with them is kept.
    pub(super) async fn put_all(
        &mut self,
        objects: Vec<Object>,
        settled: Option<&Settled>,
    ) -> Result<(), Halt> {
        if objects.is_empty() {
            return Ok(());
        }
        let too_many = || {
            let why = format!("a cut became more than {PARTS_PER_CUT_MAX} objects");
            Undone::Failed(StepError::Failed(why))
        };
        let count = u32::try_from(objects.len()).map_err(|_| too_many())?;
        self.handed += count;
        self.lane.leave(self.open, self.handed, settled).await?;
        for object in objects {
            if object.part > PARTS_PER_CUT_MAX {
                return Err(too_many().into());
            }
            self.put(object).await?;
        }
        Ok(())
    }

    async fn put(&mut self, object: Object) -> Result<(), Halt> {
        let (key, bucket) = (self.key(&object)?, &self.plan.bucket);
        let tools = Arc::clone(&self.lane.work.tools);
        // Failed records are not packed.
        let encoding = if object.is_failed {
            None
        } else {
            self.open.destination.compression.content_encoding()
        };
        let quick_max = quick_put_max(object.content.content_length())?;
        let is_putting = Arc::clone(&self.lane.is_putting);
        is_putting.store(true, Ordering::Relaxed);
        let create = tools.objects.create(bucket, &key, object.content, encoding);
        let created = self.in_room(create, quick_max).await;
        is_putting.store(false, Ordering::Relaxed);
        let lane = &mut *self.lane;
        let Some(created) = created else {
            // It may be there all the same.
            lane.puts.untouched = false;
            return Err(Halt::SlowPut);
        };
        match created {
            Ok(Created::New | Created::There) => {
                self.there = self.there.and(object.holds);
                lane.puts.there = lane.puts.there.or(self.there);
                lane.puts.untouched = false;
                lane.state.put(key);
                Ok(())
            }
            Ok(Created::Different) => {
                // It may be ours, made by another build: it is not sure any more that nothing of
                // the cut is anywhere.
                lane.puts.untouched = false;
                Err(Halt::Undone(Undone::Undecided(format!(
                    "put {key} into {bucket}: an object of this name is there that holds something \
                     else. It is left as it is, and nothing after it is delivered. Take it away if \
                     it is not ours, or decide what becomes of the delivery"
                ))))
            }
            Err(error) => {
                let refused = match error {
                    ObjectError::Impossible(_) => " is refused for good",
                    ObjectError::Refused(_) => " is refused",
                    ObjectError::Failed(_) => "",
                };
                lane.puts.refused = !refused.is_empty();
                lane.puts.untouched &= lane.puts.refused;
                let why = format!("put {key} into {bucket}{refused}: {error}");
                Err(StepError::Failed(why).into())
            }
        }
    }

    /// Waits for a put. One that takes longer than quick ones counts as slow from then on. Once
    /// others wait for room, what was worked on ahead is forgotten, and if those that are slow hold
    /// as much as they may, the put is given up: `None`.
    async fn in_room<T>(&mut self, put: impl Future<Output = T>, quick_max: Duration) -> Option<T> {
        let mut put = std::pin::pin!(put);
        tokio::select! {
            created = &mut put => return Some(created),
            () = tokio::time::sleep(quick_max) => {}
        }
        self.was_slow = true;
        self.lane.puts_slowly = true;
        loop {
            let is_slow = self.room.turn_slow();
            if self.room.is_wanted() && !self.lane.forget_ahead() && !is_slow {
                return None;
            }
            tokio::select! {
                created = &mut put => return Some(created),
                () = tokio::time::sleep(WANTED_LOOK) => {}
            }
        }
    }

    fn key(&self, object: &Object) -> Result<String, StepError> {
        let (lane, cut) = (&*self.lane, &self.open.cut);
        let (prefix, extension) = if object.is_failed {
            (&self.plan.prefixes.failed, "")
        } else {
            let extension = self.open.destination.extension();
            (&self.plan.prefixes.delivered, extension)
        };
        let arn = lane.signals.stream.borrow().arn.clone();
        let oldest = prefix::date_of(cut.oldest);
        let label = Label {
            stream: arn.name.as_str(),
            version: cut.version_id,
            oldest: oldest.map_err(|Invalid(why)| StepError::Failed(why))?,
            extension,
        };
        let place = lane.work.place(cut, object.part, object.is_failed);
        Ok(lane.work.tools.naming.object_key(prefix, place, label))
    }
}
