//! Expressions, by precedence: OR, AND, NOT, predicates, sums, products, signs.

use super::{DEPTH_MAX, Parser};
use crate::ast::{BinaryOperator, Expression, ExpressionKind, UnaryOperator};
use crate::fault::{Invalid, Place};
use crate::lex::Token;

const OR: u8 = 1;
const AND: u8 = 2;
const NOT: u8 = 3;
const PREDICATE: u8 = 4;
const SUM: u8 = 5;
const PRODUCT: u8 = 6;

/// Units that make an interval of a difference in parentheses. Their plurals are names there.
const DIFFERENCE_UNITS: [&str; 7] = ["YEAR", "MONTH", "WEEK", "DAY", "HOUR", "MINUTE", "SECOND"];

impl Parser {
    pub(super) fn expression(&mut self) -> Result<Expression, Invalid> {
        self.binary(OR)
    }

    /// An expression that ends before any predicate, such as IN, BETWEEN and AND.
    pub(super) fn sum(&mut self) -> Result<Expression, Invalid> {
        self.binary(SUM)
    }

    /// Operands with operators between them that bind at least as much as `least`.
    ///
    /// Keeps account of the height of the tree: a long row of operators is as high as a deep nest.
    fn binary(&mut self, least: u8) -> Result<Expression, Invalid> {
        let outer = std::mem::take(&mut self.height);
        let parsed = self.deeper(|parser| {
            let at = parser.place();
            let mut left = if least <= NOT && parser.take_word("NOT") {
                unary(UnaryOperator::Not, parser.binary(NOT)?, at)
            } else {
                parser.signed()?
            };
            while let Some((operator, precedence)) = parser.binary_operator(least) {
                left = match precedence {
                    OR | AND => parser.row_of_operands(left, operator, precedence)?,
                    PREDICATE => parser.predicate(left, operator)?,
                    _ => {
                        parser.advance();
                        binary(operator, left, parser.binary(precedence + 1)?)
                    }
                };
                parser.height += 1;
                if parser.height > DEPTH_MAX {
                    return Err(parser.too_deep());
                }
            }
            Ok(left)
        });
        self.height = outer.max(self.height + 1);
        parsed
    }

    /// `a AND b AND c …` as a tree that is as flat as it can be, since such rows may be long.
    fn row_of_operands(
        &mut self,
        first: Expression,
        operator: BinaryOperator,
        precedence: u8,
    ) -> Result<Expression, Invalid> {
        let word = if precedence == OR { "OR" } else { "AND" };
        let mut operands = vec![first];
        while self.take_word(word) {
            operands.push(self.binary(precedence + 1)?);
        }
        let mut folded = operands.len();
        while operands.len() > 1 {
            let mut pairs = Vec::with_capacity(folded.div_ceil(2));
            let mut rest = operands.into_iter();
            while let Some(left) = rest.next() {
                pairs.push(match rest.next() {
                    Some(right) => binary(operator, left, right),
                    None => left,
                });
            }
            self.height += 1;
            folded = pairs.len();
            operands = pairs;
        }
        let missing = || Invalid::at(self.place(), "internal: a row of no operands");
        operands.pop().ok_or_else(missing)
    }

    /// The operator that comes next, if it binds at least as much as `least`. All predicates are
    /// one here; which one it is, [`Parser::predicate`] sees.
    fn binary_operator(&self, least: u8) -> Option<(BinaryOperator, u8)> {
        let (operator, precedence) = match self.peek() {
            Token::Word(word) => match word.as_str() {
                "OR" => (BinaryOperator::Or, OR),
                "AND" => (BinaryOperator::And, AND),
                "IS" | "BETWEEN" | "IN" | "LIKE" | "SIMILAR" => (BinaryOperator::Equal, PREDICATE),
                "NOT" if self.is_negated_predicate() => (BinaryOperator::Equal, PREDICATE),
                _ => return None,
            },
            Token::Symbol(symbol) => match *symbol {
                "=" => (BinaryOperator::Equal, PREDICATE),
                "<>" | "!=" => (BinaryOperator::NotEqual, PREDICATE),
                "<" => (BinaryOperator::Less, PREDICATE),
                "<=" => (BinaryOperator::LessOrEqual, PREDICATE),
                ">" => (BinaryOperator::Greater, PREDICATE),
                ">=" => (BinaryOperator::GreaterOrEqual, PREDICATE),
                "+" => (BinaryOperator::Add, SUM),
                "-" => (BinaryOperator::Subtract, SUM),
                "||" => (BinaryOperator::Concatenate, SUM),
                "*" => (BinaryOperator::Multiply, PRODUCT),
                "/" => (BinaryOperator::Divide, PRODUCT),
                "%" => (BinaryOperator::Modulo, PRODUCT),
                _ => return None,
            },
            _ => return None,
        };
        (precedence >= least).then_some((operator, precedence))
    }

    fn is_negated_predicate(&self) -> bool {
        let predicates = ["BETWEEN", "IN", "LIKE", "SIMILAR"];
        predicates.iter().any(|word| self.is_word_at(1, word))
    }

    fn predicate(
        &mut self,
        left: Expression,
        operator: BinaryOperator,
    ) -> Result<Expression, Invalid> {
        let at = left.at;
        let kind = if matches!(self.peek(), Token::Symbol(_)) {
            self.advance();
            let right = self.sum()?;
            binary(operator, left, right).kind
        } else if self.take_word("IS") {
            self.is_predicate(left)?
        } else {
            let negated = self.take_word("NOT");
            self.word_predicate(left, negated)?
        };
        Ok(Expression { kind, at })
    }

    fn is_predicate(&mut self, left: Expression) -> Result<ExpressionKind, Invalid> {
        let negated = self.take_word("NOT");
        let operand = Box::new(left);
        if self.take_word("NULL") {
            return Ok(ExpressionKind::IsNull { operand, negated });
        }
        if self.take_words(&["DISTINCT", "FROM"]) {
            return Ok(ExpressionKind::IsDistinct {
                left: operand,
                right: Box::new(self.sum()?),
                negated,
            });
        }
        let truths = [
            ("TRUE", Some(true)),
            ("FALSE", Some(false)),
            ("UNKNOWN", None),
        ];
        let truth = truths.into_iter().find(|(word, _)| self.take_word(word));
        let Some((_, truth)) = truth else {
            return Err(self.unexpected("NULL, TRUE, FALSE, UNKNOWN or DISTINCT FROM"));
        };
        Ok(ExpressionKind::IsTruth {
            operand,
            truth,
            negated,
        })
    }

    fn word_predicate(
        &mut self,
        left: Expression,
        negated: bool,
    ) -> Result<ExpressionKind, Invalid> {
        let operand = Box::new(left);
        if self.take_word("BETWEEN") {
            self.take_word("ASYMMETRIC");
            let low = Box::new(self.sum()?);
            self.word("AND")?;
            return Ok(ExpressionKind::Between {
                operand,
                low,
                high: Box::new(self.sum()?),
                negated,
            });
        }
        if self.take_word("IN") {
            if self.begins_query() {
                return Err(self.unexpected("a list of values (a join finds rows of a query)"));
            }
            self.symbol("(")?;
            let list = self.list(Self::expression)?;
            self.symbol(")")?;
            return Ok(ExpressionKind::InList {
                operand,
                list,
                negated,
            });
        }
        let similar = self.take_words(&["SIMILAR", "TO"]);
        if !similar {
            self.word("LIKE")?;
        }
        let pattern = Box::new(self.sum()?);
        let escape = if self.take_word("ESCAPE") {
            Some(Box::new(self.sum()?))
        } else {
            None
        };
        Ok(ExpressionKind::Like {
            operand,
            pattern,
            escape,
            similar,
            negated,
        })
    }

    /// An operand with its signs.
    fn signed(&mut self) -> Result<Expression, Invalid> {
        let at = self.place();
        let operator = if self.take_symbol("-") {
            UnaryOperator::Minus
        } else if self.take_symbol("+") {
            UnaryOperator::Plus
        } else {
            return self.primary();
        };
        // Anything that binds more than a product: only operands with signs.
        Ok(unary(operator, self.binary(PRODUCT + 1)?, at))
    }

    fn primary(&mut self) -> Result<Expression, Invalid> {
        let at = self.place();
        if let Some(literal) = self.literal()? {
            let kind = ExpressionKind::Literal(literal);
            return Ok(Expression { kind, at });
        }
        if self.is_symbol("(") {
            return self.parenthesized(at);
        }
        let kind = if self.is_word("CASE") {
            self.case()?
        } else if let Some(kind) = self.special_call()? {
            kind
        } else if self.is_word("EXISTS") {
            return Err(self.unexpected("an expression (a join finds rows of a query)"));
        } else if self.is_name_at(0) && self.is_symbol_at(1, "(") {
            ExpressionKind::Call(self.call()?)
        } else if self.is_name_at(0) {
            self.column()?
        } else {
            return Err(self.unexpected("an expression"));
        };
        Ok(Expression { kind, at })
    }

    /// `(a)`, a row `(a, b)`, or an interval `(a - b) MINUTE`.
    fn parenthesized(&mut self, at: Place) -> Result<Expression, Invalid> {
        if self.begins_query() {
            return Err(self.unexpected("an expression (a query cannot be a value)"));
        }
        self.symbol("(")?;
        let mut values = self.list(Self::expression)?;
        self.symbol(")")?;
        if values.len() > 1 {
            let kind = ExpressionKind::Row(values);
            return Ok(Expression { kind, at });
        }
        let Some(value) = values.pop() else {
            return Err(Invalid::at(at, "internal: parentheses around nothing"));
        };
        let kind = match value.kind {
            ExpressionKind::Binary {
                operator: BinaryOperator::Subtract,
                left,
                right,
            } if self.is_one_of(&DIFFERENCE_UNITS) => {
                let unit = self.qualifier()?.last;
                ExpressionKind::Difference { left, right, unit }
            }
            other => other,
        };
        Ok(Expression { kind, at })
    }

    fn column(&mut self) -> Result<ExpressionKind, Invalid> {
        let mut names = vec![self.name("a name")?];
        while self.is_symbol(".") && self.is_name_at(1) {
            self.symbol(".")?;
            names.push(self.name("a name")?);
        }
        Ok(ExpressionKind::Column(names))
    }

    fn case(&mut self) -> Result<ExpressionKind, Invalid> {
        self.word("CASE")?;
        let operand = if self.is_word("WHEN") {
            None
        } else {
            Some(Box::new(self.expression()?))
        };
        let mut branches = Vec::new();
        self.word("WHEN")?;
        loop {
            let condition = self.expression()?;
            self.word("THEN")?;
            branches.push((condition, self.expression()?));
            if !self.take_word("WHEN") {
                break;
            }
        }
        let otherwise = if self.take_word("ELSE") {
            Some(Box::new(self.expression()?))
        } else {
            None
        };
        self.word("END")?;
        Ok(ExpressionKind::Case {
            operand,
            branches,
            otherwise,
        })
    }
}

fn unary(operator: UnaryOperator, operand: Expression, at: Place) -> Expression {
    let operand = Box::new(operand);
    let kind = ExpressionKind::Unary { operator, operand };
    Expression { kind, at }
}

fn binary(operator: BinaryOperator, left: Expression, right: Expression) -> Expression {
    let at = left.at;
    let kind = ExpressionKind::Binary {
        operator,
        left: Box::new(left),
        right: Box::new(right),
    };
    Expression { kind, at }
}
