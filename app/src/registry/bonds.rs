//! Bonds as staff see them: read, ended, and let hold again.

use identity::bond::BondState;
use identity::rule::{end_bond, resume_bond};
use identity::{Bond, BondId, Version};
use store::Commit;

use super::caller::Caller;
use super::keep::{Outcome, Versioned, check_version, counted, not_found};
use super::repeat::{Answer, Repeat};
use crate::app::App;

impl App {
    /// Ends a bond; ending one that is over changes nothing.
    ///
    /// # Errors
    /// `not_found`, `version_mismatch`, `last_owner`.
    pub async fn end_bond_by_staff(
        &self,
        caller: &Caller,
        id: &str,
        if_version: Option<Version>,
        repeat: &Repeat<'_, Versioned<Bond>>,
    ) -> Outcome<Answer<Versioned<Bond>>> {
        let draw = self.draw();
        let now = draw.now();
        self.keep_once(&draw, repeat, || async move {
            let Ok(wanted) = id.parse::<BondId>() else {
                return Ok((Default::default(), Err(not_found("unknown_bond"))));
            };
            let facts = self.store.load_bond(wanted).await?;
            let Some(bond) = &facts.bond else {
                return Ok((Default::default(), Err(not_found("unknown_bond"))));
            };
            if let Err(refused) = check_version(bond.version, if_version) {
                return Ok((Default::default(), Err(refused)));
            }
            let decision = end_bond::decide(caller.actor(), &facts, now);
            let version = bond.version + counted::<Bond>(&decision.changes, id);
            let (commit, reply) = Commit::of(decision, now);
            let reply = reply.map(|ended| {
                let record = match ended.already {
                    true => bond.record.clone(),
                    false => Bond { state: BondState::Ended, ended_at: Some(now), ..bond.record.clone() },
                };
                Versioned { record, version }
            });
            Ok((commit, reply))
        })
        .await
    }

    /// Lets a suspended bond hold again; one that holds stays as it is.
    ///
    /// # Errors
    /// `not_found`, `version_mismatch`, `illegal_transition`.
    pub async fn resume_bond_by_staff(
        &self,
        caller: &Caller,
        id: &str,
        if_version: Option<Version>,
        repeat: &Repeat<'_, Versioned<Bond>>,
    ) -> Outcome<Answer<Versioned<Bond>>> {
        let draw = self.draw();
        let now = draw.now();
        self.keep_once(&draw, repeat, || async move {
            let Ok(wanted) = id.parse::<BondId>() else {
                return Ok((Default::default(), Err(not_found("unknown_bond"))));
            };
            let facts = self.store.load_bond(wanted).await?;
            let Some(bond) = &facts.bond else {
                return Ok((Default::default(), Err(not_found("unknown_bond"))));
            };
            if let Err(refused) = check_version(bond.version, if_version) {
                return Ok((Default::default(), Err(refused)));
            }
            let decision = resume_bond::decide(caller.actor(), &facts, now);
            let version = bond.version + counted::<Bond>(&decision.changes, id);
            let (commit, reply) = Commit::of(decision, now);
            let record = Bond { state: BondState::Active, ..bond.record.clone() };
            Ok((commit, reply.map(|_| Versioned { record, version })))
        })
        .await
    }
}
