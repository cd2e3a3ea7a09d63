//! Tokens seen before: key is the SHA-256 of the token, a hit spares the
//! signature and nothing else. Every hit has its times and anchors checked again.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use crate::token::SoundToken;

/// A bounded cache of sound tokens.
#[derive(Debug)]
pub(crate) struct TokenCache {
    entries: RwLock<HashMap<[u8; 32], Arc<SoundToken>>>,
    room: usize,
}

impl TokenCache {
    /// Room for so many tokens.
    pub(crate) fn new(room: usize) -> Self {
        Self { entries: RwLock::default(), room }
    }

    /// Whether a token was seen before.
    pub(crate) fn knows(&self, digest: &[u8; 32]) -> bool {
        self.entries.read().unwrap_or_else(PoisonError::into_inner).contains_key(digest)
    }

    /// A token seen before.
    pub(crate) fn find(&self, digest: &[u8; 32]) -> Option<Arc<SoundToken>> {
        self.entries.read().unwrap_or_else(PoisonError::into_inner).get(digest).cloned()
    }

    /// Remembers a token. Where there is no room, dead ones go first, then all:
    /// losing an entry costs one verification.
    pub(crate) fn remember(&self, digest: [u8; 32], token: Arc<SoundToken>, now: i64) {
        let mut entries = self.entries.write().unwrap_or_else(PoisonError::into_inner);
        if entries.len() >= self.room {
            entries.retain(|_, known| known.claims().exp >= now);
        }
        if entries.len() >= self.room {
            entries.clear();
        }
        entries.insert(digest, token);
    }
}
