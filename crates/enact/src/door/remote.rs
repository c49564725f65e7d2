//! A hub on another machine, over HTTP: the same questions and the same answers as over the socket. What names a file of this
//! machine goes along as bytes.

mod body;
mod package;
mod stream;

use std::fs::{File, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use enact_dial::connect::Trust;
use enact_dial::{Endpoint, excerpt, http};
use enact_engine::conclude::FILE_UNUSABLE;
use enact_model::conclusion::Conclusion;
use enact_model::digest::Digest;
use enact_model::id::{ExecutionId, IntentId};
use enact_runtime::api::{ArtifactName, IntentView, Refusal, Request, Response};
use enact_runtime::package::gather_solution;
use enact_store::artifacts::open_file;
use http_body_util::BodyExt as _;
use hyper::body::{Bytes, Incoming};
use hyper::{Method, StatusCode, header};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use sha2::Digest as _;

use crate::config::Settings;
use crate::failure::Failure;
use crate::socket::frame::FROM_HUB_MAX_BYTES;
use body::Body;
pub use stream::Stream;

/// Why a hub on another machine gave no answer.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum RemoteError {
    #[error("failed to find the hub: no address was given")]
    NoAddress,
    #[error("failed to read the token: {0}")]
    Token(String),
    #[error("failed to reach the hub: {0}")]
    Unreachable(String),
    #[error("failed to hear the hub: {0}")]
    Lost(String),
    #[error("failed to understand {endpoint}: it answered {status}, which is no answer of a hub: {said}")]
    Odd { endpoint: String, status: StatusCode, said: String },
    #[error("failed to reach the hub: something before it at {endpoint} answered {status}: {said}")]
    Between { endpoint: String, status: StatusCode, said: String },
}

/// The way to a hub on another machine.
#[derive(Clone)]
pub struct Remote {
    endpoint: Endpoint,
    trust: Trust,
    token: Option<String>,
}

impl Remote {
    /// Reads where the hub is and who asks; nothing is connected yet.
    ///
    /// # Errors
    /// No address; a token that cannot be read.
    pub fn new(settings: &Settings) -> Result<Self, Failure> {
        let endpoint = settings.client_url.0.clone().ok_or(RemoteError::NoAddress)?;
        let token = settings.client_token.0.clone().map(|secret| {
            let vault = settings.vault().map(Arc::new);
            secret.kept_in(vault.as_ref()).map_err(|invalid| invalid.reason)?.read()
        });
        let token = token.transpose();
        let trust = settings.client_ca.0.clone().map_or(Trust::System, Trust::File);
        Ok(Self { endpoint, trust, token: token.map_err(RemoteError::Token)? })
    }

    /// Asks one question.
    ///
    /// # Errors
    /// A hub that is not reached; a file that cannot be read or written. What the hub refuses is an answer.
    pub async fn ask(&self, request: Request) -> Result<Response, Failure> {
        match request {
            Request::ComponentAdd { path } => self.send_package(path, "/v1/components").await.map(done),
            Request::ComponentCheck { path } => {
                let checked = self.send_package(path, "/v1/components?check=true").await?;
                Ok(checked.map_or_else(Response::Refused, |checked: Checked| checked.into()))
            }
            Request::SolutionBind { path } => self.send_solution(Path::new(&path)).await.map(done),
            Request::ArtifactPut { path, name, media_type } => self.put(path.into(), name, media_type).await,
            Request::ArtifactGet { reference, target } => self.get(&reference, target.into()).await,
            mut request => {
                if let Request::Submit { draft, .. } = &mut request {
                    // It is the token's.
                    draft.tenant_id = None;
                }
                self.put_question(&request).await
            }
        }
    }

    /// Asks a question as it is asked over the socket.
    async fn put_question(&self, request: &Request) -> Result<Response, Failure> {
        match self.post_question(request).await? {
            Ok(response) => Ok(response),
            Err(Refused { refusal, intent: Some(intent) }) if matches!(request, Request::Submit { .. }) => {
                // The socket gives all that is known of a rejection at once; over HTTP it has a document of its own.
                match self.post_question(&Request::Intent { intent }).await {
                    Ok(Ok(Response::Intent(view))) => match *view {
                        IntentView::Rejected(rejection) => Ok(Response::Rejected(rejection)),
                        IntentView::Accepted(_) => Ok(Response::Refused(refusal)),
                    },
                    _ => Ok(Response::Refused(refusal)),
                }
            }
            Err(Refused { refusal, .. }) => Ok(Response::Refused(refusal)),
        }
    }

    async fn post_question(&self, request: &Request) -> Result<Result<Response, Refused>, Failure> {
        let body = serde_json::to_vec(request).map_err(|error| Failure::Output(error.into()))?;
        let kind = [("content-type", "application/json")];
        let answer = self.send(Method::POST, "/v1/ask", &kind, Body::of(body.into())).await?;
        self.hear(answer).await
    }

    /// Begins to watch an execution.
    ///
    /// # Errors
    /// A hub that is not reached, or a refusal.
    pub async fn watch(&self, execution: ExecutionId) -> Result<Stream, Failure> {
        Stream::open(self.clone(), execution).await
    }

    async fn send_package<T: DeserializeOwned>(
        &self,
        path: String,
        route: &str,
    ) -> Result<Result<T, Box<Refusal>>, Failure> {
        let packed = tokio::task::spawn_blocking(move || package::pack(Path::new(&path))).await;
        let file = match packed.map_err(|_| Failure::Unexpected)?? {
            Ok(file) => file,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let body = Body::of_file(file).map_err(Failure::file(route))?;
        let answer = self.send(Method::POST, route, &[("content-type", "application/x-tar")], body).await?;
        self.read(answer).await
    }

    async fn send_solution(&self, path: &Path) -> Result<Result<Told, Box<Refusal>>, Failure> {
        let path = match gather_solution(path) {
            Ok(path) => path,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let file = File::open(&path).map_err(Failure::file(&path))?;
        let body = Body::of_file(file).map_err(Failure::file(&path))?;
        let answer = self.send(Method::POST, "/v1/solutions", &[("content-type", "application/yaml")], body).await?;
        self.read(answer).await
    }

    async fn put(&self, path: PathBuf, name: Option<String>, media_type: Option<String>) -> Result<Response, Failure> {
        let file = match open_file(&path) {
            Ok(file) => file,
            Err(error) => return Ok(Response::Refused(unusable("open", &path, &error))),
        };
        let name = name.or_else(|| path.file_name().map(|name| name.to_string_lossy().into_owned()));
        let route = format!("/v1/artifacts?name={}", escaped(&name.unwrap_or_default()));
        let kind = media_type.as_deref().map(|media_type| ("content-type", media_type));
        let body = Body::of_file(file).map_err(Failure::file(&path))?;
        let answer = self.send(Method::POST, &route, kind.as_slice(), body).await?;
        Ok(self.read(answer).await?.map_or_else(Response::Refused, Response::Reference))
    }

    /// Writes an artifact to a file that is not there yet, once every byte of it has come and was verified.
    async fn get(&self, reference: &ArtifactName, target: PathBuf) -> Result<Response, Failure> {
        let named = match reference {
            ArtifactName::Reference(id) => id.to_string(),
            ArtifactName::Digest(digest) => digest.to_string(),
        };
        let answer = self.send(Method::GET, &format!("/v1/artifacts/{named}"), &[], Body::none()).await?;
        if !answer.status().is_success() {
            return Ok(self
                .read::<Value>(answer)
                .await?
                .map_or_else(Response::Refused, |_| Response::Done { message: "nothing was written".to_owned() }));
        }
        let tag = answer.headers().get(header::ETAG).and_then(|tag| tag.to_str().ok()).unwrap_or_default();
        let digest: Option<Digest> = tag.trim_matches('"').parse().ok();
        let mut file = match beside(&target) {
            Ok(file) => file,
            Err(error) => return Ok(Response::Refused(unusable("make", &target, &error))),
        };
        let (mut hasher, mut body) = (sha2::Sha256::new(), answer.into_body());
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| RemoteError::Lost(excerpt(&error.to_string())))?;
            let Ok(bytes) = frame.into_data() else { continue };
            hasher.update(&bytes);
            io::Write::write_all(&mut file, &bytes).map_err(Failure::file(&target))?;
        }
        let Some(digest) = digest.filter(|digest| *digest == Digest::from_bytes(hasher.finalize().into())) else {
            return Err(RemoteError::Lost("the bytes that came are not those of the digest".to_owned()).into());
        };
        if let Err(error) = file.persist_noclobber(&target) {
            return Ok(Response::Refused(unusable("make", &target, &error.error)));
        }
        Ok(Response::Done { message: format!("{digest} is written to {}", target.display()) })
    }

    async fn send(
        &self,
        method: Method,
        route: &str,
        headers: &[(&str, &str)],
        body: Body,
    ) -> Result<hyper::Response<Incoming>, Failure> {
        let path = format!("{}{route}", self.endpoint.path.trim_end_matches('/'));
        let mut request = hyper::Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, self.endpoint.authority())
            .header(header::USER_AGENT, http::USER_AGENT);
        if let Some(token) = &self.token {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(body).map_err(|error| RemoteError::Unreachable(error.to_string()))?;
        let mut connection = http::open(&self.endpoint, &self.trust).await.map_err(RemoteError::Unreachable)?;
        Ok(http::send(&self.endpoint, &mut connection, request).await.map_err(RemoteError::Lost)?)
    }

    /// Reads a document; a problem is a refusal.
    async fn read<T: DeserializeOwned>(
        &self,
        answer: hyper::Response<Incoming>,
    ) -> Result<Result<T, Box<Refusal>>, Failure> {
        Ok(self.hear(answer).await?.map_err(|refused| refused.refusal))
    }

    /// Reads a document; a problem is a refusal, with the intent that it is of.
    async fn hear<T: DeserializeOwned>(
        &self,
        answer: hyper::Response<Incoming>,
    ) -> Result<Result<T, Refused>, Failure> {
        let status = answer.status();
        let read = http::whole(answer.into_body(), FROM_HUB_MAX_BYTES).await;
        let bytes = read.map_err(|why| RemoteError::Lost(format!("it {why}")))?;
        let odd = || {
            let (endpoint, said) = (self.endpoint.to_string(), excerpt(&String::from_utf8_lossy(&bytes)));
            match status.as_u16() {
                408 | 429 | 502..=504 => RemoteError::Between { endpoint, status, said }.into(),
                _ => RemoteError::Odd { endpoint, status, said }.into(),
            }
        };
        if status.is_success() {
            return serde_json::from_slice(&bytes).map(Ok).map_err(|_| odd());
        }
        serde_json::from_slice::<Problem>(&bytes).ok().and_then(Problem::refused).map(Err).ok_or_else(odd)
    }
}

/// What was done, in words.
#[derive(Deserialize)]
struct Told {
    message: String,
}

fn done(told: Result<Told, Box<Refusal>>) -> Response {
    told.map_or_else(Response::Refused, |told| Response::Done { message: told.message })
}

/// What a check found.
#[derive(Deserialize)]
struct Checked {
    component: String,
    version: String,
    digest: Digest,
    operations: usize,
}

impl From<Checked> for Response {
    fn from(Checked { component, version, digest, operations }: Checked) -> Self {
        Self::Checked { component, version, digest, operations }
    }
}

/// Says that a file of this machine cannot be used, as a hub says it of one of its own.
fn unusable(deed: &str, path: &Path, error: &io::Error) -> Box<Refusal> {
    let conclusion = Conclusion::new(FILE_UNUSABLE, format!("failed to {deed} {}: {error}", path.display()));
    Box::new(Refusal { conclusion, faults: Vec::new(), execution: None, retry_after_ms: None })
}

/// Makes a file that takes the place of one that is not there yet; nobody writes to it later, as to one that a hub wrote.
fn beside(target: &Path) -> io::Result<tempfile::NamedTempFile> {
    if target.symlink_metadata().is_ok() {
        return Err(rustix::io::Errno::EXIST.into());
    }
    let folder = target.parent().unwrap_or(Path::new("/"));
    folder.metadata()?;
    tempfile::Builder::new().permissions(Permissions::from_mode(0o444)).tempfile_in(folder)
}

/// What was refused.
struct Refused {
    refusal: Box<Refusal>,
    /// The intent that was rejected.
    intent: Option<IntentId>,
}

/// A refusal as it comes over HTTP.
#[derive(Deserialize)]
struct Problem {
    detail: String,
    code: Value,
    kind: Option<Value>,
    hint: Option<String>,
    #[serde(default)]
    may_have_run: bool,
    #[serde(default)]
    faults: Vec<enact_model::intent::InputFault>,
    execution_id: Option<ExecutionId>,
    intent_id: Option<IntentId>,
    retry_after_ms: Option<u64>,
}

impl Problem {
    fn refused(self) -> Option<Refused> {
        let mut conclusion = json!({ "code": self.code, "message": self.detail, "may_have_run": self.may_have_run });
        let members = conclusion.as_object_mut()?;
        members.extend(self.kind.map(|kind| ("kind".to_owned(), kind)));
        members.extend(self.hint.map(|hint| ("hint".to_owned(), json!(hint))));
        let conclusion: Conclusion = serde_json::from_value(conclusion).ok()?;
        let (faults, execution, retry_after_ms) = (self.faults, self.execution_id, self.retry_after_ms);
        let refusal = Box::new(Refusal { conclusion, faults, execution, retry_after_ms });
        Some(Refused { refusal, intent: self.intent_id })
    }
}

/// Escapes a text for the query of a URL.
fn escaped(text: &str) -> String {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~".contains(byte);
    text.bytes().map(|byte| if plain(&byte) { (byte as char).to_string() } else { format!("%{byte:02X}") }).collect()
}

/// Pieces of a body.
type Piece = io::Result<Bytes>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_escaped_for_a_query() {
        assert_eq!(escaped("a b&c=ü.pdf"), "a%20b%26c%3D%C3%BC.pdf");
    }

    #[test]
    fn a_problem_becomes_the_refusal_that_it_was() {
        let text = json!({
            "type": "urn:enact:problem:x", "title": "x", "status": 404, "detail": "there is none", "code": "071007020101",
            "hint": "look again", "faults": [{ "at": "a", "message": "b" }], "retry_after_ms": 7,
        });
        let problem: Problem = serde_json::from_value(text).unwrap();
        let refusal = problem.refused().unwrap().refusal;
        assert_eq!(refusal.conclusion.message, "there is none");
        assert_eq!(refusal.conclusion.hint.as_deref(), Some("look again"));
        assert_eq!(refusal.conclusion.code.to_string(), "071007020101");
        assert_eq!((refusal.faults.len(), refusal.retry_after_ms), (1, Some(7)));
        let unknown = json!({ "detail": "x", "code": "not a code" });
        assert!(serde_json::from_value::<Problem>(unknown).unwrap().refused().is_none());
    }
}
