//! What a disk holds after a power cut, worked out of the journal of what was done to it (disk.c).
//!
//! A file's bytes are durable when the file was synced, a name when its directory was. What was written since may be there or
//! not, page by page, and a page may be there in part, sector by sector; names that were given since are kept in their order.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Bytes that are written back together.
const PAGE: usize = 4096;
/// Bytes that are there as a whole or not at all.
const SECTOR: usize = 512;
/// Bytes of a record before its texts.
const HEAD: usize = 29;

/// What becomes of what was not synced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// All of it is gone.
    Lost,
    /// Some pages and some names are there.
    Some,
    /// And some of these pages only in part.
    Torn,
}

impl Cut {
    /// Every way.
    pub const ALL: [Self; 3] = [Self::Lost, Self::Some, Self::Torn];
}

#[derive(Debug, Clone)]
enum Change {
    Write(usize, Vec<u8>),
    Length(usize),
}

impl Change {
    fn apply(&self, bytes: &mut Vec<u8>) {
        match self {
            Self::Write(place, new) => put(bytes, *place, new),
            Self::Length(length) => bytes.resize(*length, 0),
        }
    }
}

fn put(bytes: &mut Vec<u8>, place: usize, new: &[u8]) {
    let end = place + new.len();
    if bytes.len() < end {
        bytes.resize(end, 0);
    }
    bytes[place..end].copy_from_slice(new);
}

#[derive(Debug, Clone, Default)]
struct File {
    durable: Vec<u8>,
    pending: Vec<Change>,
}

impl File {
    fn live(&self) -> Vec<u8> {
        let mut bytes = self.durable.clone();
        self.pending.iter().for_each(|change| change.apply(&mut bytes));
        bytes
    }
}

#[derive(Debug, Clone, PartialEq)]
enum Named {
    File(usize),
    Directory,
}

#[derive(Debug, Clone)]
enum Naming {
    Give(PathBuf, Named),
    Take(PathBuf),
    Move(PathBuf, PathBuf),
}

impl Naming {
    fn directory(&self) -> &Path {
        match self {
            Self::Give(path, _) | Self::Take(path) | Self::Move(_, path) => {
                path.parent().expect("it is in a directory")
            }
        }
    }

    fn apply(&self, names: &mut Names) {
        match self {
            Self::Give(path, named) => drop(names.insert(path.clone(), named.clone())),
            Self::Take(path) => drop(names.remove(path)),
            Self::Move(from, to) => {
                if let Some(named) = names.remove(from) {
                    names.insert(to.clone(), named);
                }
            }
        }
    }
}

type Names = BTreeMap<PathBuf, Named>;

/// A directory with all below it, as it is and as it is sure to be.
#[derive(Debug, Clone)]
pub struct Disk {
    root: PathBuf,
    files: Vec<File>,
    /// The file that has an inode now.
    inodes: BTreeMap<u64, usize>,
    durable: Names,
    pending: Vec<Naming>,
}

impl Disk {
    /// Takes a directory as it is; all of it counts as durable.
    pub fn of(root: &Path) -> Self {
        let mut disk = Self {
            root: root.to_owned(),
            files: Vec::new(),
            inodes: BTreeMap::new(),
            durable: Names::new(),
            pending: Vec::new(),
        };
        for (path, bytes) in tree(root) {
            let named = match bytes {
                Some(bytes) => {
                    disk.files.push(File { durable: bytes, pending: Vec::new() });
                    Named::File(disk.files.len() - 1)
                }
                None => Named::Directory,
            };
            disk.durable.insert(path, named);
        }
        disk
    }

    /// Does what stands in a journal; a record that broke off is none.
    pub fn replay(&mut self, journal: &[u8]) {
        let mut rest = journal;
        while let Some(record) = record(&mut rest) {
            self.note(record);
        }
    }

    fn note(&mut self, (operation, inode, place, one, two): Record<'_>) {
        let path = || PathBuf::from(std::str::from_utf8(one).expect("a path is text"));
        match operation {
            b'C' => {
                self.files.push(File::default());
                self.inodes.insert(inode, self.files.len() - 1);
                self.pending.push(Naming::Give(path(), Named::File(self.files.len() - 1)));
            }
            b'O' => {
                let live = self.names();
                let Some(Named::File(file)) = live.get(&path()) else {
                    panic!("{:?} was opened and is not there", path())
                };
                self.inodes.insert(inode, *file);
            }
            b'W' => self.change(inode, Change::Write(place, one.to_vec())),
            b'T' => self.change(inode, Change::Length(place)),
            b'S' => {
                let file = &mut self.files[self.inodes[&inode]];
                file.durable = file.live();
                file.pending.clear();
            }
            b'D' => {
                let (now, later) = std::mem::take(&mut self.pending)
                    .into_iter()
                    .partition(|it: &Naming| it.directory() == path());
                let now: Vec<Naming> = now;
                now.iter().for_each(|naming| naming.apply(&mut self.durable));
                self.pending = later;
            }
            b'M' => self.pending.push(Naming::Give(path(), Named::Directory)),
            b'U' => self.pending.push(Naming::Take(path())),
            b'R' => {
                let to = PathBuf::from(std::str::from_utf8(two).expect("a path is text"));
                self.pending.push(Naming::Move(path(), to));
            }
            other => panic!("`{}` is no operation", char::from(other)),
        }
    }

    fn change(&mut self, inode: u64, change: Change) {
        self.files[self.inodes[&inode]].pending.push(change);
    }

    fn names(&self) -> Names {
        let mut names = self.durable.clone();
        self.pending.iter().for_each(|naming| naming.apply(&mut names));
        names
    }

    /// Holds the journal against the directory: what was not journalled would be taken for lost, or for kept. The memory that
    /// SQLite shares through a file is no file's content, and never survives.
    pub fn agrees(&self) -> Result<(), String> {
        let names = self.names();
        let real = tree(&self.root);
        for path in names.keys().chain(real.keys()).filter(|path| !is_shared_memory(path)) {
            match (names.get(path), real.get(path)) {
                (Some(Named::File(file)), Some(Some(bytes))) if self.files[*file].live() == *bytes => {}
                (Some(Named::Directory), Some(None)) => {}
                (journalled, real) => {
                    let real = real.map(|bytes| bytes.as_ref().map(Vec::len));
                    return Err(format!(
                        "{}: the journal has {journalled:?}, the disk {real:?} bytes",
                        path.display()
                    ));
                }
            }
        }
        Ok(())
    }

    /// Writes what a cut leaves to a new directory; `chance` decides what it may.
    pub fn after(&self, cut: Cut, chance: &mut Chance, to: &Path) {
        let mut names = self.durable.clone();
        let kept = if cut == Cut::Lost { 0 } else { chance.below(self.pending.len() + 1) };
        self.pending[..kept].iter().for_each(|naming| naming.apply(&mut names));
        std::fs::create_dir_all(to).expect("a directory");
        // A name below a directory that is lost is lost with it: parents come first in the order of paths.
        for (path, named) in &names {
            let place = to.join(path.strip_prefix(&self.root).expect("it is below the root"));
            if !place.parent().is_some_and(Path::is_dir) || is_shared_memory(path) {
                continue;
            }
            match named {
                Named::Directory => std::fs::create_dir(&place).expect("a directory"),
                Named::File(file) => {
                    std::fs::write(&place, left(&self.files[*file], cut, chance)).expect("a file");
                }
            }
        }
    }

    /// Bytes that are written and not sure to be there.
    pub fn unsynced(&self) -> usize {
        let size = |change: &Change| if let Change::Write(_, bytes) = change { bytes.len() } else { 0 };
        self.files.iter().flat_map(|file| &file.pending).map(size).sum()
    }
}

fn left(file: &File, cut: Cut, chance: &mut Chance) -> Vec<u8> {
    let mut bytes = file.durable.clone();
    if cut == Cut::Lost {
        return bytes;
    }
    for change in &file.pending {
        match change {
            Change::Length(_) if chance.below(2) == 0 => {}
            Change::Length(_) => change.apply(&mut bytes),
            Change::Write(place, new) => {
                let mut done = 0;
                while done < new.len() {
                    let at = place + done;
                    let count = (PAGE - at % PAGE).min(new.len() - done);
                    if chance.below(2) == 1 {
                        page(&mut bytes, at, &new[done..done + count], cut, chance);
                    }
                    done += count;
                }
            }
        }
    }
    bytes
}

fn page(bytes: &mut Vec<u8>, at: usize, new: &[u8], cut: Cut, chance: &mut Chance) {
    if cut == Cut::Some {
        return put(bytes, at, new);
    }
    let mut done = 0;
    while done < new.len() {
        let count = (SECTOR - (at + done) % SECTOR).min(new.len() - done);
        if chance.below(4) > 0 {
            put(bytes, at + done, &new[done..done + count]);
        }
        done += count;
    }
}

fn is_shared_memory(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "db-shm")
}

/// Reads a directory: what is a file has bytes.
fn tree(root: &Path) -> BTreeMap<PathBuf, Option<Vec<u8>>> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(root).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(tree(&path));
            found.insert(path, None);
        } else {
            let bytes = std::fs::read(&path).expect("a file");
            found.insert(path, Some(bytes));
        }
    }
    found
}

type Record<'a> = (u8, u64, usize, &'a [u8], &'a [u8]);

/// Takes the next record off; nothing where it broke off.
pub fn record<'a>(rest: &mut &'a [u8]) -> Option<Record<'a>> {
    let number = |at: usize, count: usize| {
        let mut bytes = [0; 8];
        bytes[..count].copy_from_slice(rest.get(at..at + count)?);
        Some(u64::from_le_bytes(bytes))
    };
    let size = |number: u64| usize::try_from(number).expect("a size");
    let whole = size(number(0, 4)?);
    let record = rest.get(..whole)?;
    let (inode, place, ones) = (number(5, 8)?, size(number(13, 8)?), size(number(21, 4)?));
    *rest = &rest[whole..];
    Some((record[4], inode, place, &record[HEAD..HEAD + ones], &record[HEAD + ones..]))
}

/// Chance by a seed (splitmix64), so that a cut can be made again.
#[derive(Debug, Clone)]
pub struct Chance(pub u64);

impl Chance {
    /// Returns a number below `end`.
    pub fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % end as u64).expect("it is below a size")
    }
}
