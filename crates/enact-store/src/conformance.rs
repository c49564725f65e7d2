//! What every backend of the store contract must do; a backend's tests call each of these with a world of their own.

use std::ops::ControlFlow;

use enact_model::id::{Epoch, Lsn};
use enact_model::table::{Key, KeyRange, Row, Table};

use crate::contract::{Cached, CommitError, Order, Store, View};

pub mod toy;

use toy::{Dice, Model};

/// A place where a store can be opened again and again; what one left the next finds.
pub trait World {
    /// The backend.
    type Store: Store;
    /// Opens the store, with [`toy::apply`] for what is replayed. The one before it was dropped.
    fn open(&mut self) -> Self::Store;
    /// Brings about whatever the backend does in the background, such as writing behind.
    fn settle(&mut self, store: &mut Self::Store);
}

type Rows = Vec<(Key, Row)>;

fn everything(view: &impl View) -> Rows {
    view.scan(&KeyRange::all(), Order::Ascending, usize::MAX).expect("a scan of everything")
}

fn fill<W: World>(world: &mut W, store: &mut W::Store, model: &mut Model, dice: &mut Dice, commits: u64) {
    for _ in 0..commits {
        let batch = model.batch(dice);
        let last = store.commit(Epoch(1), store.position(), &batch).expect("a commit");
        assert_eq!((last, store.position(), store.view().position()), (model.position(), last, last));
        assert_eq!(everything(&store.view()), model.rows());
        if dice.below(4) == 0 {
            world.settle(store);
            assert_eq!(everything(&store.view()), model.rows());
        }
    }
}

/// A commit is visible when it returns, as a whole, and a store that is opened again has it.
pub fn a_commit_is_visible_at_once_and_after_a_restart<W: World>(world: &mut W) {
    let (mut model, mut dice) = (Model::default(), Dice::new(1));
    for _ in 0..4 {
        let mut store = world.open();
        assert_eq!(store.position(), model.position());
        assert_eq!(everything(&store.view()), model.rows());
        fill(world, &mut store, &mut model, &mut dice, 25);
    }
}

/// A caller that does not know the position, or whose epoch is over, writes nothing; the owner goes on.
pub fn a_stale_caller_is_fenced<W: World>(world: &mut W) {
    let (mut model, mut dice) = (Model::default(), Dice::new(2));
    let mut store = world.open();
    let first = model.batch(&mut dice);
    store.commit(Epoch(5), Lsn::ZERO, &first).expect("the first commit");
    let (at, before) = (store.position(), everything(&store.view()));
    let next = model.batch(&mut dice);
    for (epoch, expected) in [(5, Lsn::ZERO), (5, at.plus(1)), (4, at)] {
        let refused = store.commit(Epoch(epoch), expected, &next);
        assert!(matches!(refused, Err(CommitError::Fenced { position, owner: Epoch(5), .. }) if position == at));
        assert_eq!((store.position(), everything(&store.view())), (at, before.clone()));
    }
    drop(store);
    let mut store = world.open();
    assert_eq!(store.epoch(), Epoch(5));
    assert!(matches!(store.commit(Epoch(4), at, &next), Err(CommitError::Fenced { .. })));
    store.commit(Epoch(6), at, &next).expect("the owner's commit");
    assert_eq!(everything(&store.view()), model.rows());
}

/// Scans give the rows in order, both ways, cut at their limit, whatever is in memory and whatever is on disk.
pub fn scans_are_ordered_both_ways_and_cut_at_their_limit<W: World>(world: &mut W) {
    let (mut model, mut dice) = (Model::default(), Dice::new(3));
    let mut store = world.open();
    for round in 0..40 {
        fill(world, &mut store, &mut model, &mut dice, 3);
        let rows = model.rows();
        let bound = |dice: &mut Dice| rows.get(dice.below(rows.len() as u64 + 1) as usize).map(|(key, _)| key.clone());
        let range = KeyRange {
            from: bound(&mut dice).unwrap_or(KeyRange::all().from),
            to: bound(&mut dice).unwrap_or(KeyRange::all().to),
        };
        let inside = rows.iter().filter(|(key, _)| range.contains(key)).cloned().collect::<Vec<_>>();
        let limit = dice.below(8) as usize;
        let view = store.view();
        let ascending = view.scan(&range, Order::Ascending, limit).expect("a scan");
        assert_eq!(ascending, inside.iter().take(limit).cloned().collect::<Rows>(), "round {round}");
        let descending = view.scan(&range, Order::Descending, limit).expect("a scan");
        assert_eq!(descending, inside.iter().rev().take(limit).cloned().collect::<Rows>(), "round {round}");
    }
}

/// A row is found wherever it is, resident tables are wholly in memory, and what is gone is gone.
pub fn rows_are_found_in_memory_and_on_disk<W: World>(world: &mut W) {
    let (mut model, mut dice) = (Model::default(), Dice::new(4));
    for _ in 0..3 {
        let mut store = world.open();
        fill(world, &mut store, &mut model, &mut dice, 20);
        world.settle(&mut store);
        let view = store.view();
        for key in model.known() {
            let expected = model.row(key);
            assert_eq!(view.get(key).expect("a row"), expected, "{key:?}");
            match view.cached(key) {
                Cached::Row(row) => assert_eq!(Some(row), expected),
                Cached::Absent => assert_eq!(expected, None, "{key:?}"),
                Cached::Unknown => assert!(!key.resident(), "{key:?}"),
            }
        }
        let mut seen = Vec::new();
        view.visit(&KeyRange::table(Table::Gate), &mut |key, row| {
            seen.push((key.clone(), row.clone()));
            ControlFlow::Continue(())
        });
        let gates = model.rows().into_iter().filter(|(key, _)| key.resident());
        assert_eq!(seen, gates.collect::<Rows>());
    }
}

/// The log gives every record back, by position and in order.
pub fn records_are_read_back<W: World>(world: &mut W) {
    let (mut model, mut dice) = (Model::default(), Dice::new(5));
    let mut store = world.open();
    fill(world, &mut store, &mut model, &mut dice, 30);
    for _ in 0..2 {
        let view = store.view();
        let read = view.read_log(Lsn(1)).collect::<Result<Vec<_>, _>>().expect("the log");
        assert_eq!(read, model.records());
        for record in model.records() {
            assert_eq!(view.record(record.lsn).expect("a record").as_ref(), Some(record));
        }
        assert_eq!(view.record(model.position().plus(1)).expect("no record"), None);
        assert_eq!(view.read_log(Lsn(7)).count(), model.records().len() - 6);
        drop((view, store));
        store = world.open();
    }
}

/// A malformed batch is refused with all that came with it; reads go on, and so does the store once it is opened again.
pub fn a_refused_commit_leaves_nothing<W: World>(world: &mut W) {
    let (mut model, mut dice) = (Model::default(), Dice::new(6));
    let mut store = world.open();
    fill(world, &mut store, &mut model, &mut dice, 5);
    let before = (store.position(), everything(&store.view()));
    let good = model.clone().batch(&mut dice);
    let mut bad = good.clone();
    bad.frames.last_mut().and_then(|frame| frame.last_mut()).expect("a record").lsn.0 += 1;
    assert!(matches!(store.commit(Epoch(1), before.0, &bad), Err(CommitError::Refused(_))));
    assert_eq!((store.position(), everything(&store.view())), before);
    assert!(store.commit(Epoch(1), before.0, &good).is_err());
    drop(store);
    let mut store = world.open();
    assert_eq!((store.position(), everything(&store.view())), before);
    fill(world, &mut store, &mut model, &mut dice, 5);
}

/// Makes one test of each case for a backend; `$world` makes a fresh world.
#[macro_export]
macro_rules! store_conformance {
    ($world:expr) => {
        $crate::store_conformance!($world;
            a_commit_is_visible_at_once_and_after_a_restart,
            a_stale_caller_is_fenced,
            scans_are_ordered_both_ways_and_cut_at_their_limit,
            rows_are_found_in_memory_and_on_disk,
            records_are_read_back,
            a_refused_commit_leaves_nothing,
        );
    };
    ($world:expr; $($case:ident),+ $(,)?) => {
        $(#[test]
        fn $case() {
            $crate::conformance::$case(&mut $world);
        })+
    };
}
