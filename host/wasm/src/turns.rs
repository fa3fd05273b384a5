//! Whose turn it is on the threads of guests. Pure: it is told how long a turn took and reads no
//! clock.
//!
//! Threads are in three groups. A party whose calls are quick waits for one of the quick threads,
//! one that was found slow for one of the slow ones, so that any number of guests that run into
//! their deadlines leaves the quick threads to the others. Who uses little of the processors has
//! threads of its own beside the quick ones, so that it does not wait for the end of a turn of
//! those who use much. Within a group the next turn goes to the
//! account that has the fewest turns at the moment and was served least, and within it to the party
//! whose plugin, and then which itself, has the fewest turns, and of these to the one that was
//! served least. Who has used its share of the processors' time is passed over: see `cpu_shares`.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;
use std::ops::{Index, IndexMut};
use std::time::Duration;

use types::AccountId;

use crate::cpu_shares::{CpuRules, CpuShares};
use crate::limits::{
    LIGHT_BURST, LIGHT_MS_PER_SECOND, LIGHT_USE_MAX, LOOKED_OVER_MIN, PARTIES_KEPT_MAX,
    QUICK_TURNS_TO_BE_TRUSTED,
};
use crate::name::PluginName;

/// For whom work is done: those who share the threads.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Party {
    /// Whose work it is.
    pub account: AccountId,
    /// The number of the delivery stream.
    pub delivery_stream: u64,
    /// The plugin that its records go through, if they go through one.
    pub plugin: Option<PluginName>,
}

/// Which threads a turn takes one of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pace {
    /// Those for parties that use little of the processors.
    Light,
    /// Those for all parties whose calls are quick; a light one takes one if no light one is free.
    Quick,
    /// Those for parties that were found slow.
    Slow,
}

impl Pace {
    pub(crate) const ALL: [Self; 3] = [Self::Light, Self::Quick, Self::Slow];
}

/// One for each group of threads.
#[derive(Debug, Default)]
pub(crate) struct ByPace<T>([T; 3]);

impl<T> ByPace<T> {
    pub(crate) fn of(light: T, quick: T, slow: T) -> Self {
        Self([light, quick, slow])
    }
}

impl<T> Index<Pace> for ByPace<T> {
    type Output = T;

    fn index(&self, pace: Pace) -> &T {
        &self.0[pace as usize]
    }
}

impl<T> IndexMut<Pace> for ByPace<T> {
    fn index_mut(&mut self, pace: Pace) -> &mut T {
        &mut self.0[pace as usize]
    }
}

/// The places of a group.
#[derive(Debug, Default)]
struct Places {
    max: usize,
    taken: usize,
    /// Turns that were away and want their places back: they come before new ones.
    returning: usize,
}

/// A turn that may begin.
#[derive(Debug)]
pub(crate) struct Next<J> {
    pub(crate) party: Party,
    pub(crate) pace: Pace,
    pub(crate) job: J,
}

/// What became of a turn.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Ended {
    /// How long it had its thread.
    pub(crate) took: Duration,
    /// How long that had a processor.
    pub(crate) cpu: Duration,
    /// What the version at work asks for: see [`CpuShares::end`].
    pub(crate) asked: Option<u32>,
    /// No call of it took long.
    pub(crate) was_quick: bool,
}

/// What is known of a party.
#[derive(Debug, Default)]
struct Standing {
    running: usize,
    waiting: usize,
    /// How long its turns took together. One that comes after a pause begins with as much as the
    /// party that was served last, so that nobody saves up turns.
    served: Duration,
    /// Quick turns that it still needs until it is trusted to be quick; 0 for one that is.
    distrust: u32,
    recent: RecentUse,
}

/// How much of a processor somebody had lately, beyond what a light party may have: it flows off
/// at that rate.
#[derive(Debug, Default)]
struct RecentUse {
    level: Duration,
    at: Duration,
}

impl RecentUse {
    fn level(&self, now: Duration) -> Duration {
        let flowed_off = now.saturating_sub(self.at) * LIGHT_MS_PER_SECOND / 1_000;
        self.level.saturating_sub(flowed_off)
    }

    fn add(&mut self, cpu: Duration, now: Duration) {
        self.level = (self.level(now) + cpu).min(LIGHT_USE_MAX);
        self.at = now;
    }
}

/// What is known of an account that has turns or waits for one.
#[derive(Debug, Default)]
struct AccountStanding {
    running: usize,
    waiting: usize,
    /// As [`Standing::served`], of all its parties together.
    served: Duration,
}

/// A turn that waits.
#[derive(Debug)]
struct Waiting<J> {
    party: Party,
    job: J,
    /// Its party used little when it came.
    is_light: bool,
    /// Since when it was passed over because of its party's share.
    held_back_at: Option<Duration>,
}

impl<J> Waiting<J> {
    /// Which threads it is for, with its party standing so.
    fn wants(&self, standing: &Standing) -> Pace {
        if standing.is_slow() {
            Pace::Slow
        } else if self.is_light {
            Pace::Light
        } else {
            Pace::Quick
        }
    }
}

impl Standing {
    fn is_light(&self, now: Duration) -> bool {
        self.recent.level(now) <= LIGHT_BURST
    }

    fn is_slow(&self) -> bool {
        self.distrust > 0
    }

    fn is_to_be_remembered(&self, now: Duration) -> bool {
        self.is_slow() || !self.recent.level(now).is_zero()
    }

    fn is_idle(&self) -> bool {
        self.running == 0 && self.waiting == 0
    }
}

/// Counts a turn less; who has none is not noted.
fn one_less<K: Hash + Eq>(running: &mut HashMap<K, usize>, of: &K) {
    if let Some(count) = running.get_mut(of) {
        *count -= 1;
        if *count == 0 {
            running.remove(of);
        }
    }
}

/// Threads, the turns that have one, and those that wait for one.
#[derive(Debug)]
pub(crate) struct Turns<J> {
    places: ByPace<Places>,
    parties: HashMap<Party, Standing>,
    /// So many of them are remembered before those that need not be are looked for.
    look_over_at: usize,
    /// A light thread is missing for longer, so that a free place says nothing.
    lacks_light: bool,
    by_plugin: HashMap<PluginName, usize>,
    by_delivery_stream: HashMap<u64, usize>,
    by_account: HashMap<AccountId, AccountStanding>,
    pub(crate) shares: CpuShares,
    /// In the order in which they came.
    waiting: VecDeque<Waiting<J>>,
    /// How much the party, and the account, had been served that was given a turn last.
    served_last: Duration,
    account_served_last: Duration,
}

impl<J> Turns<J> {
    /// So many threads of each group.
    pub(crate) fn new(threads: ByPace<usize>, rules: CpuRules) -> Self {
        let places = threads.0.map(|max| Places {
            max,
            ..Places::default()
        });
        Self {
            places: ByPace(places),
            parties: HashMap::new(),
            look_over_at: LOOKED_OVER_MIN,
            lacks_light: false,
            by_plugin: HashMap::new(),
            by_delivery_stream: HashMap::new(),
            by_account: HashMap::new(),
            shares: CpuShares::new(rules),
            waiting: VecDeque::new(),
            served_last: Duration::ZERO,
            account_served_last: Duration::ZERO,
        }
    }

    /// Asks for a turn; a slow one if its party was found slow, or `is_slow`.
    pub(crate) fn ask(&mut self, party: Party, is_slow: bool, job: J, now: Duration) {
        let served_last = self.served_last;
        let standing = self.parties.entry(party.clone()).or_default();
        if standing.is_idle() {
            standing.served = standing.served.max(served_last);
        }
        standing.waiting += 1;
        if is_slow {
            standing.distrust = QUICK_TURNS_TO_BE_TRUSTED;
        }
        let is_light = standing.is_light(now);
        let served_last = self.account_served_last;
        let account = self.by_account.entry(party.account).or_default();
        if account.running == 0 && account.waiting == 0 {
            account.served = account.served.max(served_last);
        }
        account.waiting += 1;
        self.waiting.push_back(Waiting {
            party,
            job,
            is_light,
            held_back_at: None,
        });
    }

    /// The turn of this pace that begins now, if one waits whose party may have it, and no more
    /// than so many have begun.
    pub(crate) fn begin(&mut self, pace: Pace, now: Duration) -> Option<Next<J>> {
        if !self.has_thread(pace) {
            return None;
        }
        let lends = self.lends(pace);
        let mut first = None;
        for (index, waiting) in self.waiting.iter_mut().enumerate() {
            let party = &waiting.party;
            let standing = self.parties.get(party).filter(|standing| {
                let wanted = waiting.wants(standing);
                wanted == pace || lends && wanted == Pace::Light
            });
            let (Some(standing), Some(account)) = (standing, self.by_account.get(&party.account))
            else {
                continue;
            };
            if self.shares.opens_at(party, now) > now {
                waiting.held_back_at.get_or_insert(now);
                continue;
            }
            let plugin = party.plugin.as_ref();
            // Only what runs is counted there.
            let of_plugin = plugin.map(|it| self.by_plugin.get(it).copied().unwrap_or_default());
            let of_account = (account.running, account.served);
            let of_party = (of_plugin.unwrap_or(standing.running), standing.running);
            let order = (of_account, of_party, standing.served, index);
            if first.is_none_or(|first| order < first) {
                first = Some(order);
            }
        }
        let (.., index) = first?;
        self.begin_at(index, pace, now)
    }

    fn begin_at(&mut self, index: usize, pace: Pace, now: Duration) -> Option<Next<J>> {
        let waiting = self.waiting.remove(index)?;
        let Waiting { party, job, .. } = waiting;
        let held_back = waiting.held_back_at.map(|since| now.saturating_sub(since));
        let standing = self.parties.get_mut(&party)?;
        standing.waiting -= 1;
        standing.running += 1;
        self.served_last = standing.served;
        let account = self.by_account.get_mut(&party.account)?;
        account.waiting -= 1;
        account.running += 1;
        self.account_served_last = account.served;
        self.places[pace].taken += 1;
        self.shares
            .begin(&party, held_back.unwrap_or_default(), now);
        let of_stream = self.by_delivery_stream.entry(party.delivery_stream);
        *of_stream.or_default() += 1;
        if let Some(plugin) = &party.plugin {
            *self.by_plugin.entry(plugin.clone()).or_default() += 1;
        }
        Some(Next { party, pace, job })
    }

    /// When a turn of this pace may begin that waits for nothing but its party's share; `None`:
    /// none does.
    pub(crate) fn opens_at(&self, pace: Pace, now: Duration) -> Option<Duration> {
        if !self.has_thread(pace) {
            return None;
        }
        let lends = self.lends(pace);
        let of_pace = |waiting: &&Waiting<J>| {
            let standing = self.parties.get(&waiting.party);
            standing.is_some_and(|standing| {
                let wanted = waiting.wants(standing);
                wanted == pace || lends && wanted == Pace::Light
            })
        };
        let waiting = self.waiting.iter().filter(of_pace);
        waiting
            .map(|waiting| self.shares.opens_at(&waiting.party, now))
            .min()
    }

    /// A turn waits for somebody else, and has no place meanwhile.
    pub(crate) fn leave(&mut self, pace: Pace) {
        self.places[pace].taken -= 1;
    }

    /// It wants its place back.
    pub(crate) fn wants_back(&mut self, pace: Pace) {
        self.places[pace].returning += 1;
    }

    /// Whether a turn that wants it can have a place.
    pub(crate) fn has_place(&self, pace: Pace) -> bool {
        let places = &self.places[pace];
        places.taken < places.max
    }

    /// It has its place again, or ends as nobody waits for it.
    pub(crate) fn come_back(&mut self, pace: Pace) {
        let places = &mut self.places[pace];
        places.returning -= 1;
        places.taken += 1;
    }

    /// Whether light turns may have these threads: the quick ones, where no light one is free.
    fn lends(&self, pace: Pace) -> bool {
        pace == Pace::Quick && (!self.has_thread(Pace::Light) || self.lacks_light)
    }

    /// A thread for light turns could not be started, or could again.
    pub(crate) fn lacks_light(&mut self, lacks: bool) {
        self.lacks_light = lacks;
    }

    /// Whether a new turn can have a place.
    fn has_thread(&self, pace: Pace) -> bool {
        self.has_place(pace) && self.places[pace].returning == 0
    }

    /// A turn of another pace has become slow. Whether it has gone over to the slow threads: if all
    /// of them are taken it has its own until it ends, which it should at once.
    pub(crate) fn turn_slow(&mut self, party: &Party, from: Pace) -> bool {
        self.distrust(party);
        let goes_over = self.has_place(Pace::Slow);
        if goes_over {
            self.places[from].taken -= 1;
            self.places[Pace::Slow].taken += 1;
        }
        goes_over
    }

    /// A call of a party took long, so that its next turns are slow ones.
    pub(crate) fn distrust(&mut self, party: &Party) {
        if let Some(standing) = self.parties.get_mut(party) {
            standing.distrust = QUICK_TURNS_TO_BE_TRUSTED;
        }
    }

    /// A turn has ended that had a thread of this group in the end.
    pub(crate) fn end(&mut self, party: &Party, pace: Pace, ended: Ended, now: Duration) {
        let Ended {
            took, was_quick, ..
        } = ended;
        self.places[pace].taken -= 1;
        self.shares.end(party, (ended.cpu, ended.asked), now);
        if let Some(account) = self.by_account.get_mut(&party.account) {
            account.running -= 1;
            account.served += took;
            if account.running == 0 && account.waiting == 0 {
                self.by_account.remove(&party.account);
            }
        }
        if let Some(plugin) = &party.plugin {
            one_less(&mut self.by_plugin, plugin);
        }
        one_less(&mut self.by_delivery_stream, &party.delivery_stream);
        let Some(standing) = self.parties.get_mut(party) else {
            return;
        };
        standing.running -= 1;
        standing.served += took;
        standing.recent.add(ended.cpu, now);
        if was_quick {
            standing.distrust = standing.distrust.saturating_sub(1);
        }
        self.look_over(now);
    }

    /// Forgets parties that have nothing to do, were not slow and used nothing lately; if that
    /// leaves too many, all that have nothing to do.
    fn look_over(&mut self, now: Duration) {
        if self.parties.len() < self.look_over_at {
            return;
        }
        self.parties
            .retain(|_, standing| !standing.is_idle() || standing.is_to_be_remembered(now));
        if self.parties.len() > PARTIES_KEPT_MAX {
            self.parties.retain(|_, standing| !standing.is_idle());
        }
        // So that all are looked at only once there are twice as many.
        self.look_over_at = (self.parties.len() * 2).max(LOOKED_OVER_MIN);
    }

    /// Takes out every turn that waits.
    pub(crate) fn drain(&mut self) -> Vec<J> {
        for standing in self.parties.values_mut() {
            standing.waiting = 0;
        }
        for account in self.by_account.values_mut() {
            account.waiting = 0;
        }
        self.waiting.drain(..).map(|waiting| waiting.job).collect()
    }

    /// Whether a party was found to be slow and has not shown since that it is not.
    pub(crate) fn is_slow(&self, party: &Party) -> bool {
        let standing = self.parties.get(party);
        standing.is_some_and(Standing::is_slow)
    }

    /// Turns that a delivery stream has at the moment.
    pub(crate) fn running_of(&self, delivery_stream: u64) -> usize {
        let running = self.by_delivery_stream.get(&delivery_stream);
        // Only who has one is noted.
        running.copied().unwrap_or_default()
    }

    /// Turns on the threads of a group.
    pub(crate) fn running(&self, pace: Pace) -> usize {
        self.places[pace].taken
    }

    /// Turns that wait.
    pub(crate) fn waiting(&self) -> usize {
        self.waiting.len()
    }
}

#[cfg(test)]
mod tests;
