//! Expressions get types, and their names meanings.

use super::Binder;
use crate::ast::{BinaryOperator, Call, Expression, ExpressionKind, Name, UnaryOperator};
use crate::cell::Value;
use crate::expr::Expr;
use crate::fault::Invalid;
use crate::functions;
use crate::ty::SqlType;

/// What the names and calls in an expression mean where it stands.
pub trait Meaning {
    /// The column that is written so.
    fn column(&mut self, names: &[Name]) -> Result<Expr, Invalid>;

    /// What a whole expression means here before it is taken apart: a key of a group, an
    /// aggregate, a value over a window. None: it is what its parts are.
    fn whole(
        &mut self,
        binder: &Binder<'_>,
        expression: &Expression,
    ) -> Result<Option<Expr>, Invalid>;
}

impl Binder<'_> {
    /// An expression where names mean what `meaning` says.
    ///
    /// # Errors
    ///
    /// A name that is not known, or types that do not go together; with the place.
    pub fn expression(
        &self,
        expression: &Expression,
        meaning: &mut dyn Meaning,
    ) -> Result<Expr, Invalid> {
        if let Some(whole) = meaning.whole(self, expression)? {
            return Ok(whole);
        }
        let at = expression.at;
        let bound = self.by_kind(&expression.kind, meaning);
        self.counted(bound.map_err(|invalid| invalid.or_at(at))?, at)
    }

    fn by_kind(&self, kind: &ExpressionKind, meaning: &mut dyn Meaning) -> Result<Expr, Invalid> {
        match kind {
            ExpressionKind::Literal(literal) => functions::literal(literal),
            ExpressionKind::Column(names) => meaning.column(names),
            ExpressionKind::Unary { operator, operand } => {
                let operand = self.expression(operand, meaning)?;
                match operator {
                    UnaryOperator::Plus => Ok(operand),
                    UnaryOperator::Minus => functions::negate(operand),
                    UnaryOperator::Not => functions::not(operand),
                }
            }
            ExpressionKind::Binary {
                operator,
                left,
                right,
            } => {
                let left = self.expression(left, meaning)?;
                let right = self.expression(right, meaning)?;
                functions::binary(*operator, left, right)
            }
            ExpressionKind::Case {
                operand,
                branches,
                otherwise,
            } => self.case(operand.as_deref(), branches, otherwise.as_deref(), meaning),
            ExpressionKind::Call(call) => self.call(call, meaning),
            ExpressionKind::IsNull { .. }
            | ExpressionKind::IsTruth { .. }
            | ExpressionKind::IsDistinct { .. }
            | ExpressionKind::Between { .. }
            | ExpressionKind::InList { .. }
            | ExpressionKind::Like { .. } => self.predicate(kind, meaning),
            ExpressionKind::Cursor(_)
            | ExpressionKind::Table(_)
            | ExpressionKind::Descriptor(_)
            | ExpressionKind::Row(_) => Err(Invalid::new(
                "CURSOR, TABLE, DESCRIPTOR and ROW stand only in the arguments of table functions",
            )),
            other => self.special(other, meaning),
        }
    }

    /// What is true, false or unknown.
    fn predicate(&self, kind: &ExpressionKind, meaning: &mut dyn Meaning) -> Result<Expr, Invalid> {
        match kind {
            ExpressionKind::IsNull { operand, negated } => {
                let operand = self.expression(operand, meaning)?;
                Ok(functions::is_null(operand, *negated))
            }
            ExpressionKind::IsTruth {
                operand,
                truth,
                negated,
            } => functions::is_truth(self.expression(operand, meaning)?, *truth, *negated),
            ExpressionKind::IsDistinct {
                left,
                right,
                negated,
            } => {
                let left = self.expression(left, meaning)?;
                let right = self.expression(right, meaning)?;
                functions::is_distinct(left, right, *negated)
            }
            ExpressionKind::Between {
                operand,
                low,
                high,
                negated,
            } => {
                let operand = self.expression(operand, meaning)?;
                let low = self.expression(low, meaning)?;
                let high = self.expression(high, meaning)?;
                negated_if(*negated, functions::between(operand, low, high)?)
            }
            ExpressionKind::InList {
                operand,
                list,
                negated,
            } => self.in_list(operand, list, *negated, meaning),
            ExpressionKind::Like {
                operand,
                pattern,
                escape,
                similar,
                negated,
            } => {
                let operand = self.expression(operand, meaning)?;
                let pattern = self.expression(pattern, meaning)?;
                let escape = escape.as_deref();
                let escape = escape.map(|escape| self.expression(escape, meaning));
                let like = functions::like(operand, pattern, escape.transpose()?, *similar)?;
                negated_if(*negated, like)
            }
            _ => Err(Invalid::new("internal: no predicate")),
        }
    }

    fn in_list(
        &self,
        operand: &Expression,
        list: &[Expression],
        negated: bool,
        meaning: &mut dyn Meaning,
    ) -> Result<Expr, Invalid> {
        let operand = self.expression(operand, meaning)?;
        let mut values = Vec::with_capacity(list.len());
        for value in list {
            values.push(self.expression(value, meaning)?);
        }
        negated_if(negated, functions::in_list(operand, values)?)
    }

    fn case(
        &self,
        operand: Option<&Expression>,
        branches: &[(Expression, Expression)],
        otherwise: Option<&Expression>,
        meaning: &mut dyn Meaning,
    ) -> Result<Expr, Invalid> {
        let operand = operand.map(|operand| self.expression(operand, meaning));
        let operand = operand.transpose()?;
        if let Some(operand) = &operand {
            // It is compared in each branch.
            let all = operand.size().saturating_mul(branches.len());
            self.room_for(all)?;
        }
        let mut bound = Vec::with_capacity(branches.len());
        for (condition, value) in branches {
            let condition = self.expression(condition, meaning)?;
            let condition = match &operand {
                Some(operand) => {
                    functions::binary(BinaryOperator::Equal, operand.clone(), condition)?
                }
                None => truth(condition)?,
            };
            bound.push((condition, self.expression(value, meaning)?));
        }
        let otherwise = match otherwise {
            Some(otherwise) => self.expression(otherwise, meaning)?,
            None => Expr::literal(Value::Null, SqlType::Null),
        };
        let types = bound.iter().map(|(_, value)| value.ty());
        let types: Vec<SqlType> = types.chain([otherwise.ty()]).collect();
        let Some(ty) = functions::common_type(&types) else {
            return Err(Invalid::new("the values of CASE have no type in common"));
        };
        let mut cast = Vec::with_capacity(bound.len());
        for (condition, value) in bound {
            cast.push((condition, functions::cast(value, ty)?));
        }
        Ok(Expr::case(cast, functions::cast(otherwise, ty)?, ty))
    }

    fn call(&self, call: &Call, meaning: &mut dyn Meaning) -> Result<Expr, Invalid> {
        if call.over.is_some() {
            return Err(Invalid::new("OVER stands only in the list of SELECT"));
        }
        let mut arguments = Vec::with_capacity(call.arguments.len());
        for argument in &call.arguments {
            arguments.push(self.expression(argument, meaning)?);
        }
        let name = call.name.text.as_str();
        if let Some(function) = self.functions.get(name) {
            return self.user_function(function, arguments);
        }
        if name == "CURRENT_ROW_TIMESTAMP" || name == "ROWTIME" {
            return meaning.column(&[super::rowtime_name(call.name.at)]);
        }
        if crate::aggregate::is_aggregate(name) {
            return Err(Invalid::at(
                call.name.at,
                format!("Aggregate {name} cannot stand here"),
            ));
        }
        functions::call(name, arguments)
    }

    /// The forms that have words of their own between their operands.
    fn special(&self, kind: &ExpressionKind, meaning: &mut dyn Meaning) -> Result<Expr, Invalid> {
        let mut bind = |expression: &Expression| self.expression(expression, meaning);
        match kind {
            ExpressionKind::Cast { operand, ty } => functions::cast(bind(operand)?, *ty),
            ExpressionKind::Round { operand, up, unit } => {
                functions::round_to(bind(operand)?, *up, *unit)
            }
            ExpressionKind::Step { operand, by } => functions::step(bind(operand)?, bind(by)?),
            ExpressionKind::Extract { unit, operand } => functions::extract(*unit, bind(operand)?),
            ExpressionKind::Difference { left, right, unit } => {
                functions::difference(bind(left)?, bind(right)?, *unit)
            }
            ExpressionKind::Trim {
                side,
                characters,
                operand,
            } => {
                let characters = characters.as_deref().map(&mut bind).transpose()?;
                functions::trim(*side, characters, bind(operand)?)
            }
            ExpressionKind::Substring {
                operand,
                from,
                length,
            } => {
                let length = length.as_deref().map(&mut bind).transpose()?;
                functions::substring(bind(operand)?, bind(from)?, length)
            }
            ExpressionKind::Position {
                wanted,
                within,
                from,
            } => {
                let from = from.as_deref().map(&mut bind).transpose()?;
                functions::position(bind(wanted)?, bind(within)?, from)
            }
            ExpressionKind::Overlay {
                operand,
                placing,
                from,
                length,
            } => {
                let length = length.as_deref().map(&mut bind).transpose()?;
                functions::overlay(bind(operand)?, bind(placing)?, bind(from)?, length)
            }
            _ => Err(Invalid::new("internal: an expression of no kind")),
        }
    }
}

/// A boolean, or null.
pub fn truth(expr: Expr) -> Result<Expr, Invalid> {
    match expr.ty() {
        SqlType::Boolean => Ok(expr),
        SqlType::Null => functions::cast(expr, SqlType::Boolean),
        other => Err(Invalid::new(format!(
            "a condition is needed here, this is a {other}"
        ))),
    }
}

fn negated_if(negated: bool, expr: Expr) -> Result<Expr, Invalid> {
    if negated {
        functions::not(expr)
    } else {
        Ok(expr)
    }
}
