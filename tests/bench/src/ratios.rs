//! What the project set out to reach where the machine decides how much that is: a number of one
//! line as a share of a number of another line of the same run.

use serde::Serialize;

use crate::report::{Entry, Goal};

/// Which of a line's numbers.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Figure {
    /// Its own.
    Value,
    /// The processor time beside it.
    ServerTime,
}

/// A goal.
#[derive(Clone, Copy, Debug)]
pub struct Ratio {
    /// The line.
    pub line: &'static str,
    /// The line that it is compared with.
    pub to: &'static str,
    /// Which numbers of both.
    pub figure: Figure,
    /// What the first divided by the second should be.
    pub goal: Goal,
}

const fn share(line: &'static str, to: &'static str, at_least: f64) -> Ratio {
    Ratio {
        line,
        to,
        figure: Figure::Value,
        goal: Goal::AtLeast(at_least),
    }
}

const fn time(line: &'static str, to: &'static str, at_most: f64) -> Ratio {
    Ratio {
        line,
        to,
        figure: Figure::ServerTime,
        goal: Goal::AtMost(at_most),
    }
}

const fn at_most(line: &'static str, to: &'static str, at_most: f64) -> Ratio {
    Ratio {
        line,
        to,
        figure: Figure::Value,
        goal: Goal::AtMost(at_most),
    }
}

/// All of them.
pub const RATIOS: &[Ratio] = &[
    time("put_records_500x1k", "unavoidable_put_records_500x1k", 1.5),
    share("put_records_500x1k", "bare_put_records_500x1k", 0.75),
    share("put_records_500x1k_cbor", "put_records_500x1k", 1.2),
    share("put_records_500x1k_encrypted", "put_records_500x1k", 0.85),
    // What is encrypted beside what is hashed, copied and synced anyway.
    time("put_records_500x1k_tls", "put_records_500x1k", 1.3),
    time("put_record_tls", "put_record", 1.3),
    share("put_records_100x100", "bare_put_records_100x100", 0.5),
    share("put_record", "bare_put_record", 0.6),
    share(
        "put_record_64_connections",
        "bare_put_record_64_connections",
        0.75,
    ),
    share("engine_64", "bare_append_64", 0.7),
    share("engine_500", "bare_append_500", 0.7),
    share("get_records/10mib", "ceiling_get_records/10mib", 0.6),
    // Ten thousand shards beside nothing at all, and in many streams beside in one.
    at_most("restart_10000_shards/again", "start", 4.0),
    at_most("restart_10000_shards", "restart_logs", 1.5),
];

/// A ratio of this run.
#[derive(Debug, Serialize)]
pub struct Measured {
    line: &'static str,
    to: &'static str,
    figure: Figure,
    ratio: f64,
    goal: Goal,
    /// 1 or more where the goal is reached.
    of_goal: f64,
}

/// The ratios whose lines are both among `entries`, of their medians.
pub fn measured(entries: &[Entry]) -> Vec<Measured> {
    RATIOS
        .iter()
        .filter_map(|ratio| {
            let of = |name: &str| {
                let entry = entries.iter().find(|entry| entry.name() == name)?;
                entry.figure(ratio.figure)
            };
            let share = of(ratio.line)? / of(ratio.to)?;
            Some(Measured {
                line: ratio.line,
                to: ratio.to,
                figure: ratio.figure,
                ratio: share,
                goal: ratio.goal,
                of_goal: ratio.goal.reached_by(share),
            })
        })
        .collect()
}

impl Measured {
    /// The cells of its line in the table.
    pub fn cells(&self) -> [String; 5] {
        let what = match self.figure {
            Figure::Value => self.line.to_owned(),
            Figure::ServerTime => format!("{}, processor time", self.line),
        };
        [
            what,
            self.to.to_owned(),
            format!("{:.2}", self.ratio),
            self.goal.to_string(),
            format!("{:.2}", self.of_goal),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Line;

    fn entry(name: &str, value: f64, server_us: f64) -> Entry {
        let line = Line {
            server_us: Some(server_us),
            ..Line::new(name, value, "MB/s")
        };
        Entry::from_repetitions(vec![line]).unwrap()
    }

    #[test]
    fn a_ratio_is_shown_where_both_of_its_lines_were_measured() {
        let mut entries = vec![
            entry("put_records_500x1k", 400.0, 2_000.0),
            entry("bare_put_records_500x1k", 800.0, 1_000.0),
        ];
        let shown = measured(&entries);
        assert_eq!(shown.len(), 1);
        assert_eq!((shown[0].ratio, shown[0].of_goal), (0.5, 0.5 / 0.75));
        entries.push(entry("unavoidable_put_records_500x1k", 1_000.0, 1_000.0));
        let shown = measured(&entries);
        assert_eq!((shown[0].ratio, shown[0].of_goal), (2.0, 0.75));
    }
}
