//! Putting what a cut becomes.

use std::sync::Arc;

use streams::pump::StepError;
use types::Invalid;

use super::LaneStep;
use crate::counts::Counts;
use crate::cut::Cut;
use crate::delivery_stream::{Destination, Plan};
use crate::object_name::{Label, PARTS_PER_CUT_MAX};
use crate::objects::{Created, ObjectError};
use crate::settled::Settled;
use crate::worker::Object;

/// What became of the puts of the open cut.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Puts {
    /// Nothing of the cut can be anywhere: it was decided here, and all that was put of it was
    /// refused.
    pub(super) untouched: bool,
    /// The store refused the object that was put last.
    pub(super) refused: bool,
}

/// What stays the same for all objects of a cut.
pub(super) struct Putting<'a> {
    lane: &'a mut LaneStep,
    cut: &'a Cut,
    destination: &'a Destination,
    plan: &'a Plan,
}

impl LaneStep {
    /// Does everything that the open cut comes to, and says what became of its records.
    pub(super) async fn deliver(
        &mut self,
        cut: &Cut,
        destination: &Destination,
    ) -> Result<Counts, StepError> {
        let plan = destination
            .plan()
            .map_err(|Invalid(why)| StepError::Failed(why))?;
        self.puts.refused = false;
        let work = self.work.clone();
        let (made, _permit) = match self.take_made(cut) {
            Some((done, permit)) => (Some(done), Some(permit)),
            None => (None, work.permit(cut.bytes).await),
        };
        // What is worked on ahead takes no room before this has its own.
        let (ahead, begin) = self.begin_ahead(cut).unzip();
        let settled = self.lane.settled.clone();
        let mut putting = Putting {
            lane: self,
            cut,
            destination,
            plan: &plan,
        };
        let done = match made {
            Some(done) => done,
            None => work.run((cut, destination), settled, &mut putting).await?,
        };
        if let Some(begin) = begin {
            // Nobody listens where there is not enough.
            let _ = begin.send(());
        }
        putting.put_all(done.objects, done.settled.as_ref()).await?;
        self.label = done.label;
        self.ahead = ahead;
        Ok(done.counts)
    }
}

impl Putting<'_> {
    /// Puts objects one after the other, once what is settled with them is kept.
    pub(super) async fn put_all(
        &mut self,
        objects: Vec<Object>,
        settled: Option<&Settled>,
    ) -> Result<(), StepError> {
        if let Some(settled) = settled.filter(|_| !objects.is_empty()) {
            self.lane.settle(settled).await?;
        }
        for object in objects {
            if PARTS_PER_CUT_MAX < object.part {
                return Err(StepError::Failed(format!(
                    "a cut became more than {PARTS_PER_CUT_MAX} objects"
                )));
            }
            self.put(object).await?;
        }
        Ok(())
    }

    async fn put(&mut self, object: Object) -> Result<(), StepError> {
        let (key, bucket) = (self.key(&object), &self.plan.bucket);
        let lane = &mut *self.lane;
        let tools = Arc::clone(&lane.work.tools);
        match tools.objects.create(bucket, &key, object.content).await {
            Ok(created) => {
                if created == Created::Different {
                    tracing::warn!(
                        %bucket, key,
                        "an object of another length has this name and is left as it is"
                    );
                }
                lane.puts.untouched = false;
                lane.state.put(key);
                Ok(())
            }
            Err(error) => {
                lane.puts.refused = matches!(error, ObjectError::Refused(_));
                lane.puts.untouched &= lane.puts.refused;
                Err(StepError::Failed(format!(
                    "put {key} into {bucket}: {error}"
                )))
            }
        }
    }

    fn key(&self, object: &Object) -> String {
        let (lane, destination) = (&*self.lane, self.destination);
        let (prefix, extension) = match object.is_failed {
            true => (&self.plan.prefixes.failed, ""),
            false => (&self.plan.prefixes.delivered, destination.extension()),
        };
        let arn = lane.ears.stream.borrow().arn.clone();
        let label = Label {
            stream: arn.name.as_str(),
            version: self.cut.version_id,
            oldest: self.cut.oldest,
            extension,
        };
        let place = lane.work.place(self.cut, object.part, object.is_failed);
        lane.work.tools.naming.object_key(prefix, place, label)
    }
}
