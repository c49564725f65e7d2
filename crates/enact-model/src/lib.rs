//! The words of enact: ids, intents, executions, observations, conclusions, records and the rows they make.

pub mod conclusion;
pub mod context;
pub mod descriptor;
pub mod digest;
pub mod envelope;
pub mod execution;
pub mod exit_status;
pub mod http_status;
pub mod id;
pub mod intent;
pub mod json;
pub mod limits;
pub mod message;
pub mod observation;
pub mod outcome;
pub mod payload;
pub mod record;
pub mod reference;
pub mod table;
pub mod taxonomy;
pub mod time;
