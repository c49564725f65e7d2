//! Secrets of handlers: resolved at each call, handed to the call alone, and taken out of what comes back as evidence.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io::Read as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use enact_host::contract::{Content, HostObservation, HostSeen, ProducedFile, Secrets};
use enact_model::descriptor::{Component, Operation};
use enact_model::id::SecretName;
use enact_model::json::Json;
use enact_model::observation::{Evidence, Fault, FaultKind};

/// Shortest secret that is looked for in evidence, in bytes: a shorter one stands in too many texts by chance.
const MASKED_MIN_BYTES: usize = 4;
/// Values of one secret that are looked for: the one that was given last, and those that calls may still hold.
const VALUES_MAX: usize = 4;
/// Largest raw output of a handler with secrets that is kept as evidence, in bytes: it is searched in memory.
const SEARCHED_MAX_BYTES: u64 = 16 * 1024 * 1024;

/// Where secrets are. A secret is read at every call, so one that was renewed holds for the next.
pub trait SecretSource: Send + Sync {
    /// Reads a secret. May block.
    ///
    /// # Errors
    /// In words: why it cannot be had, without anything of it.
    fn read(&self, name: &SecretName) -> Result<String, String>;
}

/// Gives secrets to calls, and knows what was given.
#[derive(Clone, Default)]
pub(crate) struct SecretDesk {
    source: Option<Arc<dyn SecretSource>>,
    given: Arc<Mutex<BTreeMap<SecretName, VecDeque<String>>>>,
}

impl SecretDesk {
    pub fn new(source: Option<Arc<dyn SecretSource>>) -> Self {
        Self { source, given: Arc::default() }
    }

    fn given(&self) -> MutexGuard<'_, BTreeMap<SecretName, VecDeque<String>>> {
        self.given.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn read(&self, name: &SecretName) -> Result<String, String> {
        let source = self.source.as_ref().ok_or("this hub has no secrets")?;
        let value = source.read(name)?;
        // Neither the environment nor C strings can carry it.
        if value.contains('\0') { Err("it holds a NUL byte".to_owned()) } else { Ok(value) }
    }

    /// Resolves the secrets of a call.
    pub async fn resolve(&self, component: &Component, operation: &Operation) -> Result<Secrets, Fault> {
        if component.secrets.is_empty() && operation.secrets.is_empty() {
            return Ok(Secrets::default());
        }
        let asked = component.secrets_of(operation);
        let asked: Vec<(String, SecretName)> =
            asked.into_iter().map(|(key, name)| (key.to_owned(), name.clone())).collect();
        let desk = self.clone();
        let reading = tokio::task::spawn_blocking(move || desk.resolve_all(asked));
        reading.await.unwrap_or_else(|error| Err(FaultKind::HostPanicked.fault(error.to_string())))
    }

    fn resolve_all(&self, asked: Vec<(String, SecretName)>) -> Result<Secrets, Fault> {
        let mut found = BTreeMap::new();
        for (key, name) in asked {
            let missing = |why| FaultKind::SecretMissing.fault(format!("the secret {name} cannot be given: {why}"));
            let value = self.read(&name).map_err(missing)?;
            self.note(&name, &value);
            found.insert(key, value);
        }
        Ok(Secrets::new(found))
    }

    fn note(&self, name: &SecretName, value: &str) {
        let mut given = self.given();
        let values = given.entry(name.clone()).or_default();
        if !values.iter().any(|known| known == value) {
            values.push_front(value.to_owned());
            values.truncate(VALUES_MAX);
        }
    }

    /// Tells which of the secrets cannot be had, and why.
    pub async fn missing(&self, names: BTreeSet<SecretName>) -> BTreeMap<SecretName, String> {
        if names.is_empty() {
            return BTreeMap::new();
        }
        let desk = self.clone();
        let look = move || names.into_iter().filter_map(|name| desk.read(&name).err().map(|why| (name, why))).collect();
        tokio::task::spawn_blocking(look).await.unwrap_or_default()
    }

    /// Takes secrets out of the evidence of a fault: a handler may have written them to its log. A reply is the handler's
    /// word, and stays as it is.
    pub async fn mask(&self, seen: &mut HostObservation) {
        if seen.as_fault().is_none() && seen.raw_output.is_none() {
            return;
        }
        let mask = Mask::of(&self.given());
        if mask.0.is_empty() {
            return;
        }
        if let HostSeen::Fault(fault) = &mut seen.seen {
            mask.fault(fault);
        }
        if let Some(file) = seen.raw_output.take() {
            seen.raw_output = tokio::task::spawn_blocking(move || mask.file(file)).await.ok().flatten();
        }
    }
}

/// What is to be found, and what stands in its place; longer ones first, since one may be part of another.
struct Mask(Vec<(String, String)>);

impl Mask {
    fn of(given: &BTreeMap<SecretName, VecDeque<String>>) -> Self {
        let all = given.iter().flat_map(|(name, values)| values.iter().map(move |value| (name, value)));
        let mut pairs: Vec<_> = all
            .filter(|(_, value)| value.len() >= MASKED_MIN_BYTES)
            .map(|(name, value)| (value.clone(), format!("[secret {name}]")))
            .collect();
        pairs.sort_by_key(|(value, _)| std::cmp::Reverse(value.len()));
        Self(pairs)
    }

    fn text(&self, text: &mut String) {
        for (value, shown) in self.0.iter().filter(|(value, _)| text.contains(value.as_str())).collect::<Vec<_>>() {
            *text = text.replace(value.as_str(), shown);
        }
    }

    /// A tail may begin within a secret.
    fn tail(&self, text: &mut String) {
        self.text(text);
        for (value, shown) in &self.0 {
            let ends = value.char_indices().map(|(at, _)| &value[at..]);
            let mut long = ends.take_while(|end| end.len() >= MASKED_MIN_BYTES);
            if let Some(end) = long.find(|end| text.starts_with(end)) {
                text.replace_range(..end.len(), shown);
            }
        }
    }

    fn fault(&self, fault: &mut Fault) {
        self.text(&mut fault.message);
        let Evidence { exception, stack, log_tail, os_error, detail, .. } = &mut fault.evidence;
        [exception, stack, os_error].into_iter().flatten().for_each(|text| self.text(text));
        log_tail.iter_mut().for_each(|text| self.tail(text));
        if let Some(json) = detail {
            let mut value = json.to_value();
            self.value(&mut value);
            *json = Json::from(&value);
        }
    }

    fn value(&self, value: &mut serde_json::Value) {
        match value {
            serde_json::Value::String(text) => self.text(text),
            serde_json::Value::Array(items) => items.iter_mut().for_each(|item| self.value(item)),
            serde_json::Value::Object(members) => {
                let told = std::mem::take(members).into_iter().map(|(mut key, mut value)| {
                    self.text(&mut key);
                    self.value(&mut value);
                    (key, value)
                });
                *members = told.collect();
            }
            _ => {}
        }
    }

    /// Takes secrets out of raw output. What cannot be searched is not kept.
    fn file(&self, file: ProducedFile) -> Option<ProducedFile> {
        if file.size > SEARCHED_MAX_BYTES {
            return None;
        }
        let mut bytes = Vec::new();
        file.content.into_reader().take(SEARCHED_MAX_BYTES + 1).read_to_end(&mut bytes).ok()?;
        for (value, shown) in &self.0 {
            bytes = replaced(&bytes, value.as_bytes(), shown.as_bytes());
        }
        Some(ProducedFile { size: bytes.len() as u64, content: Content::Bytes(bytes), ..file })
    }
}

/// Replaces every occurrence of some bytes.
fn replaced(bytes: &[u8], found: &[u8], shown: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some(at) = rest.windows(found.len()).position(|window| window == found) {
        let (before, after) = rest.split_at(at);
        out.extend_from_slice(before);
        out.extend_from_slice(shown);
        rest = after.get(found.len()..).unwrap_or_default();
    }
    out.extend_from_slice(rest);
    out
}

#[cfg(test)]
mod tests {
    use enact_model::time::Timestamp;

    use super::*;

    async fn masked(fault: Fault) -> Fault {
        let desk = SecretDesk::default();
        desk.note(&"key".parse().unwrap(), "hunter2\nlong");
        desk.note(&"key".parse().unwrap(), "hunter3");
        desk.note(&"pin".parse().unwrap(), "123");
        let mut seen = HostObservation::fault(fault, Timestamp(1), Timestamp(2));
        desk.mask(&mut seen).await;
        seen.as_fault().unwrap().clone()
    }

    #[tokio::test]
    async fn what_was_given_stands_nowhere_in_the_evidence_of_a_fault() {
        let detail = serde_json::json!({ "a": ["hunter2\nlong", 1], "hunter3": "x" });
        let fault = FaultKind::HandlerFailed.fault("it said hunter3").with(|evidence| {
            evidence.log_tail = Some("ter2\nlong at the begin, hunter3 and 123".into());
            evidence.stack = Some("hunter2\nlong".into());
            evidence.detail = Some(Json::from(&detail));
        });
        let fault = masked(fault).await;
        assert_eq!(fault.message, "it said [secret key]");
        let evidence = fault.evidence;
        assert_eq!(evidence.log_tail.unwrap(), "[secret key] at the begin, [secret key] and 123");
        assert_eq!(evidence.stack.unwrap(), "[secret key]");
        assert_eq!(evidence.detail.unwrap().as_str(), r#"{"[secret key]":"x","a":["[secret key]",1]}"#);
    }

    #[test]
    fn former_values_are_known_for_a_while_and_not_for_ever() {
        let desk = SecretDesk::default();
        let name: SecretName = "key".parse().unwrap();
        (0..10).for_each(|n| desk.note(&name, &format!("value-{n}")));
        desk.note(&name, "value-9");
        assert_eq!(desk.given()[&name], ["value-9", "value-8", "value-7", "value-6"]);
    }

    #[test]
    fn bytes_are_replaced_wherever_they_stand() {
        assert_eq!(replaced(b"abXabX", b"ab", b"-"), b"-X-X");
        assert_eq!(replaced(b"a", b"ab", b"-"), b"a");
    }
}
