//! What a deleted delivery stream had not delivered. AWS drops it without a word.

use store::StoreError;
use types::Invalid;

use super::Running;
use crate::lane::Tools;
use crate::rows::{self, Lane};

impl Running {
    /// Gives up what waits in all lanes, none of which is at work, and says how many records that
    /// are. Nothing of it is kept: the rows of the lanes go next.
    pub(crate) async fn give_up(&self, tools: &Tools) -> Result<(), StoreError> {
        let engine = &*tools.engine;
        let mut lost = 0;
        for (key, log, state) in self.known_lanes() {
            let Some(position) = state.position() else {
                // It was given up before, or has not begun.
                continue;
            };
            if let Some(tip) = log.and_then(|log| engine.tip(log).ok()) {
                state.saw_tip(tip);
            }
            let mut lane = match rows::load_lane(engine, (key, position)).await {
                Ok(lane) => lane,
                // What it counted is not known; what waits is.
                Err(StoreError::Unreadable { .. }) => Lane::default(),
                Err(error) => return Err(error),
            };
            let given_up = lane.give_up(position, state.tip());
            lost += given_up.map_err(|Invalid(what)| rows::damaged(&what))?;
            state.is_over(lane.counts, lane.by_version);
        }
        if lost > 0 {
            let stream = self.stream().arn.to_string();
            tracing::warn!(
                stream,
                lost,
                "records that waited are lost with their deleted delivery stream"
            );
        }
        Ok(())
    }
}
