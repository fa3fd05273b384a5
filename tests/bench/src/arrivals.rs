//! When objects came to be, told by the file system while it happens: an object is linked to its
//! name once it is whole.

use std::collections::HashMap;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Instant;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::inotify;
use rustix::io::Errno;

use crate::Failure;

/// How long the thread sleeps before it looks whether it shall end.
const WAIT: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 50_000_000,
};
const EVENT_BYTES: usize = 16 * 1024;

/// The moment of each object, by its name.
pub type Moments = HashMap<String, Instant>;

/// A folder of objects under watch.
pub struct Arrivals {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Result<Moments, Failure>>,
}

impl Arrivals {
    /// Watches a folder that is there.
    pub fn watch(folder: &Path) -> Result<Self, Failure> {
        let events = inotify::init(inotify::CreateFlags::NONBLOCK | inotify::CreateFlags::CLOEXEC)?;
        inotify::add_watch(&events, folder, inotify::WatchFlags::CREATE)?;
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        Ok(Self {
            stop,
            thread: std::thread::spawn(move || collect(&events, &stopped)),
        })
    }

    /// Ends the watching.
    pub fn finish(self) -> Result<Moments, Failure> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().map_err(|_| "the watching panicked")?
    }
}

fn collect(events: &OwnedFd, stop: &AtomicBool) -> Result<Moments, Failure> {
    let mut moments = Moments::new();
    let mut buffer = [MaybeUninit::uninit(); EVENT_BYTES];
    let mut reader = inotify::Reader::new(events, &mut buffer);
    while !stop.load(Ordering::Relaxed) {
        poll(&mut [PollFd::new(events, PollFlags::IN)], Some(&WAIT))?;
        let now = Instant::now();
        loop {
            match reader.next() {
                Ok(event) if event.events().contains(inotify::ReadFlags::QUEUE_OVERFLOW) => {
                    return Err("more objects came than could be watched".into());
                }
                Ok(event) => {
                    if let Some(name) = event.file_name() {
                        moments.insert(name.to_string_lossy().into_owned(), now);
                    }
                }
                Err(Errno::AGAIN) => break,
                Err(error) => return Err(error.into()),
            }
        }
    }
    Ok(moments)
}
