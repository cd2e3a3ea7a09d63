//! What holds for every page: structure, texts, escaping, addresses, contrast.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::consent::{Consent, FormPost};
use super::letter::Letter;
use super::my::{Act, Confirm};
use super::pair::PairConfirm;
use super::{Asset, Frame, Icon, Moment, Notice, Outcome, Template, Text, assets, path};
// The samples say `super::pages`, as the example does.
use crate::pages;

#[path = "../../examples/gallery/samples.rs"]
mod samples;

const ENGLISH: &str = include_str!("../../texts/en.ftl");
const HOSTILE: &str = "\"><script>alert(1)</script><b a='";

/// One start tag with its attributes.
struct Tag {
    name: String,
    attributes: BTreeMap<String, String>,
}

impl Tag {
    fn get(&self, name: &str) -> Option<&str> {
        self.attributes.get(name).map(String::as_str)
    }
}

/// The start tags of a page; enough for templates whose values are escaped.
fn tags(html: &str) -> Vec<Tag> {
    html.split('<').skip(1).filter(|part| part.starts_with(|c: char| c.is_ascii_alphabetic())).map(tag).collect()
}

fn tag(part: &str) -> Tag {
    let (name, mut rest) = part.split_at(part.find([' ', '>', '\n']).expect("a tag ends"));
    let mut attributes = BTreeMap::new();
    loop {
        rest = rest.trim_start();
        if rest.starts_with('>') || rest.starts_with("/>") {
            return Tag { name: name.to_owned(), attributes };
        }
        let end = rest.find([' ', '=', '>', '\n']).expect("an attribute ends");
        let key = rest[..end].to_owned();
        rest = &rest[end..];
        let value = match rest.strip_prefix("=\"") {
            Some(quoted) => {
                let close = quoted.find('"').expect("a value is closed");
                rest = &quoted[close + 1..];
                quoted[..close].to_owned()
            }
            None => String::new(),
        };
        assert!(attributes.insert(key.clone(), value).is_none(), "{name} says {key} twice");
    }
}

fn all_pages() -> samples::Rendered {
    samples::pages().expect("pages render to memory")
}

#[test]
fn every_page_has_language_title_landmark_skip_link_and_one_heading() {
    for (page, html) in all_pages() {
        let tags = tags(&html);
        let count = |name: &str| tags.iter().filter(|tag| tag.name == name).count();
        assert_eq!((count("h1"), count("main"), count("header"), count("title")), (1, 1, 1, 1), "{page}");
        assert!(html.contains("<html lang=\"en\">"), "{page}");
        assert!(tags.iter().any(|tag| tag.get("class") == Some("skip") && tag.get("href") == Some("#main")), "{page}");
        assert!(!html.contains("<title> "), "{page} has an empty title");
    }
}

#[test]
fn no_page_says_a_sentence_that_is_missing() {
    for (page, html) in all_pages() {
        assert!(!html.contains('\u{27e6}'), "{page}: {}", &html[html.find('\u{27e6}').unwrap_or(0)..]);
    }
    for (name, mail) in samples::mails().expect("mails render to memory") {
        assert!(!format!("{}{}{}", mail.subject, mail.text, mail.html).contains('\u{27e6}'), "{name}");
    }
}

#[test]
fn no_page_needs_inline_script_or_style() {
    for (page, html) in all_pages() {
        for tag in tags(&html) {
            assert_ne!(tag.name, "style", "{page}");
            for name in tag.attributes.keys() {
                assert!(name != "style" && !name.starts_with("on"), "{page}: <{} {name}>", tag.name);
            }
            if tag.name == "script" {
                let from = tag.get("src").expect("a script has an address");
                assert!(Asset::at(from).is_some(), "{page}: {from}");
            }
        }
        for script in html.split("<script ").skip(1) {
            let body = script.split_once('>').expect("the tag ends").1;
            assert!(body.starts_with("</script>"), "{page} has a script with a body");
        }
    }
}

#[test]
fn every_own_form_posts_with_a_csrf_token_and_the_app_gets_none() {
    for (page, html) in all_pages() {
        for form in html.split("<form ").skip(1) {
            let form = form.split("</form>").next().expect("a form has a body");
            let has = form.contains("<input type=\"hidden\" name=\"csrf\" value=\"c5a1e9f27b\">");
            if page == "form-post" {
                assert!(!form.contains("csrf"));
            } else {
                assert!(has, "{page}");
                // The form that only the script uses has no address of its own.
                assert!(form.starts_with("method=\"post\"") || form.starts_with("data-passkey hidden"), "{page}");
            }
        }
    }
}

#[test]
fn every_field_has_a_label_and_an_autocomplete_and_its_error_is_linked_both_ways() {
    for (page, html) in all_pages() {
        let tags = tags(&html);
        let labels: BTreeSet<&str> = tags.iter().filter_map(|tag| tag.get("for")).collect();
        let ids: Vec<&str> = tags.iter().filter_map(|tag| tag.get("id")).collect();
        let unique: BTreeSet<&str> = ids.iter().copied().collect();
        assert_eq!(ids.len(), unique.len(), "{page} uses an id twice");
        for field in tags.iter().filter(|tag| tag.name == "input" && is_seen(tag)) {
            let id = field.get("id").expect("a field has an id");
            assert!(labels.contains(id), "{page}: {id} has no label");
            assert!(field.get("autocomplete").is_some(), "{page}: {id}");
            let wrong = format!("{id}-error");
            let said = field.get("aria-describedby").is_some_and(|by| by.split(' ').any(|by| by == wrong));
            assert_eq!(field.get("aria-invalid").is_some(), said, "{page}: {id}");
            assert_eq!(unique.contains(wrong.as_str()), said, "{page}: {id}");
            assert_eq!(html.contains(&format!("<a href=\"#{id}\">")), said, "{page}: {id} in the summary");
        }
        for by in tags.iter().filter_map(|tag| tag.get("aria-describedby").or(tag.get("aria-labelledby"))) {
            assert!(by.split(' ').all(|by| unique.contains(by)), "{page}: {by} describes nothing");
        }
        for password in tags.iter().filter(|tag| tag.get("type") == Some("password")) {
            assert!(password.get("value").is_none(), "{page} shows a password again");
        }
    }
}

fn is_seen(tag: &Tag) -> bool {
    tag.get("type") != Some("hidden") && tag.get("hidden").is_none()
}

#[test]
fn pages_link_and_post_only_to_addresses_of_the_contract() {
    let known = |to: &str| path::ALL.iter().any(|pattern| fits(pattern, to));
    for (page, html) in all_pages() {
        for tag in tags(&html).iter().filter(|tag| tag.name == "a" || tag.name == "form") {
            let Some(to) = tag.get("href").or(tag.get("action")) else { continue };
            let app = page == "form-post" && to == "https://music.acme.example/callback";
            let inside = to.strip_prefix('#').is_some_and(|id| html.contains(&format!("id=\"{id}\"")));
            assert!(inside || app || known(to), "{page}: {to}");
        }
    }
    let script = std::str::from_utf8(assets::PASSKEY.bytes).expect("scripts are UTF-8");
    for to in script.split('"').filter(|to| to.starts_with("/my") || to.starts_with("/signin")) {
        assert!(known(to), "passkey.js: {to}");
    }
}

fn fits(pattern: &str, to: &str) -> bool {
    let (mut left, mut right) = (pattern.split('/'), to.split('/'));
    loop {
        match (left.next(), right.next()) {
            (None, None) => return true,
            (Some(want), Some(have)) if want == have || (want.starts_with('{') && !have.is_empty()) => {}
            _ => return false,
        }
    }
}

#[test]
fn script_in_the_name_of_device_client_serial_or_place_is_only_text() {
    let evil = || HOSTILE.to_owned();
    let frame = || Frame { viewer: Some(evil()), service: evil(), csrf: evil(), ..samples::outside() };
    let pages = [
        PairConfirm {
            frame: frame(),
            code: evil(),
            icon: Icon::of_product(HOSTILE),
            device: evil(),
            product: evil(),
            serial_tail: evil(),
            client: evil(),
            asked_from: Some(evil()),
            asks: vec![evil()],
            claims_for: Some(evil()),
        }
        .render(),
        Consent {
            frame: frame(),
            client: evil(),
            email: evil(),
            asks: vec![evil()],
            has: vec![evil()],
            returns_to: evil(),
            request: evil(),
        }
        .render(),
        FormPost {
            frame: frame(),
            client: evil(),
            action: "https://app.example/cb?a=1&b=\"".to_owned(),
            fields: vec![(evil(), evil())],
            nonce: evil(),
        }
        .render(),
        Confirm {
            frame: frame(),
            act: Act::EndAccess { thing_id: evil(), bond_id: evil(), thing: evil(), who: evil() },
        }
        .render(),
        Notice { frame: frame(), outcome: Outcome::PairDone { device: evil() }, reference: Some(evil()) }.render(),
    ];
    for page in pages {
        let html = page.expect("pages render to memory");
        assert!(!html.contains("<script>") && !html.contains("<b a"), "{html}");
        assert!(html.contains("alert(1)"), "the name is still shown");
        // Were a quote not escaped, an attribute would end early and this would find a stray one.
        for tag in tags(&html) {
            assert!(!tag.attributes.contains_key("a"), "{html}");
        }
    }
}

#[test]
fn a_form_post_carries_its_values_unchanged_but_escaped() {
    let html = FormPost {
        frame: samples::outside(),
        client: "App".to_owned(),
        action: "https://app.example/cb?x=1&y=2".to_owned(),
        fields: vec![("state".to_owned(), "a&\"<'b é".to_owned())],
        nonce: "n0nce".to_owned(),
    }
    .render()
    .expect("pages render to memory");
    let unescape = |text: &str| {
        text.replace("&#34;", "\"")
            .replace("&#60;", "<")
            .replace("&#62;", ">")
            .replace("&#39;", "'")
            .replace("&#38;", "&")
    };
    let tags = tags(&html);
    let field = tags.iter().find(|tag| tag.get("name") == Some("state")).expect("the field is there");
    assert_eq!(unescape(field.get("value").expect("it has a value")), "a&\"<'b é");
    let form = tags.iter().find(|tag| tag.name == "form").expect("there is a form");
    assert_eq!(unescape(form.get("action").expect("it has an address")), "https://app.example/cb?x=1&y=2");
    assert!(tags.iter().any(|tag| tag.name == "script" && tag.get("nonce") == Some("n0nce")));
    assert!(html.contains("<button>"), "without script there is a button");
}

#[test]
fn a_mail_spells_its_link_out_and_a_name_cannot_add_a_header() {
    for (name, mail) in samples::mails().expect("mails render to memory") {
        assert!(mail.text.lines().any(|line| line.starts_with("https://id.acme.example")), "{name}");
        assert!(mail.html.matches("https://id.acme.example").count() >= 2, "{name}: the link is spelled out");
        assert!(mail.text.contains("Why you get this mail") && mail.text.contains("You did not expect it?"), "{name}");
        assert!(!mail.text.contains("&#"), "{name}: plain text is not escaped");
    }
    let letter = Letter::DevicePaired {
        device: format!("Lamp\r\nBcc: eve@example.com{HOSTILE}"),
        at: Moment::utc(0),
        link: "https://id.acme.example/my/things/as_1".to_owned(),
    };
    let mail = letter.render(&Text::english(), "Acme", Some("<b>Adam</b>")).expect("mails render to memory");
    assert!(!mail.subject.contains(['\r', '\n']));
    assert!(!mail.html.contains("<script>") && !mail.html.contains("<b>"));
}

#[test]
fn every_key_in_templates_and_sources_has_a_sentence_and_every_sentence_is_used() {
    let keys: BTreeSet<&str> = ENGLISH
        .lines()
        .filter(|line| line.starts_with(|c: char| c.is_ascii_lowercase()))
        .filter_map(|line| line.split_once(" = ").map(|(key, _)| key))
        .collect();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut read = String::new();
    for folder in ["templates", "templates/part", "src/pages", "src/portal"] {
        for entry in std::fs::read_dir(root.join(folder)).expect("the folder is there") {
            let file = entry.expect("the entry is readable").path();
            if file.is_file() && !file.ends_with("tests.rs") {
                let source = std::fs::read_to_string(file).expect("sources are UTF-8");
                read.push_str(source.split("#[cfg(test)]").next().unwrap_or_default());
            }
        }
    }
    for call in ["say(\"", "with(\"", "count(\"", "fill(\""] {
        for said in read.split(call).skip(1).filter_map(|rest| rest.split('"').next()) {
            let part = matches!(said, "title" | "body" | "button" | "subject" | "action" | "why" | "unexpected");
            assert!(part || keys.contains(said), "{said} has no sentence");
        }
    }
    // Keys that are put together from a stem and a part: `format!("{key}-{part}")`.
    let parts = ["-title", "-body", "-button", "-subject", "-action", "-why", "-unexpected"];
    for key in keys {
        let stem = parts.iter().find_map(|part| key.strip_suffix(part));
        let used = read.contains(&format!("\"{key}\""))
            || stem.is_some_and(|stem| {
                read.contains(&format!("\"{stem}\"")) || read.contains(&format!("\"{stem}-{{part}}\""))
            });
        assert!(used, "{key} is said nowhere");
    }
}

mod style {
    use super::*;

    fn sheet() -> &'static str {
        std::str::from_utf8(assets::STYLE.bytes).expect("the style sheet is UTF-8")
    }

    /// The tokens of the light and of the dark theme.
    fn themes() -> [BTreeMap<String, [f64; 3]>; 2] {
        let mut blocks = sheet().split(":root {").skip(1).map(|block| block.split('}').next().unwrap_or_default());
        let mut theme = || tokens(blocks.next().expect("the sheet has two themes"));
        [theme(), theme()]
    }

    fn tokens(block: &str) -> BTreeMap<String, [f64; 3]> {
        let colours = block.split(';').filter_map(|line| line.trim().strip_prefix("--")?.split_once(": #"));
        colours
            .map(|(name, hex)| {
                let part = |at: usize| f64::from(u8::from_str_radix(&hex[at..at + 2], 16).expect("six hex digits"));
                (name.to_owned(), [part(0), part(2), part(4)])
            })
            .collect()
    }

    /// Relative luminance (WCAG 2.2, definition).
    fn luminance(colour: [f64; 3]) -> f64 {
        let linear = colour
            .map(|part| part / 255.0)
            .map(|part| if part <= 0.04045 { part / 12.92 } else { ((part + 0.055) / 1.055).powf(2.4) });
        0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    }

    fn contrast(one: [f64; 3], other: [f64; 3]) -> f64 {
        let (one, other) = (luminance(one), luminance(other));
        (one.max(other) + 0.05) / (one.min(other) + 0.05)
    }

    #[test]
    fn contrast_is_computed_as_the_guideline_says() {
        assert!((contrast([0.0; 3], [255.0; 3]) - 21.0).abs() < 0.001);
        assert!((contrast([119.0; 3], [255.0; 3]) - 4.478).abs() < 0.01);
    }

    /// Every rule's own colours: its text on its background (or on paper), and what borders, outlines
    /// and signs are drawn with. `--line` only divides and carries nothing a person must see.
    #[test]
    fn every_pair_of_colours_in_use_has_enough_contrast_in_both_themes() {
        for (theme, tokens) in ["light", "dark"].iter().zip(themes()) {
            assert_eq!(tokens.len(), 8, "{theme}");
            let (mut texts, mut lines) = (BTreeSet::new(), BTreeSet::new());
            for rule in sheet().split('}').filter_map(|rule| rule.rsplit_once('{').map(|(_, body)| body)) {
                let used = |property: &str| {
                    rule.split(';').find_map(|line| {
                        let (name, value) = line.trim().split_once(": ")?;
                        (name == property)
                            .then(|| value.split("var(--").nth(1))?
                            .and_then(|rest| rest.split(')').next())
                    })
                };
                let ground = used("background").unwrap_or("paper");
                texts.insert((used("color").unwrap_or(if ground == "paper" { "ink" } else { "paper" }), ground));
                for property in ["border", "border-color", "border-left", "border-top", "outline"] {
                    lines.extend(used(property).filter(|line| *line != "line").map(|line| (line, "paper")));
                }
            }
            assert!(texts.contains(&("paper", "accent")) && texts.contains(&("muted", "paper")), "{texts:?}");
            assert!(texts.contains(&("paper", "red")) && lines.contains(&("muted", "paper")), "{lines:?}");
            for (least, pairs) in [(4.5, texts), (3.0, lines)] {
                for (one, other) in pairs {
                    let reached = contrast(tokens[one], tokens[other]);
                    assert!(reached >= least, "{theme}: {one} on {other} has {reached:.2}");
                }
            }
        }
    }

    #[test]
    fn colours_come_from_tokens_and_nothing_from_elsewhere() {
        let rules = sheet().split("*, ::before").nth(1).expect("rules follow the tokens");
        assert!(!rules.contains('#') && !rules.contains("rgb("), "a colour stands outside the tokens");
        assert!(!rules.contains("url(") && !rules.contains("@import") && !rules.contains("shadow"));
        assert!(sheet().len() < 9_000, "{} bytes", sheet().len());
    }

    #[test]
    fn motion_is_only_for_those_who_want_it() {
        let calm = sheet().split("@media (prefers-reduced-motion: no-preference)").next().unwrap_or_default();
        assert!(!calm.contains("animation") && !calm.contains("transition"));
    }
}
