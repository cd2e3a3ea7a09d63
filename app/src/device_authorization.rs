//! The device authorization endpoint, and the owner's decision (RFC 8628).

use identity::facts::{DeviceKey, OwnedFacts};
use identity::{Secret, UserId};
use oauth::device_authorization::{self, DrawnCodes, PageOutcome, Request};
use oauth::facts::PairingFacts;
use oauth::{Decision, ErrorCode, OAuthRefusal, Pairing};
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
        let asked = match self.collect(&request, &draw) {
            Ok(asked) => asked,
            Err(refused) => return refusal(refused, request.authorization.is_some(), None),
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

    /// What the owner's page shows for a typed code; `None` where it is no code
    /// or no live one, told alike.
    ///
    /// # Errors
    /// [`Fault`]
    pub async fn look_at_pairing(
        &self,
        typed: &str,
        user: &UserId,
    ) -> Result<Result<PairingFacts, PageOutcome>, Fault> {
        // What cannot be a code is looked up all the same: no difference in time.
        let code = device_authorization::normalise(typed).unwrap_or_default();
        let facts = self.store.load_pairing_by_user_code(self.keys.user_code_digest(&code), user.clone()).await?;
        Ok(match device_authorization::look(&facts, self.now()) {
            Ok(_) => Ok(facts),
            Err(outcome) => Err(outcome),
        })
    }

    /// Records the owner's decision.
    ///
    /// # Errors
    /// [`Fault`]
    pub async fn decide_pairing(
        &self,
        typed: &str,
        approve: bool,
        session: &identity::BrowserSession,
    ) -> Result<PageOutcome, Fault> {
        let now = self.now();
        let code = device_authorization::normalise(typed).unwrap_or_default();
        let digest = self.keys.user_code_digest(&code);
        let digest = &digest;
        let outcome: Result<PageOutcome, OAuthRefusal> = self
            .decide(|| async move {
                let facts = self.store.load_pairing_by_user_code(digest.clone(), session.user.clone()).await?;
                let decision =
                    device_authorization::decide_page(&facts, approve, session.authenticated_at, &session.methods, now);
                Ok(Commit::of(decision, now))
            })
            .await?;
        outcome.map_err(|_| Fault::Broken("pairing_decision"))
    }
}
