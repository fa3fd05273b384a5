//! Whose turn it is on the threads of guests. Pure: it is told how long a turn took and reads no
//! clock.
//!
//! Threads are in two groups. A party whose calls are quick waits for one of the quick threads, one
//! that was found slow for one of the slow ones, so that any number of guests that run into their
//! deadlines leaves the quick threads to the others. Within a group the next turn goes to the party
//! whose plugin, and then which itself, has the fewest turns at the moment, and of these to the one
//! that was served least.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use crate::limits::{PARTIES_KEPT_MAX, QUICK_TURNS_TO_BE_TRUSTED};
use crate::name::PluginName;

/// For whom work is done: those who share the threads.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Party {
    /// The number of the delivery stream.
    pub delivery_stream: u64,
    /// The plugin that its records go through, if they go through one.
    pub plugin: Option<PluginName>,
}

/// Which threads a turn takes one of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pace {
    Quick,
    Slow,
}

/// A turn that may begin.
#[derive(Debug)]
pub(crate) struct Next<J> {
    pub(crate) party: Party,
    pub(crate) pace: Pace,
    pub(crate) job: J,
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
}

impl Standing {
    fn pace(&self) -> Pace {
        if self.distrust == 0 {
            Pace::Quick
        } else {
            Pace::Slow
        }
    }

    fn is_idle(&self) -> bool {
        self.running == 0 && self.waiting == 0
    }
}

/// Threads, the turns that have one, and those that wait for one.
#[derive(Debug)]
pub(crate) struct Turns<J> {
    quick_max: usize,
    slow_max: usize,
    quick: usize,
    slow: usize,
    parties: HashMap<Party, Standing>,
    by_plugin: HashMap<PluginName, usize>,
    /// In the order in which they came.
    waiting: VecDeque<(Party, J)>,
    /// How much the party had been served that was given a turn last.
    served_last: Duration,
}

impl<J> Turns<J> {
    /// So many threads of each group.
    pub(crate) fn new(quick_max: usize, slow_max: usize) -> Self {
        Self {
            quick_max,
            slow_max,
            quick: 0,
            slow: 0,
            parties: HashMap::new(),
            by_plugin: HashMap::new(),
            waiting: VecDeque::new(),
            served_last: Duration::ZERO,
        }
    }

    /// Asks for a turn; a slow one if its party was found slow, or `is_slow`.
    pub(crate) fn ask(&mut self, party: Party, is_slow: bool, job: J) {
        let served_last = self.served_last;
        let standing = self.parties.entry(party.clone()).or_default();
        if standing.is_idle() {
            standing.served = standing.served.max(served_last);
        }
        standing.waiting += 1;
        if is_slow {
            standing.distrust = QUICK_TURNS_TO_BE_TRUSTED;
        }
        self.waiting.push_back((party, job));
    }

    /// The turn of this pace that begins now, if one waits and no more than so many have begun.
    pub(crate) fn begin(&mut self, pace: Pace) -> Option<Next<J>> {
        let has_thread = match pace {
            Pace::Quick => self.quick < self.quick_max,
            Pace::Slow => self.slow < self.slow_max,
        };
        if !has_thread {
            return None;
        }
        let candidates = self.waiting.iter().enumerate();
        let candidates = candidates.filter_map(|(index, (party, _))| {
            let standing = self.parties.get(party)?;
            let of_plugin = self.running_of_plugin(party).unwrap_or(standing.running);
            let order = (of_plugin, standing.running, standing.served, index);
            (standing.pace() == pace).then_some(order)
        });
        let (.., index) = candidates.min()?;
        let (party, job) = self.waiting.remove(index)?;
        let standing = self.parties.get_mut(&party)?;
        standing.waiting -= 1;
        standing.running += 1;
        self.served_last = standing.served;
        *self.count(pace) += 1;
        if let Some(plugin) = &party.plugin {
            *self.by_plugin.entry(plugin.clone()).or_default() += 1;
        }
        Some(Next { party, pace, job })
    }

    /// A quick turn has become slow. Whether it has gone over to the slow threads: if all of them
    /// are taken it has the quick one until it ends, which it should at once.
    pub(crate) fn turn_slow(&mut self, party: &Party) -> bool {
        self.distrust(party);
        if self.slow < self.slow_max {
            self.quick -= 1;
            self.slow += 1;
            true
        } else {
            false
        }
    }

    /// A call of a party took long, so that its next turns are slow ones.
    pub(crate) fn distrust(&mut self, party: &Party) {
        if let Some(standing) = self.parties.get_mut(party) {
            standing.distrust = QUICK_TURNS_TO_BE_TRUSTED;
        }
    }

    /// A turn has ended that had a thread of this group in the end. `was_quick` if no call of it
    /// took long.
    pub(crate) fn end(&mut self, party: &Party, pace: Pace, took: Duration, was_quick: bool) {
        *self.count(pace) -= 1;
        if let Some(plugin) = &party.plugin
            && let Some(running) = self.by_plugin.get_mut(plugin)
        {
            *running -= 1;
            if *running == 0 {
                self.by_plugin.remove(plugin);
            }
        }
        let Some(standing) = self.parties.get_mut(party) else {
            return;
        };
        standing.running -= 1;
        standing.served += took;
        if was_quick {
            standing.distrust = standing.distrust.saturating_sub(1);
        }
        if standing.is_idle() && standing.pace() == Pace::Quick {
            self.parties.remove(party);
        } else if self.parties.len() > PARTIES_KEPT_MAX {
            self.parties.retain(|_, standing| !standing.is_idle());
        }
    }

    /// Takes out every turn that waits.
    pub(crate) fn drain(&mut self) -> Vec<J> {
        for standing in self.parties.values_mut() {
            standing.waiting = 0;
        }
        self.waiting.drain(..).map(|(_, job)| job).collect()
    }

    /// Whether a party was found to be slow and has not shown since that it is not.
    pub(crate) fn is_slow(&self, party: &Party) -> bool {
        let standing = self.parties.get(party);
        standing.is_some_and(|standing| standing.pace() == Pace::Slow)
    }

    /// Turns that a delivery stream has at the moment.
    pub(crate) fn running_of(&self, delivery_stream: u64) -> usize {
        let of_it = self.parties.iter();
        let of_it = of_it.filter(|(party, _)| party.delivery_stream == delivery_stream);
        of_it.map(|(_, standing)| standing.running).sum()
    }

    /// Turns on quick threads, turns on slow threads, and turns that wait.
    pub(crate) fn counts(&self) -> (usize, usize, usize) {
        (self.quick, self.slow, self.waiting.len())
    }

    fn running_of_plugin(&self, party: &Party) -> Option<usize> {
        let plugin = party.plugin.as_ref()?;
        // Only what runs is counted there.
        Some(self.by_plugin.get(plugin).copied().unwrap_or_default())
    }

    fn count(&mut self, pace: Pace) -> &mut usize {
        match pace {
            Pace::Quick => &mut self.quick,
            Pace::Slow => &mut self.slow,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn party(delivery_stream: u64, plugin: &str) -> Party {
        Party {
            delivery_stream,
            plugin: Some(PluginName::parse(plugin).unwrap()),
        }
    }

    /// A turn of either pace.
    fn begin(turns: &mut Turns<u32>) -> Option<Next<u32>> {
        turns.begin(Pace::Quick).or_else(|| turns.begin(Pace::Slow))
    }

    fn order(turns: &mut Turns<u32>) -> Vec<u32> {
        std::iter::from_fn(|| begin(turns).map(|next| next.job)).collect()
    }

    const MOMENT: Duration = Duration::from_millis(1);

    /// Every turn takes a moment; the jobs in the order in which they had theirs.
    fn one_after_the_other(turns: &mut Turns<u32>) -> Vec<u32> {
        let mut had = Vec::new();
        while let Some(Next { party, pace, job }) = begin(turns) {
            turns.end(&party, pace, MOMENT, true);
            had.push(job);
        }
        had
    }

    #[test]
    fn parties_take_turns_however_much_one_of_them_asks() {
        let mut turns = Turns::new(1, 1);
        for job in 0..4 {
            turns.ask(party(1, "a"), false, job);
        }
        turns.ask(party(2, "a"), false, 10);
        turns.ask(party(2, "a"), false, 11);
        assert_eq!(one_after_the_other(&mut turns), [0, 10, 1, 11, 2, 3]);
    }

    #[test]
    fn who_comes_after_a_pause_has_saved_up_nothing() {
        let mut turns = Turns::new(1, 1);
        for job in 0..5 {
            turns.ask(party(1, "a"), false, job);
        }
        for _ in 0..3 {
            let Next { party, pace, .. } = begin(&mut turns).unwrap();
            turns.end(&party, pace, MOMENT, true);
        }
        for job in 10..13 {
            turns.ask(party(2, "a"), false, job);
        }
        assert_eq!(one_after_the_other(&mut turns), [10, 3, 11, 4, 12]);
    }

    #[test]
    fn threads_are_shared_out_by_plugin_before_by_delivery_stream() {
        let mut turns = Turns::new(3, 1);
        for stream in 1..=3 {
            turns.ask(party(stream, "many"), false, u32::try_from(stream).unwrap());
        }
        turns.ask(party(9, "one"), false, 9);
        assert_eq!(order(&mut turns), [1, 9, 2], "three threads");
    }

    #[test]
    fn slow_turns_leave_the_quick_threads_to_others() {
        let mut turns = Turns::new(2, 2);
        for stream in 1..=2 {
            turns.ask(party(stream, "loops"), false, 0);
            let next = begin(&mut turns).unwrap();
            assert_eq!(next.pace, Pace::Quick);
            assert!(turns.turn_slow(&next.party));
        }
        assert_eq!(turns.counts(), (0, 2, 0));
        turns.ask(party(1, "loops"), false, 1);
        turns.ask(party(2, "loops"), false, 2);
        turns.ask(party(9, "victim"), false, 9);
        turns.ask(party(9, "victim"), false, 10);
        assert_eq!(order(&mut turns), [9, 10], "both quick threads");
        assert_eq!(turns.counts(), (2, 2, 2));
        turns.end(&party(2, "loops"), Pace::Slow, MOMENT, false);
        assert_eq!(order(&mut turns), [2], "who has no turn comes first");
    }

    #[test]
    fn a_turn_that_becomes_slow_while_all_slow_threads_are_taken_does_not_go_over() {
        let mut turns = Turns::new(1, 1);
        for (stream, goes_over) in [(1, true), (2, false)] {
            turns.ask(party(stream, "loops"), false, 0);
            let next = begin(&mut turns).unwrap();
            assert_eq!(turns.turn_slow(&next.party), goes_over);
        }
        assert_eq!(turns.counts(), (1, 1, 0));
    }

    #[test]
    fn who_was_slow_is_trusted_again_after_enough_quick_turns() {
        let mut turns = Turns::new(1, 1);
        let slow = party(1, "sometimes");
        turns.ask(slow.clone(), false, 0);
        begin(&mut turns).unwrap();
        assert!(turns.turn_slow(&slow));
        turns.end(&slow, Pace::Slow, MOMENT, false);
        for turn in 0..QUICK_TURNS_TO_BE_TRUSTED {
            assert!(turns.is_slow(&slow));
            turns.ask(slow.clone(), false, turn);
            assert_eq!(begin(&mut turns).unwrap().pace, Pace::Slow);
            turns.end(&slow, Pace::Slow, MOMENT, true);
        }
        assert!(!turns.is_slow(&slow));
        turns.ask(slow, false, 0);
        assert_eq!(begin(&mut turns).unwrap().pace, Pace::Quick);
    }
}
