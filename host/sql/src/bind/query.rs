//! Queries become plans.

use super::expression::{Meaning, truth};
use super::output::{Item, Listed, is_rowtime, listed, name_of, project};
use super::relation::Related;
use super::scope::Scope;
use super::{Binder, Bound, monotonic};
use crate::ast::{
    Expression, ExpressionKind, JoinCondition, Name, OrderBy, Query, QueryBody, Relation, Select,
    SetOperator,
};
use crate::expr::Expr;
use crate::fault::Invalid;
use crate::functions;
use crate::plan::{Plan, SetKind, SetStep, SortKey, SortStep, Step};
use crate::ty::{Column, RowType, SqlType};

/// Names mean columns, and an aggregate means nothing.
pub struct Rows<'s> {
    pub scope: &'s Scope,
}

impl Meaning for Rows<'_> {
    fn column(&mut self, names: &[Name]) -> Result<Expr, Invalid> {
        self.scope.resolve(names)
    }

    fn whole(&mut self, _: &Binder<'_>, _: &Expression) -> Result<Option<Expr>, Invalid> {
        Ok(None)
    }
}

/// Why an order is refused.
pub const DOWNWARDS: &str = "rows of a stream cannot be sorted downwards by their time";
pub const UNSORTABLE: &str =
    "ORDER BY needs ROWTIME first, an expression of it that never falls, or WITHIN INTERVAL";

impl Binder<'_> {
    /// A query by itself: its rows, in the columns of its list.
    ///
    /// # Errors
    ///
    /// What is wrong with it, with the place.
    pub fn query(&self, query: &Query) -> Result<Bound, Invalid> {
        self.deeper(query.at, || match &query.body {
            QueryBody::Select(select) => self.select(select, &query.order_by),
            QueryBody::Values(rows) => self.values(rows),
            QueryBody::Set {
                operator,
                all,
                left,
                right,
            } => {
                if let Some(order) = query.order_by.first() {
                    return Err(Invalid::at(
                        order.expression.at,
                        "rows of a set operator cannot be sorted but by a query around it",
                    ));
                }
                let left = self.query(left)?;
                let right = self.query(right)?;
                set_of(*operator, *all, left, right).map_err(|invalid| invalid.or_at(query.at))
            }
        })
    }

    fn select(&self, select: &Select, order_by: &[OrderBy]) -> Result<Bound, Invalid> {
        let mut related = self.source_rows(select)?;
        let is_grouped = !select.group_by.is_empty()
            || select.stagger.is_some()
            || related.window.is_some()
            || has_aggregates(select);
        if !is_grouped {
            self.sorted(&mut related, order_by)?;
        }
        let bound = if is_grouped {
            self.grouped(select, order_by, related)?
        } else if let Some(having) = &select.having {
            return Err(Invalid::at(having.at, "HAVING needs GROUP BY"));
        } else if has_over(select) {
            self.over(select, related)?
        } else {
            let items = self.items(select, &related.scope)?;
            self.checked_rowtime(select, &related)?;
            project(related.plan, items)?
        };
        if select.distinct {
            return Ok(distinct(bound));
        }
        Ok(bound)
    }

    /// The rows of FROM that WHERE lets through. What says how two relations without ON go together
    /// becomes part of their join.
    fn source_rows(&self, select: &Select) -> Result<Related, Invalid> {
        let Some(from) = &select.from else {
            return Err(Invalid::at(select.at, "a query of a stream needs FROM"));
        };
        if let (
            Relation::Join {
                condition: JoinCondition::None,
                ..
            },
            Some(filter),
        ) = (from, &select.filter)
        {
            return self.relation(from, Some(filter));
        }
        let related = self.relation(from, None)?;
        let Some(filter) = &select.filter else {
            return Ok(related);
        };
        let mut meaning = Rows {
            scope: &related.scope,
        };
        let condition = self.expression(filter, &mut meaning)?;
        let condition = truth(condition).map_err(|invalid| invalid.or_at(filter.at))?;
        Ok(Related {
            plan: filtered(related.plan, condition),
            ..related
        })
    }

    /// `ORDER BY`: rows come in the order of ROWTIME anyway; by another time they are held back.
    fn sorted(&self, related: &mut Related, order_by: &[OrderBy]) -> Result<(), Invalid> {
        let Some((first, others)) = order_by.split_first() else {
            return Ok(());
        };
        let at = first.expression.at;
        if first.descending {
            return Err(Invalid::at(at, DOWNWARDS));
        }
        let is_monotonic = monotonic::is_monotonic(&first.expression, &related.scope);
        let within = match &first.within {
            Some(within) => super::window::interval(within)?,
            None if is_monotonic && others.is_empty() => return Ok(()),
            None if is_monotonic => 0,
            None => return Err(Invalid::at(at, UNSORTABLE)),
        };
        let scope = &related.scope;
        let by = self.expression(&first.expression, &mut Rows { scope })?;
        if by.ty() != SqlType::Timestamp {
            return Err(Invalid::at(at, "rows are sorted by a TIMESTAMP"));
        }
        let mut then = Vec::with_capacity(others.len());
        for other in others {
            then.push(SortKey {
                value: self.expression(&other.expression, &mut Rows { scope })?,
                descending: other.descending,
            });
        }
        let rows = related.plan.rows.clone();
        let input = std::mem::replace(&mut related.plan, placeholder(&rows));
        related.sorted_by = Some(first.expression.clone());
        let sort = SortStep {
            input,
            by,
            within,
            then,
        };
        let step = Step::Sort(Box::new(sort));
        related.plan = Plan { step, rows };
        Ok(())
    }

    /// The items of a list without groups and windows.
    fn items(&self, select: &Select, scope: &Scope) -> Result<Vec<Item>, Invalid> {
        let mut items = Vec::new();
        for (number, one) in listed(&select.items).enumerate() {
            match one {
                Listed::All { of } => items.extend(starred(scope, of)?),
                Listed::One { expression, alias } => {
                    if let Some(several) = self.several(expression, alias, scope)? {
                        items.extend(several);
                        continue;
                    }
                    let value = self.expression(expression, &mut Rows { scope })?;
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
        Ok(items)
    }

    /// The columns of a function that gives several, under the name of the item.
    fn several(
        &self,
        expression: &Expression,
        alias: Option<&Name>,
        scope: &Scope,
    ) -> Result<Option<Vec<Item>>, Invalid> {
        let ExpressionKind::Call(call) = &expression.kind else {
            return Ok(None);
        };
        // Aggregates and what is over windows are not such functions, and mean nothing here.
        if call.over.is_some() || crate::aggregate::is_aggregate(&call.name.text) {
            return Ok(None);
        }
        let mut arguments = Vec::with_capacity(call.arguments.len());
        for argument in &call.arguments {
            arguments.push(self.expression(argument, &mut Rows { scope })?);
        }
        let columns = functions::row_columns(&call.name.text, &arguments);
        let Some(columns) = columns else {
            return Ok(None);
        };
        let columns = columns.map_err(|invalid| invalid.or_at(expression.at))?;
        let group = alias.map(|alias| alias.text.clone());
        let items = columns.into_iter().map(|(name, value)| Item {
            group: group.clone(),
            name,
            value,
            is_rowtime: false,
        });
        Ok(Some(items.collect()))
    }

    /// What is called ROWTIME must not fall, or what comes behind it cannot know what is over.
    pub fn checked_rowtime(&self, select: &Select, related: &Related) -> Result<(), Invalid> {
        for one in listed(&select.items) {
            let Listed::One {
                expression,
                alias: Some(alias),
            } = one
            else {
                continue;
            };
            if !is_rowtime(&alias.text) || monotonic::is_monotonic(expression, &related.scope) {
                continue;
            }
            let sorted = related.sorted_by.as_ref();
            let is_sorted = sorted.is_some_and(|by| {
                let digest = |expression| {
                    let scope = &related.scope;
                    self.expression(expression, &mut Rows { scope })
                        .map(|expr| format!("{expr:?}"))
                };
                matches!((digest(by), digest(expression)), (Ok(by), Ok(is)) if by == is)
            });
            if !is_sorted {
                return Err(Invalid::at(
                    expression.at,
                    "what is called ROWTIME has to be ROWTIME, an expression of it that never \
                     falls, or what ORDER BY … WITHIN sorts by",
                ));
            }
        }
        Ok(())
    }

    fn values(&self, rows: &[Vec<Expression>]) -> Result<Bound, Invalid> {
        let scope = Scope::default();
        let mut bound: Vec<Vec<Expr>> = Vec::with_capacity(rows.len());
        for row in rows {
            let values = row.iter();
            let values = values.map(|value| self.expression(value, &mut Rows { scope: &scope }));
            bound.push(values.collect::<Result<_, _>>()?);
        }
        let width = bound.first().map_or(0, Vec::len);
        let mut columns = Vec::with_capacity(width);
        for index in 0..width {
            let types: Option<Vec<SqlType>> = bound
                .iter()
                .map(|row| row.get(index).map(Expr::ty))
                .collect();
            let ty = types.and_then(|types| functions::common_type(&types));
            let ty = ty.ok_or_else(|| {
                Invalid::new("the rows of VALUES have to have as many values of like types")
            })?;
            let name = format!("EXPR${index}");
            columns.push(Column { name, ty });
        }
        let mut values = Vec::with_capacity(bound.len());
        for row in bound {
            let cast = row.into_iter().zip(&columns);
            let cast = cast.map(|(value, column)| functions::cast(value, column.ty));
            values.push(cast.collect::<Result<Vec<_>, _>>()?);
        }
        let rowtimes = vec![false; columns.len()];
        let rows = RowType::with_rowtime(columns);
        let step = Step::Values { values };
        Ok(Bound::new(Plan { step, rows }, rowtimes))
    }
}

/// All columns of a relation, or of all of them.
pub fn starred(scope: &Scope, of: Option<&Name>) -> Result<Vec<Item>, Invalid> {
    let columns = scope.starred(of)?.into_iter();
    let items = columns.map(|column| Item {
        group: column.group.clone(),
        name: column.name.clone(),
        value: Expr::column(column.index, column.ty),
        is_rowtime: false,
    });
    Ok(items.collect())
}

/// The rows that make a condition true.
pub fn filtered(input: Plan, condition: Expr) -> Plan {
    let rows = input.rows.clone();
    let input = Box::new(input);
    let step = Step::Filter { input, condition };
    Plan { step, rows }
}

/// What stands in a plan's place while it is moved.
fn placeholder(rows: &RowType) -> Plan {
    let step = Step::Union { inputs: Vec::new() };
    let rows = rows.clone();
    Plan { step, rows }
}

fn distinct(bound: Bound) -> Bound {
    let rows = bound.plan.rows.clone();
    let set = SetStep {
        kind: SetKind::Distinct,
        inputs: vec![bound.plan],
        window: None,
    };
    let step = Step::Set(Box::new(set));
    Bound::new(Plan { step, rows }, bound.rowtimes)
}

fn set_of(operator: SetOperator, all: bool, left: Bound, right: Bound) -> Result<Bound, Invalid> {
    let names: Vec<Column> = left.plan.rows.declared().to_vec();
    let others = right.plan.rows.declared();
    if names.len() != others.len() {
        return Err(Invalid::new(format!(
            "both sides of a set operator have as many columns, not {} and {}",
            names.len(),
            others.len()
        )));
    }
    let mut columns = Vec::with_capacity(names.len());
    for (left, right) in names.iter().zip(others) {
        let Some(ty) = functions::common_type(&[left.ty, right.ty]) else {
            return Err(Invalid::new(format!(
                "column {} is {} on one side and {} on the other",
                left.name, left.ty, right.ty
            )));
        };
        let name = left.name.clone();
        columns.push(Column { name, ty });
    }
    let rowtimes = left.rowtimes.clone();
    let rows = RowType::with_rowtime(columns);
    let inputs = vec![cast_to(left.plan, &rows)?, cast_to(right.plan, &rows)?];
    let kind = match operator {
        SetOperator::Union => None,
        SetOperator::Except => Some(SetKind::Except),
        SetOperator::Intersect => Some(SetKind::Intersect),
    };
    let step = match kind {
        None => Step::Union { inputs },
        Some(_) if all => {
            return Err(Invalid::new("ALL goes with UNION only"));
        }
        Some(kind) => Step::Set(Box::new(SetStep {
            kind,
            inputs,
            window: None,
        })),
    };
    let is_union = kind.is_none();
    let bound = Bound::new(Plan { step, rows }, rowtimes);
    if is_union && !all {
        return Ok(distinct(bound));
    }
    Ok(bound)
}

/// The same rows with columns of these types.
fn cast_to(input: Plan, rows: &RowType) -> Result<Plan, Invalid> {
    if input.rows == *rows {
        return Ok(input);
    }
    let mut values = vec![Expr::column(0, SqlType::Timestamp)];
    let pairs = input.rows.declared().iter().zip(rows.declared());
    for (index, (from, to)) in pairs.enumerate() {
        values.push(functions::cast(Expr::column(index + 1, from.ty), to.ty)?);
    }
    let input = Box::new(input);
    let rows = rows.clone();
    let step = Step::Project { input, values };
    Ok(Plan { step, rows })
}

fn has_aggregates(select: &Select) -> bool {
    any_call(select, &|call| {
        call.over.is_none() && crate::aggregate::is_aggregate(&call.name.text)
    })
}

fn has_over(select: &Select) -> bool {
    any_call(select, &|call| call.over.is_some())
}

fn any_call(select: &Select, is: &dyn Fn(&crate::ast::Call) -> bool) -> bool {
    listed(&select.items).any(|one| match one {
        Listed::All { .. } => false,
        Listed::One { expression, .. } => expression.any_call(is),
    })
}
