//! The gateway's answers: what counts, what is only a failure, and what says nothing.

use super::alipay_kit::{ALIPAY, OURS, STRANGER, signed_answer, success};
use proptest::prelude::*;
use providers::alipay::answer::{self, Answer, AnswerError, Keys};
use serde_json::{Value, json};

const METHOD: &str = "alipay.trade.query";
const PAID: &str = r#"{"code":"10000","msg":"Success","trade_status":"TRADE_SUCCESS","total_amount":"0.01"}"#;

fn read(body: &str) -> Result<Answer, AnswerError> {
    let keys = Keys { alipay_key: &ALIPAY.public, alipay_cert_sn: None, encrypt_key: None };
    answer::read(body.as_bytes(), METHOD, keys)
}

fn sign(raw: &str) -> String {
    ALIPAY.private.sign(raw.as_bytes()).expect("a signature")
}

fn is_success(body: &str) -> bool {
    matches!(read(body), Ok(Answer::Success(_) | Answer::Pending(_)))
}

#[test]
fn the_signature_covers_the_raw_characters() {
    let edges = [
        r#"{"code":"10000","subject":"a } b { c"}"#,
        r#"{"code":"10000","subject":"a \" } b"}"#,
        r#"{"code":"10000","subject":"ends in a backslash \\"}"#,
        r#"{"code":"10000","subject":"two and a quote \\\\\" }"}"#,
        r#"{"code":"10000","url":"https:\/\/shop.example\/a"}"#,
        r#"{"code":"10000","subject":"咖啡 &quot;"}"#,
        r#"{"code":"10000","subject":"\u5496\u5561"}"#,
        r#"{ "code" : "10000" , "list" : [ { "a" : 1.50 } , [ ] ] }"#,
        "{\"code\":\"10000\",\n\t\"amount\":1.10}",
        r#"{"code":"10000","alipay_trade_query_response":{"code":"1"},"sign":"nested"}"#,
        r#"{"code":"10000","text":"\"alipay_trade_query_response\":{}"}"#,
        r#"{"z":"1","a":"2","code":"10000"}"#,
    ];
    for raw in edges {
        let sign = sign(raw);
        assert!(is_success(&format!(r#"{{"alipay_trade_query_response":{raw},"sign":"{sign}"}}"#)), "{raw}");
        assert!(is_success(&format!(r#"{{"sign":"{sign}","alipay_trade_query_response":{raw}}}"#)), "{raw}");
        assert!(is_success(&format!(r#" {{ "sign" : "{sign}" , "alipay_trade_query_response" : {raw} }} "#)), "{raw}");
    }
}

#[test]
fn another_spelling_of_the_same_json_does_not_verify() {
    let sign = sign(r#"{"code":"10000","url":"https:\/\/a"}"#);
    let body = format!(r#"{{"alipay_trade_query_response":{{"code":"10000","url":"https://a"}},"sign":"{sign}"}}"#);
    assert_eq!(read(&body), Err(AnswerError::Forged));
}

#[test]
fn a_node_that_occurs_twice_is_refused() {
    let sign = sign(PAID);
    let other = r#"{"code":"10000","trade_status":"TRADE_SUCCESS","total_amount":"100.00"}"#;
    for (first, second) in [(PAID, other), (other, PAID)] {
        let body = format!(
            r#"{{"alipay_trade_query_response":{first},"alipay_trade_query_response":{second},"sign":"{sign}"}}"#
        );
        assert_eq!(read(&body), Err(AnswerError::Ambiguous));
    }
    let escaped = format!(
        r#"{{"alipay_trade_query_response":{PAID},"alipay_trade\u005fquery_response":{other},"sign":"{sign}"}}"#
    );
    assert_eq!(read(&escaped), Err(AnswerError::Ambiguous));
    let signs = format!(r#"{{"alipay_trade_query_response":{PAID},"sign":"{sign}","sign":""}}"#);
    assert_eq!(read(&signs), Err(AnswerError::Ambiguous));
}

#[test]
fn a_success_needs_a_signature_of_alipays() {
    assert_eq!(read(&format!(r#"{{"alipay_trade_query_response":{PAID}}}"#)), Err(AnswerError::Unsigned));
    assert_eq!(read(&format!(r#"{{"alipay_trade_query_response":{PAID},"sign":""}}"#)), Err(AnswerError::Unsigned));
    assert_eq!(read(&format!(r#"{{"alipay_trade_query_response":{PAID},"sign":null}}"#)), Err(AnswerError::Unsigned));
    for sign in ["1", "true", "{}", "[]", r#"["a"]"#] {
        let body = format!(r#"{{"alipay_trade_query_response":{PAID},"sign":{sign}}}"#);
        assert_eq!(read(&body), Err(AnswerError::Shape));
    }
    for key in [&OURS.private, &STRANGER.private] {
        assert_eq!(read(&signed_answer(METHOD, PAID, key)), Err(AnswerError::Forged));
    }
    assert!(is_success(&signed_answer(METHOD, PAID, &ALIPAY.private)));
}

#[test]
fn a_success_that_is_in_progress_is_not_a_success() {
    let body = signed_answer(METHOD, r#"{"code":"10003","msg":"order success pay inprocess"}"#, &ALIPAY.private);
    assert!(matches!(read(&body), Ok(Answer::Pending(_))));
}

#[test]
fn a_failure_may_come_unsigned_but_not_wrongly_signed() {
    let raw = r#"{"code":"40002","msg":"Invalid Arguments","sub_code":"isv.invalid-app-id","sub_msg":"无效的AppID"}"#;
    for name in ["alipay_trade_query_response", "error_response"] {
        let Ok(Answer::Failure(failure)) = read(&format!(r#"{{"{name}":{raw}}}"#)) else { panic!("{name}") };
        assert_eq!((failure.code.as_str(), failure.sub_code.as_str()), ("40002", "isv.invalid-app-id"));
        assert_eq!(failure.message, "无效的AppID");
        let signed = format!(r#"{{"{name}":{raw},"sign":"{}"}}"#, sign(raw));
        assert!(matches!(read(&signed), Ok(Answer::Failure(_))));
        let forged = format!(r#"{{"{name}":{raw},"sign":"{}"}}"#, sign(PAID));
        assert_eq!(read(&forged), Err(AnswerError::Forged));
    }
}

#[test]
fn an_error_node_is_never_a_success() {
    let signed = format!(r#"{{"error_response":{PAID},"sign":"{}"}}"#, sign(PAID));
    assert!(!is_success(&signed));
    let both = format!(
        r#"{{"error_response":{{"code":"40004"}},"alipay_trade_query_response":{PAID},"sign":"{}"}}"#,
        sign(PAID)
    );
    assert_eq!(read(&both), Err(AnswerError::Ambiguous));
}

#[test]
fn an_answer_to_another_method_says_nothing() {
    assert_eq!(read(&success("alipay.trade.refund", json!({}))), Err(AnswerError::OtherMethod));
    assert_eq!(read(r#"{"null_response":{"code":"10000"}}"#), Err(AnswerError::OtherMethod));
    assert_eq!(read("{}"), Err(AnswerError::OtherMethod));
}

#[test]
fn what_is_no_json_object_says_nothing() {
    let whole = signed_answer(METHOD, PAID, &ALIPAY.private);
    for body in ["", "null", "[]", "\"x\"", "<html>502</html>", &whole[..whole.len() - 1], &format!("{whole}x")] {
        assert_eq!(read(body), Err(AnswerError::Shape), "{body}");
    }
    let keys = Keys { alipay_key: &ALIPAY.public, alipay_cert_sn: None, encrypt_key: None };
    assert_eq!(answer::read(b"{\"a\":\"\xff\"}", METHOD, keys), Err(AnswerError::Shape));
    let deep = format!(r#"{{"alipay_trade_query_response":{}"#, "[".repeat(200_000));
    assert_eq!(read(&deep), Err(AnswerError::Shape));
}

#[test]
fn certificate_mode_wants_its_own_serial_number_on_a_success() {
    let read = |body: String| {
        let keys = Keys { alipay_key: &ALIPAY.public, alipay_cert_sn: Some("aa11"), encrypt_key: None };
        answer::read(body.as_bytes(), METHOD, keys)
    };
    let named = |serial: &str| {
        format!(r#"{{"alipay_trade_query_response":{PAID},"alipay_cert_sn":{serial},"sign":"{}"}}"#, sign(PAID))
    };
    assert!(matches!(read(named(r#""aa11""#)), Ok(Answer::Success(_))));
    assert_eq!(read(named(r#""bb22""#)), Err(AnswerError::Certificate));
    assert_eq!(read(named("null")), Err(AnswerError::Certificate));
    assert_eq!(read(signed_answer(METHOD, PAID, &ALIPAY.private)), Err(AnswerError::Certificate));
    let failure = r#"{"code":"40004","sub_code":"ACQ.TRADE_NOT_EXIST"}"#;
    assert!(matches!(read(signed_answer(METHOD, failure, &ALIPAY.private)), Ok(Answer::Failure(_))));
}

#[test]
fn an_unsigned_ciphertext_is_not_opened() {
    let key = [9; 16];
    let sealed = crypto::aes::cbc128_encrypt(&key, PAID.as_bytes());
    let keys = Keys { alipay_key: &ALIPAY.public, alipay_cert_sn: None, encrypt_key: Some(&key) };
    let raw = format!("\"{sealed}\"");
    let unsigned = format!(r#"{{"alipay_trade_query_response":{raw}}}"#);
    assert_eq!(answer::read(unsigned.as_bytes(), METHOD, keys), Err(AnswerError::Unsigned));
    let without_quotes = format!(r#"{{"alipay_trade_query_response":{raw},"sign":"{}"}}"#, sign(&sealed));
    assert_eq!(answer::read(without_quotes.as_bytes(), METHOD, keys), Err(AnswerError::Forged));
    let whole = signed_answer(METHOD, &raw, &ALIPAY.private);
    assert!(matches!(answer::read(whole.as_bytes(), METHOD, keys), Ok(Answer::Success(_))));
}

fn expected() -> Value {
    serde_json::from_str(PAID).expect("JSON")
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic_and_never_succeed(bytes in proptest::collection::vec(any::<u8>(), 0..512)) {
        let keys = Keys { alipay_key: &ALIPAY.public, alipay_cert_sn: None, encrypt_key: Some(&[1; 16]) };
        let answer = answer::read(&bytes, METHOD, keys);
        prop_assert!(!matches!(answer, Ok(Answer::Success(_) | Answer::Pending(_))));
    }

    #[test]
    fn a_success_with_one_byte_changed_is_the_same_success_or_none(at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut body = signed_answer(METHOD, PAID, &ALIPAY.private).into_bytes();
        let at = at.index(body.len());
        body[at] = byte;
        let keys = Keys { alipay_key: &ALIPAY.public, alipay_cert_sn: None, encrypt_key: None };
        if let Ok(Answer::Success(fields)) = answer::read(&body, METHOD, keys) {
            prop_assert_eq!(Value::Object(fields), expected());
        }
    }

    #[test]
    fn json_shaped_noise_never_succeeds(
        node in r#"(\{"code":"10000"[^}]{0,20}\}|"[A-Za-z0-9+/=]{0,40}"|\[\]|[0-9]{1,4})"#,
        sign in r#"("[A-Za-z0-9+/=]{0,60}"|null|[0-9]|\{\})"#,
    ) {
        let body = format!(r#"{{"alipay_trade_query_response":{node},"sign":{sign}}}"#);
        let keys = Keys { alipay_key: &ALIPAY.public, alipay_cert_sn: None, encrypt_key: Some(&[1; 16]) };
        let answer = answer::read(body.as_bytes(), METHOD, keys);
        prop_assert!(!matches!(answer, Ok(Answer::Success(_) | Answer::Pending(_))));
    }
}
