//! `keyfob users`: people, and what staff may do.

use clap::Subcommand;
use http::Method;
use serde_json::{Value, json};

use super::local::{self, Local, Part, members, segment, several};
use super::{Exit, Failure, Frame};

#[derive(Debug, Subcommand)]
pub(super) enum Action {
    /// Make an account for a person, who sets a password by recovery
    Create {
        /// Their address
        email: String,
        /// Their name
        #[arg(long)]
        name: String,
        /// operator, support, security or auditor; repeatable
        #[arg(long = "role", value_name = "ROLE")]
        roles: Vec<String>,
    },
    /// Give a person exactly these roles; none takes all away
    Role {
        /// The person's id or address
        user: String,
        /// operator, support, security or auditor
        roles: Vec<String>,
    },
    /// Show the people
    List(Part),
}

pub(super) fn run(frame: &Frame, action: &Action) -> Result<(), Failure> {
    match action {
        Action::List(part) => local::list(frame, "users", part, &["/id", "/email", "/name", "/state", "/roles"]),
        Action::Create { email, name, roles } => {
            let given = [("email", Some(json!(email))), ("name", Some(json!(name))), ("roles", several(roles))];
            let made = Local::open(frame)?.ask(Method::POST, "/users", Some(&members(given)))?;
            local::tell_record(frame, &made);
            frame.ui.done("They set their password by \"Forgot your password?\" at the sign-in page", None);
            Ok(())
        }
        Action::Role { user, roles } => {
            let local = Local::open(frame)?;
            let path = format!("/users/{}/roles", segment(&find(&local, user)?));
            let changed = local.ask(Method::PUT, &path, Some(&json!({ "roles": roles })))?;
            local::tell_record(frame, &changed);
            Ok(())
        }
    }
}

/// The id of a person, by it or by the address.
fn find(local: &Local, named: &str) -> Result<String, Failure> {
    if !named.contains('@') {
        return Ok(named.to_owned());
    }
    let filter = segment(&format!("email eq {}", json!(named.to_lowercase())));
    let found = local.ask(Method::GET, &format!("/users?filter={filter}"), None)?;
    let id = found.pointer("/items/0/id").and_then(Value::as_str).map(str::to_owned);
    id.ok_or_else(|| {
        Failure::new(Exit::Failed, format!("nobody has the address {named}")).then_type("keyfob users list")
    })
}
