//! What just happened, from the post to the page that follows: in a cookie of a
//! minute, so that no address can make a page say it.

use axum::http::{HeaderMap, HeaderValue};

use super::cookie::{self, DONE};
use crate::pages::my::Done;

/// Longer names are cut: the cookie stays small.
const NAME: usize = 120;

/// The cookie that tells.
pub(super) fn remember(done: &Done) -> Option<HeaderValue> {
    let (word, name) = words(done);
    let name: String = name.chars().take(NAME).collect();
    let value = url::form_urlencoded::Serializer::new(String::new()).append_pair(word, &name).finish();
    cookie::set(DONE, &value, Some(60))
}

/// What it told.
pub(super) fn recall(headers: &HeaderMap) -> Option<Done> {
    let value = cookie::read(headers, DONE)?;
    let (word, name) = url::form_urlencoded::parse(value.as_bytes()).next()?;
    let name = name.into_owned();
    Some(match word.as_ref() {
        "paired" => Done::Paired { thing: name },
        "access-ended" => Done::AccessEnded { who: name },
        "thing-removed" => Done::ThingRemoved { thing: name },
        "access-confirmed" => Done::AccessConfirmed { who: name },
        "member-confirmed" => Done::MemberConfirmed { who: name },
        "passkey-added" => Done::PasskeyAdded,
        "passkey-renamed" => Done::PasskeyRenamed,
        "passkey-removed" => Done::PasskeyRemoved,
        "session-ended" => Done::SessionEnded,
        "sessions-ended" => Done::SessionsEnded,
        "app-ended" => Done::AppEnded { name },
        "password-changed" => Done::PasswordChanged,
        _ => return None,
    })
}

fn words(done: &Done) -> (&'static str, &str) {
    match done {
        Done::Paired { thing } => ("paired", thing),
        Done::AccessEnded { who } => ("access-ended", who),
        Done::ThingRemoved { thing } => ("thing-removed", thing),
        Done::AccessConfirmed { who } => ("access-confirmed", who),
        Done::MemberConfirmed { who } => ("member-confirmed", who),
        Done::PasskeyAdded => ("passkey-added", ""),
        Done::PasskeyRenamed => ("passkey-renamed", ""),
        Done::PasskeyRemoved => ("passkey-removed", ""),
        Done::SessionEnded => ("session-ended", ""),
        Done::SessionsEnded => ("sessions-ended", ""),
        Done::AppEnded { name } => ("app-ended", name),
        Done::PasswordChanged => ("password-changed", ""),
    }
}

#[cfg(test)]
mod tests {
    use axum::http::header;

    use super::*;

    #[test]
    fn a_name_with_all_sorts_of_signs_comes_back_as_it_went() {
        let set = remember(&Done::AccessEnded { who: "Bianca; a=\"1\", \u{fc} & Söhne".into() }).unwrap();
        let pair = set.to_str().unwrap().split(';').next().unwrap().to_owned();
        let headers = [(header::COOKIE, HeaderValue::from_str(&pair).unwrap())].into_iter().collect();
        let Some(Done::AccessEnded { who }) = recall(&headers) else { panic!("it tells") };
        assert_eq!(who, "Bianca; a=\"1\", \u{fc} & Söhne");
    }

    #[test]
    fn what_we_never_said_is_not_told() {
        let headers = [(header::COOKIE, HeaderValue::from_static("__Host-done=you-won=a+car"))].into_iter().collect();
        assert!(recall(&headers).is_none());
    }
}
