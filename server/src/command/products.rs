//! `keyfob products`: models of devices.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use http::Method;
use serde_json::{Value, json};

use super::local::{self, Local, Part, members, several};
use super::{Exit, Failure, Frame};

#[derive(Debug, Subcommand)]
pub(super) enum Action {
    /// Make a model known
    Create(Box<Wanted>),
    /// Admit the devices of a certificate authority
    Trust(Trusted),
    /// Show the models
    List(Part),
}

#[derive(Debug, Args)]
pub(super) struct Trusted {
    /// The model
    model: String,
    /// The authority's certificate (PEM)
    certificate: PathBuf,
    /// What staff call it; the file's name otherwise
    #[arg(long)]
    name: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct Wanted {
    /// The model, as devices say it
    model: String,
    /// What people call it
    #[arg(long)]
    name: Option<String>,
    /// Its picture, like speaker or lock
    #[arg(long)]
    icon: Option<String>,
    /// Who makes it
    #[arg(long)]
    manufacturer: Option<String>,
    /// A scope its devices may have; repeatable
    #[arg(long = "scope", value_name = "SCOPE")]
    scopes: Vec<String>,
    /// Who may receive its tokens; repeatable
    #[arg(long = "audience", value_name = "URL")]
    audiences: Vec<String>,
    /// The newest firmware
    #[arg(long, value_name = "VERSION")]
    firmware: Option<String>,
    /// The factory's key counts as operational
    #[arg(long)]
    factory_key_is_operational: bool,
    /// Only keys the registry holds count
    #[arg(long)]
    factory_provisioned: bool,
    /// Unknown devices may be registered
    #[arg(long)]
    self_registration: bool,
}

pub(super) fn run(frame: &Frame, action: &Action) -> Result<(), Failure> {
    let wanted = match action {
        Action::List(part) => return local::list(frame, "products", part, &["/model", "/name", "/id"]),
        Action::Trust(trusted) => return trust(frame, trusted),
        Action::Create(wanted) => wanted,
    };
    let flag = |set: bool| set.then_some(Value::Bool(true));
    let body = members([
        ("model", Some(json!(wanted.model))),
        ("name", Some(json!(wanted.name.as_ref().unwrap_or(&wanted.model)))),
        ("icon", wanted.icon.as_ref().map(|icon| json!(icon))),
        ("manufacturer", wanted.manufacturer.as_ref().map(|maker| json!(maker))),
        ("scopes", several(&wanted.scopes)),
        ("audiences", several(&wanted.audiences)),
        ("firmware_version", wanted.firmware.as_ref().map(|version| json!(version))),
        ("factory_key_is_operational", flag(wanted.factory_key_is_operational)),
        ("factory_provisioned", flag(wanted.factory_provisioned)),
        ("self_registration", flag(wanted.self_registration)),
    ]);
    let made = Local::open(frame)?.ask(Method::POST, "/products", Some(&body))?;
    local::tell_record(frame, &made);
    Ok(())
}

fn trust(frame: &Frame, trusted: &Trusted) -> Result<(), Failure> {
    let file = &trusted.certificate;
    let certificate = std::fs::read_to_string(file)
        .map_err(|error| Failure::new(Exit::Unreachable, format!("cannot read {}: {error}", file.display())))?;
    let stem = file.file_stem().map(|name| name.to_string_lossy().into_owned());
    let body = members([
        ("certificate", Some(json!(certificate))),
        ("product", Some(json!(trusted.model))),
        ("name", trusted.name.clone().or(stem).map(Value::from)),
    ]);
    let made = Local::open(frame)?.ask(Method::POST, "/device-cas", Some(&body))?;
    local::tell_record(frame, &made);
    Ok(())
}
