//! The line icons: our own drawings, inlined as SVG that takes the text's colour.

/// One drawing of 24 by 24 units.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Icon {
    /// A loudspeaker.
    Speaker,
    /// A lock.
    Lock,
    /// A thermostat.
    Thermostat,
    /// A lamp.
    Light,
    /// A camera.
    Camera,
    /// A car.
    Car,
    /// A label; stands for any thing without a drawing of its own.
    Tag,
    /// A person.
    Person,
    /// A house.
    House,
    /// A key.
    Key,
    /// A browser window or an app.
    Window,
    /// A tick: good, ready, done.
    Check,
    /// A clock: waiting, later.
    Clock,
    /// Two bars: paused.
    Pause,
    /// A crossed circle: ended, refused.
    Stop,
    /// A triangle with a mark: take care.
    Care,
    /// An envelope.
    Mail,
    /// An arrow back.
    Back,
    /// An arrow on.
    On,
    /// A plus sign.
    Add,
}

impl Icon {
    /// The icon a product names (`speaker`, `lock`, `thermostat`, `light`, `camera`, `car`, `tag`);
    /// any other word gives the label.
    pub fn of_product(word: &str) -> Self {
        match word {
            "speaker" => Self::Speaker,
            "lock" => Self::Lock,
            "thermostat" => Self::Thermostat,
            "light" => Self::Light,
            "camera" => Self::Camera,
            "car" => Self::Car,
            _ => Self::Tag,
        }
    }

    /// The drawing as an `<svg>` element, hidden from screen readers: words always stand beside it.
    pub fn svg(&self) -> &'static str {
        match self {
            Self::Speaker => include_str!("../../assets/icons/speaker.svg"),
            Self::Lock => include_str!("../../assets/icons/lock.svg"),
            Self::Thermostat => include_str!("../../assets/icons/thermostat.svg"),
            Self::Light => include_str!("../../assets/icons/light.svg"),
            Self::Camera => include_str!("../../assets/icons/camera.svg"),
            Self::Car => include_str!("../../assets/icons/car.svg"),
            Self::Tag => include_str!("../../assets/icons/tag.svg"),
            Self::Person => include_str!("../../assets/icons/person.svg"),
            Self::House => include_str!("../../assets/icons/house.svg"),
            Self::Key => include_str!("../../assets/icons/key.svg"),
            Self::Window => include_str!("../../assets/icons/window.svg"),
            Self::Check => include_str!("../../assets/icons/check.svg"),
            Self::Clock => include_str!("../../assets/icons/clock.svg"),
            Self::Pause => include_str!("../../assets/icons/pause.svg"),
            Self::Stop => include_str!("../../assets/icons/stop.svg"),
            Self::Care => include_str!("../../assets/icons/care.svg"),
            Self::Mail => include_str!("../../assets/icons/mail.svg"),
            Self::Back => include_str!("../../assets/icons/back.svg"),
            Self::On => include_str!("../../assets/icons/on.svg"),
            Self::Add => include_str!("../../assets/icons/add.svg"),
        }
    }
}
