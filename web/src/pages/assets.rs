//! The files that pages fetch: style sheet and scripts, inside the binary.
//!
//! Owns bytes, content type and the address with the content's hash in it, so that an
//! answer may be cached for ever. Does not serve anything itself.

use std::sync::LazyLock;

/// One file under `/static/`.
#[derive(Debug)]
pub struct Asset {
    stem: &'static str,
    extension: &'static str,
    /// The file's bytes, UTF-8.
    pub bytes: &'static [u8],
    /// The value for `Content-Type`.
    pub content_type: &'static str,
    path: LazyLock<String>,
}

const CSS: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const SVG: &str = "image/svg+xml";

const STYLE_BYTES: &[u8] = include_bytes!("../../assets/style.css");
const PASSKEY_BYTES: &[u8] = include_bytes!("../../assets/passkey.js");
const FORM_POST_BYTES: &[u8] = include_bytes!("../../assets/form-post.js");
const ICON_BYTES: &[u8] = include_bytes!("../../assets/icon.svg");

/// The one style sheet.
pub static STYLE: Asset = Asset {
    stem: "style",
    extension: "css",
    bytes: STYLE_BYTES,
    content_type: CSS,
    path: LazyLock::new(|| STYLE.address()),
};

/// Registration and sign-in with a passkey.
pub static PASSKEY: Asset = Asset {
    stem: "passkey",
    extension: "js",
    bytes: PASSKEY_BYTES,
    content_type: SCRIPT,
    path: LazyLock::new(|| PASSKEY.address()),
};

/// Submits the form of [`crate::pages::consent::FormPost`].
pub static FORM_POST: Asset = Asset {
    stem: "form-post",
    extension: "js",
    bytes: FORM_POST_BYTES,
    content_type: SCRIPT,
    path: LazyLock::new(|| FORM_POST.address()),
};

/// The sign in the browser's tab.
pub static ICON: Asset = Asset {
    stem: "icon",
    extension: "svg",
    bytes: ICON_BYTES,
    content_type: SVG,
    path: LazyLock::new(|| ICON.address()),
};

impl Asset {
    /// Every asset there is.
    pub fn all() -> [&'static Self; 4] {
        [&STYLE, &PASSKEY, &FORM_POST, &ICON]
    }

    /// The asset whose [`Asset::path`] is exactly `path`; an old hash finds nothing.
    pub fn at(path: &str) -> Option<&'static Self> {
        Self::all().into_iter().find(|asset| asset.path() == path)
    }

    /// The address, `/static/<stem>-<hash>.<extension>`; answers may say `immutable`.
    pub fn path(&self) -> &str {
        &self.path
    }

    fn address(&self) -> String {
        format!("/static/{}-{:016x}.{}", self.stem, fnv1a(self.bytes), self.extension)
    }
}

/// FNV-1a, 64 bit: tells our own versions of a file apart. Nothing relies on it for security.
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_asset_is_found_at_its_own_address_only() {
        for asset in Asset::all() {
            let found = Asset::at(asset.path()).expect("an asset is found at its path");
            assert_eq!(found.bytes, asset.bytes);
            assert!(!asset.bytes.is_empty());
        }
        assert!(Asset::at("/static/style-0000000000000000.css").is_none());
        assert!(Asset::at("/static/../Cargo.toml").is_none());
    }

    #[test]
    fn the_address_changes_with_the_content() {
        assert_ne!(fnv1a(b"a{}"), fnv1a(b"b{}"));
        assert_eq!(fnv1a(b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fnv1a(b"a"), 0xaf63_dc4c_8601_ec8c);
    }
}
