//! The groups of all open windows: their keys, and what their aggregates have gathered.

use arrow_array::ArrayRef;

use crate::aggregate::{Accumulators, AggregateCall, ArgumentRows};
use crate::batch::Millis;
use crate::cell::Value;
use crate::fault::{Fault, Invalid};
use crate::key::{put_bytes, put_i64, put_u64, take_array, take_bytes, take_i64};
use crate::operator::StateWriter;
use crate::operators::rows::check_held;
use crate::ty::SqlType;

/// The first byte of a group's key in the saved state; its number follows.
pub const GROUP_KEY: u8 = b'g';

/// A place for one group. Places are used again.
struct Group {
    key: Box<[u8]>,
    /// The number of the row that it came with: its name in the saved state, and its order.
    first: u64,
    start: Millis,
    end: Millis,
    saved: Saved,
}

/// How a group stands to the saved state.
#[derive(Clone, Copy, PartialEq)]
enum Saved {
    /// The place is free.
    Gone,
    /// Made of other groups to be answered; never saved.
    Transient,
    Never,
    Stale,
    Current,
}

pub struct Groups {
    groups: Vec<Group>,
    free: Vec<usize>,
    aggregates: Vec<(Box<dyn Accumulators>, Vec<SqlType>)>,
    /// Groups that may differ from the saved state.
    changed: Vec<usize>,
    /// The numbers of groups that are to leave the saved state.
    left: Vec<u64>,
    key_bytes: usize,
}

impl Groups {
    pub fn new(calls: &[AggregateCall]) -> Self {
        let types = |call: &AggregateCall| {
            let inputs = call.inputs();
            inputs.iter().map(crate::expr::Expr::ty).collect()
        };
        let aggregates = calls.iter().map(|call| (call.accumulators(), types(call)));
        Self {
            groups: Vec::new(),
            free: Vec::new(),
            aggregates: aggregates.collect(),
            changed: Vec::new(),
            left: Vec::new(),
            key_bytes: 0,
        }
    }

    /// A new group, which came with the row of number `first`.
    pub fn open(&mut self, key: Box<[u8]>, first: u64, start: Millis, end: Millis) -> usize {
        let place = self.place(Group {
            key,
            first,
            start,
            end,
            saved: Saved::Never,
        });
        self.changed.push(place);
        place
    }

    /// A group for one answer, made of others by [`Groups::merge`].
    pub fn open_transient(&mut self, of: usize) -> usize {
        let of = &self.groups[of];
        let group = Group {
            key: of.key.clone(),
            first: of.first,
            start: of.start,
            end: of.end,
            saved: Saved::Transient,
        };
        self.place(group)
    }

    fn place(&mut self, group: Group) -> usize {
        self.key_bytes += group.key.len();
        if let Some(place) = self.free.pop() {
            self.groups[place] = group;
            return place;
        }
        for (aggregate, _) in &mut self.aggregates {
            aggregate.grow();
        }
        self.groups.push(group);
        self.groups.len() - 1
    }

    /// Forgets a group.
    pub fn close(&mut self, place: usize) {
        for (aggregate, _) in &mut self.aggregates {
            aggregate.clear(place);
        }
        let group = &mut self.groups[place];
        if matches!(group.saved, Saved::Stale | Saved::Current) {
            self.left.push(group.first);
        }
        self.key_bytes -= group.key.len();
        group.saved = Saved::Gone;
        group.key = Box::default();
        self.free.push(place);
    }

    /// Takes rows; `places` says for each which group it is of. `arguments` are those of all
    /// aggregates, one behind the other.
    pub fn add(
        &mut self,
        places: &[usize],
        arguments: &[ArrayRef],
        order: u64,
    ) -> Result<(), Invalid> {
        let mut rest = arguments;
        for (aggregate, types) in &mut self.aggregates {
            let Some((columns, others)) = rest.split_at_checked(types.len()) else {
                return Err(Invalid::new("internal: an aggregate without its arguments"));
            };
            rest = others;
            let rows = ArgumentRows {
                columns,
                types,
                order,
            };
            aggregate.add(places, &rows)?;
        }
        for place in places {
            self.touch(*place);
        }
        Ok(())
    }

    fn touch(&mut self, place: usize) {
        let group = &mut self.groups[place];
        if group.saved == Saved::Current {
            group.saved = Saved::Stale;
            self.changed.push(place);
        }
    }

    /// Lets a group take over what another one has gathered.
    pub fn merge(&mut self, from: usize, into: usize) -> Result<(), Invalid> {
        for (aggregate, _) in &mut self.aggregates {
            aggregate.merge(from, into)?;
        }
        let (first, start, end) = (self.first(from), self.start(from), self.end(from));
        let group = &mut self.groups[into];
        // The name of a group that is saved stays.
        if group.saved == Saved::Transient {
            group.first = group.first.min(first);
        }
        group.start = group.start.min(start);
        group.end = group.end.max(end);
        self.touch(into);
        Ok(())
    }

    /// Sets the bounds of a group's window.
    pub fn stretch(&mut self, place: usize, start: Millis, end: Millis) {
        let group = &mut self.groups[place];
        if (group.start, group.end) != (start, end) {
            group.start = start;
            group.end = end;
            self.touch(place);
        }
    }

    pub fn key(&self, place: usize) -> &[u8] {
        &self.groups[place].key
    }

    pub fn first(&self, place: usize) -> u64 {
        self.groups[place].first
    }

    pub fn start(&self, place: usize) -> Millis {
        self.groups[place].start
    }

    pub fn end(&self, place: usize) -> Millis {
        self.groups[place].end
    }

    /// Whether the place still holds the group of that number.
    pub fn holds(&self, place: usize, first: u64) -> bool {
        let group = &self.groups[place];
        group.saved != Saved::Gone && group.first == first
    }

    /// The values of all aggregates.
    pub fn results(&self, place: usize, into: &mut Vec<Value>) -> Result<(), Fault> {
        for (aggregate, _) in &self.aggregates {
            into.push(aggregate.result(place)?);
        }
        Ok(())
    }

    pub fn save(&mut self, changes: &mut dyn StateWriter) {
        for first in std::mem::take(&mut self.left) {
            changes.delete(&state_key(first));
        }
        let mut value = Vec::new();
        for place in std::mem::take(&mut self.changed) {
            let group = &mut self.groups[place];
            if !matches!(group.saved, Saved::Never | Saved::Stale) {
                continue;
            }
            group.saved = Saved::Current;
            value.clear();
            put_i64(&mut value, group.start);
            put_i64(&mut value, group.end);
            put_bytes(&mut value, &group.key);
            for (aggregate, _) in &self.aggregates {
                aggregate.save(place, &mut value);
            }
            changes.put(&state_key(group.first), &value);
        }
    }

    /// A group that was saved: its place.
    pub fn restore(&mut self, mut key: &[u8], mut value: &[u8]) -> Result<usize, Invalid> {
        let [_] = take_array::<1>(&mut key)?;
        let first = u64::from_be_bytes(take_array(&mut key)?);
        let start = take_i64(&mut value)?;
        let end = take_i64(&mut value)?;
        let group_key = take_bytes(&mut value)?.into();
        let place = self.place(Group {
            key: group_key,
            first,
            start,
            end,
            saved: Saved::Current,
        });
        for (aggregate, _) in &mut self.aggregates {
            aggregate.restore(place, &mut value)?;
        }
        if value.is_empty() && key.is_empty() {
            Ok(place)
        } else {
            Err(Invalid::new(
                "internal: a group is saved with more than it has",
            ))
        }
    }

    pub fn held_bytes(&self) -> usize {
        let aggregates = self.aggregates.iter();
        let aggregates: usize = aggregates.map(|(states, _)| states.held_bytes()).sum();
        self.groups.capacity() * (size_of::<Group>() + size_of::<usize>())
            + 2 * self.key_bytes
            + aggregates
    }

    pub fn check(&self) -> Result<(), Invalid> {
        let open = self.groups.len() - self.free.len();
        check_held("a GROUP BY", open, self.held_bytes())
    }
}

fn state_key(first: u64) -> Vec<u8> {
    let mut key = vec![GROUP_KEY];
    put_u64(&mut key, first);
    key
}
