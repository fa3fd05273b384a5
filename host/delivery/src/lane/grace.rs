//! What a lane may still do once it shall end, and once its log is gone.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use store::StoreError;
use tokio::sync::watch;

use super::work::Work;

/// How long a cut may still be worked on when the lane shall end. A guest that is in the middle of
/// a call then is stopped: what is begun is done again after the next start.
const WORK_GRACE: Duration = Duration::from_millis(500);
/// How long an object that is being put then may take.
const PUT_GRACE: Duration = Duration::from_secs(5);
/// Between two looks whether it is put.
const PUT_LOOK: Duration = Duration::from_millis(20);
/// Between two looks whether a log is there, while a lane waits.
const LOG_LOOK: Duration = Duration::from_millis(500);

/// Returns once the lane should have ended for longer than what it does may take.
pub(super) async fn stopped_for_long(mut stop: watch::Receiver<bool>, is_putting: Arc<AtomicBool>) {
    // A closed channel means the same: the delivery stream is gone.
    let _ = stop.wait_for(|stop| *stop).await;
    tokio::time::sleep(WORK_GRACE).await;
    let mut waited = WORK_GRACE;
    while is_putting.load(Ordering::Relaxed) && waited < PUT_GRACE {
        tokio::time::sleep(PUT_LOOK).await;
        waited += PUT_LOOK;
    }
}

/// Returns once the log is gone: nothing of it needs to be tried again.
pub(super) async fn is_gone(work: &Work) {
    while !matches!(work.tip(), Err(StoreError::NoLog(_))) {
        tokio::time::sleep(LOG_LOOK).await;
    }
}
