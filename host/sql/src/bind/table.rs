//! Functions that stand in FROM: windows of Flink's spelling, and those that take a cursor.

use super::Binder;
use super::query::Rows;
use super::relation::{Related, named_scope};
use super::window::{Windowed, interval};
use crate::ast::{Alias, Call, Expression, ExpressionKind, Literal, Name};
use crate::batch::Millis;
use crate::expr::Expr;
use crate::fault::Invalid;
use crate::plan::{
    Clock, GroupRank, Hotspots, Plan, RandomCutForest, Step, TableFunction, TableStep, Window,
};
use crate::ty::{Column, RowType, SqlType};

impl Binder<'_> {
    /// The rows of a function in FROM.
    ///
    /// # Errors
    ///
    /// A function that gives no rows, or arguments that it does not take.
    pub fn table_function(&self, call: &Call, alias: Option<&Alias>) -> Result<Related, Invalid> {
        let at = call.name.at;
        let related = match call.name.text.as_str() {
            "TUMBLE" | "HOP" | "SESSION" | "CUMULATE" => self.window_function(call, alias),
            _ => self.cursor_function(call, alias),
        };
        related.map_err(|invalid| invalid.or_at(at))
    }

    /// `TUMBLE(TABLE s, DESCRIPTOR(c), INTERVAL …)` and its like: rows that are grouped by the
    /// bounds of their windows.
    fn window_function(&self, call: &Call, alias: Option<&Alias>) -> Result<Related, Invalid> {
        let [table, column, intervals @ ..] = call.arguments.as_slice() else {
            return Err(Invalid::new(
                "a window function takes TABLE s, DESCRIPTOR(column) and intervals",
            ));
        };
        let ExpressionKind::Table(name) = &table.kind else {
            return Err(Invalid::at(
                table.at,
                "TABLE and the name of a stream are needed",
            ));
        };
        let ExpressionKind::Descriptor(column) = &column.kind else {
            return Err(Invalid::at(column.at, "DESCRIPTOR(column) is needed"));
        };
        let mut related = self.stream(name, alias)?;
        let (time, clock) = time_of(&related, column)?;
        let intervals: Vec<Millis> = intervals.iter().map(interval).collect::<Result<_, _>>()?;
        let bounds = true;
        let window = match (call.name.text.as_str(), intervals.as_slice()) {
            ("TUMBLE", [size]) => hop(time, clock, *size, *size, 0),
            ("TUMBLE", [size, offset]) => hop(time, clock, *size, *size, *offset),
            ("HOP", [slide, size]) => hop(time, clock, *size, *slide, 0),
            ("HOP", [slide, size, offset]) => hop(time, clock, *size, *slide, *offset),
            ("SESSION", [gap]) => Window::Session {
                time,
                gap: *gap,
                clock,
                bounds,
            },
            ("CUMULATE", [step, size]) if size % step == 0 => Window::Cumulate {
                time,
                size: *size,
                step: *step,
                clock,
                bounds,
            },
            ("CUMULATE", [..]) => {
                return Err(Invalid::new(
                    "CUMULATE takes a step and a size that is a multiple of it",
                ));
            }
            (other, _) => {
                return Err(Invalid::new(format!(
                    "{other} does not take {} intervals",
                    intervals.len()
                )));
            }
        };
        check_windows(&window)?;
        related.window = Some(Windowed { window });
        Ok(related)
    }

    /// `f(CURSOR(SELECT STREAM …), …)`.
    fn cursor_function(&self, call: &Call, alias: Option<&Alias>) -> Result<Related, Invalid> {
        let [cursor, arguments @ ..] = call.arguments.as_slice() else {
            return Err(Invalid::new(format!(
                "Function '{}' not found",
                call.name.text
            )));
        };
        let ExpressionKind::Cursor(query) = &cursor.kind else {
            return Err(Invalid::at(
                cursor.at,
                "CURSOR(SELECT STREAM …) is needed as the first argument",
            ));
        };
        let input = self.query(query)?.without_rowtimes().plan;
        let columns = input.rows.declared().to_vec();
        let arguments = Constants { arguments };
        let (function, columns) = match call.name.text.as_str() {
            "GROUP_RANK" => group_rank(&arguments, columns)?,
            "TOP_K_ITEMS_TUMBLING" => top_items(&arguments, &columns)?,
            "COUNT_DISTINCT_ITEMS_TUMBLING" => distinct_items(&arguments, &columns)?,
            "RANDOM_CUT_FOREST" => forest(&arguments, columns, false)?,
            "RANDOM_CUT_FOREST_WITH_EXPLANATION" => forest(&arguments, columns, true)?,
            "HOTSPOTS" => hotspots(&arguments, columns)?,
            other => {
                return Err(Invalid::new(format!("Function '{other}' not found")));
            }
        };
        let rows = RowType::with_rowtime(columns);
        let scope = named_scope(&rows, None, alias)?;
        let step = Step::Table(Box::new(TableStep { function, input }));
        Ok(Related::new(Plan { step, rows }, scope))
    }
}

fn hop(time: Expr, clock: Clock, size: Millis, slide: Millis, offset: Millis) -> Window {
    Window::Hop {
        time,
        size,
        slide,
        offset,
        clock,
        bounds: true,
    }
}

/// Windows that one row is in, at most: each of them is a row that comes out.
const WINDOWS_OF_ROW_MAX: Millis = 10_000;

fn check_windows(window: &Window) -> Result<(), Invalid> {
    let (size, part) = match window {
        Window::Hop { size, slide, .. } => (*size, *slide),
        Window::Cumulate { size, step, .. } => (*size, *step),
        _ => return Ok(()),
    };
    if size % part != 0 {
        return Err(Invalid::new("the size of HOP is a multiple of its slide"));
    }
    if size / part > WINDOWS_OF_ROW_MAX {
        return Err(Invalid::new(format!(
            "a row may be in {WINDOWS_OF_ROW_MAX} windows: the size is too large for the slide"
        )));
    }
    Ok(())
}

/// The time that windows go by, and what tells that they are over.
fn time_of(related: &Related, column: &Name) -> Result<(Expr, Clock), Invalid> {
    let names = std::slice::from_ref(column);
    let time = Rows {
        scope: &related.scope,
    };
    let time = time.scope.resolve(names)?;
    let clock = match (time.as_column(), related.watermark) {
        (Some(0), _) => Clock::Rowtime,
        (Some(index), Some((of, late))) if index == of => Clock::Watermark {
            column: time.clone(),
            late,
        },
        _ => {
            return Err(Invalid::at(
                column.at,
                "windows go by ROWTIME, or by the column of the stream's WATERMARK",
            ));
        }
    };
    if time.ty() != SqlType::Timestamp {
        return Err(Invalid::at(column.at, "windows go by a TIMESTAMP"));
    }
    Ok((time, clock))
}

/// Arguments behind a cursor, which are written out.
struct Constants<'a> {
    arguments: &'a [Expression],
}

impl Constants<'_> {
    fn literal(&self, number: usize) -> Option<&Literal> {
        match &self.arguments.get(number)?.kind {
            ExpressionKind::Literal(literal) => Some(literal),
            ExpressionKind::Cast { operand, .. } => match &operand.kind {
                ExpressionKind::Literal(literal) => Some(literal),
                _ => None,
            },
            _ => None,
        }
    }

    fn text(&self, number: usize, what: &str) -> Result<&str, Invalid> {
        match self.literal(number) {
            Some(Literal::Text(text)) => Ok(text),
            _ => Err(self.wrong(number, what)),
        }
    }

    /// A whole number in a range, or what stands for one that is not written.
    fn whole(
        &self,
        number: usize,
        what: &str,
        range: std::ops::RangeInclusive<u64>,
        default: Option<u64>,
    ) -> Result<u64, Invalid> {
        if let (None, Some(default)) = (self.arguments.get(number), default) {
            return Ok(default);
        }
        match self.literal(number) {
            Some(Literal::Whole(whole)) => match u64::try_from(*whole) {
                Ok(whole) if range.contains(&whole) => Ok(whole),
                _ => Err(Invalid::new(format!(
                    "{what} is {} to {}, not {whole}",
                    range.start(),
                    range.end()
                ))),
            },
            _ => Err(self.wrong(number, what)),
        }
    }

    fn small(
        &self,
        number: usize,
        what: &str,
        range: std::ops::RangeInclusive<u64>,
        default: Option<u64>,
    ) -> Result<u32, Invalid> {
        let whole = self.whole(number, what, range, default)?;
        u32::try_from(whole).map_err(|_| self.wrong(number, what))
    }

    fn truth(&self, number: usize, what: &str) -> Result<bool, Invalid> {
        match self.literal(number) {
            Some(Literal::Boolean(truth)) => Ok(*truth),
            None if self.arguments.get(number).is_none() => Ok(false),
            _ => Err(self.wrong(number, what)),
        }
    }

    fn wrong(&self, number: usize, what: &str) -> Invalid {
        let message = format!("argument {} is {what}, written out", number + 2);
        match self.arguments.get(number) {
            Some(argument) => Invalid::at(argument.at, message),
            None => Invalid::new(message),
        }
    }

    fn at_most(&self, count: usize) -> Result<(), Invalid> {
        match self.arguments.get(count) {
            Some(argument) => Err(Invalid::at(argument.at, "there are too many arguments")),
            None => Ok(()),
        }
    }
}

/// The column of a name, as its place in the rows. Names are found in any capitals, as they are
/// given in texts.
fn column_of(columns: &[Column], name: &str) -> Result<usize, Invalid> {
    let exact = columns.iter().position(|column| column.name == name);
    let found = exact.or_else(|| {
        let mut columns = columns.iter();
        columns.position(|column| column.name.eq_ignore_ascii_case(name))
    });
    match found {
        Some(index) => Ok(index + 1),
        None => Err(Invalid::new(format!("the cursor has no column '{name}'"))),
    }
}

fn column(name: &str, ty: SqlType) -> Column {
    let name = name.to_owned();
    Column { name, ty }
}

type Made = Result<(TableFunction, Vec<Column>), Invalid>;

/// The longest time that a group waits for its next row.
const IDLE_MS_MAX: u64 = 24 * 60 * 60 * 1_000;
/// Rows of a group, at most; 0 is no limit.
const RANKED_ROWS_MAX: u64 = 1_000_000;

fn group_rank(arguments: &Constants<'_>, mut columns: Vec<Column>) -> Made {
    arguments.at_most(6)?;
    let rank_by = column_of(&columns, arguments.text(0, "the column to rank by")?)?;
    let rank = arguments.text(1, "the name of the rank")?.to_owned();
    let descending = direction(arguments.text(2, "'asc' or 'desc'")?)?;
    let output_descending = direction(arguments.text(3, "'asc' or 'desc'")?)?;
    // Time alone tells that a group is over, and never later than this would.
    arguments.whole(4, "the idle time in milliseconds", 0..=IDLE_MS_MAX, None)?;
    let rows_max = arguments.whole(5, "the number of rows", 0..=RANKED_ROWS_MAX, None)?;
    // The rank stands where the cursor has a column of that name, or behind all others.
    let rank = match column_of(&columns, &rank) {
        Ok(index) => {
            columns[index - 1].ty = SqlType::Integer;
            index
        }
        Err(_) => {
            columns.push(column(&rank, SqlType::Integer));
            columns.len()
        }
    };
    let function = TableFunction::GroupRank(GroupRank {
        rank_by,
        rank,
        descending,
        output_descending,
        rows_max,
    });
    Ok((function, columns))
}

fn direction(text: &str) -> Result<bool, Invalid> {
    match text.to_ascii_lowercase().as_str() {
        "asc" => Ok(false),
        "desc" => Ok(true),
        _ => Err(Invalid::new(format!(
            "'{text}' is neither 'asc' nor 'desc'"
        ))),
    }
}

/// Items and seconds that AWS takes.
const TOP_ITEMS_MAX: u64 = 100_000;
const WINDOW_SECONDS_MAX: u64 = 3_600;

fn seconds(arguments: &Constants<'_>, number: usize) -> Result<Millis, Invalid> {
    let range = 1..=WINDOW_SECONDS_MAX;
    let seconds = arguments.small(number, "the length of the window in seconds", range, None)?;
    Ok(Millis::from(seconds) * 1_000)
}

fn top_items(arguments: &Constants<'_>, columns: &[Column]) -> Made {
    arguments.at_most(3)?;
    let item = column_of(columns, arguments.text(0, "the column")?)?;
    let count = arguments.whole(1, "the number of items", 1..=TOP_ITEMS_MAX, None)?;
    let window = seconds(arguments, 2)?;
    let function = TableFunction::TopItems {
        column: item,
        count,
        window,
    };
    let text = SqlType::Varchar { length: 1_024 };
    let columns = vec![column("ITEM", text), column("ITEM_COUNT", SqlType::BigInt)];
    Ok((function, columns))
}

fn distinct_items(arguments: &Constants<'_>, columns: &[Column]) -> Made {
    arguments.at_most(2)?;
    let item = column_of(columns, arguments.text(0, "the column")?)?;
    let window = seconds(arguments, 1)?;
    let function = TableFunction::DistinctItems {
        column: item,
        window,
    };
    let columns = vec![column("NUMBER_OF_DISTINCT_ITEMS", SqlType::BigInt)];
    Ok((function, columns))
}

/// The numbers that AWS takes.
const TREES_MAX: u64 = 1_000;
const SAMPLE_MAX: u64 = 1_000;
const SHINGLE_MAX: u64 = 30;
const DECAY_DEFAULT: u64 = 100_000;

fn forest(arguments: &Constants<'_>, mut columns: Vec<Column>, explain: bool) -> Made {
    arguments.at_most(if explain { 5 } else { 4 })?;
    let trees = arguments.small(0, "the number of trees", 1..=TREES_MAX, Some(100))?;
    let sample_size = arguments.small(1, "the size of samples", 10..=SAMPLE_MAX, Some(256))?;
    let range = 1..=u64::from(u32::MAX) / 2;
    let time_decay = arguments.whole(2, "the time of decay", range, Some(DECAY_DEFAULT))?;
    let shingle_size = arguments.small(3, "the size of shingles", 1..=SHINGLE_MAX, Some(1))?;
    let directions = explain && arguments.truth(4, "TRUE or FALSE")?;
    let numeric = numbers(&columns)?;
    columns.push(column("ANOMALY_SCORE", SqlType::Double));
    if explain {
        columns.push(column(
            "ANOMALY_EXPLANATION",
            SqlType::Varchar { length: 20_480 },
        ));
    }
    let function = TableFunction::RandomCutForest(RandomCutForest {
        trees,
        sample_size,
        time_decay,
        shingle_size,
        explain,
        directions,
        columns: numeric,
    });
    Ok((function, columns))
}

fn hotspots(arguments: &Constants<'_>, mut columns: Vec<Column>) -> Made {
    arguments.at_most(3)?;
    let window_rows = arguments.small(0, "the size of the window", 100..=1_000, None)?;
    let scan_radius = match arguments.literal(1) {
        Some(Literal::Whole(whole)) => whole.to_string().parse().ok(),
        Some(Literal::Double(number)) => Some(*number),
        Some(Literal::Decimal { digits, scale }) => format!("{digits}e-{scale}").parse().ok(),
        _ => None,
    };
    let scan_radius = match scan_radius {
        Some(radius) if radius > 0.0 => radius,
        _ => return Err(arguments.wrong(1, "a radius above zero")),
    };
    let points_min = arguments.small(2, "the number of points", 2..=1_000, None)?;
    let numeric = numbers(&columns)?;
    columns.push(column(
        "HOTSPOTS_RESULT",
        SqlType::Varchar { length: 10_000 },
    ));
    let function = TableFunction::Hotspots(Hotspots {
        window_rows,
        scan_radius,
        points_min,
        columns: numeric,
    });
    Ok((function, columns))
}

/// The columns that such a function looks at.
fn numbers(columns: &[Column]) -> Result<Vec<usize>, Invalid> {
    let numeric = columns.iter().enumerate();
    let numeric = numeric.filter(|(_, column)| column.ty.is_number());
    let numeric: Vec<usize> = numeric.map(|(index, _)| index + 1).collect();
    if numeric.is_empty() {
        return Err(Invalid::new("the cursor has no column of numbers"));
    }
    Ok(numeric)
}
