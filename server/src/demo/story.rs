//! The life of a smart speaker, from the factory to a revoked device. Read it
//! from top to bottom.

use serde_json::{Value, json};

use super::factory::Factory;
use super::owner::Owner;
use super::registry::Registry;
use super::service::Service;
use super::stage::{Begins, Stage};
use super::tale::{Tale, Told};
use super::trouble::{Lived, Present};
use super::{alone, ending, factory, home, owner, pairing, registry, service, shop};
use crate::command::Failure;

/// Lives the story; what a stage that stays has to offer comes back, and who lived it.
pub(super) fn live(stage: &Stage, tale: &Tale) -> Result<(Value, Owner), Failure> {
    let factory = tale.step("factory", || factory::make(stage.folder(), stage.now()))?;
    let mut registry = tale.step("registry", || registry::open(stage))?;
    tale.step("product", || registry::describe(&registry, &factory.root, &stage.backend))?;
    let dids = tale.step("import", || registry::import(&registry, &factory))?;
    let mut on = tale.step("call_home", || home::first_contact(stage, factory.speaker(0)?))?;

    let adam = tale.step("sign_up", || owner::arrive(stage))?;
    let mut paired = tale.step("pair", || pairing::pair(stage, &mut on, &adam))?;
    tale.step("press_on", || pairing::press_on(stage, &mut on, &mut paired))?;

    let mut app = tale.step("app", || shop::sign_in(stage, &registry, &adam))?;
    let asset = tale.step("asset_token", || shop::register(stage, &mut app, &mut on, &paired.asset))?;
    tale.step("backend", || service::send_data(stage, &mut on, &asset))?;
    let asset = tale.step("renewal", || match stage.begins() {
        Begins::Yesterday => alone::next_day(stage, &mut on, &mut paired, &mut registry, &asset),
        Begins::Now => alone::in_time(stage, &mut on, &paired, &asset),
    })?;
    let access = tale.step("jwt_bearer", || service::trade(stage, &mut on, &paired, &asset))?;
    let service = tale.step("introspection", || service::introspect(stage, &registry, &asset))?;
    tale.step("stolen", || service::steal(stage, &mut on, &paired, &asset))?;

    tale.step("revoke", || ending::revoke(stage, &adam))?;
    let ended = [&asset, &access];
    tale.step("refused", || ending::aftermath(stage, &mut on, &paired, &service, &ended))?;
    tale.step("events", || ending::log(&registry, &on, &paired))?;

    let offers = tale.step("offers", || offers(stage, &registry, &service, &adam, &factory, &dids))?;
    Ok((offers, adam))
}

/// What whoever comes after the story can begin with: a person, clients, speakers nobody owns.
fn offers(
    stage: &Stage,
    registry: &Registry,
    service: &Service,
    adam: &Owner,
    factory: &Factory,
    dids: &[String],
) -> Lived<Told<Value>> {
    let web = shop::web_client(registry, stage)?;
    let mut offers = json!({
        "email": adam.email, "password": adam.password,
        "app_client_id": shop::CLIENT, "redirect_uri": shop::REDIRECT,
        "web_client_id": web.id, "web_client_secret": web.secret,
        "backend_client_id": service.login.id, "backend_client_secret": service.login.secret,
        "registry_client_id": registry.login.id, "registry_client_secret": registry.login.secret,
        "model": factory::MODEL,
    });
    let members = offers.as_object_mut().present("an object")?;
    for (at, (speaker, did)) in factory.speakers.iter().zip(dids).enumerate() {
        let prefix = if at == 0 { String::new() } else { format!("spare{at}_") };
        let facts = [
            ("serial", json!(speaker.serial)),
            ("did", json!(did)),
            ("key", json!(speaker.key)),
            ("chain", json!(speaker.chain)),
        ];
        members.extend(facts.into_iter().map(|(name, value)| (format!("{prefix}device_{name}"), value)));
    }
    let line = "The stage is ready for whoever comes next".to_owned();
    Ok(Told { line, facts: json!({}), yields: offers })
}
