//! One connection, from its hello to its end.

use std::time::Duration;

use enact_model::conclusion::{Conclusion, DetailCode};
use enact_model::limits::PARAMETERS_TOO_LARGE_HINT;
use enact_model::taxonomy::{Category, Cause, Disposition, Interpretation, Responsibility, Symptom};
use enact_runtime::api::{Caller, Reach, Refusal, Request, Response};
use tokio::io::BufReader;
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::time::timeout;

use super::frame::{self, FROM_HUB_MAX_BYTES, FrameError, TO_HUB_MAX_BYTES};
use super::protocol::{FromHub, Hello, PROTOCOL, RELEASE, ToHub};
use crate::door::Answers;

/// How long a client may take to say hello.
const HELLO_LIMIT: Duration = Duration::from_secs(5);
/// How long a connection may stay open without a question.
const IDLE_LIMIT: Duration = Duration::from_secs(300);

struct Connection {
    reader: BufReader<OwnedReadHalf>,
    writer: OwnedWriteHalf,
}

/// Serves one connection until it ends.
pub async fn serve<H: Answers>(stream: UnixStream, hub: &H) {
    let peer = stream.peer_cred().map(|peer| peer.uid()).ok();
    let ours = rustix::process::geteuid().as_raw();
    let (reader, writer) = stream.into_split();
    let mut connection = Connection { reader: BufReader::new(reader), writer };
    if !peer.is_some_and(|uid| uid == 0 || uid == ours) {
        tracing::warn!(?peer, "refused a connection of another user");
        return;
    }
    if let Err(error) = connection.talk(hub).await {
        tracing::debug!(%error, "a connection ended");
    }
}

/// Whoever may open the socket may read the store as well, so that what is about the whole hub is theirs with every tenant.
fn of_the_owner(caller: Caller) -> Caller {
    Caller { reach: Reach::Hub, ..caller }
}

/// Tells a client that there are too many.
pub async fn refuse(stream: UnixStream) {
    let (_, mut writer) = stream.into_split();
    let busy = conclusion(
        Symptom::Unavailable,
        Cause::Limit,
        Disposition::RetryLater,
        "the hub has too many connections".into(),
    );
    let refusal = Refusal { conclusion: busy, faults: Vec::new(), execution: None, retry_after_ms: Some(1_000) };
    let _ = frame::write(&mut writer, &FromHub::Refused(Box::new(refusal)), FROM_HUB_MAX_BYTES).await;
}

impl Connection {
    async fn talk<H: Answers>(&mut self, hub: &H) -> Result<(), FrameError> {
        match timeout(HELLO_LIMIT, frame::read(&mut self.reader, TO_HUB_MAX_BYTES)).await {
            Err(_) => return Err(FrameError::Slow),
            Ok(Ok(ToHub::Hello(hello))) if hello.protocol == PROTOCOL => {
                self.say(&FromHub::Hello(Hello::ours())).await?
            }
            Ok(Ok(ToHub::Hello(hello))) => {
                let message = format!(
                    "the hub (release {RELEASE}) speaks protocol {PROTOCOL}, not {} (release {})",
                    hello.protocol, hello.release
                );
                let hint = "use the command line of the hub's release, or stop the hub and start it with this one";
                let wrong =
                    conclusion(Symptom::Unsupported, Cause::Capability, Disposition::FixInput, message).hint(hint);
                return self.refuse(wrong).await;
            }
            Ok(Ok(_)) => {
                let wrong = "the first frame must be a hello".to_owned();
                return self
                    .refuse(conclusion(Symptom::Illegal, Cause::Inconsistency, Disposition::FixInput, wrong))
                    .await;
            }
            Ok(Err(error)) => return self.refuse_frame(error).await,
        }
        loop {
            match timeout(IDLE_LIMIT, frame::begins(&mut self.reader)).await {
                Ok(Ok(true)) => {}
                Ok(Ok(false)) | Err(_) => return Ok(()),
                Ok(Err(error)) => return Err(error),
            }
            match frame::read(&mut self.reader, TO_HUB_MAX_BYTES).await {
                Ok(ToHub::Ask { caller, request }) => {
                    // Somebody who only waits may go away; everything else is carried through.
                    let waits = matches!(*request, Request::Await { .. });
                    let answer = hub.handle(of_the_owner(caller), *request);
                    let response = tokio::select! {
                        response = answer => response,
                        () = gone(&mut self.reader), if waits => return Ok(()),
                    };
                    self.answer(response).await?;
                }
                Ok(ToHub::Watch { caller, execution }) => match hub.watch(of_the_owner(caller), execution).await {
                    Err(refusal) => self.say(&FromHub::Refused(refusal)).await?,
                    Ok(mut records) => {
                        loop {
                            let record = tokio::select! {
                                record = records.recv() => record,
                                () = gone(&mut self.reader) => return Ok(()),
                            };
                            match record {
                                Some(record) => self.say(&FromHub::Record(Box::new(record))).await?,
                                None => break,
                            }
                        }
                        self.say(&FromHub::End).await?;
                    }
                },
                Ok(ToHub::Hello(_)) => {
                    let wrong = "a hello is said once".to_owned();
                    return self
                        .refuse(conclusion(Symptom::Illegal, Cause::Inconsistency, Disposition::FixInput, wrong))
                        .await;
                }
                Err(error) => return self.refuse_frame(error).await,
            }
        }
    }

    async fn say(&mut self, message: &FromHub) -> Result<(), FrameError> {
        frame::write(&mut self.writer, message, FROM_HUB_MAX_BYTES).await
    }

    async fn answer(&mut self, response: Response) -> Result<(), FrameError> {
        match self.say(&FromHub::Response(Box::new(response))).await {
            Err(FrameError::TooLarge { size, limit }) => {
                let message = format!("the answer has {size} bytes, more than {limit}");
                let large = conclusion(Symptom::Illegal, Cause::Limit, Disposition::FixInput, message);
                self.say(&FromHub::Refused(Box::new(refusal(large.hint("ask for less with --limit"))))).await
            }
            other => other,
        }
    }

    async fn refuse(&mut self, conclusion: Conclusion) -> Result<(), FrameError> {
        self.say(&FromHub::Refused(Box::new(refusal(conclusion)))).await
    }

    /// Answers a frame that could not be read, where the other side may still be listening.
    async fn refuse_frame(&mut self, error: FrameError) -> Result<(), FrameError> {
        let refused = |symptom, cause| conclusion(symptom, cause, Disposition::FixInput, error.to_string());
        let refused = match &error {
            FrameError::TooLarge { .. } => refused(Symptom::Illegal, Cause::Limit).hint(PARAMETERS_TOO_LARGE_HINT),
            FrameError::Malformed(_) => refused(Symptom::SyntaxError, Cause::Format),
            FrameError::Slow | FrameError::Io(_) => return Err(error),
        };
        self.refuse(refused).await
    }
}

/// Waits until the other side has gone away; what it says meanwhile stays to be read.
async fn gone(reader: &mut BufReader<OwnedReadHalf>) {
    if frame::begins(reader).await.unwrap_or(false) {
        std::future::pending::<()>().await;
    }
}

fn refusal(conclusion: Conclusion) -> Refusal {
    Refusal { conclusion, faults: Vec::new(), execution: None, retry_after_ms: None }
}

fn conclusion(symptom: Symptom, cause: Cause, disposition: Disposition, message: String) -> Conclusion {
    let code = DetailCode {
        category: if disposition == Disposition::RetryLater { Category::Resource } else { Category::Argument },
        symptom,
        cause,
        interpretation: Interpretation::DomainFailure,
        disposition,
        responsibility: Responsibility::User,
    };
    Conclusion::new(code, message)
}
