//! Paths into JSON documents, and the shape that all paths of a schema make together.

use std::collections::HashMap;

use crate::fault::Invalid;

/// Steps of a path, at most. It bounds how deep the reader of a document calls itself.
pub const PATH_STEPS_MAX: usize = 64;

/// Members of one object that are compared one by one; more are found by their hash.
const COMPARED_MEMBERS_MAX: usize = 16;

/// One step down into a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// `.name` or `["name"]`.
    Member(String),
    /// `[0:]`: all elements of an array.
    All,
    /// `[3]`: one of them.
    Element(usize),
}

/// A path such as `$.orders[0:].price`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Path {
    pub steps: Vec<Step>,
}

impl Path {
    /// Reads a path.
    ///
    /// # Errors
    ///
    /// A text that is not one.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let wrong = |what: &str| Invalid::new(format!("the path {text} {what}"));
        let Some(mut rest) = text.strip_prefix('$') else {
            return Err(wrong("does not begin with $"));
        };
        let mut steps = Vec::new();
        while !rest.is_empty() {
            if steps.len() == PATH_STEPS_MAX {
                return Err(wrong("has too many steps"));
            }
            let step;
            if let Some(behind) = rest.strip_prefix('.') {
                let end = behind.find(['.', '[']).unwrap_or(behind.len());
                step = Step::Member(behind[..end].to_owned());
                rest = &behind[end..];
                if end == 0 {
                    return Err(wrong("has a step without a name"));
                }
            } else if let Some(behind) = rest.strip_prefix('[') {
                let (inside, behind) = bracket(behind).ok_or_else(|| wrong("has a bad bracket"))?;
                step = inside;
                rest = behind;
            } else {
                return Err(wrong("goes on with neither . nor ["));
            }
            steps.push(step);
        }
        Ok(Self { steps })
    }
}

/// What stands in a bracket, and what stands behind it.
fn bracket(text: &str) -> Option<(Step, &str)> {
    for quote in ['"', '\''] {
        if let Some(name) = text.strip_prefix(quote) {
            let (name, rest) = name.split_once(quote)?;
            return Some((Step::Member(name.to_owned()), rest.strip_prefix(']')?));
        }
    }
    let (inside, rest) = text.split_once(']')?;
    let step = match inside.trim() {
        "0:" | ":" | "*" => Step::All,
        index => Step::Element(index.parse().ok()?),
    };
    Some((step, rest))
}

/// Where the value of a column lies when a document was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Slot {
    /// Once in a document.
    Document(usize),
    /// Once in each row of it.
    Row(usize),
}

/// What is looked for in a document: the paths of all columns as one tree.
#[derive(Debug)]
pub struct Shape {
    pub nodes: Vec<Node>,
    pub document_slots: usize,
    pub row_slots: usize,
    /// A document may be something else than an object or an array, since it is wanted itself.
    pub takes_scalars: bool,
}

/// The first node is the document.
pub const ROOT: usize = 0;

/// A place in a document from which something is wanted.
#[derive(Debug, Default)]
pub struct Node {
    pub members: Members,
    pub elements: Vec<(usize, usize)>,
    /// Its value is an array, each element of which is a row; another value is the only row.
    pub rows: Option<usize>,
    /// Its own value is wanted.
    pub slot: Option<Slot>,
}

impl Node {
    /// Nothing below its own value is wanted.
    pub fn is_leaf(&self) -> bool {
        self.members.list.is_empty() && self.elements.is_empty() && self.rows.is_none()
    }
}

/// Members of an object by their names.
#[derive(Debug, Default)]
pub struct Members {
    list: Vec<(Box<[u8]>, usize)>,
    by_name: HashMap<Box<[u8]>, usize>,
}

impl Members {
    /// The name and the node of the member with a number in the order of the schema.
    pub fn expected(&self, number: usize) -> Option<(&[u8], usize)> {
        let (name, node) = self.list.get(number)?;
        Some((name, *node))
    }

    /// The node of a member. `expected` becomes the number of the one that comes next where
    /// documents have the order of the schema.
    pub fn find(&self, name: &[u8], expected: &mut usize) -> Option<usize> {
        let at = if self.list.len() > COMPARED_MEMBERS_MAX {
            *self.by_name.get(name)?
        } else {
            self.list.iter().position(|(known, _)| **known == *name)?
        };
        *expected = at + 1;
        Some(self.list[at].1)
    }

    fn add(&mut self, name: &str, node: usize) {
        let name: Box<[u8]> = name.as_bytes().into();
        self.by_name.insert(name.clone(), self.list.len());
        self.list.push((name, node));
    }

    fn retain(&mut self, wanted: impl Fn(usize) -> bool) {
        self.list.retain(|(_, node)| wanted(*node));
        let names = self.list.iter().enumerate();
        self.by_name = names.map(|(at, (name, _))| (name.clone(), at)).collect();
    }

    fn node_of(&self, name: &str) -> Option<usize> {
        let at = self.by_name.get(name.as_bytes())?;
        Some(self.list[*at].1)
    }
}

impl Shape {
    /// The tree of the paths of some columns, and where each column is found.
    ///
    /// # Errors
    ///
    /// Paths that want to flatten more than one array.
    pub fn new(row_path: &Path, mappings: &[Path]) -> Result<(Self, Vec<Slot>), Invalid> {
        let paths: Vec<_> = mappings
            .iter()
            .map(|path| from_document(row_path, path))
            .collect();
        let flattened = flattened(row_path, &paths)?;
        let mut shape = Self {
            nodes: vec![Node::default()],
            document_slots: 0,
            row_slots: 0,
            takes_scalars: false,
        };
        let row = match &flattened {
            Some(array) => shape.reach_rows(array)?,
            None => shape.reach_implied_rows(row_path, &paths)?,
        };
        let mut slots = Vec::with_capacity(paths.len());
        for path in &paths {
            slots.push(shape.add(path, row.as_ref())?);
        }
        shape.takes_scalars = shape.nodes[ROOT].slot.is_some();
        let mixed = |node: &Node| {
            node.rows.is_some() && !(node.members.list.is_empty() && node.elements.is_empty())
        };
        if shape.nodes.iter().any(mixed) {
            return Err(Invalid::new(
                "one mapping flattens an array of which another one wants a single element",
            ));
        }
        Ok((shape, slots))
    }

    /// Forgets what nobody reads: values, and whatever lies only on the way to them. The slots that
    /// are read get numbers without gaps.
    pub fn keep_only(&mut self, slots: &mut [Slot]) {
        let mut renamed = HashMap::new();
        let (mut document_slots, mut row_slots) = (0, 0);
        for slot in slots {
            let (new, next): (fn(usize) -> Slot, _) = match slot {
                Slot::Document(_) => (Slot::Document, &mut document_slots),
                Slot::Row(_) => (Slot::Row, &mut row_slots),
            };
            *slot = *renamed.entry(*slot).or_insert_with(|| {
                *next += 1;
                new(*next - 1)
            });
        }
        self.document_slots = document_slots;
        self.row_slots = row_slots;
        let mut read: Vec<bool> = Vec::with_capacity(self.nodes.len());
        for node in &mut self.nodes {
            node.slot = node.slot.and_then(|slot| renamed.get(&slot).copied());
            read.push(node.slot.is_some() || node.rows.is_some());
        }
        // A child is always made after its parent.
        for at in (0..self.nodes.len()).rev() {
            let node = &mut self.nodes[at];
            node.members.retain(|child| read[child]);
            node.elements.retain(|(_, child)| read[*child]);
            read[at] = read[at] || !node.is_leaf();
        }
    }

    /// Makes the nodes down to an array and the one of its elements.
    fn reach_rows(&mut self, array: &[Step]) -> Result<Option<Rows>, Invalid> {
        let holder = self.reach(ROOT, &array[..array.len() - 1])?;
        let node = self.new_node();
        self.nodes[holder].rows = Some(node);
        let path = array.to_vec();
        Ok(Some(Rows { path, node }))
    }

    /// Where no path flattens an array, the value at the row path may still be an array of rows.
    /// Not if it is wanted as a whole.
    fn reach_implied_rows(
        &mut self,
        row_path: &Path,
        paths: &[Vec<Step>],
    ) -> Result<Option<Rows>, Invalid> {
        let base = &row_path.steps;
        let below = |path: &Vec<Step>| path.len() > base.len() && path.starts_with(base);
        let by_member = |path: &Vec<Step>| matches!(path[base.len()], Step::Member(_));
        if !paths.iter().all(|path| below(path) && by_member(path)) {
            return Ok(None);
        }
        let holder = self.reach(ROOT, base)?;
        let node = self.new_node();
        self.nodes[holder].rows = Some(node);
        let path = base.clone();
        Ok(Some(Rows { path, node }))
    }

    fn add(&mut self, path: &[Step], rows: Option<&Rows>) -> Result<Slot, Invalid> {
        let rest = rows.and_then(|rows| Some((path.strip_prefix(&rows.path[..])?, rows.node)));
        let (node, in_row) = match rest {
            Some((rest, node)) => (self.reach(node, without_last_all(rest))?, true),
            None => (self.reach(ROOT, without_last_all(path))?, false),
        };
        if let Some(slot) = self.nodes[node].slot {
            return Ok(slot);
        }
        let slot = if in_row {
            self.row_slots += 1;
            Slot::Row(self.row_slots - 1)
        } else {
            self.document_slots += 1;
            Slot::Document(self.document_slots - 1)
        };
        self.nodes[node].slot = Some(slot);
        Ok(slot)
    }

    fn reach(&mut self, from: usize, steps: &[Step]) -> Result<usize, Invalid> {
        let mut node = from;
        for step in steps {
            let known = match step {
                Step::Member(name) => self.nodes[node].members.node_of(name),
                Step::Element(index) => {
                    let mut elements = self.nodes[node].elements.iter();
                    elements.find(|(at, _)| at == index).map(|(_, node)| *node)
                }
                Step::All => {
                    return Err(Invalid::new("a path flattens more than one array"));
                }
            };
            node = match known {
                Some(node) => node,
                None => {
                    let new = self.new_node();
                    let parent = &mut self.nodes[node];
                    match step {
                        Step::Member(name) => parent.members.add(name, new),
                        Step::Element(index) => parent.elements.push((*index, new)),
                        Step::All => {}
                    }
                    new
                }
            };
        }
        Ok(node)
    }

    fn new_node(&mut self) -> usize {
        self.nodes.push(Node::default());
        self.nodes.len() - 1
    }
}

/// The path to what becomes rows, and the node of a row.
struct Rows {
    path: Vec<Step>,
    node: usize,
}

/// A mapping that begins with the row path is meant from the document, another one from the row:
/// both spellings are in use.
fn from_document(row_path: &Path, mapping: &Path) -> Vec<Step> {
    let base = &row_path.steps;
    if mapping.steps.starts_with(base) {
        return mapping.steps.clone();
    }
    base.iter().chain(&mapping.steps).cloned().collect()
}

/// `[0:]` at the end of a path means the whole array in one value.
fn without_last_all(path: &[Step]) -> &[Step] {
    match path {
        [rest @ .., Step::All] => rest,
        _ => path,
    }
}

/// The path to the one array whose elements become rows, with `[0:]` at its end.
fn flattened(row_path: &Path, paths: &[Vec<Step>]) -> Result<Option<Vec<Step>>, Invalid> {
    let first_all = |steps: &[Step]| steps.iter().position(|step| *step == Step::All);
    if let Some(at) = first_all(&row_path.steps) {
        return Ok(Some(row_path.steps[..=at].to_vec()));
    }
    let mut found: Option<Vec<Step>> = None;
    for path in paths {
        let Some(at) = first_all(without_last_all(path)) else {
            continue;
        };
        let array = &path[..=at];
        match &found {
            Some(known) if known == array => {}
            Some(_) => return Err(Invalid::new("the mappings flatten more than one array")),
            None => found = Some(array.to_vec()),
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_reads_is_not_looked_for() {
        let paths = ["$.a.b", "$.c", "$.a.d", "$.c", "$.e[0:].f", "$.e[0:].g"];
        let paths = paths.map(|path| Path::parse(path).unwrap());
        let (mut shape, all) = Shape::new(&Path::parse("$").unwrap(), &paths).unwrap();
        let mut read = [all[5], all[3], all[1]];
        shape.keep_only(&mut read);
        assert_eq!(read, [Slot::Row(0), Slot::Document(0), Slot::Document(0)]);
        assert_eq!((shape.document_slots, shape.row_slots), (1, 1));
        let root = &shape.nodes[ROOT].members;
        let is_there = ["a", "c", "e"].map(|name| root.node_of(name).is_some());
        assert_eq!(is_there, [false, true, true]);
        let array = root.node_of("e").unwrap();
        let row = &shape.nodes[shape.nodes[array].rows.unwrap()].members;
        assert_eq!(row.list.len(), 1);
    }

    fn member(name: &str) -> Step {
        Step::Member(name.to_owned())
    }

    #[test]
    fn paths_are_read_in_both_spellings() {
        let steps = |text| Path::parse(text).unwrap().steps;
        assert_eq!(steps("$"), []);
        assert_eq!(steps("$.a.b"), [member("a"), member("b")]);
        assert_eq!(steps("$[\"x y\"].b"), [member("x y"), member("b")]);
        assert_eq!(steps("$['x.y']"), [member("x.y")]);
        assert_eq!(steps("$.a[0:].c"), [member("a"), Step::All, member("c")]);
        assert_eq!(steps("$[2][0:]"), [Step::Element(2), Step::All]);
    }

    #[test]
    fn texts_that_are_no_paths_are_refused() {
        let long = format!("${}", ".a".repeat(PATH_STEPS_MAX + 1));
        for text in [
            "", "a", "$a", "$.", "$..a", "$.a[", "$.a[x]", "$.a[-1]", "$['a", &long,
        ] {
            assert!(Path::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn only_one_array_is_flattened() {
        let new = |row: &str, paths: &[&str]| {
            let paths: Vec<_> = paths.iter().map(|p| Path::parse(p).unwrap()).collect();
            Shape::new(&Path::parse(row).unwrap(), &paths).map(|(_, slots)| slots)
        };
        assert!(new("$", &["$.a[0:].x", "$.b[0:].x"]).is_err());
        assert!(new("$", &["$.a[0:].x[0:].y"]).is_err());
        let slots = new("$", &["$.a[0:].x", "$.b[0:]", "$.a[0:].y", "$.a[0:].x"]).unwrap();
        let expected = [Slot::Row(0), Slot::Document(0), Slot::Row(1), Slot::Row(0)];
        assert_eq!(slots, expected);
    }
}
