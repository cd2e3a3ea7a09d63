//! The store's contract, one hop per question.

use core::pin::Pin;

use identity::facts::{
    BondFacts, CallHomeFacts, CallHomeQuery, DeviceFacts, DeviceKey, ImportFacts, ImportKeys, MailTokenFacts,
    OwnedFacts, PasskeyFacts, PersonFacts, SessionFacts,
};
use identity::user::Email;
use identity::{Anchor, Bond, BondId, DeviceId, Digest, Epochs, Fact, FamilyId, RecordKey, UserId};
use oauth::facts::{
    AuthorizeFacts, CallerFacts, CodeFacts, PairingFacts, RefreshFacts, RegistrationFacts, RegistrationQuery,
    RenewalFacts, RenewalQuery, TradeFacts,
};
use store::plan::{Plan, Shelf};
use store::{
    Answer, CallerQuery, Commit, CommitError, Committed, EventPage, EventQuery, Exporting, Head, IdempotentReply,
    Importing, ListQuery, Page, Raised, Round, SecurityFacts, Store, StoreError, Stored, ThingsFacts, Wake,
};

use crate::fault::store_error;
use crate::postgres_store::PostgresStore;
use crate::snapshot::{Snapshot, get};
use crate::table::Table;

/// An answer out of one snapshot. A connection that turns out to be lost, as all
/// are after a restart of the database, is replaced once: a question may be
/// asked again.
macro_rules! answer {
    ($self:ident, $now:ident => $load:expr) => {
        Box::pin($self.within(async move {
            let mut tries = 2;
            loop {
                let $now = $self.snapshot().await?;
                let loaded: Result<_, StoreError> = async { $load }.await;
                tries -= 1;
                if loaded.is_err() && $now.held.is_lost() && tries > 0 {
                    continue;
                }
                $now.end().await;
                return loaded;
            }
        }))
    };
}

impl Store for PostgresStore {
    fn commit(&self, commit: Commit) -> Pin<Box<dyn Future<Output = Result<Committed, CommitError>> + Send + '_>> {
        let plan = Plan::of(commit);
        Box::pin(async move {
            let plan = plan?;
            self.within(self.apply(&plan)).await
        })
    }

    fn load_record(&self, key: RecordKey) -> Answer<'_, Option<Stored>> {
        answer!(self, now => now.stored(Table::of(key.kind)?, &key.id).await)
    }

    fn list(&self, query: ListQuery) -> Answer<'_, Page> {
        answer!(self, now => now.list(&query).await)
    }

    fn load_epochs(&self, anchors: Vec<Anchor>) -> Answer<'_, Vec<Option<Epochs>>> {
        answer!(self, now => now.all_epochs(&anchors.iter().collect::<Vec<_>>()).await)
    }

    fn load_device(&self, key: DeviceKey) -> Answer<'_, OwnedFacts> {
        answer!(self, now => now.owned(now.device(&key).await?).await)
    }

    fn load_retirement(&self, did: DeviceId) -> Answer<'_, (OwnedFacts, Vec<Fact<Bond>>)> {
        answer!(self, now => {
            let owned = now.owned(now.by_id(did.as_str()).await?).await?;
            let bonds = match &owned.asset {
                Some(asset) => now.bonds_on(asset.id.as_str()).await?,
                None => Vec::new(),
            };
            Ok((owned, bonds))
        })
    }

    fn load_call_home(&self, query: CallHomeQuery) -> Answer<'_, CallHomeFacts> {
        answer!(self, now => now.call_home(&query).await)
    }

    fn load_import(&self, lines: Vec<ImportKeys>) -> Answer<'_, Vec<ImportFacts>> {
        answer!(self, now => {
            let Some((first, rest)) = lines.split_first() else { return Ok(Vec::new()) };
            // The first prepares what is asked; then all are on their way before the
            // first answer is waited for.
            let mut facts = vec![now.import(first).await?];
            facts.extend(futures_util::future::try_join_all(rest.iter().map(|line| now.import(line))).await?);
            Ok(facts)
        })
    }

    fn load_person_by_email(&self, email: Email) -> Answer<'_, PersonFacts> {
        answer!(self, now => now.person(now.by_member("email", Some(email.expose())).await?).await)
    }

    fn load_person(&self, user: UserId) -> Answer<'_, PersonFacts> {
        answer!(self, now => now.person(now.by_id(user.as_str()).await?).await)
    }

    fn load_mail_token(&self, token: Digest) -> Answer<'_, MailTokenFacts> {
        answer!(self, now => now.mail_token(token.as_str()).await)
    }

    fn load_session(&self, cookie: Digest) -> Answer<'_, SessionFacts> {
        answer!(self, now => now.session(cookie.as_str()).await)
    }

    fn load_passkey(&self, credential_id: String) -> Answer<'_, PasskeyFacts> {
        answer!(self, now => now.passkey(&credential_id).await)
    }

    fn load_security(&self, user: UserId) -> Answer<'_, SecurityFacts> {
        answer!(self, now => now.security(user.as_str()).await)
    }

    fn load_things(&self, user: UserId) -> Answer<'_, ThingsFacts> {
        answer!(self, now => now.things(user.as_str()).await)
    }

    fn load_bond(&self, bond: BondId) -> Answer<'_, BondFacts> {
        answer!(self, now => now.bond_facts(bond.as_str()).await)
    }

    fn load_caller(&self, query: CallerQuery) -> Answer<'_, CallerFacts> {
        answer!(self, now => now.caller(&query).await)
    }

    fn load_authorize(&self, client_id: String, user: Option<UserId>) -> Answer<'_, AuthorizeFacts> {
        answer!(self, now => now.authorize(&client_id, user.as_ref().map(UserId::as_str)).await)
    }

    fn load_code(&self, caller: CallerQuery, code: Digest) -> Answer<'_, CodeFacts> {
        answer!(self, now => now.code(&caller, &code).await)
    }

    fn load_refresh(&self, caller: CallerQuery, family: FamilyId) -> Answer<'_, RefreshFacts> {
        answer!(self, now => now.refresh(&caller, family.as_str()).await)
    }

    fn load_pairing(&self, caller: CallerQuery, device_code: Digest) -> Answer<'_, PairingFacts> {
        answer!(self, now => now.pairing(&caller, &device_code).await)
    }

    fn load_pairing_by_user_code(&self, user_code: Digest, user: UserId) -> Answer<'_, PairingFacts> {
        answer!(self, now => now.pairing_by_user_code(&user_code, &user).await)
    }

    fn load_registration(&self, caller: CallerQuery, query: RegistrationQuery) -> Answer<'_, RegistrationFacts> {
        answer!(self, now => now.registration(&caller, &query).await)
    }

    fn load_renewal(&self, caller: CallerQuery, query: RenewalQuery) -> Answer<'_, RenewalFacts> {
        answer!(self, now => now.renewal(&caller, &query).await)
    }

    fn load_trade(&self, caller: CallerQuery, anchors: Vec<Anchor>) -> Answer<'_, TradeFacts> {
        answer!(self, now => now.trade(&caller, &anchors).await)
    }

    fn load_device_keys(&self, did: String) -> Answer<'_, Option<DeviceFacts>> {
        answer!(self, now => now.device_by_id(&did).await)
    }

    fn head(&self) -> Answer<'_, Head> {
        answer!(self, now => now.head().await)
    }

    fn load_raises(&self) -> Answer<'_, (Head, Vec<Raised>)> {
        answer!(self, now => now.raises().await)
    }

    fn load_events(&self, query: EventQuery) -> Answer<'_, EventPage> {
        answer!(self, now => now.events(&query).await)
    }

    fn round(&self, after: u64) -> Answer<'_, Round> {
        Box::pin(self.within(self.number(after)))
    }

    fn round_due(&self) -> Wake {
        Box::new(self.due())
    }

    fn wake(&self) -> Wake {
        self.waking()
    }

    fn is_shared(&self) -> bool {
        true
    }

    fn take_once(&self, key: String, until: i64) -> Answer<'_, bool> {
        Box::pin(self.within(async move {
            let held = self.hold().await?;
            let take = "INSERT INTO once (key, until) VALUES ($1, $2) ON CONFLICT DO NOTHING RETURNING 1";
            let taken = held.query(take, &[&key, &until]).await.map_err(|error| store_error(&error))?;
            held.give_back();
            Ok(!taken.is_empty())
        }))
    }

    fn prune(&self, now: i64) -> Answer<'_, Head> {
        Box::pin(self.forget(now))
    }

    fn export(&self) -> Answer<'_, Box<dyn Exporting>> {
        Box::pin(async move { Ok(Box::new(self.within(self.read_out()).await?) as Box<dyn Exporting>) })
    }

    fn restore(&self, begins: Head, items: Box<dyn Importing>) -> Answer<'_, Head> {
        Box::pin(self.fill(begins, items))
    }

    fn load_idempotent(&self, key: String, now: i64) -> Answer<'_, Option<IdempotentReply>> {
        answer!(self, snapshot => idempotent(&snapshot, &key, now).await)
    }
}

async fn idempotent(snapshot: &Snapshot, key: &str, now: i64) -> Result<Option<IdempotentReply>, StoreError> {
    let text = "SELECT until, reply FROM idempotent WHERE key = $1 AND until > $2";
    let rows = snapshot.query(text, &[&key, &now]).await?;
    let Some(row) = rows.first() else { return Ok(None) };
    let (request, status, body, headers) = serde_json::from_str(get(row, 1)?)
        .map_err(|error| StoreError::Corrupt(format!("a reply kept for repetition: {error}")))?;
    Ok(Some(IdempotentReply { request, status, body, headers, until: get(row, 0)? }))
}
