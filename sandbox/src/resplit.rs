//! Signed texts that can be split in two ways: APIv2, Alipay and epay sign `name=value&…` with nothing escaped, so
//! a value with a separator in it can become fields, and the real fields a value, under the same signature.

use crate::desk::Fields;
use crate::desks;
use crate::ledger::Trade;
use crate::outbox::{CallbackKind, SignedRequest};
use crate::provider::Provider;
use crate::sandbox::Sandbox;

/// What stands outside of the signed text.
const OUTSIDE: [&str; 2] = ["sign", "sign_type"];

impl Sandbox {
    /// Changes a trade in the books behind the provider's back; `number` is the one the provider knows.
    ///
    /// # Errors
    /// When there is no such trade.
    pub fn alter(&self, provider: Provider, number: &str, change: impl FnOnce(&mut Trade)) -> Result<(), String> {
        let mut state = self.state();
        let found = state.all(number).iter().copied().find(|at| state.trades[*at].provider == provider);
        let at = found.ok_or("no such trade")?;
        change(&mut state.trades[at]);
        Ok(())
    }

    /// What a payer makes of a genuine callback: the trade `number` was made with a text of his (epay `name`, APIv2
    /// `attach`, Alipay `body`) that ends in further fields, the provider signs it as it stands, and he splits the
    /// signed text so that it speaks of `other`, under a number of a payment that nobody made.
    ///
    /// # Errors
    /// When there is no such paid trade, or its callback is not signed in that way.
    pub fn resplit(&self, provider: Provider, number: &str, other: &str) -> Result<SignedRequest, String> {
        let genuine = self.callback_of(Some(provider), number, CallbackKind::Payment)?;
        let (wire, id) = {
            let state = self.state();
            let own = |at: &usize| state.trades[*at].provider == provider;
            let at = state.all(number).iter().copied().find(own).ok_or("no such trade")?;
            (state.trades[at].wire, state.trades[at].merchant.clone())
        };
        let merchant = self.state().merchant(provider, &id).ok_or("the merchant is gone")?;
        let text = desks::of(provider).plain_text(&merchant, wire).ok_or("not signed as it stands")?;
        let mut fields = (text.read)(&genuine)?;
        let host = text.host;
        let follow = fields.iter().filter(|(name, _)| name.as_str() > host && !OUTSIDE.contains(&name.as_str()));
        let mut long = "x".to_owned();
        for (name, value) in follow {
            let value = match name.as_str() {
                "out_trade_no" => other,
                "trade_no" | "transaction_id" => "4200000000000000000000000009",
                _ => value,
            };
            long.push_str(&format!("&{name}={value}"));
        }
        long.push_str("&zz=");
        fields.insert(host.to_owned(), long);
        let sign = (text.sign)(&fields);
        let mut split = split(&signed_text(&fields));
        split.extend(fields.into_iter().filter(|(name, _)| name == "sign_type"));
        split.insert("sign".to_owned(), sign);
        Ok((text.write)(genuine, &split))
    }
}

fn signed_text(fields: &Fields) -> String {
    let kept = fields.iter().filter(|(name, value)| !OUTSIDE.contains(&name.as_str()) && !value.is_empty());
    kept.map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&")
}

/// Every piece of the text becomes a field whose name is still to come in their order; the rest stays in a value.
fn split(text: &str) -> Fields {
    let mut fields: Vec<(String, String)> = Vec::new();
    for piece in text.split('&') {
        match (piece.split_once('='), fields.last_mut()) {
            (Some((name, value)), last) if last.as_ref().is_none_or(|last| last.0.as_str() < name) => {
                fields.push((name.to_owned(), value.to_owned()));
            }
            (_, Some(last)) => last.1.push_str(&format!("&{piece}")),
            (_, None) => {}
        }
    }
    fields.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_stays_the_same_and_the_fields_do_not() {
        let text = "money=1&name=x&out_trade_no=T2&pid=7&zz=&out_trade_no=T1&pid=7";
        let fields = split(text);
        assert_eq!(fields["out_trade_no"], "T2");
        assert_eq!(fields["zz"], "&out_trade_no=T1&pid=7");
        assert_eq!(signed_text(&fields), text);
    }
}
