//! The two places of a vault as two files of mode 600. Owns: that nothing but
//! the place asked for is touched, that it is on the disk when synced, and that
//! one program at a time has them.

use std::ffi::OsString;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::vec::Vec;

use zeroize::Zeroizing;

use super::private::{self, FileError};
use crate::vault::{Flash, Slot};

/// What a file holds at most, in bytes.
const CAPACITY: usize = 32 * 1024;

/// `NAME.a` and `NAME.b`, held against other programs by `NAME.lock`.
#[derive(Debug)]
pub struct FileFlash {
    a: PathBuf,
    b: PathBuf,
    _lock: File,
}

impl FileFlash {
    /// Takes the files of this name; none is read or made yet.
    ///
    /// # Errors
    /// [`FileError::InUse`] while another program has them, [`FileError::Io`].
    pub fn open(name: &Path) -> Result<FileFlash, FileError> {
        let lock = private::open_lock(name)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(std::fs::TryLockError::WouldBlock) => return Err(FileError::InUse),
            Err(std::fs::TryLockError::Error(error)) => return Err(error.into()),
        }
        let with = |end| {
            let mut path = OsString::from(name);
            path.push(end);
            PathBuf::from(path)
        };
        Ok(FileFlash { a: with(".a"), b: with(".b"), _lock: lock })
    }

    fn path(&self, slot: Slot) -> &Path {
        match slot {
            Slot::A => &self.a,
            Slot::B => &self.b,
        }
    }
}

impl Flash for FileFlash {
    type Error = FileError;

    fn capacity(&self) -> usize {
        CAPACITY
    }

    fn read(&mut self, slot: Slot) -> Result<Zeroizing<Vec<u8>>, FileError> {
        Ok(private::read(self.path(slot))?.unwrap_or_default())
    }

    fn erase(&mut self, slot: Slot) -> Result<(), FileError> {
        Ok(private::open_to_write(self.path(slot))?.set_len(0)?)
    }

    fn write(&mut self, slot: Slot, bytes: &[u8]) -> Result<(), FileError> {
        Ok(private::open_to_write(self.path(slot))?.write_all(bytes)?)
    }

    fn sync(&mut self, slot: Slot) -> Result<(), FileError> {
        match File::open(self.path(slot)) {
            Ok(file) => file.sync_all()?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error.into()),
        }
        // A new file is there once its folder is written.
        private::sync_folder(self.path(slot))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vault::{KeyMaterial, Vault, VaultError};
    use jose::digest::sha256;
    use jose::{Alg, Signer};

    #[test]
    fn a_key_in_files_is_there_again_and_signs() {
        let folder = tempfile::tempdir().unwrap();
        let name = folder.path().join("vault");
        for alg in [Alg::ES256, Alg::EdDSA, Alg::ES384] {
            let key = KeyMaterial::generate(alg).unwrap();
            let mut vault = Vault::open(FileFlash::open(&name).unwrap(), sha256).unwrap();
            vault.keep_key(key.clone()).unwrap();
            drop(vault);
            let mut vault = Vault::open(FileFlash::open(&name).unwrap(), sha256).unwrap();
            let kept = vault.state().key.clone().unwrap();
            let (made, read) = (key.signing_key().unwrap(), kept.signing_key().unwrap());
            assert_eq!((read.alg(), read.jwk()), (alg, made.jwk()));
            assert_eq!(vault.keep_key(key).unwrap_err().to_string(), "there is a key already");
            vault.erase().unwrap();
        }
        for place in ["vault.a", "vault.b"] {
            let text = std::fs::read(folder.path().join(place)).unwrap();
            assert!(!String::from_utf8_lossy(&text).contains("key"), "{place} still holds a key");
        }
    }

    #[test]
    fn one_program_at_a_time_has_a_vault() {
        let folder = tempfile::tempdir().unwrap();
        let name = folder.path().join("vault");
        let held = FileFlash::open(&name).unwrap();
        assert!(matches!(FileFlash::open(&name), Err(FileError::InUse)));
        drop(held);
        assert!(FileFlash::open(&name).is_ok());
    }

    #[cfg(unix)]
    #[test]
    fn a_vault_is_for_its_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let name = folder.path().join("vault");
        let mut vault = Vault::open(FileFlash::open(&name).unwrap(), sha256).unwrap();
        vault.keep_key(KeyMaterial::generate(Alg::ES256).unwrap()).unwrap();
        drop(vault);
        let place = folder.path().join("vault.a");
        assert_eq!(private::permissions::mode(&place), 0o600);
        private::permissions::set_mode(&place, 0o640);
        let opened = Vault::open(FileFlash::open(&name).unwrap(), sha256);
        assert!(matches!(opened, Err(VaultError::Flash(FileError::Exposed))));
    }

    use std::string::{String, ToString};
}
