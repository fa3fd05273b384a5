//! Handing over what a cut becomes, piece by piece.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use streams::pump::StepError;
use tokio::task::JoinSet;
use types::Invalid;

use super::{BYTES_PER_MIB, Halt, LaneStep, Undone};
use crate::answers::Failed;
use crate::counts::Counts;
use crate::error_log::Wrong;
use crate::lane_state::StuckCut;
use crate::object_name::{PARTS_PER_CUT_MAX, Place};
use crate::open_cut::{OpenCut, Put};
use crate::orders::{self, Obeyed, Order, Outcome};
use crate::piece::{Piece, PieceKind};
use crate::settled::Settled;
use crate::shares::Room;
use crate::sink::{Answer, Bucket, InPart, Remote, Sending, Sink};

/// The pieces of a cut on their way, one after the other.
pub(super) struct HandOver<'a> {
    lane: &'a mut LaneStep,
    open: &'a OpenCut,
    sink: Sink,
    /// Pieces that were handed over so far.
    handed: u32,
    /// Those of them that are there.
    there: Put,
    begun: Instant,
    /// Those that are known to be there by the tries before.
    known: Put,
    /// A call of this cut was cut short before.
    pub(super) is_slow: bool,
    /// What it holds meanwhile.
    room: Arc<Room>,
    /// Whether a put of it was slow.
    pub(super) was_slow: bool,
    /// It is shown that the destination does not answer.
    is_shown: bool,
}

/// Objects of partitions that are put at the same time.
const PUTS_AT_ONCE: usize = 16;
/// How long a put may take, and how much longer for each mebibyte. One that takes longer is slow,
/// and counts with those that hold half of everything at most.
const QUICK_PUT_MAX: Duration = Duration::from_secs(1);
const QUICK_PUT_MAX_PER_MIB: Duration = Duration::from_millis(60);
/// Between two looks whether others wait for what a slow put holds.
const WANTED_LOOK: Duration = Duration::from_millis(100);

impl<'a> HandOver<'a> {
    /// Begins with a cut, which holds this room.
    ///
    /// # Errors
    /// When what is kept of its destination cannot be meant.
    pub(super) fn begin(
        lane: &'a mut LaneStep,
        open: &'a OpenCut,
        room: Arc<Room>,
    ) -> Result<Self, StepError> {
        let stream = Arc::clone(&lane.signals.stream.borrow());
        let tools = &lane.work.tools;
        let of = (&stream.arn.name, lane.work.provenance.numbering());
        let bucket = Bucket::begin((&tools.objects, &tools.naming), of, open);
        let not_meant = |Invalid(why)| StepError::Failed(why);
        let bucket = bucket.map_err(not_meant)?;
        let sending = Sending {
            endpoints: &tools.endpoints,
            naming: &tools.naming,
            clock: &tools.clock,
            secrets: &tools.secrets,
            lane: (stream.id.0, (lane.work.key.stream, lane.work.key.shard)),
        };
        let remote = Remote::begin(sending, &stream, &open.destination).map_err(not_meant)?;
        Ok(Self {
            sink: Sink::begin(bucket, remote),
            known: lane.known_to_be_there(),
            lane,
            open,
            handed: 0,
            there: Put::default(),
            begun: Instant::now(),
            is_slow: false,
            room,
            was_slow: false,
            is_shown: false,
        })
    }

    /// Shows that records of the cut made their plugin miss its deadline: they are looked for one
    /// by one, which may take long.
    pub(super) fn takes_long(&self) {
        let (records, seconds) = (self.open.cut.records, self.begun.elapsed().as_secs());
        self.takes_long_since(&format!(
            "its plugin does not end in time with some of {records} records, which are found one \
             by one since {seconds} s and fail"
        ));
    }

    /// Shows why the cut takes long, and what an operator can do about it.
    fn takes_long_since(&self, why: &str) {
        let (stream, lane) = (self.lane.signals.stream.borrow(), &self.lane.work.key);
        let (name, lane) = (stream.arn.name.as_str(), lane.lane_name());
        let commands = if self.open.is_skipped() {
            orders::commands_about_skipped(name, &lane)
        } else {
            orders::commands(name, &lane)
        };
        let stuck = StuckCut::of(self.lane.lane.open.as_ref().unwrap_or(self.open));
        self.lane
            .state
            .takes_long(format!("{why}: {commands}"), stuck);
    }

    /// Whether what was decided still is what is to be done: another configuration means another
    /// cut, for as long as nothing of this one is handed over, and an operator may decide.
    pub(super) fn is_still_wanted(&mut self) -> Result<(), Undone> {
        let lane = &mut *self.lane;
        let version_id = lane.signals.stream.borrow().version_id;
        if lane.lane.open.is_none() && self.open.cut.version_id != version_id {
            return Err(Undone::Changed);
        }
        self.looks_for_order().map(|_| ())
    }

    /// Looks whether an operator has decided about the cut. Whether it is to be tried again, which
    /// is answered.
    fn looks_for_order(&mut self) -> Result<bool, Undone> {
        let lane = &mut *self.lane;
        let Ok(asked) = lane.signals.orders.try_recv() else {
            return Ok(false);
        };
        let is_meant = asked.cut == Some(self.open.cut.number);
        if asked.order == Order::Retry || !is_meant {
            let told = if is_meant {
                // As it is kept, if something of it was handed over.
                let open = lane.lane.open.as_ref().unwrap_or(self.open);
                Obeyed {
                    outcome: Outcome::Done,
                    records: open.cut.records,
                    objects: open.objects_that_may_exist(),
                }
            } else {
                Obeyed::not(Outcome::NothingStuck)
            };
            // Where the operator has gone away, the page shows how it is.
            let _ = asked.answer.send(told);
            return Ok(is_meant);
        }
        // The lane obeys once it has stopped.
        lane.asked = Some(asked);
        let why = "an operator decided about it while it was worked on";
        Err(Undone::Failed(StepError::Failed(why.to_owned())))
    }

    /// Hands over pieces one after the other, once the cut and what is settled with them is kept.
    pub(super) async fn hand_all(
        &mut self,
        pieces: Vec<Piece>,
        settled: Option<&Settled>,
    ) -> Result<(), Halt> {
        if pieces.is_empty() {
            return Ok(());
        }
        let too_many = || {
            let why = format!("a cut became more than {PARTS_PER_CUT_MAX} objects");
            Undone::Failed(StepError::Failed(why))
        };
        let count = u32::try_from(pieces.len()).map_err(|_| too_many())?;
        self.handed += count;
        self.lane.leave(self.open, self.handed, settled).await?;
        if pieces.iter().any(|piece| piece.part > PARTS_PER_CUT_MAX) {
            return Err(too_many().into());
        }
        let mut pieces = pieces.into_iter().peekable();
        while let Some(piece) = pieces.next() {
            let mut together = vec![piece];
            // What is of partitions is small and much.
            let are_of_partitions =
                |one: &Piece, other: &Piece| one.partition.is_some() && other.partition.is_some();
            while together.len() < PUTS_AT_ONCE
                && let Some(next) = pieces.next_if(|next| are_of_partitions(&together[0], next))
            {
                together.push(next);
            }
            if together.len() == 1 {
                self.hand(together.remove(0)).await?;
            } else {
                self.hand_together(together).await?;
            }
        }
        Ok(())
    }

    /// Hands over objects at the same time, and takes the answers in their order: what is known to
    /// be there are the first so many, as ever.
    async fn hand_together(&mut self, pieces: Vec<Piece>) -> Result<(), Halt> {
        let bytes = pieces.iter().map(|piece| piece.content.content_length());
        let quick_max = quick_put_max(bytes.sum())?;
        let is_putting = Arc::clone(&self.lane.is_putting);
        is_putting.store(true, Ordering::Relaxed);
        let mut puts = JoinSet::new();
        let mut handed = Vec::new();
        for (number, piece) in pieces.into_iter().enumerate() {
            handed.push((piece.part, piece.holds, false));
            let (sink, place) = (self.sink.clone(), self.place(&piece));
            puts.spawn(async move { (number, sink.hand(piece, place).await) });
        }
        let began = Instant::now();
        let all = async move {
            let mut answers = BTreeMap::new();
            while let Some(put) = puts.join_next().await {
                let (number, answer) = put.map_err(|error| StepError::Failed(error.to_string()))?;
                answers.insert(number, answer);
            }
            Ok::<_, StepError>(answers)
        };
        let answered = self.in_room(all, (quick_max, false)).await;
        is_putting.store(false, Ordering::Relaxed);
        // One may be there though another is not.
        self.lane.puts.untouched = false;
        for (handed, answer) in handed.into_iter().zip(answered??.into_values()) {
            self.takes(handed, answer, began).await?;
        }
        Ok(())
    }

    async fn hand(&mut self, piece: Piece) -> Result<(), Halt> {
        if self.is_taken(&piece) {
            self.is_there(piece.part, piece.holds, true);
            return Ok(());
        }
        let quick_max = quick_put_max(piece.content.content_length())?;
        let (holds, place) = (piece.holds, self.place(&piece));
        let is_putting = Arc::clone(&self.lane.is_putting);
        is_putting.store(true, Ordering::Relaxed);
        // What waits for an answer holds no part of the lane.
        let (sink, part) = (self.sink.clone(), piece.part);
        let is_request = self.is_request(&piece);
        let began = Instant::now();
        let handing = sink.hand(piece, place);
        let answered = self.in_room(handing, (quick_max, is_request)).await;
        is_putting.store(false, Ordering::Relaxed);
        if answered.is_err() {
            // It may be there all the same.
            (self.lane.puts.untouched, self.lane.puts.may_be_there) = (false, true);
        }
        self.takes((part, holds, is_request), answered?, began)
            .await
    }

    /// What was handed over is answered: its number, what it holds, and whether it is a request.
    async fn takes(
        &mut self,
        (part, holds, is_request): (u16, Counts, bool),
        answer: Answer,
        began: Instant,
    ) -> Result<(), Halt> {
        let lane = &mut *self.lane;
        lane.code = None;
        match answer {
            Answer::Delivered(name) => {
                self.is_there(part, holds, is_request);
                let lane = &mut *self.lane;
                lane.puts.untouched = false;
                lane.tell_delivery(&name, holds);
                lane.state.put(name);
                if is_request && self.sink.knows_nothing_again() {
                    // A crash sends as little once more as can be.
                    lane.keep_what_is_there().await;
                }
                Ok(())
            }
            Answer::Undecided(why) => {
                // It may be ours, made by another build: it is not sure any more that nothing of
                // the cut is anywhere.
                lane.puts.untouched = false;
                Err(Halt::Undone(Undone::Undecided(why)))
            }
            Answer::AgainForItsTime {
                why,
                fault,
                retry_time,
                is_unasked,
            } => {
                let failed = Failed {
                    part,
                    fault: &fault,
                    waited: began.elapsed(),
                    retry_time,
                };
                lane.code = Some(fault.code);
                self.fails_for_now(failed, (why, is_unasked)).await
            }
            Answer::MayBeThere(why) => {
                (lane.puts.untouched, lane.puts.may_be_there) = (false, true);
                Err(StepError::Failed(why).into())
            }
            Answer::InPart(in_part) => {
                let waited = began.elapsed();
                self.is_taken_in_part((part, holds, waited), in_part).await
            }
            Answer::Refused(fault) => {
                lane.puts.untouched = false;
                lane.tell_refusal(&fault);
                let answers = &self.open.answers;
                let answers = answers.after_refusal(part, &fault, lane.work.tools.clock.now());
                let taken = answers.records_of(part).map(|_| part);
                lane.keep_answers(answers, taken).await?;
                Err(Halt::Refused)
            }
            Answer::Again { why, is_refused } => {
                lane.puts.refused = is_refused;
                lane.puts.untouched &= is_refused;
                Err(StepError::Failed(why).into())
            }
        }
    }

    /// A piece is known to be there. What it holds is not lost if the rest is given up.
    fn is_there(&mut self, part: u16, holds: Counts, is_request: bool) {
        self.there = self.there.and(holds);
        if is_request {
            self.there = self.there.with_request(part);
        }
        let puts = &mut self.lane.puts;
        puts.there = puts.there.or(self.there);
        puts.in_part = Counts::default();
        puts.may_be_there = false;
    }

    /// A piece was not taken: it is tried again while there is time for that, and refused after it.
    async fn fails_for_now(
        &mut self,
        failed: Failed<'_>,
        (why, is_unasked): (String, bool),
    ) -> Result<(), Halt> {
        let (lane, part) = (&mut *self.lane, failed.part);
        (lane.puts.untouched, lane.puts.is_timed) = (false, true);
        let answers = &self.open.answers;
        let answers = answers.after_failure(failed, lane.work.tools.clock.now());
        let is_over = answers.is_over(part);
        // Tries of processes before this one are not known.
        let may_be_there = lane.puts.may_be_there || !lane.puts.begun_here;
        if is_over && is_unasked && may_be_there {
            let why = format!(
                "{why}. The time for it is over; it may be there since a try before, and is not \
                 given up before that is known"
            );
            return Err(StepError::Failed(why).into());
        }
        // It is there without some of its records.
        let taken = answers.records_of(part).map(|_| part);
        lane.keep_answers(answers, taken).await?;
        if is_over {
            lane.tell_refusal(failed.fault);
            Err(Halt::Refused)
        } else {
            Err(StepError::Failed(why).into())
        }
    }

    /// Some records of a piece were not taken, and all others are there. Once none of them may be
    /// any more, the piece is there without them.
    async fn is_taken_in_part(
        &mut self,
        (part, holds, waited): (u16, Counts, Duration),
        in_part: InPart,
    ) -> Result<(), Halt> {
        let lane = &mut *self.lane;
        lane.puts.untouched = false;
        let InPart { why, faults, again } = in_part;
        let (answers, now) = (&self.open.answers, lane.work.tools.clock.now());
        let answers = match &again {
            None => answers.after_refusal_of(part, &faults, now),
            Some((fault, retry_time)) => {
                let failed = Failed {
                    part,
                    fault,
                    waited,
                    retry_time: *retry_time,
                };
                answers.after_failure_of(failed, &faults, now)
            }
        };
        if answers.records_of(part).is_some() {
            lane.tell_refusal_of(&faults);
            lane.keep_answers(answers, Some(part)).await?;
            return Err(Halt::Refused);
        }
        lane.puts.is_timed = true;
        lane.puts.in_part = Counts::delivered(holds.delivered - answers.left_in(part));
        lane.code = again.map(|(fault, _)| fault.code);
        lane.keep_answers(answers, None).await?;
        Err(StepError::Failed(why).into())
    }

    /// Whether an endpoint is known to have taken a piece: it is not sent again. That goes by its
    /// number among the requests alone: how many other pieces come before it may be another number
    /// in another build.
    fn is_taken(&self, piece: &Piece) -> bool {
        self.is_request(piece) && self.known.has_request(piece.part)
    }

    fn is_request(&self, piece: &Piece) -> bool {
        piece.kind == PieceKind::Delivered && self.sink.sends_requests()
    }

    fn place(&self, piece: &Piece) -> Place {
        let (work, cut) = (&self.lane.work, &self.open.cut);
        work.place(cut, piece.part, piece.kind)
    }

    /// Waits for a put. One that takes longer than quick ones counts as slow from then on. Once
    /// others wait for room, what was worked on ahead is forgotten, and if those that are slow hold
    /// as much as they may, the put is given up. So it is if an operator decides, or another
    /// endpoint is configured. What was shown of one that hung is shown no longer than it does.
    async fn in_room<T>(
        &mut self,
        put: impl Future<Output = T>,
        quick: (Duration, bool),
    ) -> Result<T, Halt> {
        let answered = self.until_answered(put, quick).await;
        // What else is shown of the cut stays: an operator may be about to decide.
        if std::mem::replace(&mut self.is_shown, false) {
            self.room.hangs(false);
            if matches!(answered, Ok(_) | Err(Halt::Anew | Halt::SlowPut)) {
                self.lane.state.has_no_stuck_cut();
            }
        }
        answered
    }

    async fn until_answered<T>(
        &mut self,
        put: impl Future<Output = T>,
        (quick_max, is_request): (Duration, bool),
    ) -> Result<T, Halt> {
        let begun = Instant::now();
        let mut put = std::pin::pin!(put);
        tokio::select! {
            created = &mut put => return Ok(created),
            () = tokio::time::sleep(quick_max) => {}
        }
        self.was_slow = true;
        self.lane.puts_slowly = true;
        loop {
            let is_slow = self.room.turn_slow();
            if self.room.is_wanted() && !self.lane.forget_ahead() && !is_slow {
                return Err(Halt::SlowPut);
            }
            let is_in_force = self.sink.is_in_force(&self.lane.signals.stream.borrow());
            if self.looks_for_order()? || is_request && !is_in_force {
                return Err(Halt::Anew);
            }
            if let Some(shown) = self.sink.hangs(begun.elapsed()) {
                self.takes_long_since(&shown);
                if !std::mem::replace(&mut self.is_shown, true) {
                    self.lane.note(Wrong::Trouble, None, &shown);
                    self.room.hangs(true);
                }
            }
            tokio::select! {
                created = &mut put => return Ok(created),
                () = tokio::time::sleep(WANTED_LOOK) => {}
            }
        }
    }
}

/// How long the put of so many bytes may take and be a quick one.
fn quick_put_max(bytes: usize) -> Result<Duration, StepError> {
    let mebibytes = u32::try_from((bytes as u64).div_ceil(BYTES_PER_MIB));
    let mebibytes = mebibytes.map_err(|error| StepError::Failed(error.to_string()))?;
    Ok(QUICK_PUT_MAX + QUICK_PUT_MAX_PER_MIB * mebibytes)
}
