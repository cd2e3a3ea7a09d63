//! Every route with the scope it wants. The router is built from this table, so
//! that a route without a scope cannot exist.

use axum::Router;
use axum::http::StatusCode;
use axum::middleware::{from_fn_with_state, map_response_with_state};
use axum::routing::{MethodRouter, delete, get, patch, post, put};

use super::guard::{self, Guard};
use super::{accounts, assets, bonds, clients, device_cas, devices, events, imports, openapi, products, users};
use crate::problem::{self, Problem};
use crate::state::State;

/// Who is let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    /// Everybody.
    Public,
    /// Who holds this scope.
    Scope(&'static str),
    /// Who holds one of these; the handler tells what the second may not.
    Either(&'static str, &'static str),
}

/// What comes back; names are of schemas in the description.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answers {
    /// 200 and a record.
    One(&'static str),
    /// 201 and a record.
    Made(&'static str),
    /// 200 and a page of records.
    Page(&'static str),
    /// 204.
    Nothing,
    /// 200 and something else.
    Other(&'static str),
}

/// One route.
pub(super) struct Route {
    pub(super) method: &'static str,
    pub(super) path: &'static str,
    pub(super) access: Access,
    pub(super) answers: Answers,
    /// Schema of the body.
    pub(super) body: Option<&'static str>,
    /// What it does, for the description.
    pub(super) summary: &'static str,
    handler: MethodRouter<State>,
}

impl Route {
    fn new(method: &'static str, path: &'static str, access: Access, handler: MethodRouter<State>) -> Self {
        Self { method, path, access, answers: Answers::Other("Any"), body: None, summary: "", handler }
    }

    fn answers(self, answers: Answers) -> Self {
        Self { answers, ..self }
    }

    fn takes(self, body: &'static str) -> Self {
        Self { body: Some(body), ..self }
    }

    fn does(self, summary: &'static str) -> Self {
        Self { summary, ..self }
    }

    /// `GET /products`.
    pub(super) fn action(&self) -> String {
        format!("{} {}", self.method, self.path)
    }
}

fn read(path: &'static str, scope: &'static str, handler: MethodRouter<State>) -> Route {
    Route::new("GET", path, Access::Scope(scope), handler)
}

fn make(path: &'static str, scope: &'static str, handler: MethodRouter<State>) -> Route {
    Route::new("POST", path, Access::Scope(scope), handler)
}

fn change(path: &'static str, scope: &'static str, handler: MethodRouter<State>) -> Route {
    Route::new("PATCH", path, Access::Scope(scope), handler)
}

/// All routes.
pub(super) fn table() -> Vec<Route> {
    let mut table = things();
    table.extend(people());
    table.extend(programs());
    table.extend(runs());
    table
}

fn things() -> Vec<Route> {
    use Answers::{Made, One, Other, Page};
    vec![
        read("/products", "products:read", get(products::list)).answers(Page("Product")).does("Lists products"),
        make("/products", "products:write", post(products::create))
            .takes("ProductDraft")
            .answers(Made("Product"))
            .does("Makes a product"),
        read("/products/{id}", "products:read", get(products::read)).answers(One("Product")).does("Reads a product"),
        change("/products/{id}", "products:write", patch(products::change))
            .takes("ProductPatch")
            .answers(One("Product"))
            .does("Changes a product"),
        read("/device-cas", "devices:ca", get(device_cas::list)).answers(Page("DeviceCa")).does("Lists trust anchors"),
        make("/device-cas", "devices:ca", post(device_cas::create))
            .takes("DeviceCaDraft")
            .answers(Made("DeviceCa"))
            .does("Trusts a certificate authority for a product"),
        read("/device-cas/{id}", "devices:ca", get(device_cas::read))
            .answers(One("DeviceCa"))
            .does("Reads a trust anchor"),
        change("/device-cas/{id}", "devices:ca", patch(device_cas::change))
            .takes("DeviceCaPatch")
            .answers(One("DeviceCa"))
            .does("Names a trust anchor, stops it or trusts it again"),
        read("/devices", "devices:read", get(devices::list))
            .answers(Page("Device"))
            .does("Lists devices, or looks one up by an identifier"),
        make("/devices", "devices:write", post(devices::create))
            .takes("DeviceDraft")
            .answers(Made("Device"))
            .does("Makes a device"),
        read("/devices/{did}", "devices:read", get(devices::read)).answers(One("Device")).does("Reads a device"),
        change("/devices/{did}", "devices:write", patch(devices::change))
            .takes("DevicePatch")
            .answers(One("Device"))
            .does("Changes a device's own facts"),
        make("/devices/{did}/suspend", "devices:write", post(devices::suspend))
            .answers(One("Device"))
            .does("Stops a device; its pairings stay"),
        make("/devices/{did}/resume", "devices:write", post(devices::resume))
            .answers(One("Device"))
            .does("Lets a suspended device work again"),
        make("/devices/{did}/approve", "devices:write", post(devices::approve))
            .answers(One("Device"))
            .does("Approves a device that waits for it"),
        make("/devices/{did}/retire", "devices:write", post(devices::retire))
            .answers(One("Device"))
            .does("Retires a device for good"),
        read("/devices/{did}/credentials", "devices:read", get(devices::credentials))
            .answers(Page("Credential"))
            .does("Lists what a device proves itself with"),
        make("/devices/{did}/credentials", "devices:write", post(devices::add_credential))
            .takes("CredentialDraft")
            .answers(Made("Credential"))
            .does("Adds a certificate or key"),
        make("/devices/{did}/credentials/{id}/revoke", "devices:write", post(devices::revoke_credential))
            .answers(One("Credential"))
            .does("Revokes a credential"),
        read("/devices/{did}/keys", "device_keys:read", get(devices::keys))
            .answers(Other("DeviceKeys"))
            .does("Reads the keys to check a device's signatures with"),
    ]
}

fn people() -> Vec<Route> {
    use Answers::{Made, One, Page};
    vec![
        read("/accounts", "accounts:read", get(accounts::list)).answers(Page("Account")).does("Lists accounts"),
        make("/accounts", "accounts:write", post(accounts::create))
            .takes("AccountDraft")
            .answers(Made("Account"))
            .does("Makes an account"),
        read("/accounts/{id}", "accounts:read", get(accounts::read)).answers(One("Account")).does("Reads an account"),
        change("/accounts/{id}", "accounts:write", patch(accounts::change))
            .takes("AccountPatch")
            .answers(One("Account"))
            .does("Changes an account"),
        make("/accounts/{id}/close", "accounts:write", post(accounts::close))
            .answers(One("Account"))
            .does("Closes an account that owns nothing"),
        read("/users", "users:read", get(users::list)).answers(Page("User")).does("Lists people"),
        make("/users", "users:write", post(users::create))
            .takes("UserDraft")
            .answers(Made("User"))
            .does("Makes a person with a household of their own"),
        read("/users/{id}", "users:read", get(users::read)).answers(One("User")).does("Reads a person"),
        change("/users/{id}", "users:write", patch(users::change))
            .takes("UserPatch")
            .answers(One("User"))
            .does("Changes a person's own facts"),
        Route::new("PUT", "/users/{id}/roles", Access::Scope("users:write"), put(users::put_roles))
            .takes("Roles")
            .answers(One("User"))
            .does("Gives a person exactly these roles"),
        make("/users/{id}/disable", "users:write", post(users::disable)).answers(One("User")).does("Stops a person"),
        make("/users/{id}/enable", "users:write", post(users::enable))
            .answers(One("User"))
            .does("Lets a stopped person back in"),
        read("/assets", "assets:read", get(assets::list)).answers(Page("Asset")).does("Lists titles"),
        read("/assets/{id}", "assets:read", get(assets::read)).answers(One("Asset")).does("Reads a title"),
        change("/assets/{id}", "assets:write", patch(assets::change))
            .takes("AssetPatch")
            .answers(One("Asset"))
            .does("Changes the words of a title"),
        read("/bonds", "bonds:read", get(bonds::list)).answers(Page("Bond")).does("Lists bonds"),
        read("/bonds/{id}", "bonds:read", get(bonds::read)).answers(One("Bond")).does("Reads a bond"),
        make("/bonds/{id}/end", "bonds:write", post(bonds::end)).answers(One("Bond")).does("Ends a bond"),
        make("/bonds/{id}/resume", "bonds:write", post(bonds::resume))
            .answers(One("Bond"))
            .does("Lets a suspended bond hold again"),
    ]
}

fn programs() -> Vec<Route> {
    use Answers::{Made, Nothing, One, Page};
    vec![
        read("/clients", "clients:read", get(clients::list)).answers(Page("Client")).does("Lists clients"),
        make("/clients", "clients:write", post(clients::create))
            .takes("ClientDraft")
            .answers(Made("MintedClient"))
            .does("Registers a client; its secret is shown once"),
        read("/clients/{id}", "clients:read", get(clients::read)).answers(One("Client")).does("Reads a client"),
        change("/clients/{id}", "clients:write", patch(clients::change))
            .takes("ClientPatch")
            .answers(One("MintedClient"))
            .does("Changes a client; its tokens fall"),
        make("/clients/{id}/secret", "clients:write", post(clients::renew_secret))
            .answers(One("MintedClient"))
            .does("Gives a client a new secret, shown once"),
        Route::new("DELETE", "/clients/{id}", Access::Scope("clients:write"), delete(clients::delete))
            .answers(Nothing)
            .does("Deletes a client for good"),
    ]
}

fn runs() -> Vec<Route> {
    use Answers::{Made, One, Other, Page};
    vec![
        read("/imports", "imports:read", get(imports::list)).answers(Page("Import")).does("Lists imports"),
        make("/imports", "imports:write", post(imports::create))
            .takes("ImportFile")
            .answers(Made("Import"))
            .does("Imports devices from a file"),
        read("/imports/{id}", "imports:read", get(imports::read)).answers(One("Import")).does("Reads an import"),
        Route::new("GET", "/events", Access::Either("events:read", "authority:follow"), get(events::read))
            .answers(Other("Events"))
            .does("Reads or follows the log of events"),
        Route::new("GET", "/openapi.json", Access::Public, get(openapi::read))
            .answers(Other("Any"))
            .does("Describes this API"),
    ]
}

/// The REST API; the same for the listener of people and the local socket.
pub fn routes(state: &State) -> Router<State> {
    let followers = events::Followers::default();
    let mut router = Router::new();
    for route in table() {
        let action = route.action().into();
        let guard = Guard { state: state.clone(), access: route.access, action };
        let handler = route.handler.route_layer(from_fn_with_state(guard, guard::admit));
        router = router.route(route.path, handler);
    }
    router
        .method_not_allowed_fallback(|| async {
            Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "method_not_allowed")
        })
        .layer(axum::Extension(followers))
        .layer(map_response_with_state(state.clone(), problem::write))
}

#[cfg(test)]
mod tests {
    use identity::Role;

    use super::*;

    /// The whole API: a route that is added or opened is seen here.
    #[test]
    fn every_route_wants_the_scope_it_is_listed_with() {
        let listed: Vec<String> = table()
            .iter()
            .map(|route| match route.access {
                Access::Public => format!("{} public", route.action()),
                Access::Scope(scope) => format!("{} {scope}", route.action()),
                Access::Either(one, other) => format!("{} {one} or {other}", route.action()),
            })
            .collect();
        let wanted = [
            "GET /products products:read",
            "POST /products products:write",
            "GET /products/{id} products:read",
            "PATCH /products/{id} products:write",
            "GET /device-cas devices:ca",
            "POST /device-cas devices:ca",
            "GET /device-cas/{id} devices:ca",
            "PATCH /device-cas/{id} devices:ca",
            "GET /devices devices:read",
            "POST /devices devices:write",
            "GET /devices/{did} devices:read",
            "PATCH /devices/{did} devices:write",
            "POST /devices/{did}/suspend devices:write",
            "POST /devices/{did}/resume devices:write",
            "POST /devices/{did}/approve devices:write",
            "POST /devices/{did}/retire devices:write",
            "GET /devices/{did}/credentials devices:read",
            "POST /devices/{did}/credentials devices:write",
            "POST /devices/{did}/credentials/{id}/revoke devices:write",
            "GET /devices/{did}/keys device_keys:read",
            "GET /accounts accounts:read",
            "POST /accounts accounts:write",
            "GET /accounts/{id} accounts:read",
            "PATCH /accounts/{id} accounts:write",
            "POST /accounts/{id}/close accounts:write",
            "GET /users users:read",
            "POST /users users:write",
            "GET /users/{id} users:read",
            "PATCH /users/{id} users:write",
            "PUT /users/{id}/roles users:write",
            "POST /users/{id}/disable users:write",
            "POST /users/{id}/enable users:write",
            "GET /assets assets:read",
            "GET /assets/{id} assets:read",
            "PATCH /assets/{id} assets:write",
            "GET /bonds bonds:read",
            "GET /bonds/{id} bonds:read",
            "POST /bonds/{id}/end bonds:write",
            "POST /bonds/{id}/resume bonds:write",
            "GET /clients clients:read",
            "POST /clients clients:write",
            "GET /clients/{id} clients:read",
            "PATCH /clients/{id} clients:write",
            "POST /clients/{id}/secret clients:write",
            "DELETE /clients/{id} clients:write",
            "GET /imports imports:read",
            "POST /imports imports:write",
            "GET /imports/{id} imports:read",
            "GET /events events:read or authority:follow",
            "GET /openapi.json public",
        ];
        assert_eq!(listed, wanted);
    }

    #[test]
    fn only_the_description_is_open_to_all() {
        let open: Vec<_> = table().into_iter().filter(|route| route.access == Access::Public).collect();
        assert_eq!(open.len(), 1);
        assert_eq!(open[0].path, "/openapi.json");
    }

    #[test]
    fn what_writes_wants_a_scope_that_writes() {
        for route in table().iter().filter(|route| route.method != "GET") {
            let Access::Scope(scope) = route.access else { panic!("{} has no scope of its own", route.action()) };
            assert!(scope.ends_with(":write") || scope == "devices:ca", "{}", route.action());
        }
    }

    #[test]
    fn every_scope_is_in_a_role_and_the_auditor_reads_all_but_writes_nothing() {
        for route in table() {
            let Access::Scope(scope) = route.access else { continue };
            assert!(Role::Operator.scopes().contains(&scope), "{scope}");
            let audits = Role::Auditor.scopes().contains(&scope);
            assert_eq!(audits, scope.ends_with(":read"), "{scope}");
        }
    }
}
