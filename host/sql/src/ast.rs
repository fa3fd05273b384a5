//! A program as it is written, before any name in it means something.

use crate::fault::Place;
use crate::ty::SqlType;

/// A name, as it is looked up: in capitals, unless it was written in quotes.
#[derive(Clone, Debug)]
pub struct Name {
    pub text: String,
    pub quoted: bool,
    pub at: Place,
}

/// A statement of a program.
#[derive(Clone, Debug)]
pub enum Statement {
    CreateStream(CreateStream),
    CreatePump(CreatePump),
    CreateFunction(CreateFunction),
    /// `ALTER PUMP a, b START` or `STOP`; without names all pumps.
    AlterPump {
        names: Vec<Name>,
        started: bool,
    },
    Drop {
        kind: DropKind,
        name: Name,
        if_exists: bool,
    },
    /// A query by itself: rows to print.
    Select(Query),
}

#[derive(Clone, Debug)]
pub struct CreateStream {
    pub name: Name,
    pub or_replace: bool,
    pub columns: Vec<ColumnDefinition>,
    /// `WATERMARK FOR column AS expression`.
    pub watermark: Option<Watermark>,
    #[cfg_attr(
        not(test),
        expect(dead_code, reason = "said in a program, and of no effect")
    )]
    pub description: Option<String>,
}

#[derive(Clone, Debug)]
pub struct ColumnDefinition {
    pub name: Name,
    pub ty: SqlType,
    pub not_null: bool,
}

#[derive(Clone, Debug)]
pub struct Watermark {
    pub column: Name,
    pub expression: Expression,
}

#[derive(Clone, Debug)]
pub struct CreatePump {
    pub name: Name,
    pub or_replace: bool,
    /// False after `STOPPED`.
    pub started: bool,
    #[cfg_attr(
        not(test),
        expect(dead_code, reason = "said in a program, and of no effect")
    )]
    pub description: Option<String>,
    /// The stream that rows are inserted into.
    pub target: Name,
    /// The columns that are named; empty: all, in their order.
    pub columns: Vec<Name>,
    pub query: Query,
}

/// `CREATE FUNCTION f(a INTEGER, …) RETURNS t RETURN expression`, or with a plugin:
/// `CREATE FUNCTION f(…) RETURNS t LANGUAGE WASM … EXTERNAL NAME 'plugin.function'`.
#[derive(Clone, Debug)]
pub struct CreateFunction {
    pub name: Name,
    pub or_replace: bool,
    pub arguments: Vec<(Name, SqlType)>,
    pub returns: SqlType,
    pub body: FunctionBody,
}

#[derive(Clone, Debug)]
pub enum FunctionBody {
    Expression(Expression),
    External(String),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DropKind {
    Stream,
    Pump,
    Function,
}

/// A query with what is said of its order.
#[derive(Clone, Debug)]
pub struct Query {
    pub body: QueryBody,
    pub order_by: Vec<OrderBy>,
    pub at: Place,
}

#[derive(Clone, Debug)]
pub enum QueryBody {
    Select(Box<Select>),
    Values(Vec<Vec<Expression>>),
    Set {
        operator: SetOperator,
        all: bool,
        left: Box<Query>,
        right: Box<Query>,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SetOperator {
    Union,
    Except,
    Intersect,
}

/// One term of `ORDER BY`.
#[derive(Clone, Debug)]
pub struct OrderBy {
    pub expression: Expression,
    pub descending: bool,
    /// `WITHIN INTERVAL …`: how late a row may be and still come in its order.
    pub within: Option<Expression>,
}

#[derive(Clone, Debug)]
pub struct Select {
    /// `SELECT STREAM`.
    #[cfg_attr(
        not(test),
        expect(dead_code, reason = "said in a program, and of no effect")
    )]
    pub stream: bool,
    pub distinct: bool,
    pub items: Vec<SelectItem>,
    /// None for a query without `FROM`.
    pub from: Option<Relation>,
    pub filter: Option<Expression>,
    pub group_by: Vec<Expression>,
    /// `WINDOWED BY STAGGER (PARTITION BY … RANGE INTERVAL …)`.
    pub stagger: Option<Stagger>,
    pub having: Option<Expression>,
    /// `WINDOW w AS (…)`.
    pub windows: Vec<(Name, WindowSpecification)>,
    pub at: Place,
}

#[derive(Clone, Debug)]
pub struct Stagger {
    pub partition_by: Vec<Expression>,
    pub range: Expression,
}

#[derive(Clone, Debug)]
pub enum SelectItem {
    /// `*`, or `alias.*`.
    All { of: Option<Name> },
    Expression {
        expression: Expression,
        alias: Option<Name>,
    },
}

/// What rows come from.
#[derive(Clone, Debug)]
pub enum Relation {
    /// A stream or table, with a window if it takes part in a join: `s OVER (RANGE …) AS a`.
    Named {
        name: Name,
        window: Option<WindowReference>,
        alias: Option<Alias>,
    },
    Subquery {
        query: Box<Query>,
        window: Option<WindowReference>,
        alias: Option<Alias>,
    },
    /// `TABLE(f(CURSOR(SELECT STREAM …), …))`, `TABLE(TUMBLE(TABLE s, DESCRIPTOR(c), INTERVAL …))`
    /// or, as the guides write it too, without `TABLE`.
    Function { call: Call, alias: Option<Alias> },
    Join {
        left: Box<Relation>,
        right: Box<Relation>,
        kind: JoinKind,
        condition: JoinCondition,
        at: Place,
    },
}

/// `AS name (column, …)`.
#[derive(Clone, Debug)]
pub struct Alias {
    pub name: Name,
    pub columns: Vec<Name>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JoinKind {
    Inner,
    Left,
    Right,
    Full,
    Cross,
}

#[derive(Clone, Debug)]
pub enum JoinCondition {
    /// Of a cross join, or of tables with a comma between them.
    None,
    On(Expression),
    Using(Vec<Name>),
}

/// `OVER w` or `OVER (…)`.
#[derive(Clone, Debug)]
pub enum WindowReference {
    Named(Name),
    Written(Box<WindowSpecification>),
}

/// `(base PARTITION BY … ORDER BY … ROWS|RANGE …)`.
#[derive(Clone, Debug)]
pub struct WindowSpecification {
    /// The name of a window that this one refines.
    pub base: Option<Name>,
    pub partition_by: Vec<Expression>,
    pub order_by: Vec<OrderBy>,
    pub frame: Option<Frame>,
    pub at: Place,
}

#[derive(Clone, Debug)]
pub struct Frame {
    pub unit: FrameUnit,
    pub start: FrameBound,
    /// None: `CURRENT ROW`.
    pub end: Option<FrameBound>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameUnit {
    Rows,
    Range,
}

#[derive(Clone, Debug)]
pub enum FrameBound {
    UnboundedPreceding,
    UnboundedFollowing,
    CurrentRow,
    /// A number of rows or an interval.
    Preceding(Expression),
    Following(Expression),
}

/// An expression and where it begins.
#[derive(Clone, Debug)]
pub struct Expression {
    pub kind: ExpressionKind,
    pub at: Place,
}

#[derive(Clone, Debug)]
pub enum ExpressionKind {
    Literal(Literal),
    /// `column`, `alias.column` or `ROWTIME`.
    Column(Vec<Name>),
    Unary {
        operator: UnaryOperator,
        operand: Box<Expression>,
    },
    Binary {
        operator: BinaryOperator,
        left: Box<Expression>,
        right: Box<Expression>,
    },
    IsNull {
        operand: Box<Expression>,
        negated: bool,
    },
    /// `IS [NOT] TRUE`, `FALSE` or `UNKNOWN` (None).
    IsTruth {
        operand: Box<Expression>,
        truth: Option<bool>,
        negated: bool,
    },
    /// `IS [NOT] DISTINCT FROM`.
    IsDistinct {
        left: Box<Expression>,
        right: Box<Expression>,
        negated: bool,
    },
    Between {
        operand: Box<Expression>,
        low: Box<Expression>,
        high: Box<Expression>,
        negated: bool,
    },
    InList {
        operand: Box<Expression>,
        list: Vec<Expression>,
        negated: bool,
    },
    /// `LIKE` or `SIMILAR TO`.
    Like {
        operand: Box<Expression>,
        pattern: Box<Expression>,
        escape: Option<Box<Expression>>,
        similar: bool,
        negated: bool,
    },
    /// The operand of a simple CASE becomes an equality in each branch.
    Case {
        operand: Option<Box<Expression>>,
        branches: Vec<(Expression, Expression)>,
        otherwise: Option<Box<Expression>>,
    },
    Cast {
        operand: Box<Expression>,
        ty: SqlType,
    },
    /// `FLOOR(x TO unit)` and `CEIL(x TO unit)`.
    Round {
        operand: Box<Expression>,
        up: bool,
        unit: TimeUnit,
    },
    /// `STEP(x BY INTERVAL …)` or `STEP(x BY 5)`.
    Step {
        operand: Box<Expression>,
        by: Box<Expression>,
    },
    /// `EXTRACT(unit FROM x)`.
    Extract {
        unit: TimeUnit,
        operand: Box<Expression>,
    },
    Trim {
        side: TrimSide,
        characters: Option<Box<Expression>>,
        operand: Box<Expression>,
    },
    /// `SUBSTRING(x FROM a FOR b)` and `SUBSTRING(x, a, b)`; with `FROM pattern FOR escape`,
    /// where both are texts, the form with a pattern.
    Substring {
        operand: Box<Expression>,
        from: Box<Expression>,
        length: Option<Box<Expression>>,
    },
    /// `POSITION(x IN y)`.
    Position {
        wanted: Box<Expression>,
        within: Box<Expression>,
        from: Option<Box<Expression>>,
    },
    /// `OVERLAY(x PLACING y FROM a FOR b)`.
    Overlay {
        operand: Box<Expression>,
        placing: Box<Expression>,
        from: Box<Expression>,
        length: Option<Box<Expression>>,
    },
    /// A difference of moments as an interval: `(a - b) MINUTE`.
    Difference {
        left: Box<Expression>,
        right: Box<Expression>,
        unit: TimeUnit,
    },
    /// A function of any kind: scalar, aggregate or analytic.
    Call(Call),
    /// `CURSOR(SELECT STREAM …)`, an argument of a table function.
    Cursor(Box<Query>),
    /// `TABLE name`, an argument of TUMBLE, HOP, SESSION or CUMULATE.
    Table(Name),
    /// `DESCRIPTOR(column)`.
    Descriptor(Name),
    /// `(a, b)` where one value is not enough: `ROW(…)`.
    Row(Vec<Expression>),
}

#[derive(Clone, Debug)]
pub struct Call {
    /// In capitals, unless it was written in quotes.
    pub name: Name,
    pub arguments: Vec<Expression>,
    /// `COUNT(*)`.
    pub star: bool,
    pub distinct: bool,
    /// `FILTER (WHERE …)`.
    pub filter: Option<Box<Expression>>,
    /// `IGNORE NULLS` (true) or `RESPECT NULLS` (false), where it was written.
    pub ignore_nulls: Option<bool>,
    pub over: Option<WindowReference>,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Literal {
    Null,
    Boolean(bool),
    /// A number without a point and without an exponent.
    Whole(i128),
    /// With a point: its digits and how many of them stand behind it.
    Decimal {
        digits: i128,
        scale: u8,
    },
    /// With an exponent.
    Double(f64),
    Text(String),
    Bytes(Vec<u8>),
    /// Days since 1970-01-01.
    Date(i32),
    /// Milliseconds since midnight.
    Time(i32),
    /// Milliseconds since 1970-01-01T00:00:00.
    Timestamp(i64),
    /// `INTERVAL '…' DAY TO SECOND` and its parts, in milliseconds.
    DayInterval(i64),
    /// `INTERVAL '…' YEAR TO MONTH` and its parts, in months.
    YearInterval(i32),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnaryOperator {
    Plus,
    Minus,
    Not,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BinaryOperator {
    Or,
    And,
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Add,
    Subtract,
    Multiply,
    Divide,
    Modulo,
    /// `||`
    Concatenate,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TrimSide {
    Both,
    Leading,
    Trailing,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TimeUnit {
    Year,
    Quarter,
    Month,
    Week,
    Day,
    Hour,
    Minute,
    Second,
    Millisecond,
    DayOfWeek,
    DayOfYear,
    Epoch,
}
