//! UserInfo (OIDC Core §5.3, §5.4): what a token's scopes tell about its person.

use identity::User;
use identity::user::UserState;
use serde_json::{Map, Value, json};

use crate::error::{ErrorCode, OAuthRefusal};
use crate::scope::Scope;
use crate::token::Claims;

/// Claims of the `profile` scope that a user may carry beside the name.
const PROFILE: [&str; 12] = [
    "family_name",
    "given_name",
    "middle_name",
    "nickname",
    "preferred_username",
    "profile",
    "picture",
    "website",
    "gender",
    "birthdate",
    "zoneinfo",
    "locale",
];

/// Decides what is told. A claim without a value is left out.
///
/// # Errors
/// `insufficient_scope` without `openid`; `invalid_token` where the token speaks
/// of no living person.
pub fn reply(claims: &Claims, user: Option<&User>) -> Result<Value, OAuthRefusal> {
    if !claims.scope.contains("openid") {
        return Err(OAuthRefusal::new(ErrorCode::InsufficientScope, "openid_missing"));
    }
    let user = user.filter(|user| user.id.as_str() == claims.sub && user.state == UserState::Active);
    let user = user.ok_or(OAuthRefusal::new(ErrorCode::InvalidToken, "no_living_person"))?;
    let mut members = Map::new();
    members.insert("sub".to_owned(), user.id.as_str().into());
    add(&mut members, user, &claims.scope);
    Ok(Value::Object(members))
}

fn add(members: &mut Map<String, Value>, user: &User, scope: &Scope) {
    let mut put = |name: &str, value: Option<Value>| {
        if let Some(value) = value.filter(|value| !value.is_null()) {
            members.insert(name.to_owned(), value);
        }
    };
    let kept = |name: &str| user.claims.get(name).cloned();
    if scope.contains("profile") {
        put("name", Some(user.name.clone().into()));
        put("updated_at", Some(user.updated_at.into()));
        PROFILE.into_iter().for_each(|name| put(name, kept(name)));
        put("locale", user.locale.clone().map(Value::from));
        put("zoneinfo", user.zone.clone().map(Value::from));
    }
    if scope.contains("email") {
        put("email", Some(user.email.expose().into()));
        put("email_verified", Some(json!(user.state != UserState::Unverified)));
    }
    if scope.contains("address") {
        put("address", kept("address").filter(Value::is_object));
    }
    if scope.contains("phone") {
        put("phone_number", kept("phone_number"));
        put("phone_number_verified", kept("phone_number_verified").filter(Value::is_boolean));
    }
}

#[cfg(test)]
mod tests;
