//! Opens the store in a folder and prints how long that took and how much memory it holds: `… --example open -- DIR [ROWS]`.

use std::sync::Arc;
use std::time::Instant;

use enact_model::envelope::StateScope;
use enact_model::id::{Epoch, TenantId};
use enact_model::json::Json;
use enact_model::record::{Body, RECORD_VERSION, Record};
use enact_model::table::{Change, Key, Row, StateRow};
use enact_model::time::Timestamp;
use enact_store::conformance::toy::apply;
use enact_store::contract::{Batch, Store};
use enact_store::embedded::{Config, DiskStore};

#[allow(clippy::print_stdout)]
fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let mut args = std::env::args().skip(1);
    let dir = args.next().ok_or("a folder is missing")?;
    let rows = args.next().map_or(Ok(0), |rows| rows.parse::<u64>())?;
    let begin = Instant::now();
    let (mut store, opened) = DiskStore::on_disk(dir.as_ref(), Config::default(), &mut apply)?;
    println!("opened in {:?}: {opened:?}", begin.elapsed());
    let begin = Instant::now();
    let mut left = rows;
    while left > 0 {
        let count = left.min(1000);
        let batch = settled(store.position().0, count);
        store.commit(Epoch(1), store.position(), &batch)?;
        left -= count;
    }
    println!("{rows} rows in {:?}, {} records behind", begin.elapsed(), store.lag());
    let status = std::fs::read_to_string("/proc/self/status")?;
    println!("{}", status.lines().find(|line| line.starts_with("VmRSS")).unwrap_or_default());
    store.close()?;
    Ok(())
}

/// Rows of a table that is not resident, each of its own record.
fn settled(position: u64, count: u64) -> Batch {
    let mut batch = Batch::default();
    for lsn in position + 1..=position + count {
        let (scope, owner, key) = (StateScope::Execution, format!("{lsn:020}"), "k".to_owned());
        let value = Json::of(&"x".repeat(1000));
        let state = StateRow { value: value.clone(), version: 1, expires_at: None };
        let key_of = Key::state(&TenantId::default_tenant(), scope, &owner, &key);
        batch.changes.push(Change { key: key_of, row: Some(Row::State(Arc::new(state))) });
        let body = Body::StateSet { scope, owner, key, value, version: 1, expires_at: None };
        let (lsn, time) = (enact_model::id::Lsn(lsn), Timestamp(lsn));
        let actor = "example".into();
        batch.frames.push(vec![Record {
            version: RECORD_VERSION,
            lsn,
            epoch: Epoch(1),
            time,
            actor,
            tenant: None,
            cause: None,
            body,
        }]);
    }
    batch
}
