//! The records of an execution as server-sent events; a connection that breaks is made anew and goes on after the last record.

use std::time::Duration;

use enact_dial::excerpt;
use enact_model::id::ExecutionId;
use enact_model::record::{Body as RecordBody, Record};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::{Method, StatusCode};
use serde_json::Value;

use super::{Body, Remote, RemoteError};
use crate::failure::Failure;
use crate::socket::frame::FROM_HUB_MAX_BYTES;

/// How often a hub is looked for, one time after the other, before it is given up.
const TRIES: u32 = 30;
/// Between two of them.
const PAUSE: Duration = Duration::from_secs(1);

/// The records of one execution, as they come.
pub struct Stream {
    remote: Remote,
    execution: ExecutionId,
    body: Option<Incoming>,
    /// What came and is no whole event yet.
    text: Vec<u8>,
    last: Option<String>,
    settled: bool,
}

impl Stream {
    pub(super) async fn open(remote: Remote, execution: ExecutionId) -> Result<Self, Failure> {
        let mut stream = Self { remote, execution, body: None, text: Vec::new(), last: None, settled: false };
        stream.settled = !stream.connect().await?;
        Ok(stream)
    }

    /// Returns the next record, none after the last.
    ///
    /// # Errors
    /// A refusal; a hub that stays away.
    pub async fn next(&mut self) -> Result<Option<Record>, Failure> {
        let mut tries = 0;
        loop {
            if let Some(event) = self.take_event() {
                let record: Record = serde_json::from_str(&event.data).map_err(|_| Failure::Unexpected)?;
                self.last = event.id.or_else(|| self.last.take());
                self.settled = matches!(record.body, RecordBody::Settled { .. });
                return Ok(Some(record));
            }
            match &mut self.body {
                Some(body) => match body.frame().await {
                    Some(Ok(frame)) => {
                        self.text.extend_from_slice(frame.data_ref().map_or(&[], |data| data));
                        if self.text.len() > FROM_HUB_MAX_BYTES {
                            return Err(RemoteError::Lost("an event of it has no end".to_owned()).into());
                        }
                    }
                    Some(Err(_)) | None => {
                        self.body = None;
                        self.text.clear();
                    }
                },
                None if self.settled => return Ok(None),
                None => match self.connect().await {
                    Ok(true) => tries = 0,
                    Ok(false) => return Ok(None),
                    Err(Failure::Remote(
                        RemoteError::Unreachable(_) | RemoteError::Lost(_) | RemoteError::Between { .. },
                    )) if tries < TRIES => {
                        tries += 1;
                        tokio::time::sleep(PAUSE).await;
                    }
                    Err(failure) => return Err(failure),
                },
            }
        }
    }

    /// Asks for what follows the last record; false if nothing ever will.
    async fn connect(&mut self) -> Result<bool, Failure> {
        let route = format!("/v1/executions/{}/stream", self.execution);
        let last = self.last.as_deref().map(|last| ("last-event-id", last));
        let answer = self.remote.send(Method::GET, &route, last.as_slice(), Body::none()).await?;
        match answer.status() {
            StatusCode::OK => {
                self.body = Some(answer.into_body());
                Ok(true)
            }
            StatusCode::NO_CONTENT => Ok(false),
            _ => match self.remote.read::<Value>(answer).await? {
                Err(refusal) => Err(Failure::Refused(refusal)),
                Ok(said) => Err(RemoteError::Lost(excerpt(&said.to_string())).into()),
            },
        }
    }

    /// Takes the first whole event with data; comments, which keep the connection alive, are dropped.
    fn take_event(&mut self) -> Option<Event> {
        loop {
            let end = self.text.windows(2).position(|pair| pair == b"\n\n")?;
            let block: Vec<u8> = self.text.drain(..end + 2).collect();
            let event = Event::read(&String::from_utf8_lossy(&block));
            if event.is_some() {
                return event;
            }
        }
    }
}

/// One server-sent event.
#[derive(Debug, PartialEq, Eq)]
struct Event {
    id: Option<String>,
    data: String,
}

impl Event {
    fn read(block: &str) -> Option<Self> {
        let (mut id, mut data) = (None, None::<String>);
        for line in block.lines() {
            let (name, value) = line.split_once(':').unwrap_or((line, ""));
            let value = value.strip_prefix(' ').unwrap_or(value);
            match name {
                "id" => id = Some(value.to_owned()),
                "data" => match &mut data {
                    Some(text) => {
                        text.push('\n');
                        text.push_str(value);
                    }
                    None => data = Some(value.to_owned()),
                },
                _ => {}
            }
        }
        data.map(|data| Self { id, data })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_has_its_id_and_its_lines_and_a_comment_is_none() {
        let event = Event::read("event: record\nid: 17\ndata: {\"a\":\ndata:1}\n\n").unwrap();
        assert_eq!(event, Event { id: Some("17".to_owned()), data: "{\"a\":\n1}".to_owned() });
        assert_eq!(Event::read(": still here\n\n"), None);
    }
}
