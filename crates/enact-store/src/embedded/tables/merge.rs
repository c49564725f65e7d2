//! Memory over the cold side, in order, as they stood at one position.

use std::iter::Peekable;

use enact_model::id::Lsn;
use enact_model::table::{Key, KeyRange, Row};

use crate::contract::{Entry, Order, ReadError};

use super::super::cold::{ColdSnapshot, PairIter};
use super::{ROWS, area, decode};

/// A range of the tables that no longer changes.
pub(in super::super) struct Frozen<S> {
    pub(in super::super) position: Lsn,
    pub(super) rows: Vec<(Key, Option<Row>)>,
    pub(super) cold: Option<S>,
    pub(super) range: KeyRange,
    pub(super) order: Order,
}

impl<S: ColdSnapshot> Frozen<S> {
    /// Iterates over the rows; where both sides know a key, memory is right.
    pub(in super::super) fn entries(self) -> Merge {
        let (from, to) = (area(ROWS, &self.range.from), area(ROWS, &self.range.to));
        let cold: PairIter = match self.cold {
            Some(cold) if from < to => cold.range(&from, &to, self.order),
            _ => Box::new(std::iter::empty()),
        };
        let cold: EntryIter = Box::new(cold.map(decode));
        Merge { memory: self.rows.into_iter().peekable(), cold: cold.peekable(), order: self.order }
    }
}

type EntryIter = Box<dyn Iterator<Item = Result<Entry, ReadError>> + Send>;

/// The rows of a [`Frozen`] range in its order.
pub(in super::super) struct Merge {
    memory: Peekable<std::vec::IntoIter<(Key, Option<Row>)>>,
    cold: Peekable<EntryIter>,
    order: Order,
}

impl Iterator for Merge {
    type Item = Result<Entry, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let ordering = match (self.memory.peek(), self.cold.peek()) {
                (_, Some(Err(_))) => return self.cold.next(),
                (None, None) => return None,
                (Some(_), None) => std::cmp::Ordering::Less,
                (None, Some(_)) => std::cmp::Ordering::Greater,
                (Some((memory, _)), Some(Ok((cold, _)))) => match self.order {
                    Order::Ascending => memory.cmp(cold),
                    Order::Descending => cold.cmp(memory),
                },
            };
            if ordering.is_gt() {
                return self.cold.next();
            }
            if ordering.is_eq() {
                self.cold.next();
            }
            if let Some((key, Some(row))) = self.memory.next() {
                return Some(Ok((key, row)));
            }
        }
    }
}
