//! Pairing a device by its code (RFC 8628 §3.3). How it ends is a [`super::Outcome`].

use askama::Template;

use super::form::{Field, Problem, problems};
use super::frame::Frame;
use super::icon::Icon;

/// Type the code that the device shows.
#[derive(Template)]
#[template(path = "pair.html")]
pub struct Pair {
    /// Around the page.
    pub frame: Frame,
    /// The code as typed, or as it came in `verification_uri_complete`.
    pub code: Field,
}

impl Pair {
    fn problems(&self) -> Vec<Problem> {
        problems([("user_code", self.code.error)])
    }
}

/// The very device that asks, and what it asks for. Shown always, also for a prefilled code
/// (RFC 8628 §3.3.1, §5.4).
#[derive(Template)]
#[template(path = "pair_confirm.html")]
pub struct PairConfirm {
    /// Around the page; `viewer` is the person who decides.
    pub frame: Frame,
    /// The code as the device shows it: `WDJB-MJHT`.
    pub code: String,
    /// The device's drawing.
    pub icon: Icon,
    /// The device's name; the product's where it has none.
    pub device: String,
    /// The product's name.
    pub product: String,
    /// The last characters of the serial, at most six.
    pub serial_tail: String,
    /// The name of the client software that asks on the device.
    pub client: String,
    /// Where the request came from, in words ("Hamburg, Germany"), when it is known.
    pub asked_from: Option<String>,
    /// The scopes asked for; shown as sentences.
    pub asks: Vec<String>,
    /// The household that will own the device, when allowing also claims it.
    pub claims_for: Option<String>,
}
