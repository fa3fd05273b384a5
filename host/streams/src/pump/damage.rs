//! What a pump does where its log cannot be read: its step decides, and nothing is passed over by
//! itself.

use store::{StoreError, Transaction};
use tokio::sync::watch;

use super::step::{Damage, Retry, Step};
use super::{Pump, PumpError};

impl Pump {
    /// Tells the step what cannot be read, and looks again before each further try: until it is
    /// passed over, or can be read after all, or the step gives up, or the stop comes.
    pub(super) async fn meet_damage(
        &mut self,
        step: &mut dyn Step,
        first: StoreError,
        stop: &mut watch::Receiver<bool>,
    ) -> Result<(), PumpError> {
        let mut what = first;
        let mut attempts = 0;
        loop {
            let horizon = self.engine.horizon(self.log)?;
            if horizon > self.position {
                return self.pass_over(step, horizon, stop).await;
            }
            let to = self.engine.readable_from(self.log, self.position).await?;
            if to <= self.position {
                return Ok(());
            }
            let damage = Damage {
                log: self.log,
                from: self.position,
                to,
                what: what.to_string(),
            };
            attempts += 1;
            let mut effects = Transaction::default();
            let done = step.damaged(&damage, &mut effects).await;
            let Some(error) = self.settle(step, (done, effects), stop).await? else {
                return Ok(());
            };
            match step.after_failure(&error, attempts) {
                Retry::GiveUp => return Err(PumpError::Step { error, attempts }),
                Retry::After(pause) => tokio::select! {
                    _ = stop.wait_for(|stop| *stop) => return Ok(()),
                    () = step.pause(pause) => {}
                },
            }
            let read = self.engine.read(self.log, self.position, self.batch_bytes);
            match read.await {
                Ok(_) => return Ok(()),
                Err(error) if error.hides_records() => what = error,
                Err(error) => return Err(error.into()),
            }
        }
    }
}
