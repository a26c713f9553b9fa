//! Answers of the gateway: the node, its signature over the raw text, encryption (alipay.md 1.4, 1.6).

use super::Account;
use super::request::Request;
use super::{Refusal, Reply};
use crate::crypto;
use crate::faults::Misbehaviour;
use crate::provider::Wire;
use crate::sandbox::Sandbox;
use crate::wire::Answer;
use serde_json::{Map, Value, json};

const KIND: &str = "text/html;charset=utf-8";

pub(crate) struct Envelope<'a> {
    pub(crate) sandbox: &'a Sandbox,
    pub(crate) merchant: &'a Account,
    pub(crate) request: &'a Request,
    pub(crate) fault: Option<Misbehaviour>,
}

fn refused(refusal: &Refusal) -> Map<String, Value> {
    let mut node = Map::new();
    node.insert("code".to_owned(), json!(refusal.code));
    node.insert("msg".to_owned(), json!(refusal.msg()));
    node.insert("sub_code".to_owned(), json!(refusal.sub_code));
    node.insert("sub_msg".to_owned(), json!(refusal.sub_msg));
    node
}

/// JSON as the gateway writes it: slashes escaped, so that a client which re-serialises fails its own verification.
fn raw(node: &Map<String, Value>) -> String {
    Value::Object(node.clone()).to_string().replace('/', "\\/")
}

/// An error for somebody whose key is not known: unsigned.
pub(crate) fn stranger(refusal: &Refusal) -> Answer {
    let text = format!("{{\"error_response\":{}}}", raw(&refused(refusal)));
    Answer::new(200, KIND, text, &refusal.sub_code)
}

impl Envelope<'_> {
    fn node_name(&self) -> String {
        format!("{}_response", self.request.get("method").unwrap_or("null").replace('.', "_"))
    }

    fn wrap(&self, name: &str, raw: &str, verdict: &str) -> Answer {
        let mut text = format!("{{\"{name}\":{raw}");
        if self.request.wire() == Wire::ALIPAY_CERT {
            text.push_str(&format!(",\"alipay_cert_sn\":\"{}\"", self.merchant.keys.alipay_cert_sn));
        }
        match self.fault {
            Some(Misbehaviour::NoSignature) => {}
            Some(Misbehaviour::BadSignature) => {
                text.push_str(&format!(",\"sign\":\"{}\"", self.sandbox.stranger().sign(raw.as_bytes())));
            }
            _ => text.push_str(&format!(",\"sign\":\"{}\"", self.merchant.alipay.sign(raw.as_bytes()))),
        }
        text.push('}');
        let mut answer = Answer::new(200, KIND, text, verdict);
        answer.headers.push(("trace_id", hex::encode(crypto::random::<16>())));
        answer
    }

    /// A failure of the gateway itself.
    pub(crate) fn gateway_error(&self, refusal: &Refusal) -> Answer {
        self.wrap("error_response", &raw(&refused(refusal)), &refusal.sub_code)
    }

    /// A node in the clear, whatever `encrypt_type` says.
    pub(crate) fn plain(&self, reply: Reply) -> Answer {
        let (node, verdict) = written(reply);
        self.wrap(&self.node_name(), &raw(&node), &verdict)
    }

    /// A node, encrypted if the request was.
    pub(crate) fn sealed(&self, reply: Reply) -> Answer {
        let (node, verdict) = written(reply);
        self.seal(&node, &verdict)
    }

    /// A success with another code than 10000.
    pub(crate) fn coded(&self, code: &'static str, fields: Map<String, Value>) -> Answer {
        let (mut node, _) = written(Ok(fields));
        node.insert("code".to_owned(), json!(code));
        if code == "10003" {
            node.insert("msg".to_owned(), json!("order success pay inprocess"));
        }
        self.seal(&node, code)
    }

    fn seal(&self, node: &Map<String, Value>, verdict: &str) -> Answer {
        let mut text = raw(node);
        if self.request.encrypted() {
            let sealed = crypto::cbc_seal(&self.merchant.keys.encrypt_key, text.as_bytes());
            text = format!("\"{}\"", sealed.unwrap_or_default());
        }
        self.wrap(&self.node_name(), &text, verdict)
    }
}

fn written(reply: Reply) -> (Map<String, Value>, String) {
    match reply {
        Ok(fields) => {
            let mut node = Map::new();
            node.insert("code".to_owned(), json!("10000"));
            node.insert("msg".to_owned(), json!("Success"));
            node.extend(fields);
            (node, "SUCCESS".to_owned())
        }
        Err(refusal) => (refused(&refusal), format!("{}: {}", refusal.sub_code, refusal.sub_msg)),
    }
}
