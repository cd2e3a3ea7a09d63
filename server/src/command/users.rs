//! `keyfob users`: people, and what staff may do.

use clap::Subcommand;
use http::Method;
use serde_json::json;

use super::local::{self, Local, Part, members, segment, several};
use super::{Failure, Frame};

#[derive(Debug, Subcommand)]
pub(super) enum Action {
    /// Make an account for a person, who sets a password by recovery
    Create {
        /// Their address
        email: String,
        /// Their name
        #[arg(long)]
        name: String,
        /// operator, support, security or auditor; may be given several times
        #[arg(long = "role", value_name = "ROLE")]
        roles: Vec<String>,
    },
    /// Give a person exactly these roles; none takes all away
    Role {
        /// The person's id
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
            let path = format!("/users/{}/roles", segment(user));
            let changed = Local::open(frame)?.ask(Method::PUT, &path, Some(&json!({ "roles": roles })))?;
            local::tell_record(frame, &changed);
            Ok(())
        }
    }
}
