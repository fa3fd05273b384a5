//! Evaluates a query. A filter hands each value that it gives to what comes next, and goes on when
//! that returns: so nothing is collected that the query does not collect, and what wants no more
//! says so.

use std::rc::Rc;

use super::Failed;
use super::json::{self, Unread};
use super::meter::{DEPTH_MAX, Meter, Spent};
use super::operator::operate;
use super::plain::Plain;
use super::run::{Env, Flow, MESSAGE_CHARS_MAX, Run, Sink, Stop};
use super::syntax::{Expr, Operator, Piece};
use super::text::{self, Format};
use super::value::{VALUE_BYTES, Value, set};

/// The first value that a query gives for a record of JSON, if it gives one.
pub fn first(expr: &Expr, data: &[u8], meter: &mut Meter<'_>) -> Result<Option<Value>, Failed> {
    let input = json::read(data, meter).map_err(|unread| match unread {
        Unread::NotJson => Failed::Wrong("the record is no JSON".to_owned()),
        Unread::More => Failed::Wrong("the record is more than one value of JSON".to_owned()),
        Unread::Spent(spent) => Failed::Spent(spent),
    })?;
    let mut run = Run {
        meter,
        depth: 0,
        next: 0,
    };
    match run.first_of(expr, &Env::default(), input) {
        Ok(found) => Ok(found),
        Err(Stop::Spent(spent)) => Err(Failed::Spent(spent)),
        // Nobody waits for any more.
        Err(Stop::Enough(_)) => Ok(None),
        Err(Stop::Error(what)) => {
            let text = text::to_text(&what, run.meter).map_err(Failed::Spent)?;
            let short: String = text.chars().take(MESSAGE_CHARS_MAX).collect();
            Err(Failed::Wrong(format!("the query fails: {short}")))
        }
    }
}

impl<'m> Run<'m, '_> {
    pub(super) fn eval(
        &mut self,
        expr: &Expr,
        env: &Env,
        input: Value,
        sink: Sink<'_, 'm>,
    ) -> Flow {
        self.meter.step(1)?;
        if self.depth >= DEPTH_MAX {
            return Err(Spent::Depth.into());
        }
        self.depth += 1;
        let flow = self.eval_within(expr, env, input, sink);
        self.depth -= 1;
        flow
    }

    fn eval_within(&mut self, expr: &Expr, env: &Env, input: Value, sink: Sink<'_, 'm>) -> Flow {
        if let Some(value) = self.value_of(expr, env, &input)? {
            return sink(self, value);
        }
        match expr {
            Expr::Pipe(first, then) => self.eval(first, env, input, &mut |run, value| {
                run.eval(then, env, value, sink)
            }),
            Expr::Comma(one, other) => {
                self.eval(one, env, input.clone(), sink)?;
                self.eval(other, env, input, sink)
            }
            Expr::Text(pieces, format) => self.text((pieces, *format), env, &input, sink),
            Expr::Array(within) => self.array(within.as_deref(), env, input, sink),
            Expr::Object(members) => self.object(members, (Vec::new(), env), &input, sink),
            Expr::Index(of, index) => self.index((of, index, false), env, input, sink),
            Expr::Slice(of, from, to) => {
                let bounds = (from.as_deref(), to.as_deref());
                self.slice((of, bounds, false), env, &input, sink)
            }
            Expr::Iterate(of) => self.each((of, false), env, input, sink),
            Expr::Optional(of) => self.optional(of, env, input, sink),
            Expr::Try(body, handler) => self.attempt((body, handler.as_deref()), env, input, sink),
            Expr::Binary(operator, one, other) => {
                self.binary(*operator, (one, other), (env, input), sink)
            }
            Expr::And(one, other) => self.logic((false, one, other), env, &input, sink),
            Expr::Or(one, other) => self.logic((true, one, other), env, &input, sink),
            Expr::Alternative(one, other) => self.alternative((one, other), env, input, sink),
            Expr::Negate(of) => self.eval(of, env, input, &mut |run, value| match value {
                Value::Number(number) => sink(run, Value::Number(-number)),
                other => {
                    let kind = other.kind();
                    Err(Stop::error(&format!(
                        "a value of type {kind} cannot be negated"
                    )))
                }
            }),
            Expr::If(condition, then, otherwise) => {
                self.choose((condition, then, otherwise), env, &input, sink)
            }
            Expr::Bind(source, name, body) => {
                let whole = input.clone();
                self.eval(source, env, input, &mut |run, value| {
                    run.eval(body, &env.with(name, value), whole.clone(), sink)
                })
            }
            Expr::Reduce(source, name, from, update) => {
                self.reduce((source, name, from, update), env, &input, sink)
            }
            Expr::Call(function, arguments) => self.call(*function, arguments, (env, input), sink),
            Expr::Plain(function, arguments) => {
                self.plain((*function, arguments.first()), env, input, sink)
            }
            Expr::Identity
            | Expr::Null
            | Expr::Bool(_)
            | Expr::Number(_)
            | Expr::Format(_)
            | Expr::Variable(_) => Ok(()),
        }
    }

    /// What a filter gives that gives one value and calls no other.
    fn value_of(&mut self, expr: &Expr, env: &Env, input: &Value) -> Result<Option<Value>, Stop> {
        Ok(Some(match expr {
            Expr::Identity => input.clone(),
            Expr::Null => Value::Null,
            Expr::Bool(is) => Value::Bool(*is),
            Expr::Number(number) => Value::Number(*number),
            Expr::Format(format) => {
                let text = format.write(input, self.meter)?;
                Value::text(&text, self.meter)?
            }
            Expr::Variable(name) => {
                let unknown = || Stop::error("a variable is not defined");
                env.get(name).ok_or_else(unknown)?.clone()
            }
            _ => return Ok(None),
        }))
    }

    fn plain(
        &mut self,
        (function, argument): (Plain, Option<&Expr>),
        env: &Env,
        input: Value,
        sink: Sink<'_, 'm>,
    ) -> Flow {
        let Some(argument) = argument else {
            let value = function.apply(&input, None, self.meter)?;
            return sink(self, value);
        };
        let of = input.clone();
        self.eval(argument, env, input, &mut |run, argument| {
            let value = function.apply(&of, Some(&argument), run.meter)?;
            sink(run, value)
        })
    }

    /// What lies within a value, where it can be had.
    fn optional(&mut self, of: &Expr, env: &Env, input: Value, sink: Sink<'_, 'm>) -> Flow {
        match of {
            Expr::Index(of, index) => self.index((of, index, true), env, input, sink),
            Expr::Slice(of, from, to) => {
                let bounds = (from.as_deref(), to.as_deref());
                self.slice((of, bounds, true), env, &input, sink)
            }
            Expr::Iterate(of) => self.each((of, true), env, input, sink),
            other => self.attempt((other, None), env, input, sink),
        }
    }

    /// All that a filter gives.
    pub(super) fn all(&mut self, expr: &Expr, env: &Env, input: Value) -> Result<Vec<Value>, Stop> {
        let mut all = Vec::new();
        self.eval(expr, env, input, &mut |run, value| {
            run.meter.hold(2 * VALUE_BYTES)?;
            all.push(value);
            Ok(())
        })?;
        Ok(all)
    }

    /// The first that a filter gives.
    pub(super) fn first_of(
        &mut self,
        expr: &Expr,
        env: &Env,
        input: Value,
    ) -> Result<Option<Value>, Stop> {
        let mut found = None;
        self.until_enough(|run, enough| {
            run.eval(expr, env, input, &mut |_, value| {
                found = Some(value);
                Err(Stop::Enough(enough))
            })
        })?;
        Ok(found)
    }

    /// What a filter gives that gives one value at most.
    fn only(&mut self, expr: &Expr, env: &Env, input: &Value) -> Result<Option<Value>, Stop> {
        let mut found = None;
        self.eval(expr, env, input.clone(), &mut |_, value| {
            found = Some(value);
            Ok(())
        })?;
        Ok(found)
    }

    /// Runs until this has enough.
    pub(super) fn until_enough(&mut self, what: impl FnOnce(&mut Self, u64) -> Flow) -> Flow {
        let enough = self.next;
        self.next += 1;
        let depth = self.depth;
        match what(self, enough) {
            Err(Stop::Enough(of)) if of == enough => {
                self.depth = depth;
                Ok(())
            }
            flow => flow,
        }
    }

    fn text(
        &mut self,
        (pieces, format): (&[Piece], Format),
        env: &Env,
        input: &Value,
        sink: Sink<'_, 'm>,
    ) -> Flow {
        self.text_before((pieces, format), "", (env, input), sink)
    }

    /// The last value that stands in a string is had first.
    fn text_before(
        &mut self,
        (pieces, format): (&[Piece], Format),
        end: &str,
        (env, input): (&Env, &Value),
        sink: Sink<'_, 'm>,
    ) -> Flow {
        let Some((piece, rest)) = pieces.split_last() else {
            let text = Value::text(end, self.meter)?;
            return sink(self, text);
        };
        match piece {
            Piece::Text(text) => {
                self.meter.hold(end.len() + text.len())?;
                let end = format!("{text}{end}");
                self.text_before((rest, format), &end, (env, input), sink)
            }
            Piece::Value(expr) => self.eval(expr, env, input.clone(), &mut |run, value| {
                let text = format.write(&value, run.meter)?;
                run.meter.hold(end.len() + text.len())?;
                let end = format!("{text}{end}");
                run.text_before((rest, format), &end, (env, input), sink)
            }),
        }
    }

    fn array(
        &mut self,
        within: Option<&Expr>,
        env: &Env,
        input: Value,
        sink: Sink<'_, 'm>,
    ) -> Flow {
        let items = match within {
            Some(expr) => self.all(expr, env, input)?,
            None => Vec::new(),
        };
        let array = Value::array(items, self.meter)?;
        sink(self, array)
    }

    fn object(
        &mut self,
        members: &[(Expr, Expr)],
        (mut begun, env): (Vec<(Rc<str>, Value)>, &Env),
        input: &Value,
        sink: Sink<'_, 'm>,
    ) -> Flow {
        let mut members = members;
        // The next ones are no deeper than these.
        while let Some(((name, value), rest)) = members.split_first() {
            if !name.gives_one() || !value.gives_one() {
                break;
            }
            let Some(name) = self.only(name, env, input)? else {
                return Ok(());
            };
            let name = key(&name)?;
            let Some(value) = self.only(value, env, input)? else {
                return Ok(());
            };
            self.meter.step(begun.len() / 8)?;
            self.meter.hold(128)?;
            set(&mut begun, name, value);
            members = rest;
        }
        let Some(((name, value), rest)) = members.split_first() else {
            let object = Value::object(begun, self.meter)?;
            return sink(self, object);
        };
        self.eval(name, env, input.clone(), &mut |run, name| {
            let name = key(&name)?;
            run.eval(value, env, input.clone(), &mut |run, value| {
                run.meter.hold(64 * (begun.len() + 1))?;
                let mut begun = begun.clone();
                set(&mut begun, Rc::clone(&name), value);
                run.object(rest, (begun, env), input, sink)
            })
        })
    }

    /// As in jq 1.6, an error of what comes next is caught, too.
    fn attempt(
        &mut self,
        (body, handler): (&Expr, Option<&Expr>),
        env: &Env,
        input: Value,
        sink: Sink<'_, 'm>,
    ) -> Flow {
        let depth = self.depth;
        match self.eval(body, env, input, sink) {
            Err(Stop::Error(error)) => {
                self.depth = depth;
                match handler {
                    Some(handler) => self.eval(handler, env, error, sink),
                    None => Ok(()),
                }
            }
            flow => flow,
        }
    }

    fn binary(
        &mut self,
        operator: Operator,
        (one, other): (&Expr, &Expr),
        (env, input): (&Env, Value),
        sink: Sink<'_, 'm>,
    ) -> Flow {
        let whole = input.clone();
        self.eval(other, env, input, &mut |run, other| {
            run.eval(one, env, whole.clone(), &mut |run, one| {
                let value = operate(operator, &one, &other, run.meter)?;
                sink(run, value)
            })
        })
    }

    /// `and`, or `or`, which is decided where the first is `decides`.
    fn logic(
        &mut self,
        (decides, one, other): (bool, &Expr, &Expr),
        env: &Env,
        input: &Value,
        sink: Sink<'_, 'm>,
    ) -> Flow {
        self.eval(one, env, input.clone(), &mut |run, value| {
            if value.is_true() == decides {
                return sink(run, Value::Bool(decides));
            }
            run.eval(other, env, input.clone(), &mut |run, value| {
                sink(run, Value::Bool(value.is_true()))
            })
        })
    }

    fn alternative(
        &mut self,
        (one, other): (&Expr, &Expr),
        env: &Env,
        input: Value,
        sink: Sink<'_, 'm>,
    ) -> Flow {
        let mut has_any = false;
        self.eval(one, env, input.clone(), &mut |run, value| {
            if value.is_true() {
                has_any = true;
                sink(run, value)
            } else {
                Ok(())
            }
        })?;
        // As in jq 1.6, what fails is not what is not there.
        if has_any {
            Ok(())
        } else {
            self.eval(other, env, input, sink)
        }
    }

    fn choose(
        &mut self,
        (condition, then, otherwise): (&Expr, &Expr, &Expr),
        env: &Env,
        input: &Value,
        sink: Sink<'_, 'm>,
    ) -> Flow {
        self.eval(condition, env, input.clone(), &mut |run, holds| {
            let next = if holds.is_true() { then } else { otherwise };
            run.eval(next, env, input.clone(), sink)
        })
    }

    fn reduce(
        &mut self,
        (source, name, from, update): (&Expr, &str, &Expr, &Expr),
        env: &Env,
        input: &Value,
        sink: Sink<'_, 'm>,
    ) -> Flow {
        self.eval(from, env, input.clone(), &mut |run, from| {
            let mut state = from;
            run.eval(source, env, input.clone(), &mut |run, value| {
                let env = env.with(name, value);
                let before = std::mem::replace(&mut state, Value::Null);
                // The last one counts; of none comes null.
                run.eval(update, &env, before, &mut |_, after| {
                    state = after;
                    Ok(())
                })
            })?;
            sink(run, state)
        })
    }
}

/// The name of a member.
fn key(name: &Value) -> Result<Rc<str>, Stop> {
    match name {
        Value::Text(name) => Ok(Rc::clone(name)),
        other => {
            let kind = other.kind();
            let what = format!("a value of type {kind} cannot be a key");
            Err(Stop::error(&what))
        }
    }
}
