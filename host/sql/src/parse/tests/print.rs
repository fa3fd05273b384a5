//! Writes trees as text again, with parentheses around everything, so that a test sees how a
//! program was understood, and that reading what was written gives the same tree.

mod special;

use std::fmt::Write;

use crate::ast::ExpressionKind as Kind;
use crate::ast::*;

pub fn statement(statement: &Statement) -> String {
    match statement {
        Statement::CreateStream(stream) => create_stream(stream),
        Statement::CreatePump(pump) => create_pump(pump),
        Statement::CreateFunction(function) => create_function(function),
        Statement::AlterPump { names, started } => {
            let names = if names.is_empty() {
                "ALL".to_owned()
            } else {
                list(names, name)
            };
            format!(
                "ALTER PUMP {names} {}",
                if *started { "START" } else { "STOP" }
            )
        }
        Statement::Drop {
            kind,
            name: dropped,
            if_exists,
        } => {
            let kind = format!("{kind:?}").to_uppercase();
            let if_exists = flag(*if_exists, " IF EXISTS");
            format!("DROP {kind}{if_exists} {}", name(dropped))
        }
        Statement::Select(select) => query(select),
    }
}

fn create_stream(stream: &CreateStream) -> String {
    let mut columns = list(&stream.columns, |column| {
        let not_null = flag(column.not_null, " NOT NULL");
        format!("{} {}{not_null}", name(&column.name), column.ty)
    });
    if let Some(watermark) = &stream.watermark {
        let (column, moment) = (name(&watermark.column), expression(&watermark.expression));
        write!(columns, ", WATERMARK FOR {column} AS {moment}").unwrap();
    }
    let head = head(stream.or_replace, "STREAM", &stream.name);
    format!(
        "{head} ({columns}){}",
        description(stream.description.as_ref())
    )
}

fn create_pump(pump: &CreatePump) -> String {
    let head = head(pump.or_replace, "PUMP", &pump.name);
    let state = if pump.started { "STARTED" } else { "STOPPED" };
    let description = description(pump.description.as_ref());
    let columns = if pump.columns.is_empty() {
        String::new()
    } else {
        format!(" ({})", list(&pump.columns, name))
    };
    let (target, query) = (name(&pump.target), query(&pump.query));
    format!("{head} {state}{description} AS INSERT INTO {target}{columns} {query}")
}

fn create_function(function: &CreateFunction) -> String {
    let head = head(function.or_replace, "FUNCTION", &function.name);
    let arguments = list(&function.arguments, |(argument, ty)| {
        format!("{} {ty}", name(argument))
    });
    let body = match &function.body {
        FunctionBody::Expression(body) => format!("RETURN {}", expression(body)),
        FunctionBody::External(plugin) => format!("LANGUAGE WASM EXTERNAL NAME {}", text(plugin)),
    };
    format!("{head} ({arguments}) RETURNS {} {body}", function.returns)
}

fn head(or_replace: bool, kind: &str, created: &Name) -> String {
    format!(
        "CREATE{} {kind} {}",
        flag(or_replace, " OR REPLACE"),
        name(created)
    )
}

fn description(written: Option<&String>) -> String {
    written.map_or_else(String::new, |written| {
        format!(" DESCRIPTION {}", text(written))
    })
}

pub fn query(query: &Query) -> String {
    let body = match &query.body {
        QueryBody::Select(inner) => select(inner),
        QueryBody::Values(rows) => {
            let rows = list(rows, |row| format!("ROW({})", list(row, expression)));
            format!("VALUES {rows}")
        }
        QueryBody::Set {
            operator,
            all,
            left,
            right,
        } => {
            let operator = format!("{operator:?}").to_uppercase();
            let all = flag(*all, " ALL");
            format!(
                "({}) {operator}{all} ({})",
                self::query(left),
                self::query(right)
            )
        }
    };
    body + &order_by(&query.order_by)
}

fn select(select: &Select) -> String {
    let mut out = "SELECT".to_owned();
    out.push_str(flag(select.stream, " STREAM"));
    out.push_str(flag(select.distinct, " DISTINCT"));
    let items = list(&select.items, |item| match item {
        SelectItem::All { of: None } => "*".to_owned(),
        SelectItem::All { of: Some(of) } => format!("{}.*", name(of)),
        SelectItem::Expression {
            expression: value,
            alias,
        } => {
            let alias = alias.as_ref().map(|alias| format!(" AS {}", name(alias)));
            expression(value) + &alias.unwrap_or_default()
        }
    });
    write!(out, " {items}").unwrap();
    if let Some(from) = &select.from {
        write!(out, " FROM {}", relation(from)).unwrap();
    }
    if let Some(filter) = &select.filter {
        write!(out, " WHERE {}", expression(filter)).unwrap();
    }
    if !select.group_by.is_empty() {
        write!(out, " GROUP BY {}", list(&select.group_by, expression)).unwrap();
    }
    if let Some(stagger) = &select.stagger {
        let by = partition_by(&stagger.partition_by);
        let range = expression(&stagger.range);
        write!(out, " WINDOWED BY STAGGER ({by}RANGE {range})").unwrap();
    }
    if let Some(having) = &select.having {
        write!(out, " HAVING {}", expression(having)).unwrap();
    }
    if !select.windows.is_empty() {
        let windows = list(&select.windows, |(named, window)| {
            format!("{} AS {}", name(named), specification(window))
        });
        write!(out, " WINDOW {windows}").unwrap();
    }
    out
}

fn relation(from: &Relation) -> String {
    match from {
        Relation::Named {
            name: named,
            window,
            alias: called,
        } => name(named) + &over(window.as_ref()) + &alias(called.as_ref()),
        Relation::Subquery {
            query: inner,
            window,
            alias: called,
        } => format!(
            "({}){}{}",
            query(inner),
            over(window.as_ref()),
            alias(called.as_ref())
        ),
        Relation::Function {
            call: called,
            alias: named,
        } => {
            format!("TABLE({}){}", call(called), alias(named.as_ref()))
        }
        Relation::Join {
            left,
            right,
            kind,
            condition,
            ..
        } => {
            let kind = format!("{kind:?}").to_uppercase();
            let condition = match condition {
                JoinCondition::None => String::new(),
                JoinCondition::On(condition) => format!(" ON {}", expression(condition)),
                JoinCondition::Using(columns) => format!(" USING ({})", list(columns, name)),
            };
            format!(
                "({} {kind} JOIN {}{condition})",
                relation(left),
                relation(right)
            )
        }
    }
}

fn alias(alias: Option<&Alias>) -> String {
    let Some(alias) = alias else {
        return String::new();
    };
    if alias.columns.is_empty() {
        return format!(" AS {}", name(&alias.name));
    }
    format!(" AS {} ({})", name(&alias.name), list(&alias.columns, name))
}

fn over(window: Option<&WindowReference>) -> String {
    match window {
        None => String::new(),
        Some(WindowReference::Named(window)) => format!(" OVER {}", name(window)),
        Some(WindowReference::Written(window)) => format!(" OVER {}", specification(window)),
    }
}

fn specification(window: &WindowSpecification) -> String {
    let mut out = window
        .base
        .as_ref()
        .map(|base| name(base) + " ")
        .unwrap_or_default();
    out += &partition_by(&window.partition_by);
    if !window.order_by.is_empty() {
        out += order_by(&window.order_by).trim_start();
        out.push(' ');
    }
    if let Some(frame) = &window.frame {
        let unit = format!("{:?}", frame.unit).to_uppercase();
        let start = bound(&frame.start);
        match &frame.end {
            None => write!(out, "{unit} {start}").unwrap(),
            Some(end) => write!(out, "{unit} BETWEEN {start} AND {}", bound(end)).unwrap(),
        }
    }
    format!("({})", out.trim())
}

fn bound(bound: &FrameBound) -> String {
    match bound {
        FrameBound::UnboundedPreceding => "UNBOUNDED PRECEDING".to_owned(),
        FrameBound::UnboundedFollowing => "UNBOUNDED FOLLOWING".to_owned(),
        FrameBound::CurrentRow => "CURRENT ROW".to_owned(),
        FrameBound::Preceding(distance) => format!("{} PRECEDING", expression(distance)),
        FrameBound::Following(distance) => format!("{} FOLLOWING", expression(distance)),
    }
}

fn partition_by(keys: &[Expression]) -> String {
    if keys.is_empty() {
        return String::new();
    }
    format!("PARTITION BY {} ", list(keys, expression))
}

fn order_by(terms: &[OrderBy]) -> String {
    if terms.is_empty() {
        return String::new();
    }
    let terms = list(terms, |term| {
        let within = term.within.as_ref();
        let within = within.map(|within| format!(" WITHIN {}", expression(within)));
        let descending = flag(term.descending, " DESC");
        expression(&term.expression) + descending + &within.unwrap_or_default()
    });
    format!(" ORDER BY {terms}")
}

pub fn expression(written: &Expression) -> String {
    match &written.kind {
        Kind::Literal(value) => literal(value),
        Kind::Column(names) => names.iter().map(name).collect::<Vec<_>>().join("."),
        Kind::Unary { operator, operand } => {
            let operator = match operator {
                UnaryOperator::Plus => "+",
                UnaryOperator::Minus => "-",
                UnaryOperator::Not => "NOT ",
            };
            format!("({operator}{})", expression(operand))
        }
        Kind::Binary {
            operator: symbol,
            left,
            right,
        } => format!(
            "({} {} {})",
            expression(left),
            operator(*symbol),
            expression(right)
        ),
        Kind::Call(called) => call(called),
        Kind::Cursor(cursor) => format!("CURSOR({})", query(cursor)),
        Kind::Table(table) => format!("TABLE {}", name(table)),
        Kind::Descriptor(column) => format!("DESCRIPTOR({})", name(column)),
        Kind::Row(values) => format!("ROW({})", list(values, expression)),
        other => special::predicate(other),
    }
}

fn operator(operator: BinaryOperator) -> &'static str {
    match operator {
        BinaryOperator::Or => "OR",
        BinaryOperator::And => "AND",
        BinaryOperator::Equal => "=",
        BinaryOperator::NotEqual => "<>",
        BinaryOperator::Less => "<",
        BinaryOperator::LessOrEqual => "<=",
        BinaryOperator::Greater => ">",
        BinaryOperator::GreaterOrEqual => ">=",
        BinaryOperator::Add => "+",
        BinaryOperator::Subtract => "-",
        BinaryOperator::Multiply => "*",
        BinaryOperator::Divide => "/",
        BinaryOperator::Modulo => "%",
        BinaryOperator::Concatenate => "||",
    }
}

fn call(call: &Call) -> String {
    let arguments = if call.star {
        "*".to_owned()
    } else {
        list(&call.arguments, expression)
    };
    let distinct = flag(call.distinct, "DISTINCT ");
    let mut out = format!("{}({distinct}{arguments})", name(&call.name));
    if let Some(filter) = &call.filter {
        write!(out, " FILTER (WHERE {})", expression(filter)).unwrap();
    }
    out.push_str(match call.ignore_nulls {
        Some(true) => " IGNORE NULLS",
        Some(false) => " RESPECT NULLS",
        None => "",
    });
    out + &over(call.over.as_ref())
}

fn time_unit(unit: TimeUnit) -> String {
    match unit {
        TimeUnit::DayOfWeek => "DOW".to_owned(),
        TimeUnit::DayOfYear => "DOY".to_owned(),
        unit => format!("{unit:?}").to_uppercase(),
    }
}

fn literal(literal: &Literal) -> String {
    match literal {
        Literal::Null => "NULL".to_owned(),
        Literal::Boolean(truth) => truth.to_string().to_uppercase(),
        Literal::Whole(number) => number.to_string(),
        Literal::Decimal { digits, scale } => {
            let scale = usize::from(*scale);
            let digits = format!("{digits:0>width$}", width = scale + 1);
            let (whole, fraction) = digits.split_at(digits.len() - scale);
            format!("{whole}.{fraction}")
        }
        Literal::Double(number) => format!("{number:e}"),
        Literal::Text(written) => text(written),
        Literal::Bytes(bytes) => {
            let digits: String = bytes.iter().map(|byte| format!("{byte:02X}")).collect();
            format!("X'{digits}'")
        }
        Literal::Date(days) => {
            let day = chrono::NaiveDate::default() + chrono::Duration::days(i64::from(*days));
            format!("DATE '{day}'")
        }
        Literal::Time(millis) => {
            let time =
                chrono::NaiveTime::default() + chrono::Duration::milliseconds((*millis).into());
            format!("TIME '{}'", time.format("%H:%M:%S%.3f"))
        }
        Literal::Timestamp(millis) => {
            let moment = chrono::DateTime::from_timestamp_millis(*millis).unwrap();
            format!("TIMESTAMP '{}'", moment.format("%Y-%m-%d %H:%M:%S%.3f"))
        }
        Literal::DayInterval(millis) => format!("INTERVAL '{millis}' MILLISECOND"),
        Literal::YearInterval(months) => format!("INTERVAL '{months}' MONTH"),
    }
}

fn text(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

fn name(name: &Name) -> String {
    if name.quoted {
        return format!("\"{}\"", name.text.replace('"', "\"\""));
    }
    name.text.clone()
}

fn list<T>(all: &[T], one: impl Fn(&T) -> String) -> String {
    all.iter().map(one).collect::<Vec<_>>().join(", ")
}

fn flag(set: bool, text: &'static str) -> &'static str {
    if set { text } else { "" }
}
