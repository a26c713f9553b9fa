//! What of a call's bodies is shown: neither secrets nor who somebody is at a provider.

use serde_json::Value;

/// Fields whose texts are hidden but for their first and last characters, in any spelling.
const HIDDEN: [&str; 29] = [
    "accesstoken",
    "apikey",
    "authcode",
    "authorization",
    "bankaccount",
    "clientip",
    "idcard",
    "idtoken",
    "jwt",
    "key",
    "mobile",
    "nickname",
    "openid",
    "password",
    "paysig",
    "paysign",
    "payee",
    "payeename",
    "phone",
    "purchasedata",
    "quote",
    "realname",
    "secret",
    "sessionkey",
    "sign",
    "signature",
    "token",
    "transactionreceipt",
    "unionid",
];
/// The same, where their name goes on: `uniIdToken`, `v3Key`, `payer_openid`.
const ENDS: [&str; 5] = ["token", "secret", "openid", "privatekey", "password"];
/// A login code and a payer's code are texts; a reply's `code` is a number.
const CODE: &str = "code";
/// How many characters of a hidden text are shown at either end, of one that is long enough.
const SHOWN: usize = 3;

/// The same document with such texts hidden.
pub fn masked(value: &Value) -> Value {
    match value {
        Value::Object(map) => Value::Object(
            map.iter()
                .map(|(name, value)| match value {
                    Value::String(text) if is_hidden(name) => (name.clone(), Value::String(hidden(text))),
                    value => (name.clone(), masked(value)),
                })
                .collect(),
        ),
        Value::Array(list) => Value::Array(list.iter().map(masked).collect()),
        Value::String(text) if text.contains("-----BEGIN") || is_token(text) => Value::String(hidden(text)),
        other => other.clone(),
    }
}

fn is_hidden(name: &str) -> bool {
    let plain: String = name.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase();
    plain == CODE || HIDDEN.contains(&plain.as_str()) || ENDS.iter().any(|end| plain.ends_with(end))
}

/// A signed token: three parts of base64.
fn is_token(text: &str) -> bool {
    text.starts_with("eyJ") && text.matches('.').count() == 2
}

fn hidden(text: &str) -> String {
    let count = text.chars().count();
    if count < 4 * SHOWN {
        return "•••".to_owned();
    }
    let (first, last): (String, String) =
        (text.chars().take(SHOWN).collect(), text.chars().skip(count - SHOWN).collect());
    format!("{first}•••{last}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn secrets_tokens_and_who_somebody_is_are_hidden_wherever_they_stand() {
        let shown = masked(&json!({
            "data": { "openid": "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o", "out_trade_no": "T1", "list": [{ "paySign": "abcdefghijklmnop" }] },
            "uniIdToken": "short", "wxpay": { "appSecret": "1234567890123" },
            "text": "eyJhbGciOi.eyJ1aWQ.c2lnbmF0dXJl", "code": 0,
        }));
        assert_eq!(shown["data"]["openid"], "oUp•••S6o");
        assert_eq!((&shown["data"]["out_trade_no"], &shown["code"]), (&json!("T1"), &json!(0)));
        assert_eq!(shown["data"]["list"][0]["paySign"], "abc•••nop");
        assert_eq!((&shown["uniIdToken"], &shown["wxpay"]["appSecret"]), (&json!("•••"), &json!("123•••123")));
        assert_eq!(shown["text"], "eyJ•••dXJl".replace("dXJl", "XJl"));
    }

    #[test]
    fn a_login_code_is_hidden_and_a_replys_code_is_not() {
        assert_eq!(masked(&json!({ "code": "0a1b2c3d4e5f6g7h" }))["code"], "0a1•••g7h");
        assert_eq!(masked(&json!({ "code": 1011 }))["code"], 1011);
    }
}
