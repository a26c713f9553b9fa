//! A field of a request: its name, what it may hold, and the code of its fault. [`crate::fields`] is the table of them.

use super::{Code, Failure, Fen, Provider};

/// What a field may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// A text of so many characters at most, without control characters; an empty one is as none.
    Text(usize),
    /// A number of an order, a refund or a transfer: 1 to 64 letters, digits and `_-|*@.`.
    Number,
    /// An amount: an integer, or its canonical decimal text.
    Fen,
    /// An integer of a range, or its canonical decimal text, in a unit where it has one.
    Integer {
        /// The least.
        least: i64,
        /// The most.
        most: i64,
        /// The unit.
        unit: Option<&'static str>,
    },
    /// True or false; `"true"`, `"1"` and 1 are true.
    Flag,
    /// One of a few words.
    Choice(&'static [&'static str]),
    /// A provider's name.
    Provider,
    /// An object of at most 16 kB and 16 levels.
    Object,
    /// Whatever it says here; the reader of it checks that.
    Checked(&'static str),
    /// What it says here; anything else counts as absent.
    Lenient(&'static str),
    /// Nothing: it must be left out.
    Refused(&'static str),
}

/// One field of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field {
    /// Its name in `data`.
    pub name: &'static str,
    /// What it may hold.
    pub shape: Shape,
    /// The code of its fault.
    pub code: Code,
    /// Whether a request must have it.
    pub needed: bool,
}

impl Field {
    /// A field that a request may have; its fault is [`Code::FIELD`].
    pub const fn new(name: &'static str, shape: Shape) -> Self {
        Self { name, shape, code: Code::FIELD, needed: false }
    }

    /// The same with another code.
    #[must_use]
    pub const fn code(self, code: Code) -> Self {
        Self { code, ..self }
    }

    /// The same where a request must have it.
    #[must_use]
    pub const fn needed(self) -> Self {
        Self { needed: true, ..self }
    }

    /// The failure of a field that is not as it must be, or is missing.
    pub fn fault(&self) -> Failure {
        self.wrong(&self.shape.wants())
    }

    /// The same for another reason.
    pub fn wrong(&self, what: &str) -> Failure {
        Failure::new(self.code).at(self.name).says(format!("{}: {what}", self.name))
    }
}

impl Shape {
    /// What a field must be, with its unit.
    pub fn wants(self) -> String {
        match self {
            Self::Text(most) => format!("must be a text of 1 to {most} characters"),
            Self::Number => "must be a text of 1 to 64 letters, digits and _ - | * @ .".to_owned(),
            Self::Fen => format!("must be an integer in fen from 1 to {}, such as 100 for 1.00 yuan", Fen::MAX),
            Self::Integer { least, most, unit: None } => format!("must be an integer from {least} to {most}"),
            Self::Integer { least, most, unit: Some(unit) } => {
                format!("must be an integer from {least} to {most}, {unit}")
            }
            Self::Flag => "must be true or false".to_owned(),
            Self::Choice(words) => format!("must be one of {}", words.join(", ")),
            Self::Provider => format!("must be one of {}", Provider::ALL.map(Provider::name).join(", ")),
            Self::Object => "must be an object of at most 16 kB and 16 levels".to_owned(),
            Self::Checked(what) | Self::Lenient(what) => format!("must be {what}"),
            Self::Refused(why) => why.to_owned(),
        }
    }
}
