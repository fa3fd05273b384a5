//! What all expressions are read with.

use std::sync::Arc;

use super::lexer::{Token, syntax_error, tokens};
use super::path::{Path, Step};
use super::reserved;
use super::substitutes::Substitutes;
use super::{DEPTH_MAX, Fault, Kind};
use crate::value::Value;

/// Steps of a path at most
/// (<https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html>).
const STEPS_MAX: usize = 32;

/// Reads the tokens of one expression.
pub struct Parser<'a> {
    kind: Kind,
    tokens: Vec<Token<'a>>,
    place: usize,
    depth: usize,
    substitutes: &'a mut Substitutes,
}

impl<'a> Parser<'a> {
    /// At the beginning of a text.
    pub fn new(kind: Kind, text: &'a str, substitutes: &'a mut Substitutes) -> Result<Self, Fault> {
        Ok(Self {
            kind,
            tokens: tokens(kind, text)?,
            place: 0,
            depth: 0,
            substitutes,
        })
    }

    /// Which expression it is.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// What comes next.
    pub fn peek(&self) -> Option<Token<'a>> {
        self.tokens.get(self.place).copied()
    }

    /// What comes after that.
    pub fn peek_second(&self) -> Option<Token<'a>> {
        self.tokens.get(self.place + 1).copied()
    }

    /// Takes what comes next.
    pub fn take(&mut self) -> Result<Token<'a>, Fault> {
        let token = self.peek().ok_or_else(|| self.unexpected())?;
        self.place += 1;
        Ok(token)
    }

    /// Takes a keyword, in whatever case, if it comes next.
    pub fn takes_word(&mut self, keyword: &str) -> bool {
        let is_next = self.is_word(keyword);
        self.place += usize::from(is_next);
        is_next
    }

    /// Whether a keyword comes next.
    pub fn is_word(&self, keyword: &str) -> bool {
        matches!(self.peek(), Some(Token::Word(word)) if word.eq_ignore_ascii_case(keyword))
    }

    /// Takes a sign if it comes next.
    pub fn takes_sign(&mut self, sign: &str) -> bool {
        let is_next = self.peek() == Some(Token::Sign(sign));
        self.place += usize::from(is_next);
        is_next
    }

    /// Takes a sign, which must come next.
    pub fn expect_sign(&mut self, sign: &str) -> Result<(), Fault> {
        if self.takes_sign(sign) {
            Ok(())
        } else {
            Err(self.unexpected())
        }
    }

    /// The name of a function, if one comes next with its parenthesis, which are taken.
    pub fn takes_function(&mut self) -> Option<&'a str> {
        match (self.peek(), self.peek_second()) {
            (Some(Token::Word(name)), Some(Token::Sign("("))) => {
                self.place += 2;
                Some(name)
            }
            _ => None,
        }
    }

    /// Whether the parenthesis that was just taken holds nothing but another pair of them.
    pub fn is_redundant(&self) -> bool {
        let closing = |opening: usize| {
            let mut depth = 0_usize;
            let rest = self.tokens.iter().enumerate().skip(opening);
            rest.map(|(place, token)| {
                match token {
                    Token::Sign("(") => depth += 1,
                    Token::Sign(")") => depth = depth.saturating_sub(1),
                    _ => {}
                }
                (place, depth)
            })
            .find(|(_, depth)| *depth == 0)
            .map(|(place, _)| place)
        };
        let Some(outer) = self.place.checked_sub(1) else {
            return false;
        };
        self.peek() == Some(Token::Sign("("))
            && match (closing(outer), closing(self.place)) {
                (Some(outer), Some(inner)) => outer == inner + 1,
                _ => false,
            }
    }

    /// Refuses what comes after the end.
    pub fn end(&self) -> Result<(), Fault> {
        match self.peek() {
            None => Ok(()),
            Some(_) => Err(self.unexpected()),
        }
    }

    /// One level deeper.
    pub fn descend(&mut self) -> Result<(), Fault> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            let what = format!("The expression is nested deeper than {DEPTH_MAX} levels");
            return Err(Fault::invalid(self.kind, what));
        }
        Ok(())
    }

    /// Back again.
    pub fn ascend(&mut self) {
        self.depth = self.depth.saturating_sub(1);
    }

    /// What comes next is not what may come there.
    pub fn unexpected(&self) -> Fault {
        let at = |place: usize| self.tokens.get(place).map(|token| token.text());
        let token = at(self.place).unwrap_or("<EOF>");
        let before = self.place.checked_sub(1).and_then(at).unwrap_or_default();
        let after = at(self.place + 1).unwrap_or_default();
        let shown = if token == "<EOF>" { "" } else { token };
        let near = [before, shown, after].join(" ");
        Fault::invalid(self.kind, syntax_error(token, near.trim()))
    }

    /// A function that there is not, or not here.
    pub fn unknown_function(&self, name: &str) -> Fault {
        Fault::invalid(
            self.kind,
            format!("Invalid function name; function: {name}"),
        )
    }

    /// A path.
    pub fn path(&mut self) -> Result<Path, Fault> {
        let mut path = Path::attribute(self.name()?);
        loop {
            if self.takes_sign(".") {
                path.steps.push(Step::Name(self.name()?));
            } else if self.takes_sign("[") {
                let Token::Digits(digits) = self.take()? else {
                    self.place -= 1;
                    return Err(self.unexpected());
                };
                let place = digits.parse().map_err(|_| {
                    let what =
                        format!("List index is not within the allowable range; index: [{digits}]");
                    Fault::invalid(self.kind, what)
                })?;
                self.expect_sign("]")?;
                path.steps.push(Step::Element(place));
            } else {
                break;
            }
            if path.steps.len() >= STEPS_MAX {
                let what = "The document path has too many nesting elements";
                return Err(Fault::invalid(self.kind, what));
            }
        }
        Ok(path)
    }

    fn name(&mut self) -> Result<String, Fault> {
        match self.take()? {
            Token::Word(name) if reserved::is_reserved(name) => Err(Fault::invalid(
                self.kind,
                format!("Attribute name is a reserved keyword; reserved keyword: {name}"),
            )),
            Token::Word(name) => Ok(name.to_owned()),
            Token::NameRef(reference) => self.substitutes.name(self.kind, reference),
            _ => {
                self.place -= 1;
                Err(self.unexpected())
            }
        }
    }

    /// A value, if a reference to one comes next.
    pub fn takes_value(&mut self) -> Result<Option<Arc<Value>>, Fault> {
        let Some(Token::ValueRef(reference)) = self.peek() else {
            return Ok(None);
        };
        self.place += 1;
        self.substitutes.value(self.kind, reference).map(Some)
    }

    /// A value, which must come next.
    pub fn value(&mut self) -> Result<Arc<Value>, Fault> {
        self.takes_value()?.ok_or_else(|| self.unexpected())
    }
}
