//! The collector of spans: OTLP over HTTP, with the JSON encoding that its specification gives.

use std::fmt;
use std::time::Duration;

use enact_dial::connect::{self, Trust};
use enact_dial::http::{self, USER_AGENT};
use enact_dial::{Endpoint, Invalid, excerpt};
use enact_runtime::sink::BoxFuture;
use enact_runtime::trace::{ExportError, Kind, Span, SpanSink, Value};
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{HeaderName, HeaderValue};
use hyper::{Request, header};
use serde_json::json;

use crate::secret::Secret;
use crate::webhook::beginning;

/// Where spans are posted to, below the address of a collector.
const PATH: &str = "/v1/traces";
/// Longest time for an answer.
const LIMIT: Duration = Duration::from_secs(8);

/// How a collector is set up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OtlpSetup {
    /// Where it is.
    pub endpoint: Endpoint,
    /// Whose certificate it must have.
    pub trust: Trust,
    /// Headers that it wants, by where their values are.
    pub headers: Vec<(String, Secret)>,
    /// What the hub is called there.
    pub service_name: String,
}

impl OtlpSetup {
    /// Reads where a collector is: its address, with `/v1/traces` or without.
    ///
    /// # Errors
    /// What is no address of HTTP, or has credentials in it.
    pub fn endpoint(text: &str) -> Result<Endpoint, Invalid> {
        let mut endpoint = Endpoint::parse(text, http::SCHEMES)?;
        if !endpoint.path.ends_with(PATH) {
            endpoint.path = format!("{}{PATH}", endpoint.path.trim_end_matches('/'));
        }
        Ok(endpoint)
    }

    /// Reads a header: its name, and where its value is.
    ///
    /// # Errors
    /// What is no name of a header, or says no place of a secret.
    pub fn header(text: &str) -> Result<(String, Secret), Invalid> {
        let example = "write NAME=env:VARIABLE or NAME=file:PATH; the value itself does not belong here";
        let (name, secret) = text.split_once('=').ok_or_else(|| Invalid::new("names no value", example))?;
        let name = name.trim().to_ascii_lowercase();
        HeaderName::try_from(&name).map_err(|_| Invalid::new("has no name of a header", example))?;
        Ok((name, secret.trim().parse()?))
    }
}

/// A collector.
pub struct OtlpSink(OtlpSetup);

impl OtlpSink {
    /// Sets one up; nothing is connected yet.
    pub fn new(setup: OtlpSetup) -> Self {
        Self(setup)
    }

    async fn post(&self, spans: &[Span]) -> Result<(), ExportError> {
        let endpoint = &self.0.endpoint;
        let mut request = Request::post(&endpoint.path)
            .header(header::HOST, endpoint.authority())
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::USER_AGENT, USER_AGENT);
        for (name, secret) in &self.0.headers {
            let value = secret.read().map_err(ExportError::Unreachable)?;
            let mut value = HeaderValue::try_from(value)
                .map_err(|_| ExportError::Refused(format!("{secret} holds no value of a header")))?;
            value.set_sensitive(true);
            request = request.header(name, value);
        }
        let body = Full::new(Bytes::from(document(&self.0.service_name, spans).to_string()));
        let request = request.body(body).map_err(|error| ExportError::Refused(error.to_string()))?;
        let asking = tokio::time::timeout(LIMIT, http::ask(endpoint, &self.0.trust, request)).await;
        let silence = |_| Err(format!("{endpoint} gave no answer within {} s", LIMIT.as_secs()));
        let (response, _connection) = asking.unwrap_or_else(silence).map_err(ExportError::Unreachable)?;
        let status = response.status();
        if status.is_success() {
            return Ok(());
        }
        let (said, _) = beginning(response.into_body()).await;
        let said = format!("{endpoint} answered {status}: {}", excerpt(&String::from_utf8_lossy(&said)));
        // These, says the specification, may go better later.
        match status.as_u16() {
            429 | 502 | 503 | 504 => Err(ExportError::Unreachable(said)),
            _ => Err(ExportError::Refused(said)),
        }
    }
}

impl SpanSink for OtlpSink {
    fn export<'a>(&'a self, spans: Vec<Span>) -> BoxFuture<'a, Result<(), ExportError>> {
        Box::pin(async move { self.post(&spans).await })
    }

    fn check<'a>(&'a self) -> BoxFuture<'a, Result<String, String>> {
        Box::pin(async move {
            for (_, secret) in &self.0.headers {
                secret.read()?;
            }
            let (_, address) = connect::connect(&self.0.endpoint, &self.0.trust).await?;
            Ok(format!("OTLP {} at {address}", self.0.endpoint))
        })
    }
}

impl fmt::Debug for OtlpSink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("OtlpSink").field(&self.0).finish()
    }
}

/// Writes spans as an `ExportTraceServiceRequest`.
fn document(service: &str, spans: &[Span]) -> serde_json::Value {
    let release = env!("CARGO_PKG_VERSION");
    let resource = [("service.name", service), ("service.version", release)]
        .map(|(name, text)| attribute(name, &Value::Text(text.to_owned())));
    let spans: Vec<serde_json::Value> = spans.iter().map(span).collect();
    json!({ "resourceSpans": [{
        "resource": { "attributes": resource },
        "scopeSpans": [{ "scope": { "name": "enact", "version": release }, "spans": spans }],
    }] })
}

fn span(span: &Span) -> serde_json::Value {
    let kind = match span.kind {
        Kind::Server => 2,
        Kind::Client => 3,
    };
    let nanos = |ms: u64| (u128::from(ms) * 1_000_000).to_string();
    let attributes: Vec<_> = span.attributes.iter().map(|(name, value)| attribute(name, value)).collect();
    let mut document = json!({
        "traceId": format!("{:032x}", span.trace),
        "spanId": format!("{:016x}", span.id),
        "name": span.name,
        "kind": kind,
        "startTimeUnixNano": nanos(span.began.0),
        "endTimeUnixNano": nanos(span.ended.0),
        "attributes": attributes,
        "flags": 1,
        "status": if span.failed { json!({ "code": 2 }) } else { json!({}) },
    });
    if let (Some(parent), Some(members)) = (span.parent, document.as_object_mut()) {
        members.insert("parentSpanId".to_owned(), format!("{parent:016x}").into());
    }
    document
}

fn attribute(name: &str, value: &Value) -> serde_json::Value {
    let value = match value {
        Value::Text(text) => json!({ "stringValue": text }),
        Value::Number(number) => json!({ "intValue": number.to_string() }),
    };
    json!({ "key": name, "value": value })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_go_below_the_address_of_the_collector_and_a_value_of_a_header_is_only_named() {
        let path = |text: &str| OtlpSetup::endpoint(text).unwrap().path;
        for text in ["http://c:4318", "http://c:4318/", "http://c:4318/v1/traces"] {
            assert_eq!(path(text), "/v1/traces");
        }
        assert_eq!(path("https://c.example/otlp"), "/otlp/v1/traces");
        assert_eq!(
            OtlpSetup::header("Authorization=env:TOKEN").unwrap(),
            ("authorization".into(), Secret::Env("TOKEN".into()))
        );
        for wrong in ["authorization", "authorization=Bearer hunter2", "a b=env:X", "=env:X"] {
            let invalid = OtlpSetup::header(wrong).unwrap_err();
            assert!(!format!("{invalid:?}").contains("hunter2"), "{wrong}");
        }
    }
}
