//! An application from when it begins to work until it is stopped, changed, or meets trouble. Then
//! all that is in memory is dropped, and the next one begins with what is kept.
//!
//! ```text
//! open:  the place -> what was decided before is done -> shards, operators, their state
//! work:  gather -> a turn on a thread -> … -> commit: records, state and place in one transaction
//! ```

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use store::StoreError;
use streams::Source;
use streams::turns::AccountTurn;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};
use types::{AccountId, Timestamp};

use super::commit::Committing;
use super::ground::{Ground, StateMemory};
use super::input::{Gathered, Input, Unread};
use super::limits::{COMMIT_PERIOD, IDLE_PERIOD, PRODUCED_BYTES, STOP_TIME_MAX};
use super::machine::{Machine, Produced};
use super::place::Place;
use super::shown::Shown;
use super::state::{StateRows, remove_others};
use super::wiring::Wiring;
use super::{AtWork, Order, reference};
use crate::application::{Application, StartPosition};

/// How long an application waits that has records in hand of which it is not known yet when they
/// come: a moment must be over until a shard without records says so.
const BLOCKED_PERIOD: Duration = Duration::from_millis(2);

/// Why an application does not go on.
#[derive(Clone, Debug)]
pub enum Trouble {
    /// It is to stop, or to go on as another version.
    Told,
    /// Another one works in its place.
    Fenced,
    /// Something stands in its way, which may be otherwise later.
    Stands(String),
}

impl From<StoreError> for Trouble {
    fn from(error: StoreError) -> Self {
        Self::Stands(error.to_string())
    }
}

impl From<Unread> for Trouble {
    fn from(unread: Unread) -> Self {
        Self::Stands(match unread {
            Unread::NoStream => "there is no such stream that can be read".to_owned(),
            Unread::OtherStream => "another stream has taken the name of its stream".to_owned(),
            Unread::Store(error) => error.to_string(),
        })
    }
}

/// An application at work.
pub struct Session {
    ground: Arc<Ground>,
    application: Arc<Application>,
    shown: Arc<Shown>,
    orders: watch::Receiver<Order>,
    wiring: Arc<Wiring>,
    input: Input,
    /// Away while it is on a thread.
    machine: Option<Machine>,
    memory: StateMemory,
    committing: Committing,
    produced: Produced,
    /// When the first record was taken that is not committed.
    taken_at: Option<Instant>,
    /// The right to have a step in memory.
    turn: Option<AccountTurn>,
}

/// What a session is opened with.
pub struct Opening {
    pub ground: Arc<Ground>,
    pub application: Arc<Application>,
    pub shown: Arc<Shown>,
    pub orders: watch::Receiver<Order>,
}

impl Session {
    /// Goes on from what is kept, or begins where the start says.
    ///
    /// # Errors
    /// It cannot.
    pub async fn open(opening: Opening) -> Result<Self, Trouble> {
        let Opening {
            ground,
            application,
            shown,
            orders,
        } = opening;
        let of_thread = Arc::clone(&application);
        let wiring = on_thread(&ground, &application, move || Wiring::of(&of_thread));
        let wiring = Arc::new(wiring.await?.map_err(Trouble::Stands)?);
        let told = (orders.clone(), Arc::clone(&shown));
        let mut committing = Committing::open(&ground, &application, told).await?;
        committing.finish_journal(&wiring, &mut None).await?;
        let source = ground.reader().source(&wiring.stream)?;
        let stood = committing.place().clone();
        let begins = begins(&ground, &application, (&stood, &source)).await?;
        if begins != stood {
            committing.set_place(begins).await?;
        }
        let place = committing.place().clone();
        remove_others(&*ground.engine, application.id, Some(place.state_start)).await?;
        let input = Input::open(
            ground.reader(),
            wiring.stream.clone(),
            (source.id, &place.places),
        )?;
        let mut rows = StateRows::new(application.id, place.state_start);
        let state = rows.load(&*ground.engine).await?;
        committing.has_state_rows(rows);
        let tables = tables(&ground, &application).await?;
        let of_thread = Arc::clone(&wiring);
        let made = on_thread(&ground, &application, move || {
            let mut machine = of_thread.machine(&tables)?;
            let began_empty = machine.restore(state)?;
            Ok::<_, String>((machine, began_empty))
        });
        let (machine, began_empty) = made.await?.map_err(Trouble::Stands)?;
        let mut memory = StateMemory::none(Arc::clone(&ground));
        memory.is(machine.state_bytes()).map_err(Trouble::Stands)?;
        shown.show(|status| {
            status.counts = place.counts;
            status.time = place.places.time;
            status.began_empty = began_empty;
            status.at_work = AtWork::Running;
        });
        Ok(Self {
            produced: Produced::nothing(wiring.outputs.len()),
            ground,
            application,
            shown,
            orders,
            wiring,
            input,
            machine: Some(machine),
            memory,
            committing,
            taken_at: None,
            turn: None,
        })
    }

    /// Works until it is told otherwise, or meets trouble.
    ///
    /// # Errors
    /// Always: why it does not go on.
    pub async fn work(&mut self) -> Trouble {
        loop {
            if let Err(trouble) = self.step().await {
                return trouble;
            }
        }
    }

    async fn step(&mut self) -> Result<(), Trouble> {
        if self.is_told() {
            // What is not committed in this time is done again by whoever goes on.
            return match timeout(STOP_TIME_MAX, self.commit()).await {
                Ok(Err(trouble)) => Err(trouble),
                Ok(Ok(())) | Err(_) => Err(Trouble::Told),
            };
        }
        if self.turn.is_none() {
            let account = account(&self.application);
            let turn = self.ground.turns.take(account).await;
            self.turn = Some(turn.map_err(|lost| Trouble::Stands(lost.to_string()))?);
        }
        let gathered = self.input.gather().await?;
        let has_frames = !gathered.frames.is_empty();
        if !gathered.is_nothing() {
            self.take(gathered).await?;
        }
        if has_frames && !self.is_due() {
            // What comes next is looked at before anything is committed.
            return Ok(());
        }
        if self.taken_at.is_some() {
            self.commit().await?;
            // Others come before the next step.
            self.turn = None;
        } else {
            self.rest().await;
        }
        Ok(())
    }

    /// Waits for more, with nothing in hand that others could use.
    async fn rest(&mut self) {
        self.turn = None;
        let now = self.ground.clock.now();
        let is_blocked = self.input.holds_frames();
        if !is_blocked {
            self.shown.show(|status| {
                (status.caught_up_at, status.detail) = (Some(now), None);
            });
        }
        let period = if is_blocked {
            BLOCKED_PERIOD
        } else {
            IDLE_PERIOD
        };
        tokio::select! {
            () = self.input.until_more() => {}
            () = sleep(period) => {}
            // The end of the sender is an order as well.
            _ = self.orders.changed() => self.orders.mark_changed(),
        }
    }

    /// Works on what was gathered, on a thread.
    async fn take(&mut self, gathered: Gathered) -> Result<(), Trouble> {
        let Some(mut machine) = self.machine.take() else {
            return Err(Trouble::Stands("its operators are gone".to_owned()));
        };
        if !gathered.frames.is_empty() {
            self.taken_at.get_or_insert_with(Instant::now);
            self.shown.show(|status| status.caught_up_at = None);
        }
        let shards = self.input.shards();
        let mut produced = std::mem::take(&mut self.produced);
        let worked = on_thread(&self.ground, &self.application, move || {
            let mut worked = machine.take(&gathered.frames, &shards, &mut produced);
            if worked.is_ok()
                && let Some(time) = gathered.time
            {
                worked = machine.pass(time, &mut produced);
            }
            (machine, produced, worked)
        });
        let (machine, produced, outcome) = worked.await?;
        outcome.map_err(Trouble::Stands)?;
        let state_bytes = machine.state_bytes();
        (self.machine, self.produced) = (Some(machine), produced);
        self.memory.is(state_bytes).map_err(Trouble::Stands)?;
        // Windows that closed without a record are to be committed as well.
        if self.produced.bytes() > 0 {
            self.taken_at.get_or_insert_with(Instant::now);
        }
        Ok(())
    }

    /// Whether what was taken is to be committed though more comes.
    fn is_due(&self) -> bool {
        let is_old = self
            .taken_at
            .is_some_and(|at| at.elapsed() >= COMMIT_PERIOD);
        is_old || self.produced.bytes() >= PRODUCED_BYTES
    }

    /// Makes all that was taken durable with all that came of it.
    async fn commit(&mut self) -> Result<(), Trouble> {
        if self.taken_at.is_none() {
            return Ok(());
        }
        let Some(mut machine) = self.machine.take() else {
            return Err(Trouble::Stands("its operators are gone".to_owned()));
        };
        let saved = on_thread(&self.ground, &self.application, move || {
            let saved = machine.save();
            (machine, saved)
        });
        let (machine, changes) = saved.await?;
        let changes = changes.map_err(Trouble::Stands)?;
        let state_bytes = machine.state_bytes();
        self.machine = Some(machine);
        let nothing = Produced::nothing(self.wiring.outputs.len());
        let mut produced = std::mem::replace(&mut self.produced, nothing);
        produced.counts.lost += self.input.takes_lost();
        let places = self.input.places();
        let step = (changes, produced, places);
        self.committing
            .commit(&self.wiring, step, &mut self.turn)
            .await?;
        self.taken_at = None;
        let place = self.committing.place();
        let (counts, time) = (place.counts, place.places.time);
        self.shown.show(|status| {
            status.counts = counts;
            status.time = time;
            status.state_bytes = u64::try_from(state_bytes).unwrap_or(u64::MAX);
            status.commits += 1;
        });
        Ok(())
    }

    fn is_told(&self) -> bool {
        is_told(&self.orders)
    }
}

/// Whether there is another order than the one that was taken last.
pub fn is_told(orders: &watch::Receiver<Order>) -> bool {
    orders.has_changed().unwrap_or(true)
}

/// Works on a thread, in an application's turn.
async fn on_thread<T: Send + 'static>(
    ground: &Ground,
    application: &Application,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Trouble> {
    let whose = (account(application), application.id);
    let worked = ground.on_thread(whose, move |_| work()).await;
    worked.map_err(|lost| Trouble::Stands(lost.to_string()))
}

/// The objects of reference data.
async fn tables(ground: &Ground, application: &Application) -> Result<Vec<Bytes>, Trouble> {
    let mut tables = Vec::new();
    for it in &application.configuration.references {
        let object = reference::read(&ground.objects, it, ground.state_bytes_max());
        tables.push(object.await.map_err(Trouble::Stands)?);
    }
    Ok(tables)
}

fn account(application: &Application) -> AccountId {
    application.arn.owner.account
}

/// Streams that an application read before the one of now, whose places it knows, at most. One that
/// it comes back to after as many others is read from its beginning again.
const FORMER_STREAMS_MAX: usize = 8;

/// Where an application goes on, or begins.
async fn begins(
    ground: &Ground,
    application: &Application,
    (stood, source): (&Place, &Source),
) -> Result<Place, Trouble> {
    let mut place = stood.clone();
    let start = &application.start;
    let is_new_start = stood.start != start.number || stood.stream.is_none();
    if is_new_start {
        let at = start.positions.first();
        let at = at.map_or(StartPosition::Now, |(_, at)| *at);
        place.start = start.number;
        if at != StartPosition::LastStoppedPoint || stood.stream.is_none() {
            // One that never got to read has not stopped anywhere: nothing may be left out.
            let since = match at {
                StartPosition::Now => Some(Timestamp(start.asked_at_ms)),
                StartPosition::TrimHorizon | StartPosition::LastStoppedPoint => None,
            };
            place.state_start = start.number;
            place.stream = Some(source.id);
            place.places = ground.reader().beginning(source, since).await?;
            place.former.clear();
        }
    }
    if place.stream != Some(source.id) {
        // Another stream, also under the same name: its records are new unless it was read before.
        // Time goes on.
        let time = place.places.time;
        let left = std::mem::take(&mut place.places);
        if let Some(stream) = place.stream.replace(source.id) {
            place.former.push((stream, left));
        }
        let known = place.former.iter().position(|(id, _)| *id == source.id);
        let from = match known {
            Some(known) => place.former.remove(known).1,
            None => ground.reader().beginning(source, None).await?,
        };
        if place.former.len() > FORMER_STREAMS_MAX {
            place.former.remove(0);
        }
        place.places = super::merge::Places { time, ..from };
    }
    Ok(place)
}
