//! The engines that are held to the contract: the embedded one on a real directory and on a
//! simulated disk, the latter also with everything so small that it flushes, rolls and evicts all
//! the time.

use super::*;
use crate::disk::Disk;
use crate::disk::real::RealDisk;
use crate::disk::simulated::SimulatedDisk;
use crate::embedded::{Embedded, Options};

struct OnDisk {
    disk: Arc<dyn Disk>,
    options: Options,
    /// Kept until the end, so that the directory stays.
    _dir: Option<tempfile::TempDir>,
}

#[async_trait]
impl Opener for OnDisk {
    async fn open(&self) -> Result<Arc<dyn Engine>, StoreError> {
        let (disk, options) = (self.disk.clone(), self.options.clone());
        let opening = tokio::task::spawn_blocking(move || Embedded::open(disk, options));
        Ok(opening.await.unwrap()?)
    }
}

/// Large enough for the largest transaction, small enough for a test.
fn roomy() -> Options {
    Options {
        wal_file_bytes: 32 << 20,
        wal_files_max: 4,
        free_bytes_min: 1 << 20,
        ballast_bytes: 1 << 20,
        ..Options::default()
    }
}

/// Everything happens all the time.
fn tiny() -> Options {
    Options {
        flush_bytes: 16 << 10,
        segment_bytes_max: 64 << 10,
        tail_cache_bytes: 32 << 10,
        ..roomy()
    }
}

fn real_directory() -> OnDisk {
    let dir = tempfile::tempdir().unwrap();
    let disk = Arc::new(RealDisk::new(dir.path().join("data")).unwrap());
    OnDisk {
        disk,
        options: roomy(),
        _dir: Some(dir),
    }
}

fn simulated_disk() -> OnDisk {
    OnDisk {
        disk: Arc::new(SimulatedDisk::new(1)),
        options: roomy(),
        _dir: None,
    }
}

fn simulated_disk_with_small_files() -> OnDisk {
    OnDisk {
        options: tiny(),
        ..simulated_disk()
    }
}

/// One test per promise, in a module per engine: `promise` becomes
/// `#[tokio::test] async fn promise() { module::promise(&opener()).await }`.
macro_rules! hold {
    ($opener:ident to $($module:ident: $($promise:ident)*;)*) => {
        mod $opener {
            $($(
                #[tokio::test]
                async fn $promise() {
                    crate::contract::$module::$promise(&super::$opener()).await;
                }
            )*)*
        }
    };
}

/// Every promise of the suite, for each engine named.
macro_rules! hold_to_all {
    ($($opener:ident)*) => {
        $(hold! {
            $opener to
            commits:
                frames_are_read_as_they_were_committed
                frames_keep_the_order_of_their_commits
                two_frames_for_one_log_keep_their_order
                a_transaction_over_logs_and_rows_is_all_there
                a_refused_transaction_leaves_nothing_behind
                a_condition_is_checked_against_what_the_row_is
                of_commits_that_expect_the_same_version_one_goes_through
                commits_at_the_same_time_each_get_their_own_place
                what_a_transaction_wrote_is_seen_together
                an_append_to_a_log_that_does_not_exist_is_refused
                an_append_to_a_sealed_log_is_refused
                steps_in_the_lives_of_logs_go_through_with_their_rows_or_not_at_all
                a_log_is_trimmed_and_another_ended_in_one_transaction
                what_is_as_large_as_the_limits_goes_through
                what_is_larger_than_the_limits_is_refused
            ;
            checks:
                a_transaction_goes_through_if_what_it_checks_is_so
                a_transaction_whose_check_fails_leaves_nothing_behind
                a_transaction_of_checks_alone_says_whether_they_hold
                of_two_that_read_what_the_other_writes_one_goes_through
            ;
            logs:
                a_new_log_is_empty
                creating_a_log_again_leaves_it_as_it_is
                a_log_that_does_not_exist_is_named_so
                a_read_stops_when_the_bytes_are_reached_but_gives_one_frame
                positions_count_records
                a_read_begins_with_the_frame_that_holds_the_position
                a_log_trimmed_within_a_frame_keeps_the_whole_frame
                a_waiter_wakes_when_something_is_appended
                a_waiter_wakes_when_its_log_ends
                a_sealed_log_is_read_to_its_end
                a_trimmed_log_begins_later
                a_deleted_log_is_gone_and_its_neighbours_are_not
                a_log_that_is_ended_leaves_where_it_ended_in_its_row
                a_time_is_found_in_a_log
                of_frames_that_arrived_together_the_first_is_found
                a_clock_that_jumps_back_makes_no_frame_older
                what_comes_after_a_promised_moment_is_no_older
                what_waits_to_be_written_lies_before_what_is_promised_or_keeps_it
                a_log_longer_than_memory_is_read_whole
            ;
            tables:
                an_absent_table_is_an_empty_one
                a_row_is_what_was_written_last
                a_scan_gives_a_range_in_order
                tables_are_apart
                many_rows_are_scanned_in_steps
            ;
            reopening:
                logs_are_as_they_were_after_reopening
                rows_are_as_they_were_after_reopening
                positions_versions_and_times_go_on_after_reopening
                a_trimmed_or_removed_thing_uses_no_position_or_version_again
                a_second_opener_is_refused_by_name
                a_closed_engine_takes_nothing_more
                what_is_under_way_is_finished_before_the_end
            ;
            seals:
                a_frame_with_a_key_is_committed_and_read_with_that_key_alone
            ;
        })*
    };
}

hold_to_all! { real_directory simulated_disk simulated_disk_with_small_files }
