//! One simulated file: its visible bytes, its durable bytes, and the changes between them.

use super::state::Rng;

/// The unit that a disk writes as a whole.
const SECTOR: u64 = 512;

enum Change {
    Length(usize),
    Bytes { offset: usize, bytes: Vec<u8> },
}

#[derive(Default)]
pub(super) struct Inode {
    pub(super) visible: Vec<u8>,
    durable: Vec<u8>,
    /// What the next sync makes durable.
    pending: Vec<Change>,
    /// What a failed sync left behind: the pages count as clean, so that no later sync writes them.
    limbo: Vec<Change>,
}

impl Inode {
    pub(super) fn zeros(len: usize) -> Self {
        Self { visible: vec![0; len], pending: vec![Change::Length(len)], ..Self::default() }
    }
    pub(super) fn read(&self, buf: &mut [u8], offset: u64) -> usize {
        let from = (offset as usize).min(self.visible.len());
        let count = buf.len().min(self.visible.len() - from);
        buf[..count].copy_from_slice(&self.visible[from..from + count]);
        count
    }
    pub(super) fn write(&mut self, bytes: &[u8], offset: u64) {
        let change = Change::Bytes { offset: offset as usize, bytes: bytes.to_vec() };
        change.apply(&mut self.visible);
        self.pending.push(change);
    }
    pub(super) fn sync(&mut self) {
        for change in self.pending.drain(..) {
            change.apply(&mut self.durable);
        }
    }
    pub(super) fn fail_sync(&mut self) {
        self.limbo.append(&mut self.pending);
    }
    pub(super) fn crash(&mut self, rng: &mut Rng) {
        for change in self.limbo.drain(..).chain(self.pending.drain(..)) {
            match rng.below(4) {
                0 => {}
                1 => change.apply(&mut self.durable),
                kind => change.tear(&mut self.durable, rng, kind == 2),
            }
        }
        self.visible = self.durable.clone();
    }
    pub(super) fn flip_bit(&mut self, offset: u64, bit: u8) {
        for side in [&mut self.visible, &mut self.durable] {
            if let Some(byte) = side.get_mut(offset as usize) {
                *byte ^= 1 << (bit % 8);
            }
        }
    }
}

impl Change {
    fn apply(&self, to: &mut Vec<u8>) {
        match self {
            Self::Length(len) => to.resize(*len, 0),
            Self::Bytes { offset, bytes } => put(to, *offset, bytes),
        }
    }
    /// Applies a part: the first sectors, or any of them.
    fn tear(&self, to: &mut Vec<u8>, rng: &mut Rng, prefix: bool) {
        let Self::Bytes { offset, bytes } = self else {
            return self.apply(to);
        };
        let (first, last) = (*offset as u64 / SECTOR, (offset + bytes.len()) as u64 / SECTOR);
        let kept = rng.below(last - first + 2);
        for sector in first..=last {
            let keep = if prefix { sector - first < kept } else { rng.below(2) == 0 };
            let from = (*offset).max((sector * SECTOR) as usize);
            let end = (offset + bytes.len()).min(((sector + 1) * SECTOR) as usize);
            if keep && from < end {
                put(to, from, &bytes[from - offset..end - offset]);
            }
        }
    }
}

fn put(to: &mut Vec<u8>, offset: usize, bytes: &[u8]) {
    if to.len() < offset + bytes.len() {
        to.resize(offset + bytes.len(), 0);
    }
    to[offset..offset + bytes.len()].copy_from_slice(bytes);
}
