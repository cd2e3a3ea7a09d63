//! What a person sees: pages and mails as typed templates over plain display data.
//!
//! Owns the templates' structs (a handler fills one and renders it), the texts, the
//! assets and the addresses that the pages link to. Knows no use case, no storage and
//! no request; every value from outside is escaped by the template.

pub mod assets;
pub mod consent;
pub mod csp;
pub mod entry;
pub mod form;
pub mod frame;
pub mod icon;
pub mod letter;
pub mod my;
pub mod notice;
pub mod pair;
pub mod path;
pub mod text;

pub use askama::Template;
pub use assets::Asset;
pub use form::{Field, FieldError};
pub use frame::{Frame, Moment};
pub use icon::Icon;
pub use notice::{Notice, Outcome};
pub use text::Text;

#[cfg(test)]
mod tests;
