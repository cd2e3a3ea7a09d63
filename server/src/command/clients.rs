//! `keyfob clients`: software that may ask for tokens.

use clap::{Args, Subcommand};
use http::Method;
use serde_json::{Value, json};

use super::local::{self, Local, Part, members, several};
use super::{Failure, Frame};

#[derive(Debug, Subcommand)]
pub(super) enum Action {
    /// Register a client; its secret is shown once
    Create(Box<Wanted>),
    /// Show the clients
    List(Part),
}

#[derive(Debug, Args)]
pub(super) struct Wanted {
    /// What people call it
    #[arg(long)]
    name: String,
    /// Its id; made up otherwise
    #[arg(long)]
    id: Option<String>,
    /// How it proves itself, as RFC 7591 names it
    #[arg(long, value_name = "METHOD", default_value = "client_secret_basic", hide_default_value = true)]
    auth: String,
    /// A grant type it may use; repeatable
    #[arg(long = "grant", value_name = "GRANT", default_value = "client_credentials", hide_default_value = true)]
    grants: Vec<String>,
    /// The scopes it may ask for, with spaces between
    #[arg(long, value_name = "SCOPES")]
    scope: Option<String>,
    /// Where codes are sent; repeatable
    #[arg(long = "redirect-uri", value_name = "URI")]
    redirect_uris: Vec<String>,
    /// Who may receive its tokens; repeatable
    #[arg(long = "audience", value_name = "URL")]
    audiences: Vec<String>,
    /// Its tokens are bound to a key (RFC 9449)
    #[arg(long)]
    dpop: bool,
    /// It may register devices with their owners
    #[arg(long)]
    asset_tokens: bool,
}

pub(super) fn run(frame: &Frame, action: &Action) -> Result<(), Failure> {
    let wanted = match action {
        Action::List(part) => {
            let columns = ["/client_id", "/client_name", "/token_endpoint_auth_method", "/disabled"];
            return local::list(frame, "clients", part, &columns);
        }
        Action::Create(wanted) => wanted,
    };
    let body = members([
        ("client_name", Some(json!(wanted.name))),
        ("client_id", wanted.id.as_ref().map(|id| json!(id))),
        ("token_endpoint_auth_method", Some(json!(wanted.auth))),
        ("grant_types", several(&wanted.grants)),
        ("scope", wanted.scope.as_ref().map(|scope| json!(scope))),
        ("redirect_uris", several(&wanted.redirect_uris)),
        ("audiences", several(&wanted.audiences)),
        ("dpop_bound_access_tokens", wanted.dpop.then_some(Value::Bool(true))),
        ("rights", wanted.asset_tokens.then(|| json!({ "asset_tokens": true }))),
    ]);
    let made = Local::open(frame)?.ask(Method::POST, "/clients", Some(&body))?;
    local::tell_record(frame, &made);
    Ok(())
}
