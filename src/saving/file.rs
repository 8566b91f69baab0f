//! Files that are replaced as a whole or not at all.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use super::error::SaveError;

/// Reads a file.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>, SaveError> {
    fs::read(path).map_err(|error| failure("reading", path, &error))
}

/// Writes a file, which replaces an earlier one.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<(), SaveError> {
    // A crash must leave the old file or the new one. The new one is therefore written beside the old one, is on the disk
    // before it takes the name, and takes it in one operation.
    let beside = beside(path);
    let done = write_through(&beside, bytes).and_then(|()| fs::rename(&beside, path));
    if done.is_err() {
        // The first error says more than another one of the cleaning.
        let _ = fs::remove_file(&beside);
    }
    done.and_then(|()| sync_folder(path))
        .map_err(|error| failure("writing", path, &error))
}

fn write_through(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Puts the new name on the disk, where folders can be opened.
fn sync_folder(path: &Path) -> io::Result<()> {
    if cfg!(not(unix)) {
        return Ok(());
    }
    let folder = path.parent().filter(|folder| *folder != Path::new(""));
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}

/// Returns the path of the temporary file beside a file.
fn beside(path: &Path) -> PathBuf {
    let mut name = OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(format!(".{}.tmp", std::process::id()));
    path.with_file_name(name)
}

fn failure(task: &'static str, path: &Path, error: &io::Error) -> SaveError {
    SaveError::File {
        task,
        file: path.display().to_string(),
        reason: error.to_string(),
        remedy: match (error.kind(), task) {
            (ErrorKind::NotFound, "reading") => "check the path",
            (ErrorKind::NotFound, _) => "create the folder first",
            (ErrorKind::StorageFull | ErrorKind::QuotaExceeded, _) => {
                "free some space, or save elsewhere; an earlier file is still there"
            }
            (ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem, _) => {
                "check the permissions of the file and its folder"
            }
            (ErrorKind::IsADirectory, _) => "give the path of a file",
            _ => "check the path and the disk",
        },
    }
}
