//! Components that mean harm, each with a victim beside it.
//!
//! The catalogue: what is tried, where a transform tries it and where a consumer does. `app` is
//! `applications`, over HTTP; `con` is `consumers`, on one instance; `both` means that the host
//! does the same whatever the component is for, before it knows that.
//!
//! |  # | what | transform | consumer |
//! |---:|---|---|---|
//! |  1 | endless loop | `time` | `app`, `con` |
//! |  2 | endless start or init | `time` | `con` (`initialize`); init: both |
//! |  3 | endless loop after the answer | `time` | `app` |
//! |  4 | memory that grows, begins with all, many | `memory` | `app`, `con`; begins: both |
//! |  5 | tables that grow | `memory` | `app` |
//! |  6 | recursion | `time` | `app`, `con` |
//! |  7 | memory filled and copied | `time` | `app` |
//! |  8 | flood of calls to the host | `host_calls` | `app`, `con` |
//! |  9 | floods of lines, long lines, control characters | `host_calls` | `app` |
//! | 10 | more output than may be | `memory`, `shares` | `app`, `con` |
//! | 11 | one text answered again and again | `memory` | none: its calls take slabs |
//! | 12 | components that are slow to compile | `bombs`, `compilers` | both |
//! | 13 | too many types, functions, segments | `bombs` | both |
//! | 14 | giant functions | `bombs` | both |
//! | 15 | malformed, cut off, flipped bits | `malformed` | both |
//! | 16 | small files of large content | `memory`, `malformed` | both |
//! | 17 | components in components, instances | `bombs` | both |
//! | 18 | imports that are not there | `malformed` | both; what only consumers have: `malformed` |
//! | 19 | core modules, other worlds and versions | `malformed` | both |
//! | 20 | texts that are none | `host_calls`, `answers` | `app`, `con` |
//! | 21 | records twice, unknown, missing, out of order | `answers` | none: it answers no records |
//! | 22 | forged numbers, keys and times | none: it gives none | none: the host stamps `emit` |
//! | 23 | lists outside of memory | `answers` | `app`, `con` |
//! | 24 | handles that are forged or given back twice | `host_calls` | `app` |
//! | 25 | handles that are never given back | `host_calls` | `app` |
//! | 26 | calls from within calls | `host_calls` | `con` |
//! | 27 | traps at init, on the first, middle, last record | `traps` | `app`; `tests/consumers` |
//! | 28 | a trap after something was done | none: it does nothing | `app` |
//! | 29 | nearly too slow, all the time | `share`, `time` | `app` |
//! | 30 | other output the next time | `determinism`, `open_cut` | none: a commit is done once |
//! | 31 | a state without end | none: it keeps none | `app` |
//! | 32 | a checkpoint of what was not there | none: it has none | `app` |
//! | 33 | names of others | `files` | both |
//! | 34 | paths in names and manifests | `files` | both |
//! | 35 | links, pipes, devices, folders as files | `files` | both |
//! | 36 | files that are half written | `files` | both |
//! | 37 | files swapped between look and use | `files`: read once, whole | both |
//! | 38 | an old version that was signed | `plugins/signatures`, `plugins/rollout` | both |
//! | 39 | storms of versions | `files` | both |
//! | 40 | a version that fails | `plugins/rollout` | `tests/consumers/canary` |
//! | 41 | compiled code that was changed | `files`, `compilers` | both |
//! | 42 | calls to where none may go | `plugins/http`, `egress` of the server | `calls` |
//! | 43 | secrets in what is said | `plugins/secrets` | `plugins/secrets` |
//! | 44 | clocks that tell of others | `determinism` | both: the same clocks |
//! | 45 | memory of others | `determinism` | both: the same pool |
//! | 46 | a guest that kills its process | none: there is one process | none, as well |
//! | 47 | numbers with other bits elsewhere | `determinism` | both: the same engine |
//! | 48 | taken away while it works | `files` | `tests/consumers/swap` |
#![expect(clippy::unwrap_used, reason = "a ground that gives way fails the test")]

mod answers;
mod applications;
mod arena;
mod bombs;
mod broken;
mod calls;
mod compilers;
mod consumer_guest;
mod consumers;
mod determinism;
mod files;
#[expect(dead_code, reason = "the tests of `records` need more of it")]
mod ground;
mod guest;
mod host_calls;
mod malformed;
mod memory;
mod open_cut;
mod pool;
#[expect(dead_code, reason = "the tests of the interfaces need more of it")]
mod shard;
mod share;
mod shares;
mod simple;
mod time;
mod traps;
