//! What a plugin may use. Every number is the operator's to change; a manifest may ask for less of
//! some, and never gets more.

use std::time::Duration;

use crate::cpu_shares::CpuRules;

/// What sizes in a configuration and in messages are counted in.
pub(crate) const MEBIBYTE: usize = 1024 * 1024;
/// How often the clock that interrupts plugins ticks: one that runs on is stopped this much later
/// than its time at most.
pub(crate) const TICK: Duration = Duration::from_millis(5);
/// Threads that guests run on for each processor, unless the operator says otherwise, and the
/// bounds of that. A batch waits for one of them.
pub(crate) const GUEST_THREADS_PER_PROCESSOR: usize = 2;
pub(crate) const GUEST_THREADS_MIN: usize = 4;
pub(crate) const GUEST_THREADS_MAX: usize = 64;
/// How much guests step back behind the threads that serve clients (`nice`): those of parties that
/// use little, those whose calls are quick, and the slow ones, whose deadline is in processor time.
pub(crate) const LIGHT_NICENESS: i32 = 1;
pub(crate) const QUICK_NICENESS: i32 = 6;
pub(crate) const SLOW_NICENESS: i32 = 15;
/// How much of a processor a party may have to be a light one: so many milliseconds a second, and
/// so much at once. More of it is remembered up to a bound, so that who used much becomes light
/// again within two seconds of using nothing.
pub(crate) const LIGHT_MS_PER_SECOND: u32 = 150;
pub(crate) const LIGHT_BURST: Duration = Duration::from_millis(100);
pub(crate) const LIGHT_USE_MAX: Duration = Duration::from_millis(400);
/// How long a call may take on a quick thread. One that takes longer counts for the slow threads
/// from then on, or is stopped and done again if all of these are taken; the next turns of its
/// party wait for a slow one.
pub(crate) const SLOW_CALL: Duration = Duration::from_millis(100);
/// Quick turns after which a party that was slow is given quick threads again: one that is quick
/// now and then only does not get them.
pub(crate) const QUICK_TURNS_TO_BE_TRUSTED: u32 = 16;
/// How long work goes on before it lets others have the thread, where it can.
pub(crate) const TURN_TIME: Duration = Duration::from_millis(20);
/// Parties that are remembered, most of them because they were slow, and delivery streams whose
/// times a version remembers. If there are more, those that have nothing to do are forgotten, and
/// start as quick ones.
pub(crate) const PARTIES_KEPT_MAX: usize = 10_000;
/// Parties that are remembered before those that used nothing lately are looked for.
pub(crate) const LOOKED_OVER_MIN: usize = 256;
/// How often a turn that was away, and waits for its place, looks whether it is stopped.
pub(crate) const RETURN_LOOK: Duration = Duration::from_millis(20);
/// How long after a thread could not be started that is tried again.
pub(crate) const SPAWN_PAUSE: Duration = Duration::from_secs(1);
/// Instances that can exist at once, in the whole process. The memory of each is only reserved
/// until it is used. Delivery admits no more cuts at a time than there can be; one more is refused,
/// and the batch that needed it is tried again.
pub const INSTANCES_MAX: u32 = 96;
/// Those of one plugin, all its versions together. One more is refused and the batch that needed it
/// is tried again, so that a plugin leaves others as many as it can have itself.
pub const INSTANCES_PER_PLUGIN_MAX: u32 = INSTANCES_MAX / 2;
/// Those of one account, whatever plugins work for it: more than its deliveries can have at once,
/// and less than there are. One more is refused as one of a plugin is.
pub(crate) const INSTANCES_PER_ACCOUNT_MAX: u32 = INSTANCES_MAX - INSTANCES_MAX / 12;
/// Core instances of one component: the guest's own modules and the shims between them. A component
/// with more is refused.
pub(crate) const CORE_INSTANCES_PER_COMPONENT_MAX: u32 = 64;
/// Tables of one component. A component with more is refused.
pub(crate) const TABLES_PER_COMPONENT_MAX: u32 = CORE_INSTANCES_PER_COMPONENT_MAX;
/// Memories of one component, which share what one instance may have: a guest's own, and that of a
/// component that its tool put beside it, as QuickJS's does. Each takes 4 GiB of address space for
/// every instance there can be. A component with more is refused.
pub(crate) const MEMORIES_PER_COMPONENT_MAX: u32 = 2;
/// Bytes of the pool's slots: no plugin gets more memory, whatever the operator says.
pub(crate) const MEMORY_SLOT_BYTES: usize = 256 * MEBIBYTE;
/// Bytes of a guest's stack; one that calls itself without end traps there.
pub(crate) const STACK_BYTES: usize = 512 * 1024;
/// Elements of a table: enough for an interpreter of a large language.
pub(crate) const TABLE_ELEMENTS_MAX: usize = 20_000;
/// Resources that a component may hold at a time, streams and pollables of WASI among them.
pub(crate) const HANDLES_MAX: usize = 1_000;
/// Random bytes that may be asked for in one call.
pub(crate) const RANDOM_BYTES_MAX: u64 = 64 * 1024;
/// Bytes of a table's key and value; the guest is told of a larger one. Together they are an item
/// of DynamoDB, which has at most 400 KB.
pub(crate) const TABLE_KEY_BYTES_MAX: usize = 900;
pub(crate) const TABLE_VALUE_BYTES_MAX: usize = 390 * 1024;
/// Bytes of a table's name or a stream's, as DynamoDB has them; the guest is told of a longer one.
pub(crate) const EFFECT_NAME_BYTES_MAX: usize = 255;
/// Keys, entries or records of one call to the host, which no clock interrupts. More trap.
pub(crate) const STRINGS_PER_CALL_MAX: usize = 10_000;
/// Entries of one scan; who wants more scans on from the last key.
pub(crate) const SCANNED_MAX: u32 = 1_000;
/// Keys that are looked up, or entries that are read, before their bytes are counted.
pub(crate) const TABLE_KEYS_AT_ONCE: u32 = 64;
/// What each key, entry or record counts for beside its bytes: the host keeps it until the batch is
/// committed.
pub(crate) const EFFECT_OVERHEAD_BYTES: usize = 64;
/// How long a guest may wait for the host during one call of it, for tables and for answers over
/// HTTP: that is no time of a processor. Beyond it a call over HTTP fails, and a question to a
/// table ends the guest's call, whose batch is tried again.
pub(crate) const HOST_WAIT_MAX: Duration = Duration::from_secs(30);
/// How long a call over HTTP may take, with its redirects each anew.
pub(crate) const HTTP_CALL_TIME_MAX: Duration = Duration::from_secs(10);
/// Calls over HTTP during one batch: one for each record of the largest. One more traps.
pub(crate) const HTTP_CALLS_PER_BATCH_MAX: u32 = 1_000;
/// Redirects of one call; one more fails it.
pub(crate) const HTTP_REDIRECTS_MAX: u32 = 3;
/// Bytes of the body of an answer; one with more is none.
pub(crate) const HTTP_ANSWER_BYTES_MAX: usize = 10 * MEBIBYTE;
/// Headers of a request, and their bytes; a request with more is refused.
pub(crate) const HTTP_HEADERS_MAX: usize = 64;
pub(crate) const HTTP_HEADER_BYTES_MAX: usize = 16 * 1024;
/// Bytes of the body of a request; a request with more is refused. Whoever waits for a place to
/// make a call keeps them.
pub(crate) const HTTP_BODY_BYTES_MAX: usize = MEBIBYTE;
/// Letters of a method; a request with more is refused.
pub(crate) const HTTP_METHOD_CHARS_MAX: usize = 16;
/// Bytes of the state of an instance; a larger snapshot fails its batch.
pub const STATE_BYTES_MAX: usize = 256 * 1024;
/// Names that one output may have for dynamic partitioning (Firehose developer guide, Partitioning
/// keys: at most 50 of a delivery stream's Lambda). An answer with more is none.
pub(crate) const PARTITION_KEYS_MAX: usize = 50;
/// Bytes of each name and value, all of which end up in an object's name of 1,024 bytes at most,
/// and of a target's name. An answer with a longer one is none.
pub(crate) const PARTITION_KEY_BYTES_MAX: usize = 1_024;
pub(crate) const TARGET_BYTES_MAX: usize = 64;
/// Names of counters that a plugin may have; counts under further names are left out.
pub(crate) const COUNTERS_MAX: usize = 64;
/// Characters of a counter's name.
pub(crate) const COUNTER_NAME_CHARS_MAX: usize = 64;
/// Bytes of a manifest; a longer one is refused.
pub const MANIFEST_BYTES_MAX: usize = 64 * 1024;
/// Bytes of the text of one failed record or call that are kept.
pub(crate) const REASON_BYTES_MAX: usize = 1024;
/// Seconds of the clock that a compiler may be there for each second of processor time that it may
/// use: beside a busy server it waits for a processor longer than it works. Then it is ended.
pub(crate) const COMPILER_WALL_FACTOR: u64 = 12;
/// How much a compiler steps back behind the server (`nice`): to a quarter of a processor that both
/// want.
pub(crate) const COMPILER_NICENESS: i32 = 5;
/// Threads of a compiler, each of which takes memory. More functions wait for their turn.
pub(crate) const COMPILER_THREADS_MAX: usize = 4;
/// Files that a compiler may have open: its three pipes, and what the operating system is asked
/// while a process starts. It cannot open more.
pub(crate) const COMPILER_FILES_MAX: u64 = 16;
/// Bytes of the compiled code of a component, some thirty times the largest one by default. A
/// compiler that gives more is ended, and a larger file in the cache is not ours.
pub(crate) const COMPILED_BYTES_MAX: usize = 256 * MEBIBYTE;
/// Bytes that are kept of what a compiler says of its failure; the rest is left out.
pub(crate) const COMPLAINT_BYTES_MAX: usize = 64 * 1024;

/// Bytes of an author's version that are kept in the history; the rest is cut off.
pub(crate) const LABEL_BYTES_MAX: usize = 128;

/// How long files that were refused for now are left alone before they are tried again; twice as
/// long after each further attempt, up to the longest pause. They are tried for as long as they lie
/// there: one attempt costs as much as a compiler may take.
pub(crate) const RETRY_PAUSE: Duration = Duration::from_secs(10);
pub(crate) const RETRY_PAUSE_MAX: Duration = Duration::from_secs(600);

/// What a call into a guest may use, as far as the guest can notice: what it makes of a batch
/// depends on this. A delivery is finished with what it was begun with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallLimits {
    /// Bytes of all linear memories of the instance together.
    pub memory_bytes_max: usize,
    /// Elements of each of its tables.
    pub table_elements_max: usize,
    /// Resources that it may hold at a time.
    pub handles_max: usize,
    /// Bytes that the host takes out of the guest at once; that all keys, values and records of one
    /// batch have which a consumer asks for or hands over; and that one answer of a table has.
    pub output_bytes_max: usize,
    /// Calls to the host during one batch.
    pub host_calls_max: u32,
    /// Random bytes that may be asked for in one call.
    pub random_bytes_max: u64,
    /// How long one batch may take, unless the caller says otherwise.
    pub batch_time_max: Duration,
}

impl CallLimits {
    /// Why no instance of this build can have so much. The pool's slots are as large as any
    /// configuration allows, so that this is about other builds only.
    pub(crate) fn excess(&self) -> Option<String> {
        if self.memory_bytes_max > MEMORY_SLOT_BYTES {
            let wanted = self.memory_bytes_max;
            return Some(format!(
                "{wanted} bytes of memory, not at most {MEMORY_SLOT_BYTES}"
            ));
        }
        if self.table_elements_max > TABLE_ELEMENTS_MAX {
            let wanted = self.table_elements_max;
            return Some(format!(
                "tables of {wanted} elements, not at most {TABLE_ELEMENTS_MAX}"
            ));
        }
        None
    }
}

/// What every plugin may use, unless its manifest asks for less.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a component's file. A larger one is refused before it is read.
    pub component_bytes_max: u64,
    /// Seconds of processor time that compiling a component may take. One that takes longer is
    /// refused. This and the next limit hold where another process compiles.
    pub compile_seconds_max: u64,
    /// Bytes of address space that the compiler may have. A component for which that is too little
    /// is refused.
    pub compile_bytes_max: u64,
    /// Bytes of all linear memories of one instance together. A guest that wants more traps.
    pub memory_bytes_max: usize,
    /// How long one batch may take. A guest that takes longer traps.
    pub batch_time_max: Duration,
    /// Bytes that the host takes out of the guest at once: the outputs of a batch, or a log line. A
    /// guest that gives more traps.
    pub output_bytes_max: usize,
    /// Calls to the host during one batch. One more traps.
    pub host_calls_max: u32,
    /// Bytes of a log line; the rest is cut off.
    pub log_line_bytes_max: usize,
    /// Bytes of log lines a second, over all instances of a version. Lines beyond are counted and
    /// left out.
    pub log_bytes_per_second_max: u32,
    /// Milliseconds of processor time that a plugin may have a second, over all for whom it works;
    /// 0: as many as there are. One that had more waits for its next turn.
    pub cpu_ms_per_second: u32,
    /// The same of an account, over all plugins that work for it. No manifest changes it.
    pub account_cpu_ms_per_second: u32,
}

impl Limits {
    /// How the processors' time is shared out.
    pub fn cpu_rules(&self) -> CpuRules {
        CpuRules {
            plugin_ms_per_second: self.cpu_ms_per_second,
            account_ms_per_second: self.account_cpu_ms_per_second,
        }
    }

    /// What a call may use.
    pub(crate) fn of_call(&self) -> CallLimits {
        CallLimits {
            memory_bytes_max: self.memory_bytes_max,
            table_elements_max: TABLE_ELEMENTS_MAX,
            handles_max: HANDLES_MAX,
            output_bytes_max: self.output_bytes_max,
            host_calls_max: self.host_calls_max,
            random_bytes_max: RANDOM_BYTES_MAX,
            batch_time_max: self.batch_time_max,
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            component_bytes_max: 32 * 1024 * 1024,
            compile_seconds_max: 30,
            compile_bytes_max: 2 * 1024 * 1024 * 1024,
            memory_bytes_max: 64 * MEBIBYTE,
            batch_time_max: Duration::from_secs(1),
            output_bytes_max: 16 * MEBIBYTE,
            host_calls_max: 10_000,
            log_line_bytes_max: 1024,
            log_bytes_per_second_max: 64 * 1024,
            cpu_ms_per_second: 0,
            account_cpu_ms_per_second: 0,
        }
    }
}
