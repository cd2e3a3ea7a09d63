//! Mails that follow an act: which is due, and handing it over after the
//! answer, so that no answer takes longer because there is an account.

use std::sync::Arc;
use std::time::Duration;

use identity::user::Email;
use identity::{AssetId, Secret};
use tokio::sync::Semaphore;
use tokio_util::task::TaskTracker;

use crate::app::App;
use crate::mailer::Mail;

/// More than so many waiting are dropped and counted.
const WAITING: usize = 1_024;
/// So many are handed over at once.
const AT_ONCE: usize = 8;
/// Pauses before the second and the third try.
const PAUSES: [Duration; 2] = [Duration::from_secs(3), Duration::from_secs(30)];

/// A mail that is due; the door words it and hands it to [`App::send_mail`].
#[must_use = "the person waits for it"]
pub struct MailToSend {
    /// To whom.
    pub to: Email,
    /// Their name, where they are known to have written it themselves.
    pub name: Option<String>,
    /// What it tells.
    pub kind: MailKind,
}

/// What a mail tells. Times are Unix seconds.
pub enum MailKind {
    /// Confirm that the address is yours.
    VerifyAddress {
        /// Goes into the link.
        secret: Secret<String>,
        /// Until when it works.
        until: i64,
    },
    /// Set a new password.
    RecoverPassword {
        /// Goes into the link.
        secret: Secret<String>,
        /// Until when it works.
        until: i64,
    },
    /// Somebody signed up with an address that has an account already.
    AlreadyHere,
    /// A passkey was added.
    PasskeyAdded {
        /// Its name.
        passkey: String,
        /// When.
        at: i64,
    },
    /// A device was paired.
    DevicePaired {
        /// Its name.
        device: String,
        /// When.
        at: i64,
    },
    /// Somebody's or something's access to a thing ended; for its owners.
    AccessEnded {
        /// Whose.
        who: String,
        /// To which thing.
        thing: String,
        /// Its title.
        asset: AssetId,
        /// When.
        at: i64,
    },
    /// The password was changed.
    PasswordChanged {
        /// When.
        at: i64,
    },
}

/// Mails on their way.
pub(super) struct Outbox {
    tasks: TaskTracker,
    at_once: Arc<Semaphore>,
}

impl Default for Outbox {
    fn default() -> Self {
        Self { tasks: TaskTracker::new(), at_once: Arc::new(Semaphore::new(AT_ONCE)) }
    }
}

impl App {
    /// Hands a mail over in the background, with two more tries.
    pub fn send_mail(&self, mail: Mail) {
        let outbox = &self.people.outbox;
        if outbox.tasks.len() >= WAITING {
            metrics::counter!("keyfob_mail_dropped_total").increment(1);
            tracing::error!("mail_dropped");
            return;
        }
        let (mailer, at_once) = (self.mailer.clone(), outbox.at_once.clone());
        outbox.tasks.spawn(async move {
            let Ok(_permit) = at_once.acquire_owned().await else { return };
            let mut pauses = PAUSES.into_iter();
            loop {
                let Err(error) = mailer.send(mail.clone()).await else { return };
                let pause = pauses.next();
                tracing::warn!(cause = error.0, again = pause.is_some(), "mail_not_sent");
                match pause {
                    Some(pause) => tokio::time::sleep(pause).await,
                    None => return metrics::counter!("keyfob_mail_failed_total").increment(1),
                }
            }
        });
    }

    /// Waits until all mails are handed over or given up; for the drain.
    pub async fn drain_mail(&self) {
        self.people.outbox.tasks.close();
        self.people.outbox.tasks.wait().await;
        self.people.outbox.tasks.reopen();
    }
}
