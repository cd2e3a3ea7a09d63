//! What answers at each listener: the one place where the rooms meet.

use std::sync::Arc;

use authority::Clock;
use axum::Router;
use zeroize::Zeroizing;

use crate::command::Failure;
use crate::config::Config;
use crate::data::DataFolder;
use crate::listen::Drain;
use crate::serve::Doors;

/// Builds the doors of a server. Tasks that live as long as it belong on the drain.
///
/// # Errors
/// [`Failure`], with what to type next.
pub(crate) async fn doors(
    _config: &Config,
    _data: &DataFolder,
    _master_key: &Zeroizing<[u8; 32]>,
    _clock: &Arc<dyn Clock>,
    _drain: &Drain,
) -> Result<Doors, Failure> {
    Ok(Doors { people: Router::new(), devices: Router::new(), local: Router::new() })
}
