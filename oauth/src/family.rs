//! A token family: all tokens descending from one grant, with the refresh token
//! that carries it on (RFC 9700 §4.14).

use identity::{
    AccountId, AnchorKind, Anchors, AssetId, BondId, ClientId, DeviceId, Digest, FamilyId, Kind, Record, SessionId,
    UserId,
};
use serde::{Deserialize, Serialize};

use crate::scope::Scope;
use crate::token::Confirmation;

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

impl TokenFamily {
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
