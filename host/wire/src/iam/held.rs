//! Whether a part of a statement holds for a request, where that may be unclear.

/// What is found out of a part of a statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Held {
    No,
    /// It depends on a value of which there are several, and none of them is meant. No Allow is
    /// given for it, and no Deny is escaped by it.
    Unclear,
    Yes,
}

impl Held {
    pub fn of(holds: bool) -> Self {
        if holds { Self::Yes } else { Self::No }
    }

    /// Whether the opposite holds, if the opposite is what is asked for.
    pub fn negated_if(self, is_negated: bool) -> Self {
        match self {
            Self::No if is_negated => Self::Yes,
            Self::Yes if is_negated => Self::No,
            held => held,
        }
    }

    /// Whether both hold; the other is not looked at if this one does not.
    pub fn and(self, other: impl FnOnce() -> Self) -> Self {
        if self == Self::No {
            self
        } else {
            self.min(other())
        }
    }

    /// Whether one of them holds; none after that is looked at.
    pub fn any(parts: impl IntoIterator<Item = Self>) -> Self {
        let mut held = Self::No;
        for part in parts {
            held = held.max(part);
            if held == Self::Yes {
                break;
            }
        }
        held
    }

    /// Whether all of them hold; none after one that does not is looked at.
    pub fn all(parts: impl IntoIterator<Item = Self>) -> Self {
        let mut held = Self::Yes;
        for part in parts {
            held = held.min(part);
            if held == Self::No {
                break;
            }
        }
        held
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Held::{No, Unclear, Yes};

    #[test]
    fn what_is_unclear_is_decided_by_what_is_clear_or_stays_so() {
        for (parts, any, all) in [
            ([Yes, Unclear], Yes, Unclear),
            ([No, Unclear], Unclear, No),
            ([Unclear, Unclear], Unclear, Unclear),
            ([Yes, No], Yes, No),
        ] {
            let [first, second] = parts;
            for parts in [[first, second], [second, first]] {
                assert_eq!((Held::any(parts), Held::all(parts)), (any, all));
                assert_eq!(parts[0].and(|| parts[1]), all);
            }
        }
        assert_eq!((Held::any([]), Held::all([])), (No, Yes));
        let negated = [No, Unclear, Yes].map(|held| held.negated_if(true));
        assert_eq!(negated, [Yes, Unclear, No]);
    }
}
