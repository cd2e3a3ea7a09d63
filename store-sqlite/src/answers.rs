//! The store's contract, one hop per question.

use core::pin::Pin;
use std::sync::Arc;

use identity::facts::{
    BondFacts, CallHomeFacts, CallHomeQuery, DeviceFacts, DeviceKey, ImportFacts, ImportKeys, MailTokenFacts,
    OwnedFacts, PasskeyFacts, PersonFacts, SessionFacts,
};
use identity::user::Email;
use identity::{Anchor, Bond, BondId, DeviceId, Digest, Epochs, EventKind, Fact, FamilyId, RecordKey, UserId};
use oauth::facts::{
    AuthorizeFacts, CallerFacts, CodeFacts, PairingFacts, RefreshFacts, RegistrationFacts, RegistrationQuery,
    RenewalFacts, RenewalQuery, TradeFacts,
};
use rusqlite::{OptionalExtension, params};
use store::plan::{Plan, Shelf};
use store::{
    Answer, CallerQuery, Commit, CommitError, Committed, EventPage, EventQuery, Expected, Exporting, Head,
    IdempotentReply, Importing, ListQuery, Page, Raised, Round, SecurityFacts, Store, StoreError, Stored, ThingsFacts,
    Wake,
};
use tokio::sync::oneshot;

use crate::fault::store_error;
use crate::snapshot::Snapshot;
use crate::sqlite_store::{SqliteStore, gone, spawn};
use crate::table::Table;
use crate::whole;
use crate::writer::Job;

impl Store for SqliteStore {
    fn commit(&self, commit: Commit) -> Pin<Box<dyn Future<Output = Result<Committed, CommitError>> + Send + '_>> {
        let (reply, answer) = oneshot::channel();
        let asked = Plan::of(commit).and_then(|plan| self.write(Job::Commit(plan, reply)));
        Box::pin(async move {
            asked?;
            answer.await.map_err(|_| CommitError::Store(gone()))?
        })
    }

    fn expect(&self) -> Expected {
        self.expect_write()
    }

    fn load_record(&self, key: RecordKey) -> Answer<'_, Option<Stored>> {
        self.read(move |now| now.stored(Table::of(key.kind)?, &key.id))
    }

    fn list(&self, query: ListQuery) -> Answer<'_, Page> {
        self.read(move |now| now.list(&query))
    }

    fn load_epochs(&self, anchors: Vec<Anchor>) -> Answer<'_, Vec<Option<Epochs>>> {
        self.read_briefly(move |now| now.all_epochs(&anchors))
    }

    fn load_device(&self, key: DeviceKey) -> Answer<'_, OwnedFacts> {
        self.read(move |now| now.owned(now.device(&key)?))
    }

    fn load_retirement(&self, did: DeviceId) -> Answer<'_, (OwnedFacts, Vec<Fact<Bond>>)> {
        self.read(move |now| {
            let owned = now.owned(now.by_id(did.as_str())?)?;
            let bonds = owned.asset.as_ref().map(|asset| now.bonds_on(asset.id.as_str())).transpose()?;
            Ok((owned, bonds.unwrap_or_default()))
        })
    }

    fn load_call_home(&self, query: CallHomeQuery) -> Answer<'_, CallHomeFacts> {
        self.read_briefly(move |now| now.call_home(&query))
    }

    fn load_import(&self, lines: Vec<ImportKeys>) -> Answer<'_, Vec<ImportFacts>> {
        self.read(move |now| now.imports(&lines))
    }

    fn load_person_by_email(&self, email: Email) -> Answer<'_, PersonFacts> {
        self.read(move |now| now.person(now.one("email = ?1", [email.expose()])?))
    }

    fn load_person(&self, user: UserId) -> Answer<'_, PersonFacts> {
        self.read(move |now| now.person(now.by_id(user.as_str())?))
    }

    fn load_mail_token(&self, token: Digest) -> Answer<'_, MailTokenFacts> {
        self.read(move |now| now.mail_token(token.as_str()))
    }

    fn load_session(&self, cookie: Digest) -> Answer<'_, SessionFacts> {
        self.read(move |now| now.session(cookie.as_str()))
    }

    fn load_passkey(&self, credential_id: String) -> Answer<'_, PasskeyFacts> {
        self.read(move |now| now.passkey(&credential_id))
    }

    fn load_security(&self, user: UserId) -> Answer<'_, SecurityFacts> {
        self.read(move |now| now.security(user.as_str()))
    }

    fn load_things(&self, user: UserId) -> Answer<'_, ThingsFacts> {
        self.read(move |now| now.things(user.as_str()))
    }

    fn load_bond(&self, bond: BondId) -> Answer<'_, BondFacts> {
        self.read(move |now| now.bond_facts(bond.as_str()))
    }

    fn load_caller(&self, query: CallerQuery) -> Answer<'_, CallerFacts> {
        let known = if query.assertion_once.is_none() { self.known.client(&query.client_id) } else { None };
        if let Some(client) = known {
            let tenant = Arc::clone(&self.tenant);
            let (client, trust_anchors) = (Some(client), Vec::new());
            let facts = CallerFacts { tenant, client, device: None, assertion_used: false, trust_anchors };
            return Box::pin(core::future::ready(Ok(facts)));
        }
        let (ticket, known) = (self.known.ticket(), Arc::clone(&self.known));
        self.read_briefly(move |now| {
            let facts = now.caller(&query)?;
            facts.client.iter().for_each(|client| known.keep(ticket, client));
            Ok(facts)
        })
    }

    fn load_authorize(&self, client_id: String, user: Option<UserId>) -> Answer<'_, AuthorizeFacts> {
        self.read(move |now| now.authorize(&client_id, user.as_ref().map(UserId::as_str)))
    }

    fn load_code(&self, caller: CallerQuery, code: Digest) -> Answer<'_, CodeFacts> {
        self.read_briefly(move |now| now.code(&caller, &code))
    }

    fn load_refresh(&self, caller: CallerQuery, family: FamilyId) -> Answer<'_, RefreshFacts> {
        self.read_briefly(move |now| now.refresh(&caller, family.as_str()))
    }

    fn load_pairing(&self, caller: CallerQuery, device_code: Digest) -> Answer<'_, PairingFacts> {
        self.read_briefly(move |now| now.pairing(&caller, &device_code))
    }

    fn load_pairing_by_user_code(&self, user_code: Digest, user: UserId) -> Answer<'_, PairingFacts> {
        self.read(move |now| now.pairing_by_user_code(&user_code, &user))
    }

    fn load_registration(&self, caller: CallerQuery, query: RegistrationQuery) -> Answer<'_, RegistrationFacts> {
        self.read_briefly(move |now| now.registration(&caller, &query))
    }

    fn load_renewal(&self, caller: CallerQuery, query: RenewalQuery) -> Answer<'_, RenewalFacts> {
        self.read_briefly(move |now| now.renewal(&caller, &query))
    }

    fn load_trade(&self, caller: CallerQuery, anchors: Vec<Anchor>) -> Answer<'_, TradeFacts> {
        self.read_briefly(move |now| now.trade(&caller, &anchors))
    }

    fn load_device_keys(&self, did: String) -> Answer<'_, Option<DeviceFacts>> {
        self.read(move |now| now.device_by_id(&did))
    }

    fn head(&self) -> Answer<'_, Head> {
        self.read(|now| now.head())
    }

    fn load_raises(&self) -> Answer<'_, (Head, Vec<Raised>)> {
        self.read(|now| now.raises())
    }

    fn load_events(&self, query: EventQuery) -> Answer<'_, EventPage> {
        self.read(move |now| now.events(&query))
    }

    fn round(&self, after: u64) -> Answer<'_, Round> {
        self.read(move |now| {
            let all = EventQuery { after, kinds: Vec::new(), raises_only: true, subject: None, limit: 1_000 };
            let raises = now.events(&all)?;
            let rotations = EventQuery { kinds: vec![EventKind::KeyRotated], raises_only: false, limit: 1, ..all };
            let rotated = !now.events(&rotations)?.events.is_empty();
            Ok(Round { head: raises.head, clock: None, raises: raises.events, next: raises.next, rotated })
        })
    }

    fn wake(&self) -> Wake {
        self.waking()
    }

    fn is_shared(&self) -> bool {
        false
    }

    fn take_once(&self, key: String, until: i64) -> Answer<'_, bool> {
        let once = identity::Change::Once { key, until };
        let asked = self.commit(Commit { changes: vec![once.into()], now: i64::MIN, ..Commit::default() });
        Box::pin(async move {
            match asked.await {
                Ok(_) => Ok(true),
                Err(CommitError::Conflict(_)) => Ok(false),
                Err(CommitError::Store(error)) => Err(error),
            }
        })
    }

    fn prune(&self, now: i64) -> Answer<'_, Head> {
        let (reply, answer) = oneshot::channel();
        let asked = self.write(Job::Prune(now, reply));
        Box::pin(async move {
            asked?;
            answer.await.map_err(|_| gone())?
        })
    }

    fn export(&self) -> Answer<'_, Box<dyn Exporting>> {
        let path = self.path.clone();
        let (journal, words) = (self.journal.clone(), std::sync::Arc::clone(&self.words));
        self.read(move |_| {
            let journal_from = journal.map(|journal| journal.turn());
            let (reading, read) = whole::export(&path, words, journal_from)?;
            spawn("store-export", read)?;
            Ok(Box::new(reading) as Box<dyn Exporting>)
        })
    }

    fn restore(&self, begins: Head, items: Box<dyn Importing>) -> Answer<'_, Head> {
        let (reply, answer) = oneshot::channel();
        let asked = self.write(Job::Restore(begins, items, reply));
        Box::pin(async move {
            asked?;
            answer.await.map_err(|_| gone())?
        })
    }

    fn load_idempotent(&self, key: String, now: i64) -> Answer<'_, Option<IdempotentReply>> {
        self.read(move |snapshot| idempotent(snapshot, &key, now))
    }
}

fn idempotent(snapshot: &Snapshot<'_>, key: &str, now: i64) -> Result<Option<IdempotentReply>, StoreError> {
    let mut query = snapshot
        .db
        .prepare_cached("SELECT until, reply FROM idempotent WHERE key = ?1 AND until > ?2")
        .map_err(store_error)?;
    let found: Option<(i64, String)> =
        query.query_row(params![key, now], |row| Ok((row.get(0)?, row.get(1)?))).optional().map_err(store_error)?;
    let Some((until, reply)) = found else { return Ok(None) };
    let (request, status, body, headers) = serde_json::from_str(&reply)
        .map_err(|error| StoreError::Corrupt(format!("a reply kept for repetition: {error}")))?;
    Ok(Some(IdempotentReply { request, status, body, headers, until }))
}
