//! Patterns of policies: `*` for any text, `?` for one character, and `${…}` for what is known of a
//! request.

use super::key::Key;
use super::malformed::Malformed;
use super::question::Question;

/// One step of a pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Glob {
    /// This character.
    One(char),
    /// Any one character.
    AnyOne,
    /// Any number of any characters.
    Any,
}

/// Which of the signs of a pattern have a meaning where it stands.
#[derive(Clone, Copy, Debug)]
pub struct Signs {
    /// `*` and `?`.
    pub wildcards: bool,
    /// `${…}`: since version 2012-10-17 of the language.
    pub variables: bool,
}

/// A pattern before a request is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template(Vec<Part>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Fixed(Glob),
    Variable { key: Key, default: Option<String> },
}

impl Template {
    /// # Errors
    /// A variable that has no meaning here, or no end.
    pub fn parse(text: &str, signs: Signs) -> Result<Self, Malformed> {
        let mut parts = Vec::new();
        let mut left = text;
        while let Some(first) = left.chars().next() {
            if signs.variables
                && let Some(rest) = left.strip_prefix("${")
            {
                let (inside, behind) = rest.split_once('}').ok_or_else(|| {
                    Malformed::new(format!("The policy variable {left} has no end."))
                })?;
                parts.push(variable(inside)?);
                left = behind;
                continue;
            }
            left = &left[first.len_utf8()..];
            parts.push(Part::Fixed(match first {
                '*' if signs.wildcards => Glob::Any,
                '?' if signs.wildcards => Glob::AnyOne,
                other => Glob::One(other),
            }));
        }
        Ok(Self(parts))
    }

    /// Whether all of `text` fits, for this request. A variable of which nothing is known, and for
    /// which no default is given, fits nothing.
    pub fn matches(&self, text: &str, question: &Question<'_>) -> bool {
        self.expand(question)
            .is_some_and(|pattern| fits(&pattern, text))
    }

    /// The same, whether in capitals or not.
    pub fn matches_in_any_case(&self, text: &str, question: &Question<'_>) -> bool {
        let Some(pattern) = self.expand(question) else {
            return false;
        };
        let lower = pattern.into_iter().flat_map(|step| match step {
            Glob::One(character) => character.to_lowercase().map(Glob::One).collect(),
            other => vec![other],
        });
        // Character by character on both sides: a whole word may end otherwise (Σ).
        let text: String = text.chars().flat_map(char::to_lowercase).collect();
        fits(&lower.collect::<Vec<_>>(), &text)
    }

    /// The pattern for this request.
    pub fn expand(&self, question: &Question<'_>) -> Option<Vec<Glob>> {
        let mut pattern = Vec::with_capacity(self.0.len());
        for part in &self.0 {
            match part {
                Part::Fixed(step) => pattern.push(*step),
                Part::Variable { key, default } => {
                    let value = question.value(key).or_else(|| default.clone())?;
                    pattern.extend(value.chars().map(Glob::One));
                }
            }
        }
        Some(pattern)
    }
}

/// What stands in `${…}`.
fn variable(inside: &str) -> Result<Part, Malformed> {
    for sign in ['*', '?', '$'] {
        if inside.strip_prefix(sign) == Some("") {
            return Ok(Part::Fixed(Glob::One(sign)));
        }
    }
    let refused = || {
        Malformed::new(format!(
            "The policy variable ${{{inside}}} is not supported."
        ))
    };
    let (name, default) = match inside.split_once(',') {
        Some((name, default)) => {
            let quoted = default.trim().strip_prefix('\'');
            let text = quoted.and_then(|text| text.strip_suffix('\''));
            (name.trim(), Some(text.ok_or_else(refused)?.to_owned()))
        }
        None => (inside, None),
    };
    let key = Key::parse(name).filter(|key| !key.has_many_values());
    Ok(Part::Variable {
        key: key.ok_or_else(refused)?,
        default,
    })
}

/// Whether all of `text` fits the pattern. Only the last `*` is ever tried again, so that the steps
/// are at most the length of the text times that of the pattern, whatever the pattern is.
pub fn fits(pattern: &[Glob], text: &str) -> bool {
    let single = pattern.iter().filter(|step| **step != Glob::Any).count();
    if single > text.len() {
        return false;
    }
    let mut at = 0;
    let mut left = text.chars();
    // Where to go on after the last `*` took one character more.
    let mut again: Option<(usize, std::str::Chars<'_>)> = None;
    loop {
        if pattern.get(at) == Some(&Glob::Any) {
            at += 1;
            again = Some((at, left.clone()));
            continue;
        }
        let mut rest = left.clone();
        let next = rest.next();
        match (pattern.get(at), next) {
            (None, None) => return true,
            (Some(Glob::AnyOne), Some(_)) => {}
            (Some(Glob::One(wanted)), Some(found)) if *wanted == found => {}
            _ => {
                let Some((after, start)) = &mut again else {
                    return false;
                };
                if start.next().is_none() {
                    return false;
                }
                at = *after;
                left = start.clone();
                continue;
            }
        }
        at += 1;
        left = rest;
    }
}

/// The pattern cut at its colons, into at most `parts`; the last keeps the colons that are left.
pub fn split(pattern: &[Glob], parts: usize) -> Vec<&[Glob]> {
    pattern
        .splitn(parts, |step| *step == Glob::One(':'))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(text: &str) -> Vec<Glob> {
        let steps = text.chars().map(|character| match character {
            '*' => Glob::Any,
            '?' => Glob::AnyOne,
            other => Glob::One(other),
        });
        steps.collect()
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
                let found = fits(&pattern(&wanted), text);
                assert_eq!(found, slowly(&wanted, text), "{wanted} {text}");
            }
        }
    }

    #[test]
    fn a_pattern_that_is_made_to_be_slow_is_not() {
        // A search that tries each `*` again would take longer than anybody can wait.
        let mean = "*a".repeat(2_000) + "b";
        assert!(!fits(&pattern(&mean), &"a".repeat(2_000)));
        assert!(!fits(&pattern(&mean), &"a".repeat(10_000)));
    }
}
