//! The kinds of rules, one for each kind of member.

use super::pattern::Pattern;
use super::{Check, Rule, Shape};
use crate::bounded::{VALUE_CHARS_MAX, bounded};
use crate::members::{
    Blob, Boolean, Double, Integer, LIST_MEMBERS_KEPT, List, MAP_ENTRIES_KEPT, Map, Structure,
    Text, Time,
};

/// What a string may be: its length in characters, its pattern, its values.
#[derive(Clone, Copy, Debug)]
pub struct TextRule {
    chars_min: usize,
    chars_max: usize,
    pattern: Option<Pattern>,
    values: &'static [&'static str],
}

impl TextRule {
    /// Any string.
    pub const ANY: Self = Self {
        chars_min: 0,
        chars_max: usize::MAX,
        pattern: None,
        values: &[],
    };

    /// `min` to `max` characters.
    pub const fn chars(min: usize, max: usize) -> Self {
        Self {
            chars_min: min,
            chars_max: max,
            ..Self::ANY
        }
    }

    /// And of this pattern.
    pub const fn matching(self, pattern: Pattern) -> Self {
        Self {
            pattern: Some(pattern),
            ..self
        }
    }

    /// One of the values of an enumeration, in the model's order.
    pub const fn one_of(values: &'static [&'static str]) -> Self {
        Self {
            values,
            ..Self::ANY
        }
    }

    /// Tells `broken` each constraint that `text` does not satisfy, in AWS's order.
    fn judge(&self, text: &str, mut broken: impl FnMut(String)) {
        if !self.values.is_empty() && !self.values.contains(&text) {
            broken(self.values_text());
        }
        if let Some(pattern) = self.pattern.filter(|pattern| !pattern.matches(text)) {
            broken(pattern_text(pattern));
        }
        // A text has at most one character a byte: only a long or an empty one needs counting.
        let bytes = text.len();
        if bytes <= self.chars_max && bytes / 4 >= self.chars_min {
            return;
        }
        let chars = text.chars().count();
        if chars < self.chars_min {
            broken(length_min_text(self.chars_min));
        }
        if chars > self.chars_max {
            broken(length_max_text(self.chars_max));
        }
    }

    /// The rule as AWS names it where it is about the members of a list or a map.
    fn summary(&self) -> String {
        let mut parts = Vec::new();
        if self.chars_max < usize::MAX {
            parts.push(length_max_text(self.chars_max));
            parts.push(length_min_text(self.chars_min));
        }
        parts.extend(self.pattern.map(pattern_text));
        if !self.values.is_empty() {
            parts.push(self.values_text());
        }
        parts.join(", ")
    }

    fn values_text(&self) -> String {
        format!(
            "Member must satisfy enum value set: [{}]",
            self.values.join(", ")
        )
    }

    fn allows(&self, text: &str) -> bool {
        let mut allowed = true;
        self.judge(text, |_| allowed = false);
        allowed
    }
}

impl Rule<Text<'_>> for TextRule {
    fn check(&self, value: &Text<'_>, check: &mut Check) {
        self.judge(value, |constraint| {
            check.violation(Some(value), &constraint);
        });
    }
}

/// The range of a whole number.
#[derive(Clone, Copy, Debug)]
pub struct NumberRule {
    min: i64,
    max: i64,
}

impl NumberRule {
    /// `min` to `max`, both allowed.
    pub const fn within(min: i64, max: i64) -> Self {
        Self { min, max }
    }

    /// From `min` to the end of the model's `integer`, which has 32 bits.
    pub const fn at_least(min: i64) -> Self {
        Self {
            min,
            max: i32::MAX as i64,
        }
    }
}

impl Rule<Integer> for NumberRule {
    fn check(&self, value: &Integer, check: &mut Check) {
        let Integer(number) = *value;
        if number < self.min {
            let constraint = format!(
                "Member must have value greater than or equal to {}",
                self.min
            );
            check.violation(Some(&number.to_string()), &constraint);
        }
        if number > self.max {
            let constraint = format!("Member must have value less than or equal to {}", self.max);
            check.violation(Some(&number.to_string()), &constraint);
        }
    }
}

/// A number of 0 to 1, both allowed.
#[derive(Clone, Copy, Debug)]
pub struct Proportion;

impl Rule<Double> for Proportion {
    fn check(&self, value: &Double, check: &mut Check) {
        let Double(number) = *value;
        // No number at all is less than none, for want of another answer.
        let constraint = if number > 1.0 {
            "Member must have value less than or equal to 1"
        } else if number >= 0.0 {
            return;
        } else {
            "Member must have value greater than or equal to 0"
        };
        check.violation(Some(&number.to_string()), constraint);
    }
}

/// The size of a blob, in bytes once it is decoded.
#[derive(Clone, Copy, Debug)]
pub struct BlobRule {
    bytes_max: usize,
}

impl BlobRule {
    /// No more than `max` bytes.
    pub const fn at_most(max: usize) -> Self {
        Self { bytes_max: max }
    }
}

impl Rule<Blob<'_>> for BlobRule {
    fn check(&self, value: &Blob<'_>, check: &mut Check) {
        check.encoding(value);
        let bytes = value.decoded_len();
        if bytes > self.bytes_max {
            let shown = format!("java.nio.HeapByteBuffer[pos=0 lim={bytes} cap={bytes}]");
            check.violation(Some(&shown), &length_max_text(self.bytes_max));
        }
    }
}

/// The size of a list and the rule of each member: a [`TextRule`] or [`Fields`]. A list that is too
/// long is reported alone, without its members.
#[derive(Clone, Copy, Debug)]
pub struct ListRule<R> {
    min: usize,
    max: usize,
    each: R,
}

impl<R: Copy> ListRule<R> {
    /// `min` to `max` members, and no more than [`LIST_MEMBERS_KEPT`].
    pub const fn of(min: usize, max: usize, each: R) -> Self {
        assert!(max <= LIST_MEMBERS_KEPT, "longer lists are not kept");
        Self { min, max, each }
    }
}

impl Rule<List<Text<'_>>> for ListRule<TextRule> {
    fn check(&self, list: &List<Text<'_>>, check: &mut Check) {
        let shown = || format!("[{}]", joined(list.iter().map(|text| text.as_str())));
        check.size(list.count(), (self.min, self.max), shown);
        if list.count() <= self.max && !list.iter().all(|text| self.each.allows(text)) {
            let constraint = format!("Member must satisfy constraint: [{}]", self.each.summary());
            check.violation(Some(&shown()), &constraint);
        }
    }
}

impl<T: Shape> Rule<List<Structure<T>>> for ListRule<Fields> {
    fn check(&self, list: &List<Structure<T>>, check: &mut Check) {
        // AWS prints the identities of its objects here, of which a client can make nothing.
        check.size(list.count(), (self.min, self.max), || match list.count() {
            0 => "[]".to_owned(),
            count => format!("[{count} members]"),
        });
        // Nothing is said of the members of a list that is too long.
        let members = if list.count() <= self.max {
            &**list
        } else {
            &[]
        };
        for (index, Structure(member)) in members.iter().enumerate() {
            if check.is_full() {
                return;
            }
            check.element(index, |check| member.check(check));
        }
    }
}

/// The size of a map from text to text, and the rules of its keys and values. A map that is too
/// large is reported alone.
#[derive(Clone, Copy, Debug)]
pub struct MapRule {
    min: usize,
    max: usize,
    key: TextRule,
    value: TextRule,
}

impl MapRule {
    /// `min` to `max` entries, and no more than [`MAP_ENTRIES_KEPT`].
    pub const fn of(min: usize, max: usize, key: TextRule, value: TextRule) -> Self {
        assert!(max <= MAP_ENTRIES_KEPT, "larger maps are not kept");
        Self {
            min,
            max,
            key,
            value,
        }
    }
}

impl Rule<Map<'_>> for MapRule {
    fn check(&self, map: &Map<'_>, check: &mut Check) {
        let shown = || {
            let entries = map
                .iter()
                .map(|(k, v)| format!("{}={}", bounded(k), bounded(v)));
            format!("{{{}}}", joined(entries))
        };
        check.size(map.count(), (self.min, self.max), shown);
        if map.count() > self.max {
            return;
        }
        if !map.keys().all(|key| self.key.allows(key)) {
            let constraint = format!("Map keys must satisfy constraint: [{}]", self.key.summary());
            check.violation(Some(&shown()), &constraint);
        }
        if !map.values().all(|value| self.value.allows(value)) {
            let constraint = format!(
                "Map value must satisfy constraint: [{}]",
                self.value.summary()
            );
            check.violation(Some(&shown()), &constraint);
        }
    }
}

/// A structure within another: the rules are those of its own shape.
#[derive(Clone, Copy, Debug)]
pub struct Fields;

impl<T: Shape> Rule<Structure<T>> for Fields {
    fn check(&self, value: &Structure<T>, check: &mut Check) {
        value.0.check(check);
    }
}

/// No constraint beyond the type, for members that need only be there.
#[derive(Clone, Copy, Debug)]
pub struct Anything;

impl Rule<Time> for Anything {
    fn check(&self, _: &Time, _: &mut Check) {}
}

impl Rule<Boolean> for Anything {
    fn check(&self, _: &Boolean, _: &mut Check) {}
}

impl Check {
    /// Reports a list or map that has not `min` to `max` members.
    fn size(&mut self, count: usize, (min, max): (usize, usize), shown: impl Fn() -> String) {
        if count < min {
            self.violation(Some(&shown()), &length_min_text(min));
        }
        if count > max {
            self.violation(Some(&shown()), &length_max_text(max));
        }
    }
}

fn length_min_text(min: usize) -> String {
    format!("Member must have length greater than or equal to {min}")
}

fn length_max_text(max: usize) -> String {
    format!("Member must have length less than or equal to {max}")
}

fn pattern_text(pattern: Pattern) -> String {
    format!(
        "Member must satisfy regular expression pattern: {}",
        pattern.text()
    )
}

/// The items as Java prints a collection, as far as an answer will show them.
fn joined<T: AsRef<str>>(items: impl Iterator<Item = T>) -> String {
    let mut text = String::new();
    for (index, item) in items.enumerate() {
        if text.len() > VALUE_CHARS_MAX {
            break;
        }
        if index > 0 {
            text.push_str(", ");
        }
        text.push_str(&bounded(item.as_ref()));
    }
    text
}
