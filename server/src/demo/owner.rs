//! Adam, who buys a speaker: what he does at the pages, by his browser alone.

use std::fs;
use std::time::Duration;

use serde_json::json;

use super::browser::{Browser, Place};
use super::page::Page;
use super::stage::Stage;
use super::tale::Told;
use super::trouble::{Lived, Trouble, sure};
use crate::port::{self, SystemEntropy};
use web::pages::path;

const NAME: &str = "Adam";
const EMAIL: &str = "adam@example.com";
/// How often, and how many times, the mails are looked through.
const BETWEEN_LOOKS: Duration = Duration::from_millis(20);
const MOST_LOOKS: usize = 500;

/// A person with an account.
pub(super) struct Owner {
    pub(super) browser: Browser,
    pub(super) name: String,
    pub(super) email: String,
    pub(super) password: String,
}

/// Signs up, proves the address by the mail, signs out and in again.
pub(super) fn arrive(stage: &Stage) -> Lived<Told<Owner>> {
    let browser = Browser::new(stage.http()?, &stage.issuer);
    let password = jose::base64url::encode(port::random::<12>(&SystemEntropy));
    let owner = Owner { browser, name: NAME.to_owned(), email: EMAIL.to_owned(), password };
    let written =
        [("name", NAME), ("email", EMAIL), ("password", owner.password.as_str()), ("household", "Adam's home")];
    let form = owner.browser.open(path::SIGN_UP)?.page()?.form(path::SIGN_UP)?;
    let told = owner.browser.submit(form, &written)?.page()?;
    sure(told.says(EMAIL), "the page after signing up does not say where the mail went")?;

    let link = mailed_link(stage, &format!("{}{}?token=", stage.issuer, path::VERIFY))?;
    let form = owner.browser.open(&link)?.page()?.form(path::VERIFY)?;
    let home = owner.browser.submit(form, &[("password", &owner.password)])?.page()?;
    sure(home.path == path::MY, "confirming the address did not lead to one's things")?;

    let form = owner.browser.open(path::SIGN_OUT)?.page()?.form(path::SIGN_OUT)?;
    owner.browser.submit(form, &[])?;
    let turned_away = owner.browser.open(path::MY)?.page()?;
    sure(turned_away.path.starts_with(path::SIGN_IN), "one's things are shown to whoever signed out")?;
    let home = owner.sign_in(turned_away)?.page()?;
    sure(home.path == path::MY, "signing in did not lead back to where it was asked for")?;
    let line = "Adam signed up, proved his address by the mail and signed in".to_owned();
    Ok(Told { line, facts: json!({ "email": EMAIL }), yields: owner })
}

/// Looks for the mail, which follows its page, and reads the link in it.
fn mailed_link(stage: &Stage, begins: &str) -> Lived<String> {
    for _ in 0..MOST_LOOKS {
        for file in fs::read_dir(&stage.mail)? {
            let path = file?.path();
            let whole = path.extension().is_some_and(|extension| extension == "eml");
            if let Some(link) = if whole { link_in(&fs::read_to_string(&path)?, begins) } else { None } {
                return Ok(link);
            }
        }
        stage.pause(BETWEEN_LOOKS);
    }
    Err(Trouble::new("no mail came"))
}

/// A link in a mail whose text is quoted-printable (RFC 2045 §6.7).
fn link_in(mail: &str, begins: &str) -> Option<String> {
    let text = mail.replace("=\r\n", "").replace("=3D", "=");
    let (_, link) = text.split_once(begins)?;
    let token: String = link.chars().take_while(|sign| sign.is_ascii_alphanumeric() || "-_".contains(*sign)).collect();
    Some(format!("{begins}{token}"))
}

impl Owner {
    /// Signs in at the page that asks for it.
    pub(super) fn sign_in(&self, page: Page) -> Lived<Place> {
        let form = page.form(path::SIGN_IN)?;
        self.browser.submit(form, &[("email", &self.email), ("password", &self.password)])
    }

    /// Types a code, looks at which device asks, and allows it (RFC 8628 §3.3).
    pub(super) fn allow(&self, page: &str, code: &str, serial: &str) -> Lived<()> {
        let typed = code.to_lowercase().replace('-', " ");
        let form = self.browser.open(page)?.page()?.form(path::PAIR)?;
        let asked = self.browser.submit(form, &[("user_code", &typed)])?.page()?;
        let tail = serial.get(serial.len().saturating_sub(6)..).unwrap_or(serial);
        sure(asked.says(tail) && asked.says(code), "the page does not show which device asks")?;
        let form = asked.form(path::PAIR_DECISION)?;
        self.browser.submit(form, &[("decision", "allow")])?.page()?;
        Ok(())
    }

    /// Removes the one thing of the account, confirming whatever is asked.
    pub(super) fn remove_thing(&self) -> Lived<()> {
        let things = self.browser.open(path::MY)?.page()?;
        let thing = things.link("/my/things/", "")?;
        let asked = self.browser.open(&thing)?.page()?.link(&thing, "/remove")?;
        let mut place = self.browser.open(&asked)?.page()?;
        if place.path.starts_with(path::SIGN_IN_AGAIN) {
            let form = place.form(path::SIGN_IN_AGAIN)?;
            place = self.browser.submit(form, &[("password", &self.password)])?.page()?;
        }
        let home = self.browser.submit(place.form(&asked)?, &[])?.page()?;
        sure(home.path == path::MY && home.link("/my/things/", "").is_err(), "the thing is still in the list")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_read_across_soft_line_breaks() {
        let mail = "Open\r\nhttps://localhost:1/verify?token=3Dabc-=\r\ndef_1\r\nbye";
        let link = link_in(mail, "https://localhost:1/verify?token=");
        assert_eq!(link.as_deref(), Some("https://localhost:1/verify?token=abc-def_1"));
    }
}
