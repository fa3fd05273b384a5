//! What lies within a value: members, items, and stretches of these.

use super::number;
use super::run::{Env, Flow, MESSAGE_CHARS_MAX, Run, Sink, Stop};
use super::syntax::Expr;
use super::value::{VALUE_BYTES, Value};

impl<'m> Run<'m, '_> {
    /// Members and items; where they cannot be had that fails, unless it is optional.
    pub(super) fn index(
        &mut self,
        (of, index, is_optional): (&Expr, &Expr, bool),
        env: &Env,
        input: Value,
        sink: Sink<'_, 'm>,
    ) -> Flow {
        let whole = input.clone();
        self.eval(index, env, input, &mut |run, index| {
            run.eval(
                of,
                env,
                whole.clone(),
                &mut |run, of| match run.at(&of, &index) {
                    Err(Stop::Error(_)) if is_optional => Ok(()),
                    value => sink(run, value?),
                },
            )
        })
    }

    fn at(&mut self, of: &Value, index: &Value) -> Result<Value, Stop> {
        Ok(match (of, index) {
            (Value::Object(object), Value::Text(name)) => {
                self.meter.step(object.entries().len() / 8)?;
                object.get(name).cloned().unwrap_or(Value::Null)
            }
            (Value::Array(array), Value::Number(number)) => {
                let items = array.items();
                let whole = number::to_whole(*number).filter(|_| number.fract() == 0.0);
                let place = whole.and_then(|place| from_either_end(place, items.len()));
                let item = place.and_then(|place| items.get(place));
                item.cloned().unwrap_or(Value::Null)
            }
            (Value::Null, Value::Text(_) | Value::Number(_) | Value::Null) => Value::Null,
            (of, Value::Text(name)) => {
                let (kind, name) = (of.kind(), name.chars().take(MESSAGE_CHARS_MAX / 2));
                let name: String = name.collect();
                let what = format!("Cannot index {kind} with \"{name}\"");
                return Err(Stop::error(&what));
            }
            (of, index) => {
                let (of, index) = (of.kind(), index.kind());
                return Err(Stop::error(&format!("Cannot index {of} with {index}")));
            }
        })
    }

    pub(super) fn slice(
        &mut self,
        (of, (from, to), is_optional): (&Expr, (Option<&Expr>, Option<&Expr>), bool),
        env: &Env,
        input: &Value,
        sink: Sink<'_, 'm>,
    ) -> Flow {
        let open = Expr::Null;
        let (from, to) = (from.unwrap_or(&open), to.unwrap_or(&open));
        self.eval(from, env, input.clone(), &mut |run, from| {
            run.eval(to, env, input.clone(), &mut |run, to| {
                run.eval(
                    of,
                    env,
                    input.clone(),
                    &mut |run, of| match run.part(&of, &from, &to) {
                        Err(Stop::Error(_)) if is_optional => Ok(()),
                        value => sink(run, value?),
                    },
                )
            })
        })
    }

    fn part(&mut self, of: &Value, from: &Value, to: &Value) -> Result<Value, Stop> {
        let count = match of {
            Value::Null => return Ok(Value::Null),
            Value::Array(array) => array.items().len(),
            Value::Text(text) => {
                self.meter.hold(text.len())?;
                text.chars().count()
            }
            other => {
                let kind = other.kind();
                return Err(Stop::error(&format!("Cannot index {kind} with object")));
            }
        };
        let wrong = || Stop::error("Start and end indices of an array slice must be numbers");
        let bound = |value: &Value, none: usize, round: fn(f64) -> f64| match value {
            Value::Null => Some(none),
            Value::Number(number) => {
                let place = number::to_nearest_whole(round(*number));
                let from_end = i64::try_from(count).ok()?.saturating_add(place);
                let place = if place < 0 { from_end.max(0) } else { place };
                Some(usize::try_from(place).map_or(count, |place| place.min(count)))
            }
            _ => None,
        };
        let start = bound(from, 0, f64::floor).ok_or_else(wrong)?;
        let end = bound(to, count, f64::ceil).ok_or_else(wrong)?.max(start);
        Ok(match of {
            Value::Text(text) => {
                let part: String = text.chars().skip(start).take(end - start).collect();
                Value::text(&part, self.meter)?
            }
            Value::Array(array) => {
                let items = array.items().get(start..end).unwrap_or_default();
                self.meter.hold(VALUE_BYTES * items.len())?;
                Value::counted_array(items.to_vec(), self.meter)?
            }
            _ => Value::Null,
        })
    }

    /// All that lies within.
    pub(super) fn each(
        &mut self,
        (of, is_optional): (&Expr, bool),
        env: &Env,
        input: Value,
        sink: Sink<'_, 'm>,
    ) -> Flow {
        self.eval(of, env, input, &mut |run, of| match &of {
            Value::Array(array) => {
                let items = array.items().iter();
                run.give_all(items, sink)
            }
            Value::Object(object) => {
                let items = object.entries().iter().map(|(_, item)| item);
                run.give_all(items, sink)
            }
            _ if is_optional => Ok(()),
            other => {
                let kind = other.kind();
                Err(Stop::error(&format!("Cannot iterate over {kind}")))
            }
        })
    }

    fn give_all<'v>(&mut self, items: impl Iterator<Item = &'v Value>, sink: Sink<'_, 'm>) -> Flow {
        for item in items {
            self.meter.step(1)?;
            sink(self, item.clone())?;
        }
        Ok(())
    }
}

/// A place that counts from the end where it is less than nothing.
fn from_either_end(place: i64, count: usize) -> Option<usize> {
    let from_end = i64::try_from(count).ok()?.checked_add(place)?;
    usize::try_from(if place < 0 { from_end } else { place }).ok()
}
