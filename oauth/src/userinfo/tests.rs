use super::*;
use crate::fixture::adam;

fn asked(scope: &str) -> Result<Value, ErrorCode> {
    let claims = Claims { sub: "u_adam".into(), scope: Scope::parse(scope).unwrap(), ..Claims::default() };
    reply(&claims, Some(&adam())).map_err(|refusal| refusal.code)
}

#[test]
fn each_scope_tells_its_claims_and_no_more() {
    assert_eq!(asked("openid").unwrap(), json!({ "sub": "u_adam" }));
    assert_eq!(asked("openid email").unwrap()["email_verified"], json!(true));
    let profile = asked("openid profile").unwrap();
    assert_eq!(
        (&profile["name"], profile["updated_at"].is_number(), profile.get("email")),
        (&json!("Adam"), true, None)
    );
    assert_eq!(asked("openid phone address").unwrap(), json!({ "sub": "u_adam" }), "without a value, left out");
}

#[test]
fn an_address_is_an_object_and_a_number_is_said_to_be_verified_by_a_boolean() {
    let told = |kept: Value| {
        let claims =
            Claims { sub: "u_adam".into(), scope: Scope::of(["openid", "address", "phone"]), ..Claims::default() };
        let Value::Object(kept) = kept else { panic!("an object") };
        reply(&claims, Some(&User { claims: kept, ..adam() })).unwrap()
    };
    let good = json!({
        "address": { "formatted": "Hall 1" }, "phone_number": "+49 30 1", "phone_number_verified": false
    });
    let mut whole = good.clone();
    whole["sub"] = json!("u_adam");
    assert_eq!(told(good), whole);
    let wrong = json!({ "address": "Hall 1", "phone_number_verified": "true" });
    assert_eq!(told(wrong), json!({ "sub": "u_adam" }), "what has not its form is left out (OIDC Core §5.1)");
}

#[test]
fn without_openid_or_a_living_person_nothing_is_told() {
    assert_eq!(asked("profile email"), Err(ErrorCode::InsufficientScope));
    let claims = Claims { sub: "u_adam".into(), scope: Scope::of(["openid"]), ..Claims::default() };
    let mut disabled = adam();
    disabled.state = UserState::Disabled;
    let mut other = adam();
    other.id = "u_eve".parse().unwrap();
    for user in [None, Some(&disabled), Some(&other)] {
        assert_eq!(reply(&claims, user).unwrap_err().code, ErrorCode::InvalidToken);
    }
}
