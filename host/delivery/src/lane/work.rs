//! What a cut becomes: its records read, transformed and packed. Nothing of it leaves here, so that
//! it can be done before the cut is kept.

use std::sync::Arc;

use store::{Frame, Position, ReadBatch, StoreError};
use streams::pump::Damage;
use streams::pump::StepError;
use types::{AccountId, Invalid};
use wasm::{ContentHash, Moment, Party, PluginName, Plugins, Turn, Version, Workplace};

use super::deliver::Past;
use super::hand_over::HandOver;
use super::pinned::Named;
use super::seat::holds_less;
use super::{Halt, Ordered, Tools, Undone, failed};
use crate::arn::DeliveryStreamName;
use crate::conversion::{Conversion, Terms as ConversionTerms};
use crate::counts::Became;
use crate::cut::{Cut, Extra, Gathering, Hints};
use crate::deaggregation::Deaggregation;
use crate::delivery_stream::{DeliveryStream, Destination, Transform};
use crate::metadata::Provenance;
use crate::need::{Need, READ_BYTES};
use crate::object_name::Place;
use crate::open_cut::OpenCut;
use crate::packing::{Allowance, Halted, Task};
use crate::piece::{Piece, PieceKind};
use crate::settled::Settled;
use crate::shares::Room;
use crate::sink::Forms;
use crate::sink::requests::Terms as RequestTerms;
use crate::tables::LaneKey;
use crate::transform::{Stopped, Terms, Transformer};
use crate::user_records;
use crate::worker::Worker;

impl Done {
    /// What a cut became that is worked on to its end. The room is as large as what is left of it,
    /// with an answer to it.
    fn of(working: Working) -> Self {
        let mut worker = working.worker;
        let done = Self {
            pieces: worker.take_ready(),
            became: worker.became(),
            settled: worker.settled().cloned(),
            label: working.label,
        };
        working.room.end_work(done.bytes() + working.answer_bytes);
        done
    }

    /// Bytes of the pieces.
    fn bytes(&self) -> u64 {
        let pieces = self.pieces.iter();
        pieces
            .map(|piece| piece.content.content_length() as u64)
            .sum()
    }
}

/// A lane's log, and what it takes to work on it.
#[derive(Clone)]
pub(super) struct Work {
    pub(super) tools: Arc<Tools>,
    pub(super) account: AccountId,
    pub(super) key: LaneKey,
    /// The delivery stream's name.
    pub(super) name: DeliveryStreamName,
    pub(super) log: store::LogId,
    /// Where instances work for it.
    pub(super) workplace: Arc<Workplace>,
    /// Where its records come from.
    pub(super) provenance: Arc<Provenance>,
    /// The version that those which are gathered name. Only records that are delivered once more
    /// name one.
    pub(super) named: Option<Named>,
    /// What of the log it is about, if not all of it.
    pub(super) ordered: Option<Ordered>,
}

/// How far the log was looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Looked {
    /// There is as much as goes together.
    UntilFull,
    /// There is no more at the moment.
    UpToTip,
    /// There is no more and never will be.
    UpToEnd,
    /// What comes next cannot be read.
    UpToDamage,
}

/// What a cut became.
pub(super) struct Done {
    /// The pieces that became ready last.
    pub(super) pieces: Vec<Piece>,
    /// What became of its records.
    pub(super) became: Became,
    /// What is settled once they have left, if they went through a plugin.
    pub(super) settled: Option<Settled>,
    /// What the author calls the version of it.
    pub(super) label: String,
}

/// A cut on its way from frames to objects.
struct Working {
    worker: Worker,
    party: Party,
    room: Arc<Room>,
    /// The most that it can need, and bytes of an answer within that.
    most: u64,
    answer_bytes: u64,
    label: String,
    /// A call of an earlier try of it was cut short, so that it waits for slow threads to its end:
    /// however quick what comes before that call is, it must not come to it on a quick thread
    /// again.
    is_slow: bool,
}

/// What records are converted by, if they are.
fn conversion_of(destination: &Destination) -> Result<Option<ConversionTerms>, StepError> {
    let conversion = destination.converts().map(Conversion::terms).transpose();
    let conversion = conversion.map_err(|Invalid(why)| StepError::Failed(why))?;
    Ok(conversion.flatten())
}

impl Work {
    /// Works on a whole cut, and puts what is ready before the last objects are. In the end the
    /// room is as large as these.
    pub(super) async fn run(
        &self,
        open: &OpenCut,
        past: Past,
        room: &Arc<Room>,
        handing: &mut HandOver<'_>,
    ) -> Result<Done, Halt> {
        let (cut, destination) = (&open.cut, &open.destination);
        let need = Need::of(cut, destination);
        let mut working = self.begin(open, past, room, need).await?;
        working.is_slow = handing.is_slow;
        let mut read = self.read_on(cut.from).await?;
        loop {
            read.frames.retain(|frame| frame.position < cut.to);
            let (frames, at) = (read.frames, read.next);
            let is_last = frames.is_empty() || cut.to <= at;
            working.worker.add(frames);
            if is_last {
                working.worker.add_no_more();
            }
            let worked = self.work_on(working, handing);
            // The next stretch is read while this one is worked on.
            let (worked, next) = tokio::join!(worked, async {
                if is_last {
                    Ok(None)
                } else {
                    self.read_on(at).await.map(Some)
                }
            });
            working = worked?;
            match next? {
                Some(next) => read = next,
                None => break,
            }
        }
        Ok(Done::of(working))
    }

    /// Works on what was added, in as many turns as it takes, and puts objects as they become
    /// ready, but for those that are ready in the end.
    async fn work_on(
        &self,
        mut working: Working,
        handing: &mut HandOver<'_>,
    ) -> Result<Working, Halt> {
        while working.worker.has_more() {
            let ready = working.worker.take_ready();
            if !ready.is_empty() {
                working.room.rest();
                handing.hand_all(ready, working.worker.settled()).await?;
                working.room.go_on().await;
            }
            handing.is_still_wanted()?;
            if working.worker.settled().is_some_and(Settled::has_late) {
                handing.takes_long();
            }
            let until_ready = |worker: &mut Worker, turn: &Turn| {
                worker.work(|worker| worker.has_ready() || turn.is_over())
            };
            working = self.turn(working, until_ready).await?;
        }
        Ok(working)
    }

    /// Works on a whole cut whose frames were read before, and puts nothing.
    pub(super) async fn run_on(
        &self,
        frames: Vec<Frame>,
        open: &OpenCut,
        room: &Arc<Room>,
    ) -> Result<Done, Halt> {
        let need = Need::of_held(&open.cut, &open.destination);
        let mut working = self.begin(open, Past::default(), room, need).await?;
        working.worker.add(frames);
        working.worker.add_no_more();
        while working.worker.has_more() {
            let until_over = |worker: &mut Worker, turn: &Turn| worker.work(|_| turn.is_over());
            working = self.turn(working, until_over).await?;
        }
        Ok(Done::of(working))
    }

    /// Lets the worker do something when it is its turn, on a thread that may be blocked.
    async fn turn(
        &self,
        mut working: Working,
        what: impl FnOnce(&mut Worker, &Turn) -> Result<(), Halted> + Send + 'static,
    ) -> Result<Working, Halt> {
        let (threads, party) = (&self.tools.threads, working.party.clone());
        let did = threads.run(&party, working.is_slow, move |turn| {
            let did = what(&mut working.worker, turn);
            (working, did, turn.was_cut_short())
        });
        let did = did.await;
        let (working, did, was_cut_short) =
            did.map_err(|lost| StepError::Failed(lost.to_string()))?;
        match did {
            Err(Halted::Stopped(_)) if was_cut_short => Err(Halt::Slow),
            // Slow parties have a part of all rooms.
            Ok(()) if holds_less(threads, &party) && !working.room.turn_slow() => Err(Halt::Slow),
            Ok(()) => Ok(working),
            Err(Halted::NoRoom) => Err(Halt::NoRoom(working.most)),
            Err(Halted::Stopped(Stopped::ForNow(why))) => Err(StepError::Failed(why).into()),
            Err(Halted::Stopped(Stopped::Changed(why))) => Err(Undone::Undecided(why).into()),
        }
    }

    async fn begin(
        &self,
        open: &OpenCut,
        past: Past,
        room: &Arc<Room>,
        need: Need,
    ) -> Result<Working, StepError> {
        let (cut, destination) = (&open.cut, &open.destination);
        let transform = destination.transform.clone();
        // Without one nothing is between records, and without a transform no line names it.
        let delimiter = destination.delimiter.clone().unwrap_or_default();
        let arn = transform.as_ref().map(|transform| transform.arn.clone());
        let object_bytes_max = usize::try_from(cut.object_bytes_max);
        let task = Task {
            delimiter: delimiter.into_bytes(),
            function_arn: arn.unwrap_or_default(),
            decided_at: cut.decided_at,
            object_bytes_max: object_bytes_max
                .map_err(|error| StepError::Failed(error.to_string()))?,
            unpacks: cut.unpacked.is_some(),
            decompression: destination.decompression,
            deaggregation: destination.deaggregation.clone(),
            provenance: Arc::clone(&self.provenance),
        };
        let allowance = Allowance {
            room: Arc::clone(room),
            besides: need.records + need.answer,
        };
        let conversion = conversion_of(destination)?;
        let partitions = self.partitions(open, task.object_bytes_max, conversion.as_ref())?;
        let Past { settled, answers } = past;
        let requests = |envelope| RequestTerms {
            naming: self.tools.naming.clone(),
            place: self.place(cut, 0, PieceKind::Delivered),
            made_at: cut.decided_at,
            envelope,
            answers,
        };
        let mut forms = Forms::of(destination, requests, (partitions, conversion));
        if self.key.is_of_replays() {
            // They went there when they came in.
            forms.backup = None;
        }
        let working = |transformer, most, label| -> Result<Working, StepError> {
            Ok(Working {
                worker: Worker::new(task, allowance, forms, transformer),
                party: self.party(destination)?,
                room: Arc::clone(room),
                most,
                answer_bytes: need.answer,
                label,
                is_slow: false,
            })
        };
        let (Some(pins), Some(transform)) = (cut.plugin, transform) else {
            return working(None, Need::most(cut, destination, None), String::new());
        };
        // It is finished with the version that it was begun with, whatever became of that.
        let loaded = self
            .find_version(&transform, pins.hash, Plugins::version_begun)
            .await;
        let version = loaded.map_err(StepError::Failed)?;
        let label = version.label().to_owned();
        let output = pins.limits.output_bytes_max;
        let (now, place) = (cut.decided_at, self.place(cut, 0, PieceKind::Delivered));
        let seed = self.tools.naming.seed(place);
        let terms = Terms {
            pins,
            moment: Moment { now, seed },
            retries: transform.retries,
            delivery_stream: self.key.delivery_stream.0,
        };
        let transformer = Transformer::new(version, Arc::clone(&self.workplace), terms, settled);
        let most = Need::most(cut, destination, Some(output));
        working(Some(transformer), most, label)
    }

    /// Loads the version that the lane goes by, and has it held ready for the cuts to come.
    ///
    /// # Errors
    /// Why it cannot be had, as a sentence.
    pub(super) async fn load(
        &self,
        destination: &Destination,
        hash: ContentHash,
    ) -> Result<Arc<Version>, Option<String>> {
        // Who goes by no plugin has no version to load.
        let transform = destination.transform.as_ref().ok_or(None)?;
        let loaded = self.find_version(transform, hash, Plugins::version).await;
        let version = loaded.map_err(Some)?;
        self.tools.plugins.hold(&version);
        Ok(version)
    }

    async fn find_version(
        &self,
        transform: &Transform,
        hash: ContentHash,
        find: impl FnOnce(&Plugins, &PluginName, ContentHash) -> Result<Arc<Version>, String>
        + Send
        + 'static,
    ) -> Result<Arc<Version>, String> {
        let plugins = Arc::clone(&self.tools.plugins);
        let name = transform.plugin().map_err(|Invalid(why)| why)?;
        let loading = tokio::task::spawn_blocking(move || find(&plugins, &name, hash));
        let loaded = loading.await.map_err(|error| error.to_string())?;
        let plugin = &transform.plugin;
        loaded.map_err(|why| format!("load version {hash:?} of {plugin}: {why}"))
    }

    /// Takes in frames until there are enough or no more, and shows each that was to `see`.
    pub(super) async fn look(
        &self,
        gathering: &mut Gathering,
        stream: &DeliveryStream,
        mut see: impl FnMut(&Frame),
    ) -> Result<Looked, StepError> {
        let hints = Hints::of(&stream.plan);
        let division = stream.destination.deaggregation.as_ref();
        loop {
            let read = match self.read(gathering.to).await {
                Ok(read) => read,
                Err(error) if error.hides_records() => return Ok(Looked::UpToDamage),
                Err(error) => return Err(failed(&error)),
            };
            let (next, tip, sealed) = (read.next, read.tip, read.sealed);
            let extras = self.extras(&read.frames, division).await?;
            for (frame, extra) in read.frames.iter().zip(extras) {
                if self.goes_apart(gathering, frame)? {
                    return Ok(Looked::UntilFull);
                }
                gathering.add(frame, extra);
                see(frame);
                if gathering.is_full(hints) {
                    return Ok(Looked::UntilFull);
                }
            }
            gathering.reaches(next);
            if next >= tip {
                let end = if sealed {
                    Looked::UpToEnd
                } else {
                    Looked::UpToTip
                };
                return Ok(end);
            }
        }
    }

    /// Whether records that a producer aggregated are delivered each for itself: those of a stream.
    pub(super) fn unpacks(&self) -> bool {
        self.key.source().is_some()
    }

    /// How many records more there are in each frame than the log counts.
    async fn extras(
        &self,
        frames: &[Frame],
        division: Option<&Deaggregation>,
    ) -> Result<Vec<Extra>, StepError> {
        let may_unpack = self.unpacks() && frames.iter().any(user_records::may_hold_aggregates);
        if !may_unpack && division.is_none() {
            return Ok(vec![Extra::default(); frames.len()]);
        }
        let (frames, division) = (frames.to_vec(), division.cloned());
        let extra = move |frame: &Frame| Extra {
            of_aggregates: if may_unpack {
                user_records::extra(frame)
            } else {
                0
            },
            divided: division.as_ref().map_or(0, |division| {
                user_records::divided(frame, may_unpack, |data| division.count(data))
            }),
        };
        let counting = move || frames.iter().map(extra).collect();
        let counted = tokio::task::spawn_blocking(counting).await;
        counted.map_err(|error| StepError::Failed(format!("count records: {error}")))
    }

    /// Where a piece of a cut stands among all.
    pub(super) fn place(&self, cut: &Cut, part: u16, kind: PieceKind) -> Place {
        Place {
            delivery_stream: self.key.delivery_stream.0,
            lane: (self.key.stream, self.key.shard),
            cut: cut.number,
            part,
            kind,
        }
    }

    /// Where the log begins: what lay before is delivered, or was taken by retention.
    pub(super) fn horizon(&self) -> Result<Position, StoreError> {
        self.tools.engine.horizon(self.log)
    }

    /// The place that the next frame of the log will have at least.
    pub(super) fn tip(&self) -> Result<Position, StoreError> {
        let tip = self.tools.engine.tip(self.log)?;
        Ok(self.ordered.map_or(tip, |ordered| tip.min(ordered.to)))
    }

    /// Reads what begins at `from`, where a cut is at work. What is settled of it counts records
    /// from its first, so that none may be missing.
    pub(super) async fn read_on(&self, from: Position) -> Result<ReadBatch, Undone> {
        let read = match self.read(from).await {
            Ok(read) => read,
            Err(error) if error.hides_records() => {
                return Err(self.damage(from, &error).await?);
            }
            Err(error) => return Err(failed(&error).into()),
        };
        let begins = read
            .frames
            .first()
            .map_or(read.next, |frame| frame.position);
        if begins > from {
            let why = format!("retention took records of an open cut, from {from} to {begins}");
            return Err(StepError::Failed(why).into());
        }
        Ok(read)
    }

    /// Records from `from` on cannot be read.
    async fn damage(&self, from: Position, error: &StoreError) -> Result<Undone, StepError> {
        let to = self.tools.engine.readable_from(self.log, from).await;
        Ok(Undone::Damaged(Damage {
            log: self.log,
            from,
            to: to.map_err(|error| failed(&error))?,
            what: error.to_string(),
        }))
    }

    /// Reads on. What lies behind the end of an order is not there.
    async fn read(&self, from: Position) -> Result<ReadBatch, StoreError> {
        let mut read = self.tools.engine.read(self.log, from, READ_BYTES).await?;
        if let Some(Ordered { to, .. }) = self.ordered
            && read.tip >= to
        {
            read.frames.retain(|frame| frame.position < to);
            (read.next, read.tip) = (read.next.min(to), to);
            read.sealed = true;
        }
        Ok(read)
    }
}
