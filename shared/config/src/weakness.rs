//! Texts that stand in a secret's place and are none.

/// Secrets that are printed in documents which anybody can read: VK-Pay's and uni-pay's `notifyKey`, uni-id's
/// `tokenSecret` and `passwordSecret`, VK-Pay's sample of a forwarded order and of `vk-pay-config`, and those of
/// this project's own pages.
const PUBLISHED: [&str; 11] = [
    "5FB2CD73C7B53918728417C50762E6D45FB2CD73C7B53918728417C50762E6D4",
    "5FB2CD73C7B53918728417C50762E6D4",
    "your_notify_key",
    "tokenSecret-demo",
    "passwordSecret-demo",
    "与你后端约定的口令",
    "84119e740cc4e98b84e088c5051d05bb",
    "3q2-wkT8rVd0m5yXhZ7uJw",
    "a-secret-of-your-own-uni-id",
    "another-secret-of-your-own",
    "a-secret-of-your-own",
];

/// Words that say that something else shall be put in their place.
const STAND_INS: [&str; 8] =
    ["changeme", "change-me", "change_me", "replaceme", "replace-me", "replace_me", "placeholder", "xxxxxx"];

/// What is longer is key material, in which such words may stand by chance, bytes.
const LONGEST: usize = 128;

/// Why a secret is none, if it is none.
pub fn weakness(text: &str) -> Option<&'static str> {
    let trimmed = text.trim_matches(|c: char| c.is_whitespace() || c == '\u{feff}');
    let mut chars = trimmed.chars();
    match chars.next() {
        None => Some("is empty"),
        Some(first) if chars.all(|c| c == first) => Some("is one repeated character"),
        Some(_) if PUBLISHED.iter().any(|sample| sample.eq_ignore_ascii_case(trimmed)) => Some("is a published sample"),
        Some(_) if is_placeholder(trimmed) => Some("is a placeholder; put your own value in its place"),
        Some(_) => None,
    }
}

/// Whether a text only shows where a value belongs: `<…>`, `${…}`, `your_…`, `wx…`, `changeme`.
pub(super) fn is_placeholder(text: &str) -> bool {
    let text = text.trim();
    let framed = [("<", ">"), ("＜", "＞"), ("{{", "}}"), ("${", "}"), ("【", "】")];
    if framed.iter().any(|(open, close)| text.starts_with(open) && text.ends_with(close)) {
        return true;
    }
    if text.contains('…') || text.ends_with("...") {
        return true;
    }
    if text.len() > LONGEST {
        return false;
    }
    let small = text.to_lowercase();
    let words = ["key", "secret", "token", "appid", "mchid"];
    let yours = small.strip_prefix("your").is_some_and(|rest| {
        let spoken = !rest.contains(|c: char| c.is_ascii_digit());
        rest.starts_with(['_', '-', ' ']) || (spoken && words.iter().any(|word| rest.contains(word)))
    });
    let chinese = ["你的", "您的", "请填", "请输入", "请替换", "填写", "此处"];
    yours || STAND_INS.iter().any(|word| small.contains(word)) || chinese.iter().any(|word| small.starts_with(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_that_is_made_up_by_chance_is_not_weak() {
        for good in [
            "k9Zs1k9Zs1k9Zs1k9",
            "0123456789abcdef0123",
            "a-secret-of-the-shop-0815",
            "yourselves-are-9fK2w",
            "YourPay2024Secret12345678",
            "3q2",
        ] {
            assert_eq!(weakness(good), None, "{good}");
        }
    }
}
