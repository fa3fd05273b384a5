//! What stands in the way of a seat.

use super::{
    Asker, CUTS_MAX, CUTS_PER_PLUGIN_MAX, CUTS_PER_STREAM_MAX, Ledger, SLOW_CUTS_PER_ACCOUNT_MAX,
    SLOW_PART, Seat, SeatId,
};
use crate::ledger::queues::Waiting;

/// What stands in the way of a seat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Obstacle {
    /// A limit of its delivery stream or its plugin.
    Own,
    /// What slow parties of its account may hold together.
    Account,
    /// What slow parties may hold together.
    Slow,
    /// What all may hold together.
    All,
}

impl Ledger {
    /// Whether a slow cut may have so many bytes while other slow ones of its account have those.
    /// One that is alone may: it would never get on otherwise.
    pub(super) fn may_be_slow_beside(&self, others: u64, bytes: u64) -> bool {
        others == 0 || others + bytes <= self.slow_bytes_max() / 4 * 3
    }

    pub(super) fn slow_bytes_max(&self) -> u64 {
        self.limits.bytes_max() / SLOW_PART as u64
    }

    /// Whether a slow cut that waits was passed often enough, and would find a seat if those that
    /// are slow and asked after it had none. Those do not count that hang, as nobody knows when
    /// they end; but of those that had not asked by then, all do: it would go on for ever.
    pub(super) fn fits_without_those_after(
        &self,
        id: SeatId,
        asker: &Asker,
        waiting: &Waiting,
    ) -> bool {
        let (bytes, Some(enough_at)) = (waiting.bytes, waiting.enough_at) else {
            return false;
        };
        let after = |(seat, it): &(&SeatId, &Seat)| {
            **seat > id && it.asker.is_slow && !(it.hangs && **seat < enough_at)
        };
        let (mut of_account, mut of_all) = (self.of_account(asker.account), self.all);
        for (_, seat) in self.seats.iter().filter(after) {
            let part = seat.holding();
            of_all = of_all.without(part);
            if seat.asker.account == asker.account {
                of_account = of_account.without(part);
            }
        }
        of_account.slow_cuts < SLOW_CUTS_PER_ACCOUNT_MAX
            && self.may_be_slow_beside(of_account.slow_bytes, bytes)
            && of_all.slow_cuts < CUTS_MAX / SLOW_PART
            && of_all.slow_bytes + bytes <= self.slow_bytes_max()
    }

    /// What stands in the way of a seat with so many bytes, if anything does.
    pub(super) fn obstacle(&self, asker: &Asker, bytes: u64) -> Option<Obstacle> {
        let party = &asker.party;
        let stream = self.of_stream(party.delivery_stream);
        // Without a plugin there is none that others wait for.
        let plugin = party.plugin.as_ref().map(|it| self.of_plugin(it));
        let plugin = plugin.unwrap_or_default();
        let own = stream.bytes + bytes > self.limits.stream_bytes_max()
            || stream.cuts >= CUTS_PER_STREAM_MAX
            || plugin.cuts >= CUTS_PER_PLUGIN_MAX;
        let account = self.of_account(asker.account);
        // A cut that goes on with the bytes that it has asks for none, and can.
        let own_slow = stream.slow_cuts >= CUTS_PER_STREAM_MAX / SLOW_PART
            || plugin.slow_cuts >= CUTS_PER_PLUGIN_MAX / SLOW_PART;
        let slow_of_account = account.slow_cuts >= SLOW_CUTS_PER_ACCOUNT_MAX
            || bytes > 0 && !self.may_be_slow_beside(account.slow_bytes, bytes);
        let slow = self.all.slow_bytes + bytes > self.slow_bytes_max()
            || self.all.slow_cuts >= CUTS_MAX / SLOW_PART;
        let all = self.all.bytes + bytes > self.limits.bytes_max() || self.all.cuts >= CUTS_MAX;
        if own || asker.is_slow && own_slow {
            Some(Obstacle::Own)
        } else if asker.is_slow && slow_of_account {
            Some(Obstacle::Account)
        } else if asker.is_slow && slow {
            Some(Obstacle::Slow)
        } else if all {
            Some(Obstacle::All)
        } else {
            None
        }
    }
}
