//! `enact artifact`: puts files into the artifact store and gets them out.

use std::io::Read;
use std::path::PathBuf;
use std::str::FromStr;

use clap::Subcommand;
use enact_runtime::api::{ArtifactName, Request, Response};

use super::desk::{Desk, absolute};
use crate::door::Need;
use crate::failure::Failure;
use crate::show;

/// Bytes passed on at once.
const CHUNK: usize = 64 * 1024;

/// Put files into the artifact store and get them out.
#[derive(Debug, Subcommand)]
pub enum ArtifactCommand {
    /// Put a file in and register a reference to it
    #[command(after_help = "Example:\n  enact artifact put ./campaign_donors.pdf --media-type application/pdf")]
    Put {
        /// The file
        path: PathBuf,
        /// Its name [default: that of the file]
        #[arg(long)]
        name: Option<String>,
        /// Its media type [default: by its name]
        #[arg(long)]
        media_type: Option<String>,
    },
    /// Get the bytes of a reference, verified by their digest
    #[command(after_help = "Examples:\n  enact artifact get ref_01jd0000000000000000000000 > tables.json\n  \
                            enact artifact get sha256:… --output tables.json")]
    Get {
        /// Id of the reference, or a digest
        #[arg(value_name = "REFERENCE", value_parser = artifact_name)]
        reference: ArtifactName,
        /// File to write; it must not be there [default: standard output]
        #[arg(long, short)]
        output: Option<PathBuf>,
    },
}

#[derive(Debug, thiserror::Error)]
#[error("it must be the id of a reference (ref_…) or a digest (sha256:…)")]
struct NoArtifactName;

fn artifact_name(text: &str) -> Result<ArtifactName, NoArtifactName> {
    let reference = FromStr::from_str(text).map(ArtifactName::Reference);
    reference.or_else(|_| FromStr::from_str(text).map(ArtifactName::Digest)).map_err(|_| NoArtifactName)
}

impl ArtifactCommand {
    /// Carries the command out.
    ///
    /// # Errors
    /// What the hub refuses; a file that cannot be read or written.
    pub async fn carry_out(self, desk: &mut Desk) -> Result<(), Failure> {
        match self {
            Self::Put { path, name, media_type } => {
                let path = absolute(&path)?;
                desk.ask_and_show(Need::Any, Request::ArtifactPut { path, name, media_type }).await
            }
            Self::Get { reference, output: Some(path) } if path.as_os_str() != "-" => {
                let target = absolute(&path)?;
                desk.ask_and_show(Need::Existing, Request::ArtifactGet { reference, target }).await
            }
            Self::Get { reference, .. } => to_stdout(desk, reference).await,
        }
    }
}

/// The hub writes a file that this process passes on.
async fn to_stdout(desk: &mut Desk, reference: ArtifactName) -> Result<(), Failure> {
    let folder = tempfile::tempdir().map_err(Failure::file(std::env::temp_dir()))?;
    let path = folder.path().join("artifact");
    let target = absolute(&path)?;
    match desk.ask(Need::Existing, Request::ArtifactGet { reference, target }).await? {
        Response::Done { .. } | Response::Reference(_) => {}
        other => return show::show(other, &mut desk.out),
    }
    let mut file = std::fs::File::open(&path).map_err(Failure::file(&path))?;
    let mut chunk = vec![0; CHUNK];
    loop {
        let count = file.read(&mut chunk).map_err(Failure::file(&path))?;
        match chunk.get(..count) {
            Some(bytes) if !bytes.is_empty() => desk.out.bytes(bytes)?,
            _ => return Ok(()),
        }
    }
}
