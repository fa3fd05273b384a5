//! What a destination has said of the pieces of an open cut, as far as later tries go by it. Pure:
//! told the time, it reads no clock.

pub mod records;

use std::time::Duration;

use bincode::{Decode, Encode};
use types::Timestamp;

use self::records::{RecordFault, RefusedRecords};

/// Stretches of refused pieces that are noted each in its own words; further ones have none, and
/// the number of tries and the time of the first of them, so that the row has room for as many as
/// there can be.
const WORDS_MAX: usize = 128;
/// What stands in the lines of records for which there was no more room.
const WORDS_LEFT_OUT: &str = "It was refused; too many requests of this delivery were, too";
/// The pause after the first failure, and the longest; in between it doubles (developer guide,
/// "HTTP endpoint delivery request and response specifications").
const PAUSE_FIRST_MS: u64 = 1_000;
const PAUSE_MAX_MS: u64 = 120_000;
/// A pause is so many hundredths longer or shorter at most.
const JITTER_PERCENT: u64 = 15;

/// Kept with the open cut, so that a restart changes no outcome.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct Answers {
    /// Pieces of delivered records that the destination never takes, in order: their records go to
    /// the error output.
    pub refused: Vec<Refused>,
    /// The piece that was handed over last and not taken, if the time for it is counted.
    pub trying: Option<Trying>,
    /// Records of pieces that are refused for good while all others of these were taken, in order
    /// of the pieces: they go to the error output, and the piece is there without them. At the end
    /// those of a piece that is tried again.
    pub records: Vec<RefusedRecords>,
}

/// Pieces that are refused for good, for one reason.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Refused {
    /// The first of them.
    pub from: u16,
    /// The last of them.
    pub to: u16,
    /// One of AWS's words.
    pub code: String,
    /// What happened.
    pub message: String,
    /// How often each was handed over.
    pub attempts: u32,
    /// When it was handed over last, in milliseconds since 1970.
    pub ended_at_ms: u64,
}

/// A piece that is handed over again and again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Trying {
    /// Which piece of delivered records.
    pub part: u16,
    /// How often it was handed over.
    pub attempts: u32,
    /// How long was paused between its tries, all in all. Neither the time that answers took
    /// counts nor what else went by: while no process ran, the destination was misconfigured, or
    /// room was waited for.
    pub spent_ms: u64,
    /// When its last try had failed, in milliseconds since 1970.
    pub failed_at_ms: u64,
}

/// Why a request was not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// One of AWS's words (developer guide, "Monitor with CloudWatch Logs").
    pub code: &'static str,
    /// What happened.
    pub message: String,
}

/// A try that the destination did not take.
#[derive(Clone, Copy, Debug)]
pub struct Failed<'a> {
    /// Which piece of delivered records.
    pub part: u16,
    /// What happened.
    pub fault: &'a Fault,
    /// How long its answer was waited for.
    pub waited: Duration,
    /// For how long it is tried again, all in all.
    pub retry_time: Duration,
}

impl Answers {
    /// Why a piece is refused for good, if it is.
    pub fn refused(&self, part: u16) -> Option<&Refused> {
        let covers = |refused: &&Refused| (refused.from..=refused.to).contains(&part);
        self.refused.iter().find(covers)
    }

    /// What is known once a try has failed: the piece is tried again, or refused once its time is
    /// over. The time of one that comes after a refused one goes on, so that an endpoint that is
    /// gone costs a cut its time once.
    #[must_use]
    pub fn after_failure(&self, failed: Failed<'_>, now: Timestamp) -> Self {
        let (trying, is_over) = self.tried(failed, now);
        let mut after = Self {
            trying: Some(trying),
            ..self.clone()
        };
        match after.take_left(failed.part) {
            Some(left) if is_over => {
                after.records.push(left.finally((trying.attempts, now)));
            }
            Some(left) => after.records.push(left),
            None if is_over => after.refuse(failed.part, failed.fault, (trying.attempts, now)),
            None => {}
        }
        after
    }

    /// The same where only these records of the piece were not taken, and all others were.
    #[must_use]
    pub fn after_failure_of(
        &self,
        failed: Failed<'_>,
        faults: &[RecordFault],
        now: Timestamp,
    ) -> Self {
        let (trying, is_over) = self.tried(failed, now);
        let mut after = Self {
            trying: Some(trying),
            ..self.clone()
        };
        let left = after.left_of(failed.part, faults);
        // Where none is left, all of them are there.
        let is_over = is_over || left.is_empty();
        let attempts = if is_over { trying.attempts } else { 0 };
        after.refuse_records(failed.part, &left, (attempts, now));
        after
    }

    /// The piece that was tried, once that has failed, and whether its time is over.
    fn tried(&self, failed: Failed<'_>, now: Timestamp) -> (Trying, bool) {
        let Failed { part, .. } = failed;
        let before = self.trying.filter(|trying| self.goes_on(*trying, part));
        let trying = match before {
            Some(trying) if trying.part == part => Trying {
                attempts: trying.attempts.saturating_add(1),
                spent_ms: trying
                    .spent_ms
                    .saturating_add(trying.paused_ms(failed, now)),
                failed_at_ms: now.0,
                ..trying
            },
            other => Trying {
                part,
                attempts: 1,
                spent_ms: other.map_or(0, |other| other.spent_ms),
                failed_at_ms: now.0,
            },
        };
        let is_over = Duration::from_millis(trying.spent_ms) >= failed.retry_time;
        (trying, is_over)
    }

    /// What is known once a piece was refused for good.
    #[must_use]
    pub fn after_refusal(&self, part: u16, fault: &Fault, now: Timestamp) -> Self {
        let attempts = self.attempts_with(part);
        let mut after = Self {
            trying: None,
            ..self.clone()
        };
        match after.take_left(part) {
            Some(left) => after.records.push(left.finally((attempts, now))),
            None => after.refuse(part, fault, (attempts, now)),
        }
        after
    }

    /// What is known once these records of a piece were refused for good, and all others taken.
    #[must_use]
    pub fn after_refusal_of(&self, part: u16, faults: &[RecordFault], now: Timestamp) -> Self {
        let attempts = self.attempts_with(part);
        let mut after = Self {
            trying: None,
            ..self.clone()
        };
        let left = after.left_of(part, faults);
        after.refuse_records(part, &left, (attempts, now));
        after
    }

    /// The refused records of a piece of which others were taken, if there are any.
    pub fn records_of(&self, part: u16) -> Option<&RefusedRecords> {
        let is_of = |refused: &&RefusedRecords| refused.part == part && refused.is_final();
        self.records.iter().find(is_of)
    }

    /// How many records of a piece no try so far has had taken, of one that is tried again and had
    /// some taken.
    pub fn left_in(&self, part: u16) -> u64 {
        let left = self.records.last().filter(|last| last.part == part);
        left.map_or(0, RefusedRecords::count)
    }

    /// Whether no more is tried of a piece: it is refused for good, or some records of it are.
    pub fn is_over(&self, part: u16) -> bool {
        self.refused(part).is_some() || self.records_of(part).is_some()
    }

    /// The records of a piece that no try so far has had taken, if one had some taken. Those of
    /// another piece are forgotten: that was taken meanwhile.
    fn take_left(&mut self, part: u16) -> Option<RefusedRecords> {
        let left = self.records.pop_if(|last| !last.is_final());
        left.filter(|left| left.part == part)
    }

    /// Those of the faults whose records no try before has had taken.
    fn left_of(&mut self, part: u16, faults: &[RecordFault]) -> Vec<RecordFault> {
        let before = self.take_left(part);
        let is_left = |fault: &&RecordFault| {
            let before = before.as_ref();
            before.is_none_or(|before| before.has(fault.record))
        };
        faults.iter().filter(is_left).cloned().collect()
    }

    /// How often a piece was handed over, with the last time.
    fn attempts_with(&self, part: u16) -> u32 {
        match self.trying {
            Some(trying) if trying.part == part => trying.attempts.saturating_add(1),
            _ => 1,
        }
    }

    fn refuse_records(&mut self, part: u16, faults: &[RecordFault], tries: (u32, Timestamp)) {
        let kept: usize = self.records.iter().map(RefusedRecords::with_words).sum();
        let words_max = WORDS_MAX.saturating_sub(kept);
        self.records
            .push(RefusedRecords::of(part, faults, tries, words_max));
    }

    /// Whether the time of what was tried last is that of a piece.
    fn goes_on(&self, trying: Trying, part: u16) -> bool {
        let is_refused =
            |last: &Refused| last.to == trying.part && last.to.checked_add(1) == Some(part);
        let is_in_part = |last: &RefusedRecords| {
            last.is_final() && last.part == trying.part && last.part.checked_add(1) == Some(part)
        };
        trying.part == part
            || self.refused.last().is_some_and(is_refused)
            || self.records.last().is_some_and(is_in_part)
    }

    fn refuse(&mut self, part: u16, fault: &Fault, (attempts, now): (u32, Timestamp)) {
        let is_next = |last: &&mut Refused| last.to.checked_add(1) == Some(part);
        match self.refused.last_mut().filter(is_next) {
            Some(last) if last.code.is_empty() || last.is_like(fault, attempts, now) => {
                last.to = part;
            }
            _ => self.refused.push(Refused {
                from: part,
                to: part,
                code: fault.code.to_owned(),
                message: fault.message.clone(),
                attempts,
                ended_at_ms: now.0,
            }),
        }
        // The words of the one that was pushed beyond.
        if let Some(last) = self.refused.get_mut(WORDS_MAX..).and_then(<[_]>::last_mut) {
            (last.code, last.message) = (String::new(), String::new());
        }
    }
}

impl Trying {
    /// How long was paused since the last failure until the try that has failed now: at most as
    /// long as the longest pause that comes after so many.
    fn paused_ms(&self, failed: Failed<'_>, now: Timestamp) -> u64 {
        let since = Duration::from_millis(now.0.saturating_sub(self.failed_at_ms));
        let paused_ms = since.saturating_sub(failed.waited).as_millis();
        let longest_ms = middle_ms(self.attempts) * (100 + JITTER_PERCENT) / 100;
        // What does not fit is longer, too.
        u64::try_from(paused_ms).map_or(longest_ms, |paused_ms| paused_ms.min(longest_ms))
    }
}

impl Refused {
    /// AWS's word for what happened, and what happened. Where that was not kept, the word is the
    /// usual one of the destination.
    pub fn words<'a>(&'a self, usual: &'a str) -> (&'a str, &'a str) {
        if self.code.is_empty() {
            (usual, WORDS_LEFT_OUT)
        } else {
            (&self.code, &self.message)
        }
    }

    fn is_like(&self, fault: &Fault, attempts: u32, now: Timestamp) -> bool {
        self.code == fault.code
            && self.message == fault.message
            && (self.attempts, self.ended_at_ms) == (attempts, now.0)
    }
}

/// How long is waited after so many failures; `seed` picks a pause within the bounds.
pub fn pause_after(attempts: u32, seed: u64) -> Duration {
    let span = 2 * JITTER_PERCENT + 1;
    let percent = 100 - JITTER_PERCENT + seed.wrapping_add(u64::from(attempts)) % span;
    Duration::from_millis(middle_ms(attempts) * percent / 100)
}

/// The middle of the pauses after so many failures.
fn middle_ms(attempts: u32) -> u64 {
    let doublings = attempts.saturating_sub(1).min(16);
    (PAUSE_FIRST_MS << doublings).min(PAUSE_MAX_MS)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(message: &str) -> Fault {
        Fault {
            code: "HttpEndpoint.DestinationException",
            message: message.to_owned(),
        }
    }

    fn failed(part: u16, fault: &Fault) -> Failed<'_> {
        Failed {
            part,
            fault,
            waited: Duration::from_secs(2),
            retry_time: Duration::from_secs(10),
        }
    }

    #[test]
    fn a_piece_is_tried_for_its_time_without_what_answers_took() {
        let no = fault("no");
        let mut answers = Answers::default();
        let mut now = 1_000;
        // Pauses of 1, 2 and 4 s, and 2 s for each answer.
        for (attempt, seconds) in [(1, 3), (2, 4), (3, 6), (4, 5)] {
            answers = answers.after_failure(failed(3, &no), Timestamp(now));
            assert_eq!(answers.trying.unwrap().attempts, attempt);
            assert_eq!(answers.refused(3), None, "{attempt}");
            now += seconds * 1_000;
        }
        // And one of 3 s, which makes 10 of them.
        answers = answers.after_failure(failed(3, &no), Timestamp(now));
        let refused = answers.refused(3).unwrap();
        assert_eq!((refused.attempts, refused.ended_at_ms), (5, now));
        assert_eq!((answers.refused(2), answers.refused(4)), (None, None));
    }

    #[test]
    fn what_goes_by_while_nothing_is_tried_costs_a_piece_no_more_than_a_pause() {
        let no = fault("no");
        let mut answers = Answers::default();
        let hour = 3_600_000;
        // Between any two tries it is misconfigured for an hour, or nothing runs: 1.15 s, 2.3 s
        // and 4.6 s count.
        for attempt in 1..=4 {
            answers = answers.after_failure(failed(0, &no), Timestamp(attempt * hour));
            assert_eq!(answers.refused(0), None, "{attempt}");
        }
        // Neither does a clock that was set back.
        answers = answers.after_failure(failed(0, &no), Timestamp(hour));
        assert_eq!(answers.refused(0), None);
        answers = answers.after_failure(failed(0, &no), Timestamp(2 * hour));
        assert_eq!(answers.refused(0).unwrap().attempts, 6);
    }

    #[test]
    fn an_endpoint_that_is_gone_costs_a_cut_its_time_once() {
        let no = fault("no");
        let mut answers = Answers::default();
        for attempt in 1..=5 {
            assert_eq!(answers.refused(0), None);
            answers = answers.after_failure(failed(0, &no), Timestamp(attempt * 60_000));
        }
        assert!(answers.refused(0).is_some());
        let answers = answers.after_failure(failed(1, &no), Timestamp(300_001));
        assert_eq!(answers.refused(1).unwrap().attempts, 1);
        // Another one was taken meanwhile.
        let answers = answers.after_failure(failed(3, &no), Timestamp(300_002));
        assert_eq!(answers.refused(3), None);
    }

    #[test]
    fn a_cluster_that_takes_some_records_costs_a_cut_its_time_once() {
        let busy = fault("busy");
        let some = [RecordFault {
            record: 2,
            code: "429".to_owned(),
            message: "busy".to_owned(),
        }];
        let mut answers = Answers::default();
        for attempt in 1..=5 {
            assert_eq!(answers.records_of(0), None);
            let now = Timestamp(attempt * 60_000);
            answers = answers.after_failure_of(failed(0, &busy), &some, now);
        }
        assert_eq!(answers.records_of(0).unwrap().attempts, 5);
        let now = Timestamp(300_001);
        let in_part = answers.after_failure_of(failed(1, &busy), &some, now);
        assert_eq!(in_part.records_of(1).unwrap().attempts, 1);
        let whole = answers.after_failure(failed(1, &busy), now);
        assert_eq!(whole.refused(1).unwrap().attempts, 1);
        // Another one was taken meanwhile.
        let later = answers.after_failure_of(failed(3, &busy), &some, now);
        assert_eq!(later.records_of(3), None);
    }

    fn not_taken(records: &[u16]) -> Vec<RecordFault> {
        let fault = |record: &u16| RecordFault {
            record: *record,
            code: "429".to_owned(),
            message: "busy".to_owned(),
        };
        records.iter().map(fault).collect()
    }

    fn refused_of(answers: &Answers, part: u16) -> Vec<u16> {
        let refused = answers.records_of(part);
        let is_refused = |record: &u16| refused.is_some_and(|it| it.has(*record));
        (0..100).filter(is_refused).collect()
    }

    /// All records went to the error output where the last try failed as a whole.
    #[test]
    fn a_record_that_one_try_had_taken_is_refused_by_none_that_comes_after() {
        let (busy, now) = (fault("busy"), |attempt: u64| Timestamp(attempt * 60_000));
        let mut answers = Answers::default();
        for (attempt, records) in [(1, [1, 2, 9]), (2, [2, 3, 9])] {
            let some = not_taken(&records);
            answers = answers.after_failure_of(failed(4, &busy), &some, now(attempt));
            assert!(!answers.is_over(4));
        }
        answers = answers.after_failure(failed(4, &busy), now(3));
        assert!(!answers.is_over(4));
        // Refused at once, at the end of its time, and some of it at once.
        let never = answers.after_refusal(4, &busy, now(4));
        let in_part = answers.after_refusal_of(4, &not_taken(&[1, 9]), now(4));
        for attempt in 4..=5 {
            answers = answers.after_failure(failed(4, &busy), now(attempt));
        }
        assert_eq!(refused_of(&never, 4), [2, 9]);
        assert_eq!(refused_of(&in_part, 4), [9]);
        assert_eq!(refused_of(&answers, 4), [2, 9]);
        assert_eq!((answers.refused(4), never.refused(4)), (None, None));
        assert_eq!(answers.records_of(4).unwrap().attempts, 5);
        let words = answers.records_of(4).unwrap().words(2, "usual");
        assert_eq!(words, Some(("429", "busy")));
    }

    #[test]
    fn what_is_left_of_a_piece_says_nothing_of_another() {
        let (busy, now) = (fault("busy"), Timestamp(60_000));
        let left = Answers::default().after_failure_of(failed(4, &busy), &not_taken(&[1]), now);
        // It was taken, and the next one fails.
        let after = left.after_failure(failed(5, &busy), now);
        assert_eq!(after.records, []);
        let none = Failed {
            retry_time: Duration::ZERO,
            ..failed(5, &busy)
        };
        let after = left.after_failure(none, now);
        assert!(after.refused(5).is_some() && after.records.is_empty());
        // What is not taken now was before: all of it is there.
        let all = left.after_failure_of(failed(4, &busy), &not_taken(&[0, 2]), now);
        assert!(all.is_over(4) && refused_of(&all, 4).is_empty());
    }

    #[test]
    fn without_a_time_the_first_failure_is_the_last() {
        let no = fault("no");
        let failed = Failed {
            retry_time: Duration::ZERO,
            ..failed(0, &no)
        };
        let answers = Answers::default().after_failure(failed, Timestamp(5));
        assert_eq!(answers.refused(0).unwrap().attempts, 1);
    }

    #[test]
    fn what_is_kept_of_refused_pieces_is_bounded() {
        // Each, and every other one.
        for step in [1, 2] {
            let mut answers = Answers::default();
            for part in (0..4_095).step_by(step) {
                let no = fault(&format!("{part}{}", "x".repeat(230)));
                answers = answers.after_refusal(part, &no, Timestamp(1_700_000_000_000));
            }
            for part in 0..4_095 {
                let is_refused = answers.refused(part).is_some();
                assert_eq!(is_refused, usize::from(part) % step == 0, "{part}");
            }
            let words = answers.refused(0).unwrap().words("usual");
            assert_eq!(words.0, "HttpEndpoint.DestinationException");
            let words = answers.refused(4_094 / 2 * 2).unwrap().words("usual");
            assert_eq!(words, ("usual", WORDS_LEFT_OUT));
            let row = streams::codec::encode(&answers).unwrap();
            assert!(row.len() < 96 << 10, "{} bytes", row.len());
        }
    }

    #[test]
    fn pauses_double_up_to_two_minutes_and_differ_a_little() {
        let seconds = [1, 2, 4, 8, 16, 32, 64, 120, 120];
        for (attempts, seconds) in (1..).zip(seconds) {
            for seed in 0..100 {
                let pause = pause_after(attempts, seed);
                let middle = Duration::from_secs(seconds);
                assert!(
                    middle * 85 / 100 <= pause && pause <= middle * 115 / 100,
                    "{pause:?}"
                );
            }
        }
        assert_ne!(pause_after(1, 0), pause_after(1, 7));
        assert!(pause_after(u32::MAX, u64::MAX) <= Duration::from_secs(138));
    }
}
