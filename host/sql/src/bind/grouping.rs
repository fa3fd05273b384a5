//! GROUP BY: which part of it is the window, and what the list may say of the groups.

use super::expression::{Meaning, truth};
use super::output::{Item, Listed, is_rowtime, listed, name_of, project};
use super::query::{DOWNWARDS, Rows, UNSORTABLE, filtered};
use super::relation::Related;
use super::scope::Scope;
use super::window::{Bucket, Windowed};
use super::{Binder, Bound, monotonic};
use crate::aggregate::{self, AggregateCall};
use crate::ast::{Expression, ExpressionKind, Name, OrderBy, Select};
use crate::expr::Expr;
use crate::fault::Invalid;
use crate::plan::{Aggregate, Clock, Late, Plan, SortKey, SortStep, Step, Window};
use crate::ty::{Column, ROWTIME, RowType, SqlType};

/// What the groups of a query are.
struct Groups {
    window: Window,
    /// What stands for a column of the groups, as a digest of the expression over the input.
    columns: Vec<(String, usize, SqlType)>,
    keys: Vec<Expr>,
    /// Names that the bounds of the windows have.
    bounds: bool,
}

/// The columns of the bounds, where there are any, before the keys.
const START: usize = 1;
const END: usize = 2;

impl Binder<'_> {
    /// A query with groups.
    ///
    /// # Errors
    ///
    /// Groups that are never over, or names that are no part of them.
    pub fn grouped(
        &self,
        select: &Select,
        order_by: &[OrderBy],
        related: Related,
    ) -> Result<Bound, Invalid> {
        let groups = match &select.stagger {
            Some(stagger) => {
                let range = super::window::interval(&stagger.range)?;
                let window = Window::Stagger { range };
                self.keys_of(&stagger.partition_by, window, &related.scope)?
            }
            None => self.groups(select, &related)?,
        };
        let mut meaning = Grouped {
            scope: &related.scope,
            columns: &groups.columns,
            aggregates_at: groups.keys.len() + if groups.bounds { 3 } else { 1 },
            aggregates: Vec::new(),
            bounds: groups.bounds,
        };
        let items = self.grouped_items(select, &mut meaning)?;
        let having = match &select.having {
            Some(having) => {
                let condition = self.expression(having, &mut meaning)?;
                Some(truth(condition).map_err(|invalid| invalid.or_at(having.at))?)
            }
            None => None,
        };
        let then = self.order_of_groups(order_by, &items, &mut meaning)?;
        let aggregates = meaning.aggregates;
        let plan = aggregated(related.plan, groups, aggregates);
        let plan = match having {
            Some(condition) => filtered(plan, condition),
            None => plan,
        };
        let plan = if then.is_empty() {
            plan
        } else {
            let rows = plan.rows.clone();
            let sort = SortStep {
                input: plan,
                by: Expr::column(0, SqlType::Timestamp),
                within: 0,
                then,
            };
            let step = Step::Sort(Box::new(sort));
            Plan { step, rows }
        };
        project(plan, items)
    }

    /// By what groups of the same window are sorted: what stands behind their time in ORDER BY.
    fn order_of_groups(
        &self,
        order_by: &[OrderBy],
        items: &[Item],
        meaning: &mut Grouped<'_>,
    ) -> Result<Vec<SortKey>, Invalid> {
        let mut keys = Vec::with_capacity(order_by.len());
        for order in order_by {
            let named = match &order.expression.kind {
                ExpressionKind::Column(names) => match names.as_slice() {
                    [name] => items.iter().find(|item| item.name == name.text),
                    _ => None,
                },
                _ => None,
            };
            let value = match named {
                Some(item) => item.value.clone(),
                None => self.expression(&order.expression, meaning)?,
            };
            keys.push((order, value));
        }
        let Some(((first, value), _)) = keys.split_first() else {
            return Ok(Vec::new());
        };
        // The bounds of windows that follow each other rise as their ends do.
        let is_time = value
            .as_column()
            .is_some_and(|column| column == 0 || meaning.bounds && column <= END);
        if first.descending {
            return Err(Invalid::at(first.expression.at, DOWNWARDS));
        }
        if !is_time || first.within.is_some() {
            return Err(Invalid::at(first.expression.at, UNSORTABLE));
        }
        let then = keys.into_iter().skip(1);
        let then = then.map(|(order, value)| SortKey {
            value,
            descending: order.descending,
        });
        Ok(then.collect())
    }

    fn grouped_items(
        &self,
        select: &Select,
        meaning: &mut Grouped<'_>,
    ) -> Result<Vec<Item>, Invalid> {
        let mut items = Vec::new();
        for (number, one) in listed(&select.items).enumerate() {
            let Listed::One { expression, alias } = one else {
                return Err(Invalid::at(
                    select.at,
                    "* cannot stand in a query with groups",
                ));
            };
            let value = self.expression(expression, meaning)?;
            let name = name_of(expression, alias, number);
            // What is called ROWTIME here is a bound of the window; the rows' own time is its end.
            let is_rowtime = is_rowtime(&name) && value.as_column() == Some(0);
            items.push(Item {
                group: None,
                name,
                value,
                is_rowtime,
            });
        }
        Ok(items)
    }

    /// The window and the keys of GROUP BY.
    fn groups(&self, select: &Select, related: &Related) -> Result<Groups, Invalid> {
        if let Some(windowed) = &related.window {
            return self.groups_of_function(select, windowed, &related.scope);
        }
        let mut bucket: Option<(Bucket, &Expression)> = None;
        let mut change: Option<&Expression> = None;
        let mut others = Vec::new();
        for key in &select.group_by {
            let found = self.bucket(key, related)?;
            match (found, &bucket) {
                (Some(found), None) => bucket = Some((found, key)),
                (Some(found), Some((before, _))) if before.clock_is_watermark() => {
                    others.push(before_key(&mut bucket, found, key)?);
                }
                _ if change.is_none() && monotonic::is_monotonic(key, &related.scope) => {
                    change = Some(key);
                }
                _ => others.push(key),
            }
        }
        if let Some((bucket, key)) = bucket {
            others.extend(change);
            let digest = self.digest(key, &related.scope)?;
            let mut groups = self.keys_at(&others, 3, &related.scope)?;
            groups.columns.push((digest, START, SqlType::Timestamp));
            groups.window = bucket.window();
            groups.bounds = true;
            return Ok(groups);
        }
        let Some(change) = change else {
            return Err(Invalid::at(
                select.at,
                "a query with aggregates has to say when a group is over: GROUP BY needs an \
                 expression that never falls, as FLOOR(ROWTIME TO MINUTE) or \
                 STEP(ROWTIME BY INTERVAL '10' SECOND)",
            ));
        };
        others.insert(0, change);
        let mut groups = self.keys_at(&others, 1, &related.scope)?;
        groups.window = Window::Change { key: 0 };
        Ok(groups)
    }

    /// Groups by the bounds of windows that a function made, and more.
    fn groups_of_function(
        &self,
        select: &Select,
        windowed: &Windowed,
        scope: &Scope,
    ) -> Result<Groups, Invalid> {
        let is_bound = |key: &&Expression| match &key.kind {
            ExpressionKind::Column(names) => names.last().is_some_and(|name| {
                ["WINDOW_START", "WINDOW_END", "WINDOW_TIME"].contains(&name.text.as_str())
            }),
            _ => false,
        };
        let (bounds, others): (Vec<_>, Vec<_>) = select.group_by.iter().partition(is_bound);
        if bounds.is_empty() {
            return Err(Invalid::at(
                select.at,
                "rows of TUMBLE, HOP, SESSION and CUMULATE are grouped by window_start and \
                 window_end",
            ));
        }
        let mut groups = self.keys_at(&others, 3, scope)?;
        groups.window = windowed.window.clone();
        groups.bounds = true;
        Ok(groups)
    }

    fn keys_of(
        &self,
        keys: &[Expression],
        window: Window,
        scope: &Scope,
    ) -> Result<Groups, Invalid> {
        let keys: Vec<&Expression> = keys.iter().collect();
        let mut groups = self.keys_at(&keys, 1, scope)?;
        groups.window = window;
        Ok(groups)
    }

    /// Keys whose columns begin at a place.
    fn keys_at(
        &self,
        keys: &[&Expression],
        first: usize,
        scope: &Scope,
    ) -> Result<Groups, Invalid> {
        let mut columns = Vec::with_capacity(keys.len());
        let mut bound = Vec::with_capacity(keys.len());
        for (index, key) in keys.iter().enumerate() {
            let key = self.expression(key, &mut Rows { scope })?;
            columns.push((digest_of(&key), first + index, key.ty()));
            bound.push(key);
        }
        Ok(Groups {
            window: Window::Change { key: 0 },
            columns,
            keys: bound,
            bounds: false,
        })
    }

    fn digest(&self, expression: &Expression, scope: &Scope) -> Result<String, Invalid> {
        let bound = self.expression(expression, &mut Rows { scope })?;
        Ok(digest_of(&bound))
    }
}

/// Two times are rounded: the one of ROWTIME is the window, the other one a key.
fn before_key<'e>(
    bucket: &mut Option<(Bucket, &'e Expression)>,
    found: Bucket,
    key: &'e Expression,
) -> Result<&'e Expression, Invalid> {
    match bucket.replace((found, key)) {
        Some((_, before)) => Ok(before),
        None => Err(Invalid::new("internal: no window before this one")),
    }
}

/// Expressions over the same rows that are written otherwise and mean the same.
pub fn digest_of(expr: &Expr) -> String {
    format!("{expr:?}")
}

/// The step that groups, and what its rows look like.
fn aggregated(input: Plan, groups: Groups, aggregates: Vec<AggregateCall>) -> Plan {
    let mut columns = Vec::new();
    if groups.bounds {
        for name in ["WINDOW_START", "WINDOW_END"] {
            columns.push(Column {
                name: name.to_owned(),
                ty: SqlType::Timestamp,
            });
        }
    }
    let types = groups.keys.iter().map(Expr::ty);
    let types = types.chain(aggregates.iter().map(|aggregate| aggregate.ty));
    columns.extend(types.enumerate().map(|(index, ty)| Column {
        name: format!("EXPR${index}"),
        ty,
    }));
    let rows = RowType::with_rowtime(columns);
    let late = Late::Fault;
    let aggregate = Aggregate {
        input,
        window: groups.window,
        keys: groups.keys,
        aggregates,
        late,
    };
    let step = Step::Aggregate(Box::new(aggregate));
    Plan { step, rows }
}

/// In a list over groups: keys, aggregates and the time of the window.
struct Grouped<'s> {
    scope: &'s Scope,
    columns: &'s [(String, usize, SqlType)],
    aggregates_at: usize,
    aggregates: Vec<AggregateCall>,
    bounds: bool,
}

impl Meaning for Grouped<'_> {
    fn column(&mut self, names: &[Name]) -> Result<Expr, Invalid> {
        let [.., name] = names else {
            return Err(Invalid::new("internal: a column without a name"));
        };
        let bound = match name.text.as_str() {
            ROWTIME => Some(0),
            "WINDOW_START" if self.bounds => Some(START),
            "WINDOW_END" | "WINDOW_TIME" if self.bounds => Some(END),
            _ => None,
        };
        if let Some(index) = bound {
            return Ok(Expr::column(index, SqlType::Timestamp));
        }
        // Says that it is not there at all, if so.
        self.scope.resolve(names)?;
        Err(Invalid::at(
            name.at,
            format!("Expression '{}' is not being grouped", name.text),
        ))
    }

    fn whole(
        &mut self,
        binder: &Binder<'_>,
        expression: &Expression,
    ) -> Result<Option<Expr>, Invalid> {
        if let ExpressionKind::Call(call) = &expression.kind
            && call.over.is_none()
            && aggregate::is_aggregate(&call.name.text)
        {
            let call = binder.aggregate(call, self.scope);
            let call = call.map_err(|invalid| invalid.or_at(expression.at))?;
            let digest = format!("{call:?}");
            let known = self.aggregates.iter();
            let place = known
                .map(|known| format!("{known:?}"))
                .position(|known| known == digest);
            let ty = call.ty;
            let place = match place {
                Some(place) => place,
                None => {
                    self.aggregates.push(call);
                    self.aggregates.len() - 1
                }
            };
            return Ok(Some(Expr::column(self.aggregates_at + place, ty)));
        }
        if matches!(expression.kind, ExpressionKind::Literal(_)) {
            return Ok(None);
        }
        let scope = self.scope;
        let Ok(bound) = binder.expression(expression, &mut Rows { scope }) else {
            return Ok(None);
        };
        let digest = digest_of(&bound);
        let mut keys = self.columns.iter();
        let key = keys.find(|(of_key, ..)| *of_key == digest);
        Ok(key.map(|(_, index, ty)| Expr::column(*index, *ty)))
    }
}

impl Binder<'_> {
    /// An aggregate over the rows of a scope.
    pub fn aggregate(
        &self,
        call: &crate::ast::Call,
        scope: &Scope,
    ) -> Result<AggregateCall, Invalid> {
        let mut arguments = Vec::with_capacity(call.arguments.len());
        for argument in &call.arguments {
            arguments.push(self.expression(argument, &mut Rows { scope })?);
        }
        let name = &call.name.text;
        let mut bound = aggregate::resolve(name, arguments, call.star, call.distinct)?;
        if let Some(filter) = &call.filter {
            bound.filter = Some(truth(self.expression(filter, &mut Rows { scope })?)?);
        }
        Ok(bound)
    }

    /// A time that is rounded down to windows of one length.
    fn bucket(&self, key: &Expression, related: &Related) -> Result<Option<Bucket>, Invalid> {
        let Some((operand, size)) = super::window::rounded(key) else {
            return Ok(None);
        };
        let scope = &related.scope;
        let Ok(time) = self.expression(operand, &mut Rows { scope }) else {
            return Ok(None);
        };
        if time.ty() != SqlType::Timestamp {
            return Ok(None);
        }
        let clock = match (time.as_column(), related.watermark) {
            (Some(0), _) => Clock::Rowtime,
            (Some(column), Some((of, late))) if column == of => Clock::Watermark {
                column: time.clone(),
                late,
            },
            _ => return Ok(None),
        };
        Ok(Some(Bucket { time, size, clock }))
    }
}
