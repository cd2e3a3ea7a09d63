//! The HTTP door: authorization server and registry API at the root paths, the
//! portal under `/my`. Owns extraction and rendering. Knows no SQL and no store.

pub mod api;
mod authorize;
pub mod browser;
pub mod device;
mod device_authorization;
pub mod door;
mod introspection;
mod jwks;
mod metadata;
mod oauth_routes;
pub mod pages;
mod pair;
pub mod portal;
pub mod problem;
mod revocation;
mod routers;
mod state;
mod token;
mod userinfo;

pub use routers::{device_router, people_router};
pub use state::State;
