//! What the rules of the token endpoint and its neighbours are told.

use std::sync::Arc;

use identity::bond::Holder;
use identity::facts::OwnedFacts;
use identity::{Account, Anchor, AnchorKind, Asset, Bond, Digest, Fact, User, UserId};
use oauth::facts::{
    AuthorizeFacts, CallerFacts, ChainFacts, CodeFacts, PairingFacts, RefreshFacts, RegistrationFacts,
    RegistrationQuery, RenewalFacts, RenewalQuery, TradeFacts,
};
use oauth::pairing::PairingState;
use oauth::{AuthorizationCode, Client, Consent, Pairing, TokenFamily};
use store::{CallerQuery, StoreError};

use crate::snapshot::Snapshot;

type Load<T> = Result<T, StoreError>;

impl Snapshot<'_> {
    pub(crate) fn caller(&self, query: &CallerQuery) -> Load<CallerFacts> {
        let client = self.client(&query.client_id)?;
        let device = if client.is_some() { None } else { self.device_by_id(&query.client_id)? };
        Ok(CallerFacts {
            tenant: Arc::clone(self.tenant),
            client,
            trust_anchors: self.trust_anchors_of(device.as_ref())?,
            device,
            assertion_used: self.used(query.assertion_once.as_deref())?,
        })
    }

    fn consent(&self, user: Option<&str>, client: &str) -> Load<Option<Fact<Consent>>> {
        user.map_or(Ok(None), |user| self.one("user = ?1 AND client = ?2 AND withdrawn_at IS NULL", [user, client]))
    }

    pub(crate) fn authorize(&self, client_id: &str, user: Option<&str>) -> Load<AuthorizeFacts> {
        Ok(AuthorizeFacts {
            tenant: self.tenant(),
            client: self.by_id(client_id)?,
            consent: self.consent(user, client_id)?,
            user: self.by_some_id(user)?,
        })
    }

    pub(crate) fn code(&self, caller: &CallerQuery, code: &Digest) -> Load<CodeFacts> {
        let code: Option<Fact<AuthorizationCode>> = self.by_id(code.as_str())?;
        let chain = match &code {
            Some(code) => {
                let user: Option<Fact<User>> = self.by_id(code.user.as_str())?;
                ChainFacts {
                    account: self.by_some_id(user.as_ref().map(|user| user.account.as_str()))?,
                    user,
                    session: self.by_id(code.session.as_str())?,
                    consent: self.consent(Some(code.user.as_str()), code.client.as_str())?,
                    client: self.other_client(caller, code.client.as_str())?,
                    family: self.by_id(code.family.as_str())?,
                    ..ChainFacts::default()
                }
            }
            None => ChainFacts::default(),
        };
        Ok(CodeFacts { caller: self.caller(caller)?, code, chain })
    }

    /// The client something was issued to, where it is not the one that calls.
    fn other_client(&self, caller: &CallerQuery, client: &str) -> Load<Option<Fact<Client>>> {
        if caller.client_id == client { Ok(None) } else { self.by_id(client) }
    }

    pub(crate) fn refresh(&self, caller: &CallerQuery, family: &str) -> Load<RefreshFacts> {
        let family: Option<Fact<TokenFamily>> = self.by_id(family)?;
        let Some(family) = family else {
            let caller = self.caller(caller)?;
            return Ok(RefreshFacts { caller, chain: ChainFacts::default(), anchors_now: Vec::new() });
        };
        let anchors_now = self.all_epochs(family.anchors.iter().map(|listed| &listed.anchor))?;
        let user: Option<Fact<User>> = self.by_some_id(family.user.as_ref().map(|id| id.as_str()))?;
        let asset: Option<Fact<Asset>> = self.by_some_id(family.asset.as_ref().map(|id| id.as_str()))?;
        // The device that acts, never the one the title is of: its key may carry
        // the family on.
        let device = family.device.as_ref();
        let chain = ChainFacts {
            account: self.by_some_id(family.account.as_ref().map(|id| id.as_str()))?,
            bond: self.by_some_id(family.bond.as_ref().map(|id| id.as_str()))?,
            device: device.map_or(Ok(None), |id| self.device_by_id(id.as_str()))?,
            session: self.by_some_id(family.session.as_ref().map(|id| id.as_str()))?,
            device_session: self.one(
                "device = ?1 AND end_epoch = 0 ORDER BY opened_at DESC, id DESC LIMIT 1",
                [device.map(|id| id.as_str())],
            )?,
            consent: self.consent(family.user.as_ref().map(|id| id.as_str()), family.client.as_str())?,
            client: self.other_client(caller, family.client.as_str())?,
            user,
            asset,
            family: Some(family),
        };
        Ok(RefreshFacts { caller: self.caller(caller)?, chain, anchors_now })
    }

    pub(crate) fn pairing(&self, caller: &CallerQuery, device_code: &Digest) -> Load<PairingFacts> {
        let pairing: Option<Fact<Pairing>> = self.by_id(device_code.as_str())?;
        let user = match pairing.as_ref().map(|pairing| &pairing.state) {
            Some(PairingState::Approved { user, .. }) => self.by_id(user.as_str())?,
            _ => None,
        };
        self.pairing_facts(caller, pairing, user)
    }

    /// A user code can come again after an earlier pairing died: the newest counts.
    pub(crate) fn pairing_by_user_code(&self, user_code: &Digest, user: &UserId) -> Load<PairingFacts> {
        let pairing: Option<Fact<Pairing>> = self.one(
            "user_code = ?1 ORDER BY created_at DESC, state = 'pending' DESC, id DESC LIMIT 1",
            [user_code.as_str()],
        )?;
        let client_id = pairing.as_ref().map(|pairing| pairing.client.as_str().to_owned()).unwrap_or_default();
        let caller = CallerQuery { client_id, assertion_once: None };
        self.pairing_facts(&caller, pairing, self.by_id(user.as_str())?)
    }

    fn pairing_facts(
        &self,
        caller: &CallerQuery,
        pairing: Option<Fact<Pairing>>,
        user: Option<Fact<User>>,
    ) -> Load<PairingFacts> {
        let device = pairing.as_ref().and_then(|pairing| pairing.device.as_ref());
        let owned = self.owned(self.by_some_id(device.map(|id| id.as_str()))?)?;
        let account: Option<Fact<Account>> = self.by_some_id(user.as_ref().map(|user| user.account.as_str()))?;
        let family = match pairing.as_ref().map(|pairing| &pairing.state) {
            Some(PairingState::Consumed { family }) => self.by_id(family.as_str())?,
            _ => None,
        };
        let bonds = self.bonds_on_title(user.as_ref(), &owned, account.as_ref().map(|it| it.id.as_str()))?;
        Ok(PairingFacts { caller: self.caller(caller)?, pairing, owned, user, account, bonds, family })
    }

    /// Bonds of a person on a title and on its account; where there is no title
    /// yet, on the account it would go to.
    fn bonds_on_title(
        &self,
        user: Option<&Fact<User>>,
        owned: &OwnedFacts,
        household: Option<&str>,
    ) -> Load<Vec<Fact<Bond>>> {
        let Some(user) = user else { return Ok(Vec::new()) };
        match &owned.asset {
            Some(asset) => self.bonds_between(user.id.as_str(), [asset.id.as_str(), asset.account.as_str()]),
            None => self.bonds_between(user.id.as_str(), household),
        }
    }

    pub(crate) fn registration(&self, caller: &CallerQuery, query: &RegistrationQuery) -> Load<RegistrationFacts> {
        let user: Option<Fact<User>> = self.by_some_id(query.user.as_deref())?;
        let memberships = match &user {
            Some(user) => self.memberships_of(user.id.as_str())?,
            None => Vec::new(),
        };
        let product = query.model.as_ref().map_or(Ok(None), |model| self.product_by_model(model))?;
        let by_asset = query.asset.as_ref().map_or(Ok(OwnedFacts::default()), |asset| self.owned_by_title(asset))?;
        let by_did = match (&query.did, &query.external_id) {
            (Some(did), _) => self.by_id(did.as_str())?,
            (None, Some(external_id)) => self.one("external_id = ?1", [external_id])?,
            (None, None) => None,
        };
        let by_did = self.owned(by_did)?;
        let by_serial = match &query.serial {
            Some(serial) => {
                self.owned_beside(self.device_by_serial(query.model.as_deref(), serial)?, &[&by_asset, &by_did])?
            }
            None => OwnedFacts::default(),
        };
        let by_key = match &query.key_thumbprint {
            Some(thumbprint) => {
                let device = self.device_of(self.credential_by_key(thumbprint)?)?;
                self.owned_beside(device, &[&by_asset, &by_did, &by_serial])?
            }
            None => OwnedFacts::default(),
        };
        let bonds = match &user {
            Some(user) => {
                let found = [&by_asset, &by_did, &by_serial, &by_key].into_iter().filter_map(|it| it.asset.as_ref());
                self.bonds_between(user.id.as_str(), found.map(|asset| asset.id.as_str()))?
            }
            None => Vec::new(),
        };
        let caller = self.caller(caller)?;
        let account = self.by_some_id(user.as_ref().map(|user| user.account.as_str()))?;
        // Most of them were just read.
        let anchors_now = query.subject_anchors.iter().map(|anchor| {
            let read = match anchor.kind {
                AnchorKind::User => user.as_ref().filter(|user| user.id.as_str() == anchor.id).map(|it| it.epochs),
                AnchorKind::Account => {
                    account.as_ref().filter(|it: &&Fact<Account>| it.id.as_str() == anchor.id).map(|it| it.epochs)
                }
                AnchorKind::Client => {
                    caller.client.as_ref().filter(|it| it.id.as_str() == anchor.id).map(|it| it.epochs)
                }
                _ => None,
            };
            read.map_or_else(|| self.epochs(anchor), |epochs| Ok(Some(epochs)))
        });
        let anchors_now = anchors_now.collect::<Load<_>>()?;
        Ok(RegistrationFacts {
            caller,
            account,
            named_account: self.by_some_id(query.account.as_deref())?,
            user,
            memberships,
            product,
            by_asset,
            by_did,
            by_serial,
            by_key,
            bonds,
            actor_used: self.used(query.actor_once.as_deref())?,
            anchors_now,
        })
    }

    pub(crate) fn renewal(&self, caller: &CallerQuery, query: &RenewalQuery) -> Load<RenewalFacts> {
        let asset: Option<Fact<Asset>> = self.by_id(&query.asset)?;
        let device = asset.as_ref().map_or(Ok(None), |asset| self.device_by_id(asset.device.as_str()))?;
        let through = asset.as_ref().and_then(|asset| asset.client.as_ref()).map(|client| client.as_str());
        let listed = query.anchors.iter().filter(|anchor| anchor.kind == AnchorKind::Bond);
        let bonds: Vec<Fact<Bond>> = self.by_ids(listed.map(|anchor| anchor.id.as_str()))?;
        let on_title = bonds.iter().find(|bond| bond.target.id() == query.asset);
        let holder = on_title.map(|bond| &bond.holder).filter(|holder| matches!(holder, Holder::User(_)));
        Ok(RenewalFacts {
            caller: self.caller(caller)?,
            client: self.by_some_id(query.client.as_deref().or(through))?,
            account: self.by_some_id(asset.as_ref().map(|asset| asset.account.as_str()))?,
            trust_anchors: self.trust_anchors_of(device.as_ref())?,
            device,
            user: self.by_some_id(holder.map(Holder::id))?,
            held: self.exists("SELECT 1 FROM bond WHERE target = ?1 AND state <> 'ended'", &query.asset)?,
            asset,
            bonds,
            anchors_now: self.all_epochs(&query.anchors)?,
        })
    }

    pub(crate) fn trade(&self, caller: &CallerQuery, anchors: &[Anchor]) -> Load<TradeFacts> {
        let id = |kind| id_of(anchors, kind);
        let session = |prefix: &str| {
            let sessions = anchors.iter().filter(|anchor| anchor.kind == AnchorKind::Session);
            sessions.map(|anchor| anchor.id.as_str()).find(|id| id.starts_with(prefix))
        };
        let chain = ChainFacts {
            user: self.by_some_id(id(AnchorKind::User))?,
            account: self.by_some_id(id(AnchorKind::Account))?,
            asset: self.by_some_id(id(AnchorKind::Asset))?,
            bond: self.by_some_id(id(AnchorKind::Bond))?,
            device: id(AnchorKind::Device).map_or(Ok(None), |did| self.device_by_id(did))?,
            session: self.by_some_id(session(identity::SessionId::PREFIX))?,
            device_session: self.by_some_id(session(identity::DeviceSessionId::PREFIX))?,
            consent: self.by_some_id(id(AnchorKind::Consent))?,
            client: id(AnchorKind::Client).map_or(Ok(None), |client| self.other_client(caller, client))?,
            family: self.by_some_id(id(AnchorKind::Family))?,
        };
        Ok(TradeFacts { caller: self.caller(caller)?, chain, anchors_now: self.all_epochs(anchors)? })
    }
}

fn id_of(anchors: &[Anchor], kind: AnchorKind) -> Option<&str> {
    anchors.iter().find(|anchor| anchor.kind == kind).map(|anchor| anchor.id.as_str())
}
