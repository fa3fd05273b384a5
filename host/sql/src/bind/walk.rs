//! What stands in an expression.

use crate::ast::{Call, Expression, ExpressionKind};

impl Expression {
    /// Whether a call in it (this one included, queries in it not) is such a one.
    pub fn any_call(&self, is: &dyn Fn(&Call) -> bool) -> bool {
        if let ExpressionKind::Call(call) = &self.kind
            && is(call)
        {
            return true;
        }
        self.operands().iter().any(|operand| operand.any_call(is))
    }

    /// The expressions right in it.
    pub fn operands(&self) -> Vec<&Self> {
        match &self.kind {
            ExpressionKind::Literal(_)
            | ExpressionKind::Column(_)
            | ExpressionKind::Cursor(_)
            | ExpressionKind::Table(_)
            | ExpressionKind::Descriptor(_) => Vec::new(),
            ExpressionKind::Unary { operand, .. }
            | ExpressionKind::IsNull { operand, .. }
            | ExpressionKind::IsTruth { operand, .. }
            | ExpressionKind::Cast { operand, .. }
            | ExpressionKind::Round { operand, .. }
            | ExpressionKind::Extract { operand, .. } => vec![operand],
            ExpressionKind::Binary { left, right, .. }
            | ExpressionKind::IsDistinct { left, right, .. }
            | ExpressionKind::Difference { left, right, .. } => vec![left, right],
            ExpressionKind::Step { operand, by } => vec![operand, by],
            ExpressionKind::Between {
                operand, low, high, ..
            } => vec![operand, low, high],
            ExpressionKind::InList { operand, list, .. } => {
                [operand.as_ref()].into_iter().chain(list).collect()
            }
            ExpressionKind::Like {
                operand,
                pattern,
                escape,
                ..
            } => with(&[operand, pattern], &[escape]),
            ExpressionKind::Case {
                operand,
                branches,
                otherwise,
            } => {
                let mut all = with(&[], &[operand, otherwise]);
                all.extend(branches.iter().flat_map(|(a, b)| [a, b]));
                all
            }
            ExpressionKind::Trim {
                characters,
                operand,
                ..
            } => with(&[operand], &[characters]),
            ExpressionKind::Substring {
                operand,
                from,
                length,
            } => with(&[operand, from], &[length]),
            ExpressionKind::Position {
                wanted,
                within,
                from,
            } => with(&[wanted, within], &[from]),
            ExpressionKind::Overlay {
                operand,
                placing,
                from,
                length,
            } => with(&[operand, placing, from], &[length]),
            ExpressionKind::Call(call) => {
                let filter = call.filter.as_deref();
                call.arguments.iter().chain(filter).collect()
            }
            ExpressionKind::Row(values) => values.iter().collect(),
        }
    }
}

fn with<'e>(
    always: &[&'e Expression],
    sometimes: &[&'e Option<Box<Expression>>],
) -> Vec<&'e Expression> {
    let sometimes = sometimes.iter().filter_map(|operand| operand.as_deref());
    always.iter().copied().chain(sometimes).collect()
}
