//! A disk as a power cut finds it: what was waited for is on it, and of what was written since, any
//! part, in sectors, in any order.

use std::collections::BTreeMap;

use crate::lab::chance::Chance;
use crate::recording::{Act, FileNumber};

/// What a disk writes all or not at all, in bytes.
const SECTOR: usize = 512;

/// The bytes of files by their names.
pub type Image = BTreeMap<String, Vec<u8>>;

#[derive(Debug, Clone)]
enum Change {
    Write { at: usize, bytes: Vec<u8> },
    Cut(usize),
}

/// A name, and what has it now.
type Naming = (String, Option<FileNumber>);

#[derive(Debug, Clone, Default)]
struct File {
    safe: Vec<u8>,
    since: Vec<Change>,
}

/// Files, their names, and what of both nobody has waited for.
#[derive(Debug, Clone, Default)]
pub struct Disk {
    files: BTreeMap<FileNumber, File>,
    names: BTreeMap<String, FileNumber>,
    named_since: Vec<Naming>,
}

/// What goes of that which nobody has waited for.
pub enum Loss<'c> {
    Nothing,
    All,
    /// That much of a hundred.
    Some(usize, &'c mut Chance),
}

impl Loss<'_> {
    fn takes_one(&mut self) -> bool {
        match self {
            Self::Nothing => false,
            Self::All => true,
            Self::Some(percent, chance) => chance.happens(*percent),
        }
    }
}

impl Disk {
    pub fn act(&mut self, act: &Act) {
        match act {
            Act::Make { name, file } => {
                self.files.insert(*file, File::default());
                self.named_since.push((name.clone(), Some(*file)));
            }
            Act::Remove { name } => self.named_since.push((name.clone(), None)),
            Act::Write { file, at, bytes } => {
                let (at, bytes) = (*at, bytes.clone());
                self.file(*file).since.push(Change::Write { at, bytes });
            }
            Act::Cut { file, length } => self.file(*file).since.push(Change::Cut(*length)),
            Act::Sync { file } => {
                let file = self.file(*file);
                file.safe = file.left(&mut Loss::Nothing);
                file.since.clear();
            }
            Act::SyncNames => {
                self.names = self.names_left(&mut Loss::Nothing);
                self.named_since.clear();
            }
            Act::Say(_) => {}
        }
    }

    fn file(&mut self, file: FileNumber) -> &mut File {
        self.files.get_mut(&file).expect("it was made")
    }

    /// What is on it after the power was cut.
    pub fn left(&self, loss: &mut Loss<'_>) -> Image {
        let names = self.names_left(loss);
        names
            .into_iter()
            .map(|(name, file)| (name, self.files[&file].left(loss)))
            .collect()
    }

    fn names_left(&self, loss: &mut Loss<'_>) -> BTreeMap<String, FileNumber> {
        let mut names = self.names.clone();
        for (name, file) in &self.named_since {
            if loss.takes_one() {
                continue;
            }
            match file {
                Some(file) => names.insert(name.clone(), *file),
                None => names.remove(name),
            };
        }
        names
    }
}

impl File {
    fn left(&self, loss: &mut Loss<'_>) -> Vec<u8> {
        let mut left = self.safe.clone();
        for change in &self.since {
            match change {
                Change::Cut(length) if !loss.takes_one() => left.resize(*length, 0),
                Change::Cut(_) => {}
                Change::Write { at, bytes } => {
                    for (at, piece) in sectors(*at, bytes) {
                        write(&mut left, at, piece, loss);
                    }
                }
            }
        }
        left
    }
}

/// The bytes that go to `at`, in parts of one sector each, with the place of each.
fn sectors(at: usize, bytes: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    let mut next = at;
    std::iter::from_fn(move || {
        let rest = bytes.get(next - at..).filter(|rest| !rest.is_empty())?;
        let piece = &rest[..rest.len().min(SECTOR - next % SECTOR)];
        let here = next;
        next += piece.len();
        Some((here, piece))
    })
}

/// Where a file has grown and its bytes are lost, it has zeros, or what somebody else had there.
fn write(left: &mut Vec<u8>, at: usize, piece: &[u8], loss: &mut Loss<'_>) {
    let (end, had) = (at + piece.len(), left.len());
    let is_lost = loss.takes_one();
    match loss {
        Loss::Some(_, chance) if is_lost && end > had => match chance.below(3) {
            0 => {}
            1 => left.resize(end, 0),
            _ => left.resize(end, 0xa5),
        },
        _ if is_lost => {}
        _ => {
            left.resize(had.max(end), 0);
            left[at..end].copy_from_slice(piece);
        }
    }
}
