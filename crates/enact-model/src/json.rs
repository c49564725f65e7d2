//! JSON in its one canonical form: sorted keys, no space, numbers exactly as they were sent.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

/// What a text may be at most before it is refused.
#[derive(Debug, Clone, Copy)]
pub struct JsonLimits {
    /// Bytes of text.
    pub bytes: usize,
    /// Nested arrays and objects.
    pub depth: usize,
}

impl Default for JsonLimits {
    fn default() -> Self {
        Self { bytes: crate::limits::PARAMETERS_MAX_BYTES, depth: crate::limits::JSON_MAX_DEPTH }
    }
}

/// Why a text is not acceptable JSON.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("failed to read JSON at byte {offset}: {kind}")]
pub struct JsonError {
    /// What is wrong.
    pub kind: JsonFault,
    /// Where, in bytes from the start.
    pub offset: usize,
}

/// The ways in which a text fails to be acceptable JSON.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JsonFault {
    /// Not the grammar of RFC 8259.
    #[error("{0}")]
    Syntax(&'static str),
    /// `NaN`, `Infinity` or a number beyond what a 64-bit float can hold.
    #[error(
        "a number must be finite and within the range of a 64-bit float, \
             which ends at 1.8e308; send a larger one as a text"
    )]
    NonFinite,
    /// The same key twice in one object.
    #[error("the key {0:?} stands twice in one object")]
    DuplicateKey(String),
    /// More nesting than the limit.
    #[error("it is nested deeper than {0} levels")]
    TooDeep(usize),
    /// More bytes than the limit.
    #[error("it is larger than {0} bytes")]
    TooLarge(usize),
}

/// A JSON value as canonical text; cloning is cheap, equality is equality of the text.
#[derive(Clone)]
pub struct Json {
    text: Arc<RawValue>,
    /// Whether this process has made or judged it; what was read back may come from somebody who has not.
    canonical: bool,
}

impl Json {
    /// Parses a text within the default limits.
    ///
    /// # Errors
    /// Every departure from RFC 8259, a duplicate key, a non-finite number, or a limit passed.
    pub fn parse(text: impl AsRef<[u8]>) -> Result<Self, JsonError> {
        Self::parse_within(text.as_ref(), JsonLimits::default())
    }

    /// Parses a text within the given limits.
    ///
    /// # Errors
    /// As [`Json::parse`].
    pub fn parse_within(text: &[u8], limits: JsonLimits) -> Result<Self, JsonError> {
        if text.len() > limits.bytes {
            return Err(JsonError { kind: JsonFault::TooLarge(limits.bytes), offset: limits.bytes });
        }
        let text = std::str::from_utf8(text)
            .map_err(|e| JsonError { kind: JsonFault::Syntax("it is not UTF-8"), offset: e.valid_up_to() })?;
        let mut reader = Reader { text, at: 0, limits };
        let mut out = String::with_capacity(text.len());
        reader.value(&mut out, 0)?;
        reader.space();
        if reader.at != text.len() {
            return Err(reader.syntax("something follows the value"));
        }
        Ok(Self::trusted(out))
    }

    /// Serialises a value; keys are sorted because the value is brought to canonical form.
    ///
    /// # Panics
    /// Never for the types of this crate: they have string keys and finite numbers.
    pub fn of<T: Serialize + ?Sized>(value: &T) -> Self {
        // Through `Value`, whose maps are sorted.
        let value = serde_json::to_value(value).expect("the words of the model serialise");
        Self::from(&value)
    }

    fn trusted(text: String) -> Self {
        let text = RawValue::from_string(text).expect("the canonical writer writes JSON").into();
        Self { text, canonical: true }
    }

    /// The value `null`.
    pub fn null() -> Self {
        Self::trusted("null".to_owned())
    }

    /// Returns the canonical text.
    pub fn as_str(&self) -> &str {
        self.text.get()
    }

    /// Brings a text that was read back, and that nobody may have judged, to canonical form.
    ///
    /// # Errors
    /// As [`Json::parse`].
    pub fn judged(self) -> Result<Self, JsonError> {
        if self.canonical { Ok(self) } else { Self::parse(self.as_str()) }
    }

    /// Returns the parsed value; its numbers keep every digit, and an exponent gets its sign.
    pub fn to_value(&self) -> serde_json::Value {
        serde_json::from_str(self.as_str()).expect("canonical JSON parses")
    }

    /// Deserialises into a type.
    ///
    /// # Errors
    /// What serde reports.
    pub fn to<T: for<'de> Deserialize<'de>>(&self) -> Result<T, serde_json::Error> {
        serde_json::from_str(self.as_str())
    }
}

impl From<&serde_json::Value> for Json {
    fn from(value: &serde_json::Value) -> Self {
        Self::trusted(value.to_string())
    }
}
impl PartialEq for Json {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}
impl Eq for Json {}
impl fmt::Debug for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
impl fmt::Display for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
impl Serialize for Json {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.text.serialize(serializer)
    }
}
impl<'de> Deserialize<'de> for Json {
    /// Reads what this crate wrote; text from outside goes through [`Json::parse`].
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self { text: Box::<RawValue>::deserialize(deserializer)?.into(), canonical: false })
    }
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    limits: JsonLimits,
}

impl<'a> Reader<'a> {
    fn fail(&self, kind: JsonFault) -> JsonError {
        JsonError { kind, offset: self.at }
    }
    fn syntax(&self, what: &'static str) -> JsonError {
        self.fail(JsonFault::Syntax(what))
    }
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }
    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }
    fn take(&mut self, byte: u8, missing: &'static str) -> Result<(), JsonError> {
        if self.peek() == Some(byte) {
            self.at += 1;
            Ok(())
        } else {
            Err(self.syntax(missing))
        }
    }

    fn value(&mut self, out: &mut String, depth: usize) -> Result<(), JsonError> {
        if depth > self.limits.depth {
            return Err(self.fail(JsonFault::TooDeep(self.limits.depth)));
        }
        self.space();
        match self.peek() {
            Some(b'{') => self.object(out, depth),
            Some(b'[') => self.array(out, depth),
            Some(b'"') => {
                let text = self.string()?;
                write_string(&text, out);
                Ok(())
            }
            Some(b'-' | b'0'..=b'9') => self.number(out),
            Some(b'N' | b'I') => Err(self.fail(JsonFault::NonFinite)),
            Some(_) => {
                let rest = self.text.get(self.at..).unwrap_or("");
                let word = ["null", "true", "false"].into_iter().find(|word| rest.starts_with(word));
                let word = word.ok_or_else(|| self.syntax("a value was expected"))?;
                self.at += word.len();
                out.push_str(word);
                Ok(())
            }
            None => Err(self.syntax("it ends where a value was expected")),
        }
    }

    fn array(&mut self, out: &mut String, depth: usize) -> Result<(), JsonError> {
        self.at += 1;
        out.push('[');
        self.space();
        if self.peek() == Some(b']') {
            self.at += 1;
            out.push(']');
            return Ok(());
        }
        loop {
            self.value(out, depth + 1)?;
            self.space();
            if self.peek() == Some(b',') {
                self.at += 1;
                out.push(',');
            } else {
                self.take(b']', "a comma or ] was expected")?;
                out.push(']');
                return Ok(());
            }
        }
    }

    fn object(&mut self, out: &mut String, depth: usize) -> Result<(), JsonError> {
        self.at += 1;
        out.push('{');
        self.space();
        if self.peek() == Some(b'}') {
            self.at += 1;
            out.push('}');
            return Ok(());
        }
        // Each key with the place of its entry in `out`; most objects come with their keys in order.
        let mut entries: Vec<(Cow<'a, str>, Range<usize>)> = Vec::new();
        let begin = out.len();
        loop {
            self.space();
            if self.peek() != Some(b'"') {
                return Err(self.syntax("a key in double quotes was expected"));
            }
            let key = self.string()?;
            self.space();
            self.take(b':', "a colon was expected")?;
            let entry = out.len();
            write_string(&key, out);
            out.push(':');
            self.value(out, depth + 1)?;
            entries.push((key, entry..out.len()));
            self.space();
            if self.peek() == Some(b',') {
                self.at += 1;
                out.push(',');
            } else {
                self.take(b'}', "a comma or } was expected")?;
                break;
            }
        }
        if !entries.is_sorted_by(|a, b| a.0 < b.0) {
            entries.sort_by(|a, b| a.0.cmp(&b.0));
            if let Some([(key, _), _]) = entries.array_windows().find(|[a, b]| a.0 == b.0) {
                return Err(self.fail(JsonFault::DuplicateKey(key.to_string())));
            }
            let sorted: Vec<&str> = entries.iter().filter_map(|(_, entry)| out.get(entry.clone())).collect();
            let sorted = sorted.join(",");
            out.truncate(begin);
            out.push_str(&sorted);
        }
        out.push('}');
        Ok(())
    }

    fn number(&mut self, out: &mut String) -> Result<(), JsonError> {
        let start = self.at;
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        match self.peek() {
            Some(b'0') => self.at += 1,
            Some(b'1'..=b'9') => self.digits()?,
            Some(b'I') => return Err(self.fail(JsonFault::NonFinite)),
            _ => return Err(self.syntax("a digit was expected")),
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits()?;
        }
        let text = self.text.get(start..self.at).unwrap_or("");
        if !text.parse::<f64>().is_ok_and(f64::is_finite) {
            self.at = start;
            return Err(self.fail(JsonFault::NonFinite));
        }
        out.push_str(text);
        Ok(())
    }

    fn digits(&mut self) -> Result<(), JsonError> {
        let start = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        if self.at == start { Err(self.syntax("a digit was expected")) } else { Ok(()) }
    }

    fn string(&mut self) -> Result<Cow<'a, str>, JsonError> {
        let start = self.at;
        let mut escaped = false;
        self.at += 1;
        loop {
            match self.peek() {
                Some(b'"') => break,
                Some(b'\\') => {
                    escaped = true;
                    self.at += 2;
                }
                Some(0..0x20) => return Err(self.syntax("a control character must be escaped")),
                Some(_) => self.at += 1,
                None => return Err(self.syntax("a string does not end")),
            }
        }
        self.at += 1;
        let quoted: &'a str = self.text.get(start..self.at).ok_or_else(|| self.syntax("a string does not end"))?;
        match quoted.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
            Some(plain) if !escaped => Ok(Cow::Borrowed(plain)),
            _ => serde_json::from_str(quoted)
                .map(Cow::Owned)
                .map_err(|_| JsonError { kind: JsonFault::Syntax("a string has a bad escape"), offset: start }),
        }
    }
}

fn write_string(text: &str, out: &mut String) {
    if text.bytes().all(|b| b >= 0x20 && b != b'"' && b != b'\\') {
        out.push('"');
        out.push_str(text);
        out.push('"');
    } else {
        out.push_str(&serde_json::to_string(text).expect("a string serialises"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(text: &str) -> JsonFault {
        Json::parse(text).unwrap_err().kind
    }

    #[test]
    fn keys_are_sorted_and_numbers_keep_their_text() {
        let json =
            Json::parse(" {\"b\": 1.10, \"a\": [1e2, -0, 12345678901234567890123], \"\\u0061b\": null} ").unwrap();
        assert_eq!(json.as_str(), r#"{"a":[1e2,-0,12345678901234567890123],"ab":null,"b":1.10}"#);
        assert_eq!(Json::parse(json.as_str()).unwrap(), json);
    }

    #[test]
    fn numbers_keep_every_digit_through_a_value() {
        for text in ["12345678901234567890123.10", "1.10", "-0", "-0.000", "18446744073709551616", "1e+2", "1.5e-7"] {
            let json = Json::parse(text).unwrap();
            assert_eq!(Json::from(&json.to_value()).as_str(), text);
            assert_eq!(Json::of(&json).as_str(), text);
            assert_eq!(serde_json::from_value::<Json>(json.to_value()).unwrap(), json);
        }
        assert_eq!(Json::from(&Json::parse("1e2").unwrap().to_value()).as_str(), "1e+2");
    }

    #[test]
    fn what_is_no_json_is_refused_by_name() {
        assert_eq!(fault("NaN"), JsonFault::NonFinite);
        assert_eq!(fault("[-Infinity]"), JsonFault::NonFinite);
        assert_eq!(fault("1e999"), JsonFault::NonFinite);
        assert!(JsonFault::NonFinite.to_string().contains("1.8e308; send a larger one as a text"));
        assert_eq!(fault(r#"{"a":1,"a":2}"#), JsonFault::DuplicateKey("a".into()));
        assert_eq!(fault(&"[".repeat(10_000)), JsonFault::TooDeep(crate::limits::JSON_MAX_DEPTH));
        for text in [
            "",
            "{",
            "[1,]",
            "{a:1}",
            "01",
            "1.",
            "\"\n\"",
            "\"\\x\"",
            "\"\\ud800\"",
            "tru",
            "1 2",
            "\"\\",
            "+1",
            "\"é",
        ] {
            assert!(matches!(fault(text), JsonFault::Syntax(_)), "{text:?}");
        }
    }

    #[test]
    fn a_text_over_its_limit_is_refused_before_it_is_read() {
        let limits = JsonLimits { bytes: 4, depth: 4 };
        assert_eq!(Json::parse_within(b"[1,2]", limits).unwrap_err().kind, JsonFault::TooLarge(4));
    }
}
