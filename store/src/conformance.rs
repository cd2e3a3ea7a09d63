//! The suite every store must pass: one function per sentence, each given a
//! fresh store. [`conformance_tests!`](crate::conformance_tests) makes one test
//! of each.
//!
//! Owns the cases and their sample records. Compiled for tests alone.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "the cases are tests: their names say what they prove, and a broken store is told by a panic"
)]

pub mod empty;

use identity::{Kind, Record};

/// Every kind of record there is.
pub const KINDS: [Kind; 19] = [
    identity::Product::KIND,
    identity::TrustAnchor::KIND,
    identity::Device::KIND,
    identity::Credential::KIND,
    identity::Account::KIND,
    identity::User::KIND,
    identity::Passkey::KIND,
    identity::Asset::KIND,
    identity::Bond::KIND,
    identity::BrowserSession::KIND,
    identity::DeviceSession::KIND,
    identity::MailToken::KIND,
    identity::Import::KIND,
    oauth::Client::KIND,
    oauth::Consent::KIND,
    oauth::AuthorizationCode::KIND,
    oauth::TokenFamily::KIND,
    oauth::Pairing::KIND,
    oauth::SigningKey::KIND,
];

/// Makes one `#[tokio::test]` of every case. `$open` is an async function that
/// answers a fresh, empty store as `Arc<dyn Store>` with whatever must live as
/// long as it (a folder, a database), for the issuer and limits of
/// [`sample::tenant`](crate::conformance::sample::tenant).
#[macro_export]
macro_rules! conformance_tests {
    ($open:path) => {
        $crate::conformance_tests! {
            $open;
            empty {
                every_question_has_an_answer,
            }
        }
    };
    ($open:path; $($part:ident { $($case:ident,)* })*) => {
        $(mod $part {
            $(#[tokio::test]
            async fn $case() {
                let (store, _kept) = $open().await;
                $crate::conformance::$part::$case(store).await;
            })*
        })*
    };
}
