//! The language of what is printed: Chinese or English.

use clap::ValueEnum;

/// A language of the output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Lang {
    /// 中文
    Zh,
    /// English
    En,
}

impl Lang {
    /// The language that was asked for, else that of the terminal: of `LC_ALL`, `LC_MESSAGES` and `LANG` the first that
    /// is set decides.
    pub(crate) fn of(asked: Option<Self>) -> Self {
        let variables = ["LC_ALL", "LC_MESSAGES", "LANG"];
        let locale = variables.into_iter().find_map(|name| std::env::var(name).ok().filter(|value| !value.is_empty()));
        asked.unwrap_or_else(|| Self::of_locale(locale.as_deref().unwrap_or_default()))
    }

    fn of_locale(locale: &str) -> Self {
        if locale.to_ascii_lowercase().starts_with("zh") { Self::Zh } else { Self::En }
    }

    /// Of two texts the one in this language.
    pub(crate) fn t<'a>(self, zh: &'a str, en: &'a str) -> &'a str {
        match self {
            Self::Zh => zh,
            Self::En => en,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chinese_locale_is_answered_in_chinese_and_every_other_in_english() {
        for (locale, lang) in
            [("zh_CN.UTF-8", Lang::Zh), ("zh", Lang::Zh), ("ZH_TW", Lang::Zh), ("C.UTF-8", Lang::En), ("", Lang::En)]
        {
            assert_eq!(Lang::of_locale(locale), lang, "{locale}");
        }
        assert_eq!(Lang::of(Some(Lang::Zh)).t("好", "good"), "好");
    }
}
