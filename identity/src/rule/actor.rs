//! Who asks for a change of the registry, beyond the device itself.

use crate::{ClientId, UserId};

/// Who acts. The door has checked role and scope; the rule checks what the
/// person is to the record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Actor {
    /// A person on their own behalf.
    Person(UserId),
    /// A member of the maker's staff.
    Staff(UserId),
    /// A system of the maker, or the command line of the machine itself.
    Service(Option<ClientId>),
}

impl Actor {
    /// The id an event names; `local` for the command line.
    pub fn id(&self) -> &str {
        match self {
            Self::Person(user) | Self::Staff(user) => user.as_str(),
            Self::Service(Some(client)) => client.as_str(),
            Self::Service(None) => "local",
        }
    }
}
