//! Moments as ORC has them: seconds since 2015, and what they have besides (ORC specification v1,
//! "Timestamp Columns").

const MICROS_PER_SECOND: i64 = 1_000_000;
const NANOS_PER_MICRO: i64 = 1_000;
/// Seconds from 1970 to 2015.
const BASE_SECONDS: i64 = 1_420_070_400;
/// Up to so many nanoseconds a second before 1970 is the one that it is in; with more it is the one
/// after. So all writers and readers have it, though the specification does not say so.
const NANOS_OF_THE_SAME_MAX: i64 = 999_999;
/// Zeros at the end of a number of nanoseconds that are counted at most, besides the first of them.
const ZEROS_MAX: i64 = 7;

/// Seconds and nanoseconds of a moment, as they are written.
pub fn parts(micros: i64) -> (i64, i64) {
    let nanos = micros.rem_euclid(MICROS_PER_SECOND) * NANOS_PER_MICRO;
    let mut seconds = micros.div_euclid(MICROS_PER_SECOND);
    if seconds < 0 && nanos > NANOS_OF_THE_SAME_MAX {
        seconds += 1;
    }
    (seconds - BASE_SECONDS, without_zeros(nanos))
}

/// Whether a moment can be written: those of the last second before 1970 from its first millisecond
/// on would be read as moments a second later.
pub fn can_be_written(micros: i64) -> bool {
    let least = NANOS_OF_THE_SAME_MAX / NANOS_PER_MICRO - MICROS_PER_SECOND;
    !(least < micros && micros < 0)
}

/// Nanoseconds with how many zeros at their end are left out, if there are two or more.
fn without_zeros(mut nanos: i64) -> i64 {
    if nanos == 0 || nanos % 100 != 0 {
        return nanos << 3;
    }
    nanos /= 100;
    let mut zeros = 1;
    while nanos % 10 == 0 && zeros < ZEROS_MAX {
        nanos /= 10;
        zeros += 1;
    }
    (nanos << 3) | zeros
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As readers do it (ORC's TimestampTreeReader).
    fn read((seconds, nanos): (i64, i64)) -> i128 {
        let zeros = u32::try_from(nanos & 7).unwrap();
        let nanos = match zeros {
            0 => nanos >> 3,
            _ => (nanos >> 3) * 10_i64.pow(zeros + 1),
        };
        let mut seconds = seconds + BASE_SECONDS;
        if seconds < 0 && nanos > 999_999 {
            seconds -= 1;
        }
        // The least moment is within a second that is beyond what there is room for.
        i128::from(seconds) * 1_000_000 + i128::from(nanos / 1_000)
    }

    #[test]
    fn nanoseconds_are_written_as_the_specification_shows() {
        assert_eq!(without_zeros(1_000), 0x0a);
        assert_eq!(without_zeros(100_000), 0x0c);
        assert_eq!([0, 1, 10].map(without_zeros), [0, 8, 80]);
    }

    #[test]
    fn every_moment_that_can_be_written_is_read_back() {
        for micros in [
            0,
            1,
            -1_000_000,
            -999_001,
            -1_000_001,
            -1_500_000,
            -2_000_000,
            -1_999_001,
            1_486_480_381_392_560,
            -62_135_596_800_000_000,
            253_402_300_799_999_999,
            i64::MIN,
            i64::MAX,
        ] {
            assert!(can_be_written(micros), "{micros}");
            assert_eq!(read(parts(micros)), i128::from(micros));
        }
        for micros in [-1, -500_000, -999_000] {
            assert!(!can_be_written(micros), "{micros}");
            assert_eq!(read(parts(micros)), i128::from(micros + 1_000_000));
        }
    }
}
