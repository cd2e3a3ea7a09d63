//! What SQLite's errors mean for those who asked.

use rusqlite::{Error, ErrorCode};
use store::StoreError;

/// A failure of the database in the words of the house. Messages of SQLite name
/// tables and columns, never values.
pub(crate) fn store_error(error: Error) -> StoreError {
    let code = error.sqlite_error_code();
    let why = match &error {
        Error::SqliteFailure(_, Some(message)) => message.clone(),
        Error::SqliteFailure(code, None) => code.to_string(),
        other => other.to_string(),
    };
    match code {
        Some(ErrorCode::DiskFull | ErrorCode::ReadOnly | ErrorCode::PermissionDenied | ErrorCode::SystemIoFailure) => {
            StoreError::CannotWrite(why)
        }
        Some(ErrorCode::ConstraintViolation | ErrorCode::TypeMismatch | ErrorCode::TooBig) => StoreError::Misuse(why),
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => StoreError::Corrupt(why),
        Some(
            ErrorCode::DatabaseBusy
            | ErrorCode::DatabaseLocked
            | ErrorCode::OperationInterrupted
            | ErrorCode::OutOfMemory
            | ErrorCode::CannotOpen
            | ErrorCode::SchemaChanged,
        ) => StoreError::Unavailable(why),
        _ => StoreError::Corrupt(why),
    }
}

/// Whether the whole group may have been lost with this failure.
pub(crate) fn ends_group(error: &StoreError) -> bool {
    matches!(error, StoreError::CannotWrite(_) | StoreError::Unavailable(_) | StoreError::Corrupt(_))
}
