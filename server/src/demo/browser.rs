//! A person's browser without script: cookies, pages, forms. It follows
//! redirects at the issuer and stops where one leads elsewhere.

use super::http::{Answer, Http};
use super::page::{Form, Page};
use super::trouble::{Lived, Trouble};

/// More redirects in a row are a circle.
const MOST_REDIRECTS: usize = 8;

pub(super) struct Browser {
    http: Http,
    origin: String,
}

/// Where a click led.
#[derive(Debug)]
pub(super) enum Place {
    /// A page of ours.
    Page(Page),
    /// Another's address, as an app's own.
    Elsewhere(String),
}

impl Place {
    pub(super) fn page(self) -> Lived<Page> {
        match self {
            Self::Page(page) => Ok(page),
            Self::Elsewhere(_) => Err(Trouble::new("the browser was sent away")),
        }
    }

    pub(super) fn elsewhere(self) -> Lived<String> {
        match self {
            Self::Elsewhere(address) => Ok(address),
            Self::Page(page) => Err(Trouble::new(format!("the browser stayed at {}", page.path))),
        }
    }
}

impl Browser {
    pub(super) fn new(http: Http, origin: &str) -> Self {
        Self { http, origin: origin.to_owned() }
    }

    /// Opens an address of ours, with or without the origin.
    pub(super) fn open(&self, address: &str) -> Lived<Place> {
        let path = address.strip_prefix(&self.origin).unwrap_or(address);
        let answer = self.http.get(&format!("{}{path}", self.origin), &[])?;
        self.arrive(path, answer)
    }

    /// Fills a form and sends it. What is given goes over what stands there.
    pub(super) fn submit(&self, form: Form, given: &[(&str, &str)]) -> Lived<Place> {
        let Form { action, fields } = form;
        let kept = fields.iter().filter(|(name, _)| !given.iter().any(|(other, _)| other == name));
        let mut pairs: Vec<(&str, &str)> = kept.map(|(name, value)| (name.as_str(), value.as_str())).collect();
        pairs.extend(given);
        // What browsers say of a form of the page itself.
        let headers = [("origin", self.origin.as_str()), ("sec-fetch-site", "same-origin")];
        let answer = self.http.post_form(&format!("{}{action}", self.origin), &headers, &pairs)?;
        self.arrive(&action, answer)
    }

    fn arrive(&self, path: &str, answer: Answer) -> Lived<Place> {
        let (mut path, mut answer) = (path.to_owned(), answer);
        for _ in 0..MOST_REDIRECTS {
            match answer.status {
                200 => return Ok(Place::Page(Page { path, html: answer.text()?.to_owned() })),
                302 | 303 => {
                    let next = answer.location()?.to_owned();
                    let Some(ours) = next.strip_prefix(&self.origin).or(next.strip_prefix('/').map(|_| next.as_str()))
                    else {
                        return Ok(Place::Elsewhere(next));
                    };
                    path = ours.to_owned();
                    answer = self.http.get(&format!("{}{path}", self.origin), &[])?;
                }
                _ => return Err(Trouble::answered(path.split('?').next().unwrap_or_default(), &answer)),
            }
        }
        Err(Trouble::new("the browser was sent in a circle"))
    }
}
