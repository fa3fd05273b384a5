//! The thread that hears of versions that fail on too many records, and puts those before in force
//! again. The watcher's thread may be compiling for minutes.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};

use crate::call_time::stop_guests_when;
use crate::control::Control;
use crate::trial::Ring;

/// Rings that wait for the thread. An alarm beyond rings again with its version's next batch.
const RINGS_MAX: usize = 64;

/// What alarms are rung by, and where they come out.
pub(crate) fn bell() -> (SyncSender<Ring>, Receiver<Ring>) {
    sync_channel(RINGS_MAX)
}

/// A running thread; dropping it ends the thread, after what it is at work on.
pub(crate) struct Guard {
    bell: SyncSender<Ring>,
    thread: Option<JoinHandle<()>>,
}

impl Guard {
    /// Starts the thread.
    ///
    /// # Errors
    /// When there is none.
    pub(crate) fn start(control: Arc<Control>, rings: Receiver<Ring>) -> io::Result<Self> {
        let bell = control.bell.clone();
        let closing = control.loader.compiler.closing();
        let hear = move || {
            stop_guests_when(closing);
            for ring in rings {
                match ring {
                    Ring::Failing(alarm) => control.roll_back_by_itself(&alarm),
                    Ring::Stop => return,
                }
            }
        };
        let thread = thread::Builder::new()
            .name("millrace-guard".to_owned())
            .spawn(hear)?;
        Ok(Self {
            bell,
            thread: Some(thread),
        })
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        // A thread that has ended needs no stopping.
        let _ = self.bell.send(Ring::Stop);
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the thread that rolls plugins back ended badly");
        }
    }
}
