//! Use cases of people: signing up and in, recovery, what they see of their
//! things and their security, and how they end it.
//!
//! Owns the brakes against guessing and the mails that follow an act. Writes no
//! page and no letter: a use case says which mail is due, the door words it.

mod apps;
mod browser;
mod first_administrator;
mod household;
mod letter;
mod passkeys;
mod password;
mod recovery;
mod security;
mod sign_in;
mod sign_up;
mod things;

pub use browser::{Browser, Opened, Viewer, csrf, csrf_matches};
pub use household::{MemberView, PeopleView};
pub use letter::{MailKind, MailToSend};
pub use passkeys::CeremonyAnswer;
pub use password::{PasswordFlaw, judge_password};
pub use security::SecurityView;
pub use sign_up::{LinkView, NewUser, SignUpForm};
pub use things::{AccessView, AppKind, HolderView, Removed, ThingView, ThingsView, WaitingView};

use std::sync::Arc;

use authority::{Entropy, SharedOnce};
use identity::ProblemCode;
use identity::Refusal;

use crate::brake::Brake;
use letter::Outbox;

use crate::app::Settings;
use crate::fault::Fault;
use crate::passkey::Passkeys;

/// A no to a person: the word the page is chosen by, and our cause.
pub type Refused = Refusal<ProblemCode>;

/// An hour, seconds.
const HOUR: i64 = 3_600;
/// Wrong passwords from one address of the network within a quarter of an hour.
/// Whole offices share an address; one person's own brake is the rule's.
const TRIES_PER_ADDRESS: u32 = 100;
/// Sign-ups and recoveries from one address of the network within an hour.
const MAILS_PER_ADDRESS: u32 = 40;

/// What is remembered of people between requests, in bounded memory. Each node
/// brakes for itself: of several, somebody who guesses has as many tries more.
pub(crate) struct People {
    /// Wrong passwords by e-mail address, known or not.
    tries: Brake,
    /// Wrong passwords by address of the network.
    tries_from: Brake,
    /// Mails by e-mail address.
    mails: Brake,
    /// Sign-ups and recoveries by address of the network.
    mails_from: Brake,
    outbox: Outbox,
    passkeys: Passkeys,
}

impl People {
    pub(crate) fn new(
        settings: &Settings,
        entropy: &dyn Entropy,
        ceremonies: [u8; 32],
        shared: Option<Arc<dyn SharedOnce>>,
    ) -> Result<Self, Fault> {
        let key = || {
            let mut key = [0; 32];
            entropy.fill(&mut key);
            key
        };
        let brake = |window| Brake::new(key(), window);
        let quarter = identity::rule::sign_in::BRAKE_WINDOW;
        Ok(Self {
            tries: brake(quarter),
            tries_from: brake(quarter),
            mails: brake(HOUR),
            mails_from: brake(HOUR),
            outbox: Outbox::default(),
            passkeys: Passkeys::new(&settings.issuer, &settings.service, ceremonies, shared)?,
        })
    }
}

/// Too many from one address of the network.
fn braked() -> Refused {
    Refusal::new(ProblemCode::RateLimited, "too_many_from_address")
}
