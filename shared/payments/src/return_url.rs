//! `return_url`: where the payer's browser comes back to, and which order it comes back for.

use domain::{Code, Failure};
use reqwest::Url;

/// What the page that the payer returns to reads.
const NUMBER: &str = "out_trade_no";

/// The address with `out_trade_no` as a query parameter, once; everything else stays as it was written.
///
/// # Errors
/// [`Code::RETURN_URL`] when it is neither https nor http to a loopback address, or names a user.
pub(super) fn return_url(text: &str, out_trade_no: &str) -> Result<String, Failure> {
    let url = Url::parse(text).map_err(|_| Code::RETURN_URL)?;
    let plain = url.username().is_empty() && url.password().is_none() && !text.contains(char::is_whitespace);
    let safe = match url.scheme() {
        "https" => true,
        "http" => net::is_loopback(&url),
        _ => false,
    };
    if !(plain && safe) {
        return Err(Code::RETURN_URL.into());
    }
    let (page, fragment) = text.split_once('#').map_or((text, None), |(page, rest)| (page, Some(rest)));
    let (path, query) = page.split_once('?').unwrap_or((page, ""));
    let is_number = |pair: &str| form_urlencoded::parse(pair.as_bytes()).any(|(name, _)| name == NUMBER);
    let own: String = form_urlencoded::byte_serialize(out_trade_no.as_bytes()).collect();
    let own = format!("{NUMBER}={own}");
    let mut pairs: Vec<&str> = query.split('&').filter(|pair| !pair.is_empty() && !is_number(pair)).collect();
    pairs.push(&own);
    let whole = format!("{path}?{}", pairs.join("&"));
    Ok(match fragment {
        Some(fragment) => format!("{whole}#{fragment}"),
        None => whole,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_is_added_once_and_nothing_else_is_touched() {
        for (given, wanted) in [
            ("https://shop.example", "https://shop.example?out_trade_no=T|1"),
            ("https://shop.example/back?a=1&b=%20&", "https://shop.example/back?a=1&b=%20&out_trade_no=T|1"),
            (
                "https://shop.example/b?out_trade_no=X&a=1&out%5Ftrade_no=Y",
                "https://shop.example/b?a=1&out_trade_no=T|1",
            ),
            ("http://127.0.0.1:8787/demo#/pages/pay?x=1", "http://127.0.0.1:8787/demo?out_trade_no=T|1#/pages/pay?x=1"),
            ("http://localhost/", "http://localhost/?out_trade_no=T|1"),
            ("http://[::1]:80/?", "http://[::1]:80/?out_trade_no=T|1"),
        ] {
            assert_eq!(return_url(given, "T|1"), Ok(wanted.replace("T|1", "T%7C1")), "{given}");
        }
    }

    #[test]
    fn an_address_that_is_not_safe_to_return_to_is_refused() {
        for given in [
            "http://shop.example/",
            "http://127.0.0.1.evil.example/",
            "javascript:alert(1)",
            "data:text/html,x",
            "ftp://shop.example",
            "//shop.example/",
            "/pages/pay",
            "https://u:p@shop.example/",
            "https://shop.example/a b",
        ] {
            assert_eq!(return_url(given, "T1").map_err(|f| f.code), Err(Code::RETURN_URL), "{given}");
        }
    }
}
