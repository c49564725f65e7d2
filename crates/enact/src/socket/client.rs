//! The asking side: one connection for each question, so that a question can be dropped at any time.

use std::io;
use std::path::Path;
use std::time::Duration;

use enact_model::id::ExecutionId;
use enact_model::record::Record;
use enact_runtime::api::{Caller, Refusal, Request, Response};
use tokio::io::BufReader;
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::time::timeout;

use super::address::{Address, SOCKET_NAME};
use super::frame::{self, FROM_HUB_MAX_BYTES, FrameError, TO_HUB_MAX_BYTES};
use super::protocol::{FromHub, Hello, ToHub};

/// How long a hub may take to say hello.
const HELLO_LIMIT: Duration = Duration::from_secs(5);

/// Why a hub was not reached.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// No hub listens there.
    #[error("failed to reach a hub: none listens")]
    NoHub,
    /// The socket may not be opened.
    #[error("failed to reach the hub: {0}")]
    Denied(io::Error),
    /// The connection broke.
    #[error("failed to reach the hub: the connection ended")]
    Lost,
    /// It does not answer.
    #[error("failed to reach the hub: it took longer than {} s to say hello", HELLO_LIMIT.as_secs())]
    Silent,
    /// It does not want to talk.
    #[error("failed to reach the hub: {}", .0.conclusion.message)]
    Refused(Box<Refusal>),
    /// A frame did not pass.
    #[error(transparent)]
    Frame(FrameError),
}

impl From<FrameError> for ClientError {
    fn from(error: FrameError) -> Self {
        use io::ErrorKind::{BrokenPipe, ConnectionReset, UnexpectedEof};
        match error {
            FrameError::Io(error) if matches!(error.kind(), UnexpectedEof | BrokenPipe | ConnectionReset) => Self::Lost,
            other => Self::Frame(other),
        }
    }
}

/// One connection to a hub, after the hellos.
#[derive(Debug)]
pub struct Client {
    reader: BufReader<OwnedReadHalf>,
    writer: OwnedWriteHalf,
    /// Who is on the other side.
    pub hub: Hello,
}

impl Client {
    /// Connects to the hub that holds a store.
    ///
    /// # Errors
    /// No hub, one that does not answer, or one that speaks another protocol.
    pub async fn connect(store: &Path) -> Result<Self, ClientError> {
        let missing = |error: &io::Error| {
            matches!(
                error.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused | io::ErrorKind::NotADirectory
            )
        };
        let none_or = |error: io::Error| if missing(&error) { ClientError::NoHub } else { ClientError::Denied(error) };
        let address = Address::of(store, SOCKET_NAME).map_err(none_or)?;
        let stream = UnixStream::connect(address.path()).await.map_err(none_or)?;
        let (reader, mut writer) = stream.into_split();
        let mut reader = BufReader::new(reader);
        let hello = async {
            frame::write(&mut writer, &ToHub::Hello(Hello::ours()), TO_HUB_MAX_BYTES).await?;
            frame::read(&mut reader, FROM_HUB_MAX_BYTES).await
        };
        match timeout(HELLO_LIMIT, hello).await.map_err(|_| ClientError::Silent)?? {
            FromHub::Hello(hub) => Ok(Self { reader, writer, hub }),
            FromHub::Refused(refusal) => Err(ClientError::Refused(refusal)),
            FromHub::Response(_) | FromHub::Record(_) | FromHub::End => Err(ClientError::Lost),
        }
    }

    /// Asks one question.
    ///
    /// # Errors
    /// A connection that broke: whether the request was carried out is not known then.
    pub async fn ask(&mut self, caller: &Caller, request: Request) -> Result<Response, ClientError> {
        let ask = ToHub::Ask { caller: caller.clone(), request: Box::new(request) };
        frame::write(&mut self.writer, &ask, TO_HUB_MAX_BYTES).await?;
        if !frame::begins(&mut self.reader).await? {
            return Err(ClientError::Lost);
        }
        match frame::read(&mut self.reader, FROM_HUB_MAX_BYTES).await? {
            FromHub::Response(response) => Ok(*response),
            FromHub::Refused(refusal) => Ok(Response::Refused(refusal)),
            FromHub::Hello(_) | FromHub::Record(_) | FromHub::End => Err(ClientError::Lost),
        }
    }

    /// Begins to watch an execution.
    ///
    /// # Errors
    /// A connection that broke.
    pub async fn watch(&mut self, caller: &Caller, execution: ExecutionId) -> Result<(), ClientError> {
        let watch = ToHub::Watch { caller: caller.clone(), execution };
        Ok(frame::write(&mut self.writer, &watch, TO_HUB_MAX_BYTES).await?)
    }

    /// Returns the next record of the execution that is watched; none after the last.
    ///
    /// # Errors
    /// A connection that broke, or a refusal.
    pub async fn next_record(&mut self) -> Result<Option<Record>, ClientError> {
        if !frame::begins(&mut self.reader).await? {
            return Err(ClientError::Lost);
        }
        match frame::read(&mut self.reader, FROM_HUB_MAX_BYTES).await? {
            FromHub::Record(record) => Ok(Some(*record)),
            FromHub::End => Ok(None),
            FromHub::Refused(refusal) => Err(ClientError::Refused(refusal)),
            FromHub::Hello(_) | FromHub::Response(_) => Err(ClientError::Lost),
        }
    }
}
