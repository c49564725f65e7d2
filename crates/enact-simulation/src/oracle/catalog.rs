//! The naive catalog: which version is active, what an intent type means, and what stands against a change.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use enact_model::descriptor::{Component, Solution};
use enact_model::digest::Digest;
use enact_model::id::{IntentType, SolutionId};
use enact_model::record::Body;

use crate::cast::{PARTS, Part};

/// What is known of a component version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    pub digest: Digest,
    pub removed: bool,
}

/// Component versions and solutions.
#[derive(Debug, Clone, Default)]
pub struct Catalog {
    pub versions: BTreeMap<(String, String), Version>,
    /// The version of each component that takes new executions.
    pub active: BTreeMap<String, String>,
    pub solutions: BTreeMap<SolutionId, Arc<Solution>>,
}

impl Catalog {
    /// Tells what an intent type means: the operation and the version that it runs on.
    pub fn resolve(&self, intent_type: &IntentType, solution: &SolutionId) -> Option<(&'static Part, String)> {
        if solution.as_str() != "default" && !self.solutions.contains_key(solution) {
            return None;
        }
        let bound = self.solutions.get(solution).and_then(|solution| solution.intents.get(intent_type));
        let name = bound.map_or_else(|| intent_type.to_string(), ToString::to_string);
        let part = Part::of(&name).or_else(|| {
            let mut handlers = PARTS
                .iter()
                .filter(|part| part.handles == Some(name.as_str()) && self.active.contains_key(part.component()));
            handlers.next().filter(|_| handlers.next().is_none())
        })?;
        self.active.get(part.component()).map(|version| (part, version.clone()))
    }

    /// Lists what is wrong with the catalog.
    fn faults(&self) -> BTreeSet<String> {
        let mut faults = BTreeSet::new();
        for solution in self.solutions.values() {
            for component in solution.components.keys() {
                if !self.active.contains_key(component.as_str()) {
                    faults.insert(format!("{} lacks {component}", solution.name));
                }
            }
        }
        let both = ["desk", "rival"].iter().all(|name| self.active.contains_key(*name));
        let decides = |solution: &Arc<Solution>| solution.intents.keys().any(|known| known.as_str() == "find-thing");
        if both && !self.solutions.values().any(decides) {
            faults.insert("two handle find-thing".to_owned());
        }
        faults
    }

    fn grows_worse(&self, change: impl FnOnce(&mut Self)) -> bool {
        let mut tried = self.clone();
        change(&mut tried);
        !tried.faults().is_subset(&self.faults())
    }

    /// Returns whether a component version is refused.
    pub fn refuses_component(&self, component: &Component, digest: Digest) -> bool {
        let (name, version) = (component.name.to_string(), component.version.clone());
        match self.versions.get(&(name.clone(), version.clone())) {
            Some(known) if known.digest != digest => return true,
            Some(_) if self.active.get(&name) == Some(&version) => return false,
            _ => {}
        }
        self.grows_worse(|tried| {
            tried.active.insert(name, version);
        })
    }
    /// Returns whether a solution is refused.
    pub fn refuses_solution(&self, solution: &Arc<Solution>) -> bool {
        self.solutions.get(&solution.name) != Some(solution)
            && self.grows_worse(|tried| {
                tried.solutions.insert(solution.name.clone(), Arc::clone(solution));
            })
    }
    /// Returns whether a version is known.
    pub fn knows(&self, name: &str, version: &str) -> bool {
        self.versions.contains_key(&(name.to_owned(), version.to_owned()))
    }
    /// Returns whether a version is there to be drained.
    pub fn drains(&self, name: &str, version: &str) -> bool {
        let known = self.versions.get(&(name.to_owned(), version.to_owned()));
        known.is_some_and(|known| !known.removed)
    }
    /// Returns whether something that is bound would miss a version.
    pub fn needs(&self, name: &str, version: &str) -> bool {
        self.active.get(name).is_some_and(|active| active == version)
            && self.grows_worse(|tried| {
                tried.active.remove(name);
            })
    }

    /// Takes a change over.
    pub fn take(&mut self, body: &Body) {
        match body {
            Body::ComponentAdded { component, digest } => {
                let (name, version) = (component.name.to_string(), component.version.clone());
                self.versions.insert((name.clone(), version.clone()), Version { digest: *digest, removed: false });
                self.active.insert(name, version);
            }
            Body::ComponentDraining { name, version, .. } | Body::ComponentRemoved { name, version, .. } => {
                if self.active.get(name.as_str()) == Some(version) {
                    self.active.remove(name.as_str());
                }
                let removed = matches!(body, Body::ComponentRemoved { .. });
                if let Some(known) = self.versions.get_mut(&(name.to_string(), version.clone())) {
                    known.removed |= removed;
                }
            }
            Body::SolutionBound { solution } => {
                self.solutions.insert(solution.name.clone(), Arc::clone(solution));
            }
            _ => {}
        }
    }
}
