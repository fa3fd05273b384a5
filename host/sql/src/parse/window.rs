//! Windows: what stands behind OVER and in WINDOW.

use super::Parser;
use crate::ast::{Frame, FrameBound, FrameUnit, Name, WindowReference, WindowSpecification};
use crate::fault::Invalid;

impl Parser {
    /// `OVER w` or `OVER (…)`, if it is there.
    pub(super) fn over(&mut self) -> Result<Option<WindowReference>, Invalid> {
        if !self.take_word("OVER") {
            return Ok(None);
        }
        if self.is_symbol("(") {
            let window = self.window_specification()?;
            return Ok(Some(WindowReference::Written(Box::new(window))));
        }
        let name = self.name("the name of a window or '('")?;
        Ok(Some(WindowReference::Named(name)))
    }

    /// `w AS (…)`.
    pub(super) fn named_window(&mut self) -> Result<(Name, WindowSpecification), Invalid> {
        let name = self.name("the name of a window")?;
        self.word("AS")?;
        Ok((name, self.window_specification()?))
    }

    fn window_specification(&mut self) -> Result<WindowSpecification, Invalid> {
        let at = self.place();
        self.symbol("(")?;
        let base = if self.is_name_at(0) && !self.is_one_of(&["ROWS", "RANGE"]) {
            Some(self.name("the name of a window")?)
        } else {
            None
        };
        let partition_by = if self.take_words(&["PARTITION", "BY"]) {
            self.list(Self::expression)?
        } else {
            Vec::new()
        };
        let order_by = self.order_by()?;
        let frame = self.frame()?;
        if !self.is_symbol(")") && frame.is_none() {
            return Err(self.unexpected("PARTITION BY, ORDER BY, ROWS, RANGE or ')'"));
        }
        self.symbol(")")?;
        Ok(WindowSpecification {
            base,
            partition_by,
            order_by,
            frame,
            at,
        })
    }

    fn frame(&mut self) -> Result<Option<Frame>, Invalid> {
        let unit = if self.take_word("ROWS") {
            FrameUnit::Rows
        } else if self.take_word("RANGE") {
            FrameUnit::Range
        } else {
            return Ok(None);
        };
        if !self.take_word("BETWEEN") {
            let start = self.frame_bound()?;
            return Ok(Some(Frame {
                unit,
                start,
                end: None,
            }));
        }
        let start = self.frame_bound()?;
        self.word("AND")?;
        let end = Some(self.frame_bound()?);
        Ok(Some(Frame { unit, start, end }))
    }

    fn frame_bound(&mut self) -> Result<FrameBound, Invalid> {
        if self.take_words(&["CURRENT", "ROW"]) {
            return Ok(FrameBound::CurrentRow);
        }
        if self.take_words(&["UNBOUNDED", "PRECEDING"]) {
            return Ok(FrameBound::UnboundedPreceding);
        }
        if self.take_words(&["UNBOUNDED", "FOLLOWING"]) {
            return Ok(FrameBound::UnboundedFollowing);
        }
        // A sum, since the AND of BETWEEN comes behind it.
        let distance = self.sum()?;
        if self.take_word("PRECEDING") {
            return Ok(FrameBound::Preceding(distance));
        }
        if self.take_word("FOLLOWING") {
            return Ok(FrameBound::Following(distance));
        }
        Err(self.unexpected("PRECEDING or FOLLOWING"))
    }
}
