//! Reads the text of a query by the grammar of jq 1.6 (`parser.y`), as far as it is known here.

mod term;

use types::Invalid;

use super::meter::DEPTH_MAX;
use super::syntax::{Expr, Operator, Piece};
use super::text::Format;

/// Levels of a query's text. One that is deeper is refused.
const LEVELS_MAX: usize = 48;
/// Operators in a row, or suffixes: each is nested in the next one. No record could be evaluated
/// with more, and they are refused.
const CHAIN_MAX: usize = DEPTH_MAX;
/// The same of all of a query: what is nested is let go level by level, on a thread's stack.
const LINKS_MAX: usize = 1_024;
/// Bytes of a query (model, ProcessorParameterValue, counts characters).
const BYTES_MAX: usize = 4 * 5_120;

/// Words that cannot be names of functions.
const KEYWORDS: [&str; 18] = [
    "and", "as", "catch", "def", "elif", "else", "end", "foreach", "if", "import", "include",
    "label", "module", "or", "reduce", "then", "try", "break",
];

pub struct Parser<'a> {
    text: &'a str,
    at: usize,
    level: usize,
    /// Operators and suffixes so far.
    links: usize,
    /// Names of the variables that are defined.
    variables: Vec<String>,
}

type Parsed = Result<Expr, Invalid>;

impl<'a> Parser<'a> {
    /// Reads a whole query.
    pub fn read(text: &'a str) -> Parsed {
        if text.len() > BYTES_MAX {
            return Err(Invalid("is too long".to_owned()));
        }
        let mut parser = Self {
            text,
            at: 0,
            level: 0,
            links: 0,
            variables: Vec::new(),
        };
        let expr = parser.pipe()?;
        parser.skip_space();
        if parser.at < text.len() {
            return Err(parser.unexpected());
        }
        Ok(expr)
    }

    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn skip_space(&mut self) {
        loop {
            let rest = self.rest();
            let bare = rest.trim_start();
            self.at += rest.len() - bare.len();
            if !bare.starts_with('#') {
                return;
            }
            self.at += bare.find('\n').unwrap_or(bare.len());
        }
    }

    fn unexpected(&self) -> Invalid {
        let found: String = self.rest().chars().take(20).collect();
        let at = self.at;
        Invalid(if found.is_empty() {
            "ends too early".to_owned()
        } else {
            format!("has an unexpected '{found}' at byte {at}")
        })
    }

    fn unknown(what: &str) -> Invalid {
        Invalid(format!("uses {what}, which is not supported"))
    }

    /// Whether a symbol comes next, which is taken.
    fn takes(&mut self, symbol: &str) -> bool {
        self.skip_space();
        let is_next = self.rest().starts_with(symbol);
        if is_next {
            self.at += symbol.len();
        }
        is_next
    }

    fn expect(&mut self, symbol: &str) -> Result<(), Invalid> {
        if self.takes(symbol) {
            Ok(())
        } else {
            Err(self.unexpected())
        }
    }

    /// The word that comes next, which is not taken.
    fn word(&mut self) -> &'a str {
        self.skip_space();
        let rest = self.rest();
        let is_first = |it: char| it.is_ascii_alphabetic() || it == '_';
        if !rest.starts_with(is_first) {
            return "";
        }
        let end = rest.find(|it: char| !(it.is_ascii_alphanumeric() || it == '_'));
        rest.get(..end.unwrap_or(rest.len())).unwrap_or_default()
    }

    fn takes_word(&mut self, word: &str) -> bool {
        let is_next = self.word() == word;
        if is_next {
            self.at += word.len();
        }
        is_next
    }

    fn expect_word(&mut self, word: &str) -> Result<(), Invalid> {
        if self.takes_word(word) {
            Ok(())
        } else {
            Err(self.unexpected())
        }
    }

    fn deeper(&mut self, read: impl FnOnce(&mut Self) -> Parsed) -> Parsed {
        self.level += 1;
        if self.level > LEVELS_MAX {
            return Err(Invalid("is nested too deeply".to_owned()));
        }
        let read = read(self);
        self.level -= 1;
        read
    }

    /// Another one in a row of these.
    fn link(&mut self, chain: &mut usize, of: &str) -> Result<(), Invalid> {
        *chain += 1;
        self.links += 1;
        if *chain > CHAIN_MAX {
            return Err(Invalid(format!(
                "has more than {CHAIN_MAX} in a row of {of}"
            )));
        }
        if self.links > LINKS_MAX {
            let what = format!("has more than {LINKS_MAX} operators and suffixes");
            return Err(Invalid(what));
        }
        Ok(())
    }

    /// `… | …`.
    fn pipe(&mut self) -> Parsed {
        self.deeper(|parser| {
            if parser.word() == "def" {
                return Err(Self::unknown("def"));
            }
            let first = parser.comma()?;
            if parser.takes_pipe() {
                let then = parser.pipe()?;
                return Ok(Expr::Pipe(Box::new(first), Box::new(then)));
            }
            Ok(first)
        })
    }

    /// A `|` that is not that of an assignment.
    fn takes_pipe(&mut self) -> bool {
        self.skip_space();
        !self.rest().starts_with("|=") && self.takes("|")
    }

    fn comma(&mut self) -> Parsed {
        let (mut expr, mut chain) = (self.alternative()?, 0);
        while self.takes(",") {
            self.link(&mut chain, "','")?;
            let next = self.alternative()?;
            expr = Expr::Comma(Box::new(expr), Box::new(next));
        }
        Ok(expr)
    }

    fn alternative(&mut self) -> Parsed {
        let expr = self.or()?;
        self.skip_space();
        if self.rest().starts_with("//=") {
            return Err(Self::unknown("an assignment"));
        }
        if self.takes("//") {
            // It groups from the right.
            let other = self.deeper(Self::alternative)?;
            return Ok(Expr::Alternative(Box::new(expr), Box::new(other)));
        }
        let assigns = ["|=", "+=", "-=", "*=", "/=", "%="];
        let rest = self.rest();
        let is_plain = rest.starts_with('=') && !rest.starts_with("==");
        if is_plain || assigns.iter().any(|symbol| rest.starts_with(symbol)) {
            return Err(Self::unknown("an assignment"));
        }
        Ok(expr)
    }

    fn or(&mut self) -> Parsed {
        let (mut expr, mut chain) = (self.and()?, 0);
        while self.takes_word("or") {
            self.link(&mut chain, "'or'")?;
            expr = Expr::Or(Box::new(expr), Box::new(self.and()?));
        }
        Ok(expr)
    }

    fn and(&mut self) -> Parsed {
        let (mut expr, mut chain) = (self.comparison()?, 0);
        while self.takes_word("and") {
            self.link(&mut chain, "'and'")?;
            expr = Expr::And(Box::new(expr), Box::new(self.comparison()?));
        }
        Ok(expr)
    }

    fn comparison(&mut self) -> Parsed {
        let one = self.sum()?;
        let operators = [
            ("==", Operator::Equal),
            ("!=", Operator::NotEqual),
            ("<=", Operator::LessOrEqual),
            (">=", Operator::GreaterOrEqual),
            ("<", Operator::Less),
            (">", Operator::Greater),
        ];
        for (symbol, operator) in operators {
            if self.takes(symbol) {
                let other = self.sum()?;
                return Ok(Expr::Binary(operator, Box::new(one), Box::new(other)));
            }
        }
        Ok(one)
    }

    /// The operator of these symbols that comes next, unless it assigns.
    fn operator(&mut self, symbols: &[(&str, Operator)]) -> Option<Operator> {
        self.skip_space();
        let rest = self.rest();
        if rest.starts_with("//") || rest.get(1..2) == Some("=") {
            return None;
        }
        let (symbol, operator) = symbols
            .iter()
            .find(|(symbol, _)| rest.starts_with(symbol))?;
        self.at += symbol.len();
        Some(*operator)
    }

    fn sum(&mut self) -> Parsed {
        let (mut expr, mut chain) = (self.product()?, 0);
        let symbols = [("+", Operator::Add), ("-", Operator::Subtract)];
        while let Some(operator) = self.operator(&symbols) {
            self.link(&mut chain, "'+' or '-'")?;
            let other = self.product()?;
            expr = Expr::Binary(operator, Box::new(expr), Box::new(other));
        }
        Ok(expr)
    }

    fn product(&mut self) -> Parsed {
        let (mut expr, mut chain) = (self.unary()?, 0);
        let symbols = [
            ("*", Operator::Multiply),
            ("/", Operator::Divide),
            ("%", Operator::Remainder),
        ];
        while let Some(operator) = self.operator(&symbols) {
            self.link(&mut chain, "'*', '/' or '%'")?;
            let other = self.unary()?;
            expr = Expr::Binary(operator, Box::new(expr), Box::new(other));
        }
        Ok(expr)
    }

    fn unary(&mut self) -> Parsed {
        if self.takes("-") {
            // It binds as the minus between two values does, which is looser than what follows.
            let of = self.deeper(Self::product)?;
            return Ok(Expr::Negate(Box::new(of)));
        }
        self.postfix()
    }

    /// A term and what hangs on it, or what begins with it and a variable.
    fn postfix(&mut self) -> Parsed {
        let term = self.whole_term()?;
        if !self.takes_word("as") {
            return Ok(term);
        }
        let name = self.variable()?;
        self.expect("|")?;
        self.variables.push(name.clone());
        let body = self.pipe();
        self.variables.pop();
        Ok(Expr::Bind(Box::new(term), name, Box::new(body?)))
    }

    fn whole_term(&mut self) -> Parsed {
        let mut expr = match self.word() {
            "if" => self.deeper(Self::choice)?,
            "try" => self.deeper(Self::attempt)?,
            "reduce" => self.deeper(Self::reduce)?,
            _ => self.term()?,
        };
        let mut chain = 0;
        while self.has_suffix() {
            self.link(&mut chain, "'?', '[' or '.'")?;
            expr = self.suffix(Box::new(expr))?;
        }
        Ok(expr)
    }

    fn has_suffix(&mut self) -> bool {
        self.skip_space();
        let rest = self.rest();
        rest.starts_with(['?', '[']) || (rest.starts_with('.') && !rest.starts_with(".."))
    }

    /// A term with another suffix.
    fn suffix(&mut self, of: Box<Expr>) -> Parsed {
        if self.takes("?") {
            return Ok(Expr::Try(of, None));
        }
        if self.takes("[") {
            return self.bracket(of);
        }
        self.expect(".")?;
        if let Some(name) = self.name_here() {
            return Ok(self.maybe_optional(Expr::Index(of, Box::new(text(name)))));
        }
        if self.takes("[") {
            return self.bracket(of);
        }
        if self.rest().starts_with('"') {
            let name = self.string(Format::Text)?;
            return Ok(self.maybe_optional(Expr::Index(of, Box::new(name))));
        }
        Err(self.unexpected())
    }

    /// What lies within a value, with a `?` that may follow.
    fn maybe_optional(&mut self, within: Expr) -> Expr {
        if self.takes("?") {
            Expr::Optional(Box::new(within))
        } else {
            within
        }
    }
}

fn text(name: String) -> Expr {
    Expr::Text(vec![Piece::Text(name)], Format::Text)
}
