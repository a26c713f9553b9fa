//! Which known key an unknown one was meant to be.

/// The known key that is nearest, when it is so near that the other is a misspelling of it: the same but for case,
/// `_` and `-`; or one typing error away in a key of 4 characters or more, two in one of 9 or more.
pub(super) fn meant<'k>(key: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    let plain = folded(key);
    let near = known.into_iter().filter_map(|name| {
        let other = folded(name);
        let allowed = match plain.len().min(other.len()) {
            0..4 => 0,
            4..9 => 1,
            9.. => 2,
        };
        let errors = errors(&plain, &other);
        (errors <= allowed).then_some((errors, name))
    });
    near.min().map(|(_, name)| name)
}

fn folded(key: &str) -> Vec<char> {
    key.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).take(64).collect()
}

/// Typing errors between two keys: characters left out, put in, replaced, or two neighbours exchanged.
fn errors(a: &[char], b: &[char]) -> usize {
    let mut rows: [Vec<usize>; 3] = [Vec::new(), Vec::new(), (0..=b.len()).collect()];
    for i in 1..=a.len() {
        rows.rotate_left(1);
        let mut row = vec![i];
        for j in 1..=b.len() {
            let same = usize::from(a[i - 1] != b[j - 1]);
            let mut least = (rows[1][j] + 1).min(row[j - 1] + 1).min(rows[1][j - 1] + same);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                least = least.min(rows[0][j - 2] + 1);
            }
            row.push(least);
        }
        rows[2] = row;
    }
    rows[2][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelling_names_the_key_that_was_meant_and_another_word_names_none() {
        let known =
            ["appId", "mchId", "key", "v3Key", "policy", "wxpay-virtual", "alipayPublicCertContent", "h5", "pc"];
        for (key, wanted) in [
            ("appid", Some("appId")),
            ("app_id", Some("appId")),
            ("APPID", Some("appId")),
            ("mchid", Some("mchId")),
            ("mcihd", Some("mchId")),
            ("polcy", Some("policy")),
            ("plociy", None),
            ("Key", Some("key")),
            ("kee", None),
            ("v3key", Some("v3Key")),
            ("wxpay_virtual", Some("wxpay-virtual")),
            ("wxpayVirtual", Some("wxpay-virtual")),
            ("aliPayPubicCertContnt", Some("alipayPublicCertContent")),
            ("colour", None),
            ("h6", None),
            ("", None),
        ] {
            assert_eq!(meant(key, known), wanted, "{key}");
        }
    }
}
