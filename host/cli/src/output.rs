//! Writing to the terminal, or to whatever stands in its place.

use std::io::{self, Write};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::retry_on_intr;

/// Writes whole lines, at once.
pub(crate) fn lines(text: &str) -> io::Result<()> {
    raw(text.as_bytes())?;
    raw(b"\n")?;
    flush()
}

/// Writes bytes as they are; they may stay in a buffer until [`flush`].
pub(crate) fn raw(bytes: &[u8]) -> io::Result<()> {
    io::stdout().lock().write_all(bytes)
}

/// Sends out what is in the buffer.
pub(crate) fn flush() -> io::Result<()> {
    io::stdout().lock().flush()
}

/// Fails if the reader of our output has gone, which otherwise only the next write would tell.
pub(crate) fn check_reader() -> io::Result<()> {
    let stdout = io::stdout();
    let mut output = [PollFd::new(&stdout, PollFlags::empty())];
    // A signal, as of Ctrl-C, is no failure of the look.
    retry_on_intr(|| poll(&mut output, Some(&Timespec::default())))?;
    if output[0].revents().contains(PollFlags::ERR) {
        return Err(io::ErrorKind::BrokenPipe.into());
    }
    Ok(())
}

/// Writes a line to standard error.
pub(crate) fn complain(line: &str) -> io::Result<()> {
    writeln!(io::stderr().lock(), "{line}")
}

/// Rows of cells in columns as wide as they need to be. Numbers stand to the right.
pub(crate) fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut out = String::new();
    for row in rows {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            let padding = " ".repeat(width.saturating_sub(cell.chars().count()));
            let is_number = cell.starts_with(|c: char| c.is_ascii_digit());
            let (before, after) = if is_number {
                (padding, String::new())
            } else {
                (String::new(), padding)
            };
            line.push_str(&format!("  {before}{cell}{after}"));
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}

/// A whole number with its thousands apart.
pub(crate) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A number as [`count`] writes it, or a sign that there is none.
pub(crate) fn count_or_none(number: Option<u64>) -> String {
    or_none(number.map(count))
}

/// A share of the processors' time, and how long was waited for it, where that is told.
pub(crate) fn share(ms_per_second: u64, held_back_us: Option<u64>) -> String {
    let most = match ms_per_second {
        0 => "as much as there is".to_owned(),
        most => format!("{} ms a second at most", count(most)),
    };
    match held_back_us {
        Some(held_back) => format!("{most}; held back for {} us", count(held_back)),
        None => most,
    }
}

/// A text, or a sign that there is none.
pub(crate) fn or_none(text: Option<String>) -> String {
    text.unwrap_or_else(|| "-".to_owned())
}

/// A moment in UTC as RFC 3339 writes it.
pub(crate) fn time(ms_since_1970: u64) -> String {
    let (seconds, ms) = (ms_since_1970 / 1000, ms_since_1970 % 1000);
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    // Years begin with March, so that a leap day is the last of its year: 1970-01-01 is the day
    // 719,468 of such years from the year 0 on, in eras of 400 years with 146,097 days each.
    let day = days + 719_468;
    let (era, day_of_era) = (day / 146_097, day % 146_097);
    let leap_days = day_of_era / 1_460 + day_of_era / 146_096 - day_of_era / 36_524;
    let year_of_era = (day_of_era - leap_days) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day_of_month = day_of_year - (153 * month + 2) / 5 + 1;
    let (year, month) = if month < 10 {
        (400 * era + year_of_era, month + 3)
    } else {
        (400 * era + year_of_era + 1, month - 9)
    };
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day_of_month:02}T{hour:02}:{minute:02}:{second:02}.{ms:03}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_aligns_words_left_and_numbers_right() {
        let rows = [
            vec!["shard".into(), "records".into()],
            vec!["a".into(), "12".into()],
        ];
        assert_eq!(table(&rows), "  shard  records\n  a           12\n");
    }

    #[test]
    fn a_time_is_written_as_people_write_times() {
        for (ms, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_399_999, "2000-02-28T23:59:59.999Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (951_868_800_000, "2000-03-01T00:00:00.000Z"),
            (1_700_000_000_000, "2023-11-14T22:13:20.000Z"),
            (4_107_542_399_000, "2100-02-28T23:59:59.000Z"),
            (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
        ] {
            assert_eq!(time(ms), text);
        }
    }

    #[test]
    fn thousands_stand_apart() {
        for (number, text) in [
            (0, "0"),
            (999, "999"),
            (1000, "1,000"),
            (1_234_567, "1,234,567"),
        ] {
            assert_eq!(count(number), text);
        }
    }
}
