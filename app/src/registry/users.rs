//! People as staff keep them: made, named, given roles, stopped and let back in.

use identity::rule::import_line::is_text;
use identity::rule::person;
use identity::rule::sign_up::NewPerson;
use identity::user::Email;
use identity::{
    AccountId, AnchorKind, BondId, Decision, Event, EventKind, ProblemCode, Raise, Refusal, Role, User, UserId, Version,
};
use serde::{Deserialize, Serialize};

use super::caller::Caller;
use super::keep::{Outcome, Refused, Versioned, check_version, invalid, not_found, settle};
use super::repeat::{Answer, Repeat};
use crate::app::App;

/// A person as staff write them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UserDraft {
    /// Their address.
    pub email: String,
    /// What others call them.
    pub name: String,
    /// Their number at the customer system.
    #[serde(default)]
    pub contact_id: Option<String>,
    /// BCP 47.
    #[serde(default)]
    pub locale: Option<String>,
    /// IANA name of a time zone.
    #[serde(default)]
    pub zone: Option<String>,
    /// What they may do as staff.
    #[serde(default)]
    pub roles: Vec<Role>,
}

/// What may change of a person besides roles and state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UserEdit {
    /// What others call them.
    pub name: String,
    /// Their number at the customer system.
    #[serde(default)]
    pub contact_id: Option<String>,
    /// BCP 47.
    #[serde(default)]
    pub locale: Option<String>,
    /// IANA name of a time zone.
    #[serde(default)]
    pub zone: Option<String>,
}

impl UserEdit {
    fn check(&self) -> Result<(), Refused> {
        if self.name.trim().is_empty() || !is_text(&self.name) {
            return Err(invalid("bad_name", "1 to 255 characters, none a control character"));
        }
        let plain = |text: &str, signs: &[u8]| {
            (1..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || signs.contains(&b))
        };
        if self.contact_id.as_deref().is_some_and(|id| !plain(id, b"._:-")) {
            return Err(invalid("bad_contact_id", "1 to 64 of letters, digits and . _ : -"));
        }
        if self.locale.as_deref().is_some_and(|locale| !plain(locale, b"-")) {
            return Err(invalid("bad_locale", "a language tag (BCP 47)"));
        }
        if self.zone.as_deref().is_some_and(|zone| !plain(zone, b"_/+-")) {
            return Err(invalid("bad_zone", "the name of a time zone"));
        }
        Ok(())
    }
}

/// Roles once each; a role is given by who holds every scope of it.
fn check_roles(caller: &Caller, roles: &[Role]) -> Result<Vec<Role>, Refused> {
    let mut once: Vec<Role> = Vec::new();
    for role in roles {
        if !once.contains(role) {
            once.push(*role);
        }
    }
    match caller.may_hand_out(once.iter().flat_map(|role| role.scopes().iter().copied())) {
        true => Ok(once),
        false => Err(Refusal::new(ProblemCode::Forbidden, "role_beyond_own")),
    }
}

impl App {
    /// Makes a person with a household of their own, who may sign in once they
    /// have set a password by recovery.
    ///
    /// # Errors
    /// `invalid`; `conflict` where the address is taken; `forbidden` for a role
    /// beyond the caller's own.
    pub async fn create_user_by_staff(
        &self,
        caller: &Caller,
        draft: &UserDraft,
        repeat: &Repeat<'_, Versioned<User>>,
    ) -> Outcome<Answer<Versioned<User>>> {
        let edit = draft.edit();
        let checked = edit.check().and_then(|()| check_roles(caller, &draft.roles));
        let roles = match checked {
            Ok(roles) => roles,
            Err(refused) => return Ok(Err(refused)),
        };
        let Ok(email) = Email::parse(&draft.email) else {
            return Ok(Err(invalid("bad_email", "no address that mail can be sent to")));
        };
        let draw = self.draw();
        let now = draw.now();
        let person = NewPerson {
            user: draw.id(UserId::mint),
            account: draw.id(AccountId::mint),
            membership: draw.id(BondId::mint),
            email,
            name: draft.name.clone(),
            household: draft.name.clone(),
            password: None,
            locale: draft.locale.clone(),
        };
        let (person, edit, roles) = (&person, &edit, &roles);
        self.keep_once(&draw, repeat, || async move {
            let facts = self.store.load_person_by_email(person.email.clone()).await?;
            let mut decision = person::create(person, roles, &facts, now);
            if let Ok(user) = &mut decision.reply {
                edit.write_to(user);
                // The rule knows name and locale; the rest goes into the same record.
                for change in &mut decision.changes {
                    if let identity::Change::User(write) = change {
                        edit.write_to(&mut write.record);
                    }
                }
            }
            for event in &mut decision.events {
                event.data.insert("by".into(), caller.actor().id().into());
            }
            Ok(settle(decision, 0, now))
        })
        .await
    }

    /// Writes a person's own facts anew, as the caller saw them at `version`.
    ///
    /// # Errors
    /// `invalid`, `not_found`, `version_mismatch`.
    pub async fn replace_user(&self, id: &str, version: Version, edit: &UserEdit) -> Outcome<Versioned<User>> {
        if let Err(refused) = edit.check() {
            return Ok(Err(refused));
        }
        let draw = self.draw();
        let now = draw.now();
        self.keep(&draw, || async move {
            let Some(known) = store::record::<User>(&*self.store, id).await? else {
                return Ok((Default::default(), Err(not_found("unknown_user"))));
            };
            if let Err(refused) = check_version(known.version, Some(version)) {
                return Ok((Default::default(), Err(refused)));
            }
            let mut wanted = known.record.clone();
            edit.write_to(&mut wanted);
            let mut decision = Decision::reply(wanted.clone());
            if wanted != known.record {
                wanted.updated_at = now;
                decision = Decision::reply(wanted.clone()).change(known.rewrite(wanted));
            }
            Ok(settle(decision, known.version, now))
        })
        .await
    }

    /// Gives a person exactly these roles; their tokens fall, so that what was
    /// taken away is gone at every door.
    ///
    /// # Errors
    /// `not_found`, `version_mismatch`; `forbidden` for oneself, and for a role
    /// beyond the caller's own, given or taken.
    pub async fn replace_roles(
        &self,
        caller: &Caller,
        id: &str,
        if_version: Option<Version>,
        roles: &[Role],
    ) -> Outcome<Versioned<User>> {
        let draw = self.draw();
        let now = draw.now();
        self.keep(&draw, || async move {
            let Some(known) = store::record::<User>(&*self.store, id).await? else {
                return Ok((Default::default(), Err(not_found("unknown_user"))));
            };
            let allowed = check_version(known.version, if_version)
                .and_then(|()| not_oneself(caller, &known))
                .and_then(|()| check_roles(caller, &known.roles))
                .and_then(|_| check_roles(caller, roles));
            let roles = match allowed {
                Ok(roles) => roles,
                Err(refused) => return Ok((Default::default(), Err(refused))),
            };
            if roles == known.roles {
                return Ok(settle(Decision::reply(known.record.clone()), known.version, now));
            }
            let wanted = User { roles, updated_at: now, ..known.record.clone() };
            let names = wanted.roles.iter().map(|role| serde_json::json!(role)).collect::<Vec<_>>();
            let event = Event::new(EventKind::UserChanged, id).with("roles", names).with("by", caller.actor().id());
            let decision = Decision::reply(wanted.clone())
                .change(known.rewrite(wanted))
                .change(Raise::cut(AnchorKind::User, id))
                .event(event);
            Ok(settle(decision, known.version, now))
        })
        .await
    }

    /// Stops a person.
    ///
    /// # Errors
    /// `not_found`, `version_mismatch`, `conflict`; `forbidden` for oneself, and
    /// for staff beyond the caller.
    pub async fn disable_user(
        &self,
        caller: &Caller,
        id: &str,
        if_version: Option<Version>,
        repeat: &Repeat<'_, Versioned<User>>,
    ) -> Outcome<Answer<Versioned<User>>> {
        self.steer_user(caller, id, if_version, repeat, person::disable).await
    }

    /// Lets a stopped person back in.
    ///
    /// # Errors
    /// As [`App::disable_user`].
    pub async fn enable_user(
        &self,
        caller: &Caller,
        id: &str,
        if_version: Option<Version>,
        repeat: &Repeat<'_, Versioned<User>>,
    ) -> Outcome<Answer<Versioned<User>>> {
        self.steer_user(caller, id, if_version, repeat, person::enable).await
    }

    async fn steer_user(
        &self,
        caller: &Caller,
        id: &str,
        if_version: Option<Version>,
        repeat: &Repeat<'_, Versioned<User>>,
        steer: Steer,
    ) -> Outcome<Answer<Versioned<User>>> {
        let draw = self.draw();
        let now = draw.now();
        self.keep_once(&draw, repeat, || async move {
            let known = store::record::<User>(&*self.store, id).await?;
            let roles = known.as_ref().map(|user| user.roles.as_slice()).unwrap_or_default();
            if let Err(refused) = check_roles(caller, roles) {
                return Ok((Default::default(), Err(refused)));
            }
            let before = known.as_ref().map_or(0, |user| user.version);
            Ok(settle(steer(caller.actor(), known.as_ref(), if_version, now), before, now))
        })
        .await
    }
}

type Steer = fn(
    &identity::rule::actor::Actor,
    Option<&identity::Fact<User>>,
    Option<Version>,
    i64,
) -> Decision<User, identity::Change, ProblemCode>;

fn not_oneself(caller: &Caller, user: &User) -> Result<(), Refused> {
    match caller.actor() {
        identity::rule::actor::Actor::Staff(own) if *own == user.id => {
            Err(Refusal::new(ProblemCode::Forbidden, "oneself"))
        }
        _ => Ok(()),
    }
}

impl UserDraft {
    fn edit(&self) -> UserEdit {
        UserEdit {
            name: self.name.clone(),
            contact_id: self.contact_id.clone(),
            locale: self.locale.clone(),
            zone: self.zone.clone(),
        }
    }
}

impl UserEdit {
    fn write_to(&self, user: &mut User) {
        user.name.clone_from(&self.name);
        user.contact_id.clone_from(&self.contact_id);
        user.locale.clone_from(&self.locale);
        user.zone.clone_from(&self.zone);
    }
}
