//! What was sampled so far: functions, stacks and samples, each once and each bounded.

use std::collections::HashMap;
use std::sync::Arc;
use std::thread::{self, ThreadId};
use std::time::{Duration, Instant};

use wasmtime::FrameInfo;

use crate::printable::printable;

/// Samples of one profile: those of a minute of one busy thread and more. Later ones are counted as
/// left out.
const SAMPLES_MAX: usize = 100_000;
/// Different stacks, each one frame more than another. Samples with more are left out.
const STACKS_MAX: usize = 50_000;
/// Different functions, and the modules that they are of. Samples with more are left out.
const FUNCTIONS_MAX: usize = 10_000;
const MODULES_MAX: usize = 256;
/// Threads, each with each version that it ran. Samples of more are left out.
const THREADS_MAX: usize = 256;
/// Bytes of the name of a function or a module; the rest is cut off.
const NAME_BYTES_MAX: usize = 256;

/// Samples and what they are made of.
pub(super) struct Gathered {
    since: Instant,
    pub(super) modules: Table<String>,
    pub(super) functions: Table<Function>,
    pub(super) stacks: Table<Stack>,
    threads: HashMap<ThreadId, usize>,
    /// Which thread, by the order in which they came, and which version it ran.
    pub(super) tracks: Table<Track>,
    /// How long each thread had had a processor at its last sample.
    processor: HashMap<usize, Duration>,
    pub(super) samples: Vec<Sample>,
    /// Samples for which there was no room.
    pub(super) left_out: u64,
}

/// A function of the plugin.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Function {
    pub(super) name: String,
    /// The place of its module.
    pub(super) module: usize,
}

/// A frame and what called it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Stack {
    /// The place of the stack below it; `None` for the outermost.
    pub(super) below: Option<usize>,
    /// The place of its function.
    pub(super) function: usize,
}

/// A thread with a version that it ran.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Track {
    pub(super) thread: usize,
    pub(super) version: Arc<str>,
}

/// One look at a guest.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sample {
    /// The place of its track.
    pub(super) track: usize,
    /// The place of its stack; `None` where no frame was found.
    pub(super) stack: Option<usize>,
    /// When, since the profile began.
    pub(super) at: Duration,
    /// How long its thread has had a processor since its last sample.
    pub(super) processor: Duration,
}

/// Values that are there once, in the order in which they came.
pub(super) struct Table<T> {
    places: HashMap<T, usize>,
    values: Vec<T>,
    most: usize,
}

impl<T: Clone + Eq + std::hash::Hash> Table<T> {
    fn new(most: usize) -> Self {
        Self {
            places: HashMap::new(),
            values: Vec::new(),
            most,
        }
    }

    /// The place of a value, which is added if it is not there; `None` if there is no room.
    pub(super) fn place(&mut self, value: T) -> Option<usize> {
        if let Some(place) = self.places.get(&value) {
            return Some(*place);
        }
        let place = self.values.len();
        if place >= self.most {
            return None;
        }
        self.values.push(value.clone());
        self.places.insert(value, place);
        Some(place)
    }

    pub(super) fn values(&self) -> &[T] {
        &self.values
    }
}

impl Gathered {
    pub(super) fn new(since: Instant) -> Self {
        Self {
            since,
            modules: Table::new(MODULES_MAX),
            functions: Table::new(FUNCTIONS_MAX),
            stacks: Table::new(STACKS_MAX),
            threads: HashMap::new(),
            tracks: Table::new(THREADS_MAX),
            processor: HashMap::new(),
            samples: Vec::new(),
            left_out: 0,
        }
    }

    /// Adds the stack of the calling thread, the innermost frame first, which has had a processor
    /// for so long.
    pub(super) fn sample(&mut self, version: &str, processor: Duration, frames: &[FrameInfo]) {
        let named = frames.iter().map(|frame| {
            let module = frame.module().name().unwrap_or("module");
            let name = frame.func_name();
            let name =
                name.map_or_else(|| format!("function {}", frame.func_index()), str::to_owned);
            (module.to_owned(), name)
        });
        let named: Vec<_> = named.collect();
        let at = self.since.elapsed();
        self.add(thread::current().id(), version, (at, processor), &named);
    }

    /// Adds a stack of a thread, the innermost frame first, each with its module.
    fn add(
        &mut self,
        thread: ThreadId,
        version: &str,
        (at, processor): (Duration, Duration),
        frames: &[(String, String)],
    ) {
        if self.samples.len() >= SAMPLES_MAX {
            self.left_out += 1;
            return;
        }
        let (Some(track), Some(stack)) = (self.track(thread, version), self.stack(frames)) else {
            self.left_out += 1;
            return;
        };
        let thread = self.tracks.values.get(track).map_or(0, |it| it.thread);
        let before = self.processor.insert(thread, processor);
        self.samples.push(Sample {
            track,
            stack,
            at,
            processor: before.map_or(Duration::ZERO, |it| processor.saturating_sub(it)),
        });
    }

    fn track(&mut self, thread: ThreadId, version: &str) -> Option<usize> {
        let next = self.threads.len();
        // Threads are as bounded as their tracks are.
        let thread = match self.threads.get(&thread) {
            Some(thread) => *thread,
            None if next >= THREADS_MAX => return None,
            None => *self.threads.entry(thread).or_insert(next),
        };
        self.tracks.place(Track {
            thread,
            version: version.into(),
        })
    }

    /// The place of a stack, `None` within if it has no frames; `None` if there is no room.
    fn stack(&mut self, frames: &[(String, String)]) -> Option<Option<usize>> {
        let mut below = None;
        for (module, name) in frames.iter().rev() {
            let module = self.modules.place(printable(module, NAME_BYTES_MAX))?;
            let name = printable(name, NAME_BYTES_MAX);
            let function = self.functions.place(Function { name, module })?;
            below = Some(self.stacks.place(Stack { below, function })?);
        }
        Some(below)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frames(names: &[&str]) -> Vec<(String, String)> {
        let named = names
            .iter()
            .map(|name| ("m".to_owned(), (*name).to_owned()));
        named.collect()
    }

    fn at(ms: u64) -> (Duration, Duration) {
        (Duration::from_millis(ms), Duration::from_millis(ms / 2))
    }

    #[test]
    fn stacks_with_the_same_callers_share_them() {
        let mut gathered = Gathered::new(Instant::now());
        let thread = thread::current().id();
        gathered.add(thread, "v1", at(1), &frames(&["leaf", "middle", "root"]));
        gathered.add(thread, "v1", at(3), &frames(&["other", "middle", "root"]));
        gathered.add(thread, "v1", at(5), &frames(&["leaf", "middle", "root"]));
        let stacks = gathered.stacks.values();
        let below: Vec<_> = stacks.iter().map(|stack| stack.below).collect();
        assert_eq!(below, [None, Some(0), Some(1), Some(1)]);
        let names = gathered.functions.values().iter();
        let names: Vec<_> = names.map(|function| function.name.as_str()).collect();
        assert_eq!(names, ["root", "middle", "leaf", "other"]);
        let stacks: Vec<_> = gathered.samples.iter().map(|sample| sample.stack).collect();
        assert_eq!(stacks, [Some(2), Some(3), Some(2)]);
        let processor = gathered.samples.iter().map(|it| it.processor.as_millis());
        assert_eq!(processor.collect::<Vec<_>>(), [0, 1, 1]);
    }

    #[test]
    fn what_does_not_fit_is_counted_and_changes_nothing_of_the_rest() {
        let mut gathered = Gathered::new(Instant::now());
        let thread = thread::current().id();
        for number in 0..FUNCTIONS_MAX + 7 {
            let name = number.to_string();
            gathered.add(thread, "v1", at(1), &frames(&[name.as_str()]));
        }
        assert_eq!(gathered.left_out, 7);
        assert_eq!(gathered.functions.values().len(), FUNCTIONS_MAX);
        for _ in 0..SAMPLES_MAX {
            gathered.add(thread, "v1", at(2), &frames(&["0"]));
        }
        assert_eq!(gathered.samples.len(), SAMPLES_MAX);
        assert_eq!(gathered.left_out, 7 + FUNCTIONS_MAX as u64);
    }
}
