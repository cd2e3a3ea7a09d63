//! A small file that only its owner reads. Owns: mode 600, and that a loss of
//! power leaves the old content or the new, never half of one. The one place
//! of this crate that knows which operating system it runs on.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::vec::Vec;

use zeroize::Zeroizing;

/// The largest file read, in bytes.
const MAX_LEN: u64 = 64 * 1024;

/// Why a file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// Others than the owner may read or write it.
    #[error("others may read or write this file; make it private with chmod 600")]
    Exposed,
    /// Larger than 64 KiB, or no regular file.
    #[error("not a small regular file")]
    NotAFile,
    /// What it holds is not what belongs there.
    #[error("the content is not what belongs here")]
    Content,
    /// Another program holds it.
    #[error("another program uses it")]
    InUse,
    /// The file system says no.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Reads a private file; `None` when there is none.
pub(super) fn read(path: &Path) -> Result<Option<Zeroizing<Vec<u8>>>, FileError> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    // Asked of the open file, so that it cannot be exchanged in between.
    let metadata = file.metadata()?;
    if !metadata.is_file() || metadata.len() > MAX_LEN {
        return Err(FileError::NotAFile);
    }
    #[cfg(unix)]
    if std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o077 != 0 {
        return Err(FileError::Exposed);
    }
    let mut bytes = Zeroizing::new(Vec::new());
    file.take(MAX_LEN).read_to_end(&mut bytes)?;
    Ok(Some(bytes))
}

/// Puts new content in the place of the old, or of nothing.
pub(super) fn replace(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    let temporary = write_beside(path, bytes)?;
    fs::rename(&temporary, path).inspect_err(|_| {
        let _ = fs::remove_file(&temporary);
    })?;
    sync_folder(path)
}

/// Writes a file that must not exist yet. False when there is one: it is left
/// as it is.
pub(super) fn create(path: &Path, bytes: &[u8]) -> Result<bool, FileError> {
    let temporary = write_beside(path, bytes)?;
    // A link, unlike a rename, fails where something is in its place.
    let linked = fs::hard_link(&temporary, path);
    let _ = fs::remove_file(&temporary);
    match linked {
        Ok(()) => sync_folder(path).map(|()| true),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Removes a file; absence is no error.
pub(super) fn remove(path: &Path) -> Result<(), FileError> {
    match fs::remove_file(path) {
        Ok(()) => sync_folder(path),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Opens a file to lock it, and makes it where there is none.
pub(super) fn open_lock(path: &Path) -> Result<File, FileError> {
    let mut name = OsString::from(path);
    name.push(".lock");
    Ok(private(OpenOptions::new().write(true).create(true).truncate(false)).open(name)?)
}

/// Opens a private file to write it, and makes it where there is none.
pub(super) fn open_to_write(path: &Path) -> Result<File, FileError> {
    let file = private(OpenOptions::new().write(true).create(true).truncate(false)).open(path)?;
    if file.metadata()?.is_file() { Ok(file) } else { Err(FileError::NotAFile) }
}

fn write_beside(path: &Path, bytes: &[u8]) -> Result<PathBuf, FileError> {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    loop {
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let mut name = OsString::from(path);
        name.push(std::format!(".{}-{number}.new", std::process::id()));
        let temporary = PathBuf::from(name);
        match private(OpenOptions::new().write(true).create_new(true)).open(&temporary) {
            Ok(mut file) => {
                let written = file.write_all(bytes).and_then(|()| file.sync_all());
                return match written {
                    Ok(()) => Ok(temporary),
                    Err(error) => {
                        let _ = fs::remove_file(&temporary);
                        Err(error.into())
                    }
                };
            }
            // Left behind by a process of this number that lost its power.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error.into()),
        }
    }
}

fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
    options
}

/// A rename lasts once its folder is written.
pub(super) fn sync_folder(path: &Path) -> Result<(), FileError> {
    #[cfg(unix)]
    {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        File::open(folder)?.sync_all()?;
    }
    #[cfg(not(unix))]
    let _ = path;
    Ok(())
}

/// Permissions, for the tests of whatever lies in such files.
#[cfg(test)]
pub(super) mod permissions {
    #[cfg(unix)]
    use std::{fs, os::unix::fs::PermissionsExt, path::Path};

    #[cfg(unix)]
    pub(in crate::file) fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[cfg(unix)]
    pub(in crate::file) fn set_mode(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }
}
