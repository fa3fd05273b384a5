//! The functions that call the filters that they are given.

use std::cmp::Ordering;

use super::collection::{extreme, firsts};
use super::compare::{compare, sort};
use super::meter::{DEPTH_MAX, Spent};
use super::run::{Env, Flow, Run, Sink, Stop};
use super::syntax::{Expr, Function};
use super::value::{VALUE_BYTES, Value};

impl<'m> Run<'m, '_> {
    pub(super) fn call(
        &mut self,
        function: Function,
        arguments: &[Expr],
        (env, input): (&Env, Value),
        sink: Sink<'_, 'm>,
    ) -> Flow {
        match (function, arguments) {
            (Function::OfTypes(types), _) => {
                if types.contains(&input.kind()) {
                    sink(self, input)
                } else {
                    Ok(())
                }
            }
            (Function::Recurse, [of]) => self.recurse(of, env, input, sink),
            (Function::First, [of]) => match self.first_of(of, env, input)? {
                Some(value) => sink(self, value),
                None => Ok(()),
            },
            (Function::Last, [of]) => {
                // Of nothing it is null, and not nothing.
                let mut last = Value::Null;
                self.eval(of, env, input, &mut |_, value| {
                    last = value;
                    Ok(())
                })?;
                sink(self, last)
            }
            (Function::Limit, [count, of]) => {
                let whole = input.clone();
                self.eval(count, env, input, &mut |run, count| {
                    run.limit(&count, (of, env), whole.clone(), sink)
                })
            }
            (Function::Any | Function::All, [source, condition]) => {
                let decides = function == Function::Any;
                let mut found = !decides;
                self.until_enough(|run, enough| {
                    run.eval(source, env, input, &mut |run, value| {
                        run.eval(condition, env, value, &mut |_, holds| {
                            if holds.is_true() == decides {
                                found = decides;
                                return Err(Stop::Enough(enough));
                            }
                            Ok(())
                        })
                    })
                })?;
                sink(self, Value::Bool(found))
            }
            (Function::Range, [from, to]) => {
                let whole = input.clone();
                self.eval(from, env, input, &mut |run, from| {
                    run.eval(to, env, whole.clone(), &mut |run, to| {
                        run.range(&from, &to, sink)
                    })
                })
            }
            (_, [by]) => self.by_keys(function, (by, env), &input, sink),
            _ => Ok(()),
        }
    }

    fn recurse(&mut self, of: &Expr, env: &Env, input: Value, sink: Sink<'_, 'm>) -> Flow {
        sink(self, input.clone())?;
        self.eval(of, env, input, &mut |run, value| {
            if run.depth >= DEPTH_MAX {
                return Err(Spent::Depth.into());
            }
            run.recurse(of, env, value, sink)
        })
    }

    fn limit(
        &mut self,
        count: &Value,
        (of, env): (&Expr, &Env),
        input: Value,
        sink: Sink<'_, 'm>,
    ) -> Flow {
        let Value::Number(count) = count else {
            return Err(Stop::error("limit needs a number"));
        };
        let mut left = *count;
        if left == 0.0 {
            // As in jq 1.6.
            left = 1.0;
        }
        if left < 0.0 {
            // The same.
            return self.eval(of, env, input, sink);
        }
        self.until_enough(|run, enough| {
            run.eval(of, env, input, &mut |run, value| {
                left -= 1.0;
                sink(run, value)?;
                if left > 0.0 {
                    Ok(())
                } else {
                    Err(Stop::Enough(enough))
                }
            })
        })
    }

    fn range(&mut self, from: &Value, to: &Value, sink: Sink<'_, 'm>) -> Flow {
        let (Value::Number(from), Value::Number(to)) = (from, to) else {
            return Err(Stop::error("Range bounds must be numeric"));
        };
        let mut at = *from;
        while at < *to {
            self.meter.step(1)?;
            sink(self, Value::Number(at))?;
            at += 1.0;
        }
        Ok(())
    }

    /// The functions of an array whose items have keys.
    fn by_keys(
        &mut self,
        function: Function,
        (by, env): (&Expr, &Env),
        input: &Value,
        sink: Sink<'_, 'm>,
    ) -> Flow {
        let Value::Array(array) = input else {
            let kind = input.kind();
            return Err(Stop::error(&format!("a value of type {kind} is no array")));
        };
        let mut keyed = Vec::new();
        for item in array.items() {
            let keys = self.all(by, env, item.clone())?;
            self.meter.hold(4 * VALUE_BYTES)?;
            keyed.push((Value::array(keys, self.meter)?, item.clone()));
        }
        let value = match function {
            Function::MinBy => extreme(keyed, Ordering::Less, self.meter)?,
            Function::MaxBy => extreme(keyed, Ordering::Greater, self.meter)?,
            _ => {
                let sorted = sort(keyed, self.meter)?;
                let items = match function {
                    Function::GroupBy => self.groups(sorted)?,
                    Function::UniqueBy => values(firsts(sorted, self.meter)?),
                    _ => values(sorted),
                };
                Value::array(items, self.meter)?
            }
        };
        sink(self, value)
    }

    fn groups(&mut self, sorted: Vec<(Value, Value)>) -> Result<Vec<Value>, Stop> {
        let (mut groups, mut group, mut key) = (Vec::new(), Vec::new(), None);
        for (next, value) in sorted {
            let is_same = match &key {
                Some(key) => compare(key, &next, self.meter)? == Ordering::Equal,
                None => true,
            };
            if !is_same {
                groups.push(Value::array(std::mem::take(&mut group), self.meter)?);
            }
            group.push(value);
            key = Some(next);
        }
        if !group.is_empty() {
            groups.push(Value::array(group, self.meter)?);
        }
        Ok(groups)
    }
}

fn values(keyed: Vec<(Value, Value)>) -> Vec<Value> {
    keyed.into_iter().map(|(_, value)| value).collect()
}
