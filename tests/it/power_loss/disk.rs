//! A disk that loses its power: what can be left of a recorded sequence of writes.
//!
//! The assumptions are weaker than what file systems promise:
//!
//! - A write or a truncation is durable once a sync of its file has returned that was called after its return.
//! - Of all others any subset can be on the disk, each in whole or in part: some sectors of 512 bytes of a write, or its
//!   bytes up to or from any one. Bytes around a write do not change, which SQLite relies on too
//!   (<https://www.sqlite.org/psow.html>). A file can have grown without the bytes that were written there.
//! - The creation or removal of a file is durable once a sync of the folder has returned; until then the folder has any
//!   of the file's states since the last durable one. The sync of a file does not make its name durable.

use std::{collections::BTreeMap, path::Path};

use super::trace::{Action, Event};
use crate::support::Random;

const SECTOR: usize = 512;

/// The files at one moment.
#[derive(Default)]
pub struct Disk {
    /// The contents of every file that ever existed.
    files: Vec<Contents>,
    names: BTreeMap<String, Name>,
    /// The running syncs by their indexes, each with its file; `None` for the folder.
    syncs: BTreeMap<usize, Option<usize>>,
}

#[derive(Default)]
struct Contents {
    durable: Vec<u8>,
    /// Indexes of the writes and truncations that are not durable.
    pending: Vec<usize>,
}

/// The files that a name stands for, one after the other.
#[derive(Default)]
struct Name {
    durable: Option<usize>,
    /// The creations and removals that are not durable, with their indexes.
    pending: Vec<(usize, Option<usize>)>,
}

/// The part of the writes that are not durable that survives.
#[derive(Clone, Copy, Debug)]
pub struct Survival {
    /// Percentage of the writes and truncations that survive.
    pub kept: usize,
    /// Percentage of those that survive in part.
    pub torn: usize,
    /// Percentage of the lost writes beyond the end of a file that leave it longer.
    pub grown: usize,
}

impl Survival {
    /// Everything survives, as if only the process had ended.
    pub const ALL: Self = Self { kept: 100, torn: 0, grown: 0 };

    pub fn random(random: &mut Random) -> Self {
        let mut one_of = |percentages: &[usize]| percentages[random.below(percentages.len())];
        Self { kept: one_of(&[0, 10, 50, 90, 100]), torn: one_of(&[0, 30]), grown: one_of(&[0, 50]) }
    }
}

impl Disk {
    /// Begins an event.
    pub fn begin(&mut self, events: &[Event], index: usize) {
        match &events[index].action {
            Action::Create(name) => {
                self.files.push(Contents::default());
                let file = Some(self.files.len() - 1);
                self.names.entry(name.clone()).or_default().pending.push((index, file));
            }
            Action::Remove(name) => self.names.get_mut(name).unwrap().pending.push((index, None)),
            Action::Write { file, .. } | Action::Truncate { file, .. } => {
                let file = self.file(file);
                self.files[file].pending.push(index);
            }
            Action::Sync(file) => {
                let file = self.file(file);
                self.syncs.insert(index, Some(file));
            }
            Action::SyncFolder => {
                self.syncs.insert(index, None);
            }
            Action::Acknowledge(_) => {}
        }
    }

    /// Ends an event: a sync makes durable what had ended when it began.
    pub fn end(&mut self, events: &[Event], index: usize) {
        let Some(target) = self.syncs.remove(&index) else { return };
        let is_durable = |earlier: usize| events[earlier].end < events[index].begin;
        if let Some(file) = target {
            let Contents { durable, pending } = &mut self.files[file];
            let (done, left) = pending.iter().partition(|&&earlier| is_durable(earlier));
            *pending = left;
            for earlier in done {
                apply(durable, &events[earlier].action);
            }
            return;
        }
        for name in self.names.values_mut() {
            while let Some(&(earlier, file)) = name.pending.first()
                && is_durable(earlier)
            {
                name.durable = file;
                name.pending.remove(0);
            }
        }
    }

    /// Writes the files that a power loss leaves to a folder. Returns their names with their lengths.
    pub fn write(
        &self,
        events: &[Event],
        survival: Survival,
        random: &mut Random,
        folder: &Path,
    ) -> BTreeMap<String, usize> {
        let mut lengths = BTreeMap::new();
        for (name, states) in &self.names {
            let pending = match survival.kept {
                0 => 0,
                100 => states.pending.len(),
                _ => random.below(states.pending.len() + 1),
            };
            let file = if pending == 0 { states.durable } else { states.pending[pending - 1].1 };
            if let Some(file) = file {
                let bytes = self.files[file].after_loss(events, survival, random);
                std::fs::write(folder.join(name), &bytes).unwrap();
                lengths.insert(name.clone(), bytes.len());
            }
        }
        lengths
    }

    /// Returns the file that a name stands for; a removed file is the last one.
    fn file(&self, name: &str) -> usize {
        let Name { durable, pending } = self.names.get(name).unwrap_or_else(|| panic!("{name} was not created"));
        pending.iter().rev().find_map(|(_, file)| *file).or(*durable).unwrap_or_else(|| panic!("{name} was removed"))
    }
}

impl Contents {
    fn after_loss(&self, events: &[Event], survival: Survival, random: &mut Random) -> Vec<u8> {
        let mut bytes = self.durable.clone();
        for &index in &self.pending {
            if random.below(100) >= survival.kept {
                if let Action::Write { offset, bytes: written, .. } = &events[index].action
                    && random.below(100) < survival.grown
                {
                    bytes.resize(bytes.len().max(offset + written.len()), 0);
                }
            } else if random.below(100) < survival.torn {
                apply_in_part(&mut bytes, &events[index].action, random);
            } else {
                apply(&mut bytes, &events[index].action);
            }
        }
        bytes
    }
}

fn apply(file: &mut Vec<u8>, action: &Action) {
    match action {
        Action::Write { offset, bytes, .. } => write(file, *offset, bytes),
        Action::Truncate { length, .. } => file.resize(*length, 0),
        _ => {}
    }
}

fn apply_in_part(file: &mut Vec<u8>, action: &Action, random: &mut Random) {
    let Action::Write { offset, bytes, .. } = action else { return apply(file, action) };
    let middle = random.below(bytes.len() + 1);
    match random.below(3) {
        0 => write(file, *offset, &bytes[..middle]),
        1 => write(file, offset + middle, &bytes[middle..]),
        _ => {
            let mut begin = 0;
            while begin < bytes.len() {
                let end = bytes.len().min((offset + begin) / SECTOR * SECTOR + SECTOR - offset);
                if random.below(2) == 0 {
                    write(file, offset + begin, &bytes[begin..end]);
                }
                begin = end;
            }
        }
    }
}

fn write(file: &mut Vec<u8>, offset: usize, bytes: &[u8]) {
    let end = offset + bytes.len();
    file.resize(file.len().max(end), 0);
    file[offset..end].copy_from_slice(bytes);
}
