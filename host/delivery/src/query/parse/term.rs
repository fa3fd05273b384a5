//! Terms: what begins with a dot, a bracket, a quotation mark, a digit or a name.

use types::Invalid;

use super::{KEYWORDS, Parsed, Parser, text};
use crate::query::function;
use crate::query::syntax::{Expr, Piece};
use crate::query::text::Format;

impl Parser<'_> {
    /// A name that begins right here.
    pub(super) fn name_here(&mut self) -> Option<String> {
        let before = self.at;
        let word = self.word();
        let is_here = self.at == before && !word.is_empty();
        self.at = if is_here {
            self.at + word.len()
        } else {
            before
        };
        is_here.then(|| word.to_owned())
    }

    /// What follows a `[` behind a term.
    pub(super) fn bracket(&mut self, of: Box<Expr>) -> Parsed {
        let within = self.within_brackets(of)?;
        Ok(self.maybe_optional(within))
    }

    fn within_brackets(&mut self, of: Box<Expr>) -> Parsed {
        if self.takes("]") {
            return Ok(Expr::Iterate(of));
        }
        if self.takes(":") {
            let to = self.pipe()?;
            self.expect("]")?;
            return Ok(Expr::Slice(of, None, Some(Box::new(to))));
        }
        let index = self.pipe()?;
        if self.takes("]") {
            return Ok(Expr::Index(of, Box::new(index)));
        }
        self.expect(":")?;
        let from = Some(Box::new(index));
        if self.takes("]") {
            return Ok(Expr::Slice(of, from, None));
        }
        let to = self.pipe()?;
        self.expect("]")?;
        Ok(Expr::Slice(of, from, Some(Box::new(to))))
    }

    pub(super) fn term(&mut self) -> Parsed {
        self.skip_space();
        let rest = self.rest();
        let Some(first) = rest.chars().next() else {
            return Err(self.unexpected());
        };
        match first {
            '.' => self.dot(),
            '(' => {
                self.at += 1;
                let expr = self.pipe()?;
                self.expect(")")?;
                Ok(expr)
            }
            '[' => {
                self.at += 1;
                if self.takes("]") {
                    return Ok(Expr::Array(None));
                }
                let within = self.pipe()?;
                self.expect("]")?;
                Ok(Expr::Array(Some(Box::new(within))))
            }
            '{' => self.deeper(Self::object),
            '"' => self.string(Format::Text),
            '@' => self.format(),
            '$' => {
                let name = self.variable()?;
                if !self.variables.contains(&name) {
                    return Err(Invalid(format!("uses ${name}, which is not defined")));
                }
                Ok(Expr::Variable(name))
            }
            '0'..='9' => self.number(),
            _ => self.call(),
        }
    }

    /// What begins with a dot.
    fn dot(&mut self) -> Parsed {
        if self.takes("..") {
            return Ok(function::recursive());
        }
        let is_number = self
            .rest()
            .get(1..)
            .is_some_and(|rest| rest.starts_with(|it: char| it.is_ascii_digit()));
        if is_number {
            return self.number();
        }
        self.at += 1;
        let itself = Box::new(Expr::Identity);
        if let Some(name) = self.name_here() {
            return Ok(self.maybe_optional(Expr::Index(itself, Box::new(text(name)))));
        }
        if self.rest().starts_with('"') {
            let name = self.string(Format::Text)?;
            return Ok(self.maybe_optional(Expr::Index(itself, Box::new(name))));
        }
        Ok(Expr::Identity)
    }

    fn number(&mut self) -> Parsed {
        let rest = self.rest();
        let is_digit = |it: &u8| it.is_ascii_digit();
        let bytes = rest.as_bytes();
        let digits_from = |from: usize| {
            bytes
                .iter()
                .skip(from)
                .take_while(|it| is_digit(it))
                .count()
        };
        let mut end = digits_from(0);
        if bytes.get(end) == Some(&b'.') {
            end += 1;
            end += digits_from(end);
        }
        if matches!(bytes.get(end), Some(b'e' | b'E')) {
            let is_signed = matches!(bytes.get(end + 1), Some(b'+' | b'-'));
            let from = end + 1 + usize::from(is_signed);
            let digits = digits_from(from);
            if digits > 0 {
                end = from + digits;
            }
        }
        let number = rest.get(..end).unwrap_or_default().parse();
        let number = number.map_err(|_| self.unexpected())?;
        self.at += end;
        Ok(Expr::Number(number))
    }

    pub(super) fn variable(&mut self) -> Result<String, Invalid> {
        self.skip_space();
        if !self.rest().starts_with('$') {
            return Err(Self::unknown("a pattern other than a variable"));
        }
        self.at += 1;
        match self.name_here() {
            Some(name) if name == "ENV" || name == "__loc__" => {
                Err(Self::unknown(&format!("${name}")))
            }
            Some(name) => Ok(name),
            None => Err(self.unexpected()),
        }
    }

    fn format(&mut self) -> Parsed {
        self.at += 1;
        let name = self.name_here().ok_or_else(|| self.unexpected())?;
        let name = format!("@{name}");
        let format = Format::named(&name).ok_or_else(|| Self::unknown(&name))?;
        self.skip_space();
        if self.rest().starts_with('"') {
            return self.string(format);
        }
        Ok(Expr::Format(format))
    }

    /// A string, from its quotation mark on.
    pub(super) fn string(&mut self, format: Format) -> Parsed {
        self.at += 1;
        let (mut pieces, mut literal) = (Vec::new(), String::new());
        loop {
            let mut rest = self.rest().chars();
            let next = rest.next().ok_or_else(|| self.unexpected())?;
            self.at += next.len_utf8();
            match next {
                '"' => break,
                '\\' if self.rest().starts_with('(') => {
                    self.at += 1;
                    if !literal.is_empty() {
                        pieces.push(Piece::Text(std::mem::take(&mut literal)));
                    }
                    let value = self.pipe()?;
                    self.expect(")")?;
                    pieces.push(Piece::Value(value));
                }
                '\\' => literal.push_str(&self.escape()?),
                other => literal.push(other),
            }
        }
        if !literal.is_empty() {
            pieces.push(Piece::Text(literal));
        }
        Ok(Expr::Text(pieces, format))
    }

    /// What an escape stands for, behind its backslash.
    fn escape(&mut self) -> Result<String, Invalid> {
        let rest = self.rest();
        let end = match rest.as_bytes() {
            [b'u', ..] => {
                let is_pair = rest.get(5..7) == Some("\\u");
                if is_pair { 11 } else { 5 }
            }
            _ => 1,
        };
        // One half alone is no pair.
        let read = |end: usize| {
            let quoted = format!("\"\\{}\"", rest.get(..end)?);
            serde_json::from_str::<String>(&quoted).ok()
        };
        let (end, text) = match read(end) {
            Some(text) => (end, text),
            None => (5, read(5).ok_or_else(|| self.unexpected())?),
        };
        self.at += end;
        Ok(text)
    }

    fn object(&mut self) -> Parsed {
        self.at += 1;
        let mut members = Vec::new();
        if self.takes("}") {
            return Ok(Expr::Object(members));
        }
        loop {
            members.push(self.member()?);
            if !self.takes(",") {
                break;
            }
        }
        self.expect("}")?;
        Ok(Expr::Object(members))
    }

    fn member(&mut self) -> Result<(Expr, Expr), Invalid> {
        self.skip_space();
        let shorthand = |name: &Expr| {
            let itself = Box::new(Expr::Identity);
            Expr::Index(itself, Box::new(name.clone()))
        };
        let name = match self.rest().chars().next() {
            Some('$') => {
                let name = self.variable()?;
                if !self.variables.contains(&name) {
                    return Err(Invalid(format!("uses ${name}, which is not defined")));
                }
                return Ok((text(name.clone()), Expr::Variable(name)));
            }
            Some('(') => {
                self.at += 1;
                let name = self.pipe()?;
                self.expect(")")?;
                self.expect(":")?;
                return Ok((name, self.member_value()?));
            }
            Some('"') => self.string(Format::Text)?,
            Some('@') => self.format()?,
            _ => {
                let name = self.name_here().ok_or_else(|| self.unexpected())?;
                text(name)
            }
        };
        if self.takes(":") {
            return Ok((name, self.member_value()?));
        }
        let value = shorthand(&name);
        Ok((name, value))
    }

    /// Only terms and what goes from one into the next need no parentheses.
    fn member_value(&mut self) -> Parsed {
        self.deeper(|parser| {
            let value = if parser.takes("-") {
                Expr::Negate(Box::new(parser.plain_term()?))
            } else {
                parser.plain_term()?
            };
            if parser.takes_pipe() {
                let then = parser.member_value()?;
                return Ok(Expr::Pipe(Box::new(value), Box::new(then)));
            }
            Ok(value)
        })
    }

    fn plain_term(&mut self) -> Parsed {
        match self.word() {
            "if" | "try" | "reduce" => Err(self.unexpected()),
            _ => self.whole_term(),
        }
    }

    pub(super) fn choice(&mut self) -> Parsed {
        self.at += self.word().len();
        let condition = self.pipe()?;
        self.expect_word("then")?;
        let then = self.pipe()?;
        let otherwise = if self.word() == "elif" {
            self.deeper(Self::choice)?
        } else {
            self.expect_word("else")?;
            let otherwise = self.pipe()?;
            self.expect_word("end")?;
            otherwise
        };
        Ok(Expr::If(
            Box::new(condition),
            Box::new(then),
            Box::new(otherwise),
        ))
    }

    pub(super) fn attempt(&mut self) -> Parsed {
        self.expect_word("try")?;
        let body = self.whole_term()?;
        let handler = if self.takes_word("catch") {
            Some(Box::new(self.whole_term()?))
        } else {
            None
        };
        Ok(Expr::Try(Box::new(body), handler))
    }

    pub(super) fn reduce(&mut self) -> Parsed {
        self.expect_word("reduce")?;
        let source = self.whole_term()?;
        self.expect_word("as")?;
        let name = self.variable()?;
        self.expect("(")?;
        let from = self.pipe()?;
        self.expect(";")?;
        self.variables.push(name.clone());
        let update = self.pipe();
        self.variables.pop();
        let update = update?;
        self.expect(")")?;
        Ok(Expr::Reduce(
            Box::new(source),
            name,
            Box::new(from),
            Box::new(update),
        ))
    }

    fn call(&mut self) -> Parsed {
        let name = self.word();
        if name.is_empty() {
            return Err(self.unexpected());
        }
        if ["def", "foreach", "label", "import", "include", "module"].contains(&name) {
            return Err(Self::unknown(name));
        }
        if KEYWORDS.contains(&name) {
            return Err(self.unexpected());
        }
        self.at += name.len();
        let mut arguments = Vec::new();
        if self.takes("(") {
            loop {
                arguments.push(self.pipe()?);
                if !self.takes(";") {
                    break;
                }
            }
            self.expect(")")?;
        }
        let count = arguments.len();
        let call = function::call(name, arguments);
        call.ok_or_else(|| Self::unknown(&format!("{name}/{count}")))
    }
}
