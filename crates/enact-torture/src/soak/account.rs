//! What must agree at the end: acknowledged intents, their outcomes, the ledger of what ran, the events in each sink. Pure.

use std::collections::{BTreeMap, BTreeSet};

use super::kind::Kind;

/// Faults that are told one by one; beyond them only their number is.
const TOLD_MAX: usize = 20;

/// How an acknowledged intent was seen to end.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) execution: String,
    pub(crate) kind: Kind,
    pub(crate) tenant: &'static str,
    pub(crate) session: String,
    pub(crate) end: End,
}

/// An outcome, as far as it must agree with something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum End {
    /// Nobody has seen one.
    None,
    Completed,
    /// It failed or was cancelled.
    Other {
        /// `failed`, `cancelled`.
        word: String,
        may_have_run: bool,
        /// A hub died between the fork and the line that names the process: an instance that nobody can name.
        nameless: bool,
    },
}

/// One line of the ledger: a handler that ran.
#[derive(Debug, Clone)]
pub(crate) struct Run {
    pub(crate) execution: String,
    pub(crate) token: String,
}

/// One event as a sink has it.
#[derive(Debug, Clone)]
pub(crate) struct Event {
    pub(crate) id: String,
    pub(crate) execution: String,
    pub(crate) tenant: String,
    pub(crate) key: String,
    /// RFC 3339 with milliseconds, which sorts as text.
    pub(crate) time: String,
    /// What the counter of the session was set to, if that is what it tells.
    pub(crate) count: Option<u64>,
}

/// Returns the lines of the ledger.
pub(crate) fn runs(text: &str) -> Result<Vec<Run>, String> {
    let line = |line: &str| match line.split(' ').collect::<Vec<_>>().as_slice() {
        [execution, _attempt, token] => Ok(Run { execution: (*execution).to_owned(), token: (*token).to_owned() }),
        _ => Err(format!("the ledger has half a line: {line:?}")),
    };
    text.lines().map(line).collect()
}

/// Holds outcomes against the ledger and against the sinks; returns what does not agree.
pub(crate) fn faults(seen: &[Seen], runs: &[Run], sinks: &[(&str, Vec<Event>)]) -> Vec<String> {
    let mut faults = Vec::new();
    let known: BTreeMap<&str, &Seen> = seen.iter().map(|one| (one.execution.as_str(), one)).collect();
    if known.len() != seen.len() {
        faults.push(format!("{} intents have {} executions", seen.len(), known.len()));
    }
    let mut ran: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for run in runs {
        ran.entry(&run.execution).or_default().push(&run.token);
        if !known.contains_key(run.execution.as_str()) {
            faults.push(format!("{} ran, and nobody asked for it", run.execution));
        }
    }
    for one in seen {
        faults.extend(of_one(one, ran.get(one.execution.as_str()).map_or(&[], Vec::as_slice)));
    }
    for (sink, events) in sinks {
        faults.extend(told(sink, events, &known));
        faults.extend(order(sink, events));
    }
    let more = faults.len().saturating_sub(TOLD_MAX);
    faults.truncate(TOLD_MAX);
    if more > 0 {
        faults.push(format!("… and {more} more"));
    }
    faults
}

fn of_one(one: &Seen, tokens: &[&str]) -> Option<String> {
    let Seen { execution, kind, end, .. } = one;
    let name = format!("{execution} ({})", kind.intent_type());
    if *end == End::None {
        return Some(format!("{name} was acknowledged and has no outcome"));
    }
    if kind.once() && tokens.len() > 1 {
        return Some(format!("{name} may run once and ran {} times", tokens.len()));
    }
    if tokens.iter().any(|token| token != execution) {
        return Some(format!("{name} ran with other tokens: {tokens:?}"));
    }
    match end {
        End::Completed if kind.always_fails() => Some(format!("{name} completed and must fail")),
        End::Completed if kind.in_ledger() && tokens.is_empty() => Some(format!("{name} is completed and never ran")),
        End::Other { word, may_have_run: false, .. } if kind.in_ledger() && !tokens.is_empty() => {
            Some(format!("{name} ran, and its outcome ({word}) says that it did not"))
        }
        End::Other { word, nameless: false, .. } if kind.must_complete() => {
            Some(format!("{name} may run again and is {word}"))
        }
        _ => None,
    }
}

/// Every promised event is there, under one id, and none that was not promised.
fn told(sink: &str, events: &[Event], known: &BTreeMap<&str, &Seen>) -> Vec<String> {
    let mut faults = Vec::new();
    let mut ids: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for event in events {
        ids.entry(&event.execution).or_default().insert(&event.id);
    }
    for execution in ids.keys().filter(|execution| !known.contains_key(**execution)) {
        faults.push(format!("{sink} has an event of {execution}, which nobody asked for"));
    }
    for one in known.values() {
        let promised = usize::from(one.end == End::Completed && one.kind.emits());
        let found = ids.get(one.execution.as_str()).map_or(0, BTreeSet::len);
        if found != promised {
            let Seen { execution, kind, end, .. } = one;
            faults.push(format!("{sink} has {found} events of {execution} ({}, {end:?})", kind.intent_type()));
        }
    }
    faults
}

/// The messages of a key come in their order, and a counter misses no number.
fn order(sink: &str, events: &[Event]) -> Vec<String> {
    let mut faults = Vec::new();
    let mut before: BTreeMap<(&str, &str), &Event> = BTreeMap::new();
    let mut had: BTreeSet<&str> = BTreeSet::new();
    for event in events.iter().filter(|event| had.insert(&event.id)) {
        let last = before.insert((&event.tenant, &event.key), event);
        let (id, key) = (&event.id, &event.key);
        if last.is_some_and(|last| last.time > event.time) {
            faults.push(format!("{sink} has {id} of the key {key} after a later one"));
        }
        if let Some(count) = event.count
            && count != last.and_then(|last| last.count).unwrap_or(0) + 1
        {
            let last = last.and_then(|last| last.count);
            faults.push(format!("{sink} has the count {count} of {key} after {last:?} ({id})"));
        }
    }
    faults
}

/// Holds the counters of sessions against the executions that counted; `held` is by tenant and session.
pub(crate) fn counters(seen: &[Seen], held: &BTreeMap<(&'static str, String), u64>) -> Vec<String> {
    let mut counted: BTreeMap<(&'static str, String), u64> = BTreeMap::new();
    for one in seen.iter().filter(|one| one.kind == Kind::Count && one.end == End::Completed) {
        *counted.entry((one.tenant, one.session.clone())).or_default() += 1;
    }
    let differs = counted.iter().filter(|(session, count)| held.get(*session).copied().unwrap_or(0) != **count);
    differs
        .map(|((tenant, session), count)| {
            let held = held.get(&(*tenant, session.clone()));
            format!("the session {session} of {tenant} counts {held:?} and {count} executions counted in it")
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(execution: &str, kind: Kind, end: End) -> Seen {
        Seen { execution: execution.to_owned(), kind, tenant: "acme", session: "s".to_owned(), end }
    }
    fn failed(may_have_run: bool) -> End {
        End::Other { word: "failed".to_owned(), may_have_run, nameless: false }
    }
    fn run(execution: &str) -> Run {
        Run { execution: execution.to_owned(), token: execution.to_owned() }
    }
    fn event(id: &str, execution: &str, time: &str, count: Option<u64>) -> Event {
        let text = str::to_owned;
        Event {
            id: text(id),
            execution: text(execution),
            tenant: text("acme"),
            key: text("k"),
            time: text(time),
            count,
        }
    }
    #[track_caller]
    fn one_fault(seen: &[Seen], runs: &[Run], events: Vec<Event>, part: &str) {
        let faults = faults(seen, runs, &[("redis", events)]);
        assert!(matches!(faults.as_slice(), [fault] if fault.contains(part)), "{faults:?}");
    }

    #[test]
    fn what_agrees_has_no_fault_and_an_event_that_came_twice_is_none() {
        let seen = [seen("a", Kind::Once, End::Completed), seen("b", Kind::Once, failed(true)), {
            seen("c", Kind::Fails, failed(false))
        }];
        let events = vec![event("1", "a", "t1", None), event("1", "a", "t1", None)];
        assert_eq!(faults(&seen, &[run("a"), run("b")], &[("redis", events)]), Vec::<String>::new());
    }

    #[test]
    fn a_lost_outcome_is_a_fault() {
        one_fault(&[seen("a", Kind::Once, End::None)], &[], vec![], "no outcome");
    }

    #[test]
    fn what_may_run_once_and_ran_twice_is_a_fault() {
        let events = vec![event("1", "a", "t1", None)];
        one_fault(&[seen("a", Kind::Once, End::Completed)], &[run("a"), run("a")], events.clone(), "2 times");
        let again = [seen("a", Kind::Again, End::Completed)];
        assert!(faults(&again, &[run("a"), run("a")], &[("redis", events)]).is_empty());
    }

    #[test]
    fn a_run_that_the_outcome_does_not_know_is_a_fault() {
        one_fault(&[seen("a", Kind::Once, failed(false))], &[run("a")], vec![], "says that it did not");
        one_fault(&[], &[run("a")], vec![], "nobody asked");
        let events = vec![event("1", "a", "t1", None)];
        one_fault(&[seen("a", Kind::Once, End::Completed)], &[], events, "never ran");
    }

    #[test]
    fn what_may_run_again_must_complete_and_what_must_fail_must_not() {
        one_fault(&[seen("a", Kind::Again, failed(true))], &[run("a")], vec![], "may run again");
        let (fails, events) = ([seen("a", Kind::Fails, End::Completed)], vec![event("1", "a", "t1", None)]);
        assert!(faults(&fails, &[], &[("redis", events)]).iter().any(|fault| fault.contains("must fail")));
    }

    #[test]
    fn an_event_that_is_missing_doubled_or_not_promised_is_a_fault() {
        let completed = [seen("a", Kind::Once, End::Completed)];
        one_fault(&completed, &[run("a")], vec![], "0 events");
        let two = vec![event("1", "a", "t1", None), event("2", "a", "t1", None)];
        one_fault(&completed, &[run("a")], two, "2 events");
        let of_failed = vec![event("1", "a", "t1", None)];
        one_fault(&[seen("a", Kind::Once, failed(true))], &[run("a")], of_failed, "1 events");
        one_fault(&[], &[], vec![event("1", "a", "t1", None)], "nobody asked");
    }

    #[test]
    fn events_of_a_key_in_another_order_and_a_count_that_is_left_out_are_faults() {
        let both = [seen("a", Kind::Once, End::Completed), seen("b", Kind::Once, End::Completed)];
        let turned = vec![event("1", "a", "t2", None), event("2", "b", "t1", None)];
        one_fault(&both, &[run("a"), run("b")], turned, "after a later one");
        let counts = [seen("a", Kind::Count, End::Completed), seen("b", Kind::Count, End::Completed)];
        let gap = vec![event("1", "a", "t1", Some(1)), event("2", "b", "t2", Some(3))];
        one_fault(&counts, &[], gap, "the count 3");
    }

    #[test]
    fn a_counter_that_lost_or_doubled_a_count_is_a_fault() {
        let seen = [seen("a", Kind::Count, End::Completed), seen("b", Kind::Count, End::Completed)];
        let held = |count| BTreeMap::from([(("acme", "s".to_owned()), count)]);
        assert!(counters(&seen, &held(2)).is_empty());
        assert_eq!(counters(&seen, &held(1)).len(), 1);
        assert_eq!(counters(&seen, &held(3)).len(), 1);
        assert_eq!(counters(&seen, &BTreeMap::new()).len(), 1);
    }

    #[test]
    fn half_a_line_of_the_ledger_is_a_fault() {
        assert_eq!(runs("exe_1 1 exe_1\n").map(|runs| runs.len()), Ok(1));
        assert!(runs("exe_1 1\n").is_err());
    }
}
