//! A page of items, as Query and Scan give it: items of a range of rows, up to a megabyte of them
//! or as many as are asked for, of which a filter lets some through.

use serde::Serialize;
use store::{Key, TableId, key_after};
use wire::ApiError;
use wire::members::{Integer, Text};

use super::{error, legacy};
use crate::Tables;
use crate::expression::condition::Condition;
use crate::expression::projection::Projection;
use crate::pages::RowPages;
use crate::rows;
use crate::schema::KeySchema;
use crate::table::{Index, Table};
use crate::table_ids::{INDEX_ITEMS, ITEMS};
use crate::value::Item;

/// Bytes of items of a page, by their sizes, one item more at most
/// (<https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_Query.html>). The page ends
/// there and names its last key.
const PAGE_BYTES_MAX: usize = 1024 * 1024;

/// What is looked at: a table or one of its indexes.
#[derive(Clone, Copy)]
pub struct Source<'a> {
    /// The table.
    pub table: &'a Table,
    /// The index, if it is one.
    pub index: Option<&'a Index>,
}

impl<'a> Source<'a> {
    /// The table, or the index of it that is named.
    ///
    /// # Errors
    /// There is no such index, or it cannot be read yet.
    pub fn of(table: &'a Table, index: Option<&Text<'_>>) -> Result<Self, ApiError> {
        let index = match index {
            None => None,
            Some(name) => {
                let index = table.index(name).ok_or_else(|| error::no_index(name))?;
                if !index.is_active {
                    return Err(error::invalid(format!(
                        "Cannot read from backfilling global secondary index: {}",
                        name.as_str()
                    )));
                }
                Some(&**index)
            }
        };
        Ok(Self { table, index })
    }

    /// What items are found by there.
    pub fn keys(self) -> &'a KeySchema {
        self.index.map_or(&self.table.keys, |index| &index.keys)
    }

    /// The table of the store that the rows lie in.
    pub fn rows(self) -> TableId {
        if self.index.is_some() {
            INDEX_ITEMS
        } else {
            ITEMS
        }
    }

    /// What the keys of the rows begin with.
    pub fn id(self) -> u64 {
        self.index.map_or(self.table.id, |index| index.id)
    }

    /// The attributes of an item that name its place there.
    pub fn key_of(self, item: &Item) -> Item {
        let mut key = self.table.keys.key_of(item);
        if let Some(index) = self.index {
            key.extend(index.keys.key_of(item).0);
        }
        key
    }

    /// The row of a key that an earlier page ended with.
    ///
    /// # Errors
    /// It is no key of this place.
    pub fn row_of_key(self, key: &Item) -> Result<Key, ApiError> {
        let invalid = || error::invalid("The provided starting key is invalid");
        if self.key_of(key).len() != key.len() {
            return Err(invalid());
        }
        let own = self
            .table
            .keys
            .row_key(self.table.id, key)
            .map_err(|_| invalid())?;
        match self.index {
            None => Ok(own),
            Some(index) => match index.row_key(&self.table.keys, key) {
                Ok(Some(row)) => Ok(row),
                _ => Err(invalid()),
            },
        }
    }
}

/// The rows of a page.
pub struct Range {
    /// The first.
    pub from: Key,
    /// Before this; `None`: to the end.
    pub to: Option<Key>,
    /// From the last to the first.
    pub is_backward: bool,
}

impl Range {
    /// The part of it that comes after a page that ended with `last`.
    ///
    /// # Errors
    /// `last` is not in it.
    pub fn after(self, last: Key) -> Result<Self, ApiError> {
        let is_in = self.from <= last && self.to.as_ref().is_none_or(|to| last < *to);
        if !is_in {
            return Err(error::invalid(
                "The provided starting key is outside query boundaries based on provided \
                 conditions",
            ));
        }
        Ok(if self.is_backward {
            Self {
                to: Some(last),
                ..self
            }
        } else {
            Self {
                from: key_after(&last),
                ..self
            }
        })
    }
}

/// What of the items is given back.
#[derive(Clone, Debug, PartialEq)]
pub enum Shown {
    /// How many they are.
    Count,
    /// All that is there.
    Whole,
    /// Some attributes, or parts of them.
    Part(Projection),
    /// The attributes of these names.
    Names(Vec<String>),
}

impl Shown {
    /// The names of the attributes, if not all are shown.
    fn of(&self, item: Item) -> Option<Item> {
        match self {
            Self::Count => None,
            Self::Whole => Some(item),
            Self::Part(projection) => Some(projection.of_item(&item)),
            Self::Names(names) => Some(legacy::named(&item, names)),
        }
    }
}

/// What of a range a page gives.
pub struct Wanted {
    /// Items that are looked at, at most.
    pub limit: Option<usize>,
    /// What must hold of those that are given back.
    pub filter: Option<Condition>,
    /// What of them is given back.
    pub shown: Shown,
}

/// The answer.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Page {
    #[serde(skip_serializing_if = "Option::is_none")]
    items: Option<Vec<Item>>,
    count: usize,
    scanned_count: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_evaluated_key: Option<Item>,
}

/// The page that begins with the first row of a range.
///
/// # Errors
/// The store cannot be read.
pub async fn page(
    tables: &Tables,
    source: Source<'_>,
    range: Range,
    wanted: Wanted,
) -> Result<Page, ApiError> {
    let mut page = Page {
        items: (wanted.shown != Shown::Count).then(Vec::new),
        count: 0,
        scanned_count: 0,
        last_evaluated_key: None,
    };
    let mut pages = RowPages::new(&*tables.engine, source.rows(), range.from, range.to);
    pages.is_backward = range.is_backward;
    // One more than is wanted, to see whether there is one.
    pages.start_with(wanted.limit.map(|limit| limit.saturating_add(1)));
    let mut bytes = 0;
    let mut last = Item::default();
    loop {
        let rows = pages.next(PAGE_BYTES_MAX).await.map_err(error::store)?;
        if rows.is_empty() {
            return Ok(page);
        }
        for (_, row) in rows {
            let is_full = bytes >= PAGE_BYTES_MAX
                || wanted
                    .limit
                    .is_some_and(|limit| page.scanned_count >= limit);
            if is_full {
                page.last_evaluated_key = Some(last);
                return Ok(page);
            }
            let item = rows::read_item(&row.value).map_err(error::store)?;
            bytes += item.size();
            page.scanned_count += 1;
            last = source.key_of(&item);
            if wanted
                .filter
                .as_ref()
                .is_none_or(|filter| filter.holds(&item))
            {
                page.count += 1;
                if let (Some(items), Some(item)) = (&mut page.items, wanted.shown.of(item)) {
                    items.push(item);
                }
            }
        }
    }
}

/// How many items may be looked at; the shape has refused what is no number of items.
pub fn limit(member: Option<Integer>) -> Option<usize> {
    member.and_then(|Integer(limit)| usize::try_from(limit).ok())
}
