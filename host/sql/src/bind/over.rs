//! Values over windows that slide with each row.

use std::cell::RefCell;

use super::expression::Meaning;
use super::grouping::digest_of;
use super::output::{Item, Listed, is_rowtime, listed, name_of, project};
use super::query::{Rows, starred};
use super::relation::Related;
use super::scope::Scope;
use super::{Binder, Bound, window};
use crate::analytic::{AnalyticCall, AnalyticKind};
use crate::ast::{
    Call, Expression, ExpressionKind, FrameBound, FrameUnit, Name, Select, WindowReference,
    WindowSpecification,
};
use crate::expr::Expr;
use crate::fault::Invalid;
use crate::functions;
use crate::plan::{Frame, Over, OverCall, OverWindow, Plan, Step};
use crate::ty::{Column, RowType};

/// Calls with windows in one query.
const CALLS_MAX: usize = 1_000;

/// Columns of calls stand behind all others until it is known how many windows there are.
const UNPLACED: usize = usize::MAX / 2;

impl Binder<'_> {
    /// A query whose list has calls with OVER.
    ///
    /// # Errors
    ///
    /// Windows that do not slide with the rows.
    pub fn over(&self, select: &Select, related: Related) -> Result<Bound, Invalid> {
        self.checked_rowtime(select, &related)?;
        let mut meaning = Sliding {
            select,
            scope: &related.scope,
            windows: Vec::new(),
            places: Vec::new(),
        };
        let mut items = Vec::new();
        for (number, one) in listed(&select.items).enumerate() {
            match one {
                Listed::All { of } => items.extend(starred(&related.scope, of)?),
                Listed::One { expression, alias } => {
                    let value = self.expression(expression, &mut meaning)?;
                    let name = name_of(expression, alias, number);
                    let is_rowtime =
                        is_rowtime(&name) && (alias.is_some() || value.as_column() == Some(0));
                    items.push(Item {
                        group: None,
                        name,
                        value,
                        is_rowtime,
                    });
                }
            }
        }
        let Sliding {
            windows, places, ..
        } = meaning;
        let width = related.plan.rows.columns().len();
        let mut first = Vec::with_capacity(windows.len());
        let mut next = width;
        for window in &windows {
            first.push(next);
            next += window.calls.len();
        }
        let placed = |column: usize| match column.checked_sub(UNPLACED) {
            Some(number) => {
                let (window, call) = places[number];
                first[window] + call
            }
            None => column,
        };
        for item in &mut items {
            item.value = item.value.with_columns_at(&placed);
        }
        project(sliding(related.plan, windows), items)
    }
}

/// The step, and what its rows look like.
fn sliding(input: Plan, windows: Vec<OverWindow>) -> Plan {
    let mut columns = input.rows.declared().to_vec();
    for call in windows.iter().flat_map(|window| &window.calls) {
        let ty = match call {
            OverCall::Aggregate(call) => call.ty,
            OverCall::Analytic(call) => call.ty,
        };
        let name = format!("EXPR${}", columns.len());
        columns.push(Column { name, ty });
    }
    let rows = RowType::with_rowtime(columns);
    let step = Step::Over(Box::new(Over { input, windows }));
    Plan { step, rows }
}

/// In a list with windows: columns, and calls over windows.
struct Sliding<'s> {
    select: &'s Select,
    scope: &'s Scope,
    windows: Vec<OverWindow>,
    /// For each call in the order of the list: its window, and its place there.
    places: Vec<(usize, usize)>,
}

impl Meaning for Sliding<'_> {
    fn column(&mut self, names: &[Name]) -> Result<Expr, Invalid> {
        self.scope.resolve(names)
    }

    fn whole(
        &mut self,
        binder: &Binder<'_>,
        expression: &Expression,
    ) -> Result<Option<Expr>, Invalid> {
        let ExpressionKind::Call(call) = &expression.kind else {
            return Ok(None);
        };
        let Some(over) = &call.over else {
            return Ok(None);
        };
        let bound = self.call(binder, call, over);
        bound
            .map(Some)
            .map_err(|invalid| invalid.or_at(expression.at))
    }
}

impl Sliding<'_> {
    fn call(
        &mut self,
        binder: &Binder<'_>,
        call: &Call,
        over: &WindowReference,
    ) -> Result<Expr, Invalid> {
        let scope = self.scope;
        let (bound, ty, frame_without) = match analytic(binder, call, scope)? {
            Some(analytic) => {
                let ty = analytic.ty;
                let frame = match analytic.kind {
                    AnalyticKind::Lag(rows) => Frame::Rows(rows),
                    _ => Frame::Unbounded,
                };
                (OverCall::Analytic(analytic), ty, frame)
            }
            None => {
                let aggregate = binder.aggregate(call, scope)?;
                let ty = aggregate.ty;
                (OverCall::Aggregate(aggregate), ty, Frame::Unbounded)
            }
        };
        let (partition, frame) = self.window(binder, over, frame_without)?;
        let digest: Vec<String> = partition.iter().map(digest_of).collect();
        let same = |window: &OverWindow| {
            window.frame == frame
                && window.partition.len() == digest.len()
                && window
                    .partition
                    .iter()
                    .map(digest_of)
                    .eq(digest.iter().cloned())
        };
        let window = match self.windows.iter().position(same) {
            Some(window) => window,
            None => {
                self.windows.push(OverWindow {
                    partition,
                    frame,
                    calls: Vec::new(),
                });
                self.windows.len() - 1
            }
        };
        if self.places.len() == CALLS_MAX {
            return Err(Invalid::new(format!(
                "a query may have {CALLS_MAX} calls with OVER"
            )));
        }
        let calls = &mut self.windows[window].calls;
        calls.push(bound);
        self.places.push((window, calls.len() - 1));
        Ok(Expr::column(UNPLACED + self.places.len() - 1, ty))
    }

    /// What a window is, with what it refines.
    fn window(
        &self,
        binder: &Binder<'_>,
        over: &WindowReference,
        frame_without: Frame,
    ) -> Result<(Vec<Expr>, Frame), Invalid> {
        let named = RefCell::new(Vec::new());
        let mut partition_by: &[Expression] = &[];
        let mut frame = None;
        let mut next = Some(over);
        let mut current: Option<&WindowSpecification> = None;
        loop {
            let specification = match (next.take(), current.take()) {
                (Some(WindowReference::Written(specification)), _) => specification.as_ref(),
                (Some(WindowReference::Named(name)), _) => self.named(name, &named)?,
                (None, Some(specification)) => match &specification.base {
                    Some(base) => self.named(base, &named)?,
                    None => break,
                },
                (None, None) => break,
            };
            if partition_by.is_empty() {
                partition_by = &specification.partition_by;
            }
            if frame.is_none() {
                frame = specification.frame.as_ref();
            }
            self.check_order(binder, specification)?;
            current = Some(specification);
        }
        let scope = self.scope;
        let keys = partition_by.iter();
        let keys = keys.map(|key| binder.expression(key, &mut Rows { scope }));
        let frame = match frame {
            Some(frame) => frame_of(frame)?,
            None => frame_without,
        };
        Ok((keys.collect::<Result<_, _>>()?, frame))
    }

    /// The window of a name; each name once, so that none refines itself.
    fn named(
        &self,
        name: &Name,
        seen: &RefCell<Vec<String>>,
    ) -> Result<&WindowSpecification, Invalid> {
        if seen.borrow().contains(&name.text) {
            return Err(Invalid::at(
                name.at,
                format!("window '{}' refines itself", name.text),
            ));
        }
        seen.borrow_mut().push(name.text.clone());
        let mut windows = self.select.windows.iter();
        match windows.find(|(known, _)| known.text == name.text) {
            Some((_, specification)) => Ok(specification),
            None => Err(Invalid::at(
                name.at,
                format!("Window '{}' not found", name.text),
            )),
        }
    }

    fn check_order(
        &self,
        binder: &Binder<'_>,
        specification: &WindowSpecification,
    ) -> Result<(), Invalid> {
        for order in &specification.order_by {
            let scope = self.scope;
            let by = binder.expression(&order.expression, &mut Rows { scope })?;
            if by.as_column() != Some(0) || order.descending || order.within.is_some() {
                return Err(Invalid::at(
                    order.expression.at,
                    "rows of a window come in the order of ROWTIME, and of nothing else",
                ));
            }
        }
        Ok(())
    }
}

/// Frames end with the current row: what comes later is not known yet.
fn frame_of(frame: &crate::ast::Frame) -> Result<Frame, Invalid> {
    match &frame.end {
        None | Some(FrameBound::CurrentRow) => {}
        Some(_) => {
            return Err(Invalid::new(
                "a window that slides ends with the current row",
            ));
        }
    }
    match (frame.unit, &frame.start) {
        (_, FrameBound::UnboundedPreceding) => Ok(Frame::Unbounded),
        (FrameUnit::Rows, FrameBound::CurrentRow) => Ok(Frame::Rows(0)),
        (FrameUnit::Rows, FrameBound::Preceding(rows)) => Ok(Frame::Rows(window::count(rows)?)),
        (FrameUnit::Range, FrameBound::CurrentRow) => Ok(Frame::Range(0)),
        (FrameUnit::Range, FrameBound::Preceding(interval)) => {
            Ok(Frame::Range(window::interval(interval)?))
        }
        _ => Err(Invalid::new(
            "a window that slides begins with rows or an interval PRECEDING",
        )),
    }
}

/// A function that looks at certain rows of its window, if it is one.
fn analytic(
    binder: &Binder<'_>,
    call: &Call,
    scope: &Scope,
) -> Result<Option<AnalyticCall>, Invalid> {
    let name = call.name.text.as_str();
    let arguments = call.arguments.as_slice();
    let (kind, argument, default) = match (name, arguments) {
        ("FIRST_VALUE", [argument]) => (AnalyticKind::FirstValue, argument, None),
        ("LAST_VALUE", [argument]) => (AnalyticKind::LastValue, argument, None),
        ("LAG", [argument]) => (AnalyticKind::Lag(1), argument, None),
        ("LAG", [argument, rows]) => (AnalyticKind::Lag(window::count(rows)?), argument, None),
        ("LAG", [argument, rows, default]) => {
            let kind = AnalyticKind::Lag(window::count(rows)?);
            (kind, argument, Some(default))
        }
        ("NTH_VALUE", [argument, place]) => match window::count(place)? {
            0 => return Err(Invalid::new("NTH_VALUE counts from 1")),
            place => (AnalyticKind::NthValue(place), argument, None),
        },
        ("FIRST_VALUE" | "LAST_VALUE" | "LAG" | "NTH_VALUE", _) => {
            return Err(Invalid::new(format!(
                "{name} does not take {} arguments",
                arguments.len()
            )));
        }
        _ => return Ok(None),
    };
    if call.distinct || call.star || call.filter.is_some() {
        return Err(Invalid::new(format!(
            "{name} takes values, and nothing else"
        )));
    }
    let argument = binder.expression(argument, &mut Rows { scope })?;
    let ty = argument.ty();
    let default = match default {
        Some(default) => {
            let default = binder.expression(default, &mut Rows { scope })?;
            Some(functions::cast(default, ty)?)
        }
        None => None,
    };
    Ok(Some(AnalyticCall {
        kind,
        argument,
        ignore_nulls: call.ignore_nulls == Some(true),
        default,
        ty,
    }))
}
