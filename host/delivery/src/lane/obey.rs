//! Doing what an operator says about a cut that the lane does not get rid of.

use store::{Position, Transaction};
use streams::pump::StepError;
use types::Invalid;

use super::deliver::Puts;
use super::{Barrier, LaneStep, Phase, Stuck, failed};
use crate::answers::Answers;
use crate::counts::{Became, Counts};
use crate::let_go::{AllLetGo, LetGo};
use crate::open_cut::{Moved, OpenCut, Put, Skip, Way};
use crate::orders::{Asked, Obeyed, Order, Outcome};
use crate::rows::Lane;
use crate::settled::Settled;

impl LaneStep {
    /// Obeys the orders that have come. Each is durable before it is answered, or is not done.
    pub(super) async fn obey(&mut self) -> Result<(), StepError> {
        while let Some(asked) = self.next_order() {
            let Asked { order, cut, answer } = asked;
            let obeyed = self.obey_one(order, cut).await;
            let told = match &obeyed {
                Ok(obeyed) => *obeyed,
                Err(_) => Obeyed::not(Outcome::Failed),
            };
            if order == Order::LeaveOut && told.outcome == Outcome::Done {
                // It is durable with the lane's next position, or not done.
                self.promised = Some((answer, told));
            } else {
                // Where the operator has gone away, the page shows what became of it.
                let _ = answer.send(told);
            }
            obeyed?;
        }
        Ok(())
    }

    fn next_order(&mut self) -> Option<Asked> {
        let asked = self.asked.take();
        asked.or_else(|| self.signals.orders.try_recv().ok())
    }

    async fn obey_one(&mut self, order: Order, cut: Option<u64>) -> Result<Obeyed, StepError> {
        let obeyed = match &self.phase {
            Phase::Damaged(damage) if Some(self.stuck_before(damage).number) == cut => {
                let damage = damage.clone();
                self.obey_about(damage, order)
            }
            Phase::Stuck(stuck) if Some(stuck.open.cut.number) == cut => {
                let Stuck { open, why, barrier } = stuck.clone();
                self.obey_about_cut((&open, &why), barrier, order).await?
            }
            // The records that come next wait for a version that they name.
            Phase::GetsOn if order == Order::Move && cut.is_none() => self.let_go().await?,
            // The lane has got rid of it meanwhile.
            Phase::GetsOn if order == Order::Retry && cut.is_some() => Obeyed {
                outcome: Outcome::Done,
                records: 0,
                objects: 0,
            },
            Phase::GetsOn
            | Phase::Stuck(_)
            | Phase::LeavesOut(_)
            | Phase::Damaged(_)
            | Phase::PassesOver(_) => Obeyed::not(Outcome::NothingStuck),
        };
        if obeyed.outcome == Outcome::Done {
            self.tell_decided((order, cut), obeyed);
        }
        Ok(obeyed)
    }

    /// Keeps that what waits for a version that cannot be had does not wait for it any more, as far
    /// as the log goes by now.
    async fn let_go(&mut self) -> Result<Obeyed, StepError> {
        let Some(version) = self.lacks.take() else {
            return Ok(Obeyed::not(Outcome::NothingStuck));
        };
        let to = self.work.tip().map_err(|error| failed(&error))?;
        let let_go = self.and_let_go(LetGo { version, to });
        self.write(Lane {
            let_go,
            ..self.lane.clone()
        })
        .await?;
        Ok(Obeyed {
            outcome: Outcome::Done,
            records: 0,
            objects: 0,
        })
    }

    /// What is let go with this.
    fn and_let_go(&self, more: LetGo) -> AllLetGo {
        let mut all = self.lane.let_go.clone();
        if let Some(LetGo { version, to }) = all.add(more) {
            let stream = self.signals.stream.borrow().arn.to_string();
            let lane = self.work.key.lane_name();
            let why = "too many versions are let go";
            tracing::warn!(stream, lane, ?version, %to, why, "records wait for a version again");
        }
        all
    }

    async fn obey_about_cut(
        &mut self,
        (open, why): (&OpenCut, &str),
        barrier: Barrier,
        order: Order,
    ) -> Result<Obeyed, StepError> {
        let mut outcome = Outcome::Done;
        match order {
            Order::Retry => {}
            Order::Move => self.forget(open).await?,
            // What cannot be read cannot be put anywhere.
            Order::Skip if barrier == Barrier::Damage => outcome = Outcome::Unreadable,
            Order::Skip => self.begin_to_skip(open, why).await?,
            Order::LeaveOut => self.phase = Phase::LeavesOut(self.as_known(open)),
        }
        Ok(Obeyed {
            outcome,
            records: open.cut.records,
            objects: open.objects_that_may_exist(),
        })
    }

    fn tell_decided(&self, (order, cut): (Order, Option<u64>), obeyed: Obeyed) {
        let stream = self.signals.stream.borrow().arn.to_string();
        let shard = self.work.key.shard;
        let Obeyed {
            records, objects, ..
        } = obeyed;
        tracing::warn!(
            stream,
            shard,
            cut,
            records,
            objects,
            ?order,
            "an operator decided"
        );
    }

    /// Leaves out the cut of which an operator said so, which begins at `from`.
    pub(super) fn leave_out(
        &mut self,
        from: Position,
        effects: &mut Transaction,
    ) -> Result<Position, StepError> {
        let Phase::LeavesOut(open) = &self.phase else {
            let why = "no cut is left out".to_owned();
            return Err(StepError::Failed(why));
        };
        let open = open.clone();
        // The version that it goes through may not have been loaded.
        self.label = String::new();
        self.is_done_with((from, &open), rest_left_out(from, &open)?, effects)
    }

    /// What was promised will not be done: what it was about is not as it was.
    pub(super) fn takes_back(&mut self) {
        if let Some((answer, _)) = self.promised.take() {
            // Where the operator has gone away, the page shows what there is now.
            let _ = answer.send(Obeyed::not(Outcome::NothingStuck));
        }
    }

    /// The lane stands at a position, durably. Where that is not behind what is left out, since
    /// retention took the first of it, the rest stays left out.
    pub(super) fn goes_on_from(&mut self, position: Position) {
        match &self.phase {
            Phase::LeavesOut(open) if open.cut.to > position => {
                self.phase = match open.rest_from(position) {
                    Some(rest) => Phase::LeavesOut(rest),
                    None => Phase::GetsOn,
                };
                return;
            }
            Phase::PassesOver(damage) if damage.to > position => return,
            _ => self.phase = Phase::GetsOn,
        }
        if let Some((answer, obeyed)) = self.promised.take() {
            // Where the operator has gone away, the page shows what became of it.
            let _ = answer.send(obeyed);
        }
    }

    /// A cut that is stuck, with what is known to be there of it.
    fn as_known(&self, open: &OpenCut) -> OpenCut {
        OpenCut {
            put: self.known_to_be_there().and_in_part(self.puts.in_part),
            ..open.clone()
        }
    }

    /// Forgets a cut. Its number is not used again: objects of it may be there. Its records do not
    /// go through the version that they name any more, if they name one.
    async fn forget(&mut self, open: &OpenCut) -> Result<(), StepError> {
        let named = self.work.named_at(open.cut.from, &self.lane.let_go).await?;
        let let_go = match named {
            Some(named) => self.and_let_go(LetGo {
                version: named.version,
                to: open.cut.to,
            }),
            None => self.lane.let_go.clone(),
        };
        let before = self.as_known(open).as_before();
        let known = self.lane.moved;
        let known = known.filter(|moved| moved.before.holds.records_in > before.holds.records_in);
        let moved = Moved {
            to: open.cut.to,
            extra: open.cut.extra(),
            before,
        };
        (self.phase, self.puts) = (Phase::GetsOn, Puts::default());
        self.write(Lane {
            next_cut: open.cut.number + 1,
            open: None,
            settled: Settled::default(),
            moved: known.or(Some(moved)),
            let_go,
            ..self.lane.clone()
        })
        .await
    }

    /// Keeps that the records of a cut go to the error output in force, under a number of their
    /// own, also if they were on their way to the one of before.
    async fn begin_to_skip(&mut self, open: &OpenCut, why: &str) -> Result<(), StepError> {
        let why = match &open.way {
            Way::Deliver => why,
            // Why they were not delivered, and not why they could not be skipped.
            Way::Skip(skip) => skip.why(),
        };
        let limits = self.work.tools.shares.limits();
        let skip = Skip::new(why, limits.skipped_object_bytes_max());
        let stream = self.signals.stream.borrow().clone();
        let mut cut = open.cut.clone();
        cut.number += 1;
        cut.version_id = stream.version_id;
        cut.plugin = None;
        cut.decided_at = self.work.tools.clock.now();
        let skipped = OpenCut {
            clocks: stream.plan.zone.clocks_at(cut.oldest),
            cut,
            destination: stream.destination.clone(),
            way: Way::Skip(skip),
            objects: 0,
            put: Put::default(),
            before: self.as_known(open).as_before(),
            answers: Answers::default(),
        };
        (self.phase, self.puts) = (Phase::GetsOn, Puts::default());
        self.write(Lane {
            open: Some(skipped),
            settled: Settled::default(),
            ..self.lane.clone()
        })
        .await
    }
}

/// What becomes of a cut that is left out, but for what is known to be in objects.
fn rest_left_out(from: Position, open: &OpenCut) -> Result<Became, StepError> {
    let given_up = open.given_up(from);
    let counts = given_up.map_err(|Invalid(why)| StepError::Failed(why))?;
    Ok(Became {
        counts: Counts {
            left_out: counts.lost,
            ..counts
        },
        places: open.cut.to.0.saturating_sub(from.0),
    })
}
