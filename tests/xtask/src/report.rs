//! Counting what passed and what failed, from what the test runners print.

use std::time::Duration;

use crate::process::Ended;

/// How many tests passed and failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Tests that passed.
    pub passed: u64,
    /// Tests that failed.
    pub failed: u64,
}

/// One step of the test command.
pub struct Step {
    /// What was done.
    pub name: &'static str,
    /// The step's tests; none for a step that is not made of tests.
    pub counts: Option<Counts>,
    /// How long its program of tests ran, with what was compiled for it.
    pub took: Option<Duration>,
    /// Why the step as a whole did not end well, or was left out.
    pub outcome: Outcome,
}

/// How a step ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// As it should.
    Well,
    /// It failed, or could not be run.
    Failed(String),
    /// It is not possible on this machine, which is no failure.
    LeftOut(String),
}

impl Step {
    /// A step that a program of tests was run for. It must end well and hold at least one test.
    pub fn of_tests(name: &'static str, ended: &Ended, counts: Counts) -> Self {
        let outcome = match (ended.well, counts) {
            (true, Counts { passed: 0, .. }) => Outcome::Failed("no test was run".to_owned()),
            (true, Counts { failed: 0, .. }) => Outcome::Well,
            _ => Outcome::Failed("failed".to_owned()),
        };
        Self {
            name,
            counts: Some(counts),
            took: Some(ended.took),
            outcome,
        }
    }

    /// A step without counted tests.
    pub fn plain(name: &'static str, outcome: Outcome) -> Self {
        Self {
            name,
            counts: None,
            took: None,
            outcome,
        }
    }
}

/// All counts together. A failed step that counts no failed test counts as one.
pub fn total(steps: &[Step]) -> Counts {
    let mut total = Counts::default();
    for step in steps {
        let counts = step.counts.unwrap_or_default();
        let failed = matches!(step.outcome, Outcome::Failed(_));
        total.passed += counts.passed;
        total.failed += counts.failed.max(u64::from(failed));
    }
    total
}

/// One line for every step.
pub fn summary(steps: &[Step]) -> String {
    let line = |step: &Step| {
        let counts = step
            .counts
            .map(|c| format!("{} passed, {} failed", c.passed, c.failed));
        let outcome = match &step.outcome {
            Outcome::Well => "ok".to_owned(),
            Outcome::Failed(why) => format!("FAILED: {why}"),
            Outcome::LeftOut(why) => format!("left out: {why}"),
        };
        let took = step
            .took
            .map(|took| format!(" in {:.0} s", took.as_secs_f64()));
        format!(
            "{:<28}{outcome:<8} {}{}",
            step.name,
            counts.unwrap_or_default(),
            took.unwrap_or_default()
        )
    };
    steps
        .iter()
        .map(|step| line(step).trim_end().to_owned())
        .collect::<Vec<_>>()
        .join("\n")
}

/// The sum of cargo's `test result: ok. 3 passed; 0 failed; …` lines.
pub fn of_cargo(text: &str) -> Counts {
    let mut counts = Counts::default();
    for line in text
        .lines()
        .filter_map(|line| line.trim_start().strip_prefix("test result: "))
    {
        counts.passed += number_before(line, " passed;");
        counts.failed += number_before(line, " failed;");
    }
    counts
}

/// `Ran 3 tests in 0.1s` and `FAILED (failures=1, errors=1)` of Python's unittest. Each failed
/// part of a test counts, so that more can fail than were run.
pub fn of_unittest(text: &str) -> Counts {
    let mut counts = Counts::default();
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("Ran ") {
            counts.passed = number_before(rest, " test");
        }
        if let Some(rest) = line.strip_prefix("FAILED (") {
            counts.failed = number_after(rest, "failures=") + number_after(rest, "errors=");
        }
    }
    counts.passed = counts.passed.saturating_sub(counts.failed);
    counts
}

/// `# pass 3` and `# fail 0` of Node's test runner.
pub fn of_node(text: &str) -> Counts {
    Counts {
        passed: number_after(text, "\n# pass "),
        failed: number_after(text, "\n# fail ") + number_after(text, "\n# cancelled "),
    }
}

/// `3 passed, 1 failed` alone on the last such line of our program in Java.
pub fn of_java(text: &str) -> Counts {
    let counts = |line: &str| {
        let (passed, failed) = line.strip_suffix(" failed")?.split_once(" passed, ")?;
        Some(Counts {
            passed: passed.parse().ok()?,
            failed: failed.parse().ok()?,
        })
    };
    text.lines().rev().find_map(counts).unwrap_or_default()
}

/// The number before `mark`, 0 if there is none: a step that counts no test has failed.
fn number_before(text: &str, mark: &str) -> u64 {
    let head = text.split_once(mark).map_or("", |(head, _)| head);
    let start = head
        .rfind(|c: char| !c.is_ascii_digit())
        .map_or(0, |at| at + 1);
    head[start..].parse().unwrap_or(0)
}

/// The number after `mark`, as [`number_before`].
fn number_after(text: &str, mark: &str) -> u64 {
    let tail = text.split_once(mark).map_or("", |(_, tail)| tail);
    let end = tail
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(tail.len());
    tail[..end].parse().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_counts_of_every_runner_are_read_from_its_closing_lines() {
        let cargo = "test result: ok. 12 passed; 0 failed; 0 ignored\nx\n\
            test result: FAILED. 3 passed; 2 failed; 0 ignored";
        assert_eq!(
            of_cargo(cargo),
            Counts {
                passed: 15,
                failed: 2
            }
        );
        let python = "....\nRan 40 tests in 3.2s\n\nFAILED (failures=1, errors=2)\n";
        assert_eq!(
            of_unittest(python),
            Counts {
                passed: 37,
                failed: 3
            }
        );
        assert_eq!(
            of_unittest("Ran 1 test in 3s\n\nOK\n"),
            Counts {
                passed: 1,
                failed: 0
            }
        );
        let node = "ok 1\n# tests 4\n# suites 0\n# pass 3\n# fail 1\n# cancelled 0\n";
        assert_eq!(
            of_node(node),
            Counts {
                passed: 3,
                failed: 1
            }
        );
        let java = "1 passed, 0 failed\n12 passed, 1 failed\nFAILED 7 passed, 8 failed\n";
        assert_eq!(
            of_java(java),
            Counts {
                passed: 12,
                failed: 1
            }
        );
        assert_eq!(of_java("ok all passed, 0 failed\n"), Counts::default());
    }

    #[test]
    fn a_step_that_ran_no_test_or_ended_badly_has_failed() {
        let ended = |well| Ended {
            text: String::new(),
            well,
            took: Duration::from_secs(7),
        };
        let counts = |passed, failed| Counts { passed, failed };
        let empty = Step::of_tests("a", &ended(true), counts(0, 0));
        let crashed = Step::of_tests("b", &ended(false), counts(3, 0));
        let red = Step::of_tests("c", &ended(false), counts(3, 2));
        let green = Step::of_tests("d", &ended(true), counts(3, 0));
        assert!(summary(std::slice::from_ref(&green)).ends_with("3 passed, 0 failed in 7 s"));
        let format = Step::plain("e", Outcome::Failed("x".to_owned()));
        assert_eq!(total(&[empty, crashed, red, green, format]), counts(9, 5));
    }

    #[test]
    fn a_step_that_was_left_out_is_no_failure_and_is_named() {
        let steps = [Step::plain(
            "licences",
            Outcome::LeftOut("no network".to_owned()),
        )];
        assert_eq!(total(&steps), Counts::default());
        assert!(summary(&steps).contains("left out: no network"));
    }
}
