//! A person whom a trusted foreign issuer speaks of, and who is not known here
//! yet: adopted before the device is registered, where that issuer's rule says so.

use identity::rule::adoption::{self, Adoption};
use identity::{AccountId, BondId};
use oauth::facts::RegistrationQuery;
use oauth::foreign_token::{ForeignSubject, Users};
use oauth::grant::token_exchange;
use store::Commit;

use super::Asked;
use crate::app::App;
use crate::fault::Fault;

impl App {
    /// Makes them; does nothing where they are known, and where the registration
    /// will be refused anyway.
    pub(super) async fn adopt(&self, asked: &Asked<'_>, subject: &ForeignSubject) -> Result<(), Fault> {
        if subject.issuer.users == Users::Find {
            return Ok(());
        }
        let (household, membership) = (asked.draw.id(AccountId::mint), asked.draw.id(BondId::mint));
        let query = RegistrationQuery {
            user: Some(subject.user.to_string()),
            account: subject.issuer.account.as_ref().map(ToString::to_string),
            ..RegistrationQuery::default()
        };
        let proof = asked.proof.as_ref().ok().and_then(Option::as_ref).map(jose::dpop::VerifiedProof::jwk);
        let (query, household, membership) = (&query, &household, &membership);
        self.decide(|| async move {
            let nothing = Commit { now: asked.draw.now(), ..Commit::default() };
            let facts = self.store.load_registration(asked.caller(), query.clone()).await?;
            let Ok(client) = self.authenticate_client(asked, &facts.caller) else { return Ok((nothing, ())) };
            if facts.user.is_some() || token_exchange::may_bring(&client, subject, proof).is_err() {
                return Ok((nothing, ()));
            }
            if subject.issuer.account.is_some() && facts.named_account.is_none() {
                tracing::warn!(issuer = subject.issuer.issuer, "account_of_foreign_issuer_missing");
                return Ok((nothing, ()));
            }
            let adoption = Adoption {
                user: subject.user.clone(),
                issuer: &subject.issuer.issuer,
                name: subject.name.as_deref(),
                into: facts.named_account.as_ref(),
                household: household.clone(),
                membership: membership.clone(),
            };
            let (commit, reply) = Commit::of(adoption::decide(&adoption, asked.draw.now()), asked.draw.now());
            if let Err(refusal) = reply {
                tracing::warn!(issuer = subject.issuer.issuer, reason = refusal.reason, "foreign_person_not_adopted");
            }
            Ok((commit, ()))
        })
        .await
    }
}
