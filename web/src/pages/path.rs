//! The addresses that pages link and post to: the contract between templates and routes.
//!
//! `{…}` stands for one segment. A test walks every rendered page and refuses others.

/// Sign up: form and its post (`name`, `email`, `password`, `household`).
pub const SIGN_UP: &str = "/signup";
/// The link in a mail shows a form; its post (`token`, `password`) consumes the link.
pub const VERIFY: &str = "/verify";
/// Sign in: form and its post (`email`, `password`, `return_to`).
pub const SIGN_IN: &str = "/signin";
/// Script: options for a passkey sign-in.
pub const SIGN_IN_PASSKEY_OPTIONS: &str = "/signin/passkey/options";
/// Script: the passkey's answer.
pub const SIGN_IN_PASSKEY: &str = "/signin/passkey";
/// Fresh sign-in before a risky act: form and its post (`password`, `return_to`).
pub const SIGN_IN_AGAIN: &str = "/signin/again";
/// Sign out: question and its post.
pub const SIGN_OUT: &str = "/signout";
/// Ask for a recovery mail: form and its post (`email`).
pub const RECOVER: &str = "/recover";
/// Set a new password from a mail's link: form and its post (`token`, `password`).
pub const RECOVER_PASSWORD: &str = "/recover/password";
/// The first administrator, by a one-time link: form and its post (`token`, `name`, `email`, `password`).
pub const FIRST_RUN: &str = "/setup";
/// Post of the consent page (`request`, `decision` = `allow` or `deny`).
pub const CONSENT: &str = "/consent";
/// Type a device's code: form and its post (`user_code`).
pub const PAIR: &str = "/pair";
/// Post of the confirmation (`user_code`, `decision` = `allow` or `deny`).
pub const PAIR_DECISION: &str = "/pair/decision";
/// My things.
pub const MY: &str = "/my";
/// One thing.
pub const MY_THING: &str = "/my/things/{id}";
/// Remove a thing from the account: question and its post.
pub const MY_THING_REMOVE: &str = "/my/things/{id}/remove";
/// End one bond on a thing: question and its post.
pub const MY_BOND_END: &str = "/my/things/{id}/access/{bond}/end";
/// Post: somebody's access is still right.
pub const MY_BOND_CONFIRM: &str = "/my/things/{id}/access/{bond}/confirm";
/// Members of the household.
pub const MY_PEOPLE: &str = "/my/people";
/// Post: somebody is still a member.
pub const MY_PEOPLE_CONFIRM: &str = "/my/people/{bond}/confirm";
/// Passkeys, sessions, apps.
pub const MY_SECURITY: &str = "/my/security";
/// Change the password: form and its post (`current`, `password`).
pub const MY_PASSWORD: &str = "/my/security/password";
/// Script: register a passkey.
pub const MY_PASSKEYS: &str = "/my/passkeys";
/// Script: options for registering a passkey.
pub const MY_PASSKEYS_OPTIONS: &str = "/my/passkeys/options";
/// Post of a new name for a passkey (`name`).
pub const MY_PASSKEY_RENAME: &str = "/my/passkeys/{id}/name";
/// Remove a passkey: question and its post.
pub const MY_PASSKEY_REMOVE: &str = "/my/passkeys/{id}/remove";
/// End one browser session: question and its post.
pub const MY_SESSION_END: &str = "/my/sessions/{id}/end";
/// End all other browser sessions: question and its post.
pub const MY_SESSIONS_END: &str = "/my/sessions/end";
/// End an app's access: question and its post.
pub const MY_APP_END: &str = "/my/apps/{id}/end";

/// All of them.
pub const ALL: [&str; 29] = [
    SIGN_UP,
    VERIFY,
    SIGN_IN,
    SIGN_IN_PASSKEY_OPTIONS,
    SIGN_IN_PASSKEY,
    SIGN_IN_AGAIN,
    SIGN_OUT,
    RECOVER,
    RECOVER_PASSWORD,
    FIRST_RUN,
    CONSENT,
    PAIR,
    PAIR_DECISION,
    MY,
    MY_THING,
    MY_THING_REMOVE,
    MY_BOND_END,
    MY_BOND_CONFIRM,
    MY_PEOPLE,
    MY_PEOPLE_CONFIRM,
    MY_SECURITY,
    MY_PASSWORD,
    MY_PASSKEYS,
    MY_PASSKEYS_OPTIONS,
    MY_PASSKEY_RENAME,
    MY_PASSKEY_REMOVE,
    MY_SESSION_END,
    MY_SESSIONS_END,
    MY_APP_END,
];
