//! Who holds how much of the memory for requests and answers, and who has to go when somebody
//! needs room. Told the time, never waiting.

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use super::crowd::{Asking, Crowd, Spot};
use super::holder::{Holder, Phase};
use super::payer::Payer;
use super::places::{Places, Share};
use crate::pace::Pace;

/// What an account may have at work: so many times what stays free for others to work with. One
/// alone has two thirds, two have two fifths each, and there is always room for one more. Over it
/// its requests are refused before anything is done for them.
const AT_WORK_TIMES_FREE: usize = 2;

/// What streams of events of an account may take, apart from their events: so many times what
/// stays free of all that may be taken so. One alone has two thirds, and there is always room for
/// one account more. Another one is refused.
const RESTING_TIMES_FREE: usize = 2;

/// There is no room for so much.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NoRoom;

impl fmt::Display for NoRoom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("there is no room for the request or its answer")
    }
}

impl std::error::Error for NoRoom {}

/// How much there may be.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sizes {
    /// Of short answers to those who have proven nothing. All others share the rest.
    pub(super) unproven: usize,
    /// Of all others.
    pub(super) shared: usize,
    /// Of bodies that come in.
    pub(super) receiving: usize,
    /// Of answers to accounts.
    pub(super) answering: usize,
    /// Of what accounts have at work and their answers together.
    pub(super) proven: usize,
    /// Of what streams of events take apart from their events, which is a part of that.
    pub(super) resting: usize,
}

/// What a request wants to hold from now on.
pub(super) struct Wish {
    pub(super) phase: Phase,
    pub(super) payer: Payer,
    pub(super) bytes: usize,
    /// What it will hold at most, as far as that is known.
    pub(super) needs: usize,
    /// It has to be given its room, whether or not there is any.
    pub(super) is_due: bool,
}

/// All shares.
pub(super) struct Shares {
    places: Places,
    sizes: Sizes,
    unproven: Crowd,
    receiving: Crowd,
    /// Answers, and what their accounts have at work besides.
    answering: Crowd,
}

/// Why there is no room yet.
enum Lack {
    /// The shares of one phase are as large as they may be together.
    Of(Phase),
    /// Bodies have room that answers and what is at work need.
    Bodies,
}

/// Holders that have to go. They are told without the lock.
pub(super) type Ended = Vec<(Arc<Holder>, Phase)>;

impl Shares {
    pub(super) fn new(sizes: Sizes, receiving_pace: Pace, answering_pace: Pace) -> Self {
        Self {
            places: Places::default(),
            sizes,
            unproven: Crowd::new(answering_pace),
            receiving: Crowd::new(receiving_pace),
            answering: Crowd::new(answering_pace),
        }
    }

    /// Bytes that are held by all.
    pub(super) fn bytes(&self) -> usize {
        self.unproven.bytes() + self.receiving.bytes() + self.proven()
    }

    /// A share for a request that had none, if there is room or room can be made. Who has to go for
    /// it is added to `ended`.
    pub(super) fn add(
        &mut self,
        holder: &Arc<Holder>,
        wish: &Wish,
        now: Instant,
        ended: &mut Ended,
    ) -> Result<usize, NoRoom> {
        self.make_room(None, wish, now, ended)?;
        let place = self.places.add(Share {
            payer: wish.payer,
            phase: wish.phase,
            bytes: wish.bytes,
            resting: 0,
            needs: wish.needs,
            due: self.pace(wish.phase).begin(now),
            moved: holder.moved(),
            is_ended: false,
            holder: Arc::clone(holder),
        });
        self.join(place);
        Ok(place)
    }

    /// The share at `place` becomes another one, if there is room or room can be made; else it
    /// stays what it was. One that was ended does not come to work.
    pub(super) fn turn(
        &mut self,
        place: usize,
        wish: &Wish,
        now: Instant,
        ended: &mut Ended,
    ) -> Result<(), NoRoom> {
        let share = self.places.get(place).ok_or(NoRoom)?;
        if share.is_ended && wish.phase == Phase::AtWork {
            return Err(NoRoom);
        }
        self.leave(place);
        let made = self.make_room(Some(place), wish, now, ended);
        let pace = self.pace(wish.phase);
        if (made.is_ok() || wish.is_due)
            && let Some(share) = self.places.get_mut(place)
        {
            share.payer = wish.payer;
            share.phase = wish.phase;
            share.bytes = wish.bytes;
            share.needs = wish.needs;
            share.due = pace.begin(now);
            share.moved = share.holder.moved();
            share.is_ended = false;
        }
        self.join(place);
        if wish.is_due { Ok(()) } else { made }
    }

    /// The share at `place` is of a stream of events from now on, which takes `bytes` apart from
    /// its events. These are in its share, which is empty at first.
    pub(super) fn streams(&mut self, place: usize, bytes: usize) -> Result<(), NoRoom> {
        let payer = self.places.get(place).ok_or(NoRoom)?.payer;
        self.check_resting(payer, bytes)?;
        self.leave(place);
        if let Some(share) = self.places.get_mut(place) {
            (share.bytes, share.needs, share.resting) = (0, 0, bytes);
        }
        self.join(place);
        self.answering.begin_rest(payer, bytes);
        Ok(())
    }

    /// Whether one more stream of events of `payer` may begin that takes so many bytes apart from
    /// its events.
    pub(super) fn check_resting(&self, payer: Payer, bytes: usize) -> Result<(), NoRoom> {
        let would_have = self.answering.resting_of(payer) + bytes;
        let resting = self.answering.resting() + bytes;
        let free = self.sizes.resting.saturating_sub(resting);
        if would_have > free.saturating_mul(RESTING_TIMES_FREE) {
            return Err(NoRoom);
        }
        Ok(())
    }

    /// The share at `place` holds more bytes, if there is room or room can be made.
    pub(super) fn grow(
        &mut self,
        place: usize,
        more: usize,
        now: Instant,
        ended: &mut Ended,
    ) -> Result<(), NoRoom> {
        let share = self.places.get(place).ok_or(NoRoom)?;
        if share.is_ended {
            return Err(NoRoom);
        }
        let wish = Wish {
            phase: share.phase,
            payer: share.payer,
            bytes: more,
            needs: share.needs.max(share.bytes.saturating_add(more)),
            is_due: false,
        };
        self.make_room(Some(place), &wish, now, ended)?;
        self.leave(place);
        if let Some(share) = self.places.get_mut(place) {
            share.bytes += more;
        }
        self.join(place);
        Ok(())
    }

    /// The share at `place` holds fewer bytes.
    pub(super) fn shrink(&mut self, place: usize, less: usize) {
        self.leave(place);
        if let Some(share) = self.places.get_mut(place) {
            // An answer may be sent that was ended, and holds nothing that counts.
            share.bytes = share.bytes.saturating_sub(less);
        }
        self.join(place);
    }

    pub(super) fn remove(&mut self, place: usize) {
        self.leave(place);
        let resting = self.places.get(place);
        let resting = resting.map(|share| (share.payer, share.resting));
        if let Some((payer, bytes)) = resting.filter(|(_, bytes)| *bytes > 0) {
            self.answering.end_rest(payer, bytes);
        }
        self.places.remove(place);
    }

    /// Looks at all shares. What was at work and is answered waits for its client from now on.
    /// Answers whose clients are late are ended, and those that were ended and still hold
    /// something are told once more.
    pub(super) fn look(&mut self, now: Instant, ended: &mut Ended) {
        for place in 0..self.places.end() {
            let Some(share) = self.places.get(place) else {
                continue;
            };
            match share.phase {
                _ if share.is_ended => ended.push((Arc::clone(&share.holder), share.phase)),
                Phase::AtWork => {
                    if let Some(bytes) = share.holder.answer_bytes() {
                        self.waits(place, bytes, now);
                    }
                }
                Phase::Unproven | Phase::Answering if share.due.is_over(now) => {
                    if self.is_late(place, now) {
                        self.end(place, ended);
                    }
                }
                Phase::Unproven | Phase::Answering | Phase::Receiving => {}
            }
        }
    }

    /// An answer that took the place of its request becomes one that can be told to go.
    fn waits(&mut self, place: usize, bytes: usize, now: Instant) {
        self.leave(place);
        let due = self.answering.pace.begin(now);
        if let Some(share) = self.places.get_mut(place) {
            share.phase = Phase::Answering;
            share.bytes = share.bytes.min(bytes);
            share.needs = share.bytes;
            share.due = due;
            share.moved = share.holder.moved();
        }
        self.join(place);
    }

    fn is_late(&mut self, place: usize, now: Instant) -> bool {
        let Some(share) = self.places.get_mut(place) else {
            return false;
        };
        let (payer, phase) = (share.payer, share.phase);
        let spot = spot(place, share);
        let crowd = match phase {
            Phase::Unproven => &mut self.unproven,
            Phase::Receiving => &mut self.receiving,
            Phase::AtWork | Phase::Answering => &mut self.answering,
        };
        let due = share.look(crowd.pace, now);
        crowd.postpone(payer, spot, due.0);
        due.is_over(now)
    }

    /// Ends shares until there is room for what is wished, or nobody has to go for it any more.
    fn make_room(
        &mut self,
        place: Option<usize>,
        wish: &Wish,
        now: Instant,
        ended: &mut Ended,
    ) -> Result<(), NoRoom> {
        if wish.phase == Phase::AtWork {
            self.check_work(wish)?;
        }
        let asking = Asking {
            place,
            payer: wish.payer,
            more: wish.bytes,
            needs: wish.needs.max(wish.bytes),
        };
        while let Some(lack) = self.lack(wish) {
            let places = &mut self.places;
            let goes = match lack {
                Lack::Bodies => self.receiving.first_to_go(places, now),
                Lack::Of(Phase::Unproven) => self.unproven.who_goes(&asking, places, now),
                Lack::Of(Phase::Receiving) => self.receiving.who_goes(&asking, places, now),
                Lack::Of(Phase::AtWork | Phase::Answering) => {
                    self.answering.who_goes(&asking, places, now)
                }
            };
            self.end(goes.ok_or(NoRoom)?, ended);
        }
        Ok(())
    }

    fn check_work(&self, wish: &Wish) -> Result<(), NoRoom> {
        let would_have = self.answering.besides_of(wish.payer) + wish.bytes;
        let at_work = self.answering.besides() + self.answering.resting() + wish.bytes;
        let free = self.sizes.proven.saturating_sub(at_work);
        if would_have > free.saturating_mul(AT_WORK_TIMES_FREE) {
            return Err(NoRoom);
        }
        Ok(())
    }

    /// What has to be smaller before there is room for what is wished; `None`: there is room.
    ///
    /// What is proven leaves a part of all to bodies, so these find room whatever accounts hold;
    /// beyond that part bodies, of which nothing is proven, make room for what is.
    fn lack(&self, wish: &Wish) -> Option<Lack> {
        let is_over = |held: usize, max: usize| held.saturating_add(wish.bytes) > max;
        let shared = self.receiving.bytes() + self.proven();
        let is_full = is_over(shared, self.sizes.shared);
        match wish.phase {
            Phase::Unproven => is_over(self.unproven.bytes(), self.sizes.unproven)
                .then_some(Lack::Of(Phase::Unproven)),
            Phase::Receiving => (is_full || is_over(self.receiving.bytes(), self.sizes.receiving))
                .then_some(Lack::Of(Phase::Receiving)),
            Phase::AtWork | Phase::Answering if is_over(self.proven(), self.sizes.proven) => {
                Some(Lack::Of(Phase::Answering))
            }
            Phase::Answering if is_over(self.answering.bytes(), self.sizes.answering) => {
                Some(Lack::Of(Phase::Answering))
            }
            Phase::AtWork | Phase::Answering => is_full.then_some(Lack::Bodies),
        }
    }

    /// Bytes of answers to accounts, of their streams of events, and of what they have at work.
    fn proven(&self) -> usize {
        self.answering.bytes() + self.answering.besides() + self.answering.resting()
    }

    fn end(&mut self, place: usize, ended: &mut Ended) {
        self.leave(place);
        if let Some(share) = self.places.get_mut(place) {
            share.is_ended = true;
            share.bytes = 0;
            ended.push((Arc::clone(&share.holder), share.phase));
        }
    }

    fn pace(&self, phase: Phase) -> Pace {
        match phase {
            Phase::Receiving | Phase::AtWork => self.receiving.pace,
            Phase::Unproven | Phase::Answering => self.answering.pace,
        }
    }

    /// Counts the share at `place`.
    fn join(&mut self, place: usize) {
        let Some(share) = self.places.get(place).filter(|share| !share.is_ended) else {
            return;
        };
        match share.phase {
            Phase::Unproven => self.unproven.join(share.payer, spot(place, share)),
            Phase::Receiving => self.receiving.join(share.payer, spot(place, share)),
            Phase::Answering => self.answering.join(share.payer, spot(place, share)),
            Phase::AtWork => self.answering.begin_work(share.payer, share.bytes),
        }
    }

    /// Counts the share at `place` no longer.
    fn leave(&mut self, place: usize) {
        let Some(share) = self.places.get(place).filter(|share| !share.is_ended) else {
            return;
        };
        match share.phase {
            Phase::Unproven => self.unproven.leave(share.payer, spot(place, share)),
            Phase::Receiving => self.receiving.leave(share.payer, spot(place, share)),
            Phase::Answering => self.answering.leave(share.payer, spot(place, share)),
            Phase::AtWork => self.answering.end_work(share.payer, share.bytes),
        }
    }
}

fn spot(place: usize, share: &Share) -> Spot {
    Spot {
        place,
        bytes: share.bytes,
        due: share.due.0,
    }
}

#[cfg(test)]
mod tests;
