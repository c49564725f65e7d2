//! Tests of the catalog: resolution, ambiguity and versions side by side.

use super::*;
use crate::component::files::MemoryFiles;
use crate::component::{component_digest, read_component};
use crate::solution::read_solution;

fn component(name: &str, version: &str, operation: &str, handles: &str) -> Arc<Component> {
    let text = format!(
        "component: {name}\nversion: {version}\nprocess: {{ command: [x] }}\nservices:\n  files:\n    {operation}: {{ kind: query, handles: [{handles}] }}\n"
    );
    Arc::new(read_component(&text, "component.yaml", &MemoryFiles::default()).unwrap())
}

fn solution(name: &str, components: &str, intents: &str) -> Arc<Solution> {
    let text = format!("solution: {name}\ncomponents: {{ {components} }}\nintents: {{ {intents} }}\n");
    Arc::new(read_solution(&text, "solution.yaml").unwrap())
}

fn add(catalog: &Catalog, component: &Arc<Component>) -> Catalog {
    catalog.check_add(component).unwrap_or_else(|faults| panic!("{faults:#?}"));
    catalog.with_added(component.clone(), component_digest(component))
}

fn bind(catalog: &Catalog, solution: &Arc<Solution>) -> Catalog {
    catalog.check_bind(solution).unwrap_or_else(|faults| panic!("{faults:#?}"));
    catalog.with_bound(solution.clone())
}

fn resolve(catalog: &Catalog, intent_type: &str, solution: &str) -> Result<String, ResolveError> {
    let resolved = catalog.resolve(&intent_type.parse().unwrap(), &solution.parse().unwrap())?;
    Ok(format!("{}@{}", resolved.selector, resolved.version))
}

fn refused(result: Result<(), Vec<CatalogFault>>) -> String {
    let faults = result.unwrap_err();
    assert_eq!(faults.len(), 1, "{faults:#?}");
    format!("{} [{}]", faults[0], faults[0].hint())
}

#[test]
fn a_selector_and_a_handled_type_resolve_to_their_operation() {
    let catalog = add(&Catalog::default(), &component("content", "1.0.0", "ingest", "ingest_file"));
    assert_eq!(resolve(&catalog, "content.files.ingest", "default").unwrap(), "content.files.ingest@1.0.0");
    assert_eq!(resolve(&catalog, "ingestFile", "default").unwrap(), "content.files.ingest@1.0.0");
}

#[test]
fn an_unknown_intent_type_lists_at_most_five_near_names() {
    let mut catalog = add(&Catalog::default(), &component("content", "1.0.0", "ingest", "ingest_file"));
    let error = resolve(&catalog, "ingest_fiel", "default").unwrap_err();
    assert_eq!(error.hint(), "did you mean ingest-file?");
    for n in 0..9 {
        catalog = add(&catalog, &component(&format!("quote{n}"), "1.0.0", "total", ""));
    }
    match resolve(&catalog, "quote.files.total", "default").unwrap_err() {
        ResolveError::Unknown { near, .. } => assert_eq!(near.len(), 5),
        other => panic!("{other}"),
    }
}

#[test]
fn a_solution_that_is_not_bound_is_unknown_with_near_names_but_for_the_default_one() {
    let catalog = add(&Catalog::default(), &component("content", "1.0.0", "ingest", ""));
    let catalog = bind(&catalog, &solution("claims", "content: ^1", ""));
    let error = resolve(&catalog, "content.files.ingest", "clams").unwrap_err();
    assert_eq!(error.to_string(), "failed to resolve the intent type content.files.ingest: there is no solution clams");
    assert_eq!(error.hint(), "did you mean claims?");
    assert!(resolve(&catalog, "content.files.ingest", "something-else").unwrap_err().hint().contains("solution list"));
    for known in ["claims", "default"] {
        resolve(&catalog, "content.files.ingest", known).unwrap();
    }
}

#[test]
fn two_handlers_for_one_intent_type_are_refused_and_both_are_named() {
    let catalog = add(&Catalog::default(), &component("content", "1.0.0", "ingest", "ingest_file"));
    let second = component("archive", "1.0.0", "store", "ingest_file");
    let message = refused(catalog.check_add(&second));
    assert!(message.contains("archive.files.store and content.files.ingest handle it"), "{message}");
    assert!(message.contains("intents: { ingest-file: archive.files.store }"), "{message}");
}

#[test]
fn a_solution_bound_before_the_second_handler_resolves_the_ambiguity() {
    let catalog = add(&Catalog::default(), &component("content", "1.0.0", "ingest", "ingest_file"));
    let catalog = bind(&catalog, &solution("claims", "content: ^1", "ingest_file: content.files.ingest"));
    let catalog = add(&catalog, &component("archive", "1.0.0", "store", "ingest_file"));
    assert_eq!(resolve(&catalog, "ingest_file", "claims").unwrap(), "content.files.ingest@1.0.0");
    match resolve(&catalog, "ingest_file", "default").unwrap_err() {
        ResolveError::Ambiguous { candidates, .. } => assert_eq!(candidates.len(), 2),
        other => panic!("{other}"),
    }
    let open = solution("claims", "content: ^1", "");
    assert!(refused(catalog.check_bind(&open)).contains("handle it"), "a rule that is needed cannot be taken away");
    let catalog = bind(&catalog, &solution("claims", "archive: ^1", "ingest_file: archive.files.store"));
    assert_eq!(resolve(&catalog, "ingest_file", "claims").unwrap(), "archive.files.store@1.0.0");
}

#[test]
fn a_solution_given_in_the_same_command_resolves_the_ambiguity() {
    let catalog = add(&Catalog::default(), &component("content", "1.0.0", "ingest", "ingest_file"));
    let second = component("archive", "1.0.0", "store", "ingest_file");
    let chooser = solution("claims", "archive: ^1", "ingest_file: archive.files.store");
    assert!(catalog.check_add(&second).is_err() && catalog.check_bind(&chooser).is_err());
    catalog.check(&[&second], &[&chooser]).unwrap();
    let other = solution("claims", "archive: ^1", "something_else: archive.files.store");
    assert!(catalog.check(&[&second], &[&other]).is_err());
}

#[test]
fn what_is_a_selector_has_no_second_meaning() {
    let catalog = add(&Catalog::default(), &component("content", "1.0.0", "ingest", ""));
    let thief = component("thief", "1.0.0", "take", "content.files.ingest");
    assert!(refused(catalog.check_add(&thief)).contains("thief.files.take handles it too"));
    let catalog = add(&catalog, &component("archive", "1.0.0", "store", ""));
    let twist = solution("twist", "archive: ^1", "content.files.ingest: archive.files.store");
    assert!(refused(catalog.check_bind(&twist)).contains("is a selector"));
}

#[test]
fn a_new_version_is_active_and_the_old_one_drains_and_can_still_be_reached() {
    let (old, new) = (component("content", "1.0.0", "ingest", "a"), component("content", "1.1.0", "ingest", "a"));
    let catalog = add(&add(&Catalog::default(), &old), &new);
    assert_eq!(resolve(&catalog, "a", "default").unwrap(), "content.files.ingest@1.1.0");
    let states: Vec<State> = catalog.entries().map(|entry| entry.state()).collect();
    assert_eq!(states, [State::Draining, State::Active]);
    assert!(catalog.operation(&"content.files.ingest".parse().unwrap(), "1.0.0").is_some());
    let catalog = catalog.with_state(&old.name, "1.1.0", State::Draining);
    assert!(matches!(resolve(&catalog, "a", "default"), Err(ResolveError::Draining { .. })));
    let catalog = catalog.with_state(&old.name, "1.0.0", State::Removed).with_state(&old.name, "1.1.0", State::Removed);
    assert!(matches!(resolve(&catalog, "a", "default"), Err(ResolveError::Unknown { .. })));
}

#[test]
fn one_version_has_one_content() {
    let catalog = add(&Catalog::default(), &component("content", "1.0.0", "ingest", ""));
    assert!(catalog.check_add(&component("content", "1.0.0", "ingest", "")).is_ok(), "the same again changes nothing");
    assert!(refused(catalog.check_add(&component("content", "1.0.0", "other", ""))).contains("[raise the version]"));
}

#[test]
fn a_solution_is_judged_against_what_is_there() {
    let catalog = add(&Catalog::default(), &component("content", "1.0.0", "ingest", ""));
    let check = |components: &str, intents: &str| refused(catalog.check_bind(&solution("s", components, intents)));
    assert!(check("contnet: ^1", "").contains("did you mean content?"));
    assert!(check("content: ^2", "").contains("asks for content ^2, and 1.0.0 is active"));
    assert!(check("content: ^1", "x: content.files.ingst").contains("did you mean content.files.ingest?"));
}

#[test]
fn a_change_that_would_break_a_bound_solution_is_refused() {
    let catalog = add(&Catalog::default(), &component("content", "1.0.0", "ingest", ""));
    let catalog = bind(&catalog, &solution("s", "content: ^1", "x: content.files.ingest"));
    assert!(refused(catalog.check_add(&component("content", "2.0.0", "ingest", ""))).contains("asks for content ^1"));
    assert!(refused(catalog.check_add(&component("content", "1.1.0", "other", ""))).contains("which does not exist"));
    let name: Name = "content".parse().unwrap();
    assert!(refused(catalog.check_state(&name, "1.0.0", State::Draining)).contains("no active component content"));
    let wide = solution("s", "content: '>=1, <3'", "x: content.files.ingest");
    let catalog = bind(&catalog, &wide);
    let catalog = add(&catalog, &component("content", "2.0.0", "ingest", ""));
    assert_eq!(resolve(&catalog, "x", "s").unwrap(), "content.files.ingest@2.0.0");
}

#[test]
fn a_catalog_made_of_its_parts_is_the_same_as_one_that_grew() {
    let (a, b) = (component("content", "1.0.0", "ingest", "x"), component("content", "1.1.0", "ingest", "x"));
    let claims = solution("claims", "content: ^1", "y: content.files.ingest");
    let grown = bind(&add(&add(&Catalog::default(), &a), &b), &claims);
    let parts = grown.entries().map(|entry| (entry.component().clone(), entry.digest(), entry.state()));
    let again = Catalog::from_parts(parts.collect::<Vec<_>>().into_iter(), grown.solutions().cloned());
    assert_eq!(again.digest(), grown.digest());
    assert_eq!(resolve(&again, "y", "claims").unwrap(), "content.files.ingest@1.1.0");
    assert_ne!(grown.digest(), grown.with_state(&a.name, "1.0.0", State::Removed).digest());
    assert_ne!(grown.digest(), Catalog::default().digest());
}

#[test]
fn a_change_shares_the_compiled_operations_of_the_rest() {
    let before = add(&Catalog::default(), &component("content", "1.0.0", "ingest", ""));
    let after = add(&before, &component("archive", "1.0.0", "store", ""));
    let selector: Selector = "content.files.ingest".parse().unwrap();
    let (one, two) = (before.operation(&selector, "1.0.0").unwrap(), after.operation(&selector, "1.0.0").unwrap());
    assert!(Arc::ptr_eq(one, two));
}
