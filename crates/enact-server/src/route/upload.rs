//! Components and solutions brought over the network: unpacked into a folder of their own, then read as from this machine.

use std::fs::{self, File};
use std::io::{Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::extract::{Request as HttpRequest, State};
use axum::http::{HeaderMap, StatusCode, header};
use enact_catalog::component::files::normal_name;
use enact_engine::conclude as code;
use enact_runtime::api::{Caller, Refusal, Request, Response};
use serde::Deserialize;
use serde_json::json;
use tempfile::TempDir;

use super::{Answer, document, unexpected};
use crate::access::Asker;
use crate::body::{Asked, Pieces};
use crate::problem::Problem;
use crate::server::Door;

/// Most files and folders of a package.
const ENTRIES_MAX: usize = 10_000;
/// Largest descriptor of a solution, in bytes.
const SOLUTION_MAX_BYTES: u64 = 4 * 1024 * 1024;

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Check {
    check: bool,
}

pub(super) async fn component(
    State(door): State<Arc<Door>>,
    Asker(caller): Asker,
    Asked(asked): Asked<Check>,
    request: HttpRequest,
) -> Answer {
    let question = |path| match asked.check {
        true => Request::ComponentCheck { path },
        false => Request::ComponentAdd { path },
    };
    door.hub.admit(&caller, &question(String::new()))?;
    said(request.headers(), &["application/x-tar", "application/tar"])?;
    let most = door.config.package_max_bytes;
    let pieces = Pieces::of(request.into_body(), most, door.config.body_limit)?;
    let incoming = Incoming::take(pieces, "package.tar").await?;
    let incoming =
        tokio::task::spawn_blocking(move || incoming.unpacked(most)).await.map_err(|error| unexpected(&error))??;
    match incoming.ask(&door, &caller, question).await? {
        Response::Checked { component, version, digest, operations } => {
            let checked = json!({
                "component": component, "version": version, "digest": digest, "operations": operations
            });
            Ok(document(StatusCode::OK, &checked))
        }
        Response::Done { message } => Ok(document(StatusCode::CREATED, &json!({ "message": message }))),
        other => Err(unexpected(&format!("{other:?}"))),
    }
}

pub(super) async fn solution(State(door): State<Arc<Door>>, Asker(caller): Asker, request: HttpRequest) -> Answer {
    let question = |path| Request::SolutionBind { path };
    door.hub.admit(&caller, &question(String::new()))?;
    said(request.headers(), &["application/yaml", "application/x-yaml", "text/yaml"])?;
    let pieces = Pieces::of(request.into_body(), SOLUTION_MAX_BYTES, door.config.body_limit)?;
    let incoming = Incoming::take(pieces, "solution.yaml").await?;
    match incoming.ask(&door, &caller, question).await? {
        Response::Done { message } => Ok(document(StatusCode::CREATED, &json!({ "message": message }))),
        other => Err(unexpected(&format!("{other:?}"))),
    }
}

/// A form of a page on another origin cannot say these.
fn said(headers: &HeaderMap, kinds: &[&str]) -> Result<(), Problem> {
    let said = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = said.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if kinds.contains(&essence.as_str()) {
        return Ok(());
    }
    let kind = kinds.first().copied().unwrap_or_default();
    let problem = Problem::new(code::BODY_UNSUPPORTED, format!("the body is not said to be {kind}"));
    Err(problem.hint(format!("send `Content-Type: {kind}`")))
}

/// What came, in a folder that goes with it.
struct Incoming {
    folder: TempDir,
    file: File,
    /// What the hub is to read.
    path: PathBuf,
}

impl Incoming {
    async fn take(mut pieces: Pieces, name: &str) -> Result<Self, Problem> {
        let folder = TempDir::new().map_err(|error| broken(&error))?;
        let path = folder.path().join(name);
        let mut file = File::create_new(&path).map_err(|error| broken(&error))?;
        while let Some(bytes) = pieces.next().await? {
            let write = move || file.write_all(&bytes).map(|()| file);
            let written = tokio::task::spawn_blocking(write).await.map_err(|error| unexpected(&error))?;
            file = written.map_err(|error| broken(&error))?;
        }
        Ok(Self { folder, file, path })
    }

    /// Unpacks a tar of at most so many bytes of files: plain files and folders, nothing outside and nothing twice.
    fn unpacked(mut self, most: u64) -> Result<Self, Problem> {
        self.file.seek(SeekFrom::Start(0)).map_err(|error| broken(&error))?;
        let root = self.folder.path().join("package");
        fs::create_dir(&root).map_err(|error| broken(&error))?;
        let mut archive = tar::Archive::new(&self.file);
        let entries = archive.entries().map_err(|error| unfit(format!("it cannot be read: {error}")))?;
        let (mut left, mut found) = (most, 0);
        for entry in entries {
            let mut entry = entry.map_err(|error| unfit(format!("it cannot be read: {error}")))?;
            found += 1;
            if found > ENTRIES_MAX {
                return Err(unfit(format!("it has more than {ENTRIES_MAX} entries")));
            }
            let kind = entry.header().entry_type();
            let name = entry.path_bytes().into_owned();
            let shown: String = String::from_utf8_lossy(&name).chars().take(200).collect();
            if kind.is_pax_global_extensions() {
                continue;
            }
            if !(kind.is_file() || kind.is_dir()) {
                return Err(unfit(format!("{shown:?} is neither a file nor a folder")));
            }
            // What `tar -cf - .` begins with.
            if kind.is_dir() && matches!(&*name, b"." | b"./") {
                continue;
            }
            let name = std::str::from_utf8(&name).ok().and_then(normal_name);
            let Some(name) = name else { return Err(unfit(format!("{shown:?} is no path inside of it"))) };
            let target = root.join(&name);
            if kind.is_dir() {
                fs::create_dir_all(&target).map_err(|error| unfit(format!("{shown:?} cannot be made: {error}")))?;
                continue;
            }
            left = left.checked_sub(entry.size()).ok_or_else(|| too_large(most))?;
            let executable = entry.header().mode().is_ok_and(|mode| mode & 0o111 != 0);
            put(&mut entry, &target, executable)
                .map_err(|error| unfit(format!("{shown:?} cannot be made: {error}")))?;
        }
        self.path = only_descriptor(&root).unwrap_or(root);
        Ok(self)
    }

    /// Asks the hub to read it. What it says names files as the sender knows them.
    async fn ask(
        self,
        door: &Door,
        caller: &Caller,
        question: impl Fn(String) -> Request,
    ) -> Result<Response, Problem> {
        let path = self.path.display().to_string();
        let folder = if self.path.is_dir() { format!("{path}/") } else { format!("{}/", self.folder.path().display()) };
        match door.ask_plainly(caller, question(path)).await {
            Ok(response) => Ok(response),
            Err(refusal) => Err(without(refusal, &folder).into()),
        }
    }
}

/// A package of one descriptor that has a name of its own.
fn only_descriptor(root: &Path) -> Option<PathBuf> {
    if root.join("component.yaml").exists() {
        return None;
    }
    let entries = fs::read_dir(root).ok()?.filter_map(|entry| entry.ok().map(|entry| entry.path()));
    let mut descriptors = entries.filter(|path| path.extension().is_some_and(|end| end == "yaml" || end == "jar"));
    descriptors.next().filter(|_| descriptors.next().is_none())
}

fn put(from: &mut impl std::io::Read, target: &Path, executable: bool) -> std::io::Result<()> {
    if let Some(parent) = target.parent() {
        fs::create_dir_all(parent)?;
    }
    let mut file = File::create_new(target)?;
    std::io::copy(from, &mut file)?;
    file.set_permissions(fs::Permissions::from_mode(if executable { 0o755 } else { 0o644 }))
}

fn unfit(why: String) -> Problem {
    let problem = Problem::new(code::REQUEST_MALFORMED, format!("the package is no tar that is taken: {why}"));
    problem.hint("send `tar -C FOLDER -cf - .` of the folder with component.yaml")
}

fn too_large(most: u64) -> Problem {
    Problem::new(code::BODY_TOO_LARGE, format!("the package is larger than {} MiB", most >> 20))
}

fn broken(error: &std::io::Error) -> Problem {
    Problem::new(code::INTERNAL, format!("the package could not be kept: {error}"))
}

/// Takes the hub's own folder out of what is said about a package.
fn without(mut refusal: Box<Refusal>, folder: &str) -> Box<Refusal> {
    let plain =
        |text: &mut String| *text = text.replace(folder, "").replace(folder.trim_end_matches('/'), "the package");
    plain(&mut refusal.conclusion.message);
    refusal.conclusion.hint.iter_mut().for_each(plain);
    for fault in &mut refusal.faults {
        plain(&mut fault.message);
        plain(&mut fault.at);
        fault.hint.iter_mut().for_each(plain);
    }
    refusal
}
