//! Patterns of policies: `*` for any text, `?` for one character, and `${…}` for what is known of a
//! request. They are kept as they are written, and read when a request is compared with them.

use std::borrow::Cow;

use super::held::Held;
use super::key::Key;
use super::malformed::Malformed;
use super::question::{Case, Known};
use super::steps::{STEPS_EACH, Steps};

/// Which of the signs of a pattern have a meaning where it stands.
#[derive(Clone, Copy, Debug)]
pub struct Signs {
    /// `*` and `?`.
    pub wildcards: bool,
    /// `${…}`: since version 2012-10-17 of the language.
    pub variables: bool,
}

/// A pattern, and how it is written.
#[derive(Clone, Copy, Debug)]
pub struct Pattern<'a> {
    pub text: &'a str,
    pub signs: Signs,
}

/// One part of a pattern, for one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step<'a> {
    /// This text.
    Text(Cow<'a, str>),
    /// Any one character.
    AnyOne,
    /// Any number of any characters.
    Any,
}

/// One part of a pattern as it is written.
enum Written<'a> {
    Text(&'a str),
    AnyOne,
    Any,
    /// What stands in `${…}`.
    Variable(&'a str),
    /// A `${` without an end.
    Endless,
}

/// What `${…}` stands for.
enum Variable<'a> {
    /// A character that would be a sign otherwise.
    Sign(&'a str),
    /// What is known of a request, or `default`.
    Value {
        key: Key<&'a str>,
        default: Option<&'a str>,
    },
}

impl<'a> Pattern<'a> {
    /// # Errors
    /// A variable that has no meaning here, or no end.
    pub fn check(self) -> Result<(), Malformed> {
        let mut left = self.text;
        while let Some((part, rest)) = self.signs.first(left) {
            match part {
                Written::Endless => {
                    let text = format!("The policy variable {left} has no end.");
                    return Err(Malformed::new(text));
                }
                Written::Variable(inside) if variable(inside).is_none() => {
                    let text = format!("The policy variable ${{{inside}}} is not supported.");
                    return Err(Malformed::new(text));
                }
                Written::Variable(_) | Written::Text(_) | Written::AnyOne | Written::Any => {}
            }
            left = rest;
        }
        Ok(())
    }

    /// Whether all of `text` fits, for this request. A variable of which nothing is known, and for
    /// which no default is given, fits nothing.
    pub fn matches(self, text: &str, case: &Case<'_>) -> Held {
        if self.is_plain(case) {
            return Held::of(self.text == text);
        }
        match self.expand(case) {
            Ok(steps) => Held::of(fits(&steps, text, case.steps())),
            Err(held) => held,
        }
    }

    /// The same, whether in capitals or not. `lower`: the text in small letters, by [`lowered`].
    pub fn matches_in_any_case(self, lower: &str, case: &Case<'_>) -> Held {
        if self.is_plain(case) {
            case.steps().take(STEPS_EACH);
            let letters = self.text.chars().flat_map(char::to_lowercase);
            return Held::of(letters.eq(lower.chars()));
        }
        let mut steps = match self.expand(case) {
            Ok(steps) => steps,
            Err(held) => return held,
        };
        for step in &mut steps {
            if let Step::Text(text) = step {
                *text = Cow::Owned(lowered(text));
            }
        }
        Held::of(fits(&steps, lower, case.steps()))
    }

    /// The pattern for this request.
    ///
    /// # Errors
    /// It can fit nothing, or it is unclear what it is.
    pub fn expand(self, case: &Case<'_>) -> Result<Vec<Step<'a>>, Held> {
        let mut steps = Vec::new();
        let mut left = self.text;
        while let Some((part, rest)) = self.signs.first(left) {
            left = rest;
            let text = match part {
                Written::AnyOne => {
                    steps.push(Step::AnyOne);
                    continue;
                }
                Written::Any => {
                    steps.push(Step::Any);
                    continue;
                }
                Written::Text(text) => Cow::Borrowed(text),
                Written::Variable(inside) => match variable(inside) {
                    Some(Variable::Sign(sign)) => Cow::Borrowed(sign),
                    Some(Variable::Value { key, default }) => value(key, default, case)?,
                    // Only what was checked is kept. Whatever came here would give no right.
                    None => return Err(Held::Unclear),
                },
                Written::Endless => return Err(Held::Unclear),
            };
            match steps.last_mut() {
                Some(Step::Text(before)) => before.to_mut().push_str(&text),
                _ => steps.push(Step::Text(text)),
            }
        }
        Ok(steps)
    }

    /// Whether it is the text that it is written as.
    fn is_plain(self, case: &Case<'_>) -> bool {
        case.steps().take(1 + self.text.len());
        let is_plain = self.signs.next(self.text).is_none();
        if !is_plain {
            case.steps().take(STEPS_EACH);
        }
        is_plain
    }
}

impl Signs {
    /// What a pattern begins with, and what is behind that.
    fn first(self, text: &str) -> Option<(Written<'_>, &str)> {
        let first = text.chars().next()?;
        match first {
            '*' if self.wildcards => return Some((Written::Any, &text[1..])),
            '?' if self.wildcards => return Some((Written::AnyOne, &text[1..])),
            _ => {}
        }
        if self.variables
            && let Some(rest) = text.strip_prefix("${")
        {
            return Some(match rest.split_once('}') {
                Some((inside, behind)) => (Written::Variable(inside), behind),
                None => (Written::Endless, ""),
            });
        }
        let rest = &text[first.len_utf8()..];
        let end = self
            .next(rest)
            .map_or(text.len(), |at| at + first.len_utf8());
        Some((Written::Text(&text[..end]), &text[end..]))
    }

    /// Where the next character stands that may be a sign.
    fn next(self, text: &str) -> Option<usize> {
        text.find(|character| match character {
            '*' | '?' => self.wildcards,
            '$' => self.variables,
            _ => false,
        })
    }
}

/// A text in small letters, character by character: as a whole a word may end otherwise (Σ).
pub fn lowered(text: &str) -> String {
    text.chars().flat_map(char::to_lowercase).collect()
}

fn variable(inside: &str) -> Option<Variable<'_>> {
    if matches!(inside, "*" | "?" | "$") {
        return Some(Variable::Sign(inside));
    }
    let (name, default) = match inside.split_once(',') {
        Some((name, default)) => {
            let quoted = default.trim().strip_prefix('\'');
            (name.trim(), Some(quoted?.strip_suffix('\'')?))
        }
        None => (inside, None),
    };
    let key = Key::parse(name).filter(|key| !key.has_many_values())?;
    Some(Variable::Value { key, default })
}

fn value<'a>(
    key: Key<&'a str>,
    default: Option<&'a str>,
    case: &Case<'_>,
) -> Result<Cow<'a, str>, Held> {
    let text = match case.known(key) {
        Known::One(value) => Cow::Owned(value.into_owned()),
        Known::Nothing => Cow::Borrowed(default.ok_or(Held::No)?),
        // Those that have many values are refused where policies are parsed.
        Known::Keys(_) | Known::Unclear => return Err(Held::Unclear),
    };
    case.steps().take(text.len());
    Ok(text)
}

/// Whether all of `text` fits the pattern. Between two `*` the first place is taken where the text
/// fits that stands there, so that no place is tried twice, and a text is found in as many steps as
/// it and what it is looked for in have bytes; with a `?` in it, each place is tried.
pub fn fits(pattern: &[Step<'_>], text: &str, steps: &Steps) -> bool {
    let mut pieces = pattern.split(|step| *step == Step::Any);
    let Some(first) = pieces.next() else {
        return text.is_empty();
    };
    let Some(mut left) = behind(first, text, steps) else {
        return false;
    };
    let Some(last) = pieces.next_back() else {
        return left.is_empty();
    };
    match before(last, left, steps) {
        Some(rest) => left = rest,
        None => return false,
    }
    for piece in pieces {
        match behind_next(piece, left, steps) {
            Some(rest) => left = rest,
            None => return false,
        }
    }
    true
}

/// What is behind a piece at the beginning of the text.
fn behind<'a>(piece: &[Step<'_>], text: &'a str, steps: &Steps) -> Option<&'a str> {
    let mut left = text;
    for step in piece {
        left = match step {
            Step::Text(wanted) => {
                steps.take(wanted.len());
                left.strip_prefix(&**wanted)?
            }
            Step::AnyOne | Step::Any => {
                let mut characters = left.chars();
                characters.next()?;
                characters.as_str()
            }
        };
    }
    Some(left)
}

/// What is before a piece at the end of the text.
fn before<'a>(piece: &[Step<'_>], text: &'a str, steps: &Steps) -> Option<&'a str> {
    let mut left = text;
    for step in piece.iter().rev() {
        left = match step {
            Step::Text(wanted) => {
                steps.take(wanted.len());
                left.strip_suffix(&**wanted)?
            }
            Step::AnyOne | Step::Any => {
                let mut characters = left.chars();
                characters.next_back()?;
                characters.as_str()
            }
        };
    }
    Some(left)
}

/// What is behind the first place of the text where the piece stands.
fn behind_next<'a>(piece: &[Step<'_>], text: &'a str, steps: &Steps) -> Option<&'a str> {
    match piece {
        [] => Some(text),
        [Step::Text(wanted)] => {
            let found = text.split_once(&**wanted);
            let looked_at = found.map_or(text.len(), |(before, _)| before.len());
            steps.take(wanted.len() + looked_at);
            found.map(|(_, rest)| rest)
        }
        _ => {
            for (at, _) in text.char_indices() {
                steps.take(piece.len());
                if steps.are_spent() {
                    return None;
                }
                if let Some(rest) = behind(piece, &text[at..], steps) {
                    return Some(rest);
                }
            }
            None
        }
    }
}

/// The pattern cut at its colons, into at most `parts`; the last keeps the colons that are left.
pub fn split<'a>(pattern: Vec<Step<'a>>, parts: usize) -> Vec<Vec<Step<'a>>> {
    let mut cut = vec![Vec::new()];
    for step in pattern {
        let Step::Text(text) = step else {
            add(&mut cut, step);
            continue;
        };
        let places = text.splitn(parts + 1 - cut.len(), ':');
        for (number, part) in places.enumerate() {
            if number > 0 {
                cut.push(Vec::new());
            }
            if !part.is_empty() {
                add(&mut cut, Step::Text(Cow::Owned(part.to_owned())));
            }
        }
    }
    cut
}

fn add<'a>(parts: &mut [Vec<Step<'a>>], step: Step<'a>) {
    if let Some(last) = parts.last_mut() {
        last.push(step);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(text: &str) -> Vec<Step<'_>> {
        let signs = Signs {
            wildcards: true,
            variables: false,
        };
        let mut steps = Vec::new();
        let mut left = text;
        while let Some((part, rest)) = signs.first(left) {
            left = rest;
            steps.push(match part {
                Written::Any => Step::Any,
                Written::AnyOne => Step::AnyOne,
                Written::Text(text) => Step::Text(Cow::Borrowed(text)),
                Written::Variable(_) | Written::Endless => panic!("no variables here"),
            });
        }
        steps
    }

    /// The definition of a pattern, in as many steps as it takes.
    fn slowly(pattern: &str, text: &str) -> bool {
        match pattern.chars().next() {
            None => text.is_empty(),
            Some('*') => {
                let ends = text.char_indices().map(|(at, _)| at).chain([text.len()]);
                ends.into_iter()
                    .any(|at| slowly(&pattern[1..], &text[at..]))
            }
            Some(first) => text.chars().next().is_some_and(|found| {
                (first == '?' || first == found)
                    && slowly(&pattern[first.len_utf8()..], &text[found.len_utf8()..])
            }),
        }
    }

    #[test]
    fn every_short_pattern_fits_the_texts_that_its_definition_says() {
        let words = |letters: &[&str], length: u32| {
            let mut all = vec![String::new()];
            for _ in 0..length {
                let longer = all
                    .iter()
                    .flat_map(|word| letters.iter().map(move |letter| format!("{word}{letter}")));
                let longer: Vec<_> = longer.collect();
                all.extend(longer);
            }
            all.sort();
            all.dedup();
            all
        };
        let texts = words(&["a", "ü"], 5);
        for wanted in words(&["a", "ü", "?", "*"], 5) {
            for text in &texts {
                let found = fits(&pattern(&wanted), text, &Steps::default());
                assert_eq!(found, slowly(&wanted, text), "{wanted} {text}");
            }
        }
    }

    #[test]
    fn a_pattern_is_cut_at_as_many_colons_as_parts_are_wanted() {
        let cut = |text, parts| {
            let cut = split(pattern(text), parts);
            let parts = cut.iter().map(|part| {
                let steps = part.iter().map(|step| match step {
                    Step::Text(text) => text.as_ref().to_owned(),
                    Step::AnyOne => "?".to_owned(),
                    Step::Any => "*".to_owned(),
                });
                steps.collect::<String>()
            });
            parts.collect::<Vec<_>>()
        };
        assert_eq!(cut("a*:b::?c", 9), ["a*", "b", "", "?c"]);
        assert_eq!(cut("a:*:b:c*:d", 3), ["a", "*", "b:c*:d"]);
        assert_eq!(cut("", 3), [""]);
    }
}
