//! Certificate authorities whose devices are admitted, per product.

use identity::rule::import_line::is_text;
use identity::trust_anchor::TrustAnchorState;
use identity::{AnchorKind, Decision, Event, EventKind, Raise, TrustAnchor, TrustAnchorId, Version, Write};
use jose::base64url;
use serde::{Deserialize, Serialize};

use super::caller::Caller;
use super::credential::read_certificate;
use super::keep::{Outcome, Refused, Versioned, check_version, invalid, not_found, settle};
use super::repeat::{Answer, Repeat};
use crate::app::App;

/// An authority as staff hand it in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrustAnchorDraft {
    /// Its certificate, PEM or base64 DER.
    pub certificate: String,
    /// For the devices of this product: its model or its id.
    pub product: String,
    /// What people read.
    #[serde(default)]
    pub name: String,
}

/// What may change of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrustAnchorEdit {
    /// What people read.
    pub name: String,
    /// Whether its devices are let in.
    pub state: TrustAnchorState,
}

/// The certificate as it is kept, with its thumbprint.
fn judge(text: &str, now: i64) -> Result<(String, String), Refused> {
    let bad = |why: &str| invalid("bad_certificate", why);
    let certificate = read_certificate(text).map_err(bad)?;
    if !certificate.basic_constraints().is_some_and(|constraints| constraints.authority)
        || !certificate.may_sign_certificates()
    {
        return Err(bad("the certificate is not that of an authority"));
    }
    if !certificate.key_kind().is_strong() {
        return Err(bad("the key of the authority is too weak"));
    }
    if certificate.not_after() < now {
        return Err(bad("the certificate of the authority has expired"));
    }
    Ok((base64url::encode(certificate.der()), base64url::encode(certificate.thumbprint())))
}

impl App {
    /// Admits the devices an authority signs.
    ///
    /// # Errors
    /// `invalid`; `conflict` where the product trusts it already.
    pub async fn create_trust_anchor(
        &self,
        caller: &Caller,
        draft: &TrustAnchorDraft,
        repeat: &Repeat<'_, Versioned<TrustAnchor>>,
    ) -> Outcome<Answer<Versioned<TrustAnchor>>> {
        let draw = self.draw();
        let (certificate, thumbprint) = match judge(&draft.certificate, draw.now()) {
            Ok(judged) => judged,
            Err(refused) => return Ok(Err(refused)),
        };
        if !is_text(&draft.name) {
            return Ok(Err(invalid("bad_name", "at most 255 characters, none a control character")));
        }
        let (id, now) = (draw.id(TrustAnchorId::mint), draw.now());
        let (id, certificate, thumbprint) = (&id, &certificate, &thumbprint);
        self.keep_once(&draw, repeat, || async move {
            let Some(product) = self.find_product(&draft.product).await? else {
                return Ok((Default::default(), Err(invalid("bad_product", "there is no such product"))));
            };
            let anchor = TrustAnchor {
                id: id.clone(),
                product: product.id.clone(),
                name: draft.name.clone(),
                certificate: certificate.clone(),
                thumbprint: thumbprint.clone(),
                state: TrustAnchorState::Trusted,
            };
            let decision = Decision::reply(anchor.clone())
                .guard(product.guard())
                .event(told(&anchor, "device_ca.added", caller))
                .change(Write::new(anchor));
            Ok(settle(decision, 0, now))
        })
        .await
    }

    /// Names an authority, stops it or trusts it again. Stopping lets all fall
    /// that its devices got by it.
    ///
    /// # Errors
    /// `invalid`, `not_found`, `version_mismatch`.
    pub async fn replace_trust_anchor(
        &self,
        caller: &Caller,
        id: &str,
        version: Version,
        edit: &TrustAnchorEdit,
    ) -> Outcome<Versioned<TrustAnchor>> {
        if !is_text(&edit.name) {
            return Ok(Err(invalid("bad_name", "at most 255 characters, none a control character")));
        }
        let draw = self.draw();
        let now = draw.now();
        self.keep(&draw, || async move {
            let Some(known) = store::record::<TrustAnchor>(&*self.store, id).await? else {
                return Ok((Default::default(), Err(not_found("unknown_trust_anchor"))));
            };
            if let Err(refused) = check_version(known.version, Some(version)) {
                return Ok((Default::default(), Err(refused)));
            }
            let wanted = TrustAnchor { name: edit.name.clone(), state: edit.state, ..known.record.clone() };
            let mut decision = Decision::reply(wanted.clone());
            if wanted != known.record {
                decision = decision.change(known.rewrite(wanted.clone()));
                let change = match (known.state, wanted.state) {
                    (TrustAnchorState::Trusted, TrustAnchorState::Disabled) => {
                        decision = decision.change(Raise::cut(AnchorKind::TrustAnchor, id));
                        "device_ca.disabled"
                    }
                    (TrustAnchorState::Disabled, TrustAnchorState::Trusted) => "device_ca.trusted",
                    _ => "device_ca.named",
                };
                decision = decision.event(told(&wanted, change, caller));
            }
            Ok(settle(decision, known.version, now))
        })
        .await
    }
}

fn told(anchor: &TrustAnchor, change: &str, caller: &Caller) -> Event {
    Event::new(EventKind::ProductChanged, anchor.product.as_str())
        .with("change", change)
        .with("device_ca", anchor.id.as_str())
        .with("thumbprint", anchor.thumbprint.as_str())
        .with("by", caller.actor().id())
}
