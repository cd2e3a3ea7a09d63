//! The data folder: who may see it, who holds it, and the master key in it.
//!
//! Owns: permissions, the lock that keeps a second server out, `master.key`, the
//! mark of the clock.
//! Does not own: what the store and TLS keep inside.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use app::ClockMark;
use authority::Entropy;
use zeroize::Zeroizing;

use crate::config::permissions::readable_by_others;
use crate::port;

/// Why the data folder cannot be used. Every sentence says what to type next, where typing helps.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    /// The folder cannot be made, read or written.
    #[error("cannot use {path}: {error}", path = path.display())]
    Unusable {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// Others may look into the folder or a secret file.
    #[error("{path} is open to others; type: chmod {mode} {path}", path = path.display())]
    OpenToOthers {
        /// The file or folder.
        path: PathBuf,
        /// The mode it should have.
        mode: &'static str,
    },
    /// Another process holds the folder.
    #[error("{path} is in use by another keyfob; stop that one, or give this one a folder of its own with --data", path = path.display())]
    InUse {
        /// The folder.
        path: PathBuf,
    },
    /// There is a store, but not the key that opens it.
    #[error("{path} is missing, and without it the store beside it cannot be opened; put it back from where you keep it", path = path.display())]
    KeyMissing {
        /// Where the key should be.
        path: PathBuf,
    },
    /// `master.key` does not hold a key.
    #[error("{path} does not hold 32 bytes in base64url; put the right file back", path = path.display())]
    KeyBroken {
        /// The key's file.
        path: PathBuf,
    },
}

/// A data folder that exists and is closed to others.
#[derive(Debug, Clone)]
pub struct DataFolder {
    path: PathBuf,
}

/// Holds the folder until dropped: nobody else serves or writes it meanwhile.
#[derive(Debug)]
pub struct DataLock {
    _file: File,
}

impl DataFolder {
    /// Opens the folder, or makes it with mode 700.
    ///
    /// # Errors
    /// [`DataError::OpenToOthers`] and [`DataError::Unusable`].
    pub fn open(path: &Path) -> Result<Self, DataError> {
        make_private_folder(path)?;
        let path = path.canonicalize().map_err(|error| unusable(path, error))?;
        Ok(Self { path })
    }

    /// The folder itself.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The store's file.
    pub fn store(&self) -> PathBuf {
        self.path.join("keyfob.db")
    }

    /// The folder of certificates made here.
    pub fn tls(&self) -> PathBuf {
        self.path.join("tls")
    }

    /// The folder mails are written to, where there is no mail server.
    pub fn mail(&self) -> PathBuf {
        self.path.join("mail")
    }

    /// The folder in which raises are written down, outside the store.
    pub fn journal(&self) -> PathBuf {
        self.path.join("raises.journal")
    }

    /// The local socket the command line talks to.
    pub fn socket(&self) -> PathBuf {
        self.path.join("admin.sock")
    }

    /// What was last known of the machine's clock; nothing where that cannot be read,
    /// or was kept before the last boot or on another machine: what passed there says
    /// nothing of here.
    pub fn clock_mark(&self) -> Option<ClockMark> {
        let text = fs::read_to_string(self.clock_file()).ok()?;
        let mut words = text.trim_end().split(' ');
        let mark = ClockMark { clock_ms: words.next()?.parse().ok()?, passed_ms: words.next()?.parse().ok()? };
        (words.next() == Some(boot().as_str()) && words.next().is_none()).then_some(mark)
    }

    /// Keeps it for the next start.
    ///
    /// # Errors
    /// [`DataError::Unusable`]
    pub fn keep_clock_mark(&self, mark: ClockMark) -> Result<(), DataError> {
        let text = format!("{} {} {}\n", mark.clock_ms, mark.passed_ms, boot());
        write_private(&self.clock_file(), text.as_bytes())
    }

    fn clock_file(&self) -> PathBuf {
        self.path.join("clock")
    }

    /// Takes the folder for this process. The lock falls with the process, however it ends.
    ///
    /// # Errors
    /// [`DataError::InUse`] if another process has it.
    pub fn lock(&self) -> Result<DataLock, DataError> {
        let path = self.path.join("lock");
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(&path)
            .map_err(|error| unusable(&path, error))?;
        match file.try_lock() {
            Ok(()) => Ok(DataLock { _file: file }),
            Err(TryLockError::WouldBlock) => Err(DataError::InUse { path: self.path.clone() }),
            Err(TryLockError::Error(error)) => Err(unusable(&path, error)),
        }
    }

    /// Loads `master.key`, or makes it while there is no store yet. The lock shows that nobody
    /// else is making one.
    ///
    /// # Errors
    /// [`DataError`]; a key that others may read is refused.
    pub fn master_key(&self, _lock: &DataLock, entropy: &dyn Entropy) -> Result<Zeroizing<[u8; 32]>, DataError> {
        let path = self.master_key_file();
        match read_key(&path)? {
            Some(key) => Ok(key),
            None if self.store().exists() => Err(DataError::KeyMissing { path }),
            None => {
                let key = Zeroizing::new(port::random::<32>(entropy));
                write_key(&path, &key)?;
                Ok(key)
            }
        }
    }

    /// Where the master key is.
    pub fn master_key_file(&self) -> PathBuf {
        self.path.join("master.key")
    }

    /// Where the master key before the last one is kept: old backups want it.
    pub fn old_master_key_file(&self) -> PathBuf {
        self.path.join("master.key.old")
    }

    fn next_master_key_file(&self) -> PathBuf {
        self.path.join("master.key.next")
    }

    /// The key that takes over once the store is sealed under it; there is one only
    /// where that was begun and not seen to end.
    ///
    /// # Errors
    /// [`DataError`]; a key that others may read is refused.
    pub fn next_master_key(&self) -> Result<Option<Zeroizing<[u8; 32]>>, DataError> {
        read_key(&self.next_master_key_file())
    }

    /// Keeps the next key, before anything is sealed under it.
    ///
    /// # Errors
    /// [`DataError::Unusable`]
    pub fn keep_next_master_key(&self, key: &[u8; 32]) -> Result<(), DataError> {
        write_key(&self.next_master_key_file(), key)
    }

    /// The next key takes over; the one before is kept beside it. May be repeated
    /// after a crash at any point.
    ///
    /// # Errors
    /// [`DataError::Unusable`]
    pub fn promote_master_key(&self) -> Result<(), DataError> {
        let path = self.master_key_file();
        if let Some(old) = read_key(&path)? {
            write_key(&self.old_master_key_file(), &old)?;
        }
        let promoted = fs::rename(self.next_master_key_file(), &path).and_then(|()| sync_folder_of(&path));
        promoted.map_err(|error| unusable(&path, error))
    }

    /// Drops a next key under which nothing was sealed.
    ///
    /// # Errors
    /// [`DataError::Unusable`]
    pub fn drop_next_master_key(&self) -> Result<(), DataError> {
        let path = self.next_master_key_file();
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(unusable(&path, error)),
            _ => Ok(()),
        }
    }
}

/// A key of 32 bytes as base64url, or nothing if there is no such file.
///
/// # Errors
/// [`DataError`]; a key that others may read is refused.
pub(crate) fn read_key(path: &Path) -> Result<Option<Zeroizing<[u8; 32]>>, DataError> {
    let path = path.to_owned();
    match fs::metadata(&path) {
        Ok(facts) if readable_by_others(&facts) => Err(DataError::OpenToOthers { path, mode: "600" }),
        Ok(_) => {
            let text = Zeroizing::new(fs::read_to_string(&path).map_err(|error| unusable(&path, error))?);
            let bytes = jose::base64url::decode(text.trim_end()).ok().map(Zeroizing::new);
            let key = bytes.and_then(|bytes| <[u8; 32]>::try_from(bytes.as_slice()).ok());
            key.map(|key| Some(Zeroizing::new(key))).ok_or(DataError::KeyBroken { path })
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(unusable(&path, error)),
    }
}

/// Writes a key whole or not at all, with mode 600.
///
/// # Errors
/// [`DataError::Unusable`]
pub(crate) fn write_key(path: &Path, key: &[u8; 32]) -> Result<(), DataError> {
    let text = Zeroizing::new(jose::base64url::encode(key) + "\n");
    write_private(path, text.as_bytes())
}

/// Makes a folder with mode 700, its parents too; one that is there must be closed to others.
pub(crate) fn make_private_folder(path: &Path) -> Result<(), DataError> {
    DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(|error| unusable(path, error))?;
    let facts = fs::metadata(path).map_err(|error| unusable(path, error))?;
    if readable_by_others(&facts) {
        return Err(DataError::OpenToOthers { path: path.to_owned(), mode: "700" });
    }
    Ok(())
}

/// Writes a file with mode 600, whole or not at all, and safe from a loss of power.
pub(crate) fn write_private(path: &Path, content: &[u8]) -> Result<(), DataError> {
    write_whole(path, content, 0o600)
}

/// The same for a file everybody may read.
pub(crate) fn write_public(path: &Path, content: &[u8]) -> Result<(), DataError> {
    write_whole(path, content, 0o644)
}

fn write_whole(path: &Path, content: &[u8], mode: u32) -> Result<(), DataError> {
    let draft = path.with_added_extension("new");
    let written = || -> io::Result<()> {
        match fs::remove_file(&draft) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = OpenOptions::new().create_new(true).write(true).mode(mode).open(&draft)?;
        file.write_all(content)?;
        file.sync_all()?;
        fs::rename(&draft, path)?;
        sync_folder_of(path)
    };
    written().map_err(|error| unusable(path, error))
}

/// A name that was given survives a loss of power.
pub(crate) fn sync_folder_of(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}

fn unusable(path: &Path, error: io::Error) -> DataError {
    DataError::Unusable { path: path.to_owned(), error }
}

/// Which boot of which machine this is; `-` where the system does not say it, as
/// for a process that sees nothing of `/proc` but itself.
fn boot() -> String {
    let told = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let told = told.trim();
    if told.is_empty() || told.contains(char::is_whitespace) { "-".to_owned() } else { told.to_owned() }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::port::SystemEntropy;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    fn folder() -> (tempfile::TempDir, DataFolder) {
        let outer = tempfile::tempdir().unwrap();
        let data = DataFolder::open(&outer.path().join("deep/data")).unwrap();
        (outer, data)
    }

    #[test]
    fn a_new_folder_and_its_master_key_are_closed_to_others() {
        let (_outer, data) = folder();
        let lock = data.lock().unwrap();
        let key = data.master_key(&lock, &SystemEntropy).unwrap();
        assert_eq!(mode(data.path()), 0o700);
        assert_eq!(mode(&data.path().join("master.key")), 0o600);
        assert_eq!(data.master_key(&lock, &SystemEntropy).unwrap(), key);
    }

    #[test]
    fn a_folder_or_key_that_others_may_read_is_refused_with_the_cure() {
        let (_outer, data) = folder();
        let lock = data.lock().unwrap();
        data.master_key(&lock, &SystemEntropy).unwrap();
        let key = data.path().join("master.key");
        fs::set_permissions(&key, fs::Permissions::from_mode(0o640)).unwrap();
        let refused = data.master_key(&lock, &SystemEntropy).unwrap_err().to_string();
        assert!(refused.ends_with(&format!("type: chmod 600 {}", key.display())), "{refused}");
        fs::set_permissions(data.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let refused = DataFolder::open(data.path()).unwrap_err().to_string();
        assert!(refused.contains("type: chmod 700 "), "{refused}");
    }

    #[test]
    fn a_mark_of_the_clock_is_read_as_it_was_kept_and_a_broken_one_is_none() {
        let (_outer, data) = folder();
        assert_eq!(data.clock_mark(), None);
        let mark = ClockMark { clock_ms: 1_764_000_000_123, passed_ms: 4_567 };
        data.keep_clock_mark(mark).unwrap();
        assert_eq!(data.clock_mark(), Some(mark));
        let other = "1764000000123 4567 00000000-0000-0000-0000-000000000000";
        for text in ["", "1764000000123", "x 1", "1 2", "1 2 3", "1 -", other] {
            fs::write(data.path().join("clock"), text).unwrap();
            assert_eq!(data.clock_mark(), None, "{text}");
        }
    }

    #[test]
    fn a_store_without_its_key_gets_no_new_key() {
        let (_outer, data) = folder();
        let lock = data.lock().unwrap();
        fs::write(data.store(), b"").unwrap();
        assert!(matches!(data.master_key(&lock, &SystemEntropy), Err(DataError::KeyMissing { .. })));
        assert!(!data.path().join("master.key").exists());
    }

    #[test]
    fn a_broken_key_is_refused_and_not_shown() {
        let (_outer, data) = folder();
        let lock = data.lock().unwrap();
        for text in ["", "c2hvcnQ", "!!!!", "QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFB"] {
            write_private(&data.path().join("master.key"), text.as_bytes()).unwrap();
            let refused = data.master_key(&lock, &SystemEntropy).unwrap_err();
            assert!(matches!(refused, DataError::KeyBroken { .. }), "{text}");
            assert!(text.is_empty() || !refused.to_string().contains(text));
        }
    }

    #[test]
    fn the_next_key_takes_over_whole_and_the_old_one_is_kept() {
        let (_outer, data) = folder();
        let lock = data.lock().unwrap();
        let first = data.master_key(&lock, &SystemEntropy).unwrap();
        assert!(data.next_master_key().unwrap().is_none());
        data.keep_next_master_key(&[7; 32]).unwrap();
        assert_eq!(data.master_key(&lock, &SystemEntropy).unwrap(), first, "nothing is sealed under it yet");
        data.promote_master_key().unwrap();
        assert_eq!(*data.master_key(&lock, &SystemEntropy).unwrap(), [7; 32]);
        assert_eq!(read_key(&data.old_master_key_file()).unwrap().unwrap(), first);
        assert_eq!(mode(&data.old_master_key_file()), 0o600);
        assert!(data.next_master_key().unwrap().is_none());
        data.keep_next_master_key(&[8; 32]).unwrap();
        data.drop_next_master_key().unwrap();
        data.drop_next_master_key().unwrap();
        assert!(data.next_master_key().unwrap().is_none());
    }

    #[test]
    fn the_folder_is_held_by_one_at_a_time() {
        let (_outer, data) = folder();
        let lock = data.lock().unwrap();
        assert!(matches!(data.lock(), Err(DataError::InUse { .. })));
        drop(lock);
        data.lock().unwrap();
    }
}
