//! What the rules of the token endpoint and its neighbours are told.

use std::sync::Arc;

use identity::bond::Holder;
use identity::facts::OwnedFacts;
use identity::{Account, Anchor, AnchorKind, Asset, Bond, Digest, Fact, Product, User, UserId};
use oauth::facts::{
    AuthorizeFacts, CallerFacts, ChainFacts, CodeFacts, PairingFacts, RefreshFacts, RegistrationFacts,
    RegistrationQuery, RenewalFacts, RenewalQuery, TradeFacts,
};
use oauth::pairing::PairingState;
use oauth::{AuthorizationCode, Client, Consent, Pairing, TokenFamily};
use store::{CallerQuery, StoreError};

use crate::snapshot::{Snapshot, id_list};

type Load<T> = Result<T, StoreError>;

impl Snapshot {
    pub(crate) async fn caller(&self, query: &CallerQuery) -> Load<CallerFacts> {
        let device = self.device_by_id(&query.client_id).await?;
        Ok(CallerFacts {
            tenant: Arc::clone(&self.tenant),
            client: self.by_id(&query.client_id).await?.map(Arc::new),
            trust_anchors: self.trust_anchors_of(device.as_ref()).await?,
            device,
            assertion_used: self.used(query.assertion_once.as_deref()).await?,
        })
    }

    async fn consent(&self, user: Option<&str>, client: &str) -> Load<Option<Fact<Consent>>> {
        let Some(user) = user else { return Ok(None) };
        let live = "body ->> 'user' = $1 AND body ->> 'client' = $2 AND body ->> 'withdrawn_at' IS NULL";
        self.one(live, &[&user, &client]).await
    }

    pub(crate) async fn authorize(&self, client_id: &str, user: Option<&str>) -> Load<AuthorizeFacts> {
        Ok(AuthorizeFacts {
            tenant: self.tenant(),
            client: self.by_id(client_id).await?,
            consent: self.consent(user, client_id).await?,
            user: self.by_some_id(user).await?,
        })
    }

    pub(crate) async fn code(&self, caller: &CallerQuery, code: &Digest) -> Load<CodeFacts> {
        let code: Option<Fact<AuthorizationCode>> = self.by_id(code.as_str()).await?;
        let chain = match &code {
            Some(code) => {
                let user: Option<Fact<User>> = self.by_id(code.user.as_str()).await?;
                ChainFacts {
                    account: self.by_some_id(user.as_ref().map(|user| user.account.as_str())).await?,
                    user,
                    session: self.by_id(code.session.as_str()).await?,
                    consent: self.consent(Some(code.user.as_str()), code.client.as_str()).await?,
                    client: self.other_client(caller, code.client.as_str()).await?,
                    family: self.by_id(code.family.as_str()).await?,
                    ..ChainFacts::default()
                }
            }
            None => ChainFacts::default(),
        };
        Ok(CodeFacts { caller: self.caller(caller).await?, code, chain })
    }

    /// The client something was issued to, where it is not the one that calls.
    async fn other_client(&self, caller: &CallerQuery, client: &str) -> Load<Option<Fact<Client>>> {
        if caller.client_id == client { Ok(None) } else { self.by_id(client).await }
    }

    pub(crate) async fn refresh(&self, caller: &CallerQuery, family: &str) -> Load<RefreshFacts> {
        let family: Option<Fact<TokenFamily>> = self.by_id(family).await?;
        let Some(family) = family else {
            let caller = self.caller(caller).await?;
            return Ok(RefreshFacts { caller, chain: ChainFacts::default(), anchors_now: Vec::new() });
        };
        let anchors_now =
            self.all_epochs(&family.anchors.iter().map(|listed| &listed.anchor).collect::<Vec<_>>()).await?;
        let user: Option<Fact<User>> = self.by_some_id(family.user.as_ref().map(|id| id.as_str())).await?;
        let asset: Option<Fact<Asset>> = self.by_some_id(family.asset.as_ref().map(|id| id.as_str())).await?;
        // The device that acts, never the one the title is of: its key may carry
        // the family on.
        let device = family.device.as_ref();
        let chain = ChainFacts {
            account: self.by_some_id(family.account.as_ref().map(|id| id.as_str())).await?,
            bond: self.by_some_id(family.bond.as_ref().map(|id| id.as_str())).await?,
            device: self.device_by_some_id(device.map(|id| id.as_str())).await?,
            session: self.by_some_id(family.session.as_ref().map(|id| id.as_str())).await?,
            device_session: self.one(
                "body ->> 'device' = $1 AND end_epoch = 0 ORDER BY (body ->> 'opened_at')::bigint DESC, id DESC LIMIT 1",
                &[&device.map(|id| id.as_str())],
            ).await?,
            consent: self.consent(family.user.as_ref().map(|id| id.as_str()), family.client.as_str()).await?,
            client: self.other_client(caller, family.client.as_str()).await?,
            user,
            asset,
            family: Some(family),
        };
        Ok(RefreshFacts { caller: self.caller(caller).await?, chain, anchors_now })
    }

    pub(crate) async fn pairing(&self, caller: &CallerQuery, device_code: &Digest) -> Load<PairingFacts> {
        let pairing: Option<Fact<Pairing>> = self.by_id(device_code.as_str()).await?;
        let user = match pairing.as_ref().map(|pairing| &pairing.state) {
            Some(PairingState::Approved { user, .. }) => self.by_id(user.as_str()).await?,
            _ => None,
        };
        self.pairing_facts(caller, pairing, user).await
    }

    /// A user code can come again after an earlier pairing died: the newest counts.
    pub(crate) async fn pairing_by_user_code(&self, user_code: &Digest, user: &UserId) -> Load<PairingFacts> {
        let pairing: Option<Fact<Pairing>> = self
            .one(
                "body ->> 'user_code' = $1 ORDER BY (body ->> 'created_at')::bigint DESC,
             body #>> '{state,state}' = 'pending' DESC, id DESC LIMIT 1",
                &[&user_code.as_str()],
            )
            .await?;
        let client_id = pairing.as_ref().map(|pairing| pairing.client.as_str().to_owned()).unwrap_or_default();
        let caller = CallerQuery { client_id, assertion_once: None };
        self.pairing_facts(&caller, pairing, self.by_id(user.as_str()).await?).await
    }

    async fn pairing_facts(
        &self,
        caller: &CallerQuery,
        pairing: Option<Fact<Pairing>>,
        user: Option<Fact<User>>,
    ) -> Load<PairingFacts> {
        let device = pairing.as_ref().and_then(|pairing| pairing.device.as_ref());
        let owned = self.owned(self.by_some_id(device.map(|id| id.as_str())).await?).await?;
        let account: Option<Fact<Account>> = self.by_some_id(user.as_ref().map(|user| user.account.as_str())).await?;
        let family = match pairing.as_ref().map(|pairing| &pairing.state) {
            Some(PairingState::Consumed { family }) => self.by_id(family.as_str()).await?,
            _ => None,
        };
        let bonds = self.bonds_on_title(user.as_ref(), &owned, account.as_ref().map(|it| it.id.as_str())).await?;
        Ok(PairingFacts { caller: self.caller(caller).await?, pairing, owned, user, account, bonds, family })
    }

    /// Bonds of a person on a title and on its account; where there is no title
    /// yet, on the account it would go to.
    async fn bonds_on_title(
        &self,
        user: Option<&Fact<User>>,
        owned: &OwnedFacts,
        household: Option<&str>,
    ) -> Load<Vec<Fact<Bond>>> {
        let Some(user) = user else { return Ok(Vec::new()) };
        match &owned.asset {
            Some(asset) => self.bonds_between(user.id.as_str(), &[asset.id.as_str(), asset.account.as_str()]).await,
            None => self.bonds_between(user.id.as_str(), household.as_slice()).await,
        }
    }

    pub(crate) async fn registration(
        &self,
        caller: &CallerQuery,
        query: &RegistrationQuery,
    ) -> Load<RegistrationFacts> {
        let user: Option<Fact<User>> = self.by_some_id(query.user.as_deref()).await?;
        let memberships = match &user {
            Some(user) => self.memberships_of(user.id.as_str()).await?,
            None => Vec::new(),
        };
        let product: Option<Fact<Product>> = self.by_member("model", query.model.as_deref()).await?;
        let by_asset = match &query.asset {
            Some(asset) => self.owned_by_title(asset).await?,
            None => OwnedFacts::default(),
        };
        let by_did = match (&query.did, &query.external_id) {
            (Some(did), _) => self.by_id(did.as_str()).await?,
            (None, external_id) => self.by_member("external_id", external_id.as_deref()).await?,
        };
        let by_did = self.owned(by_did).await?;
        let by_serial = match &query.serial {
            Some(serial) => self.owned(self.device_by_serial(query.model.as_deref(), serial).await?).await?,
            None => OwnedFacts::default(),
        };
        let by_key = match &query.key_thumbprint {
            Some(thumbprint) => self.owned(self.device_of(self.credential_by_key(thumbprint).await?).await?).await?,
            None => OwnedFacts::default(),
        };
        let bonds = match &user {
            Some(user) => {
                let found = [&by_asset, &by_did, &by_serial, &by_key].into_iter().filter_map(|it| it.asset.as_ref());
                self.bonds_between(user.id.as_str(), &found.map(|asset| asset.id.as_str()).collect::<Vec<_>>()).await?
            }
            None => Vec::new(),
        };
        Ok(RegistrationFacts {
            caller: self.caller(caller).await?,
            account: self.by_some_id(user.as_ref().map(|user| user.account.as_str())).await?,
            named_account: self.by_some_id(query.account.as_deref()).await?,
            user,
            memberships,
            product,
            by_asset,
            by_did,
            by_serial,
            by_key,
            bonds,
            actor_used: self.used(query.actor_once.as_deref()).await?,
            anchors_now: self.all_epochs(&query.subject_anchors.iter().collect::<Vec<_>>()).await?,
        })
    }

    pub(crate) async fn renewal(&self, caller: &CallerQuery, query: &RenewalQuery) -> Load<RenewalFacts> {
        let asset: Option<Fact<Asset>> = self.by_id(&query.asset).await?;
        let through = asset.as_ref().and_then(|asset| asset.client.as_ref()).map(|client| client.as_str());
        let listed = query.anchors.iter().filter(|anchor| anchor.kind == AnchorKind::Bond);
        let bonds: Vec<Fact<Bond>> = self.by_ids(&id_list(listed.map(|anchor| anchor.id.as_str()))).await?;
        let on_title = bonds.iter().find(|bond| bond.target.id() == query.asset);
        let holder = on_title.map(|bond| &bond.holder).filter(|holder| matches!(holder, Holder::User(_)));
        let held = "SELECT 1 FROM bond WHERE body #>> '{target,id}' = $1 AND body ->> 'state' <> 'ended' LIMIT 1";
        let device = self.device_by_some_id(asset.as_ref().map(|asset| asset.device.as_str())).await?;
        Ok(RenewalFacts {
            caller: self.caller(caller).await?,
            client: self.by_some_id(query.client.as_deref().or(through)).await?,
            account: self.by_some_id(asset.as_ref().map(|asset| asset.account.as_str())).await?,
            trust_anchors: self.trust_anchors_of(device.as_ref()).await?,
            device,
            user: self.by_some_id(holder.map(Holder::id)).await?,
            held: !self.query(held, &[&query.asset]).await?.is_empty(),
            asset,
            bonds,
            anchors_now: self.all_epochs(&query.anchors.iter().collect::<Vec<_>>()).await?,
        })
    }

    pub(crate) async fn trade(&self, caller: &CallerQuery, anchors: &[Anchor]) -> Load<TradeFacts> {
        let id = |kind| id_of(anchors, kind);
        let session = |prefix: &str| {
            let sessions = anchors.iter().filter(|anchor| anchor.kind == AnchorKind::Session);
            sessions.map(|anchor| anchor.id.as_str()).find(|id| id.starts_with(prefix))
        };
        let chain = ChainFacts {
            user: self.by_some_id(id(AnchorKind::User)).await?,
            account: self.by_some_id(id(AnchorKind::Account)).await?,
            asset: self.by_some_id(id(AnchorKind::Asset)).await?,
            bond: self.by_some_id(id(AnchorKind::Bond)).await?,
            device: self.device_by_some_id(id(AnchorKind::Device)).await?,
            session: self.by_some_id(session(identity::SessionId::PREFIX)).await?,
            device_session: self.by_some_id(session(identity::DeviceSessionId::PREFIX)).await?,
            consent: self.by_some_id(id(AnchorKind::Consent)).await?,
            client: match id(AnchorKind::Client) {
                Some(client) => self.other_client(caller, client).await?,
                None => None,
            },
            family: self.by_some_id(id(AnchorKind::Family)).await?,
        };
        let anchors_now = self.all_epochs(&anchors.iter().collect::<Vec<_>>()).await?;
        Ok(TradeFacts { caller: self.caller(caller).await?, chain, anchors_now })
    }
}

fn id_of(anchors: &[Anchor], kind: AnchorKind) -> Option<&str> {
    anchors.iter().find(|anchor| anchor.kind == kind).map(|anchor| anchor.id.as_str())
}
