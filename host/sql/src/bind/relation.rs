//! What rows come from: FROM.

use std::collections::HashMap;

use super::scope::Scope;
use super::window::Windowed;
use super::{Binder, Bound, joining};
use crate::ast::{Alias, Expression, Name, Relation, WindowReference};
use crate::batch::Millis;
use crate::fault::Invalid;
use crate::plan::{Plan, Step};
use crate::ty::RowType;

/// The rows of FROM.
pub struct Related {
    pub plan: Plan,
    pub scope: Scope,
    /// The windows that a function puts rows into (TUMBLE and its like).
    pub window: Option<Windowed>,
    /// A column that may be out of order, and by how much.
    pub watermark: Option<(usize, Millis)>,
    /// What ORDER BY … WITHIN has sorted them by.
    pub sorted_by: Option<Expression>,
}

impl Related {
    pub fn new(plan: Plan, scope: Scope) -> Self {
        Self {
            plan,
            scope,
            window: None,
            watermark: None,
            sorted_by: None,
        }
    }
}

impl Binder<'_> {
    /// The rows of a relation. `on` is what WHERE says, for relations whose join says nothing.
    ///
    /// # Errors
    ///
    /// It is not there, or cannot be read in such a way.
    pub fn relation(
        &self,
        relation: &Relation,
        on: Option<&Expression>,
    ) -> Result<Related, Invalid> {
        match relation {
            Relation::Named {
                name,
                window,
                alias,
            } => {
                self.refuse_window(window.as_ref())?;
                self.stream(name, alias.as_ref())
            }
            Relation::Subquery {
                query,
                window,
                alias,
            } => {
                self.refuse_window(window.as_ref())?;
                let bound = self.query(query)?.without_rowtimes();
                subquery(bound, alias.as_ref())
            }
            Relation::Function { call, alias } => self.table_function(call, alias.as_ref()),
            Relation::Join { at, .. } => self.deeper(*at, || self.join(relation, on)),
        }
    }

    fn refuse_window(&self, window: Option<&WindowReference>) -> Result<(), Invalid> {
        match window {
            None => Ok(()),
            Some(_) => Err(Invalid::new(joining::WINDOW_WITHOUT_JOIN)),
        }
    }

    /// All rows of a stream.
    pub fn stream(&self, name: &Name, alias: Option<&Alias>) -> Result<Related, Invalid> {
        let Some((known, stream)) = named(self.streams, name) else {
            let what = match named(self.tables, name) {
                Some(_) => format!(
                    "Table '{}' holds reference data: it is read in a join with a stream",
                    name.text
                ),
                None => format!("Table '{}' not found", name.text),
            };
            return Err(Invalid::at(name.at, what));
        };
        let rows = stream.rows.clone();
        let mut scope = named_scope(&rows, Some(known), alias)?;
        for visible in scope.columns.iter_mut().rev().take(stream.hidden) {
            visible.starred = false;
        }
        let step = Step::Stream(stream.id);
        let mut related = Related::new(Plan { step, rows }, scope);
        related.watermark = stream.watermark;
        Ok(related)
    }
}

/// Rows of a query, under the name that it is given.
pub fn subquery(bound: Bound, alias: Option<&Alias>) -> Result<Related, Invalid> {
    let mut scope = named_scope(&bound.plan.rows, None, alias)?;
    for (visible, group) in scope.columns.iter_mut().skip(1).zip(bound.groups) {
        visible.group = group;
    }
    Ok(Related::new(bound.plan, scope))
}

/// The columns of a relation by the names that it was given.
pub fn named_scope(
    rows: &RowType,
    name: Option<&str>,
    alias: Option<&Alias>,
) -> Result<Scope, Invalid> {
    let Some(alias) = alias else {
        return Ok(Scope::of_rows(rows, name));
    };
    let mut scope = Scope::of_rows(rows, Some(&alias.name.text));
    if alias.columns.is_empty() {
        return Ok(scope);
    }
    if alias.columns.len() != rows.declared().len() {
        return Err(Invalid::at(
            alias.name.at,
            format!(
                "{} columns are named, there are {}",
                alias.columns.len(),
                rows.declared().len()
            ),
        ));
    }
    let declared = scope.columns.iter_mut().skip(1);
    for (visible, name) in declared.zip(&alias.columns) {
        visible.name.clone_from(&name.text);
    }
    Ok(scope)
}

/// What is called so. A name that was written without quotes is found in any capitals, if there is
/// one such: names of streams and of members of JSON are seldom written in capitals only.
pub fn named<'m, T>(map: &'m HashMap<String, T>, name: &Name) -> Option<(&'m str, &'m T)> {
    if let Some((known, value)) = map.get_key_value(&name.text) {
        return Some((known.as_str(), value));
    }
    if name.quoted {
        return None;
    }
    let mut alike = map.iter();
    let mut alike = alike
        .by_ref()
        .filter(|(known, _)| known.eq_ignore_ascii_case(&name.text));
    match (alike.next(), alike.next()) {
        (Some((known, value)), None) => Some((known.as_str(), value)),
        _ => None,
    }
}
