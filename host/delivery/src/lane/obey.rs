//! Doing what an operator says about a cut that the lane does not get rid of.

use store::Position;
use streams::pump::StepError;

use super::LaneStep;
use super::deliver::Puts;
use crate::counts::Counts;
use crate::open_cut::{OpenCut, Way};
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

    /// The cut that shall be left out, and that all of it was.
    pub(super) fn take_left_out(&mut self, from: Position) -> Option<(OpenCut, Counts)> {
        let open = self.stuck_cut().filter(|_| self.leaves_out)?.clone();
        let left_out = open.cut.to.0.checked_sub(from.0)?;
        let counts = Counts {
            lost: left_out,
            left_out,
            ..Counts::default()
        };
        Some((open, counts))
    }

    fn next_order(&mut self) -> Option<Asked> {
        let asked = self.asked.take();
        asked.or_else(|| self.signals.orders.try_recv().ok())
    }

    fn stuck_cut(&self) -> Option<&OpenCut> {
        self.lane.open.as_ref().or(self.decided.as_ref())
    }

    async fn obey_one(&mut self, order: Order, cut: u64) -> Result<Obeyed, StepError> {
        let stuck = self.stuck_cut().filter(|open| open.cut.number == cut);
        let Some(open) = stuck.cloned() else {
            return Ok(Obeyed::not(Outcome::NothingStuck));
        };
        match order {
            Order::Retry => {}
            Order::Move => self.forget(&open).await?,
            Order::Skip => self.begin_to_skip(&open).await?,
            // Durable with the position behind it, or not done.
            Order::LeaveOut => self.leaves_out = true,
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
        (self.decided, self.puts) = (None, Puts::default());
        self.write(Lane {
            next_cut: open.cut.number + 1,
            open: None,
            settled: Settled::default(),
            ..self.lane.clone()
        })
        .await
    }

    /// Keeps that the records of a cut go to the error output in force, under a number of their
    /// own.
    async fn begin_to_skip(&mut self, open: &OpenCut) -> Result<(), StepError> {
        if matches!(open.way, Way::Skip { .. }) {
            return Ok(());
        }
        let why = self.state.trouble().unwrap_or_default();
        let stream = self.signals.stream.borrow().clone();
        let mut cut = open.cut.clone();
        cut.number += 1;
        cut.version_id = stream.version_id;
        cut.plugin = None;
        cut.decided_at = self.work.tools.clock.now();
        let skipped = OpenCut {
            cut,
            destination: stream.destination.clone(),
            way: Way::Skip { why },
            objects: 0,
        };
        self.puts = Puts::default();
        self.write(Lane {
            open: Some(skipped),
            settled: Settled::default(),
            ..self.lane.clone()
        })
        .await
    }
}
