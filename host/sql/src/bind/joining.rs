//! Joins: which rows of the two sides meet, and for how long they are kept.

use super::expression::truth;
use super::query::Rows;
use super::relation::{Related, named, named_scope, subquery};
use super::scope::{Scope, Visible};
use super::{Binder, window};
use crate::ast::{
    BinaryOperator, Expression, ExpressionKind, Frame, FrameBound, FrameUnit, JoinCondition,
    JoinKind, Name, Relation, TrimSide, WindowReference, WindowSpecification,
};
use crate::expr::Expr;
use crate::fault::{Invalid, Place};
use crate::functions;
use crate::plan::{Join, JoinInput, JoinSide, JoinWindow, Plan, Step};
use crate::ty::{Column, Family, RowType, SqlType};

/// What is said of `s OVER (…)` outside of a join.
pub const WINDOW_WITHOUT_JOIN: &str = "OVER after a stream belongs to a join";

/// One side with its names.
struct Side {
    input: JoinInput,
    scope: Scope,
    window: JoinWindow,
}

impl Side {
    fn rows(&self) -> &RowType {
        match &self.input {
            JoinInput::Stream(plan) => &plan.rows,
            JoinInput::Table(_, rows) => rows,
        }
    }
}

impl Binder<'_> {
    /// The rows of a join. `on` is what WHERE says, where the join itself says nothing.
    ///
    /// # Errors
    ///
    /// Names that are not known, or rows that would have to be kept for ever.
    pub fn join(&self, relation: &Relation, on: Option<&Expression>) -> Result<Related, Invalid> {
        let Relation::Join {
            left,
            right,
            kind,
            condition,
            at,
        } = relation
        else {
            return Err(Invalid::new("internal: no join"));
        };
        let left = self.side(left)?;
        let right = self.side(right)?;
        check_windows(&left, &right, *kind, *at)?;
        let width = left.rows().columns().len();
        let mut scope = Scope::joined(&left.scope, width, &right.scope);
        let mut conditions = Vec::new();
        match (condition, on) {
            (JoinCondition::None, None) => {}
            (JoinCondition::None, Some(on)) | (JoinCondition::On(on), _) => {
                self.conjuncts(on, &scope, &mut conditions)?;
            }
            (JoinCondition::Using(names), _) => {
                for name in names {
                    conditions.push(using(name, &left.scope, &mut scope, width)?);
                }
            }
        }
        let mut equal = Vec::new();
        let mut others: Option<Expr> = None;
        for condition in conditions {
            match condition {
                Conjunct::Equal(a, b) => match sides_of(a, b, width)? {
                    Sides::Equal(left, right) => equal.push((left, right)),
                    Sides::Condition(condition) => others = Some(both(others, condition)),
                },
                Conjunct::Other(condition) => others = Some(both(others, condition)),
            }
        }
        let rows = joined_rows(left.rows(), right.rows());
        let side = |side: Side| JoinSide {
            input: side.input,
            window: side.window,
        };
        let join = Join {
            left: side(left),
            right: side(right),
            left_outer: matches!(kind, JoinKind::Left | JoinKind::Full),
            right_outer: matches!(kind, JoinKind::Right | JoinKind::Full),
            equal,
            condition: others,
        };
        let step = Step::Join(Box::new(join));
        Ok(Related::new(Plan { step, rows }, scope))
    }

    fn side(&self, relation: &Relation) -> Result<Side, Invalid> {
        let (related, window) = match relation {
            Relation::Named {
                name,
                window,
                alias,
            } => {
                if let Some((known, table)) = named(self.tables, name) {
                    let scope = named_scope(&table.rows, Some(known), alias.as_ref())?;
                    return Ok(Side {
                        input: JoinInput::Table(table.id, table.rows.clone()),
                        scope,
                        window: JoinWindow::All,
                    });
                }
                (self.stream(name, alias.as_ref())?, window.as_ref())
            }
            Relation::Subquery {
                query,
                window,
                alias,
            } => {
                let bound = self.query(query)?.without_rowtimes();
                (subquery(bound, alias.as_ref())?, window.as_ref())
            }
            other => (self.relation(other, None)?, None),
        };
        if related.window.is_some() {
            return Err(Invalid::new(
                "rows of TUMBLE, HOP, SESSION and CUMULATE are grouped before they are joined",
            ));
        }
        let window = match window {
            None => JoinWindow::None,
            Some(window) => join_window(window)?,
        };
        Ok(Side {
            input: JoinInput::Stream(related.plan),
            scope: related.scope,
            window,
        })
    }

    /// What has to be true, taken apart at each AND.
    fn conjuncts(
        &self,
        condition: &Expression,
        scope: &Scope,
        to: &mut Vec<Conjunct>,
    ) -> Result<(), Invalid> {
        let at = condition.at;
        if let ExpressionKind::Binary {
            operator,
            left,
            right,
        } = &condition.kind
        {
            match operator {
                BinaryOperator::And => {
                    self.conjuncts(left, scope, to)?;
                    return self.conjuncts(right, scope, to);
                }
                BinaryOperator::Equal => {
                    let left = self.expression(left, &mut Rows { scope })?;
                    let right = self.expression(right, &mut Rows { scope })?;
                    to.push(Conjunct::Equal(left, right));
                    return Ok(());
                }
                _ => {}
            }
        }
        let other = self.expression(condition, &mut Rows { scope })?;
        let other = truth(other).map_err(|invalid| invalid.or_at(at))?;
        to.push(Conjunct::Other(other));
        Ok(())
    }
}

enum Conjunct {
    Equal(Expr, Expr),
    Other(Expr),
}

enum Sides {
    Equal(Expr, Expr),
    Condition(Expr),
}

/// An equality of a value of the left side with one of the right side, or any other.
fn sides_of(a: Expr, b: Expr, width: usize) -> Result<Sides, Invalid> {
    let is_left = |expr: &Expr| {
        let columns = expr.columns();
        !columns.is_empty() && columns.iter().all(|column| (1..=width).contains(column))
    };
    let is_right = |expr: &Expr| {
        let columns = expr.columns();
        !columns.is_empty() && columns.iter().all(|column| *column > width)
    };
    let (left, right) = if is_left(&a) && is_right(&b) {
        (a, b)
    } else if is_left(&b) && is_right(&a) {
        (b, a)
    } else {
        let equal = functions::binary(BinaryOperator::Equal, a, b)?;
        return Ok(Sides::Condition(equal));
    };
    let Some(ty) = functions::common_type(&[left.ty(), right.ty()]) else {
        return Err(Invalid::new(format!(
            "a {} cannot be compared with a {}",
            left.ty(),
            right.ty()
        )));
    };
    let is_char = |expr: &Expr| matches!(expr.ty(), SqlType::Char { .. });
    let padded = is_char(&left) != is_char(&right) && ty.family() == Family::Text;
    let left = functions::cast(left.with_columns_at(&|column| column - 1), ty)?;
    let right = functions::cast(right.with_columns_at(&|column| column - 1 - width), ty)?;
    if !padded {
        return Ok(Sides::Equal(left, right));
    }
    // What is padded on one side only is compared without the spaces at its end.
    let left = functions::trim(TrimSide::Trailing, None, left)?;
    let right = functions::trim(TrimSide::Trailing, None, right)?;
    Ok(Sides::Equal(left, right))
}

fn both(before: Option<Expr>, condition: Expr) -> Expr {
    match before {
        Some(before) => Expr::and(before, condition),
        None => condition,
    }
}

/// `USING (name)`: equal on both sides, and one column where it is named alone.
fn using(name: &Name, left: &Scope, joined: &mut Scope, width: usize) -> Result<Conjunct, Invalid> {
    let names = std::slice::from_ref(name);
    let left_side = left.resolve(names)?.with_columns_at(&|column| column + 1);
    let is_right = |visible: &Visible| visible.index > width && visible.name == name.text;
    let Some(right) = joined.columns.iter().find(|visible| is_right(visible)) else {
        return Err(Invalid::at(
            name.at,
            format!("Column '{}' not found in any table", name.text),
        ));
    };
    let right_side = Expr::column(right.index, right.ty);
    // The right one stays reachable by its relation only.
    joined.columns.retain(|visible| !is_right(visible));
    Ok(Conjunct::Equal(left_side, right_side))
}

fn joined_rows(left: &RowType, right: &RowType) -> RowType {
    let columns = left.columns().iter().chain(right.columns());
    RowType::with_rowtime(columns.map(|column| Column {
        name: column.name.clone(),
        ty: column.ty,
    }))
}

/// Of two streams at least one says how long its rows are kept. An outer side has to wait for what
/// may still match it, so the other side needs an end.
fn check_windows(left: &Side, right: &Side, kind: JoinKind, at: Place) -> Result<(), Invalid> {
    let is_table = |side: &Side| matches!(side.input, JoinInput::Table(..));
    if is_table(left) && is_table(right) {
        return Err(Invalid::at(
            at,
            "a join needs a stream on at least one side",
        ));
    }
    if is_table(left) && matches!(kind, JoinKind::Left | JoinKind::Full)
        || is_table(right) && matches!(kind, JoinKind::Right | JoinKind::Full)
    {
        return Err(Invalid::at(
            at,
            "rows of reference data without a match are never over: the stream has to be the \
             outer side",
        ));
    }
    let is_bare = |side: &Side| !is_table(side) && side.window == JoinWindow::None;
    if is_bare(left) && is_bare(right) {
        return Err(Invalid::at(
            at,
            "a join of two streams keeps rows for ever, unless one of them has a window: \
             s OVER (RANGE INTERVAL '1' MINUTE PRECEDING)",
        ));
    }
    Ok(())
}

fn join_window(reference: &WindowReference) -> Result<JoinWindow, Invalid> {
    let WindowReference::Written(specification) = reference else {
        let WindowReference::Named(name) = reference else {
            return Err(Invalid::new("internal: a window of no kind"));
        };
        return Err(Invalid::at(name.at, "a window of a join is written out"));
    };
    let WindowSpecification {
        base,
        partition_by,
        order_by,
        frame,
        at,
    } = specification.as_ref();
    if base.is_some() || !partition_by.is_empty() || !order_by.is_empty() {
        return Err(Invalid::at(
            *at,
            "a window of a join is ROWS or RANGE and nothing else",
        ));
    }
    let Some(frame) = frame else {
        return Err(Invalid::at(*at, "a window of a join needs ROWS or RANGE"));
    };
    frame_of_join(frame).map_err(|invalid| invalid.or_at(*at))
}

fn frame_of_join(frame: &Frame) -> Result<JoinWindow, Invalid> {
    let end = frame.end.as_ref();
    match frame.unit {
        FrameUnit::Rows => match (&frame.start, end) {
            (FrameBound::Preceding(rows), None | Some(FrameBound::CurrentRow)) => {
                Ok(JoinWindow::Rows(window::count(rows)?))
            }
            (FrameBound::CurrentRow, None | Some(FrameBound::CurrentRow)) => Ok(JoinWindow::None),
            _ => Err(Invalid::new("ROWS of a join are so many PRECEDING")),
        },
        FrameUnit::Range => {
            let (preceding, following) = match (&frame.start, end) {
                (FrameBound::Preceding(start), None | Some(FrameBound::CurrentRow)) => {
                    (window::interval(start)?, 0)
                }
                (FrameBound::Preceding(start), Some(FrameBound::Following(end))) => {
                    (window::interval(start)?, window::interval(end)?)
                }
                (FrameBound::Following(end), None)
                | (FrameBound::CurrentRow, Some(FrameBound::Following(end))) => {
                    (0, window::interval(end)?)
                }
                (FrameBound::CurrentRow, None | Some(FrameBound::CurrentRow)) => (0, 0),
                _ => {
                    return Err(Invalid::new(
                        "RANGE of a join is an interval PRECEDING, FOLLOWING, or BETWEEN both",
                    ));
                }
            };
            Ok(JoinWindow::Range {
                preceding,
                following,
            })
        }
    }
}
