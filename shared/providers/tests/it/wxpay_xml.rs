//! Flat XML: the samples of the protocol are read, and everything beyond it is refused.

use super::wxpay_kit::fixture;
use proptest::prelude::*;
use providers::common::xml::{XmlError, read, write};

fn sample(name: &str) -> String {
    fixture("v2-xml-samples.json")["samples"][name].as_str().unwrap().to_owned()
}

fn hostile(name: &str) -> String {
    fixture("v2-xml-samples.json")["hostile_samples"][name].as_str().unwrap().to_owned()
}

#[test]
fn the_samples_of_wechatpay_php_are_read() {
    let order = read(sample("unifiedorder.sample.xml").as_bytes()).unwrap();
    assert_eq!(order.root, "xml");
    assert_eq!(order.fields["body"], "JSAPI支付测试");
    assert!(order.fields["detail"].starts_with("{ \"goods_detail\""));
    let paid = read(sample("paysuccess.notification.sample.xml").as_bytes()).unwrap();
    assert_eq!(paid.fields["total_fee"], "1");
    assert_eq!(paid.fields["sign"], "B552ED6B279343CB493C5DD0D78AB241");
    let refund = read(sample("refund.notification.req_info.sample.xml").as_bytes()).unwrap();
    assert_eq!(refund.root, "root");
    assert_eq!(refund.fields["refund_recv_accout"], "支付用户零钱");
    assert!(read(sample("getpublickey.response.sample.xml").as_bytes()).unwrap().fields["pub_key"].contains("RSA"));
    assert_eq!(read(sample("sendredpack.sample.xml").as_bytes()).unwrap().fields["mch_id"], "888");
}

#[test]
fn hostile_documents_are_refused() {
    assert_eq!(read(hostile("invalid.xxe_injection.sample.xml").as_bytes()), Err(XmlError::Forbidden));
    assert!(read(hostile("invalid.bad_entity.sample.xml").as_bytes()).is_err());
    assert!(read(hostile("fragment_injection.sample.xml").as_bytes()).is_err());
}

#[test]
fn a_dtd_in_any_dress_is_forbidden() {
    let laughs = "<?xml version=\"1.0\"?><!DOCTYPE lolz [<!ENTITY lol \"lol\"><!ENTITY lol2 \"&lol;&lol;\">]><xml><a>&lol2;</a></xml>";
    let parameter = "<!DOCTYPE x [<!ENTITY % p SYSTEM \"file:///etc/passwd\"> %p;]><xml><a>1</a></xml>";
    let external = "<!DOCTYPE xml SYSTEM \"http://127.0.0.1:1/x.dtd\"><xml><a>1</a></xml>";
    let late = "<xml><a>1</a></xml><!DOCTYPE xml>";
    for text in [laughs, parameter, external, late] {
        assert!(read(text.as_bytes()).is_err(), "{text}");
    }
    assert_eq!(read(b"<xml><a>&xxe;</a></xml>"), Err(XmlError::Forbidden));
    assert_eq!(read(b"<xml><?php echo 1 ?><a>1</a></xml>"), Err(XmlError::Forbidden));
    assert_eq!(read(b"<xml><a>1</a><?xml version=\"1.0\"?></xml>"), Err(XmlError::Forbidden));
}

#[test]
fn what_is_not_flat_is_refused() {
    let deep = format!("<xml>{}{}</xml>", "<a>".repeat(10_000), "</a>".repeat(10_000));
    for text in [
        "",
        " ",
        "xml",
        "<xml>",
        "<xml><a>1</xml>",
        "<xml><a>1</b></xml>",
        "<xml><a>1</a></xml><xml/>",
        "<xml><a>1</a></xml>trailing",
        "leading<xml><a>1</a></xml>",
        "<xml>text<a>1</a></xml>",
        "<xml><![CDATA[text]]><a>1</a></xml>",
        "<xml><a><b>1</b></a></xml>",
        "<xml><a b=\"c\">1</a></xml>",
        "<xml><a>1]]>2</a></xml>",
        "<xml><a>1 & 2</a></xml>",
        "<xml><a>&#0;</a></xml>",
        "<xml><a>&#xD800;</a></xml>",
        "<xml><a>\u{1}</a></xml>",
        "<xml><中>1</中></xml>",
        &deep,
    ] {
        assert!(read(text.as_bytes()).is_err(), "{text:.60}");
    }
}

#[test]
fn an_element_that_stands_twice_is_refused() {
    assert_eq!(read(b"<xml><a>1</a><a>2</a></xml>"), Err(XmlError::Duplicate));
    assert_eq!(read(b"<xml><sign>1</sign><b/><sign/></xml>"), Err(XmlError::Duplicate));
}

#[test]
fn sizes_are_bounded() {
    let elements = |n: usize| format!("<xml>{}</xml>", (0..n).map(|i| format!("<e{i}>1</e{i}>")).collect::<String>());
    assert!(read(elements(512).as_bytes()).is_ok());
    assert_eq!(read(elements(513).as_bytes()), Err(XmlError::TooLarge));
    let large = format!("<xml><a>{}</a></xml>", "x".repeat(1 << 20));
    assert_eq!(read(large.as_bytes()), Err(XmlError::TooLarge));
}

#[test]
fn only_utf8_is_read() {
    assert_eq!(read(b"<xml><a>\xff</a></xml>"), Err(XmlError::Encoding));
    assert_eq!(read(b"<?xml version=\"1.0\" encoding=\"GBK\"?><xml><a>1</a></xml>"), Err(XmlError::Encoding));
    assert!(read(b"\xef\xbb\xbf<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<xml><a>1</a></xml>\n").is_ok());
}

#[test]
fn cdata_references_and_text_join_and_white_space_stays() {
    let document = read(b"<xml><a> 1<![CDATA[<2>&amp;]]>&#51;&lt;&#x34; </a><b/></xml>").unwrap();
    assert_eq!(document.fields["a"], " 1<2>&amp;3<4 ");
    assert_eq!(document.fields["b"], "");
}

#[test]
fn what_xml_cannot_hold_is_not_written() {
    assert!(write("xml", [("a", "\u{0}")]).is_err());
    assert!(write("xml", [("a><b", "1")]).is_err());
    assert!(write("x y", [("a", "1")]).is_err());
}

proptest! {
    #[test]
    fn every_text_comes_back_as_it_was(text in "(\\PC|[\\r\\n\\t]|\\]\\]>|<!\\[CDATA\\[|&lt;){0,60}") {
        prop_assume!(!text.contains(['\u{fffe}', '\u{ffff}']));
        let written = write("xml", [("a", text.as_str()), ("b", "")]).unwrap();
        let document = read(written.as_bytes()).unwrap();
        prop_assert_eq!(&document.fields["a"], &text);
        prop_assert_eq!(document.fields.len(), 2);
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = read(&bytes);
    }

    #[test]
    fn no_markup_makes_it_panic(text in "(<|>|/|!|\\[CDATA\\[|\\]\\]>|&|;|#|x|<\\?xml|\\?>|<!DOCTYPE|<!--|-->|a|\"|=| ){0,80}") {
        let _ = read(text.as_bytes());
    }
}
