use super::*;
use crate::MailToken;
use crate::rule::fixture::{
    NOW, fact, new_person, new_session, raises_are_told, second_conflicts, session, user, writes_nothing_twice,
};
use crate::rule::sign_in::{PasswordSignIn, by_password};

fn link() -> Digest {
    Digest::from_base64url("link")
}

fn request() -> SignUp {
    SignUp { person: new_person(), link: link(), recent_mails: 0 }
}

fn known(state: UserState) -> PersonFacts {
    let mut user = user("u_adam");
    user.state = state;
    PersonFacts { user: Some(fact(user)), ..PersonFacts::default() }
}

fn token(purpose: MailPurpose, user: Option<&str>) -> Fact<MailToken> {
    fact(MailToken {
        id: link(),
        purpose,
        user: user.map(|user| user.parse().unwrap()),
        expires_at: NOW + 60,
        used_at: None,
    })
}

fn mailed() -> MailTokenFacts {
    MailTokenFacts {
        token: Some(token(MailPurpose::VerifyAddress, Some("u_adam"))),
        user: known(UserState::Unverified).user,
        ..MailTokenFacts::default()
    }
}

fn verification(check: PasswordCheck) -> VerifyAddress {
    VerifyAddress { check, failures: 0, session: new_session() }
}

fn right() -> PasswordCheck {
    PasswordCheck::Right(PasswordHash("hash-1".into()))
}

#[test]
fn a_new_person_owns_a_household_and_cannot_sign_in_yet() {
    let decision = decide(&request(), &PersonFacts::default(), NOW);
    assert_eq!(decision.reply, Ok(SignUpMail::Verify));
    let kinds: Vec<_> = decision.events.iter().map(|event| event.kind).collect();
    assert_eq!(kinds, [EventKind::UserCreated, EventKind::AccountCreated, EventKind::BondCreated]);
    assert!(decision.changes.iter().any(|c| matches!(c, Change::Bond(w) if w.record.role == BondRole::Owner)));
    let user =
        decision.changes.iter().find_map(|c| if let Change::User(w) = c { Some(w.record.clone()) } else { None });
    let facts = PersonFacts { user: user.map(fact), ..PersonFacts::default() };
    let sign_in = PasswordSignIn {
        check: PasswordCheck::Right(PasswordHash("hash-new".into())),
        failures: 0,
        session: new_session(),
    };
    assert_eq!(by_password(&sign_in, &facts, None, NOW).reply.unwrap_err().code, Code::AddressUnverified);
    assert!(writes_nothing_twice(&decision));
}

#[test]
fn the_page_cannot_tell_a_known_address_from_an_unknown_one() {
    for (facts, mail) in [
        (PersonFacts::default(), SignUpMail::Verify),
        (known(UserState::Unverified), SignUpMail::Verify),
        (known(UserState::Active), SignUpMail::KnownAlready),
        (known(UserState::Disabled), SignUpMail::KnownAlready),
    ] {
        let decision = decide(&request(), &facts, NOW);
        assert_eq!(decision.reply, Ok(mail), "only the mail differs");
        assert!(decision.needs_commit(), "each takes a commit");
    }
    let known = decide(&request(), &known(UserState::Active), NOW);
    assert!(known.changes.is_empty(), "the person who has it is left alone");
}

#[test]
fn an_address_is_not_flooded() {
    for facts in [PersonFacts::default(), known(UserState::Unverified), known(UserState::Active)] {
        let braked = SignUp { recent_mails: MAIL_BRAKE, ..request() };
        let decision = decide(&braked, &facts, NOW);
        assert_eq!(decision.reply, Ok(SignUpMail::None));
        assert!(decision.changes.is_empty() && decision.needs_commit());
    }
}

#[test]
fn an_account_prepared_for_another_is_taken_over_by_whoever_signs_up_last() {
    let decision = decide(&request(), &known(UserState::Unverified), NOW);
    let renewed = decision.changes.iter().find_map(|c| if let Change::User(w) = c { Some(&w.record) } else { None });
    assert_eq!(renewed.unwrap().password, Some(PasswordHash("hash-new".into())));
    assert_eq!(renewed.unwrap().id.as_str(), "u_adam");
}

#[test]
fn link_and_password_together_verify_the_address_and_sign_in() {
    let decision = verify(&verification(right()), &mailed(), None, NOW);
    assert_eq!(decision.reply.as_ref().unwrap().session.id.as_str(), "ses_new");
    assert!(decision.changes.iter().any(|c| matches!(c, Change::User(w) if w.record.state == UserState::Active)));
    assert!(decision.changes.iter().any(|c| matches!(c, Change::MailToken(w) if w.record.used_at == Some(NOW))));
    assert!(writes_nothing_twice(&decision));
    assert!(second_conflicts(&decision, &verify(&verification(right()), &mailed(), None, NOW)));
}

#[test]
fn the_link_alone_opens_nothing_and_stays_good() {
    for check in [PasswordCheck::Wrong, PasswordCheck::Right(PasswordHash("of another sign-up".into()))] {
        let decision = verify(&verification(check), &mailed(), None, NOW);
        assert_eq!(decision.reply.as_ref().unwrap_err().code, Code::InvalidCredentials);
        assert!(decision.changes.is_empty());
    }
    let braked = VerifyAddress { failures: BRAKE_TRIES, ..verification(right()) };
    assert_eq!(verify(&braked, &mailed(), None, NOW).reply.unwrap_err().code, Code::RateLimited);
}

#[test]
fn a_link_that_is_used_late_or_strange_verifies_nobody() {
    let reason = |facts: &MailTokenFacts, now| {
        let refusal = verify(&verification(right()), facts, None, now).reply.unwrap_err();
        assert_eq!(refusal.code, Code::LinkDead);
        refusal.reason
    };
    assert_eq!(reason(&MailTokenFacts::default(), NOW), "unknown_link");
    assert_eq!(reason(&mailed(), NOW + 60), "late_link");
    let mut used = mailed();
    used.token.as_mut().unwrap().record.used_at = Some(NOW - 1);
    assert_eq!(reason(&used, NOW), "used_link");
    let recovery = MailTokenFacts { token: Some(token(MailPurpose::RecoverPassword, Some("u_adam"))), ..mailed() };
    assert_eq!(reason(&recovery, NOW), "link_of_another_purpose");
    let strange = MailTokenFacts { token: Some(token(MailPurpose::VerifyAddress, Some("u_eve"))), ..mailed() };
    assert_eq!(reason(&strange, NOW), "nobody_to_verify");
    let active = MailTokenFacts { user: known(UserState::Active).user, ..mailed() };
    assert_eq!(reason(&active, NOW), "nobody_to_verify");
}

#[test]
fn a_verified_person_gets_a_new_session_whatever_the_browser_brought() {
    let old = fact(session("ses_old", "u_eve"));
    let decision = verify(&verification(right()), &mailed(), Some(&old), NOW);
    assert_eq!(decision.reply.as_ref().unwrap().session.id.as_str(), "ses_new");
    assert!(raises_are_told(&decision));
}

#[test]
fn a_name_that_is_none_is_refused() {
    for name in ["", "  ", "a\u{0}b", &"x".repeat(256)] {
        let mut bad = request();
        bad.person.name = name.to_owned();
        assert!(matches!(decide(&bad, &PersonFacts::default(), NOW).reply.unwrap_err().code, Code::Invalid(_)));
    }
}

fn first(facts: &MailTokenFacts, link: &str) -> Decision<SignedIn, Change, Code> {
    let mut person = new_person();
    person.user = format!("u_{link}").parse().unwrap();
    first_administrator(&person, &new_session(), facts, None, NOW)
}

fn first_link() -> MailTokenFacts {
    MailTokenFacts { token: Some(token(MailPurpose::FirstAdministrator, None)), ..MailTokenFacts::default() }
}

#[test]
fn the_first_administrator_runs_platform_and_security() {
    let decision = first(&first_link(), "a");
    assert!(decision.reply.is_ok());
    let roles = [Role::Operator, Role::Security];
    assert!(decision.changes.iter().any(|c| matches!(c, Change::User(w) if w.record.roles == roles)));
    assert!(writes_nothing_twice(&decision));
}

#[test]
fn there_is_one_first_administrator() {
    let staffed = MailTokenFacts { has_staff: true, ..first_link() };
    assert_eq!(first(&staffed, "a").reply.unwrap_err().reason, "staff_exists");
    let mut used = first_link();
    used.token.as_mut().unwrap().record.used_at = Some(NOW);
    assert_eq!(first(&used, "a").reply.unwrap_err().reason, "used_link");
    let mut other_link = first_link();
    other_link.token.as_mut().unwrap().record.id = Digest::from_base64url("other");
    assert!(second_conflicts(&first(&first_link(), "a"), &first(&other_link, "b")), "two links, one administrator");
    assert_eq!(offer_first_administrator(&link(), true, NOW).reply.unwrap_err().code, Code::Conflict);
    assert!(offer_first_administrator(&link(), false, NOW).reply.is_ok());
}

#[test]
fn a_mailed_link_makes_nobody_an_administrator() {
    assert_eq!(first(&mailed(), "a").reply.unwrap_err().reason, "link_of_another_purpose");
}
