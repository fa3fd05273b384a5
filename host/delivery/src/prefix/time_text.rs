//! What a letter of a pattern prints, as Java's DateTimeFormatter does it in the locale of the
//! United States. Pure.

use std::fmt::Write;

use chrono::{Datelike, Timelike};

use crate::zone::Local;

const SECONDS_PER_DAY: u32 = 24 * 60 * 60;
const NANOS_PER_MILLI: u64 = 1_000_000;

/// Prints what so many of a letter in a row mean. The pattern knows that they mean something.
pub fn write_field(out: &mut String, (letter, run): (char, usize), local: &Local) {
    let time = local.time;
    let quarter = time.month0() / 3;
    match letter {
        'G' => out.push_str(["AD", "Anno Domini", "A"][run.clamp(3, 5) - 3]),
        'a' => out.push_str(if time.hour() < 12 { "AM" } else { "PM" }),
        'M' | 'L' if run > 2 => name(out, run, &time.format("%B").to_string()),
        'E' => name(out, run, &time.format("%A").to_string()),
        'e' | 'c' if run > 2 => name(out, run, &time.format("%A").to_string()),
        'Q' | 'q' if run == 3 => write(out, format_args!("Q{}", quarter + 1)),
        'Q' | 'q' if run == 4 => {
            let quarter = match quarter {
                0 => "1st",
                1 => "2nd",
                2 => "3rd",
                _ => "4th",
            };
            write(out, format_args!("{quarter} quarter"));
        }
        'Q' | 'q' if run == 5 => write(out, format_args!("{}", quarter + 1)),
        'u' | 'y' => write_year(out, run, time.year()),
        'Y' => write_year(out, run, local.end_of_week.year()),
        'S' => {
            let nanos = format!("{:09}", nano_of_second(local));
            out.extend(nanos.chars().take(run));
        }
        'z' | 'V' => write_zone(out, (letter, run), local),
        'O' | 'Z' | 'X' | 'x' => write_offset(out, (letter, run), time.offset().local_minus_utc()),
        _ => write(out, format_args!("{:0run$}", number(letter, local))),
    }
}

/// The numbers that are printed with at least as many digits as there are letters.
fn number(letter: char, local: &Local) -> u64 {
    let time = local.time;
    let hour = time.hour();
    let seconds = time.num_seconds_from_midnight() % SECONDS_PER_DAY;
    let nano_of_day = u64::from(seconds) * 1_000_000_000 + u64::from(nano_of_second(local));
    let number = match letter {
        'M' | 'L' => time.month(),
        'Q' | 'q' => time.month0() / 3 + 1,
        'd' => time.day(),
        'D' => time.ordinal(),
        // A year's first week is the one with its first day: it has the year that it ends in.
        'w' => local.end_of_week.ordinal0() / 7 + 1,
        'W' => (time.day0() + (weekday0(local) + 35 - time.day0()) % 7) / 7 + 1,
        'e' | 'c' => weekday0(local) + 1,
        'H' => hour,
        'k' => (hour + 23) % 24 + 1,
        'K' => hour % 12,
        'h' => (hour + 11) % 12 + 1,
        'm' => time.minute(),
        's' => time.second(),
        'n' => nano_of_second(local),
        'A' => return nano_of_day / NANOS_PER_MILLI,
        // N, the nanosecond of the day.
        _ => return nano_of_day,
    };
    u64::from(number)
}

/// 0 on a Sunday.
fn weekday0(local: &Local) -> u32 {
    local.time.weekday().num_days_from_sunday()
}

fn nano_of_second(local: &Local) -> u32 {
    local.time.nanosecond() % 1_000_000_000
}

/// A year with at least so many digits; with a sign where it has more, from four on; its last two
/// where there are to be two.
fn write_year(out: &mut String, run: usize, year: i32) {
    match run {
        2 => write(out, format_args!("{:02}", year.rem_euclid(100))),
        _ => {
            let digits = format!("{year:0run$}");
            if run >= 4 && digits.len() > run {
                out.push('+');
            }
            out.push_str(&digits);
        }
    }
}

/// A name: short up to three letters in a row, whole with four, its first sign with five.
fn name(out: &mut String, run: usize, name: &str) {
    let chars = match run {
        0..=3 => 3,
        4 => usize::MAX,
        _ => 1,
    };
    out.extend(name.chars().take(chars));
}

fn write_zone(out: &mut String, (letter, run): (char, usize), local: &Local) {
    match (letter, run) {
        ('z', 4) => out.push_str(local.names.long),
        ('z', _) => out.push_str(local.names.short),
        _ => out.push_str(local.zone),
    }
}

/// How far the clocks are ahead of UTC. What is printed of it depends on whether there are minutes
/// and seconds of it, and at all.
fn write_offset(out: &mut String, (letter, run): (char, usize), east_seconds: i32) {
    let is_in_words = letter == 'O' || (letter, run) == ('Z', 4);
    if is_in_words {
        out.push_str("GMT");
    }
    if east_seconds == 0 {
        out.push_str(match (letter, run) {
            _ if is_in_words => "",
            ('X', _) | ('Z', 5) => "Z",
            ('x', 1) => "+00",
            ('x', 3 | 5) => "+00:00",
            // Z up to three, x with two and four.
            _ => "+0000",
        });
        return;
    }
    let sign = if east_seconds < 0 { '-' } else { '+' };
    let east = east_seconds.unsigned_abs();
    let (hours, minutes, seconds) = (east / 3_600, east / 60 % 60, east % 60);
    let has_colons = is_in_words || matches!((letter, run), ('X' | 'x', 3 | 5) | ('Z', 5));
    let colon = if has_colons { ":" } else { "" };
    let has_minutes = match (letter, run) {
        ('O', 1) => minutes > 0 || seconds > 0,
        ('X' | 'x', 1) => minutes > 0,
        _ => true,
    };
    let has_seconds = seconds > 0 && (is_in_words || run > 3);
    match (letter, run) {
        ('O', 1) => write(out, format_args!("{sign}{hours}")),
        _ => write(out, format_args!("{sign}{hours:02}")),
    }
    if has_minutes {
        write(out, format_args!("{colon}{minutes:02}"));
    }
    if has_seconds {
        write(out, format_args!("{colon}{seconds:02}"));
    }
}

fn write(out: &mut String, text: std::fmt::Arguments<'_>) {
    // Writing to a string does not fail.
    let _ = out.write_fmt(text);
}
