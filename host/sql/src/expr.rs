//! Expressions whose names and types are known, over the columns of a batch.

pub(crate) mod evaluate;

use std::fmt;
use std::sync::Arc;

use arrow_array::ArrayRef;

use crate::cell::Value;
use crate::fault::{Invalid, RowFaults};
use crate::ty::SqlType;

pub(crate) use self::evaluate::of_arrow;

/// An expression with the type of its values.
#[derive(Clone)]
pub struct Expr {
    node: Node,
    ty: SqlType,
    /// How many expressions are in it, itself included.
    size: usize,
    /// How many of them lie in each other.
    depth: usize,
}

/// What it is, without what follows from that: steps are told apart by this text.
impl fmt::Debug for Expr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Expr")
            .field("node", &self.node)
            .field("ty", &self.ty)
            .finish()
    }
}

#[derive(Clone, Debug)]
enum Node {
    Column(usize),
    Literal(Value),
    Call {
        function: Arc<dyn Scalar>,
        arguments: Vec<Expr>,
    },
    /// The right side is asked only where the left one does not decide.
    And(Box<Expr>, Box<Expr>),
    Or(Box<Expr>, Box<Expr>),
    /// A branch is evaluated only for rows that take it.
    Case {
        branches: Vec<(Expr, Expr)>,
        otherwise: Box<Expr>,
    },
}

/// A function of the values of a row.
pub trait Scalar: fmt::Debug + Send + Sync {
    /// Whether it notes faults. What does not is computed for all rows, also where a condition
    /// before it has decided already.
    fn can_fail(&self) -> bool {
        true
    }

    /// A value for each row. A row that cannot have one is noted in `faults` and null.
    ///
    /// # Errors
    ///
    /// A broken invariant: columns that do not lie as their types say.
    fn evaluate(
        &self,
        arguments: &Arguments<'_>,
        faults: &mut RowFaults,
    ) -> Result<ArrayRef, Invalid>;
}

/// What a function is called with.
pub struct Arguments<'a> {
    /// As many as the function was resolved for, each of `rows` values.
    pub columns: &'a [ArrayRef],
    pub types: &'a [SqlType],
    pub rows: usize,
    /// The type of what it gives.
    pub result: SqlType,
}

impl Expr {
    /// The value of a column.
    pub fn column(index: usize, ty: SqlType) -> Self {
        Self::new(Node::Column(index), ty)
    }

    /// The same value for every row.
    pub fn literal(value: Value, ty: SqlType) -> Self {
        Self::new(Node::Literal(value), ty)
    }

    /// A function of other values.
    pub fn call(function: Arc<dyn Scalar>, arguments: Vec<Self>, ty: SqlType) -> Self {
        let node = Node::Call {
            function,
            arguments,
        };
        Self::new(node, ty)
    }

    /// Both are true. Both are booleans.
    pub fn and(left: Self, right: Self) -> Self {
        let node = Node::And(Box::new(left), Box::new(right));
        Self::new(node, SqlType::Boolean)
    }

    /// One of them is true. Both are booleans.
    pub fn or(left: Self, right: Self) -> Self {
        let node = Node::Or(Box::new(left), Box::new(right));
        Self::new(node, SqlType::Boolean)
    }

    /// The value of the first branch whose condition is true. All values are of type `ty`.
    pub fn case(branches: Vec<(Self, Self)>, otherwise: Self, ty: SqlType) -> Self {
        let otherwise = Box::new(otherwise);
        let node = Node::Case {
            branches,
            otherwise,
        };
        Self::new(node, ty)
    }

    fn new(node: Node, ty: SqlType) -> Self {
        let (mut size, mut depth) = (1_usize, 0);
        node.each(&mut |part| {
            size = size.saturating_add(part.size);
            depth = depth.max(part.depth);
        });
        let depth = depth + 1;
        Self {
            node,
            ty,
            size,
            depth,
        }
    }

    /// How many expressions are in it, itself included.
    pub fn size(&self) -> usize {
        self.size
    }

    /// How many of them lie in each other.
    pub fn depth(&self) -> usize {
        self.depth
    }

    pub fn ty(&self) -> SqlType {
        self.ty
    }

    /// Its value, if it is the same for every row because it was written so.
    pub fn as_literal(&self) -> Option<&Value> {
        match &self.node {
            Node::Literal(value) => Some(value),
            _ => None,
        }
    }

    /// The column, if it is one and nothing else.
    pub fn as_column(&self) -> Option<usize> {
        match self.node {
            Node::Column(index) => Some(index),
            _ => None,
        }
    }

    /// Whether a row can fail in it.
    pub fn can_fail(&self) -> bool {
        let mut can_fail = false;
        self.visit(&mut |expr| {
            if let Node::Call { function, .. } = &expr.node {
                can_fail |= function.can_fail();
            }
        });
        can_fail
    }

    /// The columns that it reads.
    pub fn columns(&self) -> Vec<usize> {
        let mut found = Vec::new();
        self.visit(&mut |expr| {
            if let Node::Column(index) = expr.node {
                found.push(index);
            }
        });
        found.sort_unstable();
        found.dedup();
        found
    }

    /// The same over rows in which column `n` is where `places[n]` says.
    pub fn with_columns_at(&self, places: &dyn Fn(usize) -> usize) -> Self {
        let moved = |expr: &Self| expr.with_columns_at(places);
        let node = match &self.node {
            Node::Column(index) => Node::Column(places(*index)),
            Node::Literal(value) => Node::Literal(value.clone()),
            Node::Call {
                function,
                arguments,
            } => Node::Call {
                function: function.clone(),
                arguments: arguments.iter().map(moved).collect(),
            },
            Node::And(left, right) => Node::And(Box::new(moved(left)), Box::new(moved(right))),
            Node::Or(left, right) => Node::Or(Box::new(moved(left)), Box::new(moved(right))),
            Node::Case {
                branches,
                otherwise,
            } => Node::Case {
                branches: branches.iter().map(|(a, b)| (moved(a), moved(b))).collect(),
                otherwise: Box::new(moved(otherwise)),
            },
        };
        Self::new(node, self.ty)
    }

    /// Calls `look` with this expression and all in it.
    fn visit(&self, look: &mut dyn FnMut(&Self)) {
        look(self);
        self.node.each(&mut |part| part.visit(look));
    }
}

impl Node {
    /// Calls `look` with each expression right in it.
    fn each(&self, look: &mut dyn FnMut(&Expr)) {
        match self {
            Self::Column(_) | Self::Literal(_) => {}
            Self::Call { arguments, .. } => arguments.iter().for_each(look),
            Self::And(left, right) | Self::Or(left, right) => {
                look(left);
                look(right);
            }
            Self::Case {
                branches,
                otherwise,
            } => {
                for (condition, value) in branches {
                    look(condition);
                    look(value);
                }
                look(otherwise);
            }
        }
    }
}
