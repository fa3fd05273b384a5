//! Doing what an operator says about a cut that the lane does not get rid of.

use store::Position;
use streams::pump::StepError;
use types::Invalid;

use super::deliver::Puts;
use super::{LaneStep, Phase, Stuck};
use crate::counts::Counts;
use crate::open_cut::{OpenCut, Put, Skip, Way};
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
            // Where the operator has gone away, the page shows what became of it.
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
        let Stuck { open, why } = match &self.phase {
            Phase::Stuck(stuck) if stuck.open.cut.number == cut => stuck,
            Phase::GetsOn | Phase::Stuck(_) | Phase::LeavesOut(_) => {
                return Ok(Obeyed::not(Outcome::NothingStuck));
            }
        };
        let (open, why) = (open.clone(), why.clone());
        match order {
            Order::Retry => {}
            Order::Move => self.forget(&open).await?,
            Order::Skip => self.begin_to_skip(&open, &why).await?,
            // Durable with the position behind it, or not done.
            Order::LeaveOut => self.phase = Phase::LeavesOut(self.as_known(&open)),
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

    /// A cut that is stuck, with what is known to be there of it.
    fn as_known(&self, open: &OpenCut) -> OpenCut {
        OpenCut {
            put: self.known_to_be_there(),
            ..open.clone()
        }
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
    async fn begin_to_skip(&mut self, open: &OpenCut, why: &str) -> Result<(), StepError> {
        let why = match &open.way {
            Way::Deliver => why,
            // Why they were not delivered, and not why they could not be skipped.
            Way::Skip(skip) => skip.why(),
        };
        let limits = self.work.tools.shares.limits();
        let before = self.as_known(open).in_objects();
        let skip = Skip::new(why, limits.skipped_object_bytes_max(), before);
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
            put: Put::default(),
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
pub(super) fn rest_left_out(from: Position, open: &OpenCut) -> Result<Counts, StepError> {
    let given_up = open.given_up(from);
    let counts = given_up.map_err(|Invalid(why)| StepError::Failed(why))?;
    Ok(Counts {
        left_out: counts.lost,
        ..counts
    })
}
