//! The Condition element: operators, and what they ask of a request.

use types::Timestamp;

use super::glob::{self, Pattern, Signs, Step};
use super::held::Held;
use super::key::{Key, Kind};
use super::malformed::Malformed;
use super::network::Network;
use super::question::{Case, Known};
use super::steps::STEPS_EACH;
use super::texts::{Gathered, Place, Run, Texts};
use super::tree::Tree;

/// Parts of an ARN that are compared each by itself.
const ARN_PARTS: usize = 6;
const IF_EXISTS: &str = "IfExists";

/// One operator on one key. Its texts are kept with those of the whole policy.
#[derive(Clone, Copy, Debug)]
pub struct Condition {
    key: Key<Place>,
    quantifier: Option<Quantifier>,
    /// It holds if nothing is known under the key.
    if_exists: bool,
    operator: Operator,
    /// The opposite of what the operator asks for.
    is_negated: bool,
    /// What is compared: it was understood when the policy was parsed, and is read anew.
    expected: Run,
}

/// How a key is asked about that may have several values.
#[derive(Clone, Copy, Debug)]
enum Quantifier {
    /// Each value passes; also if there is none.
    All,
    /// Some value passes.
    Any,
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
    Text(Signs, Letters),
    Arn(Signs),
    Number(Comparison),
    Date(Comparison),
    Bool,
    Address,
}

#[derive(Clone, Copy, Debug)]
enum Letters {
    AsTheyAre,
    InAnyCase,
}

impl Condition {
    /// Adds the conditions of a statement to all of its policy. `variables`: the policy's version
    /// knows them.
    pub fn parse_all(
        tree: &Tree,
        variables: bool,
        all: &mut Vec<Self>,
        texts: &mut Gathered,
    ) -> Result<(), Malformed> {
        let operators = tree
            .as_map()
            .ok_or_else(|| Malformed::syntax("Condition is not an object."))?;
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
                all.push(named.condition(key, values, texts)?);
            }
        }
        Ok(())
    }

    /// Whether it holds for a request. Where several labels have the key that is asked about in
    /// other capitals, none of them is meant and it is unclear, whatever the operator is.
    pub fn holds(&self, texts: &Texts, case: &Case<'_>) -> Held {
        case.steps().take(STEPS_EACH);
        let known = match case.known(self.key.with(|tag| texts.at(tag))) {
            Known::Unclear => return Held::Unclear,
            known => known,
        };
        let is_known = !matches!(known, Known::Nothing);
        if let Operator::Null = self.operator {
            let is_null = if is_known { "false" } else { "true" };
            return self.has(is_null, texts, case);
        }
        if !is_known && self.if_exists {
            return Held::Yes;
        }
        let passes = |value: &str| {
            let held = self.has(value, texts, case);
            held.negated_if(self.is_negated)
        };
        // Of a value that is not there only what it shall not be is true.
        let is_all = match self.quantifier {
            Some(Quantifier::All) => true,
            Some(Quantifier::Any) => false,
            None => self.is_negated,
        };
        match known {
            Known::One(value) => passes(&value),
            Known::Keys(tags) => {
                let held = case.each(tags.iter()).map(|tag| passes(&tag.key));
                if is_all {
                    Held::all(held)
                } else {
                    Held::any(held)
                }
            }
            Known::Nothing | Known::Unclear => Held::of(is_all),
        }
    }

    /// Whether a value is among those that are expected.
    fn has(&self, value: &str, texts: &Texts, case: &Case<'_>) -> Held {
        let expected = case.each(texts.of(self.expected));
        match self.operator {
            Operator::Text(signs, Letters::AsTheyAre) => {
                Held::any(expected.map(|text| Pattern { text, signs }.matches(value, case)))
            }
            Operator::Text(signs, Letters::InAnyCase) => {
                let lower = glob::lowered(value);
                Held::any(expected.map(|text| {
                    let pattern = Pattern { text, signs };
                    pattern.matches_in_any_case(&lower, case)
                }))
            }
            Operator::Arn(signs) => Held::any(expected.map(|text| {
                let pattern = Pattern { text, signs };
                fits_arn(pattern, value, case)
            })),
            Operator::Null
            | Operator::Bool
            | Operator::Number(_)
            | Operator::Date(_)
            | Operator::Address => Held::any(expected.map(|text| {
                case.steps().take(STEPS_EACH + text.len());
                Held::of(self.operator.relates(value, text).unwrap_or(false))
            })),
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

    fn condition(
        &self,
        name: &str,
        values: &Tree,
        texts: &mut Gathered,
    ) -> Result<Condition, Malformed> {
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
        let no_values = || self.wrong(&format!("has no values for {name}"));
        let values = values.elements();
        match values.len() {
            0 => return Err(no_values()),
            1 => {}
            _ if is_null => return Err(self.wrong("has more than one value")),
            _ => {}
        }
        // The key of a tag has its place before the values.
        let place = texts.next()?;
        if let Some(tag) = key.tag() {
            texts.add(tag)?;
        }
        let key = key.with(|_| place);
        let from = texts.count();
        for value in values {
            let value = match value {
                Tree::Text(text) => text.as_str(),
                Tree::Number(number) => number.as_str(),
                Tree::Bool(true) => "true",
                Tree::Bool(false) => "false",
                Tree::Null | Tree::List(_) | Tree::Map(_) => return Err(no_values()),
            };
            self.check(value)?;
            texts.add(value)?;
        }
        Ok(Condition {
            key,
            quantifier: self.quantifier,
            if_exists: self.if_exists,
            operator: self.operator,
            is_negated: self.is_negated,
            expected: texts.since(from)?,
        })
    }

    /// # Errors
    /// The operator compares nothing with this value.
    fn check(&self, value: &str) -> Result<(), Malformed> {
        let is_understood = match self.operator {
            Operator::Text(signs, _) => {
                let text = value;
                return Pattern { text, signs }.check();
            }
            Operator::Arn(signs) => {
                let text = value;
                Pattern { text, signs }.check()?;
                is_arn_pattern(value)
            }
            Operator::Null | Operator::Bool => parse_bool(value).is_some(),
            Operator::Number(_) => parse_number(value).is_some(),
            Operator::Date(_) => parse_date(value).is_some(),
            Operator::Address => Network::parse(value).is_some(),
        };
        if is_understood {
            Ok(())
        } else {
            Err(self.wrong(&format!("cannot be used with the value {value}")))
        }
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
        "StringEquals" => (Operator::Text(plain, Letters::AsTheyAre), false),
        "StringNotEquals" => (Operator::Text(plain, Letters::AsTheyAre), true),
        "StringEqualsIgnoreCase" => (Operator::Text(plain, Letters::InAnyCase), false),
        "StringNotEqualsIgnoreCase" => (Operator::Text(plain, Letters::InAnyCase), true),
        "StringLike" => (Operator::Text(like, Letters::AsTheyAre), false),
        "StringNotLike" => (Operator::Text(like, Letters::AsTheyAre), true),
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

    /// Whether a value is to one that is expected as the operator says; `None`: one of the two is
    /// none that it compares.
    fn relates(self, value: &str, expected: &str) -> Option<bool> {
        Some(match self {
            Self::Null | Self::Bool => parse_bool(value)? == parse_bool(expected)?,
            Self::Number(how) => how.holds(&parse_number(value)?, &parse_number(expected)?),
            Self::Date(how) => how.holds(&parse_date(value)?, &parse_date(expected)?),
            Self::Address => Network::parse(expected)?.contains(value.parse().ok()?),
            Self::Text(..) | Self::Arn(_) => return None,
        })
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
fn fits_arn(pattern: Pattern<'_>, arn: &str, case: &Case<'_>) -> Held {
    case.steps().take(STEPS_EACH + pattern.text.len());
    let wanted = match pattern.expand(case) {
        Ok(steps) if steps == [Step::Any] => return Held::Yes,
        Ok(steps) => glob::split(steps, ARN_PARTS),
        Err(held) => return held,
    };
    let parts: Vec<&str> = arn.splitn(ARN_PARTS, ':').collect();
    let mut both = wanted.iter().zip(&parts);
    Held::of(
        wanted.len() == parts.len()
            && both.all(|(pattern, part)| glob::fits(pattern, part, case.steps())),
    )
}
