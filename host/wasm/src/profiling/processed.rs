//! A profile as it is handed out: Firefox's processed profile format
//! (<https://github.com/firefox-devtools/profiler/blob/main/docs-developer/processed-profile-format.md>),
//! version 62, which <https://profiler.firefox.com> opens. Tables are columns side by side; threads
//! share all of them but their samples.

use std::time::Duration;

use serde::{Serialize, Serializer};
use types::Timestamp;

use super::SAMPLE_PAUSE;
use super::gathered::{Gathered, Sample, Track};
use crate::name::PluginName;

/// The version of the format.
const FORMAT: u32 = 62;
/// What is said of every process, thread and frame that has no better answer.
const CATEGORY: usize = 0;

/// A profile.
#[derive(Debug, Serialize)]
pub struct Profile {
    meta: Meta,
    libs: Vec<Library>,
    shared: Shared,
    threads: Vec<Thread>,
    pages: [(); 0],
    counters: [(); 0],
    #[serde(rename = "profilerOverhead")]
    overhead: [(); 0],
}

/// A column of so many equal values.
#[derive(Debug)]
struct Same<T>(T, usize);

impl<T: Serialize> Serialize for Same<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(std::iter::repeat_n(&self.0, self.1))
    }
}

/// A column that says nothing.
type Nulls = Same<Option<()>>;

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Meta {
    categories: [Category; 1],
    debug: bool,
    extensions: Extensions,
    /// Milliseconds between two samples.
    interval: f64,
    marker_schema: [(); 0],
    paused_ranges: [(); 0],
    preprocessed_profile_version: u32,
    process_type: u32,
    product: String,
    sample_units: Units,
    source_code_is_not_on_searchfox: bool,
    /// Milliseconds since 1970.
    start_time: u64,
    /// Function names are there already, so that nobody has to be asked for them.
    symbolicated: bool,
    uses_only_one_stack_type: bool,
    version: u32,
    /// Not of the format: samples for which there was no room.
    samples_left_out: u64,
    /// Not of the format: how long it lasted.
    lasted_ms: u64,
}

#[derive(Debug, Serialize)]
struct Category {
    color: &'static str,
    name: &'static str,
    subcategories: [&'static str; 1],
}

#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Extensions {
    #[serde(rename = "baseURL")]
    base_url: [(); 0],
    id: [(); 0],
    length: usize,
    name: [(); 0],
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Units {
    event_delay: &'static str,
    #[serde(rename = "threadCPUDelta")]
    thread_cpu_delta: &'static str,
    time: &'static str,
}

/// A module of the component.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Library {
    arch: Option<()>,
    breakpad_id: &'static str,
    code_id: Option<()>,
    debug_name: String,
    debug_path: &'static str,
    name: String,
    path: &'static str,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Shared {
    frame_table: FrameTable,
    func_table: FuncTable,
    native_symbols: NativeSymbols,
    resource_table: ResourceTable,
    sources: Sources,
    stack_table: StackTable,
    string_array: Vec<String>,
}

/// One frame for each function.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct FrameTable {
    length: usize,
    address: Same<i32>,
    category: Same<usize>,
    column: Nulls,
    func: Vec<usize>,
    inline_depth: Same<u32>,
    #[serde(rename = "innerWindowID")]
    inner_window_id: Same<u32>,
    line: Nulls,
    native_symbol: Nulls,
    subcategory: Same<usize>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct FuncTable {
    length: usize,
    column_number: Nulls,
    #[serde(rename = "isJS")]
    is_js: Same<bool>,
    line_number: Nulls,
    /// The place of its name among the strings.
    name: Vec<usize>,
    #[serde(rename = "relevantForJS")]
    relevant_for_js: Same<bool>,
    /// The place of its module among the resources.
    resource: Vec<usize>,
    source: Nulls,
}

#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct NativeSymbols {
    length: usize,
    address: [(); 0],
    function_size: [(); 0],
    lib_index: [(); 0],
    name: [(); 0],
}

#[derive(Debug, Serialize)]
struct ResourceTable {
    length: usize,
    host: Nulls,
    lib: Vec<usize>,
    name: Vec<usize>,
    /// 1 is a library.
    #[serde(rename = "type")]
    kind: Same<u32>,
}

#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Sources {
    length: usize,
    filename: [(); 0],
    id: [(); 0],
    #[serde(rename = "sourceMapURL")]
    source_map_url: [(); 0],
    start_column: [(); 0],
    start_line: [(); 0],
}

#[derive(Debug, Serialize)]
struct StackTable {
    length: usize,
    frame: Vec<usize>,
    prefix: Vec<Option<usize>>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Thread {
    is_main_thread: bool,
    markers: Markers,
    name: String,
    paused_ranges: [(); 0],
    pid: &'static str,
    process_name: String,
    process_shutdown_time: f64,
    process_startup_time: f64,
    process_type: &'static str,
    register_time: f64,
    samples: Samples,
    show_markers_in_timeline: bool,
    tid: String,
    unregister_time: Option<()>,
}

#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Markers {
    length: usize,
    category: [(); 0],
    data: [(); 0],
    end_time: [(); 0],
    name: [(); 0],
    phase: [(); 0],
    start_time: [(); 0],
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Samples {
    length: usize,
    stack: Vec<Option<usize>>,
    /// Microseconds.
    #[serde(rename = "threadCPUDelta")]
    thread_cpu_delta: Vec<u64>,
    /// Milliseconds after the sample before.
    time_deltas: Vec<f64>,
    weight: Same<u32>,
    weight_type: &'static str,
}

impl Profile {
    pub(super) fn of(
        plugin: &PluginName,
        began: Timestamp,
        lasted: Duration,
        gathered: Gathered,
    ) -> Self {
        let product = format!("millrace plugin {plugin}");
        let tracks = gathered.tracks.values().iter().enumerate();
        let samples = Samples::by_track(&gathered);
        let threads = tracks.zip(samples);
        let threads = threads.map(|(track, samples)| Thread::of(track, &product, lasted, samples));
        let threads = threads.collect();
        Self {
            meta: Meta::of(product, began, (lasted, gathered.left_out)),
            libs: gathered
                .modules
                .values()
                .iter()
                .map(|module| Library::of(module))
                .collect(),
            shared: Shared::of(&gathered),
            threads,
            pages: [],
            counters: [],
            overhead: [],
        }
    }

    /// Samples in it, of all threads.
    pub fn samples(&self) -> usize {
        let threads = self.threads.iter();
        threads.map(|thread| thread.samples.length).sum()
    }
}

impl Meta {
    fn of(product: String, began: Timestamp, (lasted, left_out): (Duration, u64)) -> Self {
        Self {
            categories: [Category {
                color: "blue",
                name: "Plugin",
                subcategories: ["Other"],
            }],
            debug: false,
            extensions: Extensions::default(),
            interval: milliseconds(SAMPLE_PAUSE),
            marker_schema: [],
            paused_ranges: [],
            preprocessed_profile_version: FORMAT,
            process_type: 0,
            product,
            sample_units: Units {
                event_delay: "ms",
                thread_cpu_delta: "µs",
                time: "ms",
            },
            source_code_is_not_on_searchfox: true,
            start_time: began.0,
            symbolicated: true,
            uses_only_one_stack_type: true,
            version: 24,
            samples_left_out: left_out,
            // It lasts a minute at most.
            lasted_ms: u64::try_from(lasted.as_millis()).unwrap_or(u64::MAX),
        }
    }
}

impl Library {
    fn of(module: &str) -> Self {
        Self {
            arch: None,
            breakpad_id: "",
            code_id: None,
            debug_name: module.to_owned(),
            debug_path: "",
            name: module.to_owned(),
            path: "",
        }
    }
}

impl Shared {
    fn of(gathered: &Gathered) -> Self {
        let (functions, modules) = (gathered.functions.values(), gathered.modules.values());
        let stacks = gathered.stacks.values();
        let (count, module_count) = (functions.len(), modules.len());
        // Names of functions first, then those of modules.
        let names = functions.iter().map(|function| function.name.clone());
        let strings = names.chain(modules.iter().cloned());
        Self {
            frame_table: FrameTable {
                length: count,
                address: Same(-1, count),
                category: Same(CATEGORY, count),
                column: Same(None, count),
                func: (0..count).collect(),
                inline_depth: Same(0, count),
                inner_window_id: Same(0, count),
                line: Same(None, count),
                native_symbol: Same(None, count),
                subcategory: Same(0, count),
            },
            func_table: FuncTable {
                length: count,
                column_number: Same(None, count),
                is_js: Same(false, count),
                line_number: Same(None, count),
                name: (0..count).collect(),
                relevant_for_js: Same(false, count),
                resource: functions.iter().map(|function| function.module).collect(),
                source: Same(None, count),
            },
            native_symbols: NativeSymbols::default(),
            resource_table: ResourceTable {
                length: module_count,
                host: Same(None, module_count),
                lib: (0..module_count).collect(),
                name: (count..count + module_count).collect(),
                kind: Same(1, module_count),
            },
            sources: Sources::default(),
            stack_table: StackTable {
                length: stacks.len(),
                // A function has one frame, at its own place.
                frame: stacks.iter().map(|stack| stack.function).collect(),
                prefix: stacks.iter().map(|stack| stack.below).collect(),
            },
            string_array: strings.collect(),
        }
    }
}

impl Thread {
    fn of(
        (place, track): (usize, &Track),
        product: &str,
        lasted: Duration,
        samples: Samples,
    ) -> Self {
        Self {
            is_main_thread: place == 0,
            markers: Markers::default(),
            name: format!(
                "guest thread {}, version {}",
                track.thread + 1,
                track.version
            ),
            paused_ranges: [],
            pid: "1",
            process_name: product.to_owned(),
            process_shutdown_time: milliseconds(lasted),
            process_startup_time: 0.0,
            process_type: "default",
            register_time: 0.0,
            samples,
            show_markers_in_timeline: false,
            tid: (place + 1).to_string(),
            unregister_time: None,
        }
    }
}

impl Samples {
    /// Those of each track, in the order of the tracks.
    fn by_track(gathered: &Gathered) -> Vec<Self> {
        let tracks = gathered.tracks.values().iter();
        let mut all: Vec<_> = tracks.map(|_| (Self::new(), Duration::ZERO)).collect();
        for sample in &gathered.samples {
            // Every sample has a track.
            if let Some((samples, last)) = all.get_mut(sample.track) {
                samples.add(sample, *last);
                *last = sample.at;
            }
        }
        all.into_iter().map(|(samples, _)| samples).collect()
    }

    fn new() -> Self {
        Self {
            length: 0,
            stack: Vec::new(),
            thread_cpu_delta: Vec::new(),
            time_deltas: Vec::new(),
            weight: Same(1, 0),
            weight_type: "samples",
        }
    }

    fn add(&mut self, sample: &Sample, last: Duration) {
        self.stack.push(sample.stack);
        // A minute of a processor fits.
        let cpu = u64::try_from(sample.processor.as_micros()).unwrap_or(u64::MAX);
        self.thread_cpu_delta.push(cpu);
        let passed = sample.at.saturating_sub(last);
        self.time_deltas.push(milliseconds(passed));
        self.length += 1;
        self.weight = Same(1, self.length);
    }
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1_000.0
}
