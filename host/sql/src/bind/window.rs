//! Windows of time: what FLOOR, STEP and the window functions say, and how long intervals are.

use crate::ast::{Expression, ExpressionKind, Literal, TimeUnit, UnaryOperator};
use crate::batch::Millis;
use crate::expr::Expr;
use crate::fault::Invalid;
use crate::plan::{Clock, Window};

const SECOND: Millis = 1_000;
const MINUTE: Millis = 60 * SECOND;
const HOUR: Millis = 60 * MINUTE;
const DAY: Millis = 24 * HOUR;

/// Rows that a frame of ROWS may count.
const FRAME_ROWS_MAX: u64 = 1_000_000;

/// The windows of a function, for whoever groups by their bounds.
#[derive(Clone, Debug)]
pub struct Windowed {
    pub window: Window,
}

/// A time that is rounded down.
#[derive(Clone, Debug)]
pub struct Bucket {
    pub time: Expr,
    pub size: Millis,
    pub clock: Clock,
}

impl Bucket {
    pub fn clock_is_watermark(&self) -> bool {
        matches!(self.clock, Clock::Watermark { .. })
    }

    /// Its windows, one behind the other.
    pub fn window(self) -> Window {
        Window::Hop {
            time: self.time,
            size: self.size,
            slide: self.size,
            offset: 0,
            clock: self.clock,
            bounds: true,
        }
    }
}

/// What is rounded, and to multiples of how long, if windows of that length begin at multiples of
/// it since 1970.
pub fn rounded(expression: &Expression) -> Option<(&Expression, Millis)> {
    match &expression.kind {
        ExpressionKind::Round {
            operand,
            up: false,
            unit,
        } => {
            let size = match unit {
                TimeUnit::Day => DAY,
                TimeUnit::Hour => HOUR,
                TimeUnit::Minute => MINUTE,
                TimeUnit::Second => SECOND,
                _ => return None,
            };
            Some((operand, size))
        }
        ExpressionKind::Step { operand, by } => match by.kind {
            ExpressionKind::Literal(Literal::DayInterval(size)) if size > 0 => {
                Some((operand, size))
            }
            _ => None,
        },
        _ => None,
    }
}

/// A positive interval that is written out.
pub fn interval(expression: &Expression) -> Result<Millis, Invalid> {
    match signed_interval(expression) {
        Some(millis) if millis > 0 => Ok(millis),
        Some(_) => Err(Invalid::at(
            expression.at,
            "an interval above zero is needed here",
        )),
        None => Err(Invalid::at(
            expression.at,
            "an interval of days to seconds is needed here, written out",
        )),
    }
}

/// The same, of any sign.
fn signed_interval(expression: &Expression) -> Option<Millis> {
    match &expression.kind {
        ExpressionKind::Literal(Literal::DayInterval(millis)) => Some(*millis),
        ExpressionKind::Unary { operator, operand } => {
            let millis = signed_interval(operand)?;
            match operator {
                UnaryOperator::Plus => Some(millis),
                UnaryOperator::Minus => millis.checked_neg(),
                UnaryOperator::Not => None,
            }
        }
        _ => None,
    }
}

/// A number of rows that is written out.
pub fn count(expression: &Expression) -> Result<u64, Invalid> {
    let number = match expression.kind {
        ExpressionKind::Literal(Literal::Whole(number)) => u64::try_from(number).ok(),
        _ => None,
    };
    match number {
        Some(number) if number <= FRAME_ROWS_MAX => Ok(number),
        _ => Err(Invalid::at(
            expression.at,
            format!("a number of rows from 0 to {FRAME_ROWS_MAX} is needed here"),
        )),
    }
}
