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
        let at_work = self.answering.besides() + wish.bytes;
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

    /// Bytes of answers to accounts and of what they have at work.
    fn proven(&self) -> usize {
        self.answering.bytes() + self.answering.besides()
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
mod tests {
    use std::time::Duration;

    use types::AccountId;

    use super::*;
    use crate::ending::{Ending, Lever};

    const PACE: Pace = Pace {
        grace: Duration::from_secs(10),
        bytes_per_second_min: 1024,
    };
    const ONE: Payer = Payer::Account(AccountId::DEFAULT);

    fn other(number: u8) -> Payer {
        Payer::Account(AccountId::parse(&format!("{number:012}")).unwrap())
    }

    fn claimed(number: u8) -> Payer {
        let network = std::net::IpAddr::from([10, 0, 0, number]);
        Payer::Claimed { network, key: 0 }
    }

    fn shares() -> Shares {
        let sizes = Sizes {
            unproven: 20,
            shared: 100,
            receiving: 50,
            answering: 50,
            proven: 75,
        };
        Shares::new(sizes, PACE, PACE)
    }

    fn holder() -> Arc<Holder> {
        Arc::new(Holder::new(Lever {
            connection: Arc::new(Ending::new()),
            stream: None,
        }))
    }

    fn wish(phase: Phase, payer: Payer, bytes: usize) -> Wish {
        Wish {
            phase,
            payer,
            bytes,
            needs: bytes,
            is_due: false,
        }
    }

    /// What came of asking for so many bytes, and how many others ended.
    fn ask(shares: &mut Shares, wish: &Wish, now: Instant) -> (Result<usize, NoRoom>, usize) {
        let mut ended = Vec::new();
        let added = shares.add(&holder(), wish, now, &mut ended);
        (added, ended.len())
    }

    fn add(shares: &mut Shares, phase: Phase, payer: Payer, bytes: usize) -> usize {
        let (added, ended) = ask(shares, &wish(phase, payer, bytes), Instant::now());
        assert_eq!(ended, 0);
        added.unwrap()
    }

    fn refused(shares: &mut Shares, phase: Phase, payer: Payer, bytes: usize) {
        let (added, ended) = ask(shares, &wish(phase, payer, bytes), Instant::now());
        assert_eq!((added, ended), (Err(NoRoom), 0));
    }

    #[test]
    fn what_was_held_is_free_again() {
        let mut shares = shares();
        for phase in [Phase::Receiving, Phase::AtWork, Phase::Answering] {
            let place = add(&mut shares, phase, ONE, 50);
            assert_eq!(shares.bytes(), 50);
            shares.shrink(place, 20);
            assert_eq!(shares.bytes(), 30);
            shares.remove(place);
            assert_eq!(shares.bytes(), 0);
        }
    }

    #[test]
    fn whoever_has_proven_nothing_takes_no_room_from_who_has() {
        let mut shares = shares();
        for _ in 0..20 {
            add(&mut shares, Phase::Unproven, claimed(1), 1);
        }
        refused(&mut shares, Phase::Unproven, claimed(1), 1);
        add(&mut shares, Phase::Receiving, claimed(1), 50);
        refused(&mut shares, Phase::Receiving, claimed(1), 50);
        add(&mut shares, Phase::Answering, ONE, 40);
        let (added, ended) = ask(
            &mut shares,
            &wish(Phase::AtWork, other(1), 30),
            Instant::now(),
        );
        assert!(added.is_ok());
        assert_eq!(ended, 1, "the body makes room");
        assert_eq!(shares.bytes(), 20 + 40 + 30);
    }

    #[test]
    fn bodies_find_room_however_much_accounts_hold() {
        let mut shares = shares();
        add(&mut shares, Phase::Answering, ONE, 45);
        add(&mut shares, Phase::AtWork, ONE, 30);
        refused(&mut shares, Phase::Answering, ONE, 50);
        add(&mut shares, Phase::Receiving, claimed(1), 25);
    }

    #[test]
    fn an_account_leaves_room_for_others_to_work_and_they_for_more() {
        let mut shares = shares();
        let mut free = 75;
        for account in 0..4 {
            let mut has = 0;
            loop {
                let wish = wish(Phase::AtWork, other(account), 1);
                if ask(&mut shares, &wish, Instant::now()).0.is_err() {
                    break;
                }
                has += 1;
            }
            assert!(has > 0, "account {account} has nothing");
            free -= has;
            assert!(free > 0, "account {account} leaves nothing");
        }
    }

    /// Its body was given up and counted as free, while its signature was being checked.
    #[test]
    fn a_body_that_was_ended_does_not_come_to_work() {
        let (mut shares, now) = (shares(), Instant::now());
        let place = add(&mut shares, Phase::Receiving, claimed(1), 50);
        let (added, ended) = ask(&mut shares, &wish(Phase::Receiving, claimed(2), 10), now);
        assert_eq!((added.is_ok(), ended), (true, 1));
        let mut nobody = Vec::new();
        let turned = shares.turn(place, &wish(Phase::AtWork, ONE, 50), now, &mut nobody);
        assert_eq!((turned, nobody.len()), (Err(NoRoom), 0));
        assert_eq!(shares.bytes(), 10);
        // Its refusal counts.
        let refusal = wish(Phase::Unproven, claimed(1), 2);
        assert_eq!(shares.turn(place, &refusal, now, &mut nobody), Ok(()));
        assert_eq!(shares.bytes(), 12);
    }

    #[test]
    fn what_is_at_work_is_never_ended_and_stays_when_its_answer_finds_no_room() {
        let (mut shares, now) = (shares(), Instant::now());
        let place = add(&mut shares, Phase::AtWork, ONE, 10);
        add(&mut shares, Phase::Answering, other(1), 50);
        let mut ended = Vec::new();
        let turned = shares.turn(place, &wish(Phase::Answering, ONE, 60), now, &mut ended);
        assert_eq!(turned, Err(NoRoom));
        assert_eq!(shares.bytes(), 60);
        let due = Wish {
            is_due: true,
            ..wish(Phase::Answering, ONE, 60)
        };
        assert_eq!(shares.turn(place, &due, now, &mut ended), Ok(()));
        assert_eq!(shares.bytes(), 110);
    }

    /// A loop of 64 once left the rest of what was too much where it was.
    #[test]
    fn as_many_go_as_it_takes() {
        let (mut shares, now) = (shares(), Instant::now());
        let places = [(); 100].map(|()| add(&mut shares, Phase::AtWork, ONE, 0));
        for place in places {
            let due = Wish {
                is_due: true,
                ..wish(Phase::Answering, ONE, 10)
            };
            let mut nobody = Vec::new();
            assert_eq!(shares.turn(place, &due, now, &mut nobody), Ok(()));
            assert_eq!(nobody.len(), 0);
        }
        assert_eq!(shares.bytes(), 1000);
        let (added, ended) = ask(&mut shares, &wish(Phase::Answering, other(1), 20), now);
        assert_eq!((added.is_ok(), ended), (true, 97));
        assert_eq!(shares.bytes(), 50);
    }

    #[test]
    fn whoever_holds_most_makes_room_for_others() {
        let (mut shares, now) = (shares(), Instant::now());
        for _ in 0..5 {
            add(&mut shares, Phase::Receiving, claimed(1), 10);
        }
        let body = wish(Phase::Receiving, claimed(2), 20);
        let (added, ended) = ask(&mut shares, &body, now);
        assert_eq!((added.is_ok(), ended), (true, 2));
        // Now the other would hold most, and goes no further.
        refused(&mut shares, Phase::Receiving, claimed(2), 20);
    }

    #[test]
    fn what_an_account_has_at_work_counts_when_its_answers_are_weighed() {
        let (mut shares, now) = (shares(), Instant::now());
        add(&mut shares, Phase::AtWork, ONE, 25);
        add(&mut shares, Phase::Answering, ONE, 20);
        add(&mut shares, Phase::Answering, other(1), 30);
        let (added, ended) = ask(&mut shares, &wish(Phase::Answering, other(2), 15), now);
        assert_eq!((added.is_ok(), ended), (true, 1));
        assert_eq!(shares.bytes(), 25 + 30 + 15);
    }

    #[test]
    fn requests_of_one_size_do_not_push_each_other_out_but_smaller_ones_get_in() {
        let (mut shares, now) = (shares(), Instant::now());
        for _ in 0..2 {
            add(&mut shares, Phase::Answering, ONE, 25);
        }
        refused(&mut shares, Phase::Answering, ONE, 25);
        let (added, ended) = ask(&mut shares, &wish(Phase::Answering, ONE, 10), now);
        assert_eq!((added.is_ok(), ended), (true, 1));
    }

    #[test]
    fn the_one_furthest_behind_goes_first_and_what_moves_is_not_behind() {
        let (mut shares, now) = (shares(), Instant::now());
        let moving = holder();
        let moving_wish = wish(Phase::Answering, ONE, 15);
        let mut ended = Vec::new();
        shares.add(&moving, &moving_wish, now, &mut ended).unwrap();
        let stopped = ask(&mut shares, &wish(Phase::Answering, ONE, 10), now);
        let later = now + Duration::from_secs(1);
        let fresh = ask(&mut shares, &wish(Phase::Answering, ONE, 25), later);
        assert!(fresh.0.is_ok());
        moving.moves(10 * 1024);
        let (added, gone) = ask(&mut shares, &wish(Phase::Answering, ONE, 10), later);
        assert_eq!((added.is_ok(), gone), (true, 1));
        let grown = shares.grow(stopped.0.unwrap(), 1, later, &mut ended);
        assert_eq!((grown, ended.len()), (Err(NoRoom), 0));
        assert_eq!(shares.bytes(), 50);
    }

    #[test]
    fn answers_that_do_not_move_are_late_and_are_told_until_they_are_gone() {
        for phase in [Phase::Answering, Phase::Unproven] {
            let (mut shares, now) = (shares(), Instant::now());
            let place = add(&mut shares, phase, ONE, 20);
            add(&mut shares, Phase::AtWork, ONE, 20);
            for (seconds, late) in [(9, 0), (11, 1), (12, 1)] {
                let mut ended = Vec::new();
                shares.look(now + Duration::from_secs(seconds), &mut ended);
                assert_eq!(ended.len(), late, "after {seconds} s");
            }
            assert_eq!(shares.bytes(), 20);
            shares.remove(place);
            let mut ended = Vec::new();
            shares.look(now + Duration::from_secs(13), &mut ended);
            assert!(ended.is_empty());
        }
    }

    #[test]
    fn an_answer_in_the_room_of_its_request_is_on_its_own_pace_once_it_was_seen() {
        let (mut shares, now) = (shares(), Instant::now());
        let (answered, mut ended) = (holder(), Vec::new());
        let request = wish(Phase::AtWork, ONE, 40);
        shares.add(&answered, &request, now, &mut ended).unwrap();
        answered.answers(5);
        shares.look(now + Duration::from_secs(60), &mut ended);
        assert_eq!((shares.bytes(), ended.len()), (5, 0));
        shares.look(now + Duration::from_secs(69), &mut ended);
        assert_eq!(ended.len(), 0);
        shares.look(now + Duration::from_secs(70), &mut ended);
        assert_eq!((shares.bytes(), ended.len()), (0, 1));
    }
}
