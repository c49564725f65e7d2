//! The suite on each shape, a test for each claim.

use enact_host::conformance::{Claim, HostUnderTest, run};

use crate::jars::{Jar, Jars, Shared, skip, without_java};
use crate::shapes::{Bench, Oneshot, Worker};

async fn check(under: impl HostUnderTest, claim: Claim, test: &str) {
    let report = run(&under, claim).await;
    for (check, reason) in &report.skipped {
        skip(&format!("{test}, {check}"), reason);
    }
    println!("{} {claim:?}\n{report}", under.name());
    under.host().shutdown().await;
    assert!(report.unmet.is_empty(), "{} {claim:?}\n{report}", under.name());
}

/// A shape that needs nothing but this machine is never skipped.
fn nothing_lacks(_: &str) -> bool {
    false
}

macro_rules! claims {
    ($module:ident, $shape:expr, unless $without:expr => $($name:ident: $claim:ident),+ $(,)?) => {
        mod $module {
            use super::*;
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                let test = concat!("conformance::", stringify!($module), "::", stringify!($name));
                if $without(test) {
                    return;
                }
                check($shape, Claim::$claim, test).await;
            })+
        }
    };
}

claims! { oneshot, Oneshot(Bench::new()), unless nothing_lacks =>
    h1_success_and_failures_are_told_apart: H1,
    h2_a_deadline_is_kept_whatever_the_program_does: H2,
    h3_a_cancel_is_kept_while_it_runs_and_before: H3,
    h4_a_crash_is_seen_and_the_next_call_succeeds: H4,
    h5_a_sibling_gets_its_own_answer: H5,
    h6_a_flood_costs_no_memory: H6,
    h7_a_broken_answer_is_told_apart: H7,
    h9_a_thousand_calls_leave_nothing_behind: H9,
    l5_malformed_output_is_a_failure: L5,
}

claims! { worker, Worker(Bench::new()), unless nothing_lacks =>
    h1_success_and_failures_are_told_apart: H1,
    h2_a_deadline_is_kept_whatever_the_worker_does: H2,
    h3_a_cancel_is_kept_while_it_runs_and_before: H3,
    h4_a_crash_is_seen_and_the_next_call_succeeds: H4,
    h5_a_sibling_gets_its_own_answer_or_is_lost_with_its_instance: H5,
    h6_a_flood_costs_no_memory: H6,
    h7_a_broken_wire_is_told_apart: H7,
    h8_a_start_that_fails_is_named_and_backed_off: H8,
    h9_a_thousand_calls_leave_nothing_behind: H9,
    l5_malformed_output_is_a_failure: L5,
    c2_a_foreign_id_is_refused_and_reported: C2,
}

claims! { jar, Jar(Jars::new(false)), unless without_java =>
    h1_success_and_failures_are_told_apart: H1,
    h2_a_deadline_is_kept_whatever_the_jar_does: H2,
    h3_a_cancel_is_kept_while_it_runs_and_before: H3,
    h4_a_crash_is_seen_and_the_next_call_succeeds: H4,
    h5_a_sibling_gets_its_own_answer_or_is_lost_with_its_instance: H5,
    h6_a_flood_costs_no_memory: H6,
    h7_a_broken_wire_is_told_apart: H7,
    h8_a_start_that_fails_is_named_and_backed_off: H8,
    h9_a_thousand_calls_leave_nothing_behind: H9,
    l5_malformed_output_is_a_failure: L5,
    c2_a_foreign_id_is_refused_and_reported: C2,
}

claims! { shared_jar, Shared::with_company().await, unless without_java =>
    h1_success_and_failures_are_told_apart: H1,
    h2_a_deadline_is_kept_whatever_the_jar_does: H2,
    h3_a_cancel_is_kept_while_it_runs_and_before: H3,
    h4_a_crash_is_seen_and_the_next_call_succeeds: H4,
    h5_a_sibling_gets_its_own_answer_or_is_lost_with_its_instance: H5,
    h6_a_flood_costs_no_memory: H6,
    h7_a_broken_wire_is_told_apart: H7,
    h8_a_start_that_fails_is_named_and_backed_off: H8,
    h9_a_thousand_calls_leave_nothing_behind: H9,
    l5_malformed_output_is_a_failure: L5,
    c2_a_foreign_id_is_refused_and_reported: C2,
}
