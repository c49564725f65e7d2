//! What operations of one component say of each other: compensate, reconcile, intent types handled.

use std::collections::BTreeMap;

use enact_model::id::{IntentType, Name, Selector};

use super::operation::Draft;
use crate::fault::Faults;
use crate::near::did_you_mean;
use crate::yaml::Mark;

/// Checks every relation; `known` are all operations by name, the faulty ones too.
pub fn check(component: Option<&Name>, known: &[(&Name, &Name)], drafts: &[Draft], faults: &mut Faults) {
    let Some(component) = component else { return };
    let selectors: Vec<Selector> = known
        .iter()
        .map(|(service, name)| Selector {
            component: component.clone(),
            service: (*service).clone(),
            operation: (*name).clone(),
        })
        .collect();
    for draft in drafts {
        let own = selector(component, draft);
        for (key, relation) in [("compensate", &draft.compensate), ("reconcile", &draft.reconcile)] {
            if let Some((target, mark)) = relation {
                check_target(key, &own, target, *mark, &selectors, drafts, faults);
            }
        }
    }
    check_handles(component, &selectors, drafts, faults);
}

fn selector(component: &Name, draft: &Draft) -> Selector {
    Selector { component: component.clone(), service: draft.service.clone(), operation: draft.name.clone() }
}

fn check_target(
    key: &str,
    own: &Selector,
    target: &Selector,
    mark: Mark,
    selectors: &[Selector],
    drafts: &[Draft],
    faults: &mut Faults,
) {
    if target.component != own.component {
        return;
    }
    if target == own {
        faults.hint(mark, format!("`{key}` of {own} names itself"), "name another operation");
        return;
    }
    if !selectors.contains(target) {
        let names: Vec<String> = selectors.iter().map(|s| format!("{}.{}", s.service, s.operation)).collect();
        let wanted = format!("{}.{}", target.service, target.operation);
        let hint = did_you_mean(&wanted, names.iter().map(String::as_str))
            .unwrap_or_else(|| format!("the operations of {} are {}", own.component, names.join(", ")));
        faults.hint(mark, format!("`{key}` names {target}, which is not an operation of this component"), hint);
        return;
    }
    let may_run_again = drafts
        .iter()
        .find(|draft| draft.service == target.service && draft.name == target.operation)
        .is_none_or(|draft| draft.body.may_run_again());
    if key == "reconcile" && !may_run_again {
        let hint = "it must be able to run again: say `kind: query` or `idempotent: true` there";
        faults.hint(mark, format!("`reconcile` names {target}, which runs at most once itself"), hint);
    }
}

fn check_handles(component: &Name, selectors: &[Selector], drafts: &[Draft], faults: &mut Faults) {
    let own: BTreeMap<IntentType, &Selector> = selectors.iter().map(|s| (s.intent_type(), s)).collect();
    let mut seen: BTreeMap<&IntentType, Selector> = BTreeMap::new();
    for draft in drafts {
        let handler = selector(component, draft);
        for (intent_type, mark) in &draft.handles {
            if let Some(other) = own.get(intent_type) {
                faults.add(*mark, format!("the intent type `{intent_type}` is the selector of {other} already"));
            } else if let Some(other) = seen.get(intent_type) {
                let message = format!("the intent type `{intent_type}` is handled by {other} and by {handler}");
                faults.hint(*mark, message, "let one of them handle it");
            } else {
                seen.insert(intent_type, handler.clone());
            }
        }
    }
}
