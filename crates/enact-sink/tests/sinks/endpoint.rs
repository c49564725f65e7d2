//! An HTTP server that keeps what it was sent and answers what it is told to, badly too.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

/// A request as it came.
#[derive(Debug, Clone)]
pub struct Received {
    pub path: String,
    pub headers: BTreeMap<String, String>,
    pub body: String,
}

/// How the server answers.
#[derive(Debug, Clone)]
pub enum Behaviour {
    /// With these bytes; the connection stays.
    Says(String),
    /// With this status, and in the body what it was sent.
    Echoes(&'static str),
    /// Not at all.
    Hangs,
    /// With 200 and then a byte of nonsense now and then, without end.
    Drips,
    /// With a head that never ends.
    DripsHead,
}

impl Behaviour {
    pub fn status(status: &str) -> Self {
        Self::Says(format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n"))
    }
}

#[derive(Clone)]
struct Shared {
    received: Arc<Mutex<Vec<Received>>>,
    behaviour: Arc<Mutex<Behaviour>>,
}

/// The server.
pub struct Endpoint {
    pub port: u16,
    shared: Shared,
    task: Option<JoinHandle<()>>,
}

impl Endpoint {
    pub async fn open() -> Self {
        let behaviour = Arc::new(Mutex::new(Behaviour::status("204 No Content")));
        let shared = Shared { received: Arc::default(), behaviour };
        let mut endpoint = Self { port: super::server::free_port(), shared, task: None };
        endpoint.start().await;
        endpoint
    }
    pub async fn start(&mut self) {
        let listener = TcpListener::bind(("127.0.0.1", self.port)).await.unwrap();
        let shared = self.shared.clone();
        self.task = Some(tokio::spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                connections.spawn(serve(stream, shared.clone()));
            }
        }));
    }
    /// Closes the port and every connection.
    pub async fn stop(&mut self) {
        if let Some(task) = self.task.take() {
            task.abort();
            let _ = task.await;
        }
    }
    pub fn behaves(&self, behaviour: Behaviour) {
        *self.shared.behaviour.lock().unwrap() = behaviour;
    }
    pub fn received(&self) -> Vec<Received> {
        self.shared.received.lock().unwrap().clone()
    }
}

async fn serve(stream: TcpStream, shared: Shared) -> Option<()> {
    let mut stream = BufReader::new(stream);
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).await.ok().filter(|read| *read > 0)?;
        let path = line.split(' ').nth(1)?.to_owned();
        let mut headers = BTreeMap::new();
        loop {
            let mut line = String::new();
            stream.read_line(&mut line).await.ok()?;
            let Some((name, value)) = line.trim_end().split_once(": ") else { break };
            headers.insert(name.to_ascii_lowercase(), value.to_owned());
        }
        let mut body = vec![0; headers.get("content-length")?.parse().ok()?];
        stream.read_exact(&mut body).await.ok()?;
        let body = String::from_utf8(body).ok()?;
        assert!(serde_json::from_str::<Value>(&body).is_ok());
        shared.received.lock().unwrap().push(Received { path, headers, body: body.clone() });
        let behaviour = shared.behaviour.lock().unwrap().clone();
        match behaviour {
            Behaviour::Says(answer) => stream.write_all(answer.as_bytes()).await.ok()?,
            Behaviour::Echoes(status) => {
                let length = body.len();
                let answer = format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\n\r\n{body}");
                stream.write_all(answer.as_bytes()).await.ok()?;
            }
            Behaviour::Hangs => std::future::pending().await,
            Behaviour::Drips | Behaviour::DripsHead => {
                let head = matches!(behaviour, Behaviour::DripsHead);
                let begin = if head { "HTTP/1.1 200 OK\r\nx-a: b" } else { "HTTP/1.1 200 OK\r\n\r\n" };
                stream.write_all(begin.as_bytes()).await.ok()?;
                loop {
                    stream.write_all(b"x").await.ok()?;
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
            }
        }
    }
}
