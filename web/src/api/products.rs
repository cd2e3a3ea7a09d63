//! `/products`: models of devices.

use app::registry::{Caller, Listing, ProductDraft, Versioned};
use axum::extract::{Extension, Path, State as Extract};
use axum::http::HeaderMap;
use axum::response::Response;
use identity::Product;
use serde_json::{Value, json};

use super::extract::{IfMatch, Patch, Post};
use super::openapi::{a_version, also, an_id, optional};
use super::render::{self, Shown};
use crate::problem::Problem;
use crate::state::State;

impl Shown for Product {
    const PATH: &'static str = "/products";
    const MEMBERS: &'static [&'static str] = &[
        "id",
        "model",
        "name",
        "icon",
        "manufacturer",
        "attribute_schema",
        "identity_field",
        "factory_key_is_operational",
        "factory_provisioned",
        "self_registration",
        "pair_when_registered",
        "scopes",
        "audiences",
        "firmware_version",
    ];
    const PATCHED: &'static [&'static str] = &[
        "model",
        "name",
        "icon",
        "manufacturer",
        "attribute_schema",
        "identity_field",
        "factory_key_is_operational",
        "factory_provisioned",
        "self_registration",
        "pair_when_registered",
        "scopes",
        "audiences",
        "firmware_version",
    ];
}

pub(super) async fn list(Extract(state): Extract<State>, listing: Listing) -> Result<Response, Problem> {
    render::page(state.app.list::<Product>(&listing).await)
}

pub(super) async fn create(
    Extract(state): Extract<State>,
    Extension(caller): Extension<Caller>,
    post: Post<ProductDraft>,
) -> Result<Response, Problem> {
    let render: &(dyn Fn(&Versioned<Product>) -> _ + Sync) = &render::made;
    render::answered(state.app.create_product(&caller, post.body.clone(), &post.repeat(render)).await, render)
}

pub(super) async fn read(
    Extract(state): Extract<State>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    Ok(render::one(&state.app.read::<Product>(&id).await??, &headers))
}

pub(super) async fn change(
    Extract(state): Extract<State>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    seen: IfMatch,
    Patch(patch): Patch,
) -> Result<Response, Problem> {
    let (draft, version) = render::patched::<Product, ProductDraft>(&state, &id, seen, patch).await?;
    let changed = state.app.replace_product(&caller, &id, version, draft).await??;
    Ok(render::written(render::done(&changed)))
}

pub(super) fn schemas() -> Vec<(&'static str, Value)> {
    let members = json!({
        "model": {"type": "string", "maxLength": 64, "description": "What devices call it; never changes"},
        "name": {"type": "string", "maxLength": 255},
        "icon": {"enum": ["", "speaker", "lock", "thermostat", "light", "camera", "car", "tag"]},
        "manufacturer": {"type": "string", "maxLength": 255},
        "attribute_schema": {"type": "object", "description": "The part of JSON Schema that docs/api.md names"},
        "identity_field": {"enum": ["subject_serial_number", "common_name", "san_uri"]},
        "factory_key_is_operational": {"type": "boolean"},
        "factory_provisioned": {"type": "boolean"},
        "self_registration": {"type": "boolean"},
        "pair_when_registered": {"type": "boolean"},
        "scopes": {"type": "array", "items": {"type": "string"}, "maxItems": 64},
        "audiences": {"type": "array", "items": {"type": "string", "format": "uri"}, "maxItems": 64},
        "firmware_version": {"type": "string", "maxLength": 64},
    });
    let record = also(
        &members,
        json!({
            "id": an_id(),
            "version": a_version(),
        }),
    );
    vec![
        (
            "Product",
            json!({
                "type": "object", "properties": record, "additionalProperties": false,
                "required": [
                    "id", "version", "model", "name", "icon", "manufacturer", "identity_field",
                    "factory_key_is_operational", "factory_provisioned", "self_registration",
                    "pair_when_registered", "scopes", "audiences"
                ],
            }),
        ),
        (
            "ProductDraft",
            json!({
                "type": "object", "properties": members, "additionalProperties": false, "required": ["model"],
            }),
        ),
        ("ProductPatch", optional(&members)),
    ]
}
