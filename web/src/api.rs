//! The REST API of the registry (docs/api.md): one file per resource, named
//! like its path. Handlers extract, call one use case, render; whether a caller
//! may is decided before them, by the table in `routes`.

mod accounts;
mod assets;
mod bonds;
mod clients;
mod device_cas;
mod devices;
mod events;
mod extract;
mod guard;
mod imports;
mod openapi;
mod products;
mod render;
mod routes;
mod users;

pub use events::events_query;
pub use extract::{Query, if_match, parse as parse_body, repeat_text};
pub use render::merge;
pub use routes::routes;
