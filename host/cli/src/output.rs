//! Writing to the terminal, or to whatever stands in its place.

use std::io::{self, Write};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

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
    poll(&mut output, Some(&Timespec::default()))?;
    match output[0].revents().contains(PollFlags::ERR) {
        true => Err(io::ErrorKind::BrokenPipe.into()),
        false => Ok(()),
    }
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
            let (before, after) = match is_number {
                true => (padding, String::new()),
                false => (String::new(), padding),
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
