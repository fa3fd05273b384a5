//! What a query does, with every name resolved and every type known: a tree of steps, from which
//! `operators` makes the ones that run.

mod needed;

use crate::aggregate::AggregateCall;
use crate::analytic::AnalyticCall;
use crate::batch::Millis;
use crate::expr::Expr;
use crate::ty::RowType;

pub use self::needed::Needed;

/// A stream of an application, by its place in the list of streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamId(pub usize);

/// A table of reference data, by its place in the list of tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TableId(pub usize);

/// A step and those before it.
#[derive(Clone, Debug)]
pub struct Plan {
    pub step: Step,
    /// What its rows look like.
    pub rows: RowType,
}

#[derive(Clone, Debug)]
pub enum Step {
    /// All rows of a stream.
    Stream(StreamId),
    /// The rows that make the condition true.
    Filter {
        input: Box<Plan>,
        condition: Expr,
    },
    /// A row of these values for each; the first one is its `ROWTIME`.
    Project {
        input: Box<Plan>,
        values: Vec<Expr>,
    },
    /// A row for each window and each group in it.
    Aggregate(Box<Aggregate>),
    /// A row for each row, with values of the rows around it behind its own.
    Over(Box<Over>),
    Join(Box<Join>),
    /// All rows of several plans of the same columns, in the order of `ROWTIME`.
    Union {
        inputs: Vec<Plan>,
    },
    /// `DISTINCT`, `EXCEPT` and `INTERSECT` within each window.
    Set(Box<SetStep>),
    /// Rows again in the order of a moment, for as long as they may be late.
    Sort(Box<SortStep>),
    /// A function that takes rows and gives rows.
    Table(Box<TableStep>),
    /// One row of constants, once, at the beginning.
    Values {
        values: Vec<Vec<Expr>>,
    },
}

/// `GROUP BY`. Its rows are: `ROWTIME`, the bounds of the window if it has any (start, end, both
/// timestamps), the keys, the aggregates.
///
/// `ROWTIME` is the end of the window (of `Step` and `Change` windows over something else than
/// `ROWTIME`: the time of the row or the moment that closed it).
#[derive(Clone, Debug)]
pub struct Aggregate {
    pub input: Plan,
    pub window: Window,
    pub keys: Vec<Expr>,
    pub aggregates: Vec<AggregateCall>,
    /// What happens with rows that come after their window was answered.
    pub late: Late,
}

/// Which rows are answered together.
#[derive(Clone, Debug)]
pub enum Window {
    /// Windows of `size`, one each `slide`, beginning at multiples of it since 1970 and `offset`.
    /// With `size == slide` they tumble. `bounds`: their start and end are columns.
    Hop {
        time: Expr,
        size: Millis,
        slide: Millis,
        offset: Millis,
        /// Time goes by `ROWTIME`, or by the watermark of the stream.
        clock: Clock,
        bounds: bool,
    },
    /// As long as the value does not rise: any monotonic expression. A row with another value
    /// closes what was open. The value is one of the keys, by its number there.
    Change { key: usize },
    /// Opens for each group with its first row and closes `range` later.
    Stagger { range: Millis },
    /// Ends for each group when it had no row for `gap`. `bounds`: as above.
    Session {
        time: Expr,
        gap: Millis,
        clock: Clock,
        bounds: bool,
    },
    /// Windows that begin together and end each `step` later, up to `size`.
    Cumulate {
        time: Expr,
        size: Millis,
        step: Millis,
        clock: Clock,
        bounds: bool,
    },
}

/// What tells that a window is over.
#[derive(Clone, Debug)]
pub enum Clock {
    /// `ROWTIME`, which never falls.
    Rowtime,
    /// The greatest value so far of a column that may be out of order, less how late it may be:
    /// `WATERMARK FOR column AS column - INTERVAL …`.
    Watermark { column: Expr, late: Millis },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Late {
    /// To the error stream.
    Fault,
    /// Counted, and no more.
    Drop,
    /// The window is answered again.
    Update,
}

/// `OVER`: windows that slide with each row. Rows of one partition and one window share a frame.
#[derive(Clone, Debug)]
pub struct Over {
    pub input: Plan,
    pub windows: Vec<OverWindow>,
}

#[derive(Clone, Debug)]
pub struct OverWindow {
    pub partition: Vec<Expr>,
    pub frame: Frame,
    pub calls: Vec<OverCall>,
}

/// Values behind those of the row, in the order of windows and of calls in each.
#[derive(Clone, Debug)]
pub enum OverCall {
    Aggregate(AggregateCall),
    Analytic(AnalyticCall),
}

/// Which rows of the partition a row sees besides itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Frame {
    /// All before it. Kept as accumulators only.
    Unbounded,
    /// So many rows before it.
    Rows(u64),
    /// Rows less than so much older by `ROWTIME`, and those of the same `ROWTIME` before it.
    Range(Millis),
}

/// Rows of two sides that match. Its rows are: `ROWTIME` (the later one of both), all columns of
/// the left side with its `ROWTIME`, all of the right side with its.
#[derive(Clone, Debug)]
pub struct Join {
    pub left: JoinSide,
    pub right: JoinSide,
    /// Rows without a match are given with nulls for the other side.
    pub left_outer: bool,
    pub right_outer: bool,
    /// What has to be equal: values of the left and of the right side, of the same types. Two
    /// nulls are not equal.
    pub equal: Vec<(Expr, Expr)>,
    /// What else has to be true, over the columns of the join's rows.
    pub condition: Option<Expr>,
}

#[derive(Clone, Debug)]
pub struct JoinSide {
    pub input: JoinInput,
    pub window: JoinWindow,
}

#[derive(Clone, Debug)]
pub enum JoinInput {
    Stream(Plan),
    /// Reference data, all of it known before the first row.
    Table(TableId, RowType),
}

/// Which rows of a side a row of the other side meets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JoinWindow {
    /// Only one that comes at that moment: of the same `ROWTIME` if the other side has a `Range`,
    /// or else the one that comes while the others are there.
    None,
    /// Rows whose `ROWTIME` is less than so far around the other row's, or the same.
    Range {
        preceding: Millis,
        following: Millis,
    },
    /// The last so many rows.
    Rows(u64),
    /// All of a table.
    All,
}

/// Rows that are told apart within each window of `ROWTIME`.
#[derive(Clone, Debug)]
pub struct SetStep {
    pub kind: SetKind,
    pub inputs: Vec<Plan>,
    /// How long the windows are; None: rows of the same `ROWTIME`.
    pub window: Option<Millis>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SetKind {
    Distinct,
    Except,
    Intersect,
}

/// `ORDER BY`: rows are held until no earlier one can come. The `ROWTIME` of what leaves is `by`.
#[derive(Clone, Debug)]
pub struct SortStep {
    pub input: Plan,
    /// A timestamp; rows for which it is null are dropped.
    pub by: Expr,
    /// How much older than the latest one a row may be; 0 for `ORDER BY ROWTIME, x`.
    pub within: Millis,
    /// The order of rows of the same moment; those that are equal in it leave as they came.
    pub then: Vec<SortKey>,
}

/// One more term of `ORDER BY`. Nulls are greater than all values.
#[derive(Clone, Debug)]
pub struct SortKey {
    pub value: Expr,
    pub descending: bool,
}

/// A table function over one cursor.
#[derive(Clone, Debug)]
pub struct TableStep {
    pub function: TableFunction,
    pub input: Plan,
}

/// Its rows are those of the cursor (with what it adds behind), or its own.
#[derive(Clone, Debug)]
pub enum TableFunction {
    /// Ranks the rows that came within one `ROWTIME`.
    GroupRank(GroupRank),
    /// The values that came most often in each window.
    TopItems {
        column: usize,
        count: u64,
        window: Millis,
    },
    /// How many different values came in each window.
    DistinctItems {
        column: usize,
        window: Millis,
    },
    RandomCutForest(RandomCutForest),
    Hotspots(Hotspots),
}

/// Rows of one `rank_by` group, ordered by a column, with their rank.
#[derive(Clone, Debug)]
pub struct GroupRank {
    /// The column by which rows are ranked.
    pub rank_by: usize,
    /// The column that takes the rank: one of the cursor's, or the one behind all of them.
    pub rank: usize,
    pub descending: bool,
    /// Rows leave in the order of their rank, the greatest one first.
    pub output_descending: bool,
    /// Rows of a group that are answered, at most; 0: all.
    pub rows_max: u64,
}

#[derive(Clone, Debug)]
pub struct RandomCutForest {
    pub trees: u32,
    pub sample_size: u32,
    pub time_decay: u64,
    pub shingle_size: u32,
    pub explain: bool,
    pub directions: bool,
    /// The numeric columns that are looked at.
    pub columns: Vec<usize>,
}

#[derive(Clone, Debug)]
pub struct Hotspots {
    pub window_rows: u32,
    pub scan_radius: f64,
    pub points_min: u32,
    pub columns: Vec<usize>,
}
