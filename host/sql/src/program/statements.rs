//! What each statement does to a program.

use super::required::required;
use super::{Draft, Pump, RESULT, already_there};
use crate::ast::{
    BinaryOperator, CreateFunction, CreatePump, CreateStream, DropKind, Expression, ExpressionKind,
    FunctionBody, Name, Query, Watermark,
};
use crate::batch::Millis;
use crate::bind::{Bound, UserFunction, constant_interval};
use crate::cell::Value;
use crate::expr::Expr;
use crate::fault::Invalid;
use crate::functions;
use crate::plan::{Plan, Step};
use crate::ty::{Column, ROWTIME, RowType, SqlType};

/// Columns of a stream, at most: as many as an input may have.
const COLUMNS_MAX: usize = 1_000;

impl Draft {
    pub(super) fn create_stream(&mut self, create: &CreateStream) -> Result<(), Invalid> {
        let at = create.name.at;
        if create.columns.len() > COLUMNS_MAX {
            return Err(Invalid::at(
                at,
                format!("a stream has at most {COLUMNS_MAX} columns"),
            ));
        }
        let mut columns: Vec<Column> = Vec::with_capacity(create.columns.len());
        for definition in &create.columns {
            let name = &definition.name;
            let is_known = columns.iter().any(|column| column.name == name.text);
            if is_known || name.text == ROWTIME {
                return Err(Invalid::at(
                    name.at,
                    format!("Column '{}' is there already", name.text),
                ));
            }
            columns.push(Column {
                name: name.text.clone(),
                ty: definition.ty,
            });
        }
        let watermark = match &create.watermark {
            Some(watermark) => Some(watermark_of(watermark, &columns)?),
            None => None,
        };
        let rows = RowType::with_rowtime(columns);
        let name = create.name.text.clone();
        if create.or_replace && self.is_own(&name) {
            self.remove_stream(&create.name)?;
        }
        self.add_stream(name.clone(), rows, watermark)
            .map_err(|invalid| invalid.or_at(at))?;
        if let Some(readable) = self.readable.get_mut(&name) {
            let columns = create.columns.iter().enumerate();
            let required = columns.filter(|(_, column)| column.not_null);
            readable.required = required.map(|(index, _)| index + 1).collect();
        }
        Ok(())
    }

    /// Whether a stream was made by the program itself.
    fn is_own(&self, name: &str) -> bool {
        let own = self.readable.get(name);
        own.is_some_and(|stream| stream.id.0 > self.sources)
    }

    /// Forgets a stream that no pump needs; its place stays empty.
    fn remove_stream(&mut self, name: &Name) -> Result<(), Invalid> {
        let Some(stream) = self.readable.get(&name.text) else {
            return Err(Invalid::at(
                name.at,
                format!("Stream '{}' not found", name.text),
            ));
        };
        if !self.is_own(&name.text) {
            return Err(Invalid::at(
                name.at,
                format!("'{}' was not made by the program", name.text),
            ));
        }
        let id = stream.id;
        let mut pumps = self.pumps.iter();
        if let Some(pump) = pumps.find(|pump| pump.target == id || pump.reads.contains(&id)) {
            return Err(Invalid::at(
                name.at,
                format!("pump '{}' needs '{}'", pump.name, name.text),
            ));
        }
        self.readable.remove(&name.text);
        // Nobody can name it any more. A name in small letters and with a space is never folded to.
        self.streams[id.0].name = format!("dropped {}", id.0);
        Ok(())
    }

    pub(super) fn create_pump(&mut self, create: &CreatePump) -> Result<(), Invalid> {
        let name = &create.name;
        if create.or_replace {
            self.pumps.retain(|pump| pump.name != name.text);
        }
        if self.pumps.iter().any(|pump| pump.name == name.text) {
            return Err(already_there(&name.text).or_at(name.at));
        }
        let Some(target) = self.readable.get(&create.target.text) else {
            return Err(Invalid::at(
                create.target.at,
                format!("Table '{}' not found", create.target.text),
            ));
        };
        let (id, rows) = (target.id, target.rows.clone());
        let required = target.required.clone();
        if !self.is_own(&create.target.text) {
            return Err(Invalid::at(
                create.target.at,
                format!("rows cannot be inserted into '{}'", create.target.text),
            ));
        }
        let bound = self.binder().query(&create.query)?;
        let plan = inserted(bound, (&rows, &required), &create.columns)
            .map_err(|invalid| invalid.or_at(create.target.at))?;
        self.pumps.push(Pump {
            name: name.text.clone(),
            target: id,
            reads: plan.streams(),
            plan,
            started: create.started,
            at: name.at,
        });
        Ok(())
    }

    pub(super) fn create_function(&mut self, create: &CreateFunction) -> Result<(), Invalid> {
        let name = &create.name;
        let body = match &create.body {
            FunctionBody::Expression(body) => body.clone(),
            FunctionBody::External(external) => {
                return Err(Invalid::at(
                    name.at,
                    format!("functions of plugins ('{external}') are not served"),
                ));
            }
        };
        if !create.or_replace && self.functions.contains_key(&name.text) {
            return Err(already_there(&name.text).or_at(name.at));
        }
        let arguments = create.arguments.iter();
        let arguments = arguments.map(|(name, ty)| (name.text.clone(), *ty));
        let function = UserFunction {
            name: name.text.clone(),
            arguments: arguments.collect(),
            returns: create.returns,
            body,
        };
        // What is wrong with it is said here and not where it is called.
        let parameters = function.arguments.iter();
        let parameters = parameters.map(|(_, ty)| Expr::literal(Value::Null, *ty));
        self.binder()
            .user_function(&function, parameters.collect())
            .map_err(|invalid| invalid.or_at(name.at))?;
        self.functions.insert(name.text.clone(), function);
        Ok(())
    }

    pub(super) fn alter_pumps(&mut self, names: &[Name], started: bool) -> Result<(), Invalid> {
        for name in names {
            if !self.pumps.iter().any(|pump| pump.name == name.text) {
                return Err(Invalid::at(
                    name.at,
                    format!("Pump '{}' not found", name.text),
                ));
            }
        }
        for pump in &mut self.pumps {
            if names.is_empty() || names.iter().any(|name| name.text == pump.name) {
                pump.started = started;
            }
        }
        Ok(())
    }

    pub(super) fn drop_thing(
        &mut self,
        kind: DropKind,
        name: &Name,
        if_exists: bool,
    ) -> Result<(), Invalid> {
        let is_there = match kind {
            DropKind::Stream => self.readable.contains_key(&name.text),
            DropKind::Pump => self.pumps.iter().any(|pump| pump.name == name.text),
            DropKind::Function => self.functions.contains_key(&name.text),
        };
        if !is_there {
            if if_exists {
                return Ok(());
            }
            return Err(Invalid::at(name.at, format!("'{}' not found", name.text)));
        }
        match kind {
            DropKind::Stream => return self.remove_stream(name),
            DropKind::Pump => self.pumps.retain(|pump| pump.name != name.text),
            DropKind::Function => {
                self.functions.remove(&name.text);
            }
        }
        Ok(())
    }

    /// A query by itself becomes the pump of a stream that has its columns.
    pub(super) fn result_of(&mut self, query: &Query) -> Result<(), Invalid> {
        if self.result.is_some() {
            return Err(Invalid::at(
                query.at,
                "a program has one query by itself at most",
            ));
        }
        let bound = self.binder().query(query)?;
        let columns = bound.plan.rows.declared().to_vec();
        let rows = RowType::with_rowtime(columns);
        let id = self
            .add_stream(RESULT.to_owned(), rows, None)
            .map_err(|invalid| invalid.or_at(query.at))?;
        self.result = Some(id);
        self.pumps.push(Pump {
            name: RESULT.to_owned(),
            target: id,
            reads: bound.plan.streams(),
            plan: bound.plan,
            started: true,
            at: query.at,
        });
        Ok(())
    }
}

/// The rows of a query as a stream takes them.
fn inserted(
    bound: Bound,
    (target, not_null): (&RowType, &[usize]),
    names: &[Name],
) -> Result<Plan, Invalid> {
    let wanted = match names {
        [] => target.declared().len(),
        names => names.len(),
    };
    let bound = if bound.plan.rows.declared().len() == wanted {
        bound
    } else {
        bound.without_rowtimes()
    };
    let given = bound.plan.rows.declared().to_vec();
    if given.len() != wanted {
        return Err(Invalid::new(format!(
            "Number of INSERT target columns ({wanted}) does not equal number of source items ({})",
            given.len()
        )));
    }
    let mut values: Vec<Option<Expr>> = vec![None; target.columns().len()];
    values[0] = Some(Expr::column(0, SqlType::Timestamp));
    for (index, column) in given.iter().enumerate() {
        let place = match names.get(index) {
            None => index + 1,
            Some(name) => place_of(name, target)?,
        };
        let value = Expr::column(index + 1, column.ty);
        if place == 0 {
            continue;
        }
        let to = &target.columns()[place];
        let value = functions::assign(value, to.ty).map_err(|invalid| {
            Invalid::new(format!("column '{}': {}", to.name, invalid.message))
        })?;
        if values[place].replace(value).is_some() {
            return Err(Invalid::new(format!("'{}' is named twice", to.name)));
        }
    }
    let columns = target.columns().iter().zip(values).enumerate();
    let values = columns.map(|(index, (column, value))| {
        let value = value.unwrap_or_else(|| Expr::literal(Value::Null, column.ty));
        if not_null.contains(&index) {
            required(value, &column.name)
        } else {
            value
        }
    });
    let values = values.collect();
    let rows = target.clone();
    let input = Box::new(bound.plan);
    let step = Step::Project { input, values };
    Ok(Plan { step, rows })
}

fn place_of(name: &Name, target: &RowType) -> Result<usize, Invalid> {
    let mut columns = target.columns().iter();
    match columns.position(|column| column.name == name.text) {
        Some(place) => Ok(place),
        None => Err(Invalid::at(
            name.at,
            format!("Column '{}' not found in the stream", name.text),
        )),
    }
}

/// `WATERMARK FOR c AS c` or `c - INTERVAL …`.
fn watermark_of(watermark: &Watermark, columns: &[Column]) -> Result<(usize, Millis), Invalid> {
    let name = &watermark.column;
    let mut places = columns.iter();
    let place = places.position(|column| column.name == name.text);
    let Some(place) = place else {
        return Err(Invalid::at(
            name.at,
            format!("Column '{}' not found", name.text),
        ));
    };
    if columns[place].ty != SqlType::Timestamp {
        return Err(Invalid::at(name.at, "a watermark goes by a TIMESTAMP"));
    }
    let is_column = |expression: &Expression| match &expression.kind {
        ExpressionKind::Column(names) => match names.as_slice() {
            [column] => column.text == name.text,
            _ => false,
        },
        _ => false,
    };
    let late = match &watermark.expression.kind {
        ExpressionKind::Binary {
            operator: BinaryOperator::Subtract,
            left,
            right,
        } if is_column(left) => constant_interval(right)?,
        _ if is_column(&watermark.expression) => 0,
        _ => {
            return Err(Invalid::at(
                watermark.expression.at,
                "a watermark is the column, or the column less an interval",
            ));
        }
    };
    Ok((place + 1, late))
}
