//! The file sink: JSON lines that are synced before they count as delivered.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use enact_host::contract::BoxFuture;
use enact_model::message::MessageRow;

use super::{DeliveryResult, Pace, Sink};

/// How the line of an event begins: its attributes stand in the order of their names.
const EVENT_BEGINS: &[u8] = br#"{"data":"#;

/// A file of JSON lines, one CloudEvent each.
#[derive(Debug, Clone)]
pub struct FileSink {
    path: Arc<PathBuf>,
    file: Arc<Mutex<Option<File>>>,
}

impl FileSink {
    /// Names the file; it is opened at the first delivery, so that a folder that is missing now may come later.
    pub fn new(path: &Path) -> Self {
        Self { path: Arc::new(path.to_owned()), file: Arc::default() }
    }

    /// Appends lines and syncs them.
    ///
    /// # Durability
    /// The lines are durable when it returns.
    fn append(&self, lines: &[u8]) -> std::io::Result<()> {
        let mut held = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        // A file that was removed or renamed, as log rotation does, is opened anew by its name.
        let same = held.as_ref().is_some_and(|file| is_still(file, &self.path));
        if !same {
            *held = Some(open_lines(&self.path)?);
        }
        let result = match held.as_mut() {
            Some(file) => file.write_all(lines).and_then(|()| file.sync_data()),
            None => Ok(()),
        };
        if result.is_err() {
            // A torn line is cut when the file is opened again.
            *held = None;
        }
        result
    }
}

fn is_still(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    match (file.metadata(), std::fs::metadata(path)) {
        (Ok(held), Ok(named)) => held.ino() == named.ino() && held.dev() == named.dev(),
        _ => false,
    }
}

/// Opens a file of lines at its end. A last line without an end is cut if it is the beginning of an event, which was torn and never
/// acknowledged; what others have written gets its end.
fn open_lines(path: &Path) -> std::io::Result<File> {
    let mut file = OpenOptions::new().read(true).append(true).create(true).open(path)?;
    let length = file.metadata()?.len();
    let mut end = length;
    let mut block = [0; 4_096];
    while end > 0 {
        let from = end.saturating_sub(block.len() as u64);
        let part = block.get_mut(..(end - from) as usize).unwrap_or_default();
        file.seek(SeekFrom::Start(from))?;
        file.read_exact(part)?;
        if let Some(at) = part.iter().rposition(|byte| *byte == b'\n') {
            end = from + at as u64 + 1;
            break;
        }
        end = from;
    }
    if end < length {
        end_last_line(&mut file, end)?;
    }
    if length == 0
        && let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty())
    {
        File::open(folder)?.sync_all()?;
    }
    Ok(file)
}

/// Cuts or ends the last line, which begins at `begin`.
fn end_last_line(file: &mut File, begin: u64) -> std::io::Result<()> {
    let mut head = Vec::new();
    file.seek(SeekFrom::Start(begin))?;
    Read::take(&mut *file, EVENT_BEGINS.len() as u64).read_to_end(&mut head)?;
    if EVENT_BEGINS.starts_with(&head) { file.set_len(begin) } else { file.write_all(b"\n") }
}

impl Sink for FileSink {
    /// One sync for as many lines as there are.
    fn pace(&self) -> Pace {
        Pace { batch: 256, at_once: 1 }
    }
    fn deliver<'a>(&'a self, messages: Vec<Arc<MessageRow>>) -> BoxFuture<'a, Vec<DeliveryResult>> {
        Box::pin(async move {
            let sink = self.clone();
            let count = messages.len();
            let written = tokio::task::spawn_blocking(move || {
                let mut lines = Vec::new();
                for row in &messages {
                    lines.extend_from_slice(row.message.cloud_event().as_str().as_bytes());
                    lines.push(b'\n');
                }
                sink.append(&lines)
            })
            .await;
            let result = match written {
                Ok(Ok(())) => DeliveryResult::Delivered,
                Ok(Err(error)) => DeliveryResult::Failed {
                    reason: format!("failed to append to {}: {error}", self.path.display()),
                    retry_after: None,
                },
                Err(error) => {
                    DeliveryResult::Failed { reason: format!("the delivery ended early: {error}"), retry_after: None }
                }
            };
            vec![result; count]
        })
    }
    fn check<'a>(&'a self) -> BoxFuture<'a, Result<String, String>> {
        Box::pin(async move {
            let path = Arc::clone(&self.path);
            let looked = tokio::task::spawn_blocking(move || match std::fs::metadata(path.as_path()) {
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => folder_of(&path).map(|_| ()),
                Ok(found) if !found.is_file() => Err(std::io::Error::other("it is no file")),
                found => found.map(|_| ()),
            });
            match looked.await.unwrap_or_else(|error| Err(std::io::Error::other(error))) {
                Ok(()) => Ok(format!("file {}", self.path.display())),
                Err(error) => Err(format!("{} cannot be written: {error}", self.path.display())),
            }
        })
    }
}

/// Asks for the folder of a file that is not there yet.
fn folder_of(path: &Path) -> std::io::Result<std::fs::Metadata> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::metadata(folder)
        .map_err(|error| std::io::Error::new(error.kind(), format!("{}: {error}", folder.display())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_torn_event_is_cut_before_the_next_is_written_and_a_line_of_others_is_ended() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("events.jsonl");
        let long = format!("{{\"data\":\"{}", "x".repeat(10_000));
        for (found, kept) in [
            (format!("{{\"a\":1}}\n{long}"), "{\"a\":1}\n"),
            (long, ""),
            ("{\"a\":1}\n{\"d".to_owned(), "{\"a\":1}\n"),
            ("precious line 1\nprecious line 2".to_owned(), "precious line 1\nprecious line 2\n"),
            ("precious".to_owned(), "precious\n"),
        ] {
            std::fs::write(&path, &found).unwrap();
            FileSink::new(&path).append(b"{\"b\":2}\n").unwrap();
            assert_eq!(std::fs::read_to_string(&path).unwrap(), format!("{kept}{{\"b\":2}}\n"), "{found:.40}");
        }
    }

    #[test]
    fn a_rotated_file_is_made_anew() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("events.jsonl");
        let sink = FileSink::new(&path);
        sink.append(b"1\n").unwrap();
        std::fs::rename(&path, folder.path().join("events.1")).unwrap();
        sink.append(b"2\n").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "2\n");
    }
}
