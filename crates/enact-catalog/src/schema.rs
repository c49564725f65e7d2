//! Compiled schemas of one operation: built once, asked for every intent and every output.

use std::sync::{Arc, OnceLock};

use enact_model::descriptor::Operation;
use enact_model::intent::InputFault;
use enact_model::json::Json;
use jsonschema::{PatternOptions, Validator};
use serde_json::Value;

pub mod bundle;
pub mod check;
pub mod cost;
mod message;

/// Most faults reported of one value.
pub const FAULTS_MAX: usize = 20;
/// A value with more parts than this is only told its first fault: collecting them all would cost memory without bound.
const PARTS_MAX: usize = 20_000;
/// Largest compiled pattern, in bytes.
const PATTERN_MAX_BYTES: usize = 1024 * 1024;

/// Formats of OpenAPI that say how a value is stored and assert nothing about a text.
pub const ANNOTATION_FORMATS: [&str; 7] = ["int32", "int64", "float", "double", "byte", "binary", "password"];

/// A schema that does not compile.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("failed to compile the schema at {at:?}: {message}")]
pub struct SchemaError {
    /// A JSON pointer into the schema.
    pub at: String,
    /// What is wrong.
    pub message: String,
}

/// Returns the one set of options that every schema is compiled with: 2020-12 unless `$schema` says otherwise, formats
/// asserted, nothing fetched, patterns in linear time.
fn options() -> jsonschema::ValidationOptions<'static> {
    let mut options = jsonschema::options()
        .offline()
        .should_validate_formats(true)
        .with_pattern_options(PatternOptions::regex().size_limit(PATTERN_MAX_BYTES).dfa_size_limit(PATTERN_MAX_BYTES));
    for format in ANNOTATION_FORMATS {
        options = options.with_format(format, |_| true);
    }
    options
}

/// Compiles a bundled schema.
///
/// # Errors
/// A schema that its draft refuses or that would not end in time, a reference that leads nowhere, a pattern that is not
/// linear.
pub fn compile(schema: &Value) -> Result<Validator, SchemaError> {
    cost::check(schema).map_err(|(at, error)| SchemaError { at, message: error.to_string() })?;
    options()
        .build(schema)
        .map_err(|error| SchemaError { at: error.instance_path().to_string(), message: message::text(&error) })
}

/// An operation with its schemas, compiled when they are first asked.
#[derive(Debug)]
pub struct CompiledOperation {
    operation: Arc<Operation>,
    input: Compiled,
    output: Compiled,
}

impl CompiledOperation {
    /// Takes an operation; nothing is compiled yet.
    pub fn new(operation: Operation) -> Self {
        let (input, output) = (Compiled::of(operation.input.as_ref()), Compiled::of(operation.output.as_ref()));
        Self { operation: Arc::new(operation), input, output }
    }
    /// Returns the operation.
    pub fn operation(&self) -> &Arc<Operation> {
        &self.operation
    }
    /// Checks parameters; each fault has a JSON pointer, or `parameters` for the whole.
    ///
    /// # Limits
    /// At most [`FAULTS_MAX`] faults, none with more than 100 characters of the value.
    pub fn validate_input(&self, input: &Value) -> Vec<InputFault> {
        self.input.validate(input, "parameters")
    }
    /// Checks an output; each fault has a JSON pointer, or `output` for the whole.
    ///
    /// # Limits
    /// As [`CompiledOperation::validate_input`].
    pub fn validate_output(&self, output: &Value) -> Vec<InputFault> {
        self.output.validate(output, "output")
    }
}

/// The proof that somebody has held an output against the schema of an operation, and that it fits.
#[derive(Debug, Clone)]
pub struct Fits(Arc<CompiledOperation>);

impl Fits {
    /// Judges an output.
    pub fn judge(operation: &Arc<CompiledOperation>, output: &Value) -> Option<Self> {
        operation.validate_output(output).is_empty().then(|| Self(Arc::clone(operation)))
    }
    /// Returns whether it was this operation's schema, and not that of another version or of another time.
    pub fn is_of(&self, operation: &Arc<CompiledOperation>) -> bool {
        Arc::ptr_eq(&self.0, operation)
    }
}

#[derive(Debug)]
struct Compiled {
    schema: Option<Json>,
    validator: OnceLock<Result<Validator, SchemaError>>,
}

impl Compiled {
    fn of(schema: Option<&Json>) -> Self {
        Self { schema: schema.cloned(), validator: OnceLock::new() }
    }

    fn validate(&self, value: &Value, whole: &str) -> Vec<InputFault> {
        let Some(schema) = &self.schema else { return Vec::new() };
        match self.validator.get_or_init(|| compile(&schema.to_value())) {
            Err(error) => vec![InputFault::new(whole, error.to_string())],
            Ok(validator) if validator.is_valid(value) => Vec::new(),
            Ok(validator) => faults_of(validator, value, whole),
        }
    }
}

fn faults_of(validator: &Validator, value: &Value, whole: &str) -> Vec<InputFault> {
    let mut left = PARTS_MAX;
    let faults: Vec<InputFault> = if is_small(value, &mut left) {
        validator.iter_errors(value).take(FAULTS_MAX).map(|error| message::fault(&error, whole)).collect()
    } else {
        validator.validate(value).err().iter().map(|error| message::fault(error, whole)).collect()
    };
    if faults.is_empty() { vec![InputFault::new(whole, "it does not match its schema")] } else { faults }
}

fn is_small(value: &Value, left: &mut usize) -> bool {
    let Some(rest) = left.checked_sub(1) else { return false };
    *left = rest;
    match value {
        Value::Array(items) => items.iter().all(|item| is_small(item, left)),
        Value::Object(entries) => entries.values().all(|entry| is_small(entry, left)),
        _ => true,
    }
}

#[cfg(test)]
mod tests;
