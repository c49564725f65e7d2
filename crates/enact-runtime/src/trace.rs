//! Traces: which trace an execution belongs to, by the W3C's trace context, and the spans that its records make. Spans are made
//! of what is durable, so that one of an execution is whole after a restart too.

mod export;
mod span;

use enact_model::execution::Execution;

pub use export::{ExportError, SpanSink, Traces};
pub(crate) use export::{Exporter, Settled};
pub(crate) use span::spans;
pub use span::{Kind, Span, Value};

/// Which trace an execution belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TraceContext {
    trace: u128,
    /// The span that asked for it.
    parent: Option<u64>,
    pub(crate) sampled: bool,
    execution: u128,
}

impl TraceContext {
    /// Returns the trace that the intent brought, else one made of the execution's id. Whoever brought one has decided
    /// whether it is sampled; of the others a share is.
    pub(crate) fn of(execution: &Execution, share: f64) -> Self {
        let id = execution.id.as_u128();
        let brought = execution.intent.metadata.get("traceparent").and_then(|text| parse(text));
        match brought {
            Some((trace, parent, sampled)) => Self { trace, parent: Some(parent), sampled, execution: id },
            None => Self { trace: id, parent: None, sampled: within(id, share), execution: id },
        }
    }
    /// Returns the id of the span of an attempt; 0 is that of the execution.
    fn span(&self, attempt: u32) -> u64 {
        (self.execution as u64 ^ u64::from(attempt).wrapping_mul(0x9e37_79b9_7f4a_7c15)).max(1)
    }
    /// Returns the `traceparent` that the handler of an attempt gets.
    pub(crate) fn traceparent(&self, attempt: u32) -> String {
        let mut text = String::with_capacity(TRACEPARENT_LEN);
        text.push_str("00-");
        hex(&mut text, self.trace, 32);
        text.push('-');
        hex(&mut text, self.span(attempt).into(), 16);
        text.push_str(if self.sampled { "-01" } else { "-00" });
        text
    }
}

/// Length of a `traceparent` in bytes.
const TRACEPARENT_LEN: usize = 55;

/// Appends the lowest digits of a number, without a formatter in between: every attempt has one of these.
fn hex(text: &mut String, number: u128, digits: u32) {
    let digit = |at: u32| char::from_digit((number >> (4 * at)) as u32 & 15, 16).unwrap_or('0');
    text.extend((0..digits).rev().map(digit));
}

/// Reads a `traceparent`: trace, span, and whether it is sampled. One of a later version may have more at its end.
fn parse(text: &str) -> Option<(u128, u64, bool)> {
    let mut parts = text.trim().split('-');
    let mut hex = |length: usize| {
        let part = parts.next().filter(|part| part.len() == length)?;
        let lower = part.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
        lower.then(|| u128::from_str_radix(part, 16).ok()).flatten()
    };
    let (version, trace, span, flags) = (hex(2)?, hex(32)?, hex(16)?, hex(2)?);
    let whole = version != 0 || parts.next().is_none();
    let sound = version != 0xff && trace != 0 && span != 0 && whole;
    sound.then_some((trace, span as u64, flags & 1 == 1))
}

/// Decides by the id of a trace, so that whoever else decides by the same share decides the same each time.
fn within(trace: u128, share: f64) -> bool {
    // Ids of one start count on from each other; their mixture does not.
    let mut mixed = (trace as u64) ^ ((trace >> 64) as u64);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^= mixed >> 31;
    share >= 1.0 || (mixed as f64) < share * 2_f64.powi(64)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    #[test]
    fn a_traceparent_is_read_as_the_specification_has_it() {
        let (trace, span) = (0x0af7_6519_16cd_43dd_8448_eb21_1c80_319c, 0xb7ad_6b71_6920_3331);
        assert_eq!(parse(PARENT), Some((trace, span, true)));
        assert_eq!(parse(&PARENT.replace("-01", "-00")), Some((trace, span, false)));
        assert_eq!(parse(&format!("{}-more", PARENT.replacen("00", "01", 1))), Some((trace, span, true)));
        let zeros = "00-00000000000000000000000000000000-b7ad6b7169203331-01";
        for wrong in
            ["", "x", zeros, &PARENT.to_uppercase(), &PARENT.replacen("00", "ff", 1), &format!("{PARENT}-more")]
        {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_handler_gets_the_trace_in_the_same_form() {
        let context = TraceContext { trace: 0x0af7_6519, parent: None, sampled: true, execution: 1 << 63 };
        let text = context.traceparent(0);
        assert_eq!(text, "00-0000000000000000000000000af76519-8000000000000000-01");
        assert_eq!((text.len(), parse(&text)), (TRACEPARENT_LEN, Some((0x0af7_6519, 1 << 63, true))));
        let (next, other) = (context.traceparent(1), TraceContext { sampled: false, ..context }.traceparent(0));
        assert!(next != text && other.ends_with("-00"), "{next} {other}");
    }

    #[test]
    fn a_share_of_ids_that_follow_each_other_is_sampled() {
        let sampled = (0..10_000_u128).filter(|number| within(1 << 100 | number, 0.1)).count();
        assert!((800..1_200).contains(&sampled), "{sampled}");
        assert!((0..100).all(|number| within(number, 1.0) && !within(number + 1, 0.0)));
    }
}
