//! Masks payment card numbers wherever they stand in a record.

mod cards;

use millrace_sdk::{Error, Output, Record};

/// What digits are replaced by, unless the configuration says otherwise.
const MASK: u8 = b'*';

struct Settings {
    mask: u8,
}

fn init() -> Result<Settings, Error> {
    let mask = match millrace_sdk::config("mask") {
        Some(text) => mask(&text)?,
        None => MASK,
    };
    Ok(Settings { mask })
}

/// A mask that is no digit, so that nothing masked looks like a number again, and that does not
/// break a line.
fn mask(text: &str) -> Result<u8, Error> {
    match text.as_bytes() {
        [mask] if mask.is_ascii_graphic() && !mask.is_ascii_digit() => Ok(*mask),
        _ => Err(Error::new(
            "config mask: not one printable ASCII character that is no digit",
        )),
    }
}

fn transform(settings: &Settings, record: Record<'_>) -> Result<Output, Error> {
    let data = record.data();
    let mut hidden = cards::hidden_digits(data).peekable();
    if hidden.peek().is_none() {
        return Ok(Output::Keep);
    }
    let mut out = millrace_sdk::buffer();
    out.extend_from_slice(data);
    for place in hidden {
        out[place] = settings.mask;
    }
    Ok(Output::Replace(out))
}

millrace_sdk::transform!(transform, init = init);

#[cfg(test)]
mod tests {
    use millrace_sdk::testing::{Outcome, run, with_config};

    use super::*;

    fn with_mask(mask: &[(&str, &str)], text: &str) -> Outcome {
        let settings = with_config(mask, init).unwrap();
        run(|record| transform(&settings, record), [text]).remove(0)
    }

    #[test]
    fn the_example_comes_out_as_it_stands_there() {
        let settings = init().unwrap();
        let lines = include_str!("../examples/payments.txt").split_inclusive('\n');
        let wanted = include_str!("../examples/redacted.txt").split_inclusive('\n');
        let wanted: Vec<_> = wanted.map(Outcome::one).collect();
        assert_eq!(run(|record| transform(&settings, record), lines), wanted);
    }

    #[test]
    fn a_record_without_a_card_number_is_kept_without_a_copy() {
        let settings = init().unwrap();
        for text in ["", "no digits", "4111 1111 1111 1112"] {
            let record = Record::new(0, text.as_bytes());
            assert_eq!(transform(&settings, record), Ok(Output::Keep));
        }
    }

    #[test]
    fn the_mask_is_the_one_of_the_configuration() {
        let card = "4111 1111 1111 1111";
        assert_eq!(with_mask(&[], card), Outcome::one("**** **** **** 1111"));
        assert_eq!(
            with_mask(&[("mask", "#")], card),
            Outcome::one("#### #### #### 1111")
        );
    }

    #[test]
    fn a_mask_that_is_not_one_printable_character_is_refused() {
        for bad in ["", "**", "é", " ", "\n", "0"] {
            let error = with_config(&[("mask", bad)], init).err().unwrap();
            assert!(error.reason().starts_with("config mask: "), "{bad:?}");
        }
    }
}
