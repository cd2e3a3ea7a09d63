//! The HTTP door: authorization server and registry API at the root paths, the
//! portal under `/my`. Owns extraction and rendering. Knows no SQL and no store.

pub mod device;
pub mod door;
pub mod pages;
mod state;

pub use state::State;
