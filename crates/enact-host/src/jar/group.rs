//! JVMs that several components share: who is in one, and the process that is replaced whenever that changes.
//!
//! The components of one JVM at one time are a *generation*: a component version of the process host by itself, with its
//! pool, its circuit and its end. Whoever joins or leaves makes the next generation. It takes the place of the current one
//! when its first process is ready, and the former finishes its calls and ends: so classes are unloaded, and no call is lost.

mod member;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use enact_model::descriptor::{Component, JarShape, Shape};
use enact_model::digest::Digest;
use enact_model::id::Name;
use enact_model::json::Json;
use enact_model::observation::{Fault, FaultKind};
use serde_json::json;

use super::Base;
use super::launch::{self, Jvm};
use super::settle::settle;
use crate::contract::HostState;
use crate::process::version::{Counts, Version};
use member::{Joint, Member};

/// A component version as a JVM that it shares is told of it.
#[derive(Debug, PartialEq)]
struct Entry {
    /// Its name and version, for people.
    label: String,
    digest: Digest,
    shape: JarShape,
    /// Its class path, its operations and its configuration, as `init` says them.
    said: serde_json::Value,
}

/// The component versions of a JVM, by the key that calls name: `pricing@1.4.0`.
type Entries = BTreeMap<String, Arc<Entry>>;

/// The JVMs of one host that are shared, by name.
#[derive(Default)]
pub(super) struct Groups(Mutex<BTreeMap<Name, Arc<Group>>>);

impl Groups {
    pub fn of(&self, name: &Name, base: &Arc<Base>) -> Arc<Group> {
        let mut groups = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        groups.entry(name.clone()).or_insert_with(|| Group::new(name.clone(), base.clone())).clone()
    }

    /// Ends every JVM that is shared; what is called in one is stopped.
    pub async fn shutdown(&self) {
        let groups: Vec<_> = self.0.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect();
        for group in groups {
            for version in group.close() {
                version.shutdown().await;
            }
        }
    }
}

impl Drop for Groups {
    fn drop(&mut self) {
        for group in self.0.get_mut().unwrap_or_else(PoisonError::into_inner).values() {
            for version in group.close() {
                version.close();
            }
        }
    }
}

/// A JVM that is shared.
pub(super) struct Group {
    name: Name,
    base: Arc<Base>,
    /// What was counted of every generation.
    counts: Arc<Counts>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    entries: Entries,
    /// The generation that takes the calls of everyone who is in it.
    current: Option<Generation>,
    /// The one that is to take its place; until then it takes the calls of those who are only here.
    next: Option<Generation>,
    /// Former generations, until they are gone.
    former: Vec<Weak<Version>>,
    closed: bool,
}

/// Component versions in one process.
#[derive(Clone)]
struct Generation {
    entries: Entries,
    version: Arc<Version>,
    refused: Arc<Mutex<BTreeMap<String, String>>>,
}

impl Generation {
    fn has(&self, member: &Member) -> bool {
        self.entries.get(&member.key).is_some_and(|entry| entry.digest == member.entry.digest)
    }

    fn refused(&self) -> BTreeMap<String, String> {
        self.refused.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Group {
    fn new(name: Name, base: Arc<Base>) -> Arc<Self> {
        Arc::new(Self { name, base, counts: Arc::default(), state: Mutex::default() })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells whether a component could share this JVM with those that are in it.
    ///
    /// # Errors
    /// It contradicts one of them, or there is no Java that suits all.
    pub fn check(&self, component: &Component, shape: &JarShape) -> Result<(), Fault> {
        self.base.java.choose(self.joint(component, shape)?.wants()).map(drop)
    }

    /// Returns the shape of a JVM with a component and those that are in it.
    ///
    /// # Errors
    /// It contradicts one of them.
    pub fn joint(&self, component: &Component, shape: &JarShape) -> Result<JarShape, Fault> {
        let own = (key(component), (label(component), shape.clone()));
        let mut all: BTreeMap<_, _> =
            self.state().entries.iter().map(|(key, e)| (key.clone(), (e.label.clone(), e.shape.clone()))).collect();
        // It comes last: it is the one that is judged.
        all.remove(&own.0);
        let all: Vec<_> = all.into_values().chain([own.1]).collect();
        settle(self.name.as_str(), &all)
    }

    /// Takes a component version in. Blocks.
    ///
    /// # Errors
    /// It contradicts one that is there, or what it needs is not on this machine.
    pub fn join(self: &Arc<Self>, component: &Component, digest: Digest, own: Jvm) -> Result<Member, Fault> {
        self.check(component, own.shape())?;
        let said = launch::init(own.shape(), component, own.class_path()).to_value();
        let entry = Entry { label: label(component), digest, shape: own.shape().clone(), said };
        let member = Member { key: key(component), entry: Arc::new(entry), own, group: self.clone() };
        self.home(&member)?;
        Ok(member)
    }

    /// Returns the generation that takes the calls of a component version, which is taken in if it is not there.
    fn home(self: &Arc<Self>, member: &Member) -> Result<Generation, Fault> {
        let mut state = self.state();
        if state.closed {
            return Err(FaultKind::HostGone.fault(format!("the JVM {} is gone", self.name)));
        }
        let held =
            [&state.current, &state.next].into_iter().flatten().find(|generation| generation.has(member)).cloned();
        if let Some(generation) = held {
            return Ok(generation);
        }
        let mut entries = state.entries.clone();
        entries.insert(member.key.clone(), member.entry.clone());
        let made = self.generation(entries)?;
        self.put(&mut state, made.clone());
        Ok(made)
    }

    /// Gives a generation its place: at once if nothing runs yet, otherwise when its first process is ready.
    fn put(&self, state: &mut State, made: Generation) {
        state.entries = made.entries.clone();
        self.retire(state, |state| state.next.take());
        if state.current.as_ref().is_some_and(|current| current.version.stats().state != HostState::Registered) {
            state.next = Some(made);
        } else {
            self.retire(state, |state| state.current.replace(made));
        }
    }

    /// Takes a component version out, and replaces the process in which it was.
    fn leave(self: &Arc<Self>, member: &Member) {
        let mut state = self.state();
        let here = state.entries.get(&member.key).is_some_and(|entry| entry.digest == member.entry.digest);
        if state.closed || !here {
            return;
        }
        let mut entries = state.entries.clone();
        entries.remove(&member.key);
        if entries.is_empty() || state.current.as_ref().is_some_and(|current| current.entries == entries) {
            self.retire(&mut state, |state| state.next.take());
            if entries.is_empty() {
                self.retire(&mut state, |state| state.current.take());
            }
            state.entries = entries;
            return;
        }
        match self.generation(entries) {
            Ok(made) => {
                self.put(&mut state, made);
                let next = state.next.as_ref().map(|next| next.version.clone());
                drop(state);
                if let Some(next) = next {
                    // Nobody waits for it: the others have the former one for as long as it takes.
                    tokio::spawn(async move { drop(next.probe().await) });
                }
            }
            Err(fault) => tracing::warn!(jvm = %self.name, reason = %fault.message, "a shared JVM was not replaced"),
        }
    }

    /// Lets a generation finish its calls and end.
    fn retire(&self, state: &mut State, take: impl FnOnce(&mut State) -> Option<Generation>) {
        let Some(Generation { version, .. }) = take(state) else { return };
        state.former.retain(|former| former.strong_count() > 0);
        state.former.push(Arc::downgrade(&version));
        tokio::spawn(async move { version.drain().await });
    }

    /// Is told that the first process of a generation is ready: it takes the place of the current one, unless it has
    /// refused everyone for whom it was made.
    fn ready(&self, version: &Arc<Version>) {
        let mut state = self.state();
        let Some(next) = state.next.take_if(|next| Arc::ptr_eq(&next.version, version)) else { return };
        let known: BTreeSet<_> = state.current.iter().flat_map(|current| current.entries.keys()).collect();
        let mut fresh = next.entries.keys().filter(|key| !known.contains(key)).peekable();
        let refused = next.refused();
        let useless = fresh.peek().is_some() && fresh.all(|key| refused.contains_key(key));
        if useless {
            state.next = Some(next);
        } else {
            self.retire(&mut state, |state| state.current.replace(next));
        }
    }

    fn generation(self: &Arc<Self>, entries: Entries) -> Result<Generation, Fault> {
        let all: Vec<_> = entries.values().map(|entry| (entry.label.clone(), entry.shape.clone())).collect();
        let shape = settle(self.name.as_str(), &all)?;
        let labels: Vec<&str> = all.iter().map(|(label, _)| label.as_str()).collect();
        let component = Component {
            name: self.name.clone(),
            version: format!("({})", labels.join(", ")),
            summary: None,
            shape: Shape::Jar(shape.clone()),
            secrets: BTreeMap::new(),
            services: BTreeMap::new(),
        };
        let said: BTreeMap<_, _> = entries.iter().map(|(key, entry)| (key, &entry.said)).collect();
        let config = json!({ "components": said, "threads": shape.calls_in_flight });
        let jvm = Jvm::joint(self.base.clone(), shape, &component, Json::of(&config))?;
        let refused = Arc::<Mutex<_>>::default();
        let digest = Digest::of(Json::of(&said).as_str().as_bytes());
        let members = entries.values().cloned().collect();
        let launch = Joint { jvm, members, refused: refused.clone(), group: Arc::downgrade(self) };
        let mut version = Version::new(self.base.ground.clone(), Arc::new(component), digest, Arc::new(launch));
        version.counts = self.counts.clone();
        Ok(Generation { entries, version: Arc::new(version), refused })
    }

    /// Takes nobody in any more, and returns every generation that is not gone.
    fn close(&self) -> Vec<Arc<Version>> {
        let mut state = self.state();
        state.closed = true;
        let last = [state.current.take(), state.next.take()].into_iter().flatten().map(|generation| generation.version);
        let mut all: Vec<_> = last.collect();
        all.extend(state.former.drain(..).filter_map(|former| former.upgrade()));
        all
    }
}

fn key(component: &Component) -> String {
    format!("{}@{}", component.name, component.version)
}

fn label(component: &Component) -> String {
    format!("{} {}", component.name, component.version)
}
