//! What PostgreSQL's errors mean for those who asked.

use store::{CommitError, StoreError};
use tokio_postgres::Error;
use tokio_postgres::error::SqlState;

/// A failure of the database in the words of the house. Only its code and its
/// main sentence are told: details and hints may show values.
pub(crate) fn store_error(error: &Error) -> StoreError {
    let Some(told) = error.as_db_error() else {
        // Connection lost or refused, a protocol broken off.
        return StoreError::Unavailable(kind(error));
    };
    let why = format!("{} ({})", told.message(), told.code().code());
    let class = told.code().code().get(..2).unwrap_or_default();
    match class {
        _ if *told.code() == SqlState::READ_ONLY_SQL_TRANSACTION => StoreError::CannotWrite(why),
        _ if *told.code() == SqlState::DISK_FULL => StoreError::CannotWrite(why),
        // What cannot be kept; what no table or column is there for.
        "22" | "23" | "42" => StoreError::Misuse(why),
        "XX" => StoreError::Corrupt(why),
        // Insufficient resources, operator intervention, locks, system errors,
        // serialization that would not end, wrong user or password.
        _ => StoreError::Unavailable(why),
    }
}

fn kind(error: &Error) -> String {
    let cause = std::error::Error::source(error).map(|cause| format!(": {cause}")).unwrap_or_default();
    format!("{error}{cause}")
}

/// How one try of a commit ended without success.
pub(crate) enum Failure {
    /// Another was in the way: the same try may succeed now.
    Again,
    /// It will not.
    Final(CommitError),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match error.code() {
            Some(code) if *code == SqlState::T_R_SERIALIZATION_FAILURE || *code == SqlState::T_R_DEADLOCK_DETECTED => {
                Self::Again
            }
            _ => Self::Final(CommitError::Store(store_error(&error))),
        }
    }
}

impl From<CommitError> for Failure {
    fn from(error: CommitError) -> Self {
        Self::Final(error)
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Final(CommitError::Store(error))
    }
}
