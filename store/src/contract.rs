//! What every store promises, method by method. Owns the words; what they mean is
//! proved by the conformance suite.

use core::future::Future;
use core::pin::Pin;

use identity::facts::{
    BondFacts, CallHomeFacts, CallHomeQuery, DeviceFacts, DeviceKey, ImportFacts, ImportKeys, MailTokenFacts,
    OwnedFacts, PasskeyFacts, PersonFacts, SessionFacts,
};
use identity::{Anchor, Bond, BondId, DeviceId, Digest, Epochs, Fact, FamilyId, Record, RecordKey, UserId};
use oauth::facts::{
    AuthorizeFacts, CallerFacts, CodeFacts, PairingFacts, RefreshFacts, RegistrationFacts, RegistrationQuery,
    RenewalFacts, RenewalQuery, TradeFacts,
};

use crate::change::IdempotentReply;
use crate::commit::{Commit, CommitError, Committed, Expected};
use crate::error::StoreError;
use crate::feed::{EventPage, EventQuery, Head, Never, Raised, Round, Wake};
use crate::list::{ListQuery, Page, Stored};
use crate::load::{CallerQuery, SecurityFacts, ThingsFacts};
use crate::whole::{Exporting, Importing};

/// A boxed answer: one pointer per request, no generics through the program.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// A store. Each `load_…` is one snapshot and one hop; [`Store::commit`] is one
/// atomic step. All methods may be called from any thread.
pub trait Store: Send + Sync + 'static {
    /// Checks the guards and applies changes and events in one atomic step,
    /// durable before it answers. See [`CommitError`] for what may stand
    /// against it.
    fn commit(&self, commit: Commit) -> Pin<Box<dyn Future<Output = Result<Committed, CommitError>> + Send + '_>>;

    /// Tells that a commit is being prepared. A store that makes several durable
    /// at once may wait a moment for it; one that does not answers nothing.
    fn expect(&self) -> Expected {
        Expected::default()
    }

    /// One record as it is kept.
    fn load_record(&self, key: RecordKey) -> Answer<'_, Option<Stored>>;
    /// One page of a kind of records, filtered, in the order of their ids.
    fn list(&self, query: ListQuery) -> Answer<'_, Page>;
    /// Epochs as they are now; `None` where the record is missing (dead), a
    /// token's own `jti` aside, which is alive at 0 without a row.
    fn load_epochs(&self, anchors: Vec<Anchor>) -> Answer<'_, Vec<Option<Epochs>>>;

    /// A device by any identifier.
    fn load_device(&self, key: DeviceKey) -> Answer<'_, OwnedFacts>;
    /// A device with all bonds on its open title that have not ended, those that
    /// wait for an owner's word among them: for its end.
    fn load_retirement(&self, did: DeviceId) -> Answer<'_, (OwnedFacts, Vec<Fact<Bond>>)>;
    /// For call home.
    fn load_call_home(&self, query: CallHomeQuery) -> Answer<'_, CallHomeFacts>;
    /// For a batch of import lines, one answer per line, one snapshot.
    fn load_import(&self, lines: Vec<ImportKeys>) -> Answer<'_, Vec<ImportFacts>>;

    /// A person by address.
    fn load_person_by_email(&self, email: identity::user::Email) -> Answer<'_, PersonFacts>;
    /// A person by id.
    fn load_person(&self, user: UserId) -> Answer<'_, PersonFacts>;
    /// A secret sent by mail, by digest.
    fn load_mail_token(&self, token: Digest) -> Answer<'_, MailTokenFacts>;
    /// A browser session by the digest of its cookie.
    fn load_session(&self, cookie: Digest) -> Answer<'_, SessionFacts>;
    /// A passkey by its credential id (base64url).
    fn load_passkey(&self, credential_id: String) -> Answer<'_, PasskeyFacts>;
    /// All a person's security page shows: passkeys, sessions, families, consents.
    fn load_security(&self, user: UserId) -> Answer<'_, SecurityFacts>;
    /// All things a person has to do with.
    fn load_things(&self, user: UserId) -> Answer<'_, ThingsFacts>;
    /// A bond with its target and the other live bonds on it.
    fn load_bond(&self, bond: BondId) -> Answer<'_, BondFacts>;

    /// Who calls the token endpoint or a neighbour.
    fn load_caller(&self, query: CallerQuery) -> Answer<'_, CallerFacts>;
    /// For the authorization endpoint.
    fn load_authorize(&self, client_id: String, user: Option<UserId>) -> Answer<'_, AuthorizeFacts>;
    /// For redeeming a code.
    fn load_code(&self, caller: CallerQuery, code: Digest) -> Answer<'_, CodeFacts>;
    /// For a refresh.
    fn load_refresh(&self, caller: CallerQuery, family: FamilyId) -> Answer<'_, RefreshFacts>;
    /// For polling a device code.
    fn load_pairing(&self, caller: CallerQuery, device_code: Digest) -> Answer<'_, PairingFacts>;
    /// For the owner's page: by user code, as this user sees it.
    fn load_pairing_by_user_code(&self, user_code: Digest, user: UserId) -> Answer<'_, PairingFacts>;
    /// For registering an asset.
    fn load_registration(&self, caller: CallerQuery, query: RegistrationQuery) -> Answer<'_, RegistrationFacts>;
    /// For renewing an asset token.
    fn load_renewal(&self, caller: CallerQuery, query: RenewalQuery) -> Answer<'_, RenewalFacts>;
    /// For trading a token of ours for another, by the anchors it lists.
    fn load_trade(&self, caller: CallerQuery, anchors: Vec<Anchor>) -> Answer<'_, TradeFacts>;
    /// A device with its model and credentials, by did.
    fn load_device_keys(&self, did: String) -> Answer<'_, Option<DeviceFacts>>;

    /// Generation, greatest number, horizon and store time.
    fn head(&self) -> Answer<'_, Head>;
    /// Head and **all** raises that are kept, in one snapshot (anchors: start).
    fn load_raises(&self) -> Answer<'_, (Head, Vec<Raised>)>;
    /// Events after a cursor, in order.
    fn load_events(&self, query: EventQuery) -> Answer<'_, EventPage>;
    /// One round of the feed: gives a number to everything committed that has
    /// none, and tells what was raised behind the number `after`. A store that
    /// numbers inside the commit has nothing to number. A shared one is asked by
    /// each node every 100 ms, and sooner when [`Store::round_due`] wakes; a node
    /// is as fresh as the start of its last round (anchors: the feed).
    fn round(&self, after: u64) -> Answer<'_, Round>;
    /// Wakes when a round has something to do: this process committed, or another
    /// node has numbered. It may wake for nothing, and it may miss: rounds have
    /// their beat. Of a store that is not shared it never wakes.
    fn round_due(&self) -> Wake {
        Box::new(Never)
    }
    /// Wakes when the feed may have grown: by a commit of this process, or by a
    /// round that gave numbers.
    fn wake(&self) -> Wake;
    /// Whether several nodes may work on it at once.
    fn is_shared(&self) -> bool;
    /// Uses a key up until a time in seconds, in one step of its own; whether it
    /// was free. What must fall together with a decision is a `Change` instead.
    fn take_once(&self, key: String, until: i64) -> Answer<'_, bool>;
    /// Drops raises, used-up once keys and dead short-lived records; advances
    /// the store's time. Called every 60 s. Returns the new head.
    fn prune(&self, now: i64) -> Answer<'_, Head>;
    /// A reply kept under an idempotency key (its digest), if it has not expired.
    fn load_idempotent(&self, key: String, now: i64) -> Answer<'_, Option<IdempotentReply>>;

    /// Everything that is kept, as of one moment, while others go on writing.
    /// Records come first.
    fn export(&self) -> Answer<'_, Box<dyn Exporting>> {
        Box::pin(async { Err(StoreError::Misuse("this store is not read out as a whole yet".to_owned())) })
    }

    /// Fills a store in which nothing is, in one atomic step. It keeps its own
    /// generation and takes number, horizon and time of `begins`.
    fn restore(&self, begins: Head, items: Box<dyn Importing>) -> Answer<'_, Head> {
        let _ = (begins, items);
        Box::pin(async { Err(StoreError::Misuse("this store is not filled as a whole yet".to_owned())) })
    }
}

/// Reads one record of a kind by id.
///
/// # Errors
/// [`StoreError`] when the store fails or its record does not parse.
pub async fn record<T: Record + serde::de::DeserializeOwned>(
    store: &dyn Store,
    id: &str,
) -> Result<Option<Fact<T>>, StoreError> {
    store.load_record(RecordKey { kind: T::KIND, id: id.to_owned() }).await?.map(|stored| stored.parse()).transpose()
}
