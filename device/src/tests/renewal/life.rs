//! A device in true time, the server it asks, and what each request is for.

use super::*;

pub(super) const HOUR: i64 = 3600;
pub(super) const DAY: i64 = 24 * HOUR;
pub(super) const LIFE: i64 = DAY;

pub(super) fn client() -> ClientAuth {
    ClientAuth::Public { client_id: "spk-firmware".into() }
}

pub(super) fn home() -> Home {
    Home {
        token_url: at("/token"),
        client: client(),
        device_url: Address::parse("https://device.id.example.com").unwrap(),
        way: Way::Key { did: "dev_9F3K2".into(), issuer: ISSUER.into() },
        hello: Hello::default(),
    }
}

pub(super) fn asset(refresh_token: Option<&str>) -> Kept {
    let tokens = Tokens {
        access_token: Secret::new("asset_0"),
        token_type: TokenType::Dpop,
        expires_in: Some(LIFE as u32),
        refresh_token: refresh_token.map(Secret::new),
        scope: None,
        issued_token_type: None,
    };
    Kept { tokens, received_at: NOW }
}

pub(super) fn renewal() -> Renewal {
    Renewal::new(home(), asset(None))
}

/// What a request is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Time,
    Refresh,
    Key,
    Challenge,
    Session,
    ByCall,
    Pair,
}

pub(super) fn kind(request: &Request) -> Kind {
    let parameter = |name| parameter(request, name);
    match request.url.as_str() {
        url if url.ends_with("/time") => Kind::Time,
        url if url.ends_with("/device/challenge") => Kind::Challenge,
        url if url.ends_with("/device/session") => Kind::Session,
        url if url.ends_with("/device_authorization") => Kind::Pair,
        _ if parameter("grant_type").as_deref() == Some("refresh_token") => Kind::Refresh,
        _ if parameter("subject_token").as_deref() == Some("asset_0") => {
            assert_eq!(parameter("subject_token_type").as_deref(), Some("urn:ietf:params:oauth:token-type:jwt"));
            assert_eq!(parameter("actor_token"), None);
            proof(request);
            Kind::Key
        }
        _ if parameter("subject_token").as_deref() == Some("call_1") => {
            assert_eq!(
                parameter("subject_token_type").as_deref(),
                Some("urn:ietf:params:oauth:token-type:access_token")
            );
            proof(request);
            Kind::ByCall
        }
        other => panic!("an unknown request to {other}"),
    }
}

/// A device in true time, with a clock of its own.
pub(super) struct Life {
    pub(super) world: World,
    /// Seconds since [`NOW`].
    pub(super) time: i64,
    pub(super) sent: Vec<(i64, Kind)>,
    pub(super) waits: Vec<u32>,
    pub(super) shown: usize,
}

impl Life {
    pub(super) fn begin(time: i64) -> Life {
        Life { world: World::new(), time, sent: Vec::new(), waits: Vec::new(), shown: 0 }
    }

    /// Lives until the end, or until so many seconds after [`NOW`].
    pub(super) fn live(
        &mut self,
        machine: &mut Renewal,
        until: i64,
        clock: impl Fn(i64) -> i64,
        mut server: impl FnMut(i64, Kind) -> Input,
    ) -> Option<Result<Renewed, Failure>> {
        let mut input = Input::Go;
        let mut still = 0;
        while self.time < until {
            self.world.now = clock(self.time);
            still += 1;
            assert!(still < 12, "it spins");
            input = match machine.next(input, &mut self.world.given()) {
                Output::Send(request) => {
                    let kind = kind(&request);
                    self.sent.push((self.time, kind));
                    server(self.time, kind)
                }
                Output::Wait(seconds) => {
                    assert!((1..=HOUR as u32).contains(&seconds), "a wait of {seconds} s");
                    self.waits.push(seconds);
                    self.time += i64::from(seconds);
                    still = 0;
                    Input::Go
                }
                Output::Show(_) => {
                    self.shown += 1;
                    Input::Go
                }
                Output::Done(done) => return Some(Ok(done)),
                Output::Failed(failure) => return Some(Err(failure)),
            };
        }
        None
    }

    pub(super) fn kinds(&self) -> Vec<Kind> {
        self.sent.iter().map(|(_, kind)| *kind).collect()
    }
}

pub(super) fn right(time: i64) -> i64 {
    NOW + time
}

pub(super) fn session(asset: Option<&str>) -> Input {
    ok(json!({
        "session": { "id": "ds_01", "expires_in": 86400 }, "did": "dev_9F3K2", "state": "active",
        "credential": { "id": "crd_1", "kind": "initial" },
        "access_token": "call_1", "token_type": "DPoP", "expires_in": 3600, "next": [], "asset_id": asset,
    }))
}

/// A server that grants everything, at the true time.
pub(super) fn good(time: i64, kind: Kind) -> Input {
    match kind {
        Kind::Time => ok(json!({ "now": NOW + time })),
        Kind::Challenge => ok(json!({ "challenge": "h-4Qm1vJ7cZt0xY2rKp9LsA", "expires_in": 60 })),
        Kind::Session => session(Some("ast_1")),
        Kind::Pair => ok(json!({
            "device_code": "dc", "user_code": "WDJB-MJHT", "verification_uri": "https://id.example.com/pair",
            "expires_in": 900, "interval": 5,
        })),
        Kind::Refresh | Kind::Key | Kind::ByCall => ok(tokens("DPoP")),
    }
}

pub(super) fn by(renewed: &Option<Result<Renewed, Failure>>) -> Rung {
    match renewed {
        Some(Ok(Renewed { outcome: Outcome::Asset { by, .. }, .. })) => *by,
        other => panic!("no new asset token: {other:?}"),
    }
}

pub(super) fn falls(renewed: &Renewed) -> Vec<(Rung, String)> {
    renewed
        .falls
        .iter()
        .map(|fall| match &fall.why {
            Why::Refused(refused) => (fall.rung, refused.code.as_str().to_string()),
            why => (fall.rung, std::format!("{why:?}")),
        })
        .collect()
}
