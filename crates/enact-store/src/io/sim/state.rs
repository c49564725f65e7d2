//! The simulated disk as a whole: its folders, its crash and the failure that waits for its turn.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};

use super::FailKind;
use super::inode::Inode;

/// A small deterministic generator (splitmix64).
#[derive(Debug, Clone)]
pub(crate) struct Rng(u64);

impl Rng {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed ^ 0x9E37_79B9_7F4A_7C15)
    }
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound.max(1)
    }
}

enum Naming {
    Set(PathBuf, usize),
    Remove(PathBuf),
    Move { from: PathBuf, to: PathBuf, inode: usize },
}

impl Naming {
    fn apply(self, names: &mut BTreeMap<PathBuf, usize>) {
        match self {
            Self::Set(path, inode) => {
                names.insert(path, inode);
            }
            Self::Remove(path) => {
                names.remove(&path);
            }
            Self::Move { from, to, inode } => {
                if names.get(&from) == Some(&inode) {
                    names.remove(&from);
                }
                names.insert(to, inode);
            }
        }
    }
    fn dir(&self) -> Option<&Path> {
        match self {
            Self::Set(path, _) | Self::Remove(path) | Self::Move { to: path, .. } => path.parent(),
        }
    }
}

pub(super) struct State {
    inodes: Vec<Inode>,
    visible: BTreeMap<PathBuf, usize>,
    durable: BTreeMap<PathBuf, usize>,
    pending: Vec<Naming>,
    armed: Option<(u64, FailKind)>,
    fired: bool,
    dark: bool,
    pub(super) size: u64,
    pub(super) locks: BTreeSet<PathBuf>,
    pub(super) generation: u64,
    pub(super) calls: u64,
    pub(super) salts: Rng,
}

pub(super) fn error(kind: FailKind) -> io::Error {
    match kind {
        FailKind::NoSpace => io::Error::from(io::ErrorKind::StorageFull),
        FailKind::Power => io::Error::other("the power is lost"),
        other => io::Error::other(format!("simulated failure: {other:?}")),
    }
}

impl State {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            inodes: Vec::new(),
            visible: BTreeMap::new(),
            durable: BTreeMap::new(),
            pending: Vec::new(),
            armed: None,
            fired: false,
            dark: false,
            size: u64::MAX,
            locks: BTreeSet::new(),
            generation: 0,
            calls: 0,
            salts: Rng::new(seed),
        }
    }
    pub(super) fn arm(&mut self, n: u64, kind: FailKind) {
        (self.armed, self.fired) = (Some((n, kind)), false);
    }
    pub(super) fn disarm(&mut self) -> bool {
        self.armed = None;
        std::mem::take(&mut self.fired)
    }
    /// Counts a call that the failures in `kinds` concern, and fails when it is the turn of one.
    pub(super) fn call(&mut self, kinds: &[FailKind]) -> io::Result<()> {
        self.call_failing(kinds)?.map_or(Ok(()), |kind| Err(error(kind)))
    }
    /// As [`State::call`], but leaves the effect of a failure to the caller, save for the loss of power.
    pub(super) fn call_failing(&mut self, kinds: &[FailKind]) -> io::Result<Option<FailKind>> {
        self.calls += 1;
        if self.dark {
            return Err(error(FailKind::Power));
        }
        let Some((left, kind)) = &mut self.armed else { return Ok(None) };
        let kind = *kind;
        if kind != FailKind::Power && !kinds.contains(&kind) {
            return Ok(None);
        }
        *left -= 1;
        if *left > 0 {
            return Ok(None);
        }
        (self.armed, self.fired) = (None, true);
        if kind == FailKind::Power {
            self.dark = true;
            return Err(error(kind));
        }
        Ok(Some(kind))
    }
    pub(super) fn cut(&mut self, len: usize) -> usize {
        self.salts.below(len as u64) as usize
    }
    /// Returns how many bytes the other files than `path` leave free.
    pub(super) fn free_beside(&self, path: &Path) -> u64 {
        let others = self.visible.iter().filter(|(name, _)| *name != path);
        let used: u64 = others.map(|(_, inode)| self.inodes[*inode].visible.len() as u64).sum();
        self.size.saturating_sub(used)
    }
    pub(super) fn inode(&mut self, inode: usize) -> &mut Inode {
        &mut self.inodes[inode]
    }
    pub(super) fn find(&self, path: &Path) -> io::Result<usize> {
        self.visible.get(path).copied().ok_or_else(|| io::ErrorKind::NotFound.into())
    }
    pub(super) fn create(&mut self, path: &Path, len: u64) -> usize {
        let inode = self.inodes.len();
        self.inodes.push(Inode::zeros(len as usize));
        self.visible.insert(path.to_owned(), inode);
        self.pending.push(Naming::Set(path.to_owned(), inode));
        inode
    }
    pub(super) fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        let inode = self.find(from)?;
        self.visible.remove(from);
        self.visible.insert(to.to_owned(), inode);
        self.pending.push(Naming::Move { from: from.to_owned(), to: to.to_owned(), inode });
        Ok(())
    }
    pub(super) fn remove(&mut self, path: &Path) -> io::Result<()> {
        self.find(path)?;
        self.visible.remove(path);
        self.pending.push(Naming::Remove(path.to_owned()));
        Ok(())
    }
    pub(super) fn list(&self, dir: &Path) -> Vec<String> {
        self.visible
            .keys()
            .filter(|path| path.parent() == Some(dir))
            .filter_map(|path| Some(path.file_name()?.to_str()?.to_owned()))
            .collect()
    }
    pub(super) fn sync_dir(&mut self, dir: &Path) {
        for naming in std::mem::take(&mut self.pending) {
            if naming.dir() == Some(dir) {
                naming.apply(&mut self.durable);
            } else {
                self.pending.push(naming);
            }
        }
    }
    pub(super) fn crash(&mut self, seed: u64) {
        let mut rng = Rng::new(seed);
        for naming in std::mem::take(&mut self.pending) {
            if rng.below(2) == 0 {
                naming.apply(&mut self.durable);
            }
        }
        self.visible = self.durable.clone();
        for inode in &mut self.inodes {
            inode.crash(&mut rng);
        }
        self.locks.clear();
        (self.armed, self.dark) = (None, false);
        self.generation += 1;
    }
    pub(super) fn flip_bit(&mut self, path: &Path, offset: u64, bit: u8) {
        if let Some(inode) = self.visible.get(path) {
            self.inodes[*inode].flip_bit(offset, bit);
        }
    }
    pub(super) fn bytes(&self, path: &Path) -> Option<Vec<u8>> {
        Some(self.inodes[*self.visible.get(path)?].visible.clone())
    }
}
