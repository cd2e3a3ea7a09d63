//! A person's browser at this door: its cookies, the token in its forms, where
//! it may be sent back to, and the headers around every page.
//!
//! For whoever writes another page: take [`Visitor`] where anybody may look,
//! [`SignedIn`] where somebody must be signed in (others are sent to sign in
//! and come back), [`Posted`] or [`PostedBy`] for a form's post (same origin and
//! token checked), render with [`Visitor::page`], and put [`headers`] around it.

pub mod cookie;
mod done;
mod origin;
mod page;
mod posted;
mod return_to;
mod visitor;

pub use cookie::{SESSION, VISIT};
pub use page::{broke, headers, redirect};
pub use posted::{Posted, PostedBy, PostedJson};
pub use return_to::ReturnTo;
pub use visitor::{SignedIn, Visitor};
pub(crate) use visitor::{clear_session, redirect_done, redirect_signed_in, remember_done, set_session};
