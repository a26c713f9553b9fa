//! The two languages that commands speak.

use clap::ValueEnum;

/// In which language a command speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Lang {
    /// 中文
    Zh,
    /// English
    En,
}

impl Lang {
    /// The language that was asked for, else that of the terminal.
    pub(crate) fn of(asked: Option<Self>) -> Self {
        asked.unwrap_or_else(Self::from_env)
    }

    /// What `LC_ALL`, `LC_MESSAGES` or `LANG` says, the first that is set: Chinese where it begins with `zh`, else English.
    pub(crate) fn from_env() -> Self {
        let set = |name: &str| std::env::var(name).ok().filter(|text| !text.is_empty());
        Self::of_locale(["LC_ALL", "LC_MESSAGES", "LANG"].into_iter().find_map(set).as_deref())
    }

    fn of_locale(locale: Option<&str>) -> Self {
        match locale.is_some_and(|locale| locale.to_ascii_lowercase().starts_with("zh")) {
            true => Self::Zh,
            false => Self::En,
        }
    }

    /// Of two texts the one in this language.
    pub(crate) const fn t<'a>(self, zh: &'a str, en: &'a str) -> &'a str {
        match self {
            Self::Zh => zh,
            Self::En => en,
        }
    }

    /// As `Accept-Language` has it.
    pub(crate) const fn tag(self) -> &'static str {
        self.t("zh-CN", "en")
    }
}

#[cfg(test)]
mod tests {
    use super::Lang;

    #[test]
    fn a_chinese_locale_is_answered_in_chinese_and_every_other_in_english() {
        for (locale, lang) in [
            (Some("zh_CN.UTF-8"), Lang::Zh),
            (Some("ZH_TW"), Lang::Zh),
            (Some("en_GB.UTF-8"), Lang::En),
            (Some("C"), Lang::En),
            (None, Lang::En),
        ] {
            assert_eq!(Lang::of_locale(locale), lang, "{locale:?}");
        }
    }
}
