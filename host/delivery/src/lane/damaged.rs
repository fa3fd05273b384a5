//! What a lane does where its log cannot be read: it stands still and says so, and passes over what
//! cannot be read once an operator has that left out. No lane passes over anything by itself: a
//! disk that is put right, or read better, may still have it.

use store::{Position, Transaction};
use streams::pump::Damage;
use streams::pump::StepError;
use types::Invalid;

use super::after::{After, UNREADABLE_LEFT_OUT};
use super::{LaneStep, Phase};
use crate::lane_state::StuckCut;
use crate::orders::{self, Obeyed, Order, Outcome};
use crate::rows::Lane;

impl LaneStep {
    /// Decides about records that cannot be read, which come next. Where the lane stands then.
    pub(super) async fn meets(
        &mut self,
        damage: &Damage,
        effects: &mut Transaction,
    ) -> Result<Position, StepError> {
        let from = damage.from;
        self.trim_before(from).await;
        if self.stands_at != from {
            self.catch_up(from).await?;
        }
        match &self.phase {
            Phase::LeavesOut(_) => {}
            Phase::PassesOver(kept) if kept.to == damage.to => {
                self.phase = Phase::PassesOver(damage.clone());
            }
            _ => {
                self.phase = Phase::Damaged(damage.clone());
                self.takes_back();
            }
        }
        self.obey().await?;
        match &self.phase {
            // Nothing of that cut has to be read.
            Phase::LeavesOut(_) => self.leave_out(from, effects),
            Phase::PassesOver(damage) => {
                let to = damage.to;
                let (mut lane, lost) = self.given_up(from, to)?;
                lane.counts.left_out += lost;
                effects.writes.push(self.write_of(&lane)?);
                self.after = Some(After {
                    lane,
                    position: to,
                    loss: UNREADABLE_LEFT_OUT,
                });
                Ok(to)
            }
            Phase::GetsOn | Phase::Stuck(_) | Phase::Damaged(_) => {
                let arn = self.signals.stream.borrow().arn.clone();
                let (name, lane) = (arn.name.as_str(), self.work.key.lane_name());
                let commands = orders::commands_about_damage(name, &lane);
                Err(StepError::Failed(format!("{damage}: {commands}")))
            }
        }
    }

    /// The lane once what lies between two positions is given up, and how much of it is lost.
    pub(super) fn given_up(&self, from: Position, to: Position) -> Result<(Lane, u64), StepError> {
        let (mut lane, put) = (self.lane.clone(), self.known_to_be_there());
        if let Some(open) = &mut lane.open {
            open.put = put;
        }
        let lost = lane.give_up(from, to);
        let lost = lost.map_err(|Invalid(why)| StepError::Failed(why))?;
        Ok((lane, lost))
    }

    /// What an order reaches while the lane stands before damage.
    pub(super) fn stuck_before(&self, damage: &Damage) -> StuckCut {
        let (number, objects) = match (&self.lane.open, &self.lane.moved) {
            (Some(open), _) => (open.cut.number, open.objects_that_may_exist()),
            (None, Some(moved)) => (self.lane.next_cut, moved.before.objects),
            (None, None) => (self.lane.next_cut, 0),
        };
        StuckCut {
            number,
            records: damage.records(),
            objects,
            is_unreadable: true,
        }
    }

    /// Does what an operator says about records that cannot be read.
    pub(super) fn obey_about(&mut self, damage: Damage, order: Order) -> Obeyed {
        let stuck = self.stuck_before(&damage);
        let outcome = match order {
            Order::Retry => Outcome::Done,
            Order::LeaveOut => {
                self.phase = Phase::PassesOver(damage);
                Outcome::Done
            }
            // There is nothing that could be put anywhere.
            Order::Skip | Order::Move => Outcome::Unreadable,
        };
        Obeyed {
            outcome,
            records: stuck.records,
            objects: stuck.objects,
        }
    }
}
