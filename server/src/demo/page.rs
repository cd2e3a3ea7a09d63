//! What a browser without script makes of a page: its forms and its links.
//!
//! Reads the pages of this server alone, whose markup is known; it is no parser
//! for the web at large.

use super::trouble::{Lived, Present};

/// A page as it came.
#[derive(Debug)]
pub(super) struct Page {
    /// The address it has, without the origin.
    pub(super) path: String,
    pub(super) html: String,
}

/// A form with what is filled in already.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Form {
    pub(super) action: String,
    pub(super) fields: Vec<(String, String)>,
}

impl Page {
    /// The form that posts to an address.
    pub(super) fn form(&self, action: &str) -> Lived<Form> {
        forms(&self.html).find(|form| form.action == action).present(&format!("the form of {action} at {}", self.path))
    }

    /// The first link that begins and ends so.
    pub(super) fn link(&self, begins: &str, ends: &str) -> Lived<String> {
        let links = tags(&self.html, "a").filter_map(|(tag, _)| attribute(tag, "href"));
        let fits = |link: &String| link.starts_with(begins) && link.ends_with(ends) && link.len() > begins.len();
        links.into_iter().find(fits).present(&format!("a link to {begins}…{ends} at {}", self.path))
    }

    /// Whether a person reads this text on it.
    pub(super) fn says(&self, text: &str) -> bool {
        unescape(&self.html).contains(text)
    }
}

fn forms(html: &str) -> impl Iterator<Item = Form> + '_ {
    tags(html, "form").map(|(tag, rest)| {
        let inside = rest.split("</form>").next().unwrap_or_default();
        let fields = tags(inside, "input")
            .filter_map(|(tag, _)| Some((attribute(tag, "name")?, attribute(tag, "value").unwrap_or_default())));
        Form { action: attribute(tag, "action").unwrap_or_default(), fields: fields.collect() }
    })
}

/// Every opening tag of a name, and what follows it.
fn tags<'a>(html: &'a str, name: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
    html.split('<').skip(1).filter_map(move |part| {
        let after = part.strip_prefix(name)?;
        after.starts_with([' ', '>']).then_some(())?;
        let start = part.as_ptr().addr() - html.as_ptr().addr();
        let (tag, rest) = html.get(start..)?.split_once('>')?;
        Some((tag, rest))
    })
}

fn attribute(tag: &str, name: &str) -> Option<String> {
    let (_, value) = tag.split_once(&format!(" {name}=\""))?;
    value.split_once('"').map(|(value, _)| unescape(value))
}

/// The references that the templates write (HTML §13.1.4).
fn unescape(text: &str) -> String {
    let known = [("&#38;", "&"), ("&#60;", "<"), ("&#62;", ">"), ("&#34;", "\""), ("&#39;", "'")];
    known.iter().fold(text.to_owned(), |text, (reference, sign)| text.replace(reference, sign))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_brings_its_hidden_fields_and_not_those_of_another() {
        let html = "<form method=\"post\" action=\"/a\"><input type=\"hidden\" name=\"csrf\" value=\"x&#38;y\">\
                    <input name=\"email\" type=\"email\"></form><form action=\"/b\"><input name=\"z\"></form>";
        let page = Page { path: "/".into(), html: html.into() };
        let fields = vec![("csrf".to_owned(), "x&y".to_owned()), ("email".to_owned(), String::new())];
        assert_eq!(page.form("/a").unwrap(), Form { action: "/a".into(), fields });
        assert!(page.form("/c").is_err());
    }

    #[test]
    fn a_link_is_found_by_its_ends() {
        let page = Page { path: "/".into(), html: "<abbr href=\"/my/1/x\"><a class=\"c\" href=\"/my/1/end\">".into() };
        assert_eq!(page.link("/my/", "/end").unwrap(), "/my/1/end");
        assert!(page.link("/my/", "/x").is_err());
    }
}
