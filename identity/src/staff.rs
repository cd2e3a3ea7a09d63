//! Roles of the maker's staff, and the scopes each stands for.

use serde::{Deserialize, Serialize};

/// What a member of staff does. Each role maps to named scopes, nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Runs the platform: everything but reading people's data for support.
    Operator,
    /// Helps owners: reads registry and people, ends bonds.
    Support,
    /// Keys, clients, revocation, events.
    Security,
    /// Reads everything, changes nothing.
    Auditor,
}

const OPERATOR: &[&str] = &[
    "products:read",
    "products:write",
    "devices:read",
    "devices:write",
    "devices:ca",
    "device_keys:read",
    "accounts:read",
    "accounts:write",
    "users:read",
    "users:write",
    "assets:read",
    "assets:write",
    "bonds:read",
    "bonds:write",
    "clients:read",
    "clients:write",
    "imports:read",
    "imports:write",
    "events:read",
];
const SUPPORT: &[&str] = &[
    "products:read",
    "devices:read",
    "device_keys:read",
    "accounts:read",
    "users:read",
    "assets:read",
    "bonds:read",
    "bonds:write",
];
const SECURITY: &[&str] = &[
    "products:read",
    "devices:read",
    "devices:write",
    "devices:ca",
    "device_keys:read",
    "accounts:read",
    "users:read",
    "users:write",
    "assets:read",
    "bonds:read",
    "bonds:write",
    "clients:read",
    "clients:write",
    "events:read",
];
const AUDITOR: &[&str] = &[
    "products:read",
    "devices:read",
    "device_keys:read",
    "accounts:read",
    "users:read",
    "assets:read",
    "bonds:read",
    "clients:read",
    "imports:read",
    "events:read",
];

impl Role {
    /// The scopes of this role.
    pub fn scopes(self) -> &'static [&'static str] {
        match self {
            Self::Operator => OPERATOR,
            Self::Support => SUPPORT,
            Self::Security => SECURITY,
            Self::Auditor => AUDITOR,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_auditor_changes_nothing() {
        assert!(Role::Auditor.scopes().iter().all(|scope| scope.ends_with(":read")));
    }

    #[test]
    fn support_reads_no_events_and_touches_no_client() {
        assert!(!Role::Support.scopes().iter().any(|s| s.starts_with("events") || s.starts_with("clients")));
    }
}
