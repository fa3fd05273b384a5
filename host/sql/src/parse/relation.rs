//! What stands behind FROM.

use super::Parser;
use crate::ast::{Alias, Expression, JoinCondition, JoinKind, Relation};
use crate::fault::{Invalid, Place};

/// Relations that one FROM puts together without parentheses, at most.
pub const RELATIONS_MAX: usize = 64;

impl Parser {
    /// Relations with commas between them, which bind less than joins.
    pub(super) fn from(&mut self) -> Result<Relation, Invalid> {
        self.deeper(|parser| {
            let mut left = parser.joined()?;
            for _ in 0..RELATIONS_MAX {
                let at = parser.place();
                if !parser.take_symbol(",") {
                    return Ok(left);
                }
                let right = parser.joined()?;
                left = join(left, right, JoinKind::Cross, JoinCondition::None, at);
            }
            Err(parser.too_many_relations())
        })
    }

    fn too_many_relations(&self) -> Invalid {
        self.unexpected(&format!("at most {RELATIONS_MAX} relations in a row"))
    }

    fn joined(&mut self) -> Result<Relation, Invalid> {
        let mut left = self.relation()?;
        for _ in 0..RELATIONS_MAX {
            let at = self.place();
            let Some(kind) = self.join_kind()? else {
                return Ok(left);
            };
            let right = self.relation()?;
            let condition = match kind {
                JoinKind::Cross => JoinCondition::None,
                _ => self.join_condition()?,
            };
            left = join(left, right, kind, condition, at);
        }
        Err(self.too_many_relations())
    }

    /// The words up to and with JOIN, if a join comes next. OUTER alone keeps both sides.
    fn join_kind(&mut self) -> Result<Option<JoinKind>, Invalid> {
        let (kind, outer) = if self.take_word("JOIN") {
            return Ok(Some(JoinKind::Inner));
        } else if self.take_word("INNER") {
            (JoinKind::Inner, false)
        } else if self.take_word("CROSS") {
            (JoinKind::Cross, false)
        } else if self.take_word("LEFT") {
            (JoinKind::Left, true)
        } else if self.take_word("RIGHT") {
            (JoinKind::Right, true)
        } else if self.take_word("FULL") {
            (JoinKind::Full, true)
        } else if self.take_word("OUTER") {
            (JoinKind::Full, false)
        } else {
            return Ok(None);
        };
        if outer {
            self.take_word("OUTER");
        }
        self.word("JOIN")?;
        Ok(Some(kind))
    }

    fn join_condition(&mut self) -> Result<JoinCondition, Invalid> {
        if self.take_word("ON") {
            return self.expression().map(JoinCondition::On);
        }
        if self.take_word("USING") {
            let columns = self.names_in_parentheses("the name of a column")?;
            return Ok(JoinCondition::Using(columns));
        }
        Err(self.unexpected("ON or USING"))
    }

    fn relation(&mut self) -> Result<Relation, Invalid> {
        if self.is_word("TABLE") && self.is_symbol_at(1, "(") {
            self.advance();
            self.symbol("(")?;
            let call = self.table_function()?;
            self.symbol(")")?;
            let alias = self.alias()?;
            return Ok(Relation::Function { call, alias });
        }
        if self.is_symbol("(") && self.begins_query() {
            self.symbol("(")?;
            let query = Box::new(self.query()?);
            self.symbol(")")?;
            let mut window = self.over()?;
            let alias = self.alias()?;
            if window.is_none() {
                window = self.over()?;
            }
            return Ok(Relation::Subquery {
                query,
                window,
                alias,
            });
        }
        if self.take_symbol("(") {
            let relation = self.from()?;
            self.symbol(")")?;
            return Ok(relation);
        }
        if self.is_name_at(0) && self.is_symbol_at(1, "(") {
            let call = self.table_function()?;
            let alias = self.alias()?;
            return Ok(Relation::Function { call, alias });
        }
        let name = self.name("the name of a stream, a table function or a query in parentheses")?;
        let mut window = self.over()?;
        let alias = self.alias()?;
        if window.is_none() {
            window = self.over()?;
        }
        Ok(Relation::Named {
            name,
            window,
            alias,
        })
    }

    /// `[AS] name [(column, …)]`, if it is there.
    fn alias(&mut self) -> Result<Option<Alias>, Invalid> {
        if !self.take_word("AS") && !self.is_name_at(0) {
            return Ok(None);
        }
        let name = self.name("a name for the rows")?;
        let columns = if self.is_symbol("(") {
            self.names_in_parentheses("the name of a column")?
        } else {
            Vec::new()
        };
        Ok(Some(Alias { name, columns }))
    }

    /// `TABLE s`, an argument of a table function.
    pub(super) fn table_argument(&mut self) -> Result<crate::ast::ExpressionKind, Invalid> {
        self.word("TABLE")?;
        let name = self.name("the name of a stream")?;
        if self.is_word("PARTITION") {
            return Err(self
                .unexpected("no PARTITION BY here (a session is one for each group of GROUP BY)"));
        }
        Ok(crate::ast::ExpressionKind::Table(name))
    }

    /// The arguments of a function in the order that it has them, though they were named.
    pub(super) fn in_order(
        &self,
        function: &str,
        named: Vec<(crate::ast::Name, Expression)>,
    ) -> Result<Vec<Expression>, Invalid> {
        let order: &[&str] = match function {
            "TUMBLE" => &["DATA", "TIMECOL", "SIZE", "OFFSET"],
            "HOP" => &["DATA", "TIMECOL", "SLIDE", "SIZE", "OFFSET"],
            "CUMULATE" => &["DATA", "TIMECOL", "STEP", "SIZE", "OFFSET"],
            "SESSION" => &["DATA", "TIMECOL", "GAP"],
            _ => &[],
        };
        let mut places: Vec<Option<Expression>> = order.iter().map(|_| None).collect();
        for (name, value) in named {
            let place = order.iter().position(|known| *known == name.text);
            let Some(place) = place.map(|place| &mut places[place]) else {
                let message = format!("{function} has no argument called {}", name.text);
                return Err(Invalid::at(name.at, message));
            };
            if place.is_some() {
                let message = format!("the argument {} is given twice", name.text);
                return Err(Invalid::at(name.at, message));
            }
            *place = Some(value);
        }
        let given = places
            .iter()
            .rposition(Option::is_some)
            .map_or(0, |last| last + 1);
        let missing = places.iter().take(given).position(Option::is_none);
        if let Some(missing) = missing {
            let message = format!("the argument {} of {function} is missing", order[missing]);
            return Err(Invalid::at(self.place(), message));
        }
        Ok(places.into_iter().flatten().collect())
    }
}

fn join(
    left: Relation,
    right: Relation,
    kind: JoinKind,
    condition: JoinCondition,
    at: Place,
) -> Relation {
    Relation::Join {
        left: Box::new(left),
        right: Box::new(right),
        kind,
        condition,
        at,
    }
}
