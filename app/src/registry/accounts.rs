//! Households and organisations as staff keep them.

use identity::account::AccountKind;
use identity::rule::import_line::{is_external_id, is_text};
use identity::{
    Account, AccountId, AnchorKind, Asset, Decision, Event, EventKind, ProblemCode, Raise, Record, Refusal, Version,
    Write,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use store::{Condition, Filter, ListQuery, Operator};

use super::caller::Caller;
use super::keep::{Outcome, Refused, Versioned, check_version, invalid, not_found, settle};
use super::repeat::{Answer, Repeat};
use crate::app::App;
use crate::fault::Fault;

/// An account as staff write it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccountDraft {
    /// Household or organisation; never changes.
    pub kind: AccountKind,
    /// What its members read.
    pub name: String,
    /// Its number at the customer system of the maker.
    #[serde(default)]
    pub external_id: Option<String>,
}

impl AccountDraft {
    fn check(&self) -> Result<(), Refused> {
        if self.name.trim().is_empty() || !is_text(&self.name) {
            return Err(invalid("bad_name", "1 to 255 characters, none a control character"));
        }
        if self.external_id.as_deref().is_some_and(|id| !is_external_id(id)) {
            return Err(invalid(
                "bad_external_id",
                "1 to 128 of letters, digits and . _ : -, not beginning like an id of ours",
            ));
        }
        Ok(())
    }
}

impl App {
    /// Makes an account without members.
    ///
    /// # Errors
    /// `invalid`; `conflict` where the external id is taken.
    pub async fn create_account(
        &self,
        caller: &Caller,
        draft: &AccountDraft,
        repeat: &Repeat<'_, Versioned<Account>>,
    ) -> Outcome<Answer<Versioned<Account>>> {
        if let Err(refused) = draft.check() {
            return Ok(Err(refused));
        }
        let draw = self.draw();
        let account = Account {
            id: draw.id(AccountId::mint),
            kind: draft.kind,
            name: draft.name.clone(),
            external_id: draft.external_id.clone(),
            closed: false,
            created_at: draw.now(),
        };
        let (account, now) = (&account, draw.now());
        self.keep_once(&draw, repeat, || async move {
            let event = Event::new(EventKind::AccountCreated, account.id.as_str()).with("by", caller.actor().id());
            let decision = Decision::reply(account.clone()).change(Write::new(account.clone())).event(event);
            Ok(settle(decision, 0, now))
        })
        .await
    }

    /// Writes an account anew, as the caller saw it at `version`.
    ///
    /// # Errors
    /// `invalid`, also for another kind; `not_found`, `version_mismatch`, `conflict`.
    pub async fn replace_account(
        &self,
        id: &str,
        version: Version,
        draft: &AccountDraft,
    ) -> Outcome<Versioned<Account>> {
        if let Err(refused) = draft.check() {
            return Ok(Err(refused));
        }
        let draw = self.draw();
        let now = draw.now();
        self.keep(&draw, || async move {
            let Some(known) = store::record::<Account>(&*self.store, id).await? else {
                return Ok((Default::default(), Err(not_found("unknown_account"))));
            };
            if let Err(refused) = check_version(known.version, Some(version)) {
                return Ok((Default::default(), Err(refused)));
            }
            if draft.kind != known.kind {
                return Ok((Default::default(), Err(invalid("bad_kind", "the kind of an account never changes"))));
            }
            let wanted =
                Account { name: draft.name.clone(), external_id: draft.external_id.clone(), ..known.record.clone() };
            let mut decision = Decision::reply(wanted.clone());
            if wanted != known.record {
                // Nothing hangs on a name: no raise, and no event of the list.
                decision = decision.change(known.rewrite(wanted));
            }
            Ok(settle(decision, known.version, now))
        })
        .await
    }

    /// Closes an account that owns nothing: it lets nobody in any more.
    ///
    /// # Errors
    /// `not_found`, `version_mismatch`; `illegal_transition` when it is closed;
    /// `conflict` while it owns a device.
    pub async fn close_account(
        &self,
        caller: &Caller,
        id: &str,
        if_version: Option<Version>,
        repeat: &Repeat<'_, Versioned<Account>>,
    ) -> Outcome<Answer<Versioned<Account>>> {
        let draw = self.draw();
        let now = draw.now();
        self.keep_once(&draw, repeat, || async move {
            let Some(known) = store::record::<Account>(&*self.store, id).await? else {
                return Ok((Default::default(), Err(not_found("unknown_account"))));
            };
            if let Err(refused) = check_version(known.version, if_version) {
                return Ok((Default::default(), Err(refused)));
            }
            if known.closed {
                let refused = Refusal::new(ProblemCode::IllegalTransition, "closed_already");
                return Ok((Default::default(), Err(refused)));
            }
            // A title that opens after this counts the account's version up,
            // which the decision writes: then it is made anew.
            if self.owns_anything(&known).await? {
                return Ok((Default::default(), Err(Refusal::new(ProblemCode::Conflict, "owns_devices"))));
            }
            let closed = Account { closed: true, ..known.record.clone() };
            let decision = Decision::reply(closed.clone())
                .change(known.rewrite(closed))
                .change(Raise::end(AnchorKind::Account, id))
                .event(Event::new(EventKind::AccountClosed, id).with("by", caller.actor().id()));
            Ok(settle(decision, known.version, now))
        })
        .await
    }

    async fn owns_anything(&self, account: &Account) -> Result<bool, Fault> {
        let is =
            |field: &str, value: Value| Filter::Is(Condition { field: field.into(), operator: Operator::Equal, value });
        let filter = Filter::And(vec![is("account", account.id.as_str().into()), is("closed_at", Value::Null)]);
        let query = ListQuery { kind: Asset::KIND, filter: Some(filter), after: None, limit: 1 };
        Ok(!self.store.list(query).await?.items.is_empty())
    }
}
