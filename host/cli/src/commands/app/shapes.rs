//! What the pages of applications say.

use serde::Deserialize;

#[derive(Deserialize)]
pub(super) struct Apps {
    pub(super) apps: Vec<App>,
    #[serde(default)]
    pub(super) refused: Vec<Refused>,
}

/// A plugin whose manifest declares an application that cannot be made.
#[derive(Deserialize)]
pub(super) struct Refused {
    pub(super) plugin: String,
    pub(super) why: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct App {
    pub(super) name: String,
    pub(super) stream: String,
    pub(super) plugin: String,
    pub(super) state: String,
    pub(super) start: String,
    pub(super) pinned: Option<String>,
    pub(super) trouble: Option<String>,
    pub(super) waiting: u64,
    #[serde(flatten)]
    pub(super) counts: Counts,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Counts {
    pub(crate) processed: u64,
    pub(super) dead_letters: u64,
    pub(super) foreign: u64,
    pub(super) lost: u64,
    pub(super) left_out: u64,
    pub(crate) emitted: u64,
    pub(crate) rows: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Description {
    #[serde(flatten)]
    pub(super) app: App,
    pub(super) tables: Vec<String>,
    pub(super) emit: Vec<String>,
    pub(crate) cpu_ms_per_second: u64,
    pub(crate) account_cpu_ms_per_second: u64,
    pub(crate) held_back_us: u64,
    pub(crate) account_held_back_us: u64,
    pub(crate) letters: u64,
    pub(super) letter_bytes: u64,
    pub(super) replayed: u64,
    pub(super) discarded: u64,
    pub(crate) shards: Vec<Shard>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Shard {
    pub(crate) shard: String,
    pub(super) state: String,
    pub(crate) waiting: u64,
    pub(super) behind_ms: Option<u64>,
    pub(super) version: Option<String>,
    pub(super) version_number: Option<u64>,
    #[serde(default)]
    pub(super) is_canary: bool,
    pub(crate) swap_refused: Option<String>,
    #[serde(default)]
    pub(super) unheard: u64,
    pub(crate) stuck: Option<String>,
    pub(crate) batches: u64,
    pub(super) redone: u64,
    pub(super) conflicts: u64,
    #[serde(flatten)]
    pub(crate) counts: Counts,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Letters {
    pub(crate) dead_letters: Vec<Letter>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Letter {
    pub(crate) id: String,
    pub(super) shard: String,
    pub(super) sequence_number: String,
    pub(super) arrival_ms: u64,
    pub(super) failed_at_ms: u64,
    pub(crate) reason: String,
    pub(super) version: String,
    pub(super) tries: u32,
    pub(super) bytes: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct WholeLetter {
    #[serde(flatten)]
    pub(super) letter: Letter,
    pub(super) partition_key: String,
    /// In base64.
    pub(super) data: String,
}

#[derive(Deserialize)]
pub(super) struct Heard {
    pub(super) shards: u64,
}

/// An answer that says no more than that it is one.
#[derive(Deserialize)]
pub(crate) struct Done {
    pub(super) done: bool,
}
