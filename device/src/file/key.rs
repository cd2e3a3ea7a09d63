//! The device's key in a file: PKCS#8 (RFC 5958) as PEM, the form that also
//! serves as the key of a client certificate.

use std::path::{Path, PathBuf};
use std::string::String;
use std::vec::Vec;

use jose::{Alg, Jwk, KeyError, SignError, Signer, SigningKey};
use zeroize::Zeroizing;

use super::pem;
use super::private::{self, FileError};
use crate::vault::KeyMaterial;

/// A key read from a file of mode 600.
#[derive(Debug)]
pub struct FileKey(SigningKey);

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
#[error("{}: {cause}", path.display())]
pub struct KeyFileError {
    /// The file.
    pub path: PathBuf,
    /// The cause.
    pub cause: FileError,
}

impl FileKey {
    /// Reads the key. Its kind decides the algorithm: P-256 signs ES256,
    /// P-384 ES384, Ed25519 EdDSA, RSA RS256.
    ///
    /// # Errors
    /// [`FileError::Exposed`] when others may read it, [`FileError::Content`]
    /// when it is no such key, [`FileError::Io`] when there is none.
    pub fn open(path: &Path) -> Result<FileKey, KeyFileError> {
        let found = read(path).map_err(|cause| KeyFileError { path: path.into(), cause })?;
        let absent = FileError::Io(std::io::ErrorKind::NotFound.into());
        found.ok_or(KeyFileError { path: path.into(), cause: absent })
    }

    /// Reads the key, or makes one of this algorithm where there is none. When
    /// two processes do so at once, one makes it and both have the same.
    ///
    /// # Errors
    /// As [`FileKey::open`]; [`FileError::Content`] also when no key of this
    /// algorithm can be made.
    pub fn open_or_create(path: &Path, alg: Alg) -> Result<FileKey, KeyFileError> {
        let made = || -> Result<FileKey, FileError> {
            if let Some(key) = read(path)? {
                return Ok(key);
            }
            let key = SigningKey::generate(alg).and_then(|key| key.to_pkcs8());
            let der = key.map_err(|_: KeyError| FileError::Content)?;
            private::create(path, pem::private_key(&der).as_bytes())?;
            read(path)?.ok_or(FileError::Content)
        };
        made().map_err(|cause| KeyFileError { path: path.into(), cause })
    }
}

fn read(path: &Path) -> Result<Option<FileKey>, FileError> {
    let Some(bytes) = private::read(path)? else {
        return Ok(None);
    };
    let der = pem::read_private_key(&bytes).ok_or(FileError::Content)?;
    parse(&der).map(|key| Some(FileKey(key))).ok_or(FileError::Content)
}

/// The kind of key decides the algorithm.
fn parse(der: &[u8]) -> Option<SigningKey> {
    let kinds = [Alg::ES256, Alg::EdDSA, Alg::ES384, Alg::RS256];
    kinds.into_iter().find_map(|alg| SigningKey::from_pkcs8(alg, der).ok())
}

/// Software keys in a [`Vault`](crate::vault::Vault), as PKCS#8.
impl KeyMaterial {
    /// Makes a key of this algorithm.
    ///
    /// # Errors
    /// [`FileError::Content`] when no key of this algorithm can be made.
    pub fn generate(alg: Alg) -> Result<KeyMaterial, FileError> {
        let der = SigningKey::generate(alg).and_then(|key| key.to_pkcs8()).map_err(|_| FileError::Content)?;
        KeyMaterial::new(der.to_vec()).map_err(|_| FileError::Content)
    }

    /// The key, ready to sign. P-256 signs ES256, P-384 ES384, Ed25519 EdDSA,
    /// RSA RS256.
    ///
    /// # Errors
    /// [`FileError::Content`] when these bytes are no PKCS#8 of such a key.
    pub fn signing_key(&self) -> Result<SigningKey, FileError> {
        parse(self.expose()).ok_or(FileError::Content)
    }

    /// The key as PEM, the form in which `client::Tls` takes the
    /// key of a client certificate.
    pub fn to_pem(&self) -> Zeroizing<String> {
        pem::private_key(self.expose())
    }
}

impl Signer for FileKey {
    fn alg(&self) -> Alg {
        self.0.alg()
    }

    fn jwk(&self) -> &Jwk {
        self.0.jwk()
    }

    fn sign(&self, input: &[u8]) -> Result<Vec<u8>, SignError> {
        self.0.sign(input)
    }
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::super::private::permissions::{mode, set_mode};
    use super::*;
    use std::fs;

    #[test]
    fn a_key_is_made_once_private_and_read_back() {
        let folder = tempfile::tempdir().unwrap();
        for (name, alg) in [("p256", Alg::ES256), ("p384", Alg::ES384), ("ed", Alg::EdDSA)] {
            let path = folder.path().join(name);
            let made = FileKey::open_or_create(&path, alg).unwrap();
            assert_eq!(mode(&path), 0o600);
            let read = FileKey::open_or_create(&path, Alg::ES256).unwrap();
            assert_eq!((read.alg(), read.jwk()), (alg, made.jwk()));
        }
        // Nothing is left beside them.
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 3);
    }

    #[test]
    fn a_key_others_may_read_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        FileKey::open_or_create(&path, Alg::ES256).unwrap();
        for open in [0o640, 0o604, 0o620, 0o610] {
            set_mode(&path, open);
            assert!(matches!(FileKey::open(&path).unwrap_err().cause, FileError::Exposed), "{open:o}");
        }
    }

    #[test]
    fn what_is_no_key_is_refused_and_never_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        fs::write(&path, "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n").unwrap();
        set_mode(&path, 0o600);
        let before = fs::read(&path).unwrap();
        assert!(matches!(FileKey::open_or_create(&path, Alg::ES256).unwrap_err().cause, FileError::Content));
        assert_eq!(fs::read(&path).unwrap(), before);
        assert!(FileKey::open(&folder.path().join("none")).is_err());
        assert!(matches!(FileKey::open(folder.path()).unwrap_err().cause, FileError::NotAFile));
    }

    #[test]
    fn many_who_make_the_same_key_at_once_have_the_same_key() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        let keys: Vec<Jwk> = std::thread::scope(|scope| {
            let make = || FileKey::open_or_create(&path, Alg::ES256).unwrap().jwk().clone();
            let all: Vec<_> = (0..8).map(|_| scope.spawn(make)).collect();
            all.into_iter().map(|one| one.join().unwrap()).collect()
        });
        assert!(keys.windows(2).all(|pair| pair[0] == pair[1]));
    }

    #[test]
    fn debug_output_shows_no_private_key() {
        let folder = tempfile::tempdir().unwrap();
        let key = FileKey::open_or_create(&folder.path().join("key"), Alg::ES256).unwrap();
        assert!(std::format!("{key:?}").starts_with("FileKey(SigningKey(ES256, "));
    }
}
