//! The portal: my things, one thing, people, security, and the questions before an end.

use askama::Template;
use identity::account::AccountKind;
use identity::bond::BondRole;
use identity::device::DeviceState;

use super::form::{FieldError, Problem, problems};
use super::frame::{Frame, Moment};
use super::icon::Icon;

/// My things.
#[derive(Template)]
#[template(path = "home.html")]
pub struct Home {
    /// Around the page.
    pub frame: Frame,
    /// What just happened, if the person comes from an act.
    pub done: Option<Done>,
    /// The things, in the order shown.
    pub things: Vec<ThingCard>,
    /// Whether somebody waits for the viewer's yes.
    pub asks: bool,
    /// Whether the viewer waits for another's yes.
    pub waits: bool,
}

/// One line of [`Home`].
pub struct ThingCard {
    /// The asset's id, for the link.
    pub id: String,
    /// The drawing.
    pub icon: Icon,
    /// The owner's name for it, else the product's.
    pub name: String,
    /// The room, if the owner said one.
    pub room: Option<String>,
    /// The device's state.
    pub state: DeviceState,
    /// Names of the others who may use it, without the viewer.
    pub others: Vec<String>,
}

impl ThingCard {
    fn shared(&self, frame: &Frame) -> String {
        match self.others.as_slice() {
            [] => frame.say("home-only-you"),
            [one] => frame.with("home-you-and-one", "who", one),
            [one, two] => frame.text.fill("home-you-and-two", &[("first", one), ("second", two)]),
            more => frame.count("home-you-and-more", "count", &u32::try_from(more.len()).unwrap_or(u32::MAX)),
        }
    }
}

/// One thing.
#[derive(Template)]
#[template(path = "thing.html")]
pub struct Thing {
    /// Around the page.
    pub frame: Frame,
    /// What just happened, if the person comes from an act.
    pub done: Option<Done>,
    /// The asset's id, for the links.
    pub id: String,
    /// The drawing.
    pub icon: Icon,
    /// The owner's name for it, else the product's.
    pub name: String,
    /// The room, if the owner said one.
    pub room: Option<String>,
    /// The product's name.
    pub product: String,
    /// The last characters of the serial, at most six.
    pub serial_tail: String,
    /// The device's state.
    pub state: DeviceState,
    /// Since when it belongs to this account.
    pub owned_since: Moment,
    /// When it last called home; `None` before the first time.
    pub last_seen: Option<Moment>,
    /// Who may do what with it.
    pub access: Vec<Access>,
    /// Whether the viewer may remove it from the account.
    pub removable: bool,
    /// Who has no access until the viewer confirms it; `endable` says nothing here.
    pub waiting: Vec<Access>,
}

/// Somebody or something with rights on a thing.
pub struct Access {
    /// The bond's id, for the link.
    pub id: String,
    /// The holder's name.
    pub who: String,
    /// A person, an app or a device.
    pub kind: HolderKind,
    /// Whether it is the viewer.
    pub you: bool,
    /// The holder's role.
    pub role: BondRole,
    /// The scopes, shown as sentences; empty means that the role says it all.
    pub scopes: Vec<String>,
    /// Since when.
    pub since: Moment,
    /// Until when, if it ends by itself.
    pub until: Option<Moment>,
    /// Whether the viewer may end it.
    pub endable: bool,
}

impl Access {
    /// What the role means; a role in the household says nothing about an app or a device.
    fn role_key(&self) -> &'static str {
        match (self.kind, self.role) {
            (HolderKind::App | HolderKind::Device, _) => "role-thing",
            (HolderKind::Person, BondRole::Owner) => "role-owner",
            (HolderKind::Person, BondRole::CoOwner) => "role-co-owner",
            (HolderKind::Person, BondRole::Member) => "role-member",
            (HolderKind::Person, BondRole::Child) => "role-child",
            (HolderKind::Person, BondRole::Guest) => "role-guest",
        }
    }
}

/// What holds a bond, as a person tells them apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HolderKind {
    /// A person.
    Person,
    /// An app or a service.
    App,
    /// A device.
    Device,
}

impl HolderKind {
    fn icon(self) -> Icon {
        match self {
            Self::Person => Icon::Person,
            Self::App => Icon::Window,
            Self::Device => Icon::Tag,
        }
    }
}

/// The members of the household or organisation.
#[derive(Template)]
#[template(path = "people.html")]
pub struct People {
    /// Around the page.
    pub frame: Frame,
    /// What just happened.
    pub done: Option<Done>,
    /// The account's name.
    pub name: String,
    /// Household or organisation.
    pub kind: AccountKind,
    /// The members, the viewer among them.
    pub members: Vec<Member>,
    /// Who is no member until the viewer confirms it.
    pub waiting: Vec<Member>,
    /// Whether the viewer is no member until an owner confirms it.
    pub waits: bool,
}

/// One member.
pub struct Member {
    /// The bond's id, for the link.
    pub bond: String,
    /// The person's name.
    pub name: String,
    /// The role in the account.
    pub role: BondRole,
    /// Whether it is the viewer.
    pub you: bool,
    /// Since when.
    pub since: Moment,
}

/// Passkeys, browser sessions, apps, password.
#[derive(Template)]
#[template(path = "security.html")]
pub struct Security {
    /// Around the page.
    pub frame: Frame,
    /// What just happened, if the person comes from an act.
    pub done: Option<Done>,
    /// The person's passkeys.
    pub passkeys: Vec<PasskeyRow>,
    /// The browsers that are signed in, this one first.
    pub sessions: Vec<SessionRow>,
    /// The apps with a remembered consent or live tokens.
    pub apps: Vec<AppRow>,
    /// When the password was set; `None` when there is none.
    pub password_since: Option<Moment>,
}

/// One passkey.
pub struct PasskeyRow {
    /// Its id, for the links.
    pub id: String,
    /// The name its owner gave it.
    pub name: String,
    /// When it was added.
    pub added: Moment,
    /// When it last signed in.
    pub last_used: Option<Moment>,
}

/// One browser session.
pub struct SessionRow {
    /// Its id, for the link; not the cookie's value.
    pub id: String,
    /// The browser in words ("Firefox on Linux"), made by the handler from the user agent.
    pub browser: String,
    /// When it signed in.
    pub since: Moment,
    /// When it was last seen.
    pub last_seen: Moment,
    /// Whether it is the one that shows the page.
    pub current: bool,
}

/// One app with access.
pub struct AppRow {
    /// The client's id, for the link.
    pub id: String,
    /// Its registered name.
    pub name: String,
    /// What it may do, shown as sentences.
    pub scopes: Vec<String>,
    /// Since when.
    pub since: Moment,
}

/// Change the password.
#[derive(Template)]
#[template(path = "password.html")]
pub struct ChangePassword {
    /// Around the page.
    pub frame: Frame,
    /// The person's address; helps a password manager.
    pub email: String,
    /// Whether there is a password now; without one the field for it is left out.
    pub has_password: bool,
    /// What is wrong with the current password.
    pub current: Option<FieldError>,
    /// What is wrong with the new password.
    pub password: Option<FieldError>,
    /// The fewest characters a password may have.
    pub password_min: u32,
}

impl ChangePassword {
    fn problems(&self) -> Vec<Problem> {
        problems([("current", self.current), ("password", self.password)])
    }
}

/// The one question before something ends.
#[derive(Template)]
#[template(path = "confirm.html")]
pub struct Confirm {
    /// Around the page.
    pub frame: Frame,
    /// What will end.
    pub act: Act,
}

/// What can be ended, with its victim's name.
pub enum Act {
    /// Somebody's access to a thing.
    EndAccess {
        /// The asset's id.
        thing_id: String,
        /// The bond's id.
        bond_id: String,
        /// The thing's name.
        thing: String,
        /// The holder's name.
        who: String,
    },
    /// A thing leaves the account.
    RemoveThing {
        /// The asset's id.
        thing_id: String,
        /// The thing's name.
        thing: String,
    },
    /// A passkey.
    RemovePasskey {
        /// Its id.
        id: String,
        /// Its name.
        name: String,
    },
    /// A browser session.
    EndSession {
        /// Its id.
        id: String,
        /// The browser in words.
        browser: String,
    },
    /// All browser sessions but this one.
    EndOtherSessions,
    /// An app's access.
    EndApp {
        /// The client's id.
        id: String,
        /// The app's name.
        name: String,
    },
}

impl Confirm {
    fn say(&self, part: &str) -> String {
        let text = &self.frame.text;
        match &self.act {
            Act::EndAccess { thing, who, .. } => {
                text.fill(&format!("end-access-{part}"), &[("thing", thing), ("who", who)])
            }
            Act::RemoveThing { thing, .. } => text.with(&format!("remove-thing-{part}"), "thing", thing),
            Act::RemovePasskey { name, .. } => text.with(&format!("remove-passkey-{part}"), "name", name),
            Act::EndSession { browser, .. } => text.with(&format!("end-session-{part}"), "browser", browser),
            Act::EndOtherSessions => text.say(&format!("end-sessions-{part}")),
            Act::EndApp { name, .. } => text.with(&format!("end-app-{part}"), "name", name),
        }
    }

    fn action(&self) -> String {
        match &self.act {
            Act::EndAccess { thing_id, bond_id, .. } => format!("/my/things/{thing_id}/access/{bond_id}/end"),
            Act::RemoveThing { thing_id, .. } => format!("/my/things/{thing_id}/remove"),
            Act::RemovePasskey { id, .. } => format!("/my/passkeys/{id}/remove"),
            Act::EndSession { id, .. } => format!("/my/sessions/{id}/end"),
            Act::EndOtherSessions => "/my/sessions/end".to_owned(),
            Act::EndApp { id, .. } => format!("/my/apps/{id}/end"),
        }
    }

    fn back(&self) -> String {
        match &self.act {
            Act::EndAccess { thing_id, .. } | Act::RemoveThing { thing_id, .. } => format!("/my/things/{thing_id}"),
            _ => "/my/security".to_owned(),
        }
    }
}

/// What just happened, said at the top of the page that follows.
pub enum Done {
    /// A device was paired.
    Paired {
        /// Its name.
        thing: String,
    },
    /// Somebody's access ended.
    AccessEnded {
        /// The holder's name.
        who: String,
    },
    /// A thing left the account.
    ThingRemoved {
        /// Its name.
        thing: String,
    },
    /// Somebody has access again.
    AccessConfirmed {
        /// The holder's name.
        who: String,
    },
    /// Somebody is a member again.
    MemberConfirmed {
        /// Their name.
        who: String,
    },
    /// A passkey was added.
    PasskeyAdded,
    /// A passkey has a new name.
    PasskeyRenamed,
    /// A passkey was removed.
    PasskeyRemoved,
    /// A browser was signed out.
    SessionEnded,
    /// All other browsers were signed out.
    SessionsEnded,
    /// An app's access ended.
    AppEnded {
        /// The app's name.
        name: String,
    },
    /// The password was changed.
    PasswordChanged,
}

impl Done {
    fn say(&self, frame: &Frame) -> String {
        match self {
            Self::Paired { thing } => frame.with("done-paired", "thing", thing),
            Self::AccessEnded { who } => frame.with("done-access-ended", "who", who),
            Self::ThingRemoved { thing } => frame.with("done-thing-removed", "thing", thing),
            Self::AccessConfirmed { who } => frame.with("done-access-confirmed", "who", who),
            Self::MemberConfirmed { who } => frame.with("done-member-confirmed", "who", who),
            Self::PasskeyAdded => frame.say("done-passkey-added"),
            Self::PasskeyRenamed => frame.say("done-passkey-renamed"),
            Self::PasskeyRemoved => frame.say("done-passkey-removed"),
            Self::SessionEnded => frame.say("done-session-ended"),
            Self::SessionsEnded => frame.say("done-sessions-ended"),
            Self::AppEnded { name } => frame.with("done-app-ended", "name", name),
            Self::PasswordChanged => frame.say("done-password-changed"),
        }
    }
}

/// A role in the account, as a person reads it.
fn member_key(role: &BondRole) -> &'static str {
    match role {
        BondRole::Owner => "member-owner",
        BondRole::CoOwner => "member-co-owner",
        BondRole::Member => "member-member",
        BondRole::Child => "member-child",
        BondRole::Guest => "member-guest",
    }
}

/// Word, sign and colour class of a state.
fn state_view(state: &DeviceState) -> (&'static str, Icon, &'static str) {
    match state {
        DeviceState::Registered | DeviceState::Enrolled => ("state-waiting", Icon::Clock, "amber"),
        DeviceState::Active => ("state-ready", Icon::Check, "green"),
        DeviceState::Suspended => ("state-paused", Icon::Pause, "amber"),
        DeviceState::Retired => ("state-retired", Icon::Stop, "red"),
    }
}
