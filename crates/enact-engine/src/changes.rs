//! Rows that have changed, over the view that they lie over.

use std::collections::BTreeMap;

use enact_model::table::{Change, Key, KeyRange, Row};

use crate::view::{Need, Typed as _, View};

/// Keys that are looked for one after the other; a map is quicker from here on.
const FEW: usize = 16;

/// What records have changed so far, each key once; a key without a row is gone.
pub(crate) struct Changes<'a> {
    base: &'a dyn View,
    /// As they came, as long as they are few: nearly every command has half a dozen.
    few: Vec<Change>,
    /// All of them, once they are many.
    many: BTreeMap<Key, Option<Row>>,
}

impl<'a> Changes<'a> {
    /// Begins over a view.
    pub(crate) fn over(base: &'a dyn View) -> Self {
        Self { base, few: Vec::with_capacity(8), many: BTreeMap::new() }
    }
    pub(crate) fn put(&mut self, key: Key, row: Row) {
        self.set(key, Some(row));
    }
    pub(crate) fn remove(&mut self, key: Key) {
        self.set(key, None);
    }
    fn set(&mut self, key: Key, row: Option<Row>) {
        if let Some(held) = self.held(&key) {
            *held = row;
        } else if self.many.is_empty() && self.few.len() < FEW {
            self.few.push(Change { key, row });
        } else {
            self.many.extend(self.few.drain(..).map(|Change { key, row }| (key, row)));
            self.many.insert(key, row);
        }
    }
    /// Takes a row out, to put it back changed: one that was made here is nobody else's and changes in place.
    ///
    /// # Errors
    /// The key is not in memory.
    pub(crate) fn take(&mut self, key: &Key) -> Result<Option<Row>, Need> {
        match self.held(key) {
            Some(row) => Ok(row.take()),
            None => self.base.get(key),
        }
    }
    /// Adds to a counter; a counter at zero has no row.
    pub(crate) fn count(&mut self, key: Key, by: i64) -> Result<(), Need> {
        let now = self.gate_row(&key)?.map_or(0, i64::from) + by;
        match u32::try_from(now) {
            Ok(count) if count > 0 => self.put(key, Row::Gate(count)),
            _ => self.remove(key),
        }
        Ok(())
    }
    /// Ends with the changes, in an order that follows from them.
    pub(crate) fn finish(self) -> Vec<Change> {
        let mut changes = self.few;
        changes.extend(self.many.into_iter().map(|(key, row)| Change { key, row }));
        changes
    }

    fn held(&mut self, key: &Key) -> Option<&mut Option<Row>> {
        match self.few.iter_mut().find(|change| change.key == *key) {
            Some(change) => Some(&mut change.row),
            None => self.many.get_mut(key),
        }
    }
    /// Returns the changes from a key on, in order.
    fn from(&self, from: &Key) -> impl Iterator<Item = (&Key, &Option<Row>)> {
        let few = self.few.iter().filter(|change| change.key >= *from);
        let mut few: Vec<_> = few.map(|change| (&change.key, &change.row)).collect();
        few.sort_unstable_by_key(|(key, _)| *key);
        few.into_iter().chain(self.many.range::<Key, _>(from..))
    }
}

impl View for Changes<'_> {
    fn get(&self, key: &Key) -> Result<Option<Row>, Need> {
        let few = self.few.iter().find(|change| change.key == *key).map(|change| &change.row);
        match few.or_else(|| self.many.get(key)) {
            Some(row) => Ok(row.clone()),
            None => self.base.get(key),
        }
    }
    fn first(&self, range: &KeyRange) -> Option<(Key, Row)> {
        first_of(self.from(&range.from), self.base, range)
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
