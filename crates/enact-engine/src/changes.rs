//! Rows that have changed, over the view that they lie over.

use std::collections::BTreeMap;
use std::sync::Arc;

use enact_model::table::{Change, Key, KeyRange, Row};

use crate::view::{Need, Typed as _, View};

/// What records have changed so far, each key once; a key without a row is gone.
pub(crate) struct Changes<'a> {
    base: &'a dyn View,
    changed: BTreeMap<Key, Option<Row>>,
}

impl<'a> Changes<'a> {
    /// Begins over a view.
    pub(crate) fn over(base: &'a dyn View) -> Self {
        Self { base, changed: BTreeMap::new() }
    }
    pub(crate) fn put(&mut self, key: Key, row: Row) {
        self.changed.insert(key, Some(row));
    }
    pub(crate) fn remove(&mut self, key: Key) {
        self.changed.insert(key, None);
    }
    /// Takes a row out, to put it back changed: one that was made here is nobody else's and changes in place.
    ///
    /// # Errors
    /// The key is not in memory.
    pub(crate) fn take(&mut self, key: &Key) -> Result<Option<Row>, Need> {
        match self.changed.get_mut(key) {
            Some(row) => Ok(row.take()),
            None => self.base.get(key),
        }
    }
    /// Adds to a counter; a counter at zero has no row.
    pub(crate) fn count(&mut self, key: Key, by: i64) -> Result<(), Need> {
        let now = self.gate_row(&key)?.map_or(0, |count| i64::from(*count)) + by;
        match u32::try_from(now) {
            Ok(count) if count > 0 => self.put(key, Row::Gate(Arc::new(count))),
            _ => self.remove(key),
        }
        Ok(())
    }
    /// Ends with the changes, in the order of their keys.
    pub(crate) fn finish(self) -> Vec<Change> {
        self.changed.into_iter().map(|(key, row)| Change { key, row }).collect()
    }
}

impl View for Changes<'_> {
    fn get(&self, key: &Key) -> Result<Option<Row>, Need> {
        match self.changed.get(key) {
            Some(row) => Ok(row.clone()),
            None => self.base.get(key),
        }
    }
    fn first(&self, range: &KeyRange) -> Option<(Key, Row)> {
        first_of(self.changed.range::<Key, _>(&range.from..), self.base, range)
    }
}

/// Returns the first row of a range whose changed rows are these, in order; `base` is what was there before.
pub fn first_of<'a>(
    changed: impl Iterator<Item = (&'a Key, &'a Option<Row>)>,
    base: &(impl View + ?Sized),
    range: &KeyRange,
) -> Option<(Key, Row)> {
    let mut behind = base.first(range);
    for (key, row) in changed.take_while(|(key, _)| **key < range.to) {
        match (&behind, row) {
            (Some((before, _)), _) if before < key => return behind,
            (_, Some(row)) => return Some((key.clone(), row.clone())),
            // What is gone here does not count behind either.
            (Some((gone, _)), None) if gone == key => behind = base.first(&range.after(key)),
            (_, None) => {}
        }
    }
    behind
}
