//! What the rows of a query look like: the list of SELECT over the rows below it.

use super::Bound;
use crate::ast::{Expression, ExpressionKind, Name, SelectItem};
use crate::expr::Expr;
use crate::fault::Invalid;
use crate::plan::{Plan, Step};
use crate::ty::{Column, ROWTIME, RowType, SqlType};

/// One column of the list, bound.
#[derive(Debug)]
pub struct Item {
    /// The item that has it among several values.
    pub group: Option<String>,
    pub name: String,
    pub value: Expr,
    /// It is the rows' time, written as such or called so.
    pub is_rowtime: bool,
}

/// The name of an item: what it is called, the column that it is, or `EXPR$n` as AWS has it.
pub fn name_of(expression: &Expression, alias: Option<&Name>, number: usize) -> String {
    if let Some(alias) = alias {
        return alias.text.clone();
    }
    match &expression.kind {
        ExpressionKind::Column(names) => match names.last() {
            Some(name) => name.text.clone(),
            None => format!("EXPR${number}"),
        },
        _ => format!("EXPR${number}"),
    }
}

/// The items that are written, `*` taken apart by whoever knows the columns.
pub enum Listed<'a> {
    All {
        of: Option<&'a Name>,
    },
    One {
        expression: &'a Expression,
        alias: Option<&'a Name>,
    },
}

pub fn listed(items: &[SelectItem]) -> impl Iterator<Item = Listed<'_>> {
    items.iter().map(|item| match item {
        SelectItem::All { of } => Listed::All { of: of.as_ref() },
        SelectItem::Expression { expression, alias } => Listed::One {
            expression,
            alias: alias.as_ref(),
        },
    })
}

/// Rows of these items over the rows of a plan. An item called ROWTIME is their time; it stays
/// among the columns too, until it is known how many are wanted.
///
/// # Errors
///
/// Two items are called ROWTIME, or one that is no timestamp.
pub fn project(input: Plan, items: Vec<Item>) -> Result<Bound, Invalid> {
    let mut rowtime = Expr::column(0, SqlType::Timestamp);
    let named: Vec<&Item> = items.iter().filter(|item| item.is_rowtime).collect();
    match named.as_slice() {
        [] => {}
        [item] if item.value.ty() == SqlType::Timestamp => rowtime = item.value.clone(),
        [_] => return Err(Invalid::new("ROWTIME has to be a TIMESTAMP")),
        _ => return Err(Invalid::new("two columns are called ROWTIME")),
    }
    let rowtimes: Vec<bool> = items.iter().map(|item| item.is_rowtime).collect();
    let groups = items.iter().map(|item| item.group.clone()).collect();
    let columns = items.iter().map(|item| Column {
        name: item.name.clone(),
        ty: item.value.ty(),
    });
    let rows = RowType::with_rowtime(columns);
    let values = items.into_iter().map(|item| item.value);
    let step = Step::Project {
        input: Box::new(input),
        values: [rowtime].into_iter().chain(values).collect(),
    };
    let plan = Plan { step, rows };
    Ok(Bound {
        plan,
        rowtimes,
        groups,
    })
}

impl Bound {
    /// Rows none of whose columns is one of several of an item.
    pub fn new(plan: Plan, rowtimes: Vec<bool>) -> Self {
        let groups = vec![None; rowtimes.len()];
        Self {
            plan,
            rowtimes,
            groups,
        }
    }

    /// The same rows without the columns that repeat their time: what a query inside of another
    /// one gives.
    pub fn without_rowtimes(mut self) -> Self {
        if !self.rowtimes.contains(&true) {
            return self;
        }
        let mut values = vec![Expr::column(0, SqlType::Timestamp)];
        let mut columns = Vec::new();
        let mut groups = Vec::new();
        let declared = self.plan.rows.declared().iter().enumerate();
        for ((index, column), is_rowtime) in declared.zip(&self.rowtimes) {
            if !is_rowtime {
                values.push(Expr::column(index + 1, column.ty));
                columns.push(column.clone());
                groups.push(self.groups[index].take());
            }
        }
        let rowtimes = vec![false; columns.len()];
        let rows = RowType::with_rowtime(columns);
        let input = Box::new(self.plan);
        let step = Step::Project { input, values };
        let plan = Plan { step, rows };
        Self {
            plan,
            rowtimes,
            groups,
        }
    }
}

/// Whether a name is that of the rows' time.
pub fn is_rowtime(name: &str) -> bool {
    name == ROWTIME
}
