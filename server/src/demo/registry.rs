//! The maker's own system: keeps the registry through its REST API with a token
//! of a service, as any system of a maker would.

use http::Method;
use serde_json::{Value, json};

use super::factory::{Factory, MODEL};
use super::http::{Http, basic};
use super::stage::Stage;
use super::tale::{Told, decoded};
use super::trouble::{Lived, Present, sure};

const CLIENT: &str = "maker-registry";
const SCOPES: &str = "products:read products:write devices:read devices:write devices:ca device_keys:read \
                      imports:read imports:write clients:read clients:write accounts:read users:read assets:read \
                      bonds:read events:read";

/// A service that may keep the registry.
pub(super) struct Registry {
    http: Http,
    issuer: String,
    token: String,
    /// What it signs in with.
    pub(super) login: ClientLogin,
}

/// A client and its secret.
#[derive(Clone)]
pub(super) struct ClientLogin {
    pub(super) id: String,
    pub(super) secret: String,
}

/// Makes the service over the local socket, and gets it a token as everybody does.
pub(super) fn open(stage: &Stage) -> Lived<Told<Registry>> {
    let wanted = json!({
        "client_id": CLIENT,
        "client_name": "Registry of the maker",
        "token_endpoint_auth_method": "client_secret_basic",
        "grant_types": ["client_credentials"],
        "scope": SCOPES,
    });
    let made = stage.local(Method::POST, "/clients", Some(&wanted))?;
    let secret = made.get("client_secret").and_then(Value::as_str).present("the secret of a client")?.to_owned();
    let login = ClientLogin { id: CLIENT.to_owned(), secret };
    let http = stage.http()?;
    let token = client_credentials(&http, &stage.issuer, &login, SCOPES)?;
    let facts = json!({ "client_id": CLIENT, "access_token": decoded(&token) });
    let registry = Registry { http, issuer: stage.issuer.clone(), token, login };
    let line = "The maker's system got a token of its own".to_owned();
    Ok(Told { line, facts, yields: registry })
}

/// A token for a client itself (RFC 6749 §4.4).
pub(super) fn client_credentials(http: &Http, issuer: &str, login: &ClientLogin, scope: &str) -> Lived<String> {
    let authorization = basic(&login.id, &login.secret);
    let form = [("grant_type", "client_credentials"), ("scope", scope)];
    let answer = http.post_form(&format!("{issuer}/token"), &[("authorization", &authorization)], &form)?;
    let answer = answer.being(200, "the token of a service")?.json()?;
    let token = answer.get("access_token").and_then(Value::as_str).present("an access token")?;
    Ok(token.to_owned())
}

impl Registry {
    /// Gets a new token in the place of one that ran out.
    pub(super) fn sign_in_again(&mut self) -> Lived<()> {
        self.token = client_credentials(&self.http, &self.issuer, &self.login, SCOPES)?;
        Ok(())
    }

    /// Asks the REST API, and insists on the status.
    pub(super) fn ask(&self, method: &str, path: &str, body: Option<&Value>, status: u16) -> Lived<Value> {
        let (url, bearer) = (format!("{}{path}", self.issuer), format!("Bearer {}", self.token));
        let mut headers = vec![("authorization", bearer.as_str())];
        let answer = match body {
            None => self.http.get(&url, &headers),
            Some(body) => {
                headers.push(("content-type", "application/json"));
                self.http.send(method, &url, &headers, body.to_string().as_bytes())
            }
        };
        answer?.being(status, &format!("{method} {path}"))?.json()
    }

    /// Makes a client and returns its secret, if it has one.
    pub(super) fn make_client(&self, wanted: &Value) -> Lived<Option<String>> {
        let made = self.ask("POST", "/clients", Some(wanted), 201)?;
        Ok(made.get("client_secret").and_then(Value::as_str).map(str::to_owned))
    }

    /// The did of a device, by its serial number.
    pub(super) fn did_of(&self, serial: &str) -> Lived<String> {
        let found = self.ask("GET", &format!("/devices?serial={serial}&model={MODEL}"), None, 200)?;
        let device = found.pointer("/items/0").present("the device in the registry")?;
        sure(device.get("state") == Some(&json!("registered")), "a device that was only imported is in another state")?;
        Ok(device.get("id").and_then(Value::as_str).present("its did")?.to_owned())
    }
}

/// Tells the registry the model and which factory to believe.
pub(super) fn describe(registry: &Registry, root: &str, backend: &str) -> Lived<Told<()>> {
    let product = json!({
        "model": MODEL,
        "name": "Speaker",
        "icon": "speaker",
        "manufacturer": "Demo Audio",
        "attribute_schema": { "type": "object", "properties": { "colour": { "type": "string", "enum": ["oak", "ash"] } } },
        "factory_key_is_operational": true,
        "factory_provisioned": true,
        "scopes": ["firmware:read", "cloud:stream", super::backend::SCOPE],
        "audiences": [backend],
        "firmware_version": "1.4.2",
    });
    registry.ask("POST", "/products", Some(&product), 201)?;
    let anchor = json!({ "certificate": root, "product": MODEL, "name": "Demo Speakers Root" });
    registry.ask("POST", "/device-cas", Some(&anchor), 201)?;
    let line = format!("The registry knows the model {MODEL} and its factory");
    Ok(Told { line, facts: json!({ "product": product }), yields: () })
}

/// Imports the factory's list, twice: the second time nothing is new. The dids of the speakers
/// whose keys were kept come back.
pub(super) fn import(registry: &Registry, factory: &Factory) -> Lived<Told<Vec<String>>> {
    let (list, mistaken) = factory.list()?;
    let first = registry.import("batch-1.csv", &list)?;
    let count = |import: &Value, name: &str| import.get(name).and_then(Value::as_u64);
    let made = Some(factory.count() as u64);
    sure(count(&first, "created") == made, "not every speaker was imported")?;
    sure(count(&first, "failed") == Some(1), "the bad line was not found")?;
    let line = first.pointer("/bad_lines/0/line").and_then(Value::as_u64);
    sure(line == Some(mistaken as u64), "the bad line was told with another number")?;
    let again = registry.import("batch-1.csv", &list)?;
    sure(
        count(&again, "unchanged") == made && count(&again, "created") == Some(0),
        "the second import made duplicates",
    )?;
    let told = "Imported 1,000 speakers twice: no duplicates, one bad line told".to_owned();
    let dids = factory.speakers.iter().map(|speaker| registry.did_of(&speaker.serial)).collect::<Lived<Vec<_>>>()?;
    Ok(Told { line: told, facts: json!({ "first": first, "again": again }), yields: dids })
}

impl Registry {
    pub(super) fn import(&self, source: &str, list: &[u8]) -> Lived<Value> {
        let url = format!("{}/imports?source={source}", self.issuer);
        let bearer = format!("Bearer {}", self.token);
        let headers = [("authorization", bearer.as_str()), ("content-type", "text/csv")];
        self.http.send("POST", &url, &headers, list)?.being(201, "the import")?.json()
    }
}
