//! References, artifacts and lineage: what there is and where it came from; bytes only into a file that somebody names.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, VecDeque};
use std::path::{Path, PathBuf};

use enact_engine::command::{Answer, CommandBody};
use enact_engine::conclude as code;
use enact_model::conclusion::Conclusion;
use enact_model::digest::Digest;
use enact_model::id::{ReferenceId, TenantId};
use enact_model::reference::{Provenance, Reference};
use enact_model::table::{Key, KeyRange, Row};
use enact_store::artifacts;
use enact_store::contract::{Order, ReadError, View};

use super::execution::{bad_cursor, page_limit};
use super::{Hub, refusal};
use crate::api::{ArtifactName, Caller, Direction, Lineage, Page, ReferenceFilter, Response};
use crate::driver::describe;

/// Largest artifact that is put by hand, in bytes.
const PUT_MAX_BYTES: u64 = 16 * 1024 * 1024 * 1024;
/// Farthest that lineage is followed.
const DEPTH_MAX: u32 = 64;
/// Most nodes of one answer.
const NODES_MAX: u32 = 10_000;
/// Edges of one node that are followed.
const EDGES_MAX: usize = 10_000;
/// Longest that one question about lineage may take.
const LINEAGE_TIME: std::time::Duration = std::time::Duration::from_secs(5);

impl Hub {
    pub(super) async fn artifact_put(
        &self,
        caller: &Caller,
        path: String,
        name: Option<String>,
        media_type: Option<String>,
    ) -> refusal::Result<Response> {
        self.refuse_while_draining()?;
        let path = PathBuf::from(path);
        let file_name = path.file_name().map(|name| name.to_string_lossy().into_owned());
        let name = name
            .or(file_name)
            .filter(|name| !name.trim().is_empty() && name.len() <= 255)
            .ok_or_else(|| refusal::new(code::PARAMETERS_INVALID, "an artifact needs a name of 1 to 255 bytes"))?;
        let media_type = media_type.unwrap_or_else(|| media_type_of(&name).to_owned());
        let artifacts = self.performer.artifacts().clone();
        let put = move || artifacts.put_file(&path, PUT_MAX_BYTES).map_err(|error| unusable(&error, &path));
        let stored = tokio::task::spawn_blocking(put).await.map_err(|error| refusal::internal(&error))??;
        let now = self.ring.now();
        let reference = Box::new(Reference {
            id: ReferenceId::from_parts(now.0, self.ring.random()),
            tenant_id: caller.tenant.clone(),
            name,
            media_type,
            digest: Some(stored.digest),
            size: Some(stored.size),
            uri: None,
            made_by: None,
            registered_at: now,
        });
        match self.ask(caller, CommandBody::RegisterReference { reference }).await? {
            Answer::Reference(id) => self.reference(caller, id),
            Answer::Refused(refused) => Err(refusal::from(*refused)),
            other => Err(refusal::internal(&format!("a registration was answered with {other:?}"))),
        }
    }

    pub(super) async fn artifact_get(
        &self,
        caller: &Caller,
        name: ArtifactName,
        target: String,
    ) -> refusal::Result<Response> {
        let digest = match name {
            ArtifactName::Reference(id) => {
                let reference = self.read_reference(&caller.tenant, id)?;
                reference.digest.ok_or_else(|| {
                    refusal::new(code::NOT_FOUND, format!("reference {id} names something elsewhere, not an artifact"))
                })?
            }
            ArtifactName::Digest(digest) => self.own_digest(&caller.tenant, digest).await?,
        };
        let artifacts = self.performer.artifacts().clone();
        let path = PathBuf::from(&target);
        let copy = move || artifacts.materialise(&digest, &path).map_err(|error| unusable(&error, &path));
        tokio::task::spawn_blocking(copy).await.map_err(|error| refusal::internal(&error))??;
        Ok(Response::Done { message: format!("{digest} is written to {target}") })
    }

    /// A digest opens nothing that the tenant has no reference to.
    async fn own_digest(&self, tenant: &TenantId, digest: Digest) -> refusal::Result<Digest> {
        let filter = ReferenceFilter { digest: Some(digest), limit: 1, ..ReferenceFilter::default() };
        let caller = Caller { tenant: tenant.clone(), actor: "engine".to_owned() };
        match self.references(&caller, filter).await? {
            Response::References(page) if !page.items.is_empty() => Ok(digest),
            _ => Err(refusal::new(code::NOT_FOUND, format!("tenant {tenant} has no reference to {digest}"))),
        }
    }

    fn read_reference(&self, tenant: &TenantId, id: ReferenceId) -> refusal::Result<std::sync::Arc<Reference>> {
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
        let limit = page_limit(filter.limit)?;
        let mut range = KeyRange::references(&caller.tenant);
        if let Some(text) = &filter.cursor {
            let before: ReferenceId = text.parse().map_err(|_| bad_cursor(text))?;
            range.to = Key::reference(&caller.tenant, before);
        }
        let view = self.ring.view().clone();
        let look = move || {
            let (mut items, mut next): (Vec<Reference>, _) = (Vec::new(), None);
            'pages: while range.from < range.to {
                let page = view.scan(&range, Order::Descending, 500)?;
                let Some((last, _)) = page.last() else { break };
                range.to = last.clone();
                for (_, row) in page {
                    let Row::Reference(row) = row else { continue };
                    if !passes(&filter, &row) {
                        continue;
                    }
                    if items.len() == limit {
                        next = items.last().map(|reference: &Reference| reference.id.to_string());
                        break 'pages;
                    }
                    items.push((*row).clone());
                }
            }
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
        let limit = if limit == 0 { 1_000 } else { limit.min(NODES_MAX) };
        let (view, tenant) = (self.ring.view().clone(), caller.tenant.clone());
        let walk = move || walk(&view, &tenant, reference, direction, depth, limit as usize);
        let lineage = tokio::task::spawn_blocking(walk).await.map_err(|error| refusal::internal(&error))?;
        Ok(Response::Lineage(Box::new(lineage.map_err(refusal::of_read)?)))
    }
}

/// Follows the edges, nearest first; each node and each edge once, so that a cycle ends.
fn walk<V: View>(
    view: &V,
    tenant: &TenantId,
    start: ReferenceId,
    direction: Direction,
    depth_max: u32,
    nodes_max: usize,
) -> Result<Lineage, ReadError> {
    let began = std::time::Instant::now();
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
            if depth == depth_max {
                if !found.is_empty() {
                    cut_by = Some(format!("depth {depth_max}"));
                }
                continue;
            }
            if began.elapsed() > LINEAGE_TIME {
                cut_by = Some(format!("{} s", LINEAGE_TIME.as_secs()));
                break;
            }
            for (_, row) in found {
                let (Row::MadeFrom(edge) | Row::MadeInto(edge)) = row else { continue };
                let other = if *way == Direction::Down { edge.to } else { edge.from };
                if let Entry::Vacant(first) = distance.entry(other) {
                    if order.len() >= nodes_max {
                        cut_by = Some(format!("{nodes_max} nodes"));
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

/// Tells the caller's file, which the caller can mend, from the store's, which an administrator must.
fn unusable(error: &artifacts::Error, theirs: &Path) -> Box<crate::api::Refusal> {
    use artifacts::Error as E;
    let code = match error {
        E::Altered { .. } | E::Missing(_) => code::STORE_CORRUPTED,
        E::TooLarge { .. } => code::FILE_UNUSABLE,
        E::Full { path, .. } | E::ReadOnly { path, .. } | E::Io { path, .. } if path == theirs => code::FILE_UNUSABLE,
        E::Full { .. } => code::STORE_FULL,
        E::ReadOnly { .. } | E::Io { .. } => code::STORE_UNUSABLE,
    };
    let conclusion = Conclusion::new(code, describe(error));
    refusal::concluded(match error {
        E::Altered { .. } | E::Missing(_) => {
            conclusion.hint("restore the folder artifacts from a backup, or put it again")
        }
        E::Full { .. } => conclusion.hint("free the disk and ask again"),
        _ => conclusion,
    })
}

/// Guesses a media type from a name's ending.
fn media_type_of(name: &str) -> &'static str {
    match Path::new(name).extension().and_then(|ending| ending.to_str()).map(str::to_ascii_lowercase).as_deref() {
        Some("json") => "application/json",
        Some("pdf") => "application/pdf",
        Some("txt" | "log") => "text/plain",
        Some("csv") => "text/csv",
        Some("xml") => "application/xml",
        Some("html") => "text/html",
        Some("png") => "image/png",
        Some("jpg" | "jpeg") => "image/jpeg",
        Some("zip") => "application/zip",
        _ => "application/octet-stream",
    }
}
