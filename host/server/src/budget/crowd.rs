//! The shares of one kind, in the order in which they are ended when room is needed. Finding the
//! next one hardly costs more among many shares than among few.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use super::payer::Payer;
use super::places::Places;
use crate::pace::Pace;

/// How far a client must have fallen behind to be ended first when room is needed. One that sends
/// or takes its bytes over a lossy line across an ocean is rarely further behind.
const BEHIND: Duration = Duration::from_millis(500);
/// How many shares are looked at to find one that is behind. A share that has moved since the last
/// look is passed over. After so many the largest is ended instead.
const LOOKS_MAX: usize = 64;

/// Everybody who holds a share of one kind.
pub(super) struct Crowd {
    pub(super) pace: Pace,
    bytes: usize,
    besides: usize,
    resting: usize,
    members: BTreeMap<Payer, Member>,
    /// Payers with a share that can be ended, by all the bytes that they hold.
    by_weight: BTreeSet<(usize, Payer)>,
}

/// What one payer holds.
#[derive(Default)]
struct Member {
    /// Bytes of shares that can be ended.
    bytes: usize,
    /// Bytes at work, which cannot be ended.
    besides: usize,
    /// Bytes of streams of events, apart from the events themselves; as little.
    resting: usize,
    by_due: BTreeSet<(Instant, usize)>,
    by_bytes: BTreeSet<(usize, usize)>,
}

/// A share as its crowd knows it.
#[derive(Clone, Copy)]
pub(super) struct Spot {
    pub(super) place: usize,
    pub(super) bytes: usize,
    pub(super) due: Instant,
}

/// Who needs room.
pub(super) struct Asking {
    /// Where it is in the crowd already.
    pub(super) place: Option<usize>,
    pub(super) payer: Payer,
    pub(super) more: usize,
    /// What it will hold at most.
    pub(super) needs: usize,
}

impl Member {
    /// What it holds, if any of its shares can be ended.
    fn weight(&self) -> Option<usize> {
        (!self.by_bytes.is_empty()).then_some(self.held())
    }

    fn held(&self) -> usize {
        self.bytes + self.besides + self.resting
    }

    fn largest(&self, except: Option<usize>) -> Option<(usize, usize)> {
        let mut largest_first = self.by_bytes.iter().rev();
        largest_first
            .find(|(_, place)| Some(*place) != except)
            .copied()
    }
}

impl Crowd {
    pub(super) fn new(pace: Pace) -> Self {
        Self {
            pace,
            bytes: 0,
            besides: 0,
            resting: 0,
            members: BTreeMap::new(),
            by_weight: BTreeSet::new(),
        }
    }

    /// Bytes of shares that can be ended.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Bytes at work.
    pub(super) fn besides(&self) -> usize {
        self.besides
    }

    /// Bytes of streams of events, apart from the events themselves.
    pub(super) fn resting(&self) -> usize {
        self.resting
    }

    /// The same of one payer.
    pub(super) fn resting_of(&self, payer: Payer) -> usize {
        let member = self.members.get(&payer);
        member.map_or(0, |member| member.resting)
    }

    /// Bytes that `payer` has at work.
    pub(super) fn besides_of(&self, payer: Payer) -> usize {
        // A payer that holds nothing is no member.
        let member = self.members.get(&payer);
        member.map_or(0, |member| member.besides)
    }

    pub(super) fn join(&mut self, payer: Payer, spot: Spot) {
        self.change(payer, |member| {
            member.bytes += spot.bytes;
            member.by_due.insert((spot.due, spot.place));
            member.by_bytes.insert((spot.bytes, spot.place));
        });
    }

    pub(super) fn leave(&mut self, payer: Payer, spot: Spot) {
        self.change(payer, |member| {
            member.bytes -= spot.bytes;
            member.by_due.remove(&(spot.due, spot.place));
            member.by_bytes.remove(&(spot.bytes, spot.place));
        });
    }

    /// `payer` has `bytes` more at work.
    pub(super) fn begin_work(&mut self, payer: Payer, bytes: usize) {
        self.change(payer, |member| member.besides += bytes);
    }

    pub(super) fn end_work(&mut self, payer: Payer, bytes: usize) {
        self.change(payer, |member| member.besides -= bytes);
    }

    /// A stream of events of `payer` has begun, which takes `bytes` apart from its events.
    pub(super) fn begin_rest(&mut self, payer: Payer, bytes: usize) {
        self.change(payer, |member| member.resting += bytes);
    }

    pub(super) fn end_rest(&mut self, payer: Payer, bytes: usize) {
        self.change(payer, |member| member.resting -= bytes);
    }

    /// The share at `spot` is late at another time.
    pub(super) fn postpone(&mut self, payer: Payer, spot: Spot, due: Instant) {
        if let Some(member) = self.members.get_mut(&payer) {
            member.by_due.remove(&(spot.due, spot.place));
            member.by_due.insert((due, spot.place));
        }
    }

    /// The share that makes room for who is asking; `None`: nobody has to go for it.
    ///
    /// Of whoever holds most, the one that is furthest behind its pace goes first. If nobody of
    /// theirs is behind, their largest goes, unless they are the one who asks: then only one that
    /// is larger than what is asked for will ever be. So those who hold little are served however
    /// much others hold, and requests of one size do not push each other out for ever.
    pub(super) fn who_goes(
        &mut self,
        asking: &Asking,
        places: &mut Places,
        now: Instant,
    ) -> Option<usize> {
        // A payer that holds nothing is no member.
        let member = self.members.get(&asking.payer);
        let held = member.map_or(0, Member::held);
        let would_hold = held.saturating_add(asking.more);
        let (weight, heaviest) = *self.by_weight.last()?;
        if heaviest != asking.payer && weight > would_hold {
            return self.who_goes_of(heaviest, places, now);
        }
        let behind = self.furthest_behind(asking.payer, asking.place, places, now);
        behind.or_else(|| {
            let member = self.members.get(&asking.payer)?;
            let (bytes, place) = member.largest(asking.place)?;
            (bytes > asking.needs).then_some(place)
        })
    }

    /// The share that goes before all others; `None`: there is none.
    pub(super) fn first_to_go(&mut self, places: &mut Places, now: Instant) -> Option<usize> {
        let (_, heaviest) = *self.by_weight.last()?;
        self.who_goes_of(heaviest, places, now)
    }

    fn who_goes_of(&mut self, payer: Payer, places: &mut Places, now: Instant) -> Option<usize> {
        let behind = self.furthest_behind(payer, None, places, now);
        behind.or_else(|| {
            let (_, place) = self.members.get(&payer)?.largest(None)?;
            Some(place)
        })
    }

    /// Of one payer's shares the one that is furthest behind, if any is far behind. What has moved
    /// since the last look only makes a share due later, so the first that has not moved is it.
    fn furthest_behind(
        &mut self,
        payer: Payer,
        except: Option<usize>,
        places: &mut Places,
        now: Instant,
    ) -> Option<usize> {
        let pace = self.pace;
        let member = self.members.get_mut(&payer)?;
        for _ in 0..LOOKS_MAX {
            let mut first_due = member.by_due.iter();
            let (due, place) = *first_due.find(|(_, place)| Some(*place) != except)?;
            let share = places.get_mut(place)?;
            if pace.behind(share.due, now) < BEHIND {
                return None;
            }
            let looked = share.look(pace, now);
            if looked.0 == due {
                return Some(place);
            }
            member.by_due.remove(&(due, place));
            member.by_due.insert((looked.0, place));
        }
        None
    }

    fn change(&mut self, payer: Payer, change: impl FnOnce(&mut Member)) {
        let member = self.members.entry(payer).or_default();
        let before = member.weight();
        self.bytes -= member.bytes;
        self.besides -= member.besides;
        self.resting -= member.resting;
        change(member);
        self.bytes += member.bytes;
        self.besides += member.besides;
        self.resting += member.resting;
        let after = member.weight();
        // Accounts stay: there are no more of them than the configuration names.
        let may_be_anybody = matches!(payer, Payer::Claimed { .. });
        if may_be_anybody && after.is_none() && member.besides == 0 {
            self.members.remove(&payer);
        }
        if before == after {
            return;
        }
        if let Some(weight) = before {
            self.by_weight.remove(&(weight, payer));
        }
        if let Some(weight) = after {
            self.by_weight.insert((weight, payer));
        }
    }
}
