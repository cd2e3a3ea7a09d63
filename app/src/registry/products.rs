//! Models of devices: made and changed by staff. Where a change narrows what
//! their devices may do, tokens fall.

use identity::product::IdentityField;
use identity::rule::attributes;
use identity::rule::import_line::{is_serial, is_text};
use identity::{AnchorKind, Decision, Event, EventKind, Product, ProductId, Raise, Version, Write};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use store::{Condition, Filter, ListQuery, Operator};

use super::caller::{Caller, is_registry_scope};
use super::keep::{Outcome, Refused, Versioned, check_version, invalid, not_found, settle};
use super::repeat::{Answer, Repeat};
use crate::app::App;
use crate::fault::Fault;

const ICONS: [&str; 8] = ["", "speaker", "lock", "thermostat", "light", "camera", "car", "tag"];
const MAX_SCHEMA: usize = 16 * 1024;
const MAX_LIST: usize = 64;

/// A model as its maker writes it; see [`Product`] for what each says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "each field is documented at `Product`")]
pub struct ProductDraft {
    pub model: String,
    #[serde(default)]
    pub name: String,
    #[serde(default)]
    pub icon: String,
    #[serde(default)]
    pub manufacturer: String,
    #[serde(default)]
    pub attribute_schema: Option<Value>,
    #[serde(default)]
    pub identity_field: IdentityField,
    #[serde(default)]
    pub factory_key_is_operational: bool,
    #[serde(default)]
    pub factory_provisioned: bool,
    #[serde(default)]
    pub self_registration: bool,
    #[serde(default)]
    pub pair_when_registered: bool,
    #[serde(default)]
    pub scopes: Vec<String>,
    #[serde(default)]
    pub audiences: Vec<String>,
    #[serde(default)]
    pub firmware_version: Option<String>,
}

impl ProductDraft {
    fn check(&self) -> Result<(), Refused> {
        if self.model.len() > 64 || !is_serial(&self.model) {
            return Err(invalid("bad_model", "a model is 1 to 64 of letters, digits, single spaces and . _ : -"));
        }
        for (reason, text) in [("bad_name", &self.name), ("bad_manufacturer", &self.manufacturer)] {
            if !is_text(text) {
                return Err(invalid(reason, "at most 255 characters, none a control character"));
            }
        }
        if !ICONS.contains(&self.icon.as_str()) {
            return Err(invalid("bad_icon", "one of speaker, lock, thermostat, light, camera, car, tag"));
        }
        if let Some(schema) = &self.attribute_schema {
            if schema.to_string().len() > MAX_SCHEMA {
                return Err(invalid("bad_attribute_schema", "the schema is over 16 KiB"));
            }
            attributes::check_schema(schema).map_err(|why| invalid("bad_attribute_schema", why.to_string()))?;
        }
        let is_scope = |scope: &String| {
            (1..=128).contains(&scope.len()) && oauth::Scope::parse(scope).is_ok() && !scope.contains(' ')
        };
        if self.scopes.len() > MAX_LIST || !self.scopes.iter().all(is_scope) {
            return Err(invalid("bad_scopes", "at most 64 scope tokens"));
        }
        // Devices keep nobody's registry.
        if self.scopes.iter().any(|scope| is_registry_scope(scope)) {
            return Err(invalid("bad_scopes", "a scope of the registry is not for devices"));
        }
        if self.audiences.len() > MAX_LIST || !self.audiences.iter().all(|audience| is_audience(audience)) {
            return Err(invalid("bad_audiences", "at most 64 absolute URIs without fragment"));
        }
        if self.firmware_version.as_ref().is_some_and(|text| text.is_empty() || text.len() > 64 || !is_text(text)) {
            return Err(invalid("bad_firmware_version", "1 to 64 characters"));
        }
        Ok(())
    }

    fn into_product(self, id: ProductId) -> Product {
        Product {
            id,
            model: self.model,
            name: self.name,
            icon: self.icon,
            manufacturer: self.manufacturer,
            attribute_schema: self.attribute_schema,
            identity_field: self.identity_field,
            factory_key_is_operational: self.factory_key_is_operational,
            factory_provisioned: self.factory_provisioned,
            self_registration: self.self_registration,
            pair_when_registered: self.pair_when_registered,
            scopes: self.scopes,
            audiences: self.audiences,
            firmware_version: self.firmware_version,
        }
    }
}

/// An absolute URI without fragment (RFC 8707 §2), as text that compares exactly.
pub(super) fn is_audience(text: &str) -> bool {
    let scheme = text.split_once(':').map(|(scheme, _)| scheme).unwrap_or_default();
    let sound = scheme.bytes().next().is_some_and(|b| b.is_ascii_alphabetic())
        && scheme.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.'));
    sound && text.len() <= 512 && text.bytes().all(|b| b.is_ascii_graphic()) && !text.contains('#')
}

/// Whether devices may do less after than before: then what they hold falls.
fn narrows(before: &Product, after: &Product) -> bool {
    let lost = |before: &[String], after: &[String]| before.iter().any(|held| !after.contains(held));
    lost(&before.scopes, &after.scopes)
        || lost(&before.audiences, &after.audiences)
        || before.identity_field != after.identity_field
        || (before.factory_key_is_operational && !after.factory_key_is_operational)
        || (!before.factory_provisioned && after.factory_provisioned)
}

impl App {
    /// Makes a model.
    ///
    /// # Errors
    /// `invalid`; `conflict` where the model is known.
    pub async fn create_product(
        &self,
        caller: &Caller,
        draft: ProductDraft,
        repeat: &Repeat<'_, Versioned<Product>>,
    ) -> Outcome<Answer<Versioned<Product>>> {
        if let Err(refused) = draft.check() {
            return Ok(Err(refused));
        }
        let draw = self.draw();
        let product = draft.into_product(draw.id(ProductId::mint));
        let product = &product;
        self.keep_once(&draw, repeat, || async move {
            let event = told(product, "created", caller);
            let decision = Decision::reply(product.clone()).change(Write::new(product.clone())).event(event);
            Ok(settle(decision, 0, self.now()))
        })
        .await
    }

    /// Writes a model anew, as its maker saw it at `version`.
    ///
    /// # Errors
    /// `invalid`, also for another model name; `not_found`, `version_mismatch`.
    pub async fn replace_product(
        &self,
        caller: &Caller,
        id: &str,
        version: Version,
        draft: ProductDraft,
    ) -> Outcome<Versioned<Product>> {
        if let Err(refused) = draft.check() {
            return Ok(Err(refused));
        }
        let draw = self.draw();
        let (draft, now) = (&draft, draw.now());
        self.keep(&draw, || async move {
            let Some(known) = store::record::<Product>(&*self.store, id).await? else {
                return Ok((Default::default(), Err(not_found("unknown_product"))));
            };
            if let Err(refused) = check_version(known.version, Some(version)) {
                return Ok((Default::default(), Err(refused)));
            }
            if draft.model != known.model {
                return Ok((Default::default(), Err(invalid("bad_model", "the model of a product never changes"))));
            }
            let wanted = draft.clone().into_product(known.id.clone());
            let mut decision = Decision::reply(wanted.clone());
            if wanted != known.record {
                decision = decision.change(known.rewrite(wanted.clone())).event(told(&wanted, "changed", caller));
                if narrows(&known, &wanted) {
                    decision = decision.change(Raise::cut(AnchorKind::Product, id));
                }
            }
            Ok(settle(decision, known.version, now))
        })
        .await
    }

    /// A model by its name or its id.
    pub(super) async fn find_product(&self, name: &str) -> Result<Option<identity::Fact<Product>>, Fault> {
        if let Some(known) = store::record::<Product>(&*self.store, name).await? {
            return Ok(Some(known));
        }
        let condition =
            Condition { field: "model".into(), operator: Operator::Equal, value: Value::String(name.to_owned()) };
        let kind = <Product as identity::Record>::KIND;
        let query = ListQuery { kind, filter: Some(Filter::Is(condition)), after: None, limit: 1 };
        let page = self.store.list(query).await?;
        page.items.into_iter().next().map(|stored| stored.parse().map_err(Fault::from)).transpose()
    }
}

fn told(product: &Product, change: &str, caller: &Caller) -> Event {
    Event::new(EventKind::ProductChanged, product.id.as_str())
        .with("model", product.model.as_str())
        .with("change", change)
        .with("by", caller.actor().id())
}
