//! Tokens in a file. Owns: that there is always one whole set, the old or the
//! new, and that two programs do not use one refresh token at once.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::string::ToString;

use serde_json::Value;
use zeroize::Zeroizing;

use super::private::{self, FileError};
use crate::Kept;

/// One set of tokens in a file of mode 600.
#[derive(Clone, Debug)]
pub struct TokenFile(PathBuf);

impl TokenFile {
    /// Names the file; nothing is read or made yet.
    pub fn new(path: impl Into<PathBuf>) -> TokenFile {
        TokenFile(path.into())
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Waits until no other program holds the tokens, and holds them until the
    /// guard is dropped. Take it before a refresh: a refresh token used twice
    /// ends the whole pairing (RFC 9700 §4.14.2).
    ///
    /// # Errors
    /// [`FileError::Io`].
    pub fn lock(&self) -> Result<Lock, FileError> {
        let file = private::open_lock(&self.0)?;
        file.lock()?;
        Ok(Lock { _file: file })
    }

    /// Reads the tokens; `None` when there are none.
    ///
    /// # Errors
    /// [`FileError`].
    pub fn load(&self) -> Result<Option<Kept>, FileError> {
        let Some(bytes) = private::read(&self.0)? else {
            return Ok(None);
        };
        let members = jose::json::parse_object(&bytes).map_err(|_| FileError::Content)?;
        Kept::read(&members).map(Some).map_err(|_| FileError::Content)
    }

    /// Puts these tokens in the place of the old ones. When it returns, they
    /// outlast a loss of power; when it fails, the old ones are still there.
    ///
    /// # Errors
    /// [`FileError::Io`].
    pub fn replace(&self, kept: &Kept) -> Result<(), FileError> {
        let members = kept.to_members();
        private::replace(&self.0, Zeroizing::new(Value::Object(members).to_string()).as_bytes())
    }

    /// Forgets the tokens, for example when the device is handed on.
    ///
    /// # Errors
    /// [`FileError::Io`].
    pub fn remove(&self) -> Result<(), FileError> {
        private::remove(&self.0)
    }
}

/// Holds the tokens of a file against other programs.
#[derive(Debug)]
#[must_use = "dropping it lets other programs at the tokens"]
pub struct Lock {
    _file: File,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Secret, TokenType, Tokens};

    fn kept(refresh: &str) -> Kept {
        let tokens = Tokens {
            access_token: Secret::new("at_1"),
            token_type: TokenType::Dpop,
            expires_in: Some(3600),
            refresh_token: Some(Secret::new(refresh)),
            scope: Some("cloud:stream".into()),
            issued_token_type: None,
        };
        Kept { tokens, received_at: 1_750_000_000 }
    }

    #[test]
    fn what_is_kept_is_read_back_and_replaced_whole() {
        let folder = tempfile::tempdir().unwrap();
        let file = TokenFile::new(folder.path().join("tokens.json"));
        assert_eq!(file.load().unwrap(), None);
        for refresh in ["rt_1", "rt_2"] {
            file.replace(&kept(refresh)).unwrap();
            assert_eq!(file.load().unwrap(), Some(kept(refresh)));
        }
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
        file.remove().unwrap();
        file.remove().unwrap();
        assert_eq!(file.load().unwrap(), None);
    }

    #[test]
    fn a_write_that_was_cut_off_leaves_the_old_tokens() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tokens.json");
        let file = TokenFile::new(&path);
        file.replace(&kept("rt_1")).unwrap();
        // What a loss of power before the rename leaves behind, under the very
        // name this process would take next.
        for number in 0..64 {
            let name = std::format!("{}.{}-{number}.new", path.display(), std::process::id());
            std::fs::write(name, "{\"access_tok").unwrap();
        }
        assert_eq!(file.load().unwrap(), Some(kept("rt_1")));
        file.replace(&kept("rt_2")).unwrap();
        assert_eq!(file.load().unwrap(), Some(kept("rt_2")));
    }

    #[cfg(unix)]
    #[test]
    fn tokens_are_for_their_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let file = TokenFile::new(folder.path().join("tokens.json"));
        file.replace(&kept("rt_1")).unwrap();
        assert_eq!(private::permissions::mode(file.path()), 0o600);
        private::permissions::set_mode(file.path(), 0o644);
        assert!(matches!(file.load(), Err(FileError::Exposed)));
    }

    #[test]
    fn one_program_at_a_time_holds_the_tokens() {
        let folder = tempfile::tempdir().unwrap();
        let file = TokenFile::new(folder.path().join("tokens.json"));
        let held = file.lock().unwrap();
        let other = private::open_lock(file.path()).unwrap();
        assert!(other.try_lock().is_err());
        drop(held);
        assert!(other.try_lock().is_ok());
    }

    #[test]
    fn tokens_of_unknown_or_spent_life_are_not_fresh() {
        let mut kept = kept("rt_1");
        assert!(kept.is_fresh(1_750_000_000, 60));
        assert!(kept.is_fresh(1_750_003_539, 60));
        assert!(!kept.is_fresh(1_750_003_540, 60));
        kept.tokens.expires_in = None;
        assert!(!kept.is_fresh(1_750_000_000, 0));
    }
}
