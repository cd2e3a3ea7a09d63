//! The pages of people: journeys of a browser, and what must not work.

mod attacks;
mod limits;
mod passkeys;
mod recovery;
mod sessions;
mod setup;
mod sign_up;
mod things;
pub(crate) mod world;
