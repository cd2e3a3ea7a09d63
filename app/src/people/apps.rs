//! Apps with access: a remembered yes is withdrawn, and the tokens of an app
//! end. Whoever owns a thing ends an app's tokens on it as well.

use identity::ProblemCode;
use identity::{AnchorKind, AssetId, ClientId, Decision, Event, EventKind, Fact, FamilyId, Raise};
use oauth::{Change, Consent, TokenFamily};
use store::{Commit, SecurityFacts};

use super::Refused;
use super::browser::Viewer;
use super::things::{Eye, Removed};
use crate::app::App;
use crate::fault::Fault;

type Decided<R> = Decision<R, Change, ProblemCode>;

impl App {
    /// Ends an app's access to the person's account: consents are withdrawn,
    /// tokens fall and cannot be refreshed. Devices that act through the same
    /// client are removed one by one, as things.
    ///
    /// # Errors
    /// [`Fault`]; the inner refusal is `not_found`.
    pub async fn end_app(&self, viewer: &Viewer, client: &ClientId) -> Result<Result<(), Refused>, Fault> {
        let now = self.now();
        self.decide(|| async move {
            let facts = self.store.load_security(viewer.user.id.clone()).await?;
            Ok(Commit::of(end_app(client, &facts, now), now))
        })
        .await
    }

    pub(super) async fn end_family_on(
        &self,
        viewer: &Viewer,
        asset: &AssetId,
        family: &FamilyId,
    ) -> Result<Result<Removed, Refused>, Fault> {
        let now = self.now();
        self.decide(|| async move {
            let facts = self.store.load_things(viewer.user.id.clone()).await?;
            let eye = Eye::on(&viewer.user.id, &facts, asset, now);
            let family = eye.filter(Eye::owns).and_then(|eye| eye.family_of_app(family));
            let decision = match family {
                Some(family) => end_families(Decision::reply(Removed::Access), [family]),
                None => Decision::refuse(ProblemCode::NotFound, "no_family_of_theirs"),
            };
            Ok(Commit::of(decision, now))
        })
        .await
    }
}

fn end_app(client: &ClientId, facts: &SecurityFacts, now: i64) -> Decided<()> {
    let families: Vec<_> = apps_families(facts).filter(|family| family.client == *client).collect();
    let consents: Vec<_> = facts.consents.iter().filter(|consent| consent.client == *client).collect();
    if families.is_empty() && consents.is_empty() {
        return Decision::refuse(ProblemCode::NotFound, "no_app_of_theirs");
    }
    let mut decision = end_families(Decision::reply(()), families);
    for consent in consents {
        let withdrawn = Consent { withdrawn_at: Some(now), ..consent.record.clone() };
        decision = decision
            .change(consent.rewrite(withdrawn))
            .change(Raise::end(AnchorKind::Consent, consent.id.as_str()))
            .event(
                Event::new(EventKind::ConsentWithdrawn, consent.id.as_str())
                    .with("client_id", client.as_str())
                    .with("user_id", consent.user.as_str()),
            );
    }
    decision
}

/// What apps hold in the person's name; where a device acts, it is a thing.
pub(super) fn apps_families(facts: &SecurityFacts) -> impl Iterator<Item = &Fact<TokenFamily>> {
    facts.families.iter().filter(|family| family.device.is_none())
}

fn end_families<'a, R>(decision: Decided<R>, families: impl IntoIterator<Item = &'a Fact<TokenFamily>>) -> Decided<R> {
    families.into_iter().fold(decision, |decision, family| {
        decision
            .change(Raise::end(AnchorKind::Family, family.id.as_str()))
            .event(Event::new(EventKind::FamilyRevoked, family.id.as_str()).with("cause", "ended_by_user"))
    })
}
