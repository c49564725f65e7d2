//! One page of a list: the rows of a range from its end, those that pass, until there are enough or it was looked long enough.

use enact_engine::conclude as code;
use enact_model::table::{Key, KeyRange};
use serde::Serialize;

use super::refusal;

/// Most items of one page.
pub(super) const PAGE_MAX: u32 = 1_000;
/// Rows looked at for one page before it is cut short, with a cursor to go on.
pub(super) const LOOKED_AT_MAX: usize = 50_000;
/// Bytes of one page, as JSON, beyond which it is cut short in the same way.
pub(super) const PAGE_MAX_BYTES: usize = 8 * 1024 * 1024;
/// Rows read at once.
const CHUNK: usize = 500;

/// How much of a list one page is.
pub(super) struct Size {
    /// Most items.
    pub items: usize,
    /// Most rows that are looked at.
    pub rows: usize,
    /// Bytes of its items after which it ends.
    pub bytes: usize,
}

impl Size {
    /// Checks what was asked for.
    pub(super) fn of(asked: u32) -> refusal::Result<Self> {
        Ok(Self { items: page_limit(asked)?, rows: LOOKED_AT_MAX, bytes: PAGE_MAX_BYTES })
    }
}

/// Checks how many items a page is asked to have; none asked for means 50.
pub(super) fn page_limit(asked: u32) -> refusal::Result<usize> {
    match asked {
        0 => Ok(50),
        1..=PAGE_MAX => Ok(asked as usize),
        _ => Err(refusal::new(code::PARAMETERS_INVALID, format!("limit {asked} is more than {PAGE_MAX}"))),
    }
}

/// Says that a text goes on no list of this kind.
pub(super) fn bad_cursor(text: &str) -> Box<crate::api::Refusal> {
    let message = format!("{text:?} is no cursor of this list");
    refusal::hinted(code::PARAMETERS_INVALID, message, "take it from `next` of the page before")
}

/// Returns how many bytes a value has as JSON, without writing them.
pub(super) fn weight<T: Serialize>(value: &T) -> usize {
    struct Count(usize);
    impl std::io::Write for Count {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0 += bytes.len();
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let mut count = Count(0);
    // What cannot be written is told by whoever writes it.
    let _ = serde_json::to_writer(&mut count, value);
    count.0
}

/// Takes what `pick` makes of the rows of a range, its last key first. Returns the items and, where rows are left, the key before
/// which the next page goes on; it may come to nothing there.
///
/// `scan` returns at most so many rows of a range, in descending order.
pub(super) fn take<R, T: Serialize, E>(
    mut range: KeyRange,
    size: &Size,
    mut scan: impl FnMut(&KeyRange, usize) -> Result<Vec<(Key, R)>, E>,
    mut pick: impl FnMut(&Key, R) -> Result<Option<T>, E>,
) -> Result<(Vec<T>, Option<Key>), E> {
    let (mut items, mut looked_at, mut bytes) = (Vec::new(), 0, 0);
    while range.from < range.to {
        // One more than is looked at tells whether any are left.
        let wanted = CHUNK.min(size.rows - looked_at);
        let rows = scan(&range, wanted + 1)?;
        let are_left = rows.len() > wanted;
        let count = rows.len().min(wanted);
        for (at, (key, row)) in rows.into_iter().take(wanted).enumerate() {
            looked_at += 1;
            if let Some(item) = pick(&key, row)? {
                bytes += weight(&item);
                items.push(item);
            }
            if items.len() >= size.items || looked_at >= size.rows || bytes >= size.bytes {
                let goes_on = are_left || at + 1 < count;
                return Ok((items, goes_on.then_some(key)));
            }
            range.to = key;
        }
        if !are_left {
            break;
        }
    }
    Ok((items, None))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use enact_model::id::{ReferenceId, TenantId};

    use super::*;

    const ROWS: u128 = 1_700;

    fn table() -> BTreeMap<Key, u128> {
        let tenant = TenantId::default_tenant();
        (0..ROWS).map(|number| (Key::reference(&tenant, ReferenceId::from_u128(number)), number)).collect()
    }

    /// Every page of those that `passes` lets pass, and how many rows were read for each.
    fn pages(size: &Size, passes: impl Fn(u128) -> bool) -> Vec<(Vec<u128>, usize)> {
        let table = table();
        let mut range = KeyRange::references(&TenantId::default_tenant());
        let mut pages = Vec::new();
        loop {
            let mut read = 0;
            let scan = |range: &KeyRange, most: usize| {
                let rows = table.range(range.from.clone()..range.to.clone()).rev().take(most);
                let rows: Vec<_> = rows.map(|(key, number)| (key.clone(), *number)).collect();
                read += rows.len();
                Ok::<_, ()>(rows)
            };
            let (items, next) =
                take(range.clone(), size, scan, |_, number| Ok(Some(number).filter(|number| passes(*number)))).unwrap();
            pages.push((items, read));
            match next {
                Some(next) => range.to = next,
                None => return pages,
            }
        }
    }

    #[test]
    fn pages_of_every_size_are_the_whole_list_once_and_none_is_empty_where_everything_passes() {
        let all: Vec<u128> = (0..ROWS).rev().collect();
        for items in [1, 2, 17, 499, 500, 501, 850, 1_700, 2_000] {
            let pages = pages(&Size { items, rows: LOOKED_AT_MAX, bytes: PAGE_MAX_BYTES }, |_| true);
            assert!(pages.iter().all(|(page, _)| !page.is_empty() && page.len() <= items), "{items}");
            assert_eq!(pages.into_iter().flat_map(|(page, _)| page).collect::<Vec<_>>(), all, "{items}");
        }
    }

    #[test]
    fn a_page_reads_no_more_rows_than_it_may_and_goes_on_where_it_was_cut() {
        // Two in seventeen hundred, the oldest, so that whole pages come to nothing.
        let rare = |number: u128| number < 2;
        for rows in [1, 7, 500, 600, 1_700] {
            let pages = pages(&Size { items: 1_000, rows, bytes: PAGE_MAX_BYTES }, rare);
            assert_eq!(pages.len(), 1_700_usize.div_ceil(rows), "{rows}");
            // One row in a chunk tells only whether there are more.
            assert!(pages.iter().all(|(_, read)| *read <= rows + rows.div_ceil(CHUNK)), "{rows}: {pages:?}");
            let found: Vec<u128> = pages.into_iter().flat_map(|(page, _)| page).collect();
            assert_eq!(found, [1, 0], "{rows}");
        }
    }

    #[test]
    fn what_was_found_is_looked_for_no_longer() {
        let pages = pages(&Size { items: 1, rows: LOOKED_AT_MAX, bytes: PAGE_MAX_BYTES }, |number| number == ROWS - 1);
        assert_eq!(pages[0].0, [ROWS - 1]);
        assert!(pages[0].1 <= CHUNK + 1, "{}", pages[0].1);
    }

    #[test]
    fn a_page_ends_once_it_is_heavy_and_has_one_item_whatever_that_weighs() {
        assert_eq!(weight(&"ab\n"), r#""ab\n""#.len());
        // Numbers of four digits, and of fewer.
        for (bytes, most) in [(1, 1), (4, 1), (5, 2), (40, 10)] {
            let pages = pages(&Size { items: 1_000, rows: LOOKED_AT_MAX, bytes }, |_| true);
            assert_eq!(pages[0].0.len(), most, "{bytes}");
            assert_eq!(pages.into_iter().flat_map(|(page, _)| page).count(), ROWS as usize);
        }
    }
}
