//! Statements: CREATE, ALTER, DROP, and queries by themselves.

use super::Parser;
use crate::ast::{
    ColumnDefinition, CreateFunction, CreatePump, CreateStream, DropKind, Expression,
    ExpressionKind, FunctionBody, Literal, Name, Statement, Watermark,
};
use crate::fault::{Invalid, Place};
use crate::lex::Token;
use crate::ty::SqlType;

impl Parser {
    pub(super) fn statement(&mut self) -> Result<Statement, Invalid> {
        if self.take_word("CREATE") {
            return self.create();
        }
        if self.take_word("ALTER") {
            self.word("PUMP")?;
            return self.alter_pump();
        }
        if self.take_word("DROP") {
            return self.drop();
        }
        if self.begins_query() {
            return self.query().map(Statement::Select);
        }
        Err(self.unexpected("CREATE, ALTER, DROP, SELECT or VALUES"))
    }

    fn create(&mut self) -> Result<Statement, Invalid> {
        let or_replace = self.take_words(&["OR", "REPLACE"]);
        if self.take_word("STREAM") {
            return self.create_stream(or_replace).map(Statement::CreateStream);
        }
        if self.take_word("PUMP") {
            return self.create_pump(or_replace).map(Statement::CreatePump);
        }
        if self.take_word("FUNCTION") {
            let function = self.create_function(or_replace);
            return function.map(Statement::CreateFunction);
        }
        Err(self.unexpected("STREAM, PUMP or FUNCTION"))
    }

    fn create_stream(&mut self, or_replace: bool) -> Result<CreateStream, Invalid> {
        let name = self.name("the name of a stream")?;
        let (mut columns, mut watermark) = (Vec::new(), None);
        self.symbol("(")?;
        loop {
            if self.is_word("WATERMARK") && self.is_word_at(1, "FOR") {
                if watermark.is_some() {
                    return Err(self.unexpected("only one WATERMARK of a stream"));
                }
                watermark = Some(self.watermark()?);
            } else {
                columns.push(self.column_definition()?);
            }
            if !self.take_symbol(",") {
                break;
            }
        }
        self.symbol(")")?;
        Ok(CreateStream {
            name,
            or_replace,
            columns,
            watermark,
            description: self.description()?,
        })
    }

    fn watermark(&mut self) -> Result<Watermark, Invalid> {
        self.words(&["WATERMARK", "FOR"])?;
        let column = self.name("the column of the watermark")?;
        self.word("AS")?;
        let expression = self.expression()?;
        Ok(Watermark { column, expression })
    }

    fn column_definition(&mut self) -> Result<ColumnDefinition, Invalid> {
        let name = self.name("the name of a column")?;
        let ty = self.sql_type()?;
        let not_null = self.take_words(&["NOT", "NULL"]);
        if !not_null {
            self.take_word("NULL");
        }
        Ok(ColumnDefinition { name, ty, not_null })
    }

    fn description(&mut self) -> Result<Option<String>, Invalid> {
        if self.take_word("DESCRIPTION") {
            return self.text("the text of a description").map(Some);
        }
        Ok(None)
    }

    fn create_pump(&mut self, or_replace: bool) -> Result<CreatePump, Invalid> {
        let name = self.name("the name of a pump")?;
        let stopped = self.take_word("STOPPED");
        if !stopped {
            self.take_word("STARTED");
        }
        let description = self.description()?;
        self.words(&["AS", "INSERT", "INTO"])?;
        let target = self.name("the name of a stream")?;
        let columns = if self.is_symbol("(") && self.is_name_at(1) {
            self.names_in_parentheses("the name of a column")?
        } else {
            Vec::new()
        };
        if !self.begins_query() {
            return Err(self.unexpected("SELECT or VALUES"));
        }
        Ok(CreatePump {
            name,
            or_replace,
            started: !stopped,
            description,
            target,
            columns,
            query: self.query()?,
        })
    }

    fn create_function(&mut self, or_replace: bool) -> Result<CreateFunction, Invalid> {
        let name = self.name("the name of a function")?;
        self.symbol("(")?;
        let mut arguments = Vec::new();
        if !self.is_symbol(")") {
            arguments = self.list(|parser| {
                let name = parser.name("the name of an argument")?;
                Ok((name, parser.sql_type()?))
            })?;
        }
        self.symbol(")")?;
        self.word("RETURNS")?;
        let returns = self.sql_type()?;
        let body = self.function_body(&arguments)?;
        Ok(CreateFunction {
            name,
            or_replace,
            arguments,
            returns,
            body,
        })
    }

    /// What is said of a function, and what it does.
    fn function_body(&mut self, arguments: &[(Name, SqlType)]) -> Result<FunctionBody, Invalid> {
        let (mut language, mut null_on_null) = (None, None);
        loop {
            let at = self.place();
            if self.take_word("LANGUAGE") {
                language = Some(self.name("a language")?);
            } else if self.take_words(&["RETURNS", "NULL", "ON", "NULL", "INPUT"]) {
                null_on_null = Some(at);
            } else if !self.take_function_property()? {
                break;
            }
        }
        let in_sql = match &language {
            Some(language) => match language.text.as_str() {
                "SQL" => true,
                "WASM" => false,
                other => {
                    let message = format!("expected the language SQL or WASM, found {other}");
                    return Err(Invalid::at(language.at, message));
                }
            },
            None => self.is_word("RETURN"),
        };
        if in_sql {
            self.word("RETURN")?;
            let body = self.expression()?;
            return Ok(FunctionBody::Expression(match null_on_null {
                Some(at) => null_for_null(arguments, body, at),
                None => body,
            }));
        }
        self.words(&["EXTERNAL", "NAME"])?;
        if let Some(at) = null_on_null {
            let message = "a function of a plugin is called for nulls too";
            return Err(Invalid::at(at, message));
        }
        let function = self.text("the name of a plugin and of its function as a text")?;
        Ok(FunctionBody::External(function))
    }

    /// Goes over what is said of a function that changes nothing: functions do not touch data, and
    /// are called with nulls.
    fn take_function_property(&mut self) -> Result<bool, Invalid> {
        if self.take_word("SPECIFIC") {
            self.name("the specific name of the function")?;
            return Ok(true);
        }
        const PROPERTIES: [&[&str]; 9] = [
            &["DETERMINISTIC"],
            &["NOT", "DETERMINISTIC"],
            &["CONTAINS", "SQL"],
            &["NO", "SQL"],
            &["READS", "SQL", "DATA"],
            &["MODIFIES", "SQL", "DATA"],
            &["CALLED", "ON", "NULL", "INPUT"],
            &["PARAMETER", "STYLE", "GENERAL"],
            &["PARAMETER", "STYLE", "SQL"],
        ];
        Ok(PROPERTIES.iter().any(|words| self.take_words(words)))
    }

    /// `a, b START`; without names all pumps. A pump may itself be called `START`.
    fn alter_pump(&mut self) -> Result<Statement, Invalid> {
        let ended = matches!(self.peek_at(1), Token::End | Token::Symbol(";"));
        let names = if ended || self.take_symbol("*") || self.take_word("ALL") {
            Vec::new()
        } else {
            self.list(|parser| parser.name("the name of a pump"))?
        };
        let started = self.take_word("START");
        if !started && !self.take_word("STOP") {
            return Err(self.unexpected("START or STOP"));
        }
        Ok(Statement::AlterPump { names, started })
    }

    fn drop(&mut self) -> Result<Statement, Invalid> {
        let kinds = [
            ("STREAM", DropKind::Stream),
            ("PUMP", DropKind::Pump),
            ("FUNCTION", DropKind::Function),
        ];
        let kind = kinds.into_iter().find(|(word, _)| self.take_word(word));
        let Some((_, kind)) = kind else {
            return Err(self.unexpected("STREAM, PUMP or FUNCTION"));
        };
        let if_exists = self.take_words(&["IF", "EXISTS"]);
        let name = self.name("a name")?;
        Ok(Statement::Drop {
            kind,
            name,
            if_exists,
        })
    }
}

/// The body where no argument is null, and null elsewhere.
fn null_for_null(arguments: &[(Name, SqlType)], body: Expression, at: Place) -> Expression {
    let is_null = |(name, _): &(Name, SqlType)| {
        let operand = Box::new(Expression {
            kind: ExpressionKind::Column(vec![name.clone()]),
            at,
        });
        let kind = ExpressionKind::IsNull {
            operand,
            negated: false,
        };
        let null = Expression {
            kind: ExpressionKind::Literal(Literal::Null),
            at,
        };
        (Expression { kind, at }, null)
    };
    if arguments.is_empty() {
        return body;
    }
    let kind = ExpressionKind::Case {
        operand: None,
        branches: arguments.iter().map(is_null).collect(),
        otherwise: Some(Box::new(body)),
    };
    Expression { kind, at }
}
