//! The text of a program as statements: recursive descent, with one token to look ahead mostly.

mod call;
mod expression;
mod literal;
mod query;
mod relation;
mod statement;
mod types;
mod window;

use crate::ast::{Name, Statement};
use crate::fault::{Invalid, Place};
use crate::lex::{Token, tokens};

/// How deep expressions and queries may lie in each other. What lies deeper is refused, so that
/// neither this parser nor what walks over its trees needs more stack than there is.
pub const DEPTH_MAX: usize = 100;

/// A program of any number of statements, with semicolons between them.
///
/// # Errors
///
/// A program that is not one of the dialect, with the place where it stops being one.
pub fn parse(code: &str) -> Result<Vec<Statement>, Invalid> {
    let mut parser = Parser {
        tokens: tokens(code)?,
        next: 0,
        depth: 0,
        height: 0,
    };
    let mut statements = Vec::new();
    loop {
        while parser.take_symbol(";") {}
        if *parser.peek() == Token::End {
            return Ok(statements);
        }
        statements.push(parser.statement()?);
        if *parser.peek() != Token::End {
            parser.symbol(";")?;
        }
    }
}

/// An expression by itself, as schemas of tests and of tools have it.
///
/// # Errors
///
/// As [`parse`].
pub fn parse_expression(code: &str) -> Result<crate::ast::Expression, Invalid> {
    let mut parser = Parser {
        tokens: tokens(code)?,
        next: 0,
        depth: 0,
        height: 0,
    };
    let expression = parser.expression()?;
    match parser.peek() {
        Token::End => Ok(expression),
        _ => Err(parser.unexpected("the end of the expression")),
    }
}

/// Words that cannot be names unless they stand in quotes, since a name could end or begin there.
const RESERVED: [&str; 58] = [
    "ALL",
    "ALTER",
    "AND",
    "AS",
    "BETWEEN",
    "BY",
    "CASE",
    "CAST",
    "CREATE",
    "CROSS",
    "CURSOR",
    "DISTINCT",
    "DROP",
    "ELSE",
    "END",
    "ESCAPE",
    "EXCEPT",
    "EXISTS",
    "EXTRACT",
    "FALSE",
    "FROM",
    "FULL",
    "GROUP",
    "HAVING",
    "IN",
    "INNER",
    "INSERT",
    "INTERSECT",
    "INTO",
    "IS",
    "JOIN",
    "LEFT",
    "LIKE",
    "NATURAL",
    "NOT",
    "NULL",
    "ON",
    "OR",
    "ORDER",
    "OUTER",
    "OVER",
    "PARTITION",
    "RIGHT",
    "SELECT",
    "SIMILAR",
    "TABLE",
    "THEN",
    "TRUE",
    "UNION",
    "UNKNOWN",
    "USING",
    "VALUES",
    "WHEN",
    "WHERE",
    "WINDOW",
    "WINDOWED",
    "WITH",
    "WITHIN",
];

struct Parser {
    /// The last one is the end.
    tokens: Vec<(Token, Place)>,
    next: usize,
    /// How deep the parser is in expressions and queries.
    depth: usize,
    /// How high the tree of the tallest expression is that was parsed since this was set.
    height: usize,
}

impl Parser {
    fn peek(&self) -> &Token {
        self.peek_at(0)
    }

    /// The token so many after the next one.
    fn peek_at(&self, ahead: usize) -> &Token {
        let last = self.tokens.len() - 1;
        &self.tokens[last.min(self.next + ahead)].0
    }

    /// Where the next token begins.
    fn place(&self) -> Place {
        self.tokens[self.next].1
    }

    /// Takes the next token. The end stays.
    fn advance(&mut self) -> Token {
        let token = self.tokens[self.next].0.clone();
        if self.next + 1 < self.tokens.len() {
            self.next += 1;
        }
        token
    }

    fn unexpected(&self, expected: &str) -> Invalid {
        let found = self.peek();
        Invalid::at(self.place(), format!("expected {expected}, found {found}"))
    }

    fn is_word(&self, word: &str) -> bool {
        self.is_word_at(0, word)
    }

    fn is_word_at(&self, ahead: usize, word: &str) -> bool {
        matches!(self.peek_at(ahead), Token::Word(found) if found == word)
    }

    fn is_one_of(&self, words: &[&str]) -> bool {
        matches!(self.peek(), Token::Word(found) if words.contains(&found.as_str()))
    }

    fn is_symbol(&self, symbol: &str) -> bool {
        self.is_symbol_at(0, symbol)
    }

    fn is_symbol_at(&self, ahead: usize, symbol: &str) -> bool {
        matches!(self.peek_at(ahead), Token::Symbol(found) if *found == symbol)
    }

    fn take_word(&mut self, word: &str) -> bool {
        let found = self.is_word(word);
        if found {
            self.advance();
        }
        found
    }

    /// Takes all of these words, if they come next in this order.
    fn take_words(&mut self, words: &[&str]) -> bool {
        let mut each = words.iter().enumerate();
        let found = each.all(|(ahead, word)| self.is_word_at(ahead, word));
        if found {
            words.iter().for_each(|_| {
                self.advance();
            });
        }
        found
    }

    fn take_symbol(&mut self, symbol: &str) -> bool {
        let found = self.is_symbol(symbol);
        if found {
            self.advance();
        }
        found
    }

    fn word(&mut self, word: &str) -> Result<(), Invalid> {
        if self.take_word(word) {
            return Ok(());
        }
        Err(self.unexpected(word))
    }

    fn words(&mut self, words: &[&str]) -> Result<(), Invalid> {
        words.iter().try_for_each(|word| self.word(word))
    }

    fn symbol(&mut self, symbol: &str) -> Result<(), Invalid> {
        if self.take_symbol(symbol) {
            return Ok(());
        }
        Err(self.unexpected(&format!("'{symbol}'")))
    }

    fn text(&mut self, what: &str) -> Result<String, Invalid> {
        match self.peek() {
            Token::Text(text) => {
                let text = text.clone();
                self.advance();
                Ok(text)
            }
            _ => Err(self.unexpected(what)),
        }
    }

    /// Whether the token so many after the next one can be a name.
    fn is_name_at(&self, ahead: usize) -> bool {
        match self.peek_at(ahead) {
            Token::Quoted(_) => true,
            Token::Word(word) => RESERVED.binary_search(&word.as_str()).is_err(),
            _ => false,
        }
    }

    fn name(&mut self, what: &str) -> Result<Name, Invalid> {
        if !self.is_name_at(0) {
            let error = self.unexpected(what);
            let Token::Word(word) = self.peek() else {
                return Err(error);
            };
            return Err(Invalid::at(
                self.place(),
                format!("expected {what}, found the reserved word {word}; quote it to use it so"),
            ));
        }
        let at = self.place();
        match self.advance() {
            Token::Quoted(text) => Ok(Name {
                text,
                quoted: true,
                at,
            }),
            Token::Word(text) => Ok(Name {
                text,
                quoted: false,
                at,
            }),
            _ => Err(Invalid::at(
                at,
                "internal: a name is neither quoted nor a word",
            )),
        }
    }

    /// Names with commas between them, in parentheses.
    fn names_in_parentheses(&mut self, what: &str) -> Result<Vec<Name>, Invalid> {
        self.symbol("(")?;
        let names = self.list(|parser| parser.name(what))?;
        self.symbol(")")?;
        Ok(names)
    }

    /// One or more, with commas between them.
    fn list<T>(
        &mut self,
        mut one: impl FnMut(&mut Self) -> Result<T, Invalid>,
    ) -> Result<Vec<T>, Invalid> {
        let mut all = vec![one(self)?];
        while self.take_symbol(",") {
            all.push(one(self)?);
        }
        Ok(all)
    }

    /// Parses something that may hold others of its kind.
    fn deeper<T>(
        &mut self,
        inner: impl FnOnce(&mut Self) -> Result<T, Invalid>,
    ) -> Result<T, Invalid> {
        if self.depth == DEPTH_MAX {
            return Err(self.too_deep());
        }
        self.depth += 1;
        let parsed = inner(self);
        self.depth -= 1;
        parsed
    }

    fn too_deep(&self) -> Invalid {
        Invalid::at(
            self.place(),
            format!("expressions or queries lie more than {DEPTH_MAX} deep in each other"),
        )
    }
}

#[cfg(test)]
mod tests;
