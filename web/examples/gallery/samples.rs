//! Every page in every state, with data as a person would meet it.

use super::pages::consent::{Consent, FormPost};
use super::pages::entry::{FirstRun, Recover, RecoverPassword, SignIn, SignInAgain, SignOut, SignUp, Verify};
use super::pages::letter::{Letter, Mail};
use super::pages::my::{
    Access, Act, AppRow, ChangePassword, Confirm, Done, HolderKind, Home, Member, PasskeyRow, People, Security,
    SessionRow, Thing, ThingCard,
};
use super::pages::pair::{Pair, PairConfirm};
use super::pages::{Field, FieldError, Frame, Icon, Moment, Notice, Outcome, Template, Text};
use identity::account::AccountKind;
use identity::bond::BondRole;
use identity::device::DeviceState;

/// Name and HTML of each page.
pub(crate) type Rendered = Vec<(&'static str, String)>;

const NOW: i64 = 1_795_269_720;
const DAY: i64 = 86_400;

/// All pages.
pub(crate) fn pages() -> Result<Rendered, askama::Error> {
    let mut all = entry()?;
    all.extend(asking()?);
    all.extend(portal()?);
    all.extend(household()?);
    all.extend(questions()?);
    all.extend(notices()?);
    Ok(all)
}

/// All mails.
pub(crate) fn mails() -> Result<Vec<(&'static str, Mail)>, askama::Error> {
    let link = || "https://id.acme.example:8443/verify?token=9sK2mQ4vT7xZ1pL8wR5nB3cJ6hF0dGyA".to_owned();
    let at = || Moment::utc(NOW);
    let letters = [
        ("verify", Letter::VerifyAddress { link: link(), until: Moment::utc(NOW + DAY) }),
        ("recover", Letter::RecoverPassword { link: link(), until: Moment::utc(NOW + 3600) }),
        ("already-here", Letter::AlreadyHere { link: "https://id.acme.example/signin".to_owned() }),
        ("no-account", Letter::NoAccount { link: "https://id.acme.example/signup".to_owned() }),
        ("passkey-added", Letter::PasskeyAdded { passkey: "Adam’s phone".to_owned(), at: at(), link: link() }),
        ("password-changed", Letter::PasswordChanged { at: at(), link: link() }),
        ("device-paired", Letter::DevicePaired { device: "Kitchen speaker".to_owned(), at: at(), link: link() }),
        (
            "access-ended",
            Letter::AccessEnded { who: "Bianca".to_owned(), device: "Bike lock".to_owned(), at: at(), link: link() },
        ),
    ];
    letters
        .into_iter()
        .map(|(name, letter)| Ok((name, letter.render(&Text::english(), "Acme Home", Some("Adam"))?)))
        .collect()
}

/// The frame of somebody who is not signed in.
pub(crate) fn outside() -> Frame {
    Frame { text: Text::english(), service: "Acme Home".to_owned(), csrf: "c5a1e9f27b".to_owned(), viewer: None }
}

/// The frame of Adam.
pub(crate) fn adam() -> Frame {
    Frame { viewer: Some("Adam".to_owned()), ..outside() }
}

fn of(text: &str) -> String {
    text.to_owned()
}

fn list(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

fn ago(days: i64) -> Moment {
    Moment::in_zone(NOW - days * DAY, 3600, "Berlin")
}

fn entry() -> Result<Rendered, askama::Error> {
    let sign_up = SignUp {
        frame: outside(),
        name: Field::default(),
        email: Field::default(),
        password: None,
        household: Field::default(),
        password_min: 10,
    };
    let sign_up_wrong = SignUp {
        frame: outside(),
        name: Field::of("Adam"),
        email: Field::refused("adam@", FieldError::EmailMalformed),
        password: Some(FieldError::PasswordTooShort),
        household: Field::refused(&"Very long house ".repeat(4), FieldError::NameTooLong),
        password_min: 10,
    };
    let sign_in = |email, password, for_app| SignIn {
        frame: outside(),
        email,
        password,
        return_to: of("/pair?user_code=WDJB-MJHT"),
        for_app,
    };
    let again = |has_password, password| SignInAgain {
        frame: adam(),
        email: of("adam@example.com"),
        has_password,
        password,
        return_to: of("/my/security"),
    };
    let new_password = |password| RecoverPassword {
        frame: outside(),
        token: of("9sK2mQ4vT7xZ1pL8"),
        email: of("adam@example.com"),
        password,
        password_min: 10,
    };
    let first_run = |name, email, password| FirstRun {
        frame: outside(),
        token: of("9sK2mQ4vT7xZ1pL8"),
        name,
        email,
        password,
        password_min: 10,
    };
    Ok(vec![
        ("sign-up", sign_up.render()?),
        ("sign-up-wrong", sign_up_wrong.render()?),
        (
            "verify",
            Verify { frame: outside(), token: of("9sK2mQ4vT7"), email: of("adam@example.com"), password: None }
                .render()?,
        ),
        ("sign-in", sign_in(Field::default(), None, Some(of("Acme Music"))).render()?),
        ("sign-in-wrong", sign_in(Field::refused("adam@example.com", FieldError::SignInWrong), None, None).render()?),
        (
            "sign-in-empty",
            sign_in(Field::refused("", FieldError::EmailMissing), Some(FieldError::PasswordMissing), None).render()?,
        ),
        ("sign-in-again", again(true, None).render()?),
        ("sign-in-again-wrong", again(true, Some(FieldError::PasswordWrong)).render()?),
        ("sign-in-again-passkey", again(false, None).render()?),
        ("recover", Recover { frame: outside(), email: Field::default() }.render()?),
        ("recover-password", new_password(None).render()?),
        ("recover-password-wrong", new_password(Some(FieldError::PasswordKnown)).render()?),
        ("sign-out", SignOut { frame: adam() }.render()?),
        ("first-run", first_run(Field::default(), Field::default(), None).render()?),
        (
            "first-run-wrong",
            first_run(
                Field::refused("", FieldError::NameMissing),
                Field::of("root@example.com"),
                Some(FieldError::PasswordTooLong),
            )
            .render()?,
        ),
    ])
}

fn asking() -> Result<Rendered, askama::Error> {
    let consent = |asks: &[&str], has: &[&str]| Consent {
        frame: adam(),
        client: of("Acme Music"),
        email: of("adam@example.com"),
        asks: list(asks),
        has: list(has),
        returns_to: of("music.acme.example"),
        request: of("req_7Q2M"),
    };
    let form_post = FormPost {
        frame: Frame { csrf: String::new(), ..adam() },
        client: of("Acme Music"),
        action: of("https://music.acme.example/callback"),
        fields: vec![
            (of("code"), of("SplxlOBeZQQYbYS6WxSbIA")),
            (of("state"), of("af0ifjsldkj")),
            (of("iss"), of("https://id.acme.example")),
        ],
        nonce: of("r4nd0m"),
    };
    let pair = |code| Pair { frame: adam(), code };
    let confirm = |asked_from: Option<&str>, asks: &[&str], claims_for: Option<&str>| PairConfirm {
        frame: adam(),
        code: of("WDJB-MJHT"),
        icon: Icon::Speaker,
        device: of("Kitchen speaker"),
        product: of("Acme One"),
        serial_tail: of("000123"),
        client: of("Acme speaker software"),
        asked_from: asked_from.map(str::to_owned),
        asks: list(asks),
        claims_for: claims_for.map(str::to_owned),
    };
    Ok(vec![
        ("consent", consent(&["openid", "profile", "email", "device:register"], &[]).render()?),
        ("consent-more", consent(&["cloud:stream", "garage:open"], &["openid", "email"]).render()?),
        ("form-post", form_post.render()?),
        ("pair", pair(Field::default()).render()?),
        ("pair-prefilled", pair(Field::of("WDJB-MJHT")).render()?),
        ("pair-wrong", pair(Field::refused("WDJB-MJH", FieldError::CodeWrong)).render()?),
        ("pair-missing", pair(Field::refused("", FieldError::CodeMissing)).render()?),
        (
            "pair-confirm",
            confirm(
                Some("Hamburg, Germany"),
                &["cloud:stream", "telemetry:write", "firmware:read"],
                Some("Adam’s household"),
            )
            .render()?,
        ),
        ("pair-confirm-owned", confirm(None, &[], None).render()?),
    ])
}

fn card(icon: Icon, name: &str, room: Option<&str>, state: DeviceState, others: &[&str]) -> ThingCard {
    ThingCard { id: of("as_4TQ9"), icon, name: of(name), room: room.map(str::to_owned), state, others: list(others) }
}

fn access(who: &str, kind: HolderKind, role: BondRole, scopes: &[&str]) -> Access {
    let you = who == "Adam";
    Access {
        id: of("b_71XK"),
        who: of(who),
        kind,
        you,
        role,
        scopes: list(scopes),
        since: ago(40),
        until: (role == BondRole::Guest).then(|| ago(-2)),
        endable: !you,
    }
}

fn household() -> Result<Rendered, askama::Error> {
    let member = |name: &str, role| Member {
        bond: format!("bnd_{name}"),
        name: of(name),
        role,
        you: name == "Adam",
        since: ago(200),
    };
    let people = |kind, members, waiting, waits| People {
        frame: adam(),
        done: None,
        name: of("Adam’s household"),
        kind,
        members,
        waiting,
        waits,
    };
    let everybody = vec![
        member("Adam", BondRole::Owner),
        member("Eva", BondRole::CoOwner),
        member("Ida", BondRole::Member),
        member("Noah", BondRole::Child),
        member("Bianca", BondRole::Guest),
    ];
    let waiting = vec![member("Eva", BondRole::CoOwner), member("Noah", BondRole::Child)];
    let kind = AccountKind::Household;
    Ok(vec![
        ("people", people(kind, everybody, vec![], false).render()?),
        ("people-waiting", people(kind, vec![member("Adam", BondRole::Owner)], waiting, false).render()?),
        ("people-waits", people(kind, vec![], vec![], true).render()?),
        ("people-organisation", people(AccountKind::Organisation, vec![], vec![], false).render()?),
    ])
}

fn portal() -> Result<Rendered, askama::Error> {
    let things = vec![
        card(Icon::Speaker, "Kitchen speaker", Some("Kitchen"), DeviceState::Active, &[]),
        card(Icon::Lock, "Bike lock", None, DeviceState::Active, &["Bianca"]),
        card(Icon::Thermostat, "Heating", Some("Living room"), DeviceState::Suspended, &["Eva", "Noah"]),
        card(
            Icon::Light,
            "A lamp with quite a long name that somebody typed",
            Some("Hall"),
            DeviceState::Enrolled,
            &["a", "b", "c"],
        ),
        card(Icon::Camera, "Door camera", Some("Door"), DeviceState::Retired, &[]),
        card(Icon::of_product("toaster"), "אור במטבח", None, DeviceState::Registered, &[]),
    ];
    let thing = |done, access, removable: bool| Thing {
        frame: adam(),
        done,
        id: of("as_4TQ9"),
        icon: Icon::Lock,
        name: of("Bike lock"),
        room: Some(of("Garage")),
        product: of("Acme Lock 2"),
        serial_tail: of("000123"),
        state: DeviceState::Active,
        owned_since: ago(40),
        last_seen: removable.then(|| ago(0)),
        access,
        removable,
        waiting: Vec::new(),
    };
    let everybody = vec![
        access("Adam", HolderKind::Person, BondRole::Owner, &[]),
        access("Eva", HolderKind::Person, BondRole::CoOwner, &[]),
        access("Noah", HolderKind::Person, BondRole::Child, &[]),
        access("Bianca", HolderKind::Person, BondRole::Guest, &["lock:open"]),
        access("Acme Ride", HolderKind::App, BondRole::Member, &["lock:open", "telemetry:read"]),
        access("Garage gateway", HolderKind::Device, BondRole::Member, &[]),
    ];
    Ok(vec![
        ("home", Home { frame: adam(), done: None, things, asks: true, waits: false }.render()?),
        (
            "home-empty",
            Home {
                frame: adam(),
                done: Some(Done::ThingRemoved { thing: of("Bike lock") }),
                things: vec![],
                asks: false,
                waits: true,
            }
            .render()?,
        ),
        ("thing", thing(None, everybody, true).render()?),
        ("thing-ended", thing(Some(Done::AccessEnded { who: of("Bianca") }), vec![], false).render()?),
        ("security", security(None).render()?),
        ("security-new", Security { passkeys: vec![], apps: vec![], password_since: None, ..security(None) }.render()?),
        ("security-passkey-added", security(Some(Done::PasskeyAdded)).render()?),
        ("password", change_password(true, None).render()?),
        ("password-first", change_password(false, Some(FieldError::PasswordTooShort)).render()?),
    ])
}

fn change_password(has_password: bool, password: Option<FieldError>) -> ChangePassword {
    ChangePassword {
        frame: adam(),
        email: of("adam@example.com"),
        has_password,
        current: None,
        password,
        password_min: 10,
    }
}

fn security(done: Option<Done>) -> Security {
    let session = |browser: &str, current| SessionRow {
        id: of("s_8812"),
        browser: of(browser),
        since: ago(3),
        last_seen: ago(1),
        current,
    };
    Security {
        frame: adam(),
        done,
        passkeys: vec![
            PasskeyRow { id: of("pk_1"), name: of("Adam’s phone"), added: ago(90), last_used: Some(ago(1)) },
            PasskeyRow { id: of("pk_2"), name: of("Blue security key"), added: ago(90), last_used: None },
        ],
        sessions: vec![session("Firefox on Linux", true), session("Safari on iPhone", false)],
        apps: vec![AppRow {
            id: of("cl_music"),
            name: of("Acme Music"),
            scopes: list(&["cloud:stream", "email"]),
            since: ago(12),
        }],
        password_since: Some(ago(200)),
    }
}

fn questions() -> Result<Rendered, askama::Error> {
    let (thing_id, thing) = (of("as_4TQ9"), of("Bike lock"));
    let acts = [
        (
            "end-access",
            Act::EndAccess {
                thing_id: thing_id.clone(),
                bond_id: of("b_71XK"),
                thing: thing.clone(),
                who: of("Bianca"),
            },
        ),
        ("remove-thing", Act::RemoveThing { thing_id, thing }),
        ("remove-passkey", Act::RemovePasskey { id: of("pk_1"), name: of("Adam’s phone") }),
        ("end-session", Act::EndSession { id: of("s_8812"), browser: of("Safari on iPhone") }),
        ("end-sessions", Act::EndOtherSessions),
        ("end-app", Act::EndApp { id: of("cl_music"), name: of("Acme Music") }),
    ];
    let done = [
        ("done-paired", Done::Paired { thing: of("Kitchen speaker") }),
        ("done-passkey-renamed", Done::PasskeyRenamed),
        ("done-passkey-removed", Done::PasskeyRemoved),
        ("done-session-ended", Done::SessionEnded),
        ("done-sessions-ended", Done::SessionsEnded),
        ("done-app-ended", Done::AppEnded { name: of("Acme Music") }),
        ("done-password-changed", Done::PasswordChanged),
    ];
    let mut all = Vec::new();
    for (name, act) in acts {
        all.push((name, Confirm { frame: adam(), act }.render()?));
    }
    for (name, done) in done {
        all.push((name, security(Some(done)).render()?));
    }
    Ok(all)
}

fn notices() -> Result<Rendered, askama::Error> {
    let email = || of("adam@example.com");
    let device = || of("Kitchen speaker");
    let outcomes = [
        ("check-mail", Outcome::CheckMail { email: email(), in_folder: false }),
        ("check-mail-folder", Outcome::CheckMail { email: email(), in_folder: true }),
        ("check-recovery-mail", Outcome::CheckRecoveryMail { email: email(), in_folder: false }),
        ("verified", Outcome::Verified),
        ("verify-expired", Outcome::VerifyExpired),
        ("verify-used", Outcome::VerifyUsed),
        ("password-set", Outcome::PasswordSet),
        ("recover-expired", Outcome::RecoverExpired),
        ("recover-used", Outcome::RecoverUsed),
        ("signed-out", Outcome::SignedOut),
        ("pair-done", Outcome::PairDone { device: device() }),
        ("pair-denied", Outcome::PairDenied { device: device() }),
        ("pair-used", Outcome::PairUsed),
        ("pair-later", Outcome::PairLater),
        ("pair-foreign", Outcome::PairForeign),
        ("consent-gone", Outcome::ConsentGone),
        ("app-request-wrong", Outcome::AppRequestWrong),
        ("setup-used", Outcome::SetupUsed),
        ("not-found", Outcome::NotFound),
        ("not-allowed", Outcome::NotAllowed),
        ("last-sign-in", Outcome::LastSignIn),
        ("too-many", Outcome::TooMany { minutes: 1 }),
        ("too-many-long", Outcome::TooMany { minutes: 15 }),
        ("page-too-old", Outcome::PageTooOld),
        ("fault", Outcome::Fault),
    ];
    let mut all = Vec::new();
    for (name, outcome) in outcomes {
        let reference = matches!(outcome, Outcome::Fault | Outcome::AppRequestWrong).then(|| of("7F3K-91QD"));
        all.push((name, Notice { frame: outside(), outcome, reference }.render()?));
    }
    Ok(all)
}
