//! The device authorization endpoint, and the owner's decision (RFC 8628).

use std::net::IpAddr;

use identity::facts::{DeviceKey, OwnedFacts};
use identity::{BrowserSession, Secret};
use oauth::device_authorization::{self, DrawnCodes, PageOutcome, Request};
use oauth::facts::PairingFacts;
use oauth::{Decision, ErrorCode, Pairing};
use store::Commit;

use crate::app::App;
use crate::fault::Fault;
use crate::token::{TokenRefusal, TokenRequest};

/// The answer to the device (RFC 8628 §3.2).
pub struct Begun {
    /// For the device alone.
    pub device_code: Secret<String>,
    /// For the display: `WDJB-MJHT`.
    pub user_code: String,
    /// What was recorded.
    pub pairing: Pairing,
}

impl App {
    /// Begins a pairing.
    ///
    /// # Errors
    /// [`Fault`] where we fail; the inner refusal goes out as the RFC says.
    pub async fn begin_pairing(&self, request: TokenRequest) -> Result<Result<Begun, TokenRefusal>, Fault> {
        let draw = self.draw();
        let refusal = |refusal, basic, nonce| Ok(Err(TokenRefusal { refusal, basic, nonce }));
        let basic = request.authorization.is_some();
        let asked = match self.collect(request, &draw).await {
            Ok(asked) => asked,
            Err(refused) => return refusal(refused, basic, None),
        };
        let parsed = asked.jkt().and_then(|jkt| Request::parse(&asked.form, jkt));
        let (device_code, digest) = draw.secret();
        let code = core::iter::repeat_with(|| draw.bytes::<32>())
            .take(64)
            .find_map(|bytes| device_authorization::user_code(&bytes))
            .ok_or(Fault::Broken("user_code"))?;
        let codes = DrawnCodes { device_code: digest, user_code: self.keys.user_code_digest(&code), now: draw.now() };
        let (asked, parsed, codes, draw) = (&asked, &parsed, &codes, &draw);
        let outcome = self
            .decide(|| async move {
                let caller = self.store.load_caller(asked.caller()).await?;
                let did = parsed.as_ref().ok().and_then(|request| request.did.as_deref()?.parse().ok());
                let owned = match did {
                    Some(did) => self.store.load_device(DeviceKey::Did(did)).await?,
                    None => OwnedFacts::default(),
                };
                let client = self.authenticate_client(asked, &caller);
                let decision = match client.and_then(|client| Ok((client, parsed.as_ref().map_err(|r| *r)?))) {
                    Ok((client, request)) => {
                        device_authorization::begin(request, &client, &caller.tenant, &owned, codes)
                    }
                    Err(refusal) => Decision::refuse(refusal.code, refusal.reason),
                };
                Ok(Commit::of(decision, draw.now()))
            })
            .await?;
        match outcome {
            Ok(pairing) => Ok(Ok(Begun { device_code, user_code: device_authorization::shown(&code), pairing })),
            Err(refused) => {
                let nonce = (refused.code == ErrorCode::UseDpopNonce).then(|| self.token_nonce());
                refusal(refused, asked.presented.used_basic(), nonce)
            }
        }
    }

    /// What the owner's page shows for a typed code. No code and no live one are
    /// told alike, and take as long.
    ///
    /// # Errors
    /// [`Fault`]
    pub async fn look_at_pairing(
        &self,
        typed: &str,
        session: &BrowserSession,
        address: IpAddr,
    ) -> Result<PageLook, Fault> {
        let now = self.now();
        if !self.pairing_brake.admits(session, address, now) {
            return Ok(PageLook::Later);
        }
        // What cannot be a code is looked up all the same: no difference in time.
        let code = device_authorization::normalise(typed).unwrap_or_default();
        let digest = self.keys.user_code_digest(&code);
        let facts = self.store.load_pairing_by_user_code(digest, session.user.clone()).await?;
        match device_authorization::look(&facts, now) {
            Ok(pairing) => {
                self.pairing_brake.was_right(session, address);
                Ok(PageLook::Found(Box::new(shown(&code, pairing, &facts))))
            }
            Err(PageOutcome::AlreadyUsed) => Ok(PageLook::Used),
            Err(_) => Ok(PageLook::Wrong),
        }
    }

    /// Records the owner's decision; says how it ended and for which device.
    ///
    /// # Errors
    /// [`Fault::Busy`] after too many wrong codes; other [`Fault`]s.
    pub async fn decide_pairing(
        &self,
        typed: &str,
        approve: bool,
        session: &BrowserSession,
        address: IpAddr,
    ) -> Result<(PageOutcome, String), Fault> {
        let now = self.now();
        if !self.pairing_brake.admits(session, address, now) {
            return Err(Fault::Busy("user_codes"));
        }
        let code = device_authorization::normalise(typed).unwrap_or_default();
        let digest = &self.keys.user_code_digest(&code);
        let outcome = self
            .decide(|| async move {
                let facts = self.store.load_pairing_by_user_code(digest.clone(), session.user.clone()).await?;
                let name = device_name(&facts);
                let (at, methods) = (session.authenticated_at, session.methods.as_slice());
                let decision = device_authorization::decide_page(&facts, approve, at, methods, now);
                let (commit, reply) = Commit::of(decision, now);
                Ok((commit, reply.map(|outcome| (outcome, name))))
            })
            .await?;
        let (outcome, name) = outcome.map_err(|_| Fault::Broken("pairing_decision"))?;
        if outcome != PageOutcome::Unknown {
            self.pairing_brake.was_right(session, address);
        }
        Ok((outcome, name))
    }
}

/// What a typed code leads to.
pub enum PageLook {
    /// A device asks.
    Found(Box<Looked>),
    /// No live code.
    Wrong,
    /// Decided before.
    Used,
    /// Too many wrong ones: nothing is told about this one.
    Later,
}

/// What the owner sees before deciding.
pub struct Looked {
    /// The code as the device shows it.
    pub code: String,
    /// The word for the product's drawing.
    pub icon: String,
    /// The device's name, the product's where it has none.
    pub device: String,
    /// The product's name.
    pub product: String,
    /// The last characters of the serial, at most six.
    pub serial_tail: String,
    /// The software that asks.
    pub client: String,
    /// What it asks for.
    pub asks: Vec<String>,
    /// The household that will own the device, when allowing also claims it.
    pub claims_for: Option<String>,
}

fn device_name(facts: &PairingFacts) -> String {
    let title = facts.owned.asset.as_ref().map(|asset| asset.name.clone());
    let known = facts.owned.device.as_ref();
    let own = known.and_then(|known| known.device.name.clone().or(Some(known.product.name.clone())));
    let client = facts.caller.client.as_ref().map(|client| client.name.clone());
    title.or(own).or(client).unwrap_or_default()
}

fn shown(code: &str, pairing: &Pairing, facts: &PairingFacts) -> Looked {
    let known = facts.owned.device.as_ref();
    let serial = known.and_then(|known| known.device.serial.clone()).unwrap_or_default();
    let skipped = serial.chars().count().saturating_sub(6);
    let claims = known.is_some() && facts.owned.asset.is_none();
    Looked {
        code: device_authorization::shown(code),
        icon: known.map(|known| known.product.icon.clone()).unwrap_or_default(),
        device: device_name(facts),
        product: known.map(|known| known.product.name.clone()).unwrap_or_default(),
        serial_tail: serial.chars().skip(skipped).collect(),
        client: facts.caller.client.as_ref().map(|client| client.name.clone()).unwrap_or_default(),
        asks: pairing.scope.iter().map(str::to_owned).collect(),
        claims_for: facts.account.as_ref().filter(|_| claims).map(|account| account.name.clone()),
    }
}
