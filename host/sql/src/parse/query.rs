//! Queries: SELECT, VALUES and what puts several of them together.

use super::Parser;
use crate::ast::{OrderBy, Query, QueryBody, Select, SelectItem, SetOperator, Stagger};
use crate::fault::Invalid;

/// Queries that set operators put together without parentheses, at most.
pub const SET_OPERANDS_MAX: usize = 64;

impl Parser {
    /// Whether a query comes next, also in parentheses.
    pub(super) fn begins_query(&self) -> bool {
        let mut ahead = 0;
        while self.is_symbol_at(ahead, "(") {
            ahead += 1;
        }
        self.is_word_at(ahead, "SELECT") || self.is_word_at(ahead, "VALUES")
    }

    pub(super) fn query(&mut self) -> Result<Query, Invalid> {
        self.deeper(|parser| {
            let mut query = parser.union()?;
            let place = parser.place();
            let order_by = parser.order_by()?;
            if !order_by.is_empty() && !query.order_by.is_empty() {
                return Err(Invalid::at(place, "this query has an ORDER BY already"));
            }
            if !order_by.is_empty() {
                query.order_by = order_by;
            }
            Ok(query)
        })
    }

    /// UNION and EXCEPT, which bind less than INTERSECT.
    fn union(&mut self) -> Result<Query, Invalid> {
        let mut left = self.intersect()?;
        for _ in 0..SET_OPERANDS_MAX {
            let operator = if self.take_word("UNION") {
                SetOperator::Union
            } else if self.take_word("EXCEPT") {
                SetOperator::Except
            } else {
                return Ok(left);
            };
            let all = self.set_all();
            let right = self.intersect()?;
            left = set(operator, all, left, right);
        }
        Err(self.unexpected(&format!("at most {SET_OPERANDS_MAX} queries in a row")))
    }

    fn intersect(&mut self) -> Result<Query, Invalid> {
        let mut left = self.query_term()?;
        for _ in 0..SET_OPERANDS_MAX {
            if !self.take_word("INTERSECT") {
                return Ok(left);
            }
            let all = self.set_all();
            let right = self.query_term()?;
            left = set(SetOperator::Intersect, all, left, right);
        }
        Err(self.unexpected(&format!("at most {SET_OPERANDS_MAX} queries in a row")))
    }

    fn set_all(&mut self) -> bool {
        let all = self.take_word("ALL");
        if !all {
            self.take_word("DISTINCT");
        }
        all
    }

    fn query_term(&mut self) -> Result<Query, Invalid> {
        let at = self.place();
        if self.take_symbol("(") {
            let query = self.query()?;
            self.symbol(")")?;
            return Ok(query);
        }
        let body = if self.take_word("VALUES") {
            QueryBody::Values(self.list(Self::values_row)?)
        } else if self.is_word("SELECT") {
            QueryBody::Select(Box::new(self.select()?))
        } else {
            return Err(self.unexpected("SELECT or VALUES"));
        };
        Ok(Query {
            body,
            order_by: Vec::new(),
            at,
        })
    }

    /// `(a, b)`, `ROW(a, b)`, or a single value.
    fn values_row(&mut self) -> Result<Vec<crate::ast::Expression>, Invalid> {
        let value = self.expression()?;
        Ok(match value.kind {
            crate::ast::ExpressionKind::Row(values) => values,
            _ => vec![value],
        })
    }

    fn select(&mut self) -> Result<Select, Invalid> {
        let at = self.place();
        self.word("SELECT")?;
        let stream = self.takes_stream();
        let distinct = self.take_word("DISTINCT");
        if !distinct {
            self.take_word("ALL");
        }
        let items = self.list(Self::select_item)?;
        let from = if self.take_word("FROM") {
            Some(self.from()?)
        } else {
            None
        };
        let filter = self.clause(&["WHERE"])?;
        let group_by = if self.take_words(&["GROUP", "BY"]) {
            self.list(Self::expression)?
        } else {
            Vec::new()
        };
        let stagger = self.stagger()?;
        let having = self.clause(&["HAVING"])?;
        let windows = if self.take_word("WINDOW") {
            self.list(Self::named_window)?
        } else {
            Vec::new()
        };
        Ok(Select {
            stream,
            distinct,
            items,
            from,
            filter,
            group_by,
            stagger,
            having,
            windows,
            at,
        })
    }

    /// Takes STREAM behind SELECT, unless it is a column of that name.
    fn takes_stream(&mut self) -> bool {
        let column = [",", ".", ")", ";"]
            .iter()
            .any(|symbol| self.is_symbol_at(1, symbol))
            || self.is_word_at(1, "FROM")
            || self.is_word_at(1, "AS");
        !column && self.take_word("STREAM")
    }

    fn clause(&mut self, words: &[&str]) -> Result<Option<crate::ast::Expression>, Invalid> {
        if self.take_words(words) {
            return self.expression().map(Some);
        }
        Ok(None)
    }

    fn select_item(&mut self) -> Result<SelectItem, Invalid> {
        if self.take_symbol("*") {
            return Ok(SelectItem::All { of: None });
        }
        if self.is_name_at(0) && self.is_symbol_at(1, ".") && self.is_symbol_at(2, "*") {
            let of = Some(self.name("a name")?);
            self.symbol(".")?;
            self.symbol("*")?;
            return Ok(SelectItem::All { of });
        }
        let expression = self.expression()?;
        let alias = if self.take_word("AS") || self.is_name_at(0) {
            Some(self.name("a name for the column")?)
        } else {
            None
        };
        Ok(SelectItem::Expression { expression, alias })
    }

    /// `WINDOWED BY STAGGER (PARTITION BY … RANGE INTERVAL …)`, if it is there.
    fn stagger(&mut self) -> Result<Option<Stagger>, Invalid> {
        if !self.take_word("WINDOWED") {
            return Ok(None);
        }
        self.words(&["BY", "STAGGER"])?;
        self.symbol("(")?;
        let partition_by = if self.take_words(&["PARTITION", "BY"]) {
            self.list(Self::expression)?
        } else {
            Vec::new()
        };
        self.word("RANGE")?;
        let range = self.expression()?;
        self.symbol(")")?;
        Ok(Some(Stagger {
            partition_by,
            range,
        }))
    }

    /// `ORDER BY …`, if it is there.
    pub(super) fn order_by(&mut self) -> Result<Vec<OrderBy>, Invalid> {
        if self.take_words(&["ORDER", "BY"]) {
            return self.list(Self::order_term);
        }
        Ok(Vec::new())
    }

    fn order_term(&mut self) -> Result<OrderBy, Invalid> {
        let expression = self.expression()?;
        let descending = self.take_word("DESC");
        if !descending {
            self.take_word("ASC");
        }
        let within = self.clause(&["WITHIN"])?;
        Ok(OrderBy {
            expression,
            descending,
            within,
        })
    }
}

fn set(operator: SetOperator, all: bool, left: Query, right: Query) -> Query {
    let at = left.at;
    let body = QueryBody::Set {
        operator,
        all,
        left: Box::new(left),
        right: Box::new(right),
    };
    Query {
        body,
        order_by: Vec::new(),
        at,
    }
}
