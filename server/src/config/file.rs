//! Files that the configuration names, none of them read without a limit: a name that
//! slipped to something endless is told as a mistake instead of filling the memory.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use zeroize::Zeroizing;

use super::reader::Section;

/// Most bytes of certificates and keys; a hundred authorities are some 200 kB.
pub(crate) const MAX_BYTES: u64 = 1 << 20;

/// Reads a file of at most so many bytes.
///
/// # Errors
/// What the system said, or that it is too large.
pub(crate) fn read(path: &Path, max: u64) -> io::Result<Zeroizing<Vec<u8>>> {
    let mut bytes = Zeroizing::new(Vec::new());
    // Not by its size as told: what is no plain file has none.
    File::open(path)?.take(max.saturating_add(1)).read_to_end(&mut bytes)?;
    if u64::try_from(bytes.len()).is_ok_and(|length| length > max) {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("it is larger than {max} bytes")));
    }
    Ok(bytes)
}

/// The same, for a sentence about the configuration.
pub(super) fn told(path: &Path, max: u64) -> Result<Zeroizing<Vec<u8>>, String> {
    read(path, max).map_err(|error| format!("cannot read {}: {error}", path.display()))
}

/// The text of such a file.
pub(super) fn text(path: &Path, max: u64) -> Result<Zeroizing<String>, String> {
    let bytes = told(path, max)?;
    let text = core::str::from_utf8(&bytes).map_err(|_| format!("cannot read {}: it is no text", path.display()))?;
    Ok(Zeroizing::new(text.to_owned()))
}

/// Certificate authorities (PEM, one or several) as DER; what is wrong with the file
/// is a mistake of this setting.
pub(super) fn authorities(section: &Section<'_>, key: &str, path: &Path) -> Option<Vec<Vec<u8>>> {
    let parsed = told(path, MAX_BYTES)
        .and_then(|pem| pki::Certificate::parse_pem(&pem).map_err(|error| format!("{}: {error}", path.display())));
    match parsed {
        Ok(certificates) => Some(certificates.iter().map(|one| one.der().to_vec()).collect()),
        Err(reason) => {
            section.mistake(key, reason);
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_to_its_last_byte_and_one_byte_more_is_too_much() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        std::fs::write(&path, [b'x'; 64]).unwrap();
        assert_eq!(read(&path, 64).unwrap().len(), 64);
        assert_eq!(told(&path, 63).unwrap_err(), format!("cannot read {}: it is larger than 63 bytes", path.display()));
        assert!(told(Path::new("/dev/zero"), 4096).unwrap_err().ends_with("it is larger than 4096 bytes"));
        assert!(told(&folder.path().join("none"), 1).is_err());
    }
}
