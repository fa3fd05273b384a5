//! Which columns a name may mean.

use crate::ast::Name;
use crate::expr::Expr;
use crate::fault::Invalid;
use crate::ty::{Column, ROWTIME, RowType, SqlType};

/// A column that can be named.
#[derive(Clone, Debug)]
pub struct Visible {
    /// The relation that it is a column of, if that has a name.
    pub relation: Option<String>,
    /// The column that holds several values and that this is one of (`r` of `r.COLUMN1`).
    pub group: Option<String>,
    pub name: String,
    pub ty: SqlType,
    /// Its place in the rows.
    pub index: usize,
    /// `*` means it, too.
    pub starred: bool,
}

/// The columns of the rows that an expression is over.
#[derive(Clone, Debug, Default)]
pub struct Scope {
    pub columns: Vec<Visible>,
}

impl Scope {
    /// The columns of rows that have one relation's name.
    pub fn of_rows(rows: &RowType, relation: Option<&str>) -> Self {
        let visible = |(index, column): (usize, &Column)| Visible {
            relation: relation.map(str::to_owned),
            group: None,
            name: column.name.clone(),
            ty: column.ty,
            index,
            starred: index > 0,
        };
        Self {
            columns: rows.columns().iter().enumerate().map(visible).collect(),
        }
    }

    /// Both sides of a join, whose rows are the joined ROWTIME, those of the left side and those of
    /// the right side.
    pub fn joined(left: &Self, left_columns: usize, right: &Self) -> Self {
        let moved = |scope: &Self, by: usize| {
            let columns = scope.columns.clone().into_iter();
            columns
                .map(move |mut column| {
                    column.index += by;
                    column
                })
                .collect::<Vec<_>>()
        };
        let rowtime = Visible {
            relation: None,
            group: None,
            name: ROWTIME.to_owned(),
            ty: SqlType::Timestamp,
            index: 0,
            starred: false,
        };
        let mut columns = vec![rowtime];
        columns.extend(moved(left, 1));
        columns.extend(moved(right, 1 + left_columns));
        Self { columns }
    }

    /// The column that is written so: `column`, `relation.column`, `group.column` or
    /// `relation.group.column`.
    ///
    /// # Errors
    ///
    /// None or several are called so.
    pub fn resolve(&self, names: &[Name]) -> Result<Expr, Invalid> {
        let [.., last] = names else {
            return Err(Invalid::new("internal: a column without a name"));
        };
        let exact = self
            .columns
            .iter()
            .filter(|column| column.is_named(names, false));
        let mut found: Vec<&Visible> = exact.collect();
        if found.is_empty() {
            // Members of JSON are seldom written in capitals: without quotes they are found, too.
            let alike = self
                .columns
                .iter()
                .filter(|column| column.is_named(names, true));
            found = alike.collect();
        }
        let written = || {
            let parts: Vec<&str> = names.iter().map(|name| name.text.as_str()).collect();
            parts.join(".")
        };
        let Some(column) = found.first() else {
            return Err(Invalid::at(
                last.at,
                format!("Column '{}' not found in any table", written()),
            ));
        };
        // Of several ROWTIMEs without a relation, the one of the rows themselves is meant.
        let means_rows = names.len() == 1 && column.index == 0;
        if !means_rows && found.len() > 1 {
            return Err(Invalid::at(
                last.at,
                format!("Column '{}' is ambiguous", written()),
            ));
        }
        Ok(Expr::column(column.index, column.ty))
    }

    /// The columns that `*` or `relation.*` means.
    ///
    /// # Errors
    ///
    /// There is no relation of that name.
    pub fn starred(&self, of: Option<&Name>) -> Result<Vec<&Visible>, Invalid> {
        let Some(of) = of else {
            return Ok(self
                .columns
                .iter()
                .filter(|column| column.starred)
                .collect());
        };
        let is_of = |column: &&Visible| {
            column.relation.as_deref().is_some_and(|relation| {
                relation == of.text || !of.quoted && relation.eq_ignore_ascii_case(&of.text)
            })
        };
        if !self.columns.iter().any(|column| is_of(&column)) {
            return Err(Invalid::at(of.at, format!("Table '{}' not found", of.text)));
        }
        let columns = self.columns.iter().filter(is_of);
        Ok(columns.filter(|column| column.starred).collect())
    }
}

impl Visible {
    /// Whether it is written so; `folded`: in whatever capitals, where there are no quotes.
    fn is_named(&self, names: &[Name], folded: bool) -> bool {
        let is_text = |part: &str, name: &Name| {
            part == name.text || folded && !name.quoted && part.eq_ignore_ascii_case(&name.text)
        };
        let is = |part: &Option<String>, name: &Name| {
            part.as_deref().is_some_and(|part| is_text(part, name))
        };
        let [before @ .., column] = names else {
            return false;
        };
        if !is_text(&self.name, column) {
            return false;
        }
        match (before, &self.group) {
            ([], None) => true,
            ([first], None) => is(&self.relation, first),
            ([first], Some(_)) => is(&self.group, first),
            ([relation, group], Some(_)) => is(&self.relation, relation) && is(&self.group, group),
            _ => false,
        }
    }
}
