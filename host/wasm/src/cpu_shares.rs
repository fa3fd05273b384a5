//! How much of the processors' time each plugin, and each account, may take in a second. Pure: it
//! is told the time and how long turns took.
//!
//! What takes more than its share waits for its next turn, and no record fails by that. Up to a
//! second's worth can be taken at once, so that bursts are bounded; a turn that took more than
//! there was is paid back before the next one.

use std::collections::HashMap;
use std::hash::Hash;
use std::time::Duration;

use types::AccountId;

use crate::limits::{PARTIES_KEPT_MAX, TURN_TIME};
use crate::name::PluginName;
use crate::turns::Party;

/// What a second's worth is counted in.
const MICROS_PER_MILLI: i64 = 1_000;

/// What an operator allows. 0: there is no bound.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CpuRules {
    /// Milliseconds a second of each plugin, over all its versions and whomever it works for. A
    /// manifest may ask for less.
    pub plugin_ms_per_second: u32,
    /// The same of each account, over all plugins that work for it.
    pub account_ms_per_second: u32,
}

/// What a plugin, or an account, may take and took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CpuShare {
    /// Milliseconds that it may take a second; 0: as many as there are.
    pub ms_per_second: u32,
    /// Microseconds that its turns took since the start: guests, and what is done with their
    /// records before and after.
    pub used_us: u64,
    /// Microseconds that turns waited since it had used its share.
    pub held_back_us: u64,
    /// Turns that did.
    pub held_back: u64,
}

/// The shares of all plugins and accounts.
#[derive(Debug, Default)]
pub(crate) struct CpuShares {
    rules: CpuRules,
    plugins: HashMap<PluginName, Bucket>,
    accounts: HashMap<AccountId, Bucket>,
}

/// What is left of a share. It fills up to a second's worth.
#[derive(Debug)]
struct Bucket {
    share: CpuShare,
    /// Without a bound it does not change: what is owed stays owed while versions with a bound and
    /// without one are at work by turns.
    left_us: i64,
    filled_at: Duration,
    /// Turns at work for which something was taken when they began.
    taken_ahead: u32,
}

impl CpuShares {
    pub(crate) fn new(rules: CpuRules) -> Self {
        Self {
            rules,
            ..Self::default()
        }
    }

    /// When a party may have its next turn; in the past where it may have one now.
    pub(crate) fn opens_at(&self, party: &Party, now: Duration) -> Duration {
        let plugin = party.plugin.as_ref().and_then(|it| self.plugins.get(it));
        let account = self.accounts.get(&party.account);
        let all = plugin.into_iter().chain(account);
        all.map(|bucket| bucket.opens_at(now)).max().unwrap_or(now)
    }

    /// A turn begins. What one takes at least while others wait is taken now: of many that begin at
    /// once not all shall find the same rest.
    pub(crate) fn begin(&mut self, party: &Party, held_back: Duration, now: Duration) {
        self.each(party, now, |bucket| {
            bucket.begin_turn();
            if held_back > Duration::ZERO {
                bucket.share.held_back += 1;
                bucket.share.held_back_us += micros(held_back);
            }
        });
    }

    /// A turn has ended that had a processor for so long. `asked` is what the version at work asks
    /// for in its manifest, if one was.
    pub(crate) fn end(
        &mut self,
        party: &Party,
        (took, asked): (Duration, Option<u32>),
        now: Duration,
    ) {
        let most = self.rules.plugin_ms_per_second;
        if let (Some(plugin), Some(asked)) = (&party.plugin, asked) {
            let rate = lower(most, asked);
            if let Some(bucket) = self.plugins.get_mut(plugin) {
                bucket.set_rate(rate, now);
            }
        }
        self.each(party, now, |bucket| {
            bucket.end_turn(took);
            bucket.share.used_us += micros(took);
        });
        self.forget(now);
    }

    /// What is known of a plugin.
    pub(crate) fn of_plugin(&self, plugin: &PluginName) -> CpuShare {
        let none = || self.share_of(self.rules.plugin_ms_per_second);
        self.plugins.get(plugin).map_or_else(none, |it| it.share)
    }

    /// What is known of an account.
    pub(crate) fn of_account(&self, account: AccountId) -> CpuShare {
        let none = || self.share_of(self.rules.account_ms_per_second);
        self.accounts.get(&account).map_or_else(none, |it| it.share)
    }

    /// All plugins that had a turn.
    pub(crate) fn plugins(&self) -> Vec<(PluginName, CpuShare)> {
        let all = self.plugins.iter();
        all.map(|(name, it)| (name.clone(), it.share)).collect()
    }

    /// All accounts for which there was a turn.
    pub(crate) fn accounts(&self) -> Vec<(AccountId, CpuShare)> {
        let all = self.accounts.iter();
        all.map(|(account, it)| (*account, it.share)).collect()
    }

    fn share_of(&self, ms_per_second: u32) -> CpuShare {
        CpuShare {
            ms_per_second,
            ..CpuShare::default()
        }
    }

    /// Does something with the plugin's share and the account's, as they are now.
    fn each(&mut self, party: &Party, now: Duration, mut does: impl FnMut(&mut Bucket)) {
        let rules = self.rules;
        if let Some(plugin) = &party.plugin {
            let new = || Bucket::full(rules.plugin_ms_per_second, now);
            let bucket = self.plugins.entry(plugin.clone()).or_insert_with(new);
            bucket.fill(now);
            does(bucket);
        }
        let new = || Bucket::full(rules.account_ms_per_second, now);
        let bucket = self.accounts.entry(party.account).or_insert_with(new);
        bucket.fill(now);
        does(bucket);
    }

    /// Forgets shares that are whole again, once there are very many: their counts begin anew.
    fn forget(&mut self, now: Duration) {
        forget_whole(&mut self.plugins, now);
        forget_whole(&mut self.accounts, now);
    }
}

fn forget_whole<K: Eq + Hash>(all: &mut HashMap<K, Bucket>, now: Duration) {
    if all.len() > PARTIES_KEPT_MAX {
        all.retain(|_, bucket| {
            bucket.fill(now);
            bucket.is_bounded() && bucket.left_us < bucket.most_us()
        });
    }
}

impl Bucket {
    fn full(ms_per_second: u32, now: Duration) -> Self {
        let mut bucket = Self {
            share: CpuShare {
                ms_per_second,
                ..CpuShare::default()
            },
            left_us: 0,
            filled_at: now,
            taken_ahead: 0,
        };
        bucket.left_us = bucket.most_us();
        bucket
    }

    /// A second's worth; without a bound more than anybody takes.
    fn most_us(&self) -> i64 {
        if self.is_bounded() {
            i64::from(self.share.ms_per_second) * MICROS_PER_MILLI
        } else {
            i64::MAX
        }
    }

    fn is_bounded(&self) -> bool {
        self.share.ms_per_second > 0
    }

    /// Takes what a turn takes at least.
    fn begin_turn(&mut self) {
        if self.is_bounded() {
            self.left_us = self.left_us.saturating_sub(signed_us(TURN_TIME));
            self.taken_ahead = self.taken_ahead.saturating_add(1);
        }
    }

    /// Gives that back, and takes what a turn took. What it took without a bound is nobody's debt.
    fn end_turn(&mut self, took: Duration) {
        let mut back = 0;
        if self.taken_ahead > 0 {
            self.taken_ahead -= 1;
            back = signed_us(TURN_TIME);
        }
        if self.is_bounded() {
            back -= signed_us(took);
        }
        self.left_us = self.left_us.saturating_add(back).min(self.most_us());
    }

    /// What was owed before stays owed.
    fn set_rate(&mut self, ms_per_second: u32, now: Duration) {
        if self.share.ms_per_second == ms_per_second {
            return;
        }
        self.fill(now);
        self.share.ms_per_second = ms_per_second;
        self.left_us = self.left_us.min(self.most_us());
    }

    fn fill(&mut self, now: Duration) {
        let passed = now.saturating_sub(self.filled_at);
        // Milliseconds a second are thousandths: so many microseconds of each millisecond.
        let more = signed_us(passed).saturating_mul(i64::from(self.share.ms_per_second)) / 1_000;
        if more > 0 || !self.is_bounded() {
            self.left_us = self.left_us.saturating_add(more).min(self.most_us());
            self.filled_at = now;
        }
    }

    /// When something is left of it.
    fn opens_at(&self, now: Duration) -> Duration {
        if !self.is_bounded() {
            return now;
        }
        let missing = 1_i64.saturating_sub(self.left_us).max(0);
        let rate = i64::from(self.share.ms_per_second);
        let wait = missing.saturating_mul(1_000).div_euclid(rate) + 1;
        let wait = u64::try_from(wait).unwrap_or_default();
        match missing {
            0 => now,
            _ => self.filled_at + Duration::from_micros(wait),
        }
    }
}

/// The lower of two bounds, of which 0 is none.
pub(crate) fn lower(one: u32, another: u32) -> u32 {
    match (one, another) {
        (0, bound) | (bound, 0) => bound,
        (one, another) => one.min(another),
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

/// A time that is subtracted from; the longest is far beyond what a server lives.
fn signed_us(time: Duration) -> i64 {
    i64::try_from(time.as_micros()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MILLI: Duration = Duration::from_millis(1);
    const SECOND: Duration = Duration::from_secs(1);

    fn party(account: &str, plugin: &str) -> Party {
        Party {
            account: AccountId::parse(account).unwrap(),
            delivery_stream: 1,
            plugin: Some(PluginName::parse(plugin).unwrap()),
        }
    }

    /// How long a party has a processor that takes turns of `turn` for as long as it may, in so
    /// many seconds.
    fn taken(rules: CpuRules, asked: Option<u32>, turn: Duration, seconds: u32) -> Duration {
        let mut shares = CpuShares::new(rules);
        let party = party("111111111111", "a");
        let (mut now, mut taken) = (Duration::ZERO, Duration::ZERO);
        while now < SECOND * seconds {
            let opens = shares.opens_at(&party, now);
            if opens > now {
                now = opens;
                continue;
            }
            shares.begin(&party, Duration::ZERO, now);
            now += turn;
            taken += turn;
            shares.end(&party, (turn, asked), now);
        }
        taken
    }

    #[test]
    fn a_plugin_takes_its_share_and_a_burst_and_no_more_however_long_its_turns_are() {
        for rate in [10, 100, 500] {
            let rules = CpuRules {
                plugin_ms_per_second: rate,
                account_ms_per_second: 0,
            };
            for turn in [MILLI, 20 * MILLI, 300 * MILLI] {
                let taken = taken(rules, None, turn, 60);
                let share = MILLI * rate * 60;
                assert!(taken >= share, "{rate}: {taken:?} by turns of {turn:?}");
                let most = share + MILLI * rate + 2 * turn + 2 * TURN_TIME;
                assert!(taken <= most, "{rate}: {taken:?} by turns of {turn:?}");
            }
        }
        assert!(taken(CpuRules::default(), None, MILLI, 2) >= 2 * SECOND);
    }

    #[test]
    fn a_manifest_lowers_its_plugins_share_and_never_raises_it() {
        let rules = CpuRules {
            plugin_ms_per_second: 100,
            account_ms_per_second: 0,
        };
        let seconds = 60;
        assert!(taken(rules, Some(50), MILLI, seconds) < MILLI * 50 * (seconds + 4));
        assert!(taken(rules, Some(1_000), MILLI, seconds) < MILLI * 100 * (seconds + 2));
        let unbounded = CpuRules::default();
        assert!(taken(unbounded, Some(50), MILLI, seconds) < MILLI * 50 * (seconds + 4));
    }

    #[test]
    fn an_account_that_used_its_share_waits_with_all_its_plugins_and_another_does_not() {
        let mut shares = CpuShares::new(CpuRules {
            plugin_ms_per_second: 0,
            account_ms_per_second: 100,
        });
        let now = SECOND;
        let one = party("111111111111", "a");
        shares.begin(&one, Duration::ZERO, now);
        shares.end(&one, (300 * MILLI, None), now);
        for plugin in ["a", "b"] {
            let opens = shares.opens_at(&party("111111111111", plugin), now);
            // 200 ms are missing, and a tenth of the time comes back.
            assert!(
                opens > now + 1_999 * MILLI && opens < now + 2_001 * MILLI,
                "{opens:?}"
            );
            assert_eq!(shares.opens_at(&party("222222222222", plugin), now), now);
        }
        assert_eq!(shares.of_account(one.account).used_us, 300_000);
        let opens = shares.opens_at(&one, now);
        shares.begin(&one, 2 * SECOND, opens);
        assert_eq!(shares.of_account(one.account).held_back_us, 2_000_000);
    }

    /// Each change of the share, from none to one as well, gave a whole second's worth.
    #[test]
    fn versions_that_ask_for_different_shares_at_the_same_time_do_not_forget_what_was_taken() {
        for asks in [
            [Some(50), Some(0)],
            [Some(50), Some(40)],
            [Some(0), Some(50)],
        ] {
            let mut shares = CpuShares::new(CpuRules::default());
            let one = party("111111111111", "a");
            let (mut now, mut bounded) = (SECOND, Duration::ZERO);
            for asked in asks.iter().cycle().take(2_000) {
                now = now.max(shares.opens_at(&one, now));
                shares.begin(&one, Duration::ZERO, now);
                now += MILLI;
                shares.end(&one, (MILLI, *asked), now);
                bounded += if *asked == Some(0) {
                    Duration::ZERO
                } else {
                    MILLI
                };
            }
            let most = 51 * (now - SECOND).as_millis() / 1_000 + 100;
            assert!(
                bounded.as_millis() <= most,
                "{asks:?}: {bounded:?} in {now:?}"
            );
        }
        let mut shares = CpuShares::new(CpuRules::default());
        let one = party("111111111111", "a");
        for (took, asked) in [(1_000, 100), (0, 50), (0, 0), (0, 100)] {
            shares.begin(&one, Duration::ZERO, SECOND);
            shares.end(&one, (MILLI * took, Some(asked)), SECOND);
        }
        let opens = shares.opens_at(&one, SECOND);
        assert!(opens > SECOND * 9 && opens < SECOND * 11, "{opens:?}");
    }

    #[test]
    fn turns_that_begin_at_once_do_not_all_find_the_same_rest() {
        let mut shares = CpuShares::new(CpuRules {
            plugin_ms_per_second: 50,
            account_ms_per_second: 0,
        });
        let party = party("111111111111", "a");
        let mut begun = 0;
        while shares.opens_at(&party, SECOND) <= SECOND {
            shares.begin(&party, Duration::ZERO, SECOND);
            begun += 1;
        }
        assert_eq!(begun, 3, "50 ms are two turns and a part of one");
    }
}
