//! Revocation (RFC 7009): a refresh token ends its family, an access token
//! itself; another client's is refused and left alone.

use identity::{AnchorKind, Event, EventKind, Fact, Raise};

use crate::Decision;
use crate::client_auth::AuthenticatedClient;
use crate::error::ErrorCode;
use crate::family::TokenFamily;
use crate::grant::token_exchange::renewal;
use crate::token::Claims;

/// What the presented token is.
pub enum Presented<'a> {
    /// A refresh token of ours, by its family.
    Refresh(Option<&'a Fact<TokenFamily>>),
    /// An access or asset token of ours, whatever its times.
    Access(&'a Claims),
    /// Nothing of ours: as good as revoked (RFC 7009 §2.2).
    Unknown,
}

/// Decides.
pub fn decide(client: &AuthenticatedClient, presented: &Presented<'_>, now: i64) -> Decision<()> {
    client.spend(match presented {
        Presented::Unknown | Presented::Refresh(None) => Decision::reply(()),
        Presented::Refresh(Some(family)) if family.client_id() != client.id() => foreign(),
        Presented::Access(claims) if claims.client_id != client.id() => foreign(),
        Presented::Refresh(Some(family)) => {
            Decision::reply(()).change(Raise::end(AnchorKind::Family, family.id.as_str())).event(
                Event::new(EventKind::FamilyRevoked, family.id.as_str())
                    .with("client_id", client.id())
                    .with("cause", "revoked_by_client"),
            )
        }
        // A token that is over and can not be renewed any more needs no row.
        Presented::Access(claims) if claims.exp.saturating_add(renewal::LATEST) < now => Decision::reply(()),
        Presented::Access(claims) => Decision::reply(()).change(Raise::token(claims.jti.clone(), claims.exp)).event(
            Event::new(EventKind::TokenRevoked, claims.jti.clone())
                .with("client_id", client.id())
                .with("cause", "revoked_by_client"),
        ),
    })
}

fn foreign() -> Decision<()> {
    Decision::refuse(ErrorCode::UnauthorizedClient, "token_of_another_client")
}

#[cfg(test)]
mod tests;
