//! References and lineage: what there is and where it came from.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use enact_engine::conclude as code;
use enact_model::conclusion::Conclusion;
use enact_model::id::{ReferenceId, TenantId};
use enact_model::reference::{Provenance, Reference};
use enact_model::table::{Key, KeyRange, Row};
use enact_store::contract::{Order, ReadError, View};

use super::page::{self, Size, bad_cursor};
use super::{Hub, refusal};
use crate::api::{Caller, Direction, Lineage, Page, ReferenceFilter, Response};

/// Farthest that lineage is followed.
const DEPTH_MAX: u32 = 64;
/// Most nodes of one answer.
const NODES_MAX: u32 = 10_000;
/// Edges of one node that are followed.
const EDGES_MAX: usize = 10_000;
/// Longest that one question about lineage may take.
const LINEAGE_TIME: Duration = Duration::from_secs(5);

impl Hub {
    pub(super) fn read_reference(
        &self,
        tenant: &TenantId,
        id: ReferenceId,
    ) -> refusal::Result<std::sync::Arc<Reference>> {
        match self.ring.view().get(&Key::reference(tenant, id)).map_err(refusal::of_read)? {
            Some(Row::Reference(row)) => Ok(row),
            _ => {
                let conclusion = Conclusion::new(code::NOT_FOUND, format!("tenant {tenant} has no reference {id}"));
                Err(refusal::concluded(conclusion.hint("`enact reference list` shows what there is")))
            }
        }
    }

    pub(super) fn reference(&self, caller: &Caller, id: ReferenceId) -> refusal::Result<Response> {
        Ok(Response::Reference(Box::new((*self.read_reference(&caller.tenant, id)?).clone())))
    }

    pub(super) async fn references(&self, caller: &Caller, filter: ReferenceFilter) -> refusal::Result<Response> {
        let size = Size::of(filter.limit)?;
        let mut range = KeyRange::references(&caller.tenant);
        if let Some(text) = &filter.cursor {
            let before: ReferenceId = text.parse().map_err(|_| bad_cursor(text))?;
            range.to = Key::reference(&caller.tenant, before);
        }
        let view = self.ring.view().clone();
        let look = move || {
            let scan = |range: &KeyRange, most| view.scan(range, Order::Descending, most);
            let (items, next) = page::take(range, &size, scan, |_, row| {
                Ok(match row {
                    Row::Reference(row) if passes(&filter, &row) => Some((*row).clone()),
                    _ => None,
                })
            })?;
            let next = next.and_then(|key| key.last_id()).map(|id| ReferenceId::from_u128(id).to_string());
            Ok(Page { items, next })
        };
        let page = tokio::task::spawn_blocking(look).await.map_err(|error| refusal::internal(&error))?;
        Ok(Response::References(page.map_err(refusal::of_read)?))
    }

    pub(super) async fn lineage(
        &self,
        caller: &Caller,
        reference: ReferenceId,
        direction: Direction,
        depth: u32,
        limit: u32,
    ) -> refusal::Result<Response> {
        self.read_reference(&caller.tenant, reference)?;
        let depth = if depth == 0 { DEPTH_MAX } else { depth.min(DEPTH_MAX) };
        let nodes = if limit == 0 { 1_000 } else { limit.min(NODES_MAX) } as usize;
        let caps = Caps { depth, nodes, time: LINEAGE_TIME };
        let (view, tenant) = (self.ring.view().clone(), caller.tenant.clone());
        let walk = move || walk(&view, &tenant, reference, direction, &caps);
        let lineage = tokio::task::spawn_blocking(walk).await.map_err(|error| refusal::internal(&error))?;
        Ok(Response::Lineage(Box::new(lineage.map_err(refusal::of_read)?)))
    }
}

/// Where a walk ends, whatever there is beyond.
struct Caps {
    depth: u32,
    nodes: usize,
    time: Duration,
}

/// Follows the edges, nearest first; each node and each edge once, so that a cycle ends.
fn walk<V: View>(
    view: &V,
    tenant: &TenantId,
    start: ReferenceId,
    direction: Direction,
    caps: &Caps,
) -> Result<Lineage, ReadError> {
    let began = Instant::now();
    let mut cut_by = None;
    let mut distance = BTreeMap::from([(start, 0)]);
    let mut order = vec![start];
    let mut edges: BTreeMap<(ReferenceId, ReferenceId), Provenance> = BTreeMap::new();
    // Up and down are walked apart: a sibling is neither an ancestor nor a descendant.
    let ways: &[Direction] = match direction {
        Direction::Up => &[Direction::Up],
        Direction::Down => &[Direction::Down],
        Direction::Both => &[Direction::Up, Direction::Down],
    };
    for way in ways {
        let mut waiting = VecDeque::from([(start, 0)]);
        let mut entered = std::collections::BTreeSet::from([start]);
        while let Some((node, depth)) = waiting.pop_front() {
            let range = match way {
                Direction::Down => KeyRange::made_into(tenant, node),
                _ => KeyRange::made_from(tenant, node),
            };
            let found = view.scan(&range, Order::Ascending, EDGES_MAX)?;
            if depth == caps.depth {
                if !found.is_empty() {
                    cut_by = Some(format!("depth {depth}"));
                }
                continue;
            }
            if began.elapsed() > caps.time {
                cut_by = Some(format!("{} s", caps.time.as_secs()));
                break;
            }
            for (_, row) in found {
                let (Row::MadeFrom(edge) | Row::MadeInto(edge)) = row else { continue };
                let other = if *way == Direction::Down { edge.to } else { edge.from };
                if let Entry::Vacant(first) = distance.entry(other) {
                    if order.len() >= caps.nodes {
                        cut_by = Some(format!("{} nodes", caps.nodes));
                        continue;
                    }
                    first.insert(depth + 1);
                    order.push(other);
                }
                edges.insert((edge.from, edge.to), (*edge).clone());
                if entered.insert(other) {
                    waiting.push_back((other, depth + 1));
                }
            }
        }
    }
    let mut nodes = Vec::with_capacity(order.len());
    for id in order {
        if let Some(Row::Reference(row)) = view.get(&Key::reference(tenant, id))? {
            nodes.push((distance.get(&id).copied().unwrap_or_default(), (*row).clone()));
        }
    }
    nodes.sort_by_key(|(distance, reference)| (*distance, reference.id));
    Ok(Lineage { nodes, edges: edges.into_values().collect(), complete: cut_by.is_none(), cut_by })
}

fn passes(filter: &ReferenceFilter, reference: &Reference) -> bool {
    filter.name.as_ref().is_none_or(|name| reference.name == *name)
        && filter.media_type.as_ref().is_none_or(|media_type| reference.media_type == *media_type)
        && filter.digest.is_none_or(|digest| reference.digest == Some(digest))
        && filter.made_by.is_none_or(|execution| reference.made_by == Some(execution))
}

#[cfg(test)]
mod tests {
    use enact_store::contract::Store as _;
    use enact_store::embedded::{Config, DiskStore};

    use super::*;

    #[test]
    fn a_walk_that_takes_too_long_is_cut_and_says_so() {
        let folder = tempfile::tempdir().unwrap();
        let (store, _) = DiskStore::on_disk(folder.path(), Config::default(), &mut crate::driver::replay).unwrap();
        let of = |time| {
            let (tenant, start) = (TenantId::default_tenant(), ReferenceId::from_u128(1));
            walk(&store.view(), &tenant, start, Direction::Up, &Caps { depth: 9, nodes: 9, time }).unwrap()
        };
        let cut = of(Duration::ZERO);
        assert_eq!((cut.complete, cut.cut_by.as_deref()), (false, Some("0 s")));
        assert_eq!((of(LINEAGE_TIME).complete, of(LINEAGE_TIME).cut_by), (true, None));
    }
}
