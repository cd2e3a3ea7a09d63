//! Every sentence a person reads, looked up by key in `texts/<language>.ftl`.
//!
//! Owns the loader, the cleaning of values that go into sentences, and the table that
//! turns scopes into words. Does not own escaping: the template escapes.

use std::borrow::Cow;
use std::sync::LazyLock;

use fluent_bundle::concurrent::FluentBundle;
use fluent_bundle::{FluentArgs, FluentResource, FluentValue};
use unic_langid::langid;

const ENGLISH: &str = include_str!("../../texts/en.ftl");

static EN: LazyLock<FluentBundle<FluentResource>> = LazyLock::new(|| {
    let resource = FluentResource::try_new(ENGLISH.to_owned()).expect("texts/en.ftl is part of the binary and parses");
    let mut bundle = FluentBundle::new_concurrent(vec![langid!("en")]);
    // Values are cleaned of direction marks instead, so that plain-text mails stay plain.
    bundle.set_use_isolating(false);
    bundle.add_resource(resource).expect("no key stands twice in texts/en.ftl");
    bundle
});

/// The texts of one language.
#[derive(Clone, Copy)]
pub struct Text {
    language: &'static str,
    bundle: &'static LazyLock<FluentBundle<FluentResource>>,
}

impl Text {
    /// English.
    pub fn english() -> Self {
        Self { language: "en", bundle: &EN }
    }

    /// The BCP 47 tag for the `lang` attribute.
    pub fn language(&self) -> &'static str {
        self.language
    }

    /// The sentence `key`, which needs no values.
    pub fn say(&self, key: &str) -> String {
        self.format(key, &FluentArgs::new())
    }

    /// The sentence `key` with one value in it.
    pub fn with(&self, key: &str, name: &str, value: &str) -> String {
        self.fill(key, &[(name, value)])
    }

    /// The sentence `key` with values in it. Control and direction characters are taken out of the
    /// values, so that a name can neither break a mail's header nor turn the sentence around.
    pub fn fill(&self, key: &str, values: &[(&str, &str)]) -> String {
        let mut args = FluentArgs::new();
        for (name, value) in values {
            args.set(Cow::from((*name).to_owned()), FluentValue::from(clean(value)));
        }
        self.format(key, &args)
    }

    /// The sentence `key` with a number in it, in the language's own plural form.
    pub fn count(&self, key: &str, name: &str, number: u32) -> String {
        let mut args = FluentArgs::new();
        args.set(Cow::from(name.to_owned()), FluentValue::from(number));
        self.format(key, &args)
    }

    /// What a scope allows, as the end of a sentence ("It may …"). A scope without words of ours is
    /// shown as it is, between quotes: never guessed.
    pub fn scope(&self, scope: &str) -> String {
        match scope_key(scope) {
            Some(key) => self.say(key),
            None => self.with("scope-unknown", "scope", scope),
        }
    }

    fn format(&self, key: &str, args: &FluentArgs<'_>) -> String {
        let Some(pattern) = self.bundle.get_message(key).and_then(|message| message.value()) else {
            return missing(key);
        };
        let mut errors = Vec::new();
        let said = self.bundle.format_pattern(pattern, Some(args), &mut errors);
        if errors.is_empty() { said.into_owned() } else { missing(key) }
    }
}

/// Stands where a sentence is missing; the tests refuse it on every page.
fn missing(key: &str) -> String {
    format!("\u{27e6}{key}\u{27e7}")
}

fn clean(value: &str) -> String {
    value.chars().filter(|c| !c.is_control() && !turns_direction(*c)).collect()
}

/// Bidirectional marks, embeddings, overrides and isolates (Unicode UAX #9 §2).
fn turns_direction(c: char) -> bool {
    matches!(c, '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// The scopes that have words. Exact: a scope that merely looks alike gets no kind words.
fn scope_key(scope: &str) -> Option<&'static str> {
    SCOPES.iter().find(|(name, _)| *name == scope).map(|(_, key)| *key)
}

const SCOPES: [(&str, &str); 32] = [
    ("openid", "scope-openid"),
    ("profile", "scope-profile"),
    ("email", "scope-email"),
    ("phone", "scope-phone"),
    ("address", "scope-address"),
    ("offline_access", "scope-offline-access"),
    ("device:register", "scope-device-register"),
    ("telemetry:write", "scope-telemetry-write"),
    ("telemetry:read", "scope-telemetry-read"),
    ("firmware:read", "scope-firmware-read"),
    ("cloud:stream", "scope-cloud-stream"),
    ("lock:open", "scope-lock-open"),
    ("products:read", "scope-products-read"),
    ("products:write", "scope-products-write"),
    ("devices:read", "scope-devices-read"),
    ("devices:write", "scope-devices-write"),
    ("accounts:read", "scope-accounts-read"),
    ("accounts:write", "scope-accounts-write"),
    ("users:read", "scope-users-read"),
    ("users:write", "scope-users-write"),
    ("assets:read", "scope-assets-read"),
    ("assets:write", "scope-assets-write"),
    ("bonds:read", "scope-bonds-read"),
    ("bonds:write", "scope-bonds-write"),
    ("clients:read", "scope-clients-read"),
    ("clients:write", "scope-clients-write"),
    ("imports:read", "scope-imports-read"),
    ("imports:write", "scope-imports-write"),
    ("events:read", "scope-events-read"),
    ("events:write", "scope-events-write"),
    ("trust_anchors:read", "scope-trust-anchors-read"),
    ("trust_anchors:write", "scope-trust-anchors-write"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_known_scope_is_said_in_words_and_an_unknown_one_is_quoted() {
        let text = Text::english();
        assert_eq!(text.scope("telemetry:write"), "send its measurements");
        assert_eq!(text.scope("garage:open"), "use “garage:open”");
    }

    #[test]
    fn a_scope_that_looks_like_another_does_not_borrow_its_words() {
        let text = Text::english();
        for alike in ["telemetry-write", "telemetry.write", "Telemetry:write", "telemetry:write ", "scope-email", ""] {
            assert_eq!(text.scope(alike), format!("use “{alike}”"));
        }
    }

    #[test]
    fn every_scope_of_the_table_has_words() {
        for (scope, _) in SCOPES {
            let said = Text::english().scope(scope);
            assert!(!said.contains(['\u{27e6}', '“']), "{scope}: {said}");
        }
    }

    #[test]
    fn a_name_can_neither_break_the_line_nor_turn_the_sentence_around() {
        let said = Text::english().with("consent-title", "client", "Ev\u{202e}il\r\nBcc: x\u{2066}\u{7}");
        assert_eq!(said, "EvilBcc: x asks for access");
    }

    #[test]
    fn a_value_is_not_read_as_a_pattern() {
        assert_eq!(Text::english().scope("{ $scope }"), "use “{ $scope }”");
    }

    #[test]
    fn numbers_take_their_plural() {
        let text = Text::english();
        assert!(text.count("too-many-body", "minutes", 1).ends_with("in a minute."));
        assert!(text.count("too-many-body", "minutes", 15).ends_with("in 15 minutes."));
    }

    #[test]
    fn a_missing_sentence_or_value_is_marked_and_never_empty() {
        let text = Text::english();
        assert_eq!(text.say("no-such-key"), "\u{27e6}no-such-key\u{27e7}");
        assert_eq!(text.say("consent-title"), "\u{27e6}consent-title\u{27e7}");
    }
}
