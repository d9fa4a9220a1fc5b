//! Files that stand in the place of former ones: whole or not at all, also where the power goes.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

/// The mode of a file that only its owner may read.
pub(crate) const OWNER_ALONE: u32 = 0o600;
/// The mode of a file for everybody whom the directory lets in.
pub(crate) const SHARED: u32 = 0o644;

/// Writes a file in the place of a former one. It is durable when this returns, and so is its name.
pub(crate) fn replace(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let unfinished = path.with_file_name(name);
    // What a write that was cut off has left may have another mode.
    let _ = fs::remove_file(&unfinished);
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&unfinished)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&unfinished, path)?;
    File::open(path.parent().unwrap_or(path))?.sync_all()
}
