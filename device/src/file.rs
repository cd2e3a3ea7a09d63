//! Keys and tokens in files of mode 600, for a device with nothing better.
//!
//! A TEE, PKCS#11 token or TPM takes the place of [`FileKey`] by implementing
//! [`Signer`](crate::Signer): only `sign` ever needs the private key.

mod flash;
mod key;
mod pem;
mod private;
mod tokens;

pub use flash::FileFlash;
pub use key::{FileKey, KeyFileError};
pub use pem::{PemError, x5c};
pub use private::FileError;
pub use tokens::{Lock, TokenFile};

pub use crate::Kept;
