//! What was not done, as `application/problem+json` (RFC 9457): the status follows from the conclusion and from nothing else.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use enact_model::conclusion::{Conclusion, DetailCode};
use enact_model::http_status;
use enact_model::id::{ExecutionId, IntentId};
use enact_model::record::Rejection;
use enact_runtime::api::Refusal;
use serde_json::{Map, Value, json};

/// A refusal on its way to the caller.
#[derive(Debug)]
pub(crate) struct Problem {
    refusal: Box<Refusal>,
    intent: Option<IntentId>,
}

impl Problem {
    pub fn new(code: DetailCode, message: impl Into<String>) -> Self {
        Self::concluded(Conclusion::new(code, message))
    }
    pub fn concluded(conclusion: Conclusion) -> Self {
        let refusal = Refusal { conclusion, faults: Vec::new(), execution: None, retry_after_ms: None };
        Self { refusal: Box::new(refusal), intent: None }
    }
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.refusal.conclusion.hint = Some(hint.into());
        self
    }
    pub fn retry_after_ms(mut self, ms: u64) -> Self {
        self.refusal.retry_after_ms = Some(ms);
        self
    }
    /// An execution that did not come to what was asked.
    pub fn of_execution(conclusion: Conclusion, execution: ExecutionId, intent: IntentId) -> Self {
        let mut problem = Self::concluded(conclusion);
        problem.refusal.execution = Some(execution);
        problem.intent = Some(intent);
        problem
    }
    pub fn of_rejection(rejection: Rejection) -> Self {
        let Rejection { conclusion, faults, intent_id, .. } = rejection;
        let refusal = Refusal { conclusion, faults, execution: None, retry_after_ms: None };
        Self { refusal: Box::new(refusal), intent: Some(intent_id) }
    }
    fn status(&self) -> StatusCode {
        StatusCode::from_u16(http_status::of(&self.refusal.conclusion)).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }
    /// What a handler left as evidence may hold what it was given, so it stays with the execution.
    fn document(&self) -> Value {
        let Refusal { conclusion, faults, execution, retry_after_ms } = &*self.refusal;
        let code = &conclusion.code;
        let mut members = Map::new();
        members.insert("type".to_owned(), json!(format!("urn:enact:problem:{code}")));
        members.insert("title".to_owned(), json!(title(code)));
        members.insert("status".to_owned(), json!(self.status().as_u16()));
        members.insert("detail".to_owned(), json!(conclusion.message));
        members.insert("code".to_owned(), json!(code));
        members.insert("disposition".to_owned(), json!(code.disposition));
        members.insert("responsibility".to_owned(), json!(code.responsibility));
        let mut put = |name: &str, value: Option<Value>| value.map(|value| members.insert(name.to_owned(), value));
        put("kind", conclusion.kind.map(|kind| json!(kind)));
        put("hint", conclusion.hint.as_ref().map(|hint| json!(hint)));
        put("may_have_run", conclusion.may_have_run.then_some(json!(true)));
        put("faults", (!faults.is_empty()).then(|| json!(faults)));
        put("execution_id", execution.map(|id| json!(id)));
        put("intent_id", self.intent.map(|id| json!(id)));
        put("instance", execution.map(|id| json!(format!("/v1/executions/{id}"))));
        put("retry_after_ms", retry_after_ms.map(|ms| json!(ms)));
        Value::Object(members)
    }
}

/// Says in two words what it is about, such as `reference not-found`.
fn title(code: &DetailCode) -> String {
    let word = |value: Value| value.as_str().unwrap_or_default().replace('_', "-");
    format!("{} {}", word(json!(code.category)), word(json!(code.symptom)))
}

impl From<Box<Refusal>> for Problem {
    fn from(refusal: Box<Refusal>) -> Self {
        Self { refusal, intent: None }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = self.status();
        let mut response = (status, self.document().to_string()).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        let busy = matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE);
        if let Some(ms) = self.refusal.retry_after_ms.or(busy.then_some(1_000)) {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(ms.div_ceil(1_000).max(1)));
        }
        response
    }
}
