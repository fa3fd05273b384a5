//! Functions that a program defines: an expression of their arguments, put where they are called.

use super::Binder;
use super::expression::Meaning;
use crate::ast::{Expression, Name};
use crate::expr::Expr;
use crate::fault::Invalid;
use crate::functions;
use crate::ty::SqlType;

/// A function of a program.
#[derive(Clone, Debug)]
pub struct UserFunction {
    pub name: String,
    pub arguments: Vec<(String, SqlType)>,
    pub returns: SqlType,
    pub body: Expression,
}

/// How deep functions may call each other.
const CALLS_MAX: usize = 16;

/// Names mean the arguments of a function and nothing else.
struct Parameters<'f> {
    function: &'f UserFunction,
    arguments: Vec<Expr>,
}

impl Meaning for Parameters<'_> {
    fn column(&mut self, names: &[Name]) -> Result<Expr, Invalid> {
        let [name] = names else {
            return Err(Invalid::new(
                "a function knows its arguments only, and no columns",
            ));
        };
        let parameters = self.function.arguments.iter().map(|(name, _)| name);
        let found = parameters
            .zip(&self.arguments)
            .find(|(parameter, _)| **parameter == name.text);
        match found {
            Some((_, argument)) => Ok(argument.clone()),
            None => Err(Invalid::at(
                name.at,
                format!("'{}' is no argument of {}", name.text, self.function.name),
            )),
        }
    }

    fn whole(&mut self, _: &Binder<'_>, _: &Expression) -> Result<Option<Expr>, Invalid> {
        Ok(None)
    }
}

impl Binder<'_> {
    /// The body of a function, with these arguments in it.
    pub fn user_function(
        &self,
        function: &UserFunction,
        arguments: Vec<Expr>,
    ) -> Result<Expr, Invalid> {
        let wanted = function.arguments.len();
        if arguments.len() != wanted {
            let given = arguments.len();
            return Err(Invalid::new(format!(
                "{} takes {wanted} arguments, not {given}",
                function.name
            )));
        }
        let types = function.arguments.iter().map(|(_, ty)| *ty);
        let arguments = arguments
            .into_iter()
            .zip(types)
            .map(|(argument, ty)| functions::cast(argument, ty));
        let arguments = arguments.collect::<Result<_, _>>()?;
        let mut meaning = Parameters {
            function,
            arguments,
        };
        let calls = self.calls.get();
        if calls == CALLS_MAX {
            return Err(Invalid::new(format!(
                "functions may call each other {CALLS_MAX} deep"
            )));
        }
        self.calls.set(calls + 1);
        let body = self.expression(&function.body, &mut meaning);
        self.calls.set(calls);
        functions::cast(body?, function.returns)
    }
}
