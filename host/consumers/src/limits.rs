//! The limits of applications, and what happens at each.

use std::time::Duration;

use crate::leases::WORKER_LIVES_MS;

/// Applications that one account may have in all regions. One more is refused with
/// LimitExceededException.
pub const APPLICATIONS_PER_ACCOUNT_MAX: usize = 100;
/// Records that a batch has at most; what is more goes into the next one.
pub const BATCH_RECORDS_MAX: usize = 1_000;
/// Bytes of the frames that a batch is made of, unless its first frame has more.
pub const BATCH_BYTES_MAX: usize = 1024 * 1024;
/// Rows of tables that one batch reads and writes, each. A call that would go over one is answered
/// with an `err` that says so.
pub const ROWS_PER_BATCH_MAX: usize = 8_192;
/// Bytes of keys that one batch reads.
pub const READ_KEY_BYTES_MAX: usize = 2 * 1024 * 1024;
/// Bytes of values that tables give to one batch, kept until its end.
pub const READ_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Bytes that the keys and values take which one batch writes, as they are stored: each key counts
/// twice.
pub const WRITE_BYTES_MAX: usize = 6 * 1024 * 1024;
/// Records that one batch puts to other streams.
pub const EMITTED_PER_BATCH_MAX: usize = 8_192;
/// Bytes of them with their partition keys.
pub const EMITTED_BYTES_MAX: usize = 6 * 1024 * 1024;
/// Bytes of memory that a batch asks for at most, unless it has used more, after it has found no
/// room for what it wanted: about as much as one can come to by the limits above.
pub const BATCH_MEMORY_MAX: u64 = 64 * 1024 * 1024;
/// What there is of a state while an instance is called: what is kept, what comes in its place, and
/// its row.
pub const STATE_MEMORY_BYTES: u64 = 3 * wasm::STATE_BYTES_MAX as u64;
/// How often a record is tried until it is a dead letter. What the plugin calls retryable, and what
/// is no fault of the record's, does not count.
pub const RECORD_TRIES_MAX: u32 = 3;
/// How often an instance is told that it ends until what takes its place does so without what it
/// wants done: what the plugin itself fails at counts, and what cannot be committed.
pub const LAST_WORDS_TRIES_MAX: u32 = 3;
/// How often a version says that it may end later until another takes its place all the same: with
/// the pauses between, about a minute.
pub const LAST_WORDS_PUT_OFF_MAX: u32 = 12;
/// How long a lane that is told to stop waits for its turn, for memory and for a thread, so that
/// its instance hears of it. Then it stops without.
pub const LAST_WORDS_TIME_MAX: Duration = Duration::from_secs(5);
/// How long a replay of a dead letter waits for each of these. Then the caller is told to come
/// back.
pub const REPLAY_WAIT_MAX: Duration = Duration::from_secs(10);
/// Conflicts after which a batch is worked on alone among those of its application.
pub const CONFLICTS_BEFORE_ALONE: u32 = 3;
/// Rows that a batch keeps others from which was refused for their sake. Those beyond stand in its
/// way for longer.
pub const ROWS_RESERVED_MAX: usize = 256;
/// How long it keeps them at most, from when it has got the first of them, while it waits for the
/// others and while it is at work; then others write them, and it may be refused once more.
pub const ROWS_RESERVED_TIME_MAX: Duration = Duration::from_secs(5);
/// How long a batch waits with its memory and its instance in hand for streams whose shards have
/// taken what a second allows. Where it takes longer it gives both back, and is done again then.
pub const EMIT_TIME_IN_HAND_MAX: Duration = Duration::from_millis(100);
/// Dead letters that an application may have. When there are as many, a shard whose next record
/// would become one stands still and says so.
pub const DEAD_LETTERS_MAX: u64 = 10_000;
/// Bytes of them; the same happens.
pub const DEAD_LETTER_BYTES_MAX: u64 = 256 * 1024 * 1024;
/// Dead letters in one answer; more are asked for from the last one on.
pub const DEAD_LETTERS_LISTED_MAX: usize = 1_000;
/// Characters of the reason of a dead letter, and of the trouble of a shard.
pub const REASON_CHARS_MAX: usize = 1_024;
/// Instances that live on between batches, of all plugins. The one that was used least lately is
/// let go when another is needed; its state is in its row. The rest of the pool is delivery's.
pub const INSTANCES_KEPT_MAX: usize = wasm::INSTANCES_MAX as usize / 2;
/// Those of one plugin.
pub const INSTANCES_KEPT_PER_PLUGIN_MAX: usize = wasm::INSTANCES_PER_PLUGIN_MAX as usize / 2;
/// The part of these, and of those of one plugin, that an account leaves to others of the instances
/// that are called at the same time, however many applications it has. One more waits.
pub const INSTANCES_AT_WORK_LEFT_TO_OTHERS_PART: usize = 4;
/// Memory for the batches of all applications, unless the configuration says otherwise.
pub const WORK_BYTES: u64 = 128 * 1024 * 1024;
/// The first pause after a failure; each is twice the one before.
pub const PAUSE_FIRST: Duration = Duration::from_millis(50);
/// The longest.
pub const PAUSE_MAX: Duration = Duration::from_secs(10);
/// How often a worker says that it lives, and looks at the leases.
pub const LOOK_PERIOD: Duration = Duration::from_millis(WORKER_LIVES_MS / 5);
/// How long all lanes together may take to end when the server stops. What they have begun and not
/// committed is done again after the next start.
pub const STOP_TIME_MAX: Duration = Duration::from_secs(10);
/// Rows that are written in one commit where there may be many.
pub const ROWS_PER_COMMIT: usize = 256;
