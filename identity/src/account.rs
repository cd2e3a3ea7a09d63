//! The customer as a household or an organisation; owns assets. Membership is
//! a bond on it.

use serde::{Deserialize, Serialize};

use crate::anchor::AnchorKind;
use crate::decision::{Kind, Record};
use crate::id::AccountId;

/// What kind of customer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AccountKind {
    /// People who live together.
    Household,
    /// A company, school, club.
    Organisation,
}

/// A customer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// Our id.
    pub id: AccountId,
    /// Household or organisation.
    pub kind: AccountKind,
    /// What its members read.
    pub name: String,
    /// Its number at the customer system of the maker.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_id: Option<String>,
    /// Closed accounts own nothing and let nobody in.
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub closed: bool,
    /// When it was made, seconds.
    pub created_at: i64,
}

impl Record for Account {
    const KIND: Kind = Kind("account");
    const ANCHOR: Option<AnchorKind> = Some(AnchorKind::Account);
    fn id(&self) -> &str {
        self.id.as_str()
    }
}
