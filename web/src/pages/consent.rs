//! What a person sees while an app asks for access, and the way back to the app.

use askama::Template;

use super::assets;
use super::frame::Frame;

/// An app asks; the person decides. Not shown when nothing new is asked.
///
/// Goes out under [`super::csp::consent_policy`].
#[derive(Template)]
#[template(path = "consent.html")]
pub struct Consent {
    /// Around the page; `viewer` is the person who decides.
    pub frame: Frame,
    /// The app's registered name.
    pub client: String,
    /// The address of the person who decides, so that nobody allows from the wrong account.
    pub email: String,
    /// The scopes that are new, as asked; shown as sentences.
    pub asks: Vec<String>,
    /// What the app was allowed before; empty at the first time.
    pub has: Vec<String>,
    /// Host (and port) of the redirect URI, or the whole of a private-scheme URI.
    pub returns_to: String,
    /// Names the waiting authorization request; goes back as field `request`.
    pub request: String,
}

/// An authorization response on its way to the app (OAuth 2.0 Form Post Response Mode §2):
/// a form that a script submits, with a button for browsers without script.
///
/// Goes out under [`super::csp::form_post_policy`].
#[derive(Template)]
#[template(path = "form_post.html")]
pub struct FormPost {
    /// Around the page; its `csrf` is not used and must not go to another site.
    pub frame: Frame,
    /// The app's registered name.
    pub client: String,
    /// The registered redirect URI, exactly.
    pub action: String,
    /// Names and values of the response (`code`, `state`, `iss`, or `error` …), as they are.
    pub fields: Vec<(String, String)>,
    /// The script nonce of this answer.
    pub nonce: String,
}

impl FormPost {
    fn script(&self) -> &'static str {
        assets::FORM_POST.path()
    }
}
