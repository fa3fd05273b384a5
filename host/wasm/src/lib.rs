//! Plugins: WASM components that an operator puts into a directory, and everything that stands
//! between their code and the rest of the process. The only crate that names wasmtime.
//!
//! A version goes `watcher` -> `watch` -> `directory` -> `loader` (`admission`, `code_cache` with
//! `compiler`, `version`, `kept`) -> `control` (`life`, kept by `lives`) -> `registry`, where it is
//! in force. What operators and the `guard` want of it is in `orders`, and which version somebody
//! goes by in `choice`. Whoever works with it asks [`Plugins`] for it, makes an [`Instance`] of a
//! transform or a [`Consumer`] and hands it batches; `running` is what both have. What it may use
//! is in `limits`; what it is offered is in `state`, `column_calls`, `effect_calls`,
//! `secret_calls`, `http_calls` and `wasi`, and
//! what lies behind that in `sealed` and `printed`; what it is denied is in `denied`. Authors have
//! the same without a server: `offline`.
//!
//! Calls into guests block. They are for threads that may be blocked, never for a task of the
//! runtime: deliveries make them on the threads of `guest_threads`, in turns.

mod addresses;
mod admission;
mod application;
mod bindings;
mod call_clock;
mod call_counts;
mod call_time;
mod census;
mod child;
mod choice;
mod code_cache;
mod cold_canary;
mod column_calls;
mod columns;
mod compile_worker;
mod compiler;
mod consumer;
mod control;
mod counters;
mod cpu_shares;
mod denied;
mod deploying;
mod directory;
mod effect_access;
mod effect_calls;
mod effects;
mod fault;
mod fault_kind;
mod files;
mod grant_book;
mod guard;
mod guest_log;
mod guest_thread_limits;
mod guest_threads;
mod guest_turns;
mod hash;
mod hosts;
mod http_calls;
mod http_url;
mod imports;
mod instance;
mod instance_shares;
mod kept;
mod life;
mod limit_reached;
mod limits;
mod lives;
mod loaded;
mod loader;
mod manifest;
mod memory_limits;
mod moment;
mod name;
mod offline;
mod options;
mod orders;
mod outbound;
mod outputs;
mod patience;
mod placing;
mod plugin_costs;
mod plugin_log;
mod plugins;
mod printable;
mod printed;
mod profiling;
mod qualifier;
mod records_of_others;
mod refusal;
mod registry;
mod role;
mod rollout;
mod running;
mod runtime;
mod sealed;
mod secret;
mod secret_calls;
mod shadow;
mod shadowing;
mod shown;
mod signature;
mod slab;
mod state;
mod trial;
mod turns;
mod version;
mod warm;
mod wasi;
mod watch;
mod watcher;
mod workplace;
mod world;

pub use addresses::{AddressRange, address_kind};
pub use application::{Application, Grants, Start, Versions};
pub use call_counts::{CallCounts, CallCountsShown};
pub use census::{Census, Counted, IMPORTS_LISTED_MAX, Import};
pub use choice::{Absence, Choice, REASON_HIDDEN};
pub use columns::{BatchColumns, Columns};
pub use compile_worker::compile_worker;
pub use consumer::{Assignment, Consumer};
pub use counters::{BATCH_TIME_BUCKETS_US, Count, Counters, Outcomes, Peak};
pub use cpu_shares::{CpuRules, CpuShare};
pub use deploying::{Deployed, NotDeployed, Standing};
pub use effects::{EffectError, Effects};
pub use fault::{Deadline, Fault, Panic};
pub use fault_kind::FaultKind;
pub use grant_book::{GrantBook, GrantSettings};
pub use guest_thread_limits::GuestThreadLimits;
pub use guest_threads::{CpuSharesShown, GuestThreadCounts, GuestThreads, TurnLost};
pub use guest_turns::Turn;
pub use hash::ContentHash;
pub use hosts::HostPattern;
pub use http_url::HttpUrl;
pub use imports::Access;
pub use instance::Instance;
pub use life::{Canary, Event, How, Life, Numbered, SetAside, VERSIONS_KEPT, Why};
pub use limits::{
    CallLimits, INSTANCES_MAX, INSTANCES_PER_PLUGIN_MAX, Limits, MANIFEST_BYTES_MAX,
    STATE_BYTES_MAX,
};
pub use manifest::Manifest;
pub use moment::Moment;
pub use name::PluginName;
pub use offline::{Came, Cost, DEPLOYED_TEXT_BYTES_MAX, Effect, Files, Trial, Tried, Workbench};
pub use options::{OpenError, Options};
pub use orders::OrderError;
pub use outbound::{Answer, AnswerRoom, Call, CallError, Outbound};
pub use outputs::{Output, Outputs, Status};
pub use patience::Patience;
pub use plugin_costs::{AccountCosts, PluginCosts};
pub use plugin_log::{LogAsked, LogLevel, LogLine};
pub use plugins::Plugins;
pub use profiling::{NotProfiled, Profile, ProfileUnderWay};
pub use qualifier::{AliasName, Qualifier};
pub use registry::{Ignored, Plugin, Refused};
pub use role::Role;
pub use rollout::{Rollout, RolloutRules, SHADOW_RECORDS_MAX};
pub use secret::{SecretName, SecretValue};
pub use shadow::{
    RecordsOf, Retained, RetainedRecords, SHADOW_BYTES_MAX, ShadowReport, ShadowSample, ShadowSide,
    Shown,
};
pub use shadowing::NotShadowed;
pub use signature::{
    SignatureMode, SignatureRules, Signed, SigningKey, TRUSTED_KEYS_MAX, TrustedKey,
};
pub use slab::Slab;
pub use turns::Party;
pub use version::{Facts, Version};
pub use workplace::{Workplace, WorksFor};
