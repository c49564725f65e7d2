//! Step 8: events in a real Redis Stream, a hub that dies between `XADD` and the mark, and a consumer that is not fooled.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::demo::Told;
use crate::demo::answer::Answer;
use crate::demo::http::{answer, last};
use crate::demo::hub::Hub;
use crate::demo::lines::Lines;
use crate::demo::wire::Wire;
use crate::failure::{Failure, Outcome, Place};
use crate::report::say;
use crate::shell;

/// Orders that are taken while the hub is killed.
const ORDERS: usize = 24;
/// How long a server may take to start, and messages to arrive.
const LIMIT: Duration = Duration::from_secs(30);
const STREAM: &str = "demo:events";

/// A Redis server of the demo's own, and the wire that the hub reaches it by.
pub struct Redis {
    child: Child,
    port: u16,
    /// Between the hub and the server.
    wire: Wire,
}

impl Redis {
    /// Starts one in a folder, which syncs every entry before it answers.
    ///
    /// # Errors
    /// It does not start or does not listen in time.
    pub fn start(folder: &Path) -> Outcome<Self> {
        let port = free_port()?;
        let dir = folder.join("redis");
        std::fs::create_dir(&dir).doing(|| "make a folder for Redis".to_owned())?;
        let line = format!("--port {port} --bind 127.0.0.1 --dir ./redis --appendonly yes --appendfsync always");
        say(format!("\n$ redis-server {line} &"));
        let mut command = Command::new("redis-server");
        command.current_dir(folder).args(line.split(' ')).args(["--save", ""]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn().doing(|| "start redis-server".to_owned())?;
        let wire = Wire::to(port)?;
        let redis = Self { child, port, wire };
        let begin = Instant::now();
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            if begin.elapsed() > LIMIT {
                return Err(Failure::to("hear from redis-server within 30 s"));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(redis)
    }

    /// Returns what the configuration of the hub says of it.
    pub fn configuration(&self) -> String {
        let port = self.wire.port();
        format!("{{ redis: \"redis://127.0.0.1:{port}\", stream: {STREAM} }}")
    }

    fn ask(&self, words: &[&str]) -> Outcome<String> {
        shell::text(Command::new("redis-cli").args(["-p", &self.port.to_string(), "--raw"]).args(words))
    }

    fn length(&self) -> Outcome<usize> {
        Ok(self.ask(&["XLEN", STREAM])?.trim().parse().unwrap_or(0))
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _gone = self.child.wait();
    }
}

/// Reads the stream from where it was, and keeps what it was given before.
#[derive(Default)]
struct Consumer {
    cursor: Option<String>,
    /// Events by the id of their message.
    handled: BTreeMap<String, Answer>,
    entries: usize,
    again: usize,
}

impl Consumer {
    /// Takes what came meanwhile.
    fn read(&mut self, redis: &Redis) -> Outcome<()> {
        let from = self.cursor.as_ref().map_or_else(|| "-".to_owned(), |cursor| format!("({cursor}"));
        let text = redis.ask(&["XRANGE", STREAM, &from, "+"])?;
        // An entry is its id, then name and value of each field, one on each line.
        let mut lines = text.lines().peekable();
        while let Some(entry) = lines.next().filter(|line| !line.is_empty()) {
            self.cursor = Some(entry.to_owned());
            self.entries += 1;
            let mut fields = BTreeMap::new();
            while lines.peek().is_some_and(|line| !is_entry(line)) {
                let (Some(name), Some(value)) = (lines.next(), lines.next()) else { break };
                fields.insert(name, value);
            }
            let (Some(id), Some(event)) = (fields.get("id"), fields.get("event")) else {
                return Err(Failure::to(format!("find id and event in the entry {entry} of {STREAM}")));
            };
            if self.handled.contains_key(*id) {
                self.again += 1;
            } else {
                self.handled.insert((*id).to_owned(), answer(event)?);
            }
        }
        Ok(())
    }

    fn of_type(&self, kind: &str) -> Vec<&Answer> {
        self.handled.values().filter(|event| event.text("/type") == kind).collect()
    }
}

/// Whether a line is the id of an entry, such as `1722-0`.
fn is_entry(line: &str) -> bool {
    let number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    line.split_once('-').is_some_and(|(ms, sequence)| number(ms) && number(sequence))
}

/// Tells it; `analyses` is how many documents were analysed since the hub knows of the stream.
///
/// # Errors
/// A line that cannot be typed at all, or the hub does not start again; the rest goes into the table.
pub fn tell(hub: &mut Hub, lines: &Lines, redis: &Redis, analyses: usize, told: &mut Told) -> Outcome<()> {
    let mut consumer = Consumer::default();
    wait_until(|| {
        consumer.read(redis)?;
        Ok(consumer.of_type("content.analyzed").len() >= analyses && !consumer.of_type("order.packed").is_empty())
    })?;
    say(format!("\n$ redis-cli -p {} XREVRANGE {STREAM} + - COUNT 1", redis.port));
    for line in redis.ask(&["XREVRANGE", STREAM, "+", "-", "COUNT", "1"])?.lines() {
        say(format!("    {}", line.chars().take(112).collect::<String>()));
    }
    let (analyzed, packed) = (consumer.of_type("content.analyzed").len(), consumer.of_type("order.packed").len());
    let seen = format!("{analyzed} content.analyzed, {packed} order.packed");
    told.so("8 the events are in a Redis Stream", seen, analyzed == analyses && packed == 1);

    say("\nfrom now on the answers of Redis are lost on their way: what it has taken, the hub does not learn");
    redis.wire.lose_answers(true);
    let before = redis.length()?;
    let executions = orders(hub, lines)?;
    wait_until(|| Ok(redis.length()? > before))?;
    let taken = redis.length()? - before;
    let pending = pending(hub, lines)?;
    hub.show(&["outbox", "lag"])?;
    hub.kill_9()?;
    say(format!("    (Redis had taken {taken}, the hub still held {pending} to be unsent)"));
    told.so("8 killed between XADD and the mark", format!("{taken} in Redis, not marked"), taken > 0 && pending > 0);
    redis.wire.lose_answers(false);
    hub.serve()?;
    say("\nthe same orders again, under the same keys: what was acknowledged is not done anew");
    let again = orders(hub, lines)?;
    let kept = again.iter().zip(&executions).filter(|(after, before)| after == before && !after.is_empty()).count();
    told.so("8 acknowledged before kill -9", format!("{kept} of {ORDERS} kept their execution"), kept == ORDERS);
    wait_until(|| {
        consumer.read(redis)?;
        let waiting = hub.json(&["outbox", "list", "--state", "pending", "--limit", "1000"])?.list("/items").len();
        Ok(waiting == 0)
    })?;
    consumer.read(redis)?;
    hub.show(&["outbox", "lag"])?;
    let taken_orders = consumer.of_type("order.taken");
    let mut orders: Vec<String> = taken_orders.iter().map(|event| event.text("/data/order")).collect();
    orders.sort();
    let all: Vec<String> = (0..ORDERS).map(|number| format!("order-{number:02}")).collect();
    let seen = format!("{} entries, {} of {ORDERS} orders, none lost", consumer.entries, taken_orders.len());
    told.so("8 the consumer saw every message", seen, all.iter().all(|order| orders.contains(order)));
    told.so(
        "8 what the hub did not know, it sent again",
        format!("{} again, with the id they had", consumer.again),
        consumer.again > 0,
    );
    let once = orders == all && consumer.entries == consumer.handled.len() + consumer.again;
    told.so(
        "8 and by its id it took each of them once",
        format!("{} ids, {} orders", consumer.handled.len(), orders.len()),
        once,
    );
    Ok(())
}

/// Sends every order, shows the first, and returns the executions in the order of the orders.
fn orders(hub: &mut Hub, lines: &Lines) -> Outcome<Vec<String>> {
    let mut executions = Vec::new();
    for number in 0..ORDERS {
        let order = format!("order-{number:02}");
        let text = if number == 0 {
            hub.show_set("order", &order);
            last(hub, &lines.order)?
        } else {
            hub.set("order", &order);
            hub.shell_quietly(&lines.order.join("\n"))?
        };
        executions.push(answer(&text)?.execution_id());
    }
    say(format!("    … and {} more", ORDERS - 1));
    Ok(executions)
}

/// Returns how many messages the hub still has to send.
fn pending(hub: &mut Hub, lines: &Lines) -> Outcome<usize> {
    Ok(answer(&last(hub, &lines.pending)?)?.list("/items").len())
}

fn wait_until(mut fact: impl FnMut() -> Outcome<bool>) -> Outcome<()> {
    let begin = Instant::now();
    while !fact()? && begin.elapsed() < LIMIT {
        std::thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}

/// Returns a port that was free a moment ago.
///
/// # Errors
/// There is no loopback.
pub fn free_port() -> Outcome<u16> {
    let listener = TcpListener::bind("127.0.0.1:0").doing(|| "find a free port".to_owned())?;
    listener.local_addr().doing(|| "find a free port".to_owned()).map(|address| address.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_told_from_a_field() {
        assert!(is_entry("1722334455667-0"));
        assert!(!is_entry("msg-0") && !is_entry("id") && !is_entry("order-07") && !is_entry("1722"));
    }
}
