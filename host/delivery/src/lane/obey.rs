//! Doing what an operator says about a cut that the lane does not get rid of.

use store::Position;
use streams::pump::StepError;

use super::deliver::Puts;
use super::{LaneStep, Phase};
use crate::counts::Counts;
use crate::open_cut::{OpenCut, Skip, Way};
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
            // Whoever has gone away sees what became of it on the page.
            let _ = answer.send(told);
            obeyed?;
        }
        Ok(())
    }

    fn next_order(&mut self) -> Option<Asked> {
        let asked = self.asked.take();
        asked.or_else(|| self.signals.orders.try_recv().ok())
    }

    async fn obey_one(&mut self, order: Order, cut: u64) -> Result<Obeyed, StepError> {
        let open = match &self.phase {
            Phase::Stuck(open) if open.cut.number == cut => open.clone(),
            Phase::GetsOn | Phase::Stuck(_) | Phase::LeavesOut(_) => {
                return Ok(Obeyed::not(Outcome::NothingStuck));
            }
        };
        match order {
            Order::Retry => {}
            Order::Move => self.forget(&open).await?,
            Order::Skip => self.begin_to_skip(&open).await?,
            // Durable with the position behind it, or not done.
            Order::LeaveOut => self.phase = Phase::LeavesOut(open.clone()),
        }
        let stream = self.signals.stream.borrow().arn.to_string();
        let (shard, records, objects) = (self.work.key.shard, open.cut.records, open.objects);
        tracing::warn!(
            stream,
            shard,
            cut,
            records,
            objects,
            ?order,
            "an operator decided"
        );
        Ok(Obeyed {
            outcome: Outcome::Done,
            records,
            objects,
        })
    }

    /// Forgets a cut. Its number is not used again: objects of it may be there.
    async fn forget(&mut self, open: &OpenCut) -> Result<(), StepError> {
        (self.phase, self.puts) = (Phase::GetsOn, Puts::default());
        self.write(Lane {
            next_cut: open.cut.number + 1,
            open: None,
            settled: Settled::default(),
            ..self.lane.clone()
        })
        .await
    }

    /// Keeps that the records of a cut go to the error output in force, under a number of their
    /// own, also if they were on their way to the one of before.
    async fn begin_to_skip(&mut self, open: &OpenCut) -> Result<(), StepError> {
        let trouble = self.state.trouble().unwrap_or_default();
        let why = match &open.way {
            Way::Deliver => &trouble,
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
            cut,
            destination: stream.destination.clone(),
            way: Way::Skip(skip),
            objects: 0,
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

/// What becomes of a cut whose records are all left out.
pub(super) fn all_left_out(from: Position, open: &OpenCut) -> Result<Counts, StepError> {
    let to = open.cut.to;
    let left_out = to.0.checked_sub(from.0).ok_or_else(|| {
        StepError::Failed(format!(
            "a cut ends at {to}, before the lane, which is at {from}"
        ))
    })?;
    Ok(Counts {
        lost: left_out,
        left_out,
        ..Counts::default()
    })
}
