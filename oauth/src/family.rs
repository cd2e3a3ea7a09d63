//! A token family: all tokens descending from one grant, with the refresh token
//! that carries it on (RFC 9700 §4.14).

use identity::rule::claiming::Holding;
use identity::{
    AccountId, AnchorKind, Anchors, AssetId, BondId, ClientId, DeviceId, Digest, FamilyId, Kind, Record, SessionId,
    UserId,
};
use serde::{Deserialize, Serialize};

use crate::issue;
use crate::scope::Scope;
use crate::token::Confirmation;

/// Absolute life of a family, of apps and of devices alike, seconds.
const LIFE: i64 = 180 * 86_400;

/// What a refresh token stands for. Where a token family is only an anchor (no
/// refresh grant), `current` is `None`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenFamily {
    /// Our id.
    pub id: FamilyId,
    /// To whom it was given.
    pub client: ClientId,
    /// Whom its tokens speak of; a title without a user has none.
    pub user: Option<UserId>,
    /// The login it began in, where its end ends the family.
    pub session: Option<SessionId>,
    /// The device that acts, if one does.
    pub device: Option<DeviceId>,
    /// The title, if the tokens speak of one.
    pub asset: Option<AssetId>,
    /// Who owns it.
    pub account: Option<AccountId>,
    /// The bond it hangs from.
    pub bond: Option<BondId>,
    /// The most it can yield.
    pub scope: Scope,
    /// The resources it can yield tokens for.
    pub resources: Vec<String>,
    /// Yields asset tokens, of a device that proved no key.
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub asset_token: bool,
    /// Key its refresh tokens are bound to, where the client is public.
    pub confirmation: Option<Confirmation>,
    /// All it hung from when it began, with epochs: compared with `end_epoch`.
    pub anchors: Anchors,
    /// Digest of the one refresh token that works.
    pub current: Option<Digest>,
    /// Counts refresh tokens, from 1.
    pub turn: u64,
    /// The one before, for a lost reply.
    pub previous: Option<PreviousRefresh>,
    /// For ID tokens at refresh (OIDC Core §12.2).
    pub auth_time: Option<i64>,
    /// How the person proved who they are.
    pub methods: Vec<String>,
    /// When it began, seconds.
    pub created_at: i64,
    /// When it was last used, seconds; idle limit counts from here.
    pub used_at: i64,
    /// Absolute end, seconds.
    pub expires_at: i64,
}

/// What a grant begins a family with.
pub(crate) struct Beginning {
    pub(crate) id: FamilyId,
    pub(crate) client: ClientId,
    pub(crate) user: Option<UserId>,
    pub(crate) session: Option<SessionId>,
    pub(crate) on: On,
    pub(crate) scope: Scope,
    pub(crate) resources: Vec<String>,
    pub(crate) asset_token: bool,
    pub(crate) confirmation: Option<Confirmation>,
    /// Those of the first token.
    pub(crate) anchors: Anchors,
    /// The digest of the first refresh token, where the client refreshes.
    pub(crate) current: Option<Digest>,
    pub(crate) auth_time: Option<i64>,
    pub(crate) methods: Vec<String>,
}

/// What the tokens of a family speak of, beside the person.
#[derive(Default)]
pub(crate) struct On {
    pub(crate) account: Option<AccountId>,
    pub(crate) device: Option<DeviceId>,
    pub(crate) asset: Option<AssetId>,
    pub(crate) bond: Option<BondId>,
}

impl On {
    /// A device as its owner holds it.
    pub(crate) fn title(holding: &Holding) -> Self {
        Self {
            account: Some(holding.asset.account.clone()),
            device: Some(holding.device.id.clone()),
            asset: Some(holding.asset.id.clone()),
            bond: holding.bond.as_ref().map(|bond| bond.id.clone()),
        }
    }

    /// An account alone.
    pub(crate) fn account(account: AccountId) -> Self {
        Self { account: Some(account), ..Self::default() }
    }
}

impl TokenFamily {
    /// A family with its first token.
    pub(crate) fn begin(with: Beginning, now: i64) -> Self {
        let Beginning { id, client, user, session, on, scope, resources, confirmation, anchors, current, .. } = with;
        let On { account, device, asset, bond } = on;
        Self {
            id,
            client,
            user,
            session,
            device,
            asset,
            account,
            bond,
            scope,
            resources,
            asset_token: with.asset_token,
            confirmation,
            anchors: issue::lasting(&anchors),
            current,
            turn: 1,
            previous: None,
            auth_time: with.auth_time,
            methods: with.methods,
            created_at: now,
            used_at: now,
            expires_at: now + LIFE,
        }
    }

    /// To whom it was given, as the token endpoint names it.
    pub fn client_id(&self) -> &str {
        self.client.as_str()
    }
}

/// The refresh token before the current one, for ten seconds after its use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PreviousRefresh {
    /// Its digest.
    pub digest: Digest,
    /// The successor, sealed under a key derived from the old token itself, so
    /// that only its holder can open it; base64url.
    pub sealed_successor: String,
    /// When it was replaced, seconds.
    pub replaced_at: i64,
    /// Whether the successor was handed out a second time already.
    pub repeated: bool,
}

impl Record for TokenFamily {
    const KIND: Kind = Kind("token_family");
    const ANCHOR: Option<AnchorKind> = Some(AnchorKind::Family);
    fn id(&self) -> &str {
        self.id.as_str()
    }
}
