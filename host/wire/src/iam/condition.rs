//! The Condition element: operators, and what they ask of a request.

use types::Timestamp;

use super::glob::{self, Glob, Signs, Template};
use super::key::{Key, Kind};
use super::malformed::Malformed;
use super::network::Network;
use super::question::Question;
use super::tree::Tree;

/// Parts of an ARN that are compared each by itself.
const ARN_PARTS: usize = 6;
const IF_EXISTS: &str = "IfExists";

/// One operator on one key.
#[derive(Clone, Debug)]
pub struct Condition {
    key: Key,
    quantifier: Option<Quantifier>,
    /// It holds if nothing is known under the key.
    if_exists: bool,
    test: Test,
}

/// How a key is asked about that may have several values.
#[derive(Clone, Copy, Debug)]
enum Quantifier {
    /// Each value passes; also if there is none.
    All,
    /// Some value passes.
    Any,
}

#[derive(Clone, Debug)]
enum Test {
    /// Whether nothing is known under the key.
    Null(bool),
    /// Whether a value is among those of the policy; `is_negated`: among none of them.
    Among {
        expected: Expected,
        is_negated: bool,
    },
}

#[derive(Clone, Debug)]
enum Expected {
    Texts(Vec<Template>),
    TextsInAnyCase(Vec<Template>),
    Arns(Vec<Template>),
    Numbers(Comparison, Vec<f64>),
    Dates(Comparison, Vec<Timestamp>),
    Bools(Vec<bool>),
    Networks(Vec<Network>),
}

#[derive(Clone, Copy, Debug)]
enum Comparison {
    Equal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// What an operator's name says, without its prefix and its end.
#[derive(Clone, Copy, Debug)]
enum Operator {
    Null,
    Text(Signs, Case),
    Arn(Signs),
    Number(Comparison),
    Date(Comparison),
    Bool,
    Address,
}

#[derive(Clone, Copy, Debug)]
enum Case {
    Kept,
    Ignored,
}

impl Condition {
    /// All conditions of a statement. `variables`: the policy's version knows them.
    pub fn parse_all(tree: &Tree, variables: bool) -> Result<Vec<Self>, Malformed> {
        let operators = tree
            .as_map()
            .ok_or_else(|| Malformed::syntax("Condition is not an object."))?;
        let mut conditions = Vec::new();
        for (operator, keys) in operators {
            let named = Named::parse(operator, variables)
                .ok_or_else(|| Malformed::new(format!("Invalid Condition type : {operator}.")))?;
            let keys = keys
                .as_map()
                .filter(|keys| !keys.is_empty())
                .ok_or_else(|| {
                    Malformed::syntax(format!("{operator} is not an object of keys."))
                })?;
            for (key, values) in keys {
                conditions.push(named.condition(key, values)?);
            }
        }
        Ok(conditions)
    }

    /// Whether it holds for a request.
    pub fn holds(&self, question: &Question<'_>) -> bool {
        let values = question.values(&self.key);
        let (expected, is_negated) = match &self.test {
            Test::Null(wanted) => return values.is_empty() == *wanted,
            Test::Among {
                expected,
                is_negated,
            } => (expected, *is_negated),
        };
        if values.is_empty() && self.if_exists {
            return true;
        }
        let passes = |value: &String| expected.has(value, question) != is_negated;
        match self.quantifier {
            Some(Quantifier::All) => values.iter().all(passes),
            Some(Quantifier::Any) => values.iter().any(passes),
            // Of a value that is not there only what it shall not be is true.
            None if is_negated => values.iter().all(passes),
            None => values.iter().any(passes),
        }
    }
}

/// An operator with all that its name says.
struct Named<'a> {
    name: &'a str,
    operator: Operator,
    is_negated: bool,
    quantifier: Option<Quantifier>,
    if_exists: bool,
}

impl<'a> Named<'a> {
    fn parse(name: &'a str, variables: bool) -> Option<Self> {
        let (quantifier, rest) = match name.split_once(':') {
            Some(("ForAllValues", rest)) => (Some(Quantifier::All), rest),
            Some(("ForAnyValue", rest)) => (Some(Quantifier::Any), rest),
            Some(_) => return None,
            None => (None, name),
        };
        let (base, if_exists) = match rest.strip_suffix(IF_EXISTS) {
            Some(base) => (base, true),
            None => (rest, false),
        };
        let (operator, is_negated) = operator(base, variables)?;
        let is_null = matches!(operator, Operator::Null);
        if is_null && (if_exists || quantifier.is_some()) {
            return None;
        }
        Some(Self {
            name,
            operator,
            is_negated,
            quantifier,
            if_exists,
        })
    }

    fn condition(&self, name: &str, values: &Tree) -> Result<Condition, Malformed> {
        let key = Key::parse(name)
            .ok_or_else(|| Malformed::new(format!("The condition key {name} is not supported.")))?;
        let is_null = matches!(self.operator, Operator::Null);
        if !self.operator.takes(key.kind()) {
            return Err(self.wrong(&format!("cannot be used with the condition key {name}")));
        }
        if key.has_many_values() && self.quantifier.is_none() && !is_null {
            let how = format!("needs ForAllValues or ForAnyValue for the condition key {name}");
            return Err(self.wrong(&how));
        }
        let values = values.elements().iter().map(|value| match value {
            Tree::Text(text) => Some(text.clone()),
            Tree::Number(number) => Some(number.clone()),
            Tree::Bool(value) => Some(value.to_string()),
            Tree::Null | Tree::List(_) | Tree::Map(_) => None,
        });
        let values: Option<Vec<String>> = values.collect();
        let values = values.filter(|values| !values.is_empty());
        let values = values.ok_or_else(|| self.wrong(&format!("has no values for {name}")))?;
        Ok(Condition {
            key,
            quantifier: self.quantifier,
            if_exists: self.if_exists,
            test: self.test(&values)?,
        })
    }

    fn test(&self, values: &[String]) -> Result<Test, Malformed> {
        let templates = |signs: Signs| -> Result<Vec<Template>, Malformed> {
            let parsed = values.iter().map(|text| Template::parse(text, signs));
            parsed.collect()
        };
        let expected = match self.operator {
            Operator::Null => {
                let wanted = self.each(values, parse_bool)?;
                let [wanted] = wanted[..] else {
                    return Err(self.wrong("has more than one value"));
                };
                return Ok(Test::Null(wanted));
            }
            Operator::Text(signs, Case::Kept) => Expected::Texts(templates(signs)?),
            Operator::Text(signs, Case::Ignored) => Expected::TextsInAnyCase(templates(signs)?),
            Operator::Arn(signs) => {
                self.each(values, |text| is_arn_pattern(text).then_some(()))?;
                Expected::Arns(templates(signs)?)
            }
            Operator::Number(how) => Expected::Numbers(how, self.each(values, parse_number)?),
            Operator::Date(how) => Expected::Dates(how, self.each(values, parse_date)?),
            Operator::Bool => Expected::Bools(self.each(values, parse_bool)?),
            Operator::Address => Expected::Networks(self.each(values, Network::parse)?),
        };
        Ok(Test::Among {
            expected,
            is_negated: self.is_negated,
        })
    }

    fn each<T>(
        &self,
        values: &[String],
        parse: impl Fn(&str) -> Option<T>,
    ) -> Result<Vec<T>, Malformed> {
        let parsed = values.iter().map(|value| {
            let wrong = || self.wrong(&format!("cannot be used with the value {value}"));
            parse(value).ok_or_else(wrong)
        });
        parsed.collect()
    }

    fn wrong(&self, what: &str) -> Malformed {
        Malformed::new(format!("The Condition type {} {what}.", self.name))
    }
}

/// An operator and whether it is the opposite of another.
fn operator(name: &str, variables: bool) -> Option<(Operator, bool)> {
    let plain = Signs {
        wildcards: false,
        variables,
    };
    let like = Signs {
        wildcards: true,
        variables,
    };
    for (kind, of) in [
        ("Numeric", Operator::Number as fn(Comparison) -> Operator),
        ("Date", Operator::Date),
    ] {
        if let Some(how) = name.strip_prefix(kind) {
            let (how, is_negated) = comparison(how)?;
            return Some((of(how), is_negated));
        }
    }
    Some(match name {
        "Null" => (Operator::Null, false),
        "Bool" => (Operator::Bool, false),
        "StringEquals" => (Operator::Text(plain, Case::Kept), false),
        "StringNotEquals" => (Operator::Text(plain, Case::Kept), true),
        "StringEqualsIgnoreCase" => (Operator::Text(plain, Case::Ignored), false),
        "StringNotEqualsIgnoreCase" => (Operator::Text(plain, Case::Ignored), true),
        "StringLike" => (Operator::Text(like, Case::Kept), false),
        "StringNotLike" => (Operator::Text(like, Case::Kept), true),
        "ArnEquals" | "ArnLike" => (Operator::Arn(like), false),
        "ArnNotEquals" | "ArnNotLike" => (Operator::Arn(like), true),
        "IpAddress" => (Operator::Address, false),
        "NotIpAddress" => (Operator::Address, true),
        _ => return None,
    })
}

fn comparison(name: &str) -> Option<(Comparison, bool)> {
    Some(match name {
        "Equals" => (Comparison::Equal, false),
        "NotEquals" => (Comparison::Equal, true),
        "LessThan" => (Comparison::Less, false),
        "LessThanEquals" => (Comparison::LessOrEqual, false),
        "GreaterThan" => (Comparison::Greater, false),
        "GreaterThanEquals" => (Comparison::GreaterOrEqual, false),
        _ => return None,
    })
}

impl Operator {
    /// Whether it has a meaning for values of this kind. Any value can be compared as text.
    fn takes(self, kind: Kind) -> bool {
        match self {
            Self::Null | Self::Text(..) => true,
            Self::Arn(_) => kind == Kind::Arn,
            Self::Number(_) => kind == Kind::Seconds,
            Self::Date(_) => matches!(kind, Kind::Date | Kind::Seconds),
            Self::Bool => kind == Kind::Bool,
            Self::Address => kind == Kind::Address,
        }
    }
}

impl Expected {
    fn has(&self, value: &str, question: &Question<'_>) -> bool {
        match self {
            Self::Texts(texts) => texts.iter().any(|text| text.matches(value, question)),
            Self::TextsInAnyCase(texts) => {
                let mut texts = texts.iter();
                texts.any(|text| text.matches_in_any_case(value, question))
            }
            Self::Arns(arns) => {
                let mut patterns = arns.iter().filter_map(|arn| arn.expand(question));
                patterns.any(|pattern| fits_arn(&pattern, value))
            }
            Self::Numbers(how, numbers) => parse_number(value)
                .is_some_and(|value| numbers.iter().any(|number| how.holds(&value, number))),
            Self::Dates(how, dates) => parse_date(value)
                .is_some_and(|value| dates.iter().any(|date| how.holds(&value, date))),
            Self::Bools(bools) => parse_bool(value).is_some_and(|value| bools.contains(&value)),
            Self::Networks(networks) => value.parse().is_ok_and(|address| {
                let mut networks = networks.iter();
                networks.any(|network| network.contains(address))
            }),
        }
    }
}

impl Comparison {
    fn holds<T: PartialOrd>(self, value: &T, bound: &T) -> bool {
        match self {
            Self::Equal => value == bound,
            Self::Less => value < bound,
            Self::LessOrEqual => value <= bound,
            Self::Greater => value > bound,
            Self::GreaterOrEqual => value >= bound,
        }
    }
}

fn parse_bool(text: &str) -> Option<bool> {
    match text {
        "true" => Some(true),
        "false" => Some(false),
        _ => None,
    }
}

fn parse_number(text: &str) -> Option<f64> {
    text.parse().ok().filter(|number: &f64| number.is_finite())
}

/// ISO 8601, or seconds since 1970.
fn parse_date(text: &str) -> Option<Timestamp> {
    if let Some(at) = Timestamp::parse_iso_8601(text) {
        return Some(at);
    }
    let seconds: u64 = text.parse().ok()?;
    seconds.checked_mul(1_000).map(Timestamp)
}

fn is_arn_pattern(text: &str) -> bool {
    // A colon within a variable separates nothing.
    let has_variable = text.contains("${");
    text == "*"
        || (text.starts_with("arn:")
            && text.split(':').count() >= ARN_PARTS
            && !(has_variable && colons_outside(text) + 1 < ARN_PARTS))
}

/// Colons that are not in the name of a variable.
fn colons_outside(text: &str) -> usize {
    let mut depth = 0_usize;
    let mut count = 0;
    let mut before = ' ';
    for character in text.chars() {
        match character {
            '{' if before == '$' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            ':' if depth == 0 => count += 1,
            _ => {}
        }
        before = character;
    }
    count
}

/// Whether each part of an ARN fits its part of the pattern; `*` alone is any ARN.
fn fits_arn(pattern: &[Glob], arn: &str) -> bool {
    if pattern == [Glob::Any] {
        return true;
    }
    let wanted = glob::split(pattern, ARN_PARTS);
    let parts: Vec<&str> = arn.splitn(ARN_PARTS, ':').collect();
    wanted.len() == parts.len()
        && wanted
            .iter()
            .zip(parts)
            .all(|(pattern, part)| glob::fits(pattern, part))
}
