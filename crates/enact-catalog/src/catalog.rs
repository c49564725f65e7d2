//! The catalog: the component versions and solutions that a hub knows, and which operation an intent type means.

use std::collections::BTreeMap;
use std::sync::Arc;

use enact_model::descriptor::{Component, Solution};
use enact_model::digest::Digest;
use enact_model::id::{IntentType, Name, Selector, SolutionId};
use enact_model::json::Json;
use serde::{Deserialize, Serialize};

use crate::meta::{self, Question};
use crate::near::near;
use crate::schema::CompiledOperation;

mod judge;
#[cfg(test)]
mod tests;

pub use judge::CatalogFault;

/// What a component version may be used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// New executions begin with it; at most one version of a name.
    Active,
    /// It only finishes what began with it.
    Draining,
    /// It is gone.
    Removed,
}

/// One version of a component in the catalog.
#[derive(Debug, Clone)]
pub struct Entry {
    component: Arc<Component>,
    digest: Digest,
    state: State,
    operations: Arc<BTreeMap<Selector, Arc<CompiledOperation>>>,
}

impl Entry {
    fn new(component: Arc<Component>, digest: Digest, state: State) -> Self {
        let operations = component
            .operations()
            .map(|(selector, operation)| (selector, Arc::new(CompiledOperation::new(operation.clone()))))
            .collect();
        Self { component, digest, state, operations: Arc::new(operations) }
    }
    /// Returns the component.
    pub fn component(&self) -> &Arc<Component> {
        &self.component
    }
    /// Returns its digest.
    pub fn digest(&self) -> Digest {
        self.digest
    }
    /// Returns what it may be used for.
    pub fn state(&self) -> State {
        self.state
    }
    /// Returns one of its operations.
    pub fn operation(&self, selector: &Selector) -> Option<&Arc<CompiledOperation>> {
        self.operations.get(selector)
    }
}

/// What an intent type means.
#[derive(Debug, Clone)]
pub struct Resolved {
    /// The component.
    pub component: Arc<Component>,
    /// Its version.
    pub version: String,
    /// Its digest.
    pub digest: Digest,
    /// The operation's address.
    pub selector: Selector,
    /// The operation.
    pub operation: Arc<CompiledOperation>,
}

/// Why an intent type means nothing, or not one thing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ResolveError {
    /// The solution in which it is asked is not bound.
    #[error("failed to resolve the intent type {intent_type}: there is no solution {solution}")]
    UnknownSolution {
        /// The intent type.
        intent_type: IntentType,
        /// The solution.
        solution: SolutionId,
        /// What may have been meant, nearest first.
        near: Vec<String>,
    },
    /// Nobody handles it.
    #[error("failed to resolve the intent type {intent_type}: it is unknown")]
    Unknown {
        /// The intent type.
        intent_type: IntentType,
        /// What may have been meant, nearest first.
        near: Vec<String>,
    },
    /// It is a question of the service `meta`, to the hub or to a component that is there.
    #[error("failed to resolve the intent type {intent_type}: it is answered without an intent")]
    Told {
        /// The intent type.
        intent_type: IntentType,
        /// Who would be asked.
        name: Name,
        /// What.
        question: Question,
    },
    /// Several operations handle it and the solution does not decide.
    #[error("failed to resolve the intent type {intent_type}: {} handle it", list(candidates))]
    Ambiguous {
        /// The intent type.
        intent_type: IntentType,
        /// Who handles it.
        candidates: Vec<Selector>,
    },
    /// It is known, but its component takes no new executions.
    #[error("failed to resolve the intent type {intent_type}: no version of {component} takes new executions")]
    Draining {
        /// The intent type.
        intent_type: IntentType,
        /// The component.
        component: Name,
    },
}

impl ResolveError {
    /// Returns the way out.
    pub fn hint(&self) -> String {
        match self {
            Self::UnknownSolution { near, .. } if near.is_empty() => {
                "bind it with `enact solution bind`, or leave it out; `enact solution list` shows what is bound"
                    .to_owned()
            }
            Self::UnknownSolution { near, .. } => format!("did you mean {}?", near.join(" or ")),
            Self::Unknown { near, .. } if near.is_empty() => "see `enact component list`".to_owned(),
            Self::Unknown { near, .. } => format!("did you mean {}?", near.join(" or ")),
            Self::Told { intent_type, name, question } => {
                let question = question.as_str();
                format!("ask `GET /rest/v1/{name}/{}/{question}` or `enact run {intent_type}`", meta::SERVICE)
            }
            Self::Ambiguous { intent_type, candidates } => {
                let first = candidates.first().map(ToString::to_string).unwrap_or_default();
                format!("use a selector, or a solution that says `intents: {{ {intent_type}: {first} }}`")
            }
            Self::Draining { component, .. } => format!("add a version of {component}"),
        }
    }
}

fn list(selectors: &[Selector]) -> String {
    selectors.iter().map(ToString::to_string).collect::<Vec<_>>().join(" and ")
}

/// The components and solutions of a hub; cloning is cheap, and every change makes a new catalog that shares the rest.
#[derive(Debug, Clone)]
pub struct Catalog(Arc<Inner>);

#[derive(Debug, Clone)]
struct Inner {
    entries: BTreeMap<Name, Vec<Arc<Entry>>>,
    solutions: BTreeMap<SolutionId, Arc<Solution>>,
    /// Who handles what: selectors of active components by themselves, and the types that they handle.
    index: BTreeMap<IntentType, Vec<Selector>>,
    digest: Digest,
}

impl Default for Catalog {
    fn default() -> Self {
        Self::build(BTreeMap::new(), BTreeMap::new())
    }
}

impl Catalog {
    /// Makes a catalog from what is stored. Of several active versions of a name the highest stays active.
    pub fn from_parts(
        components: impl Iterator<Item = (Arc<Component>, Digest, State)>,
        solutions: impl Iterator<Item = Arc<Solution>>,
    ) -> Self {
        let mut entries: BTreeMap<Name, Vec<Arc<Entry>>> = BTreeMap::new();
        for (component, digest, state) in components {
            let name = component.name.clone();
            entries.entry(name).or_default().push(Arc::new(Entry::new(component, digest, state)));
        }
        for versions in entries.values_mut() {
            versions.sort_by_key(|entry| by_version(entry));
            let mut active = versions.iter_mut().rev().filter(|entry| entry.state == State::Active);
            active.next();
            active.for_each(|entry| Arc::make_mut(entry).state = State::Draining);
        }
        Self::build(entries, solutions.map(|solution| (solution.name.clone(), solution)).collect())
    }

    fn build(entries: BTreeMap<Name, Vec<Arc<Entry>>>, solutions: BTreeMap<SolutionId, Arc<Solution>>) -> Self {
        let mut index: BTreeMap<IntentType, Vec<Selector>> = BTreeMap::new();
        let active = entries.values().flatten().filter(|entry| entry.state == State::Active);
        for (selector, operation) in active.flat_map(|entry| entry.component.operations()) {
            for intent_type in operation.handles.iter().cloned().chain([selector.intent_type()]) {
                index.entry(intent_type).or_default().push(selector.clone());
            }
        }
        let rows: Vec<(&str, &str, Digest, State)> = entries
            .values()
            .flatten()
            .filter(|entry| entry.state != State::Removed)
            .map(|entry| (entry.component.name.as_str(), entry.component.version.as_str(), entry.digest, entry.state))
            .collect();
        let bound: Vec<&Solution> = solutions.values().map(AsRef::as_ref).collect();
        let digest = Digest::of(Json::of(&(rows, bound)).as_str().as_bytes());
        Self(Arc::new(Inner { entries, solutions, index, digest }))
    }

    /// Adds a component version as the active one; the one before it drains.
    #[must_use]
    pub fn with_added(&self, component: Arc<Component>, digest: Digest) -> Self {
        let mut entries = self.0.entries.clone();
        let versions = entries.entry(component.name.clone()).or_default();
        for entry in versions.iter_mut().filter(|entry| entry.state == State::Active) {
            Arc::make_mut(entry).state = State::Draining;
        }
        let known = versions.iter_mut().find(|entry| entry.component.version == component.version);
        match known {
            Some(entry) if entry.digest == digest => Arc::make_mut(entry).state = State::Active,
            Some(entry) => *entry = Arc::new(Entry::new(component, digest, State::Active)),
            None => versions.push(Arc::new(Entry::new(component, digest, State::Active))),
        }
        versions.sort_by_key(|entry| by_version(entry));
        Self::build(entries, self.0.solutions.clone())
    }

    /// Sets what a component version may be used for; an unknown one changes nothing.
    #[must_use]
    pub fn with_state(&self, name: &Name, version: &str, state: State) -> Self {
        let mut entries = self.0.entries.clone();
        let versions = entries.get_mut(name).map(Vec::as_mut_slice).unwrap_or_default();
        for entry in versions.iter_mut() {
            if entry.component.version == version {
                Arc::make_mut(entry).state = state;
            } else if state == State::Active && entry.state == State::Active {
                Arc::make_mut(entry).state = State::Draining;
            }
        }
        Self::build(entries, self.0.solutions.clone())
    }

    /// Binds a solution in place of the one of its name.
    #[must_use]
    pub fn with_bound(&self, solution: Arc<Solution>) -> Self {
        let mut solutions = self.0.solutions.clone();
        solutions.insert(solution.name.clone(), solution);
        Self::build(self.0.entries.clone(), solutions)
    }

    /// Returns the digest of everything that can be resolved.
    pub fn digest(&self) -> Digest {
        self.0.digest
    }
    /// Lists every component version, by name and then by version.
    pub fn entries(&self) -> impl Iterator<Item = &Arc<Entry>> {
        self.0.entries.values().flatten()
    }
    /// Returns one component version, draining ones too: executions finish on the version they began with.
    pub fn entry(&self, name: &Name, version: &str) -> Option<&Arc<Entry>> {
        self.0.entries.get(name)?.iter().find(|entry| entry.component.version == version)
    }
    /// Returns the active version of a component.
    pub fn active(&self, name: &Name) -> Option<&Arc<Entry>> {
        self.0.entries.get(name)?.iter().find(|entry| entry.state == State::Active)
    }
    /// Returns an operation of one component version.
    pub fn operation(&self, selector: &Selector, version: &str) -> Option<&Arc<CompiledOperation>> {
        self.entry(&selector.component, version)?.operation(selector)
    }
    /// Lists the solutions.
    pub fn solutions(&self) -> impl Iterator<Item = &Arc<Solution>> {
        self.0.solutions.values()
    }
    /// Returns a solution.
    pub fn solution(&self, name: &SolutionId) -> Option<&Arc<Solution>> {
        self.0.solutions.get(name)
    }
    /// Returns the names near to a solution that is not bound; the default one is always there.
    pub fn missing(&self, solution: &SolutionId) -> Option<Vec<String>> {
        let is_there = *solution == SolutionId::default_solution() || self.0.solutions.contains_key(solution);
        (!is_there).then(|| near(solution.as_str(), self.0.solutions.keys().map(SolutionId::as_str)))
    }
    /// Lists every intent type with who handles it, apart from what solutions bind.
    pub fn intent_types(&self) -> impl Iterator<Item = (&IntentType, &[Selector])> {
        self.0.index.iter().map(|(intent_type, selectors)| (intent_type, selectors.as_slice()))
    }

    /// Tells what an intent type means in a solution: what the solution says, then the operation of that selector,
    /// then the only operation that handles it.
    ///
    /// # Errors
    /// A solution that is not bound; an intent type that nobody handles, with the near ones; one that several handle and the
    /// solution leaves open; one whose component takes no new executions.
    pub fn resolve(&self, intent_type: &IntentType, solution: &SolutionId) -> Result<Resolved, ResolveError> {
        if let Some(near) = self.missing(solution) {
            let (intent_type, solution) = (intent_type.clone(), solution.clone());
            return Err(ResolveError::UnknownSolution { intent_type, solution, near });
        }
        let bound = self.0.solutions.get(solution).and_then(|solution| solution.intents.get(intent_type));
        let selector = match (bound, self.0.index.get(intent_type).map(Vec::as_slice)) {
            (Some(selector), _) => selector,
            (None, Some([selector])) => selector,
            (None, Some(several)) => match several.iter().find(|selector| selector.intent_type() == *intent_type) {
                Some(selector) => selector,
                None => {
                    return Err(ResolveError::Ambiguous {
                        intent_type: intent_type.clone(),
                        candidates: several.to_vec(),
                    });
                }
            },
            (None, None) => return Err(self.unknown(intent_type, solution)),
        };
        let Some(entry) = self.active(&selector.component) else {
            return Err(ResolveError::Draining {
                intent_type: intent_type.clone(),
                component: selector.component.clone(),
            });
        };
        let Some(operation) = entry.operation(selector) else { return Err(self.unknown(intent_type, solution)) };
        Ok(Resolved {
            component: entry.component.clone(),
            version: entry.component.version.clone(),
            digest: entry.digest,
            selector: selector.clone(),
            operation: operation.clone(),
        })
    }

    fn unknown(&self, intent_type: &IntentType, solution: &SolutionId) -> ResolveError {
        if let Some((name, question)) = meta::of_selector(intent_type.as_str())
            && (name.as_str() == meta::HUB || self.active(&name).is_some())
        {
            return ResolveError::Told { intent_type: intent_type.clone(), name, question };
        }
        let draining = self.entries().filter(|entry| entry.state == State::Draining);
        let handles = |(selector, operation): (Selector, &enact_model::descriptor::Operation)| {
            selector.intent_type() == *intent_type || operation.handles.contains(intent_type)
        };
        for entry in draining {
            if self.active(&entry.component.name).is_none() && entry.component.operations().any(handles) {
                let component = entry.component.name.clone();
                return ResolveError::Draining { intent_type: intent_type.clone(), component };
            }
        }
        let bound = self.0.solutions.get(solution).into_iter().flat_map(|solution| solution.intents.keys());
        let told: Vec<String> = match meta::parts(intent_type.as_str()) {
            Some((name, _)) if name.as_str() == meta::HUB || self.active(&name).is_some() => {
                questions(name.as_str()).into()
            }
            Some(_) => self.0.entries.keys().map(Name::as_str).chain([meta::HUB]).flat_map(questions).collect(),
            None => Vec::new(),
        };
        let known = self.0.index.keys().chain(bound).map(IntentType::as_str).chain(told.iter().map(String::as_str));
        ResolveError::Unknown { intent_type: intent_type.clone(), near: near(intent_type.as_str(), known) }
    }
}

/// Lists what may be asked of whom.
fn questions(name: &str) -> [String; 8] {
    Question::ALL.map(|question| format!("{name}.{}.{}", meta::SERVICE, question.as_str()))
}

fn by_version(entry: &Entry) -> Option<semver::Version> {
    semver::Version::parse(&entry.component.version).ok()
}
