//! Calls of functions, and what looks like one and has words of its own in its parentheses.

use super::Parser;
use super::types::interval_unit;
use crate::ast::{Call, Expression, ExpressionKind, Literal, Name, TimeUnit, TrimSide};
use crate::fault::Invalid;
use crate::lex::Token;

/// Functions that are called without parentheses too.
const BARE_FUNCTIONS: [&str; 7] = [
    "CURRENT_DATE",
    "CURRENT_PATH",
    "CURRENT_ROW_TIMESTAMP",
    "CURRENT_TIME",
    "CURRENT_TIMESTAMP",
    "LOCALTIME",
    "LOCALTIMESTAMP",
];

impl Parser {
    /// A call with a syntax of its own, if one comes next.
    pub(super) fn special_call(&mut self) -> Result<Option<ExpressionKind>, Invalid> {
        let at = self.place();
        let Token::Word(word) = self.peek().clone() else {
            return Ok(None);
        };
        let word = word.as_str();
        if BARE_FUNCTIONS.contains(&word)
            && !self.is_symbol_at(1, "(")
            && !self.is_symbol_at(1, ".")
        {
            return Ok(Some(ExpressionKind::Call(plain_call(
                self.name("")?,
                Vec::new(),
            ))));
        }
        if word == "TABLE" {
            return self.table_argument().map(Some);
        }
        if !self.is_symbol_at(1, "(") {
            return Ok(None);
        }
        let special: fn(&mut Self) -> Result<ExpressionKind, Invalid> = match word {
            "CAST" => Self::cast,
            "FLOOR" => |parser| parser.rounding(false),
            "CEIL" | "CEILING" => |parser| parser.rounding(true),
            "STEP" => Self::step,
            "EXTRACT" => Self::extract,
            "TRIM" => Self::trim,
            "SUBSTRING" => Self::substring,
            "POSITION" => Self::position,
            "OVERLAY" => Self::overlay,
            "CURSOR" => |parser| Ok(ExpressionKind::Cursor(Box::new(parser.query()?))),
            "DESCRIPTOR" => |parser| parser.name("a column").map(ExpressionKind::Descriptor),
            "ROW" => |parser| parser.list(Self::expression).map(ExpressionKind::Row),
            _ => return Ok(None),
        };
        self.advance();
        self.symbol("(")?;
        let mut kind = special(self)?;
        self.symbol(")")?;
        if let ExpressionKind::Call(call) = &mut kind {
            call.name = Name {
                text: word.to_owned(),
                quoted: false,
                at,
            };
        }
        Ok(Some(kind))
    }

    fn boxed(&mut self) -> Result<Box<Expression>, Invalid> {
        self.expression().map(Box::new)
    }

    fn cast(&mut self) -> Result<ExpressionKind, Invalid> {
        let operand = self.boxed()?;
        self.word("AS")?;
        let ty = self.sql_type()?;
        Ok(ExpressionKind::Cast { operand, ty })
    }

    /// `x TO unit`; without it an ordinary function.
    fn rounding(&mut self, up: bool) -> Result<ExpressionKind, Invalid> {
        let operand = self.expression()?;
        if !self.take_word("TO") {
            let at = operand.at;
            let text = String::new();
            let quoted = false;
            let name = Name { text, quoted, at };
            return Ok(ExpressionKind::Call(plain_call(name, vec![operand])));
        }
        let operand = Box::new(operand);
        let unit = self.time_unit()?;
        Ok(ExpressionKind::Round { operand, up, unit })
    }

    fn step(&mut self) -> Result<ExpressionKind, Invalid> {
        let operand = self.boxed()?;
        self.word("BY")?;
        let by = self.boxed()?;
        Ok(ExpressionKind::Step { operand, by })
    }

    fn extract(&mut self) -> Result<ExpressionKind, Invalid> {
        let unit = self.time_unit()?;
        self.word("FROM")?;
        let operand = self.boxed()?;
        Ok(ExpressionKind::Extract { unit, operand })
    }

    fn time_unit(&mut self) -> Result<TimeUnit, Invalid> {
        let unit = match self.peek() {
            Token::Word(word) => match word.as_str() {
                "DOW" => Some(TimeUnit::DayOfWeek),
                "DOY" => Some(TimeUnit::DayOfYear),
                "EPOCH" => Some(TimeUnit::Epoch),
                word => interval_unit(word),
            },
            _ => None,
        };
        let Some(unit) = unit else {
            return Err(self.unexpected("a unit of time such as MINUTE"));
        };
        self.advance();
        Ok(unit)
    }

    /// `[BOTH|LEADING|TRAILING] [characters] FROM x`, or only `x`.
    fn trim(&mut self) -> Result<ExpressionKind, Invalid> {
        let sides = [
            ("BOTH", TrimSide::Both),
            ("LEADING", TrimSide::Leading),
            ("TRAILING", TrimSide::Trailing),
        ];
        // A column may be called so: then FROM, a comma or the end comes behind it.
        let named = self.is_symbol_at(1, ")") || self.is_symbol_at(1, ".");
        let side = sides
            .into_iter()
            .find(|(word, _)| !named && self.take_word(word));
        let sided = side.is_some();
        let side = side.map_or(TrimSide::Both, |(_, side)| side);
        let (characters, operand) = if self.take_word("FROM") {
            (None, self.boxed()?)
        } else {
            let first = self.boxed()?;
            if self.take_word("FROM") {
                (Some(first), self.boxed()?)
            } else if sided {
                return Err(self.unexpected("FROM"));
            } else {
                (None, first)
            }
        };
        Ok(ExpressionKind::Trim {
            side,
            characters,
            operand,
        })
    }

    fn substring(&mut self) -> Result<ExpressionKind, Invalid> {
        let operand = self.boxed()?;
        let (from, length) = if self.take_word("FROM") {
            (self.boxed()?, self.optional("FOR")?)
        } else if self.is_word("FOR") {
            let kind = ExpressionKind::Literal(Literal::Whole(1));
            let at = self.place();
            (Box::new(Expression { kind, at }), self.optional("FOR")?)
        } else if self.take_symbol(",") {
            let from = self.boxed()?;
            let length = if self.take_symbol(",") {
                Some(self.boxed()?)
            } else {
                None
            };
            (from, length)
        } else {
            return Err(self.unexpected("FROM, FOR or ','"));
        };
        Ok(ExpressionKind::Substring {
            operand,
            from,
            length,
        })
    }

    /// An expression behind a word, if the word is there.
    fn optional(&mut self, word: &str) -> Result<Option<Box<Expression>>, Invalid> {
        if self.take_word(word) {
            return self.boxed().map(Some);
        }
        Ok(None)
    }

    fn position(&mut self) -> Result<ExpressionKind, Invalid> {
        let wanted = Box::new(self.sum()?);
        self.word("IN")?;
        let within = self.boxed()?;
        let from = self.optional("FROM")?;
        Ok(ExpressionKind::Position {
            wanted,
            within,
            from,
        })
    }

    fn overlay(&mut self) -> Result<ExpressionKind, Invalid> {
        let operand = self.boxed()?;
        self.word("PLACING")?;
        let placing = self.boxed()?;
        self.word("FROM")?;
        let from = self.boxed()?;
        let length = self.optional("FOR")?;
        Ok(ExpressionKind::Overlay {
            operand,
            placing,
            from,
            length,
        })
    }

    /// A function in FROM.
    pub(super) fn table_function(&mut self) -> Result<Call, Invalid> {
        let name = self.name("the name of a table function")?;
        self.symbol("(")?;
        let mut call = plain_call(name, Vec::new());
        if self.is_name_at(0) && self.is_symbol_at(1, "=>") {
            let named = self.list(|parser| {
                let name = parser.name("the name of an argument")?;
                parser.symbol("=>")?;
                Ok((name, parser.expression()?))
            })?;
            call.arguments = self.in_order(&call.name.text, named)?;
        } else if !self.is_symbol(")") {
            call.arguments = self.list(Self::expression)?;
        }
        self.symbol(")")?;
        Ok(call)
    }

    /// A function in an expression.
    pub(super) fn call(&mut self) -> Result<Call, Invalid> {
        let name = self.name("the name of a function")?;
        self.symbol("(")?;
        let mut call = plain_call(name, Vec::new());
        if self.take_symbol("*") {
            call.star = true;
        } else if !self.is_symbol(")") {
            call.distinct = self.take_word("DISTINCT");
            if !call.distinct {
                self.take_word("ALL");
            }
            call.arguments = self.list(Self::expression)?;
        }
        call.ignore_nulls = self.null_treatment();
        self.symbol(")")?;
        if self.is_filter() {
            self.word("FILTER")?;
            self.symbol("(")?;
            self.word("WHERE")?;
            call.filter = Some(self.boxed()?);
            self.symbol(")")?;
        }
        if call.name.text == "NTH_VALUE" {
            self.counted_from()?;
        }
        if call.ignore_nulls.is_none() {
            call.ignore_nulls = self.null_treatment();
        }
        call.over = self.over()?;
        Ok(call)
    }

    fn is_filter(&self) -> bool {
        self.is_word("FILTER") && self.is_symbol_at(1, "(") && self.is_word_at(2, "WHERE")
    }

    /// `FROM FIRST` behind NTH_VALUE. A FROM of the query has a name behind it and then neither
    /// OVER in parentheses nor what nulls are to be.
    fn counted_from(&mut self) -> Result<(), Invalid> {
        let behind = ["IGNORE", "RESPECT", "OVER"];
        let of_call = behind.iter().any(|word| self.is_word_at(2, word));
        if !self.is_word("FROM") || !of_call {
            return Ok(());
        }
        if self.is_word_at(1, "LAST") {
            return Err(self.unexpected("FROM FIRST (rows are counted from the first one only)"));
        }
        self.take_words(&["FROM", "FIRST"]);
        Ok(())
    }

    fn null_treatment(&mut self) -> Option<bool> {
        if self.take_words(&["IGNORE", "NULLS"]) {
            return Some(true);
        }
        self.take_words(&["RESPECT", "NULLS"]).then_some(false)
    }
}

fn plain_call(name: Name, arguments: Vec<Expression>) -> Call {
    Call {
        name,
        arguments,
        star: false,
        distinct: false,
        filter: None,
        ignore_nulls: None,
        over: None,
    }
}
