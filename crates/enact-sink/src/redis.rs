//! The Redis sink: each message is an entry of a stream, with its id as a field.

mod answer;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use enact_dial::Endpoint;
use enact_dial::connect::Trust;
use enact_model::message::{Message, MessageRow};
use enact_runtime::sink::{BoxFuture, DeliveryResult, Pace, Sink};
use redis::aio::MultiplexedConnection;
use redis::{
    AsyncConnectionConfig, Client, Cmd, ConnectionAddr, IntoConnectionInfo as _, RedisConnectionInfo, TlsCertificates,
    Value,
};
use tokio::sync::Mutex;

use crate::Invalid;
use crate::secret::Secret;
use crate::template::Template;

/// Longest time for a connection, and for an answer.
const LIMIT: Duration = Duration::from_secs(10);
/// The first release whose streams know a message that comes again.
const IDEMPOTENT_SINCE: (u32, u32) = (8, 6);
/// Under which name its streams know this producer.
const PRODUCER: &str = "enact";

/// How a Redis sink is set up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RedisSetup {
    /// Where the server is.
    pub endpoint: Endpoint,
    /// Who asks; the server's default user without it.
    pub username: Option<String>,
    /// The password.
    pub password: Option<Secret>,
    /// Whose certificates the server may show.
    pub trust: Trust,
    /// The key of the stream.
    pub stream: Template,
    /// About how many entries the stream keeps; all of them without it.
    pub max_length: Option<u64>,
}

impl RedisSetup {
    /// The stream that is written to if nobody says anything.
    pub const STREAM: &str = "enact:events";

    /// Reads where a server is; its path is the number of a database.
    ///
    /// # Errors
    /// What is no address of a Redis server, or has credentials in it.
    pub fn endpoint(text: &str) -> Result<Endpoint, Invalid> {
        let endpoint = Endpoint::parse(text, &[("redis", 6379, false), ("rediss", 6379, true)])?;
        database(&endpoint).map(|_| endpoint)
    }
}

fn database(endpoint: &Endpoint) -> Result<i64, Invalid> {
    match endpoint.path.trim_matches('/') {
        "" => Ok(0),
        path => path
            .parse::<u16>()
            .map(i64::from)
            .map_err(|_| Invalid::new("has a path that is no number of a database", "write redis://host:6379/0")),
    }
}

/// A connection, and what the server behind it can do.
#[derive(Clone)]
struct Link {
    connection: MultiplexedConnection,
    idempotent: bool,
    release: String,
}

/// A stream of a Redis server.
pub struct RedisSink {
    setup: RedisSetup,
    link: Mutex<Option<Link>>,
}

impl RedisSink {
    /// Sets one up; nothing is connected yet.
    pub fn new(setup: RedisSetup) -> Self {
        Self { setup, link: Mutex::default() }
    }

    async fn connect(&self) -> Result<Link, String> {
        let RedisSetup { endpoint, username, password, trust, .. } = &self.setup;
        let mut who = RedisConnectionInfo::default().set_db(database(endpoint).map_err(|invalid| invalid.reason)?);
        if let Some(name) = username {
            who = who.set_username(name);
        }
        if let Some(password) = password {
            who = who.set_password(password.read()?);
        }
        let address = match endpoint.tls {
            false => ConnectionAddr::Tcp(endpoint.host.clone(), endpoint.port),
            true => ConnectionAddr::TcpTls {
                host: endpoint.host.clone(),
                port: endpoint.port,
                insecure: false,
                tls_params: None,
            },
        };
        enact_dial::connect::settle_on_ring();
        let failed = |error: redis::RedisError| answer::unreachable(endpoint, &error);
        let info = address.into_connection_info().map_err(failed)?.set_redis_settings(who);
        let config = AsyncConnectionConfig::new().set_connection_timeout(Some(LIMIT)).set_response_timeout(Some(LIMIT));
        // Read at each connection, so that an authority that was renewed holds for the next.
        let client = match trust.pem()?.filter(|_| endpoint.tls) {
            None => Client::open(info),
            root_cert => Client::build_with_tls(info, TlsCertificates { client_tls: None, root_cert }),
        };
        let client = client.map_err(failed)?;
        let mut connection = client.get_multiplexed_async_connection_with_config(&config).await.map_err(failed)?;
        let said: String = redis::cmd("INFO").arg("server").query_async(&mut connection).await.map_err(failed)?;
        let release = said.lines().find_map(|line| line.strip_prefix("redis_version:")).unwrap_or("unknown").to_owned();
        Ok(Link { connection, idempotent: release_of(&release) >= IDEMPOTENT_SINCE, release })
    }

    async fn link(&self) -> Result<Link, String> {
        let mut held = self.link.lock().await;
        match &*held {
            Some(link) => Ok(link.clone()),
            None => Ok(held.insert(self.connect().await?).clone()),
        }
    }

    async fn add(&self, messages: &[Arc<MessageRow>]) -> Result<Vec<DeliveryResult>, String> {
        let mut link = self.link().await?;
        let mut pipe = redis::pipe();
        for row in messages {
            pipe.add_command(entry(&self.setup, &row.message, link.idempotent));
        }
        let answers: Result<Vec<Value>, _> = pipe.ignore_errors().query_async(&mut link.connection).await;
        let results = answers.map(|answers| answers.into_iter().map(answer::judge).collect::<Vec<_>>());
        let lost = match &results {
            Ok(results) => results.iter().any(|(_, reconnect)| *reconnect),
            Err(_) => true,
        };
        if lost {
            *self.link.lock().await = None;
        }
        match results {
            Ok(results) => Ok(results.into_iter().map(|(result, _)| result).collect()),
            Err(error) => Err(answer::unreachable(&self.setup.endpoint, &error)),
        }
    }

    async fn look(&self) -> Result<String, String> {
        let mut link = self.connect().await?;
        let RedisSetup { endpoint, stream, .. } = &self.setup;
        let key = stream.sample();
        let failed = |error: redis::RedisError| answer::unreachable(endpoint, &error);
        let role: Vec<Value> = redis::cmd("ROLE").query_async(&mut link.connection).await.unwrap_or_default();
        if matches!(role.first(), Some(Value::BulkString(word)) if word == b"slave") {
            return Err(format!("{endpoint} is a replica, which takes nothing; name its primary"));
        }
        let kind: String = redis::cmd("TYPE").arg(&key).query_async(&mut link.connection).await.map_err(failed)?;
        match kind.as_str() {
            "stream" | "none" => {
                let how =
                    if link.idempotent { "entries are idempotent" } else { "readers drop what they know by its id" };
                Ok(format!("{endpoint}, release {}, stream {key}; {how}", link.release))
            }
            other => Err(format!("the key {key} of {endpoint} holds a {other}; name another stream, or remove it")),
        }
    }
}

/// Reads a release such as `7.0.15`.
fn release_of(text: &str) -> (u32, u32) {
    let mut parts = text.split('.').map(|part| part.parse().unwrap_or(0));
    (parts.next().unwrap_or(0), parts.next().unwrap_or(0))
}

/// Returns the command that adds a message.
fn entry(setup: &RedisSetup, message: &Message, idempotent: bool) -> Cmd {
    let id = message.id.to_string();
    let mut command = redis::cmd("XADD");
    command.arg(setup.stream.fill(message));
    if idempotent {
        command.arg("IDMP").arg(PRODUCER).arg(&id);
    }
    if let Some(length) = setup.max_length {
        command.arg("MAXLEN").arg("~").arg(length);
    }
    command.arg("*").arg("id").arg(&id).arg("type").arg(&message.event_type);
    if let Some(key) = &message.key {
        command.arg("key").arg(key);
    }
    command.arg("event").arg(message.cloud_event().as_str());
    command
}

impl Sink for RedisSink {
    /// One round trip for as many entries as there are.
    fn pace(&self) -> Pace {
        Pace { batch: 256, at_once: 2 }
    }

    fn deliver<'a>(&'a self, messages: Vec<Arc<MessageRow>>) -> BoxFuture<'a, Vec<DeliveryResult>> {
        Box::pin(async move {
            self.add(&messages)
                .await
                .unwrap_or_else(|reason| vec![DeliveryResult::Failed { reason, retry_after: None }; messages.len()])
        })
    }

    fn check<'a>(&'a self) -> BoxFuture<'a, Result<String, String>> {
        Box::pin(self.look())
    }
}

impl fmt::Debug for RedisSink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisSink").field("setup", &self.setup).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_knows_repetitions_is_told_the_id() {
        assert!(
            [("8.6.0", true), ("10.0.1", true), ("8.4.2", false), ("7.0.15", false), ("unknown", false)]
                .into_iter()
                .all(|(text, known)| (release_of(text) >= IDEMPOTENT_SINCE) == known)
        );
    }

    #[test]
    fn the_path_is_the_number_of_a_database() {
        assert_eq!(database(&RedisSetup::endpoint("redis://localhost/3").unwrap()), Ok(3));
        assert_eq!(database(&RedisSetup::endpoint("rediss://localhost").unwrap()), Ok(0));
        assert!(RedisSetup::endpoint("redis://localhost/orders").unwrap_err().reason.contains("database"));
        assert!(RedisSetup::endpoint("redis://:word@localhost").unwrap_err().reason.contains("credentials"));
    }
}
