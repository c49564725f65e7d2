//! Artifacts by name: bytes go in as a file or as they come, and out into a file or as a stream, always behind a reference.

use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use enact_engine::command::{Answer, CommandBody};
use enact_engine::conclude as code;
use enact_model::conclusion::Conclusion;
use enact_model::digest::Digest;
use enact_model::id::{ReferenceId, TenantId};
use enact_model::reference::Reference;
use enact_store::artifacts::{self, Content, Staging, Stored};
use enact_store::embedded::READ_ONLY_HINT;

use super::{Hub, refusal};
use crate::api::{ArtifactName, Caller, ReferenceFilter, Response, Role};
use crate::driver::describe;

/// Longest name of an artifact, in bytes: that of a file.
const NAME_MAX_BYTES: usize = 255;

/// The bytes of an artifact, every one of which was verified before the first is read.
#[derive(Debug)]
pub struct Bytes {
    /// Their digest.
    pub digest: Digest,
    /// What they are, as the reference says by which they were asked for.
    pub media_type: String,
    content: Content,
}

/// What an artifact is, apart from its bytes.
pub struct Seen {
    /// Their digest.
    pub digest: Digest,
    /// What they are, as the reference says by which they were asked for.
    pub media_type: String,
    /// How many there are.
    pub size: u64,
}

impl Bytes {
    /// Returns how many there are.
    pub fn size(&self) -> u64 {
        self.content.size()
    }
    /// Goes on at a position. Blocks.
    ///
    /// # Errors
    /// The disk's.
    pub fn seek(&mut self, position: u64) -> std::io::Result<()> {
        self.content.seek(SeekFrom::Start(position)).map(drop)
    }
    /// Reads some of them; none at the end. Blocks.
    ///
    /// # Errors
    /// The disk's.
    pub fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        self.content.read(buffer)
    }
}

/// An artifact that is on its way in; dropping it forgets what came.
pub struct Upload {
    staging: Staging,
    name: String,
    media_type: String,
    most: u64,
}

impl Upload {
    /// Returns how many bytes it may have.
    pub fn most(&self) -> u64 {
        self.most
    }

    /// Adds bytes. Blocks.
    ///
    /// # Errors
    /// More than an artifact may have, or the disk's.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), Box<crate::api::Refusal>> {
        self.staging.write(bytes).map_err(|error| ours(&error))
    }
}

impl Hub {
    /// Begins to take an artifact in.
    ///
    /// # Errors
    /// A role below operator, a name that is none, a disk that refuses.
    pub fn upload(&self, caller: &Caller, name: &str, media_type: Option<&str>) -> refusal::Result<Upload> {
        self.refuse_while_draining()?;
        self.require(caller, Role::Operator, "putting an artifact")?;
        let name = name_of(Some(name.to_owned()))?;
        let media_type = media_type.map_or_else(|| media_type_of(&name).to_owned(), str::to_owned);
        let most = self.config.artifact_max_bytes;
        let staging = self.performer.artifacts().stage(most).map_err(|error| ours(&error))?;
        Ok(Upload { staging, name, media_type, most })
    }

    /// Keeps what was taken in and registers a reference to it.
    ///
    /// # Errors
    /// A disk or a log that refuses.
    ///
    /// # Durability
    /// The bytes are synced before the record that names them, and that before this returns.
    pub async fn keep(&self, caller: &Caller, upload: Upload) -> refusal::Result<Response> {
        let Upload { staging, name, media_type, .. } = upload;
        let finish = move || staging.finish().map_err(|error| ours(&error));
        let stored = tokio::task::spawn_blocking(finish).await.map_err(|error| refusal::internal(&error))??;
        self.register(caller, stored, name, media_type).await
    }

    /// Returns what an artifact of the caller's tenant is, without reading its bytes.
    ///
    /// # Errors
    /// No such reference, or no such bytes.
    pub async fn see_artifact(&self, caller: &Caller, name: ArtifactName) -> refusal::Result<Seen> {
        self.require(caller, Role::Viewer, "reading an artifact")?;
        let (digest, media_type) = self.find_artifact(&caller.tenant, name).await?;
        let artifacts = self.performer.artifacts().clone();
        let measure = move || artifacts.size(&digest).map_err(|error| ours(&error));
        let size = tokio::task::spawn_blocking(measure).await.map_err(|error| refusal::internal(&error))??;
        Ok(Seen { digest, media_type, size })
    }

    /// Opens an artifact of the caller's tenant; blocks on nothing, but reads all of it to verify it. For a part of it a file
    /// is not read again that was verified before and not touched since.
    ///
    /// # Errors
    /// No such reference, or bytes that are not what they were.
    pub async fn open_artifact(&self, caller: &Caller, name: ArtifactName, whole: bool) -> refusal::Result<Bytes> {
        self.require(caller, Role::Viewer, "reading an artifact")?;
        let (digest, media_type) = self.find_artifact(&caller.tenant, name).await?;
        let artifacts = self.performer.artifacts().clone();
        let open = move || {
            let opened = match whole {
                true => artifacts.open_verified(&digest),
                false => artifacts.open_seen(&digest, std::time::SystemTime::now()),
            };
            opened.map_err(|error| ours(&error))
        };
        let content = tokio::task::spawn_blocking(open).await.map_err(|error| refusal::internal(&error))??;
        Ok(Bytes { digest, media_type, content })
    }

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
        let name = name_of(name.or(file_name))?;
        let media_type = media_type.unwrap_or_else(|| media_type_of(&name).to_owned());
        let (artifacts, most) = (self.performer.artifacts().clone(), self.config.artifact_max_bytes);
        let put = move || artifacts.put_file(&path, most).map_err(|error| unusable(&error, &path));
        let stored = tokio::task::spawn_blocking(put).await.map_err(|error| refusal::internal(&error))??;
        self.register(caller, stored, name, media_type).await
    }

    async fn register(
        &self,
        caller: &Caller,
        stored: Stored,
        name: String,
        media_type: String,
    ) -> refusal::Result<Response> {
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
        let (digest, _) = self.find_artifact(&caller.tenant, name).await?;
        let artifacts = self.performer.artifacts().clone();
        let path = PathBuf::from(&target);
        let copy = move || artifacts.materialise(&digest, &path).map_err(|error| unusable(&error, &path));
        tokio::task::spawn_blocking(copy).await.map_err(|error| refusal::internal(&error))??;
        Ok(Response::Done { message: format!("{digest} is written to {target}") })
    }

    /// A digest opens nothing that the tenant has no reference to.
    async fn find_artifact(&self, tenant: &TenantId, name: ArtifactName) -> refusal::Result<(Digest, String)> {
        match name {
            ArtifactName::Reference(id) => {
                let reference = self.read_reference(tenant, id)?;
                let digest = reference.digest.ok_or_else(|| {
                    refusal::new(code::NOT_FOUND, format!("reference {id} names something elsewhere, not an artifact"))
                })?;
                Ok((digest, reference.media_type.clone()))
            }
            ArtifactName::Digest(digest) => {
                let mut filter = ReferenceFilter { digest: Some(digest), limit: 1, ..ReferenceFilter::default() };
                let caller = Caller::new(tenant.clone(), "engine", Role::Viewer);
                // A page may come to nothing and the next one not.
                loop {
                    let Response::References(page) = self.references(&caller, filter.clone()).await? else { break };
                    if let Some(reference) = page.items.into_iter().next() {
                        return Ok((digest, reference.media_type));
                    }
                    let Some(next) = page.next else { break };
                    filter.cursor = Some(next);
                }
                Err(refusal::new(code::NOT_FOUND, format!("tenant {tenant} has no reference to {digest}")))
            }
        }
    }
}

fn name_of(name: Option<String>) -> refusal::Result<String> {
    let fits =
        |name: &String| !name.trim().is_empty() && name.len() <= NAME_MAX_BYTES && !name.chars().any(char::is_control);
    name.filter(fits).ok_or_else(|| {
        let message = format!("an artifact needs a name of 1 to {NAME_MAX_BYTES} bytes without control characters");
        refusal::hinted(code::PARAMETERS_INVALID, message, "name it as a file, such as `report.pdf`")
    })
}

/// Says what it means that an artifact of the store could not be read or written.
pub(super) fn ours(error: &artifacts::Error) -> Box<crate::api::Refusal> {
    unusable(error, Path::new(""))
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
        E::ReadOnly { path, .. } if path != theirs => conclusion.hint(READ_ONLY_HINT),
        _ => conclusion,
    })
}

/// Guesses a media type from a name's ending.
fn media_type_of(name: &str) -> &'static str {
    match Path::new(name).extension().and_then(|ending| ending.to_str()).map(str::to_ascii_lowercase).as_deref() {
        Some("json") => "application/json",
        Some("pdf") => "application/pdf",
        Some("txt" | "log") => "text/plain",
        Some("md") => "text/markdown",
        Some("csv") => "text/csv",
        Some("xml") => "application/xml",
        Some("html") => "text/html",
        Some("png") => "image/png",
        Some("jpg" | "jpeg") => "image/jpeg",
        Some("zip") => "application/zip",
        _ => "application/octet-stream",
    }
}
