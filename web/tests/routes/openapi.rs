//! `/openapi.json`, and the check that holds answers to it.

use serde_json::Value;

use crate::world::World;

/// Whether a value is what a schema says; what is not named is not allowed
/// where the schema closes the object.
pub(crate) fn check(description: &Value, schema: &Value, value: &Value, place: &str) {
    if let Some(reference) = schema["$ref"].as_str() {
        let named = &description["components"]["schemas"][reference.rsplit('/').next().unwrap()];
        assert!(!named.is_null(), "{place}: {reference} is not described");
        return check(description, named, value, place);
    }
    if let Some(any) = schema["anyOf"].as_array() {
        let wanted = if value.is_null() { &any[1] } else { &any[0] };
        return check(description, wanted, value, place);
    }
    if let Some(allowed) = schema["enum"].as_array() {
        assert!(allowed.contains(value), "{place}: {value} is none of {allowed:?}");
    }
    match schema["type"].as_str() {
        None => {}
        Some("string") => assert!(value.is_string(), "{place}: {value} is no string"),
        Some("integer") => assert!(value.is_i64() || value.is_u64(), "{place}: {value} is no integer"),
        Some("boolean") => assert!(value.is_boolean(), "{place}: {value} is no boolean"),
        Some("null") => assert!(value.is_null(), "{place}: {value} is not null"),
        Some("array") => {
            for item in value.as_array().unwrap_or_else(|| panic!("{place}: {value} is no array")) {
                check(description, &schema["items"], item, &format!("{place}[]"));
            }
        }
        Some("object") => {
            let members = value.as_object().unwrap_or_else(|| panic!("{place}: {value} is no object"));
            for required in schema["required"].as_array().into_iter().flatten() {
                assert!(members.contains_key(required.as_str().unwrap()), "{place}: {required} is missing in {value}");
            }
            for (name, member) in members {
                match schema["properties"].get(name) {
                    Some(known) => check(description, known, member, &format!("{place}.{name}")),
                    None => {
                        assert!(schema["additionalProperties"] != false, "{place}: {name} is not described");
                    }
                }
            }
        }
        Some(other) => panic!("{place}: the schema's type {other} is not checked"),
    }
}

#[tokio::test]
async fn the_description_is_open_to_all_and_names_only_schemas_it_has() {
    let world = World::new().await;
    let description = world.get("/openapi.json").send().await.ok();
    assert_eq!(description["openapi"], "3.1.0");
    let text = description.to_string();
    for reference in text.split("#/components/schemas/").skip(1) {
        let name = reference.split('"').next().unwrap();
        assert!(!description["components"]["schemas"][name].is_null(), "{name}");
    }
}

#[tokio::test]
async fn every_described_operation_is_served_and_closed_to_strangers() {
    let world = World::new().await;
    let description = world.get("/openapi.json").send().await.ok();
    for (template, operations) in description["paths"].as_object().unwrap() {
        let path = template.replace("{did}", "dev_1").replace("{id}", "x");
        for method in operations.as_object().unwrap().keys() {
            let method = match method.as_str() {
                "get" => "GET",
                "post" => "POST",
                "patch" => "PATCH",
                "put" => "PUT",
                "delete" => "DELETE",
                other => panic!("{other}"),
            };
            let answer = world.method(method, path.clone()).send().await;
            if path == "/openapi.json" {
                continue;
            }
            assert_eq!(answer.problem(), (401, "invalid_token".into()), "{method} {path}");
            let device = world.token(serde_json::json!({
                "sub": "dev_1", "client_id": "dev_1", "did": "dev_1", "anc": ["d.dev_1.0"],
                "scope": identity::Role::Operator.scopes().join(" "),
            }));
            let answer = world.method(method, path.clone()).by(&device).send().await;
            assert_eq!(answer.problem(), (401, "invalid_token".into()), "{method} {path} by a device");
            let answer = world.method(method, path.clone()).by(&world.service("svc", "openid")).send().await;
            assert_eq!(answer.problem(), (403, "insufficient_scope".into()), "{method} {path}");
        }
    }
}
