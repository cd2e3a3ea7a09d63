//! keyfob-jose
