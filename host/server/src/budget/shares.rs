//! Who holds how much of the memory for requests and answers, and who has to go when somebody
//! needs room. Told the time, never waiting.

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use types::AccountId;

use super::holder::{Holder, Phase};
use crate::pace::{Due, Pace};

/// How far a client must have fallen behind to be the first to go when room is needed. One that
/// sends or takes its bytes over a lossy line across an ocean is rarely further behind.
const BEHIND: Duration = Duration::from_millis(500);
/// Holders that one who needs room may end. What is still missing then is not made: every one of
/// them is found by looking at all.
const ENDED_AT_ONCE_MAX: usize = 64;

/// Who is charged for what is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Payer {
    /// Whoever says to have this key and calls from this network, as nothing is proven yet.
    Claimed { network: IpAddr, key: u64 },
    /// An account that has signed.
    Account(AccountId),
}

/// There is no room for so much.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NoRoom;

/// How much there may be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sizes {
    /// Of everything.
    pub(crate) all: usize,
    /// Of what is being received.
    pub(crate) receiving: usize,
    /// Of answers.
    pub(crate) answering: usize,
}

/// All shares, each at its place.
pub(super) struct Shares {
    places: Vec<Option<Share>>,
    free: Vec<usize>,
    bytes: usize,
    receiving: usize,
    answering: usize,
    sizes: Sizes,
    receiving_pace: Pace,
    answering_pace: Pace,
    keys: RandomState,
}

/// What one request holds.
struct Share {
    payer: Payer,
    phase: Phase,
    /// Bytes that count; none once it was ended, because they are as good as free.
    bytes: usize,
    /// Bytes that it will hold at most, as far as that is known.
    needs: usize,
    due: Due,
    /// As much of what has moved as `due` knows of.
    moved: usize,
    is_ended: bool,
    holder: Arc<Holder>,
}

/// Who needs room.
struct Asking {
    place: usize,
    payer: Payer,
    more: usize,
    /// What it will hold at most.
    needs: usize,
}

/// Holders that have to go. They are told without the lock.
pub(super) type Ended = Vec<(Arc<Holder>, Phase)>;

impl Shares {
    pub(super) fn new(sizes: Sizes, receiving_pace: Pace, answering_pace: Pace) -> Self {
        Self {
            places: Vec::new(),
            free: Vec::new(),
            bytes: 0,
            receiving: 0,
            answering: 0,
            sizes,
            receiving_pace,
            answering_pace,
            keys: RandomState::new(),
        }
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Who pays before anything is proven. All addresses of an IPv6 network of 64 bits are one
    /// client's.
    pub(super) fn claimed(&self, address: IpAddr, key: Option<&str>) -> Payer {
        Payer::Claimed {
            network: network_of(address),
            key: self.keys.hash_one(key),
        }
    }

    /// A share of nothing yet, of a request at work.
    pub(super) fn add(&mut self, payer: Payer, holder: Arc<Holder>, now: Instant) -> usize {
        let share = Share {
            payer,
            phase: Phase::Handled,
            bytes: 0,
            needs: 0,
            due: self.receiving_pace.begin(now),
            moved: 0,
            is_ended: false,
            holder,
        };
        if let Some(place) = self.free.pop() {
            self.places[place] = Some(share);
            return place;
        }
        self.places.push(Some(share));
        self.places.len() - 1
    }

    pub(super) fn remove(&mut self, place: usize) {
        let Some(share) = self.places.get_mut(place).and_then(Option::take) else {
            return;
        };
        self.count(share.phase, share.bytes, 0);
        self.free.push(place);
    }

    /// The share at `place` is of another phase from now on, begins anew to keep its pace, and
    /// holds nothing yet; returns the bytes that it held before.
    pub(super) fn enter(&mut self, place: usize, phase: Phase, now: Instant) -> usize {
        let due = match phase {
            Phase::Receiving | Phase::Handled => self.receiving_pace.begin(now),
            Phase::Answering => self.answering_pace.begin(now),
        };
        let Some(share) = self.places.get_mut(place).and_then(Option::as_mut) else {
            return 0;
        };
        let (before, bytes) = (share.phase, std::mem::take(&mut share.bytes));
        share.phase = phase;
        share.due = due;
        share.is_ended = false;
        share.moved = share.holder.moved();
        self.count(before, bytes, 0);
        bytes
    }

    /// Who pays for the share at `place` from now on.
    pub(super) fn charge(&mut self, place: usize, payer: Payer) {
        if let Some(share) = self.places.get_mut(place).and_then(Option::as_mut) {
            share.payer = payer;
        }
    }

    /// The share at `place` will hold `bytes` at most.
    pub(super) fn will_need(&mut self, place: usize, bytes: usize) {
        if let Some(share) = self.places.get_mut(place).and_then(Option::as_mut) {
            share.needs = bytes;
        }
    }

    /// The share at `place` holds fewer bytes.
    pub(super) fn shrink(&mut self, place: usize, less: usize) {
        let Some(share) = self.places.get_mut(place).and_then(Option::as_mut) else {
            return;
        };
        let before = share.bytes;
        share.bytes = before.saturating_sub(less);
        let (phase, after) = (share.phase, share.bytes);
        self.count(phase, before, after);
    }

    /// The share at `place` holds more bytes, if there is room or room can be made. Who has to go
    /// for it is added to `ended`.
    pub(super) fn grow(
        &mut self,
        place: usize,
        more: usize,
        now: Instant,
        ended: &mut Ended,
    ) -> Result<(), NoRoom> {
        let Some(share) = self.places.get(place).and_then(Option::as_ref) else {
            return Err(NoRoom);
        };
        if share.is_ended {
            return Err(NoRoom);
        }
        let phase = share.phase;
        let asking = Asking {
            place,
            payer: share.payer,
            more,
            needs: share.needs.max(share.bytes.saturating_add(more)),
        };
        for _ in 0..ENDED_AT_ONCE_MAX {
            let Some(crowd) = self.crowd(phase, more) else {
                break;
            };
            let goes = self.who_goes(&asking, crowd, now).ok_or(NoRoom)?;
            self.end(goes, ended);
        }
        if self.crowd(phase, more).is_some() {
            return Err(NoRoom);
        }
        self.add_bytes(place, more);
        Ok(())
    }

    /// The share at `place` holds more bytes, whether or not there is room.
    pub(super) fn add_bytes(&mut self, place: usize, more: usize) {
        let Some(share) = self.places.get_mut(place).and_then(Option::as_mut) else {
            return;
        };
        let before = share.bytes;
        share.bytes = before.saturating_add(more);
        let (phase, after) = (share.phase, share.bytes);
        self.count(phase, before, after);
    }

    /// Ends the answers whose clients are late, and says once more to those that were ended and
    /// still hold something.
    pub(super) fn end_late(&mut self, now: Instant, ended: &mut Ended) {
        for place in 0..self.places.len() {
            let pace = self.answering_pace;
            let Some(share) = self.places[place].as_mut() else {
                continue;
            };
            if share.is_ended {
                ended.push((Arc::clone(&share.holder), share.phase));
            } else if share.phase == Phase::Answering && share.look(pace, now).is_over(now) {
                self.end(place, ended);
            }
        }
    }

    /// Among whom somebody has to go before `more` bytes fit in; `None`: they fit in.
    fn crowd(&self, phase: Phase, more: usize) -> Option<&'static [Phase]> {
        let is_over = |held: usize, max: usize| held.saturating_add(more) > max;
        match phase {
            Phase::Receiving if is_over(self.receiving, self.sizes.receiving) => {
                Some(&[Phase::Receiving])
            }
            Phase::Answering if is_over(self.answering, self.sizes.answering) => {
                Some(&[Phase::Answering])
            }
            _ if is_over(self.bytes, self.sizes.all) => Some(&[Phase::Receiving, Phase::Answering]),
            _ => None,
        }
    }

    /// The share that makes room for who is asking; `None`: nobody has to go for it.
    ///
    /// Of whoever pays for most, the one that is furthest behind its pace goes first. If nobody of
    /// theirs is behind, their largest goes, unless they are the one who asks: then only one that
    /// is larger than what is asked for will ever be. So those who hold little are served however
    /// much others hold, and requests of one size do not push each other out for ever.
    fn who_goes(&mut self, asking: &Asking, crowd: &[Phase], now: Instant) -> Option<usize> {
        let mut held: HashMap<Payer, usize> = HashMap::from([(asking.payer, asking.more)]);
        for share in self.places.iter().flatten() {
            if crowd.contains(&share.phase) {
                *held.entry(share.payer).or_default() += share.bytes;
            }
        }
        let (heaviest, _) = held
            .into_iter()
            .max_by_key(|(who, bytes)| (*bytes, *who == asking.payer))?;
        let (receiving_pace, answering_pace) = (self.receiving_pace, self.answering_pace);
        let mut furthest_behind: Option<(Duration, usize)> = None;
        let mut largest: Option<(usize, usize)> = None;
        for (place, share) in self.places.iter_mut().enumerate() {
            let Some(share) = share else { continue };
            let can_go = place != asking.place && share.bytes > 0 && crowd.contains(&share.phase);
            if !can_go || share.payer != heaviest {
                continue;
            }
            let pace = match share.phase {
                Phase::Receiving | Phase::Handled => receiving_pace,
                Phase::Answering => answering_pace,
            };
            let behind = pace.behind(share.look(pace, now), now);
            if behind >= BEHIND {
                furthest_behind = furthest_behind.max(Some((behind, place)));
            }
            largest = largest.max(Some((share.bytes, place)));
        }
        if let Some((_, place)) = furthest_behind {
            return Some(place);
        }
        let (bytes, place) = largest?;
        (heaviest != asking.payer || bytes > asking.needs).then_some(place)
    }

    fn end(&mut self, place: usize, ended: &mut Ended) {
        let Some(share) = self.places.get_mut(place).and_then(Option::as_mut) else {
            return;
        };
        share.is_ended = true;
        let (phase, bytes) = (share.phase, std::mem::take(&mut share.bytes));
        ended.push((Arc::clone(&share.holder), phase));
        self.count(phase, bytes, 0);
    }

    fn count(&mut self, phase: Phase, before: usize, after: usize) {
        let change = |sum: &mut usize| *sum = sum.saturating_sub(before).saturating_add(after);
        change(&mut self.bytes);
        match phase {
            Phase::Receiving => change(&mut self.receiving),
            Phase::Handled => {}
            Phase::Answering => change(&mut self.answering),
        }
    }
}

impl Share {
    /// When it is late, after what has moved since the last look.
    fn look(&mut self, pace: Pace, now: Instant) -> Due {
        let moved = self.holder.moved();
        let since = moved.wrapping_sub(self.moved);
        if since > 0 {
            self.moved = moved;
            self.due = pace.earn(self.due, since, now);
        }
        self.due
    }
}

/// The part of an address that tells one client from another.
pub(crate) fn network_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => {
            let network = address.to_bits() & !u128::from(u64::MAX);
            IpAddr::V6(Ipv6Addr::from_bits(network))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ending::{Ending, Lever};

    const PACE: Pace = Pace {
        grace: Duration::from_secs(10),
        bytes_per_second_min: 1024,
    };
    const ONE: Payer = Payer::Account(AccountId::DEFAULT);

    fn other() -> Payer {
        Payer::Account(AccountId::parse("000000000001").unwrap())
    }

    fn shares() -> Shares {
        let sizes = Sizes {
            all: 100,
            receiving: 50,
            answering: 50,
        };
        Shares::new(sizes, PACE, PACE)
    }

    fn holder() -> Arc<Holder> {
        Arc::new(Holder::new(Lever {
            connection: Arc::new(Ending::new()),
            stream: None,
        }))
    }

    /// A share in `phase` that asked for so many bytes, what came of it, and how many others ended.
    fn ask(
        shares: &mut Shares,
        (phase, payer): (Phase, Payer),
        bytes: usize,
        now: Instant,
    ) -> (usize, Result<(), NoRoom>, usize) {
        let place = shares.add(payer, holder(), now);
        shares.enter(place, phase, now);
        let mut ended = Vec::new();
        let grown = shares.grow(place, bytes, now, &mut ended);
        (place, grown, ended.len())
    }

    #[test]
    fn what_was_held_is_free_again() {
        let (mut shares, now) = (shares(), Instant::now());
        for phase in [Phase::Receiving, Phase::Handled, Phase::Answering] {
            let (place, grown, _) = ask(&mut shares, (phase, ONE), 50, now);
            assert_eq!((grown, shares.bytes()), (Ok(()), 50));
            shares.shrink(place, 20);
            assert_eq!(shares.bytes(), 30);
            shares.remove(place);
            assert_eq!(shares.bytes(), 0);
        }
    }

    #[test]
    fn bodies_and_answers_do_not_take_each_others_room() {
        let (mut shares, now) = (shares(), Instant::now());
        assert_eq!(ask(&mut shares, (Phase::Receiving, ONE), 50, now).1, Ok(()));
        assert_eq!(
            ask(&mut shares, (Phase::Receiving, ONE), 50, now).1,
            Err(NoRoom)
        );
        assert_eq!(ask(&mut shares, (Phase::Answering, ONE), 50, now).1, Ok(()));
        assert_eq!(shares.bytes(), 100);
    }

    #[test]
    fn what_is_at_work_is_never_ended() {
        let (mut shares, now) = (shares(), Instant::now());
        assert_eq!(ask(&mut shares, (Phase::Handled, ONE), 100, now).1, Ok(()));
        let (_, grown, ended) = ask(&mut shares, (Phase::Receiving, other()), 1, now);
        assert_eq!((grown, ended), (Err(NoRoom), 0));
    }

    #[test]
    fn whoever_holds_most_makes_room_for_others() {
        let (mut shares, now) = (shares(), Instant::now());
        for _ in 0..5 {
            assert_eq!(ask(&mut shares, (Phase::Receiving, ONE), 10, now).1, Ok(()));
        }
        let (_, grown, ended) = ask(&mut shares, (Phase::Receiving, other()), 20, now);
        assert_eq!((grown, ended), (Ok(()), 2));
        // Now the other would hold most, and goes no further.
        let (_, grown, ended) = ask(&mut shares, (Phase::Receiving, other()), 20, now);
        assert_eq!((grown, ended), (Err(NoRoom), 0));
    }

    #[test]
    fn requests_of_one_size_do_not_push_each_other_out_but_smaller_ones_get_in() {
        let (mut shares, now) = (shares(), Instant::now());
        for _ in 0..2 {
            assert_eq!(ask(&mut shares, (Phase::Answering, ONE), 25, now).1, Ok(()));
        }
        let (_, grown, ended) = ask(&mut shares, (Phase::Answering, ONE), 25, now);
        assert_eq!((grown, ended), (Err(NoRoom), 0));
        let (_, grown, ended) = ask(&mut shares, (Phase::Answering, ONE), 10, now);
        assert_eq!((grown, ended), (Ok(()), 1));
    }

    #[test]
    fn the_one_furthest_behind_goes_first() {
        let (mut shares, now) = (shares(), Instant::now());
        let (stopped, ..) = ask(&mut shares, (Phase::Answering, ONE), 20, now);
        let later = now + Duration::from_secs(1);
        let (fresh, ..) = ask(&mut shares, (Phase::Answering, ONE), 30, later);
        let (_, grown, ended) = ask(&mut shares, (Phase::Answering, ONE), 20, later);
        assert_eq!((grown, ended), (Ok(()), 1));
        let mut nobody = Vec::new();
        assert_eq!(shares.grow(stopped, 1, later, &mut nobody), Err(NoRoom));
        shares.shrink(fresh, 1);
        assert_eq!(shares.bytes(), 49);
    }

    #[test]
    fn answers_that_do_not_move_are_late_and_are_told_until_they_are_gone() {
        let (mut shares, now) = (shares(), Instant::now());
        let (place, ..) = ask(&mut shares, (Phase::Answering, ONE), 20, now);
        assert_eq!(ask(&mut shares, (Phase::Handled, ONE), 20, now).1, Ok(()));
        for (seconds, late) in [(9, 0), (10, 1), (11, 1)] {
            let mut ended = Vec::new();
            shares.end_late(now + Duration::from_secs(seconds), &mut ended);
            assert_eq!(ended.len(), late, "after {seconds} s");
        }
        assert_eq!(shares.bytes(), 20);
        shares.remove(place);
        let mut ended = Vec::new();
        shares.end_late(now + Duration::from_secs(12), &mut ended);
        assert!(ended.is_empty());
    }

    #[test]
    fn addresses_of_one_network_are_one_client() {
        let network = |text: &str| network_of(text.parse().unwrap());
        assert_eq!(network("2001:db8::1"), network("2001:db8::ffff:1"));
        assert_ne!(network("2001:db8::1"), network("2001:db8:0:1::1"));
        assert_eq!(network("::ffff:10.0.0.1"), network("10.0.0.1"));
        assert_ne!(network("10.0.0.1"), network("10.0.0.2"));
    }
}
