//! What is wrong with a catalog: judged as a whole after a change that is only tried, so that the order of changes is free.

use enact_model::descriptor::{Component, Solution};
use enact_model::digest::Digest;
use enact_model::id::{IntentType, Name, Selector, SolutionId};

use super::{Catalog, State, list};
use crate::component::component_digest;
use crate::near::near;

/// Why a change of the catalog is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CatalogFault {
    /// The version is there with other content.
    #[error("failed to add {name} {version}: that version is there with another content ({have})")]
    OtherContent {
        /// The component.
        name: Name,
        /// The version.
        version: String,
        /// The digest of what is there.
        have: Digest,
    },
    /// No selection rule says which of several operations an intent type means.
    #[error("failed to tell what the intent type {intent_type} means: {} handle it", list(candidates))]
    TwoHandlers {
        /// The intent type.
        intent_type: IntentType,
        /// Who handles it.
        candidates: Vec<Selector>,
    },
    /// Somebody handles what is the selector of another operation.
    #[error("failed to tell what the intent type {selector} means: it is a selector, and {handler} handles it too")]
    HandlesSelector {
        /// The selector.
        selector: Selector,
        /// Who else handles it.
        handler: Selector,
    },
    /// A solution names a component that is not there.
    #[error("failed to bind the solution {solution}: there is no active component {component}")]
    UnknownComponent {
        /// The solution.
        solution: SolutionId,
        /// The component.
        component: Name,
        /// What may have been meant.
        near: Vec<String>,
    },
    /// A solution asks for another version than the active one.
    #[error("failed to serve the solution {solution}: it asks for {component} {requirement}, and {version} is active")]
    VersionUnmet {
        /// The solution.
        solution: SolutionId,
        /// The component.
        component: Name,
        /// What it asks for.
        requirement: String,
        /// What would be active.
        version: String,
    },
    /// A solution binds an intent type to an operation that is not there.
    #[error("failed to serve the solution {solution}: {intent_type} is bound to {selector}, which does not exist")]
    UnknownOperation {
        /// The solution.
        solution: SolutionId,
        /// The intent type.
        intent_type: IntentType,
        /// What it is bound to.
        selector: Selector,
        /// What may have been meant.
        near: Vec<String>,
    },
    /// A solution gives a selector another meaning.
    #[error("failed to bind the solution {solution}: {intent_type} is a selector and cannot mean {selector}")]
    RebindsSelector {
        /// The solution.
        solution: SolutionId,
        /// The selector that it would give another meaning.
        intent_type: IntentType,
        /// What it is bound to.
        selector: Selector,
    },
}

impl CatalogFault {
    /// Returns the way out.
    pub fn hint(&self) -> String {
        match self {
            Self::OtherContent { .. } => "raise the version".to_owned(),
            Self::TwoHandlers { intent_type, candidates } => {
                let first = candidates.first().map(ToString::to_string).unwrap_or_default();
                format!("bind a solution that decides: `intents: {{ {intent_type}: {first} }}`")
            }
            Self::HandlesSelector { selector, .. } => format!("let nobody handle {selector} but itself"),
            Self::UnknownComponent { near, component, .. } if near.is_empty() => format!("add {component} first"),
            Self::UnknownComponent { near, .. } | Self::UnknownOperation { near, .. } if !near.is_empty() => {
                format!("did you mean {}?", near.join(" or "))
            }
            Self::UnknownComponent { .. } => "add it first".to_owned(),
            Self::VersionUnmet { component, solution, .. } => {
                format!("bind {solution} with a range that holds both versions of {component} first, such as >=1, <3")
            }
            Self::UnknownOperation { solution, .. } => {
                format!("bind {solution} without it, or add a version that has it")
            }
            Self::RebindsSelector { .. } => "choose another name for the intent type".to_owned(),
        }
    }
}

impl Catalog {
    /// Judges whether a component may be added to what is here.
    ///
    /// # Errors
    /// Every reason against it: the version is there with other content; one of its intent types has another handler
    /// and no bound solution decides; a bound solution would no longer be served.
    pub fn check_add(&self, component: &Component) -> Result<(), Vec<CatalogFault>> {
        self.check(&[component], &[])
    }

    /// Judges whether a solution may be bound to what is here.
    ///
    /// # Errors
    /// Every reason against it: unknown components and operations, a version that it does not ask for, a selector that
    /// it gives another meaning, an ambiguity that the former binding decided and this one leaves open.
    pub fn check_bind(&self, solution: &Solution) -> Result<(), Vec<CatalogFault>> {
        self.check(&[], &[solution])
    }

    /// Judges components and solutions that come in one command, as if all of them were there.
    ///
    /// # Errors
    /// As [`Catalog::check_add`] and [`Catalog::check_bind`].
    pub fn check(&self, components: &[&Component], solutions: &[&Solution]) -> Result<(), Vec<CatalogFault>> {
        let mut faults = Vec::new();
        let mut tried = self.clone();
        for component in components {
            let digest = component_digest(component);
            if let Some(entry) = tried.entry(&component.name, &component.version)
                && entry.digest() != digest
                && entry.state() != State::Removed
            {
                let (name, version) = (component.name.clone(), component.version.clone());
                faults.push(CatalogFault::OtherContent { name, version, have: entry.digest() });
            }
            tried = tried.with_added((*component).clone().into(), digest);
        }
        for solution in solutions {
            tried = tried.with_bound((*solution).clone().into());
        }
        self.compare(&tried, faults)
    }

    /// Judges whether a component version may change its state.
    ///
    /// # Errors
    /// Every bound solution that would no longer be served.
    pub fn check_state(&self, name: &Name, version: &str, state: State) -> Result<(), Vec<CatalogFault>> {
        self.compare(&self.with_state(name, version, state), Vec::new())
    }

    /// A change is answerable only for what was not wrong before it.
    fn compare(&self, tried: &Self, mut faults: Vec<CatalogFault>) -> Result<(), Vec<CatalogFault>> {
        let before = self.faults();
        faults.extend(tried.faults().into_iter().filter(|fault| !before.contains(fault)));
        if faults.is_empty() { Ok(()) } else { Err(faults) }
    }

    /// Lists what is wrong with the catalog as it stands; a hub that asks before every change has none.
    pub fn faults(&self) -> Vec<CatalogFault> {
        let mut faults = Vec::new();
        for (intent_type, handlers) in self.intent_types().filter(|(_, handlers)| handlers.len() > 1) {
            match handlers.iter().find(|handler| handler.intent_type() == *intent_type) {
                Some(selector) => faults.extend(handlers.iter().filter(|other| *other != selector).map(|handler| {
                    CatalogFault::HandlesSelector { selector: selector.clone(), handler: handler.clone() }
                })),
                None if self.decides(intent_type, handlers) => {}
                None => faults.push(CatalogFault::TwoHandlers {
                    intent_type: intent_type.clone(),
                    candidates: handlers.to_vec(),
                }),
            }
        }
        for solution in self.solutions() {
            self.judge_solution(solution, &mut faults);
        }
        faults
    }

    /// Whether some solution says which of the handlers an intent type means.
    fn decides(&self, intent_type: &IntentType, handlers: &[Selector]) -> bool {
        self.solutions().any(|solution| solution.intents.get(intent_type).is_some_and(|s| handlers.contains(s)))
    }

    fn judge_solution(&self, solution: &Solution, faults: &mut Vec<CatalogFault>) {
        for (component, requirement) in &solution.components {
            let Some(entry) = self.active(component) else {
                let known = self.entries().filter(|entry| entry.state() == State::Active);
                let near = near(component.as_str(), known.map(|entry| entry.component().name.as_str()));
                let (solution, component) = (solution.name.clone(), component.clone());
                faults.push(CatalogFault::UnknownComponent { solution, component, near });
                continue;
            };
            let version = &entry.component().version;
            let met = semver::VersionReq::parse(requirement)
                .is_ok_and(|req| semver::Version::parse(version).is_ok_and(|version| req.matches(&version)));
            if !met {
                faults.push(CatalogFault::VersionUnmet {
                    solution: solution.name.clone(),
                    component: component.clone(),
                    requirement: requirement.clone(),
                    version: version.clone(),
                });
            }
        }
        for (intent_type, selector) in &solution.intents {
            let Some(entry) = self.active(&selector.component) else { continue };
            if entry.operation(selector).is_none() {
                let names: Vec<String> = entry.component().operations().map(|(s, _)| s.to_string()).collect();
                faults.push(CatalogFault::UnknownOperation {
                    solution: solution.name.clone(),
                    intent_type: intent_type.clone(),
                    selector: selector.clone(),
                    near: near(&selector.to_string(), names.iter().map(String::as_str)),
                });
            }
            let is_selector = self
                .intent_types()
                .find(|(known, _)| *known == intent_type)
                .is_some_and(|(_, handlers)| handlers.iter().any(|handler| handler.intent_type() == *intent_type));
            if is_selector && selector.intent_type() != *intent_type {
                faults.push(CatalogFault::RebindsSelector {
                    solution: solution.name.clone(),
                    intent_type: intent_type.clone(),
                    selector: selector.clone(),
                });
            }
        }
    }
}
