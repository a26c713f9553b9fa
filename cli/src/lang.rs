//! The two languages that a command speaks.

use clap::ValueEnum;

/// A language.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Lang {
    /// Chinese.
    Zh,
    /// English.
    En,
}

impl Lang {
    /// The text in this language.
    pub(crate) const fn t<'a>(self, zh: &'a str, en: &'a str) -> &'a str {
        match self {
            Self::Zh => zh,
            Self::En => en,
        }
    }

    /// What `LC_ALL`, `LC_MESSAGES` or `LANG` says, the first that is set: Chinese where it begins with `zh`, else English.
    pub(crate) fn from_env() -> Self {
        let set = |name: &str| std::env::var(name).ok().filter(|text| !text.is_empty());
        let named = ["LC_ALL", "LC_MESSAGES", "LANG"].into_iter().find_map(set);
        if named.is_some_and(|text| text.to_ascii_lowercase().starts_with("zh")) { Self::Zh } else { Self::En }
    }

    /// As `Accept-Language` has it.
    pub(crate) const fn tag(self) -> &'static str {
        match self {
            Self::Zh => "zh-CN",
            Self::En => "en",
        }
    }
}
