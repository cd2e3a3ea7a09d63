//! What the security page shows.

use identity::{BrowserSession, ClientId, Fact, Passkey, User};
use oauth::Scope;
use store::SecurityFacts;

use super::apps::apps_families;
use super::browser::Viewer;
use crate::app::App;
use crate::fault::Fault;

/// Passkeys, sessions and apps of a person.
pub struct SecurityView {
    /// The person as they are now.
    pub user: User,
    /// Their passkeys.
    pub passkeys: Vec<Passkey>,
    /// Where they are signed in, this browser first.
    pub sessions: Vec<BrowserSession>,
    /// Apps with access.
    pub apps: Vec<AppView>,
}

/// An app with access.
pub struct AppView {
    /// Its client.
    pub client: ClientId,
    /// Its registered name.
    pub name: String,
    /// What it may do.
    pub scope: Scope,
    /// Since when, seconds.
    pub since: i64,
}

impl App {
    /// What a person's security page shows.
    ///
    /// # Errors
    /// [`Fault`]
    pub async fn security(&self, viewer: &Viewer) -> Result<SecurityView, Fault> {
        let facts = self.store.load_security(viewer.user.id.clone()).await?;
        let apps = apps(&facts);
        let user = facts.user.map_or_else(|| viewer.user.record.clone(), |user| user.record);
        let mut sessions: Vec<_> = facts.sessions.into_iter().map(|session| session.record).collect();
        sessions.sort_by_key(|session| session.id != viewer.session.id);
        let passkeys = facts.passkeys.into_iter().map(|passkey| passkey.record).collect();
        Ok(SecurityView { user, passkeys, sessions, apps })
    }
}

/// One line for each client, whatever it holds: a remembered yes, live tokens.
fn apps(facts: &SecurityFacts) -> Vec<AppView> {
    let held = apps_families(facts).map(|family| (&family.client, &family.scope, family.created_at));
    let allowed = facts.consents.iter().map(|consent| (&consent.client, &consent.scope, consent.given_at));
    let mut apps: Vec<AppView> = Vec::new();
    for (client, scope, since) in held.chain(allowed) {
        match apps.iter_mut().find(|app| app.client == *client) {
            Some(app) => {
                scope.iter().for_each(|token| app.scope.insert(token));
                app.since = app.since.min(since);
            }
            None => {
                apps.push(AppView { client: client.clone(), name: name(facts, client), scope: scope.clone(), since })
            }
        }
    }
    apps
}

fn name(facts: &SecurityFacts, client: &ClientId) -> String {
    let known: Option<&Fact<oauth::Client>> = facts.clients.iter().find(|known| known.id == *client);
    known.map_or_else(|| client.to_string(), |known| known.name.clone())
}
