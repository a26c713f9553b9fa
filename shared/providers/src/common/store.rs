//! What app stores have in common: the key of their server API, the root that their signatures lead to, products by
//! price.

use crate::{Goods, GoodsRequest};
use config::Reader;
use crypto::cert::Certificate;
use crypto::jws::{Anchor, EcKey};
use domain::{Code, Failure, Fen, fields};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// A key that an app store issued for its server API.
pub struct StoreKey {
    /// `iss`.
    pub issuer_id: String,
    /// `kid`.
    pub key_id: String,
    /// The private key (`.p8`).
    pub private_key: EcKey,
}

/// `receiptExpiresIn`: how old an unused purchase may be, s.
pub(crate) fn read_receipt_life(node: &Reader<'_>) -> u64 {
    node.integer("receiptExpiresIn", 1..=315_360_000).unwrap_or(86_400)
}

/// `issuerId`, `keyId` and the private key: all three or none.
pub(crate) fn read_store_key(node: &Reader<'_>) -> Option<StoreKey> {
    let key = node.material("privateKey");
    let named = ["issuerId", "keyId"].map(|name| (name, node.text(name)));
    if key.is_none() && !node.material_faulted("privateKey") && named.iter().all(|(_, value)| value.is_none()) {
        return None;
    }
    for (name, value) in &named {
        if value.is_none() {
            node.fault(name, "is missing (issuerId, keyId and privateKeyContent go together)");
        }
    }
    if key.is_none() {
        let what = "is missing (issuerId, keyId and privateKeyContent go together)";
        node.missing("privateKeyContent", "privateKey", what);
    }
    let private_key = node.ec_key(&key?)?;
    let [(_, issuer_id), (_, key_id)] = named;
    Some(StoreKey { issuer_id: issuer_id?, key_id: key_id?, private_key })
}

/// The pinned root: `rootCertContent`, else what the store is known to have.
pub(crate) fn read_anchor(
    node: &Reader<'_>,
    built_in: Option<&[u8]>,
    leaf: &'static str,
    intermediate: Option<&'static str>,
) -> Option<Anchor> {
    let root = match (node.material("rootCert"), built_in) {
        (Some(material), _) => {
            let root = node.certificate(&material)?;
            if !root.is_root() {
                node.fault(&material.key, "is not a root certificate; the store's root belongs here");
                return None;
            }
            node.check_dates(&material, &root, false);
            root
        }
        (None, _) if node.material_faulted("rootCert") => return None,
        (None, Some(der)) => Certificate::from_der(der).ok()?,
        (None, None) => {
            node.missing("rootCertContent", "rootCert", "is missing");
            return None;
        }
    };
    Some(Anchor::new(&root, leaf, intermediate))
}

/// `products`: `{"<id>": {"total_fee": <fen>}}`.
pub(crate) fn read_products(node: &Reader<'_>) -> Option<BTreeMap<String, Fen>> {
    let products = node.object("products")?;
    let mut read = BTreeMap::new();
    for id in products.names(r"^[\s\S]*$") {
        let Some(product) = products.object(id) else { continue };
        product.needs("total_fee");
        product.asks("total_fee", || {
            let form = json!({
                "type": ["integer", "string"], "minimum": 1, "maximum": Fen::MAX, "pattern": "^[1-9][0-9]*$",
            });
            config::Kind::Form(form, Vec::new())
        });
        match product.raw("total_fee").and_then(Fen::from_json) {
            Some(fee) => {
                read.insert(id.clone(), fee);
            }
            None => product.fault("total_fee", "must be a positive integer (fen)"),
        }
        product.ignore_unknown(&[]);
    }
    Some(read)
}

/// The product and quantity of a request, from its quote, `data` or `custom`, at their configured price.
///
/// # Errors
/// [`Code::PRODUCT`]; [`Code::FORBIDDEN`] where a quote says otherwise, or signs a price and not what is sold for it.
pub(crate) fn product(products: Option<&BTreeMap<String, Fen>>, request: &GoodsRequest<'_>) -> Result<Goods, Failure> {
    let refuse = |name: &'static str| Failure::new(Code::PRODUCT).at(name).says(name);
    // The store charges for the product, and not by the amount: without a list of prices the quote must name it.
    let bare = products.is_none() && request.needs_signed_goods();
    if bare && request.signed(&fields::PRODUCT_ID).is_none() {
        return Err(Failure::new(Code::FORBIDDEN).at("product_id").says("the quote names no product_id"));
    }
    let id = request
        .named(&fields::PRODUCT_ID)?
        .and_then(Value::as_str)
        .filter(|id| (1..=255).contains(&id.len()) && !id.chars().any(char::is_control))
        .ok_or_else(|| refuse("product_id"))?;
    let quantity = match request.named(&fields::QUANTITY)? {
        None => 1,
        Some(value) => {
            Fen::from_json(value).filter(|n| (1..=9_999).contains(&n.0)).ok_or_else(|| refuse("quantity"))?.0
        }
    };
    if bare && request.signed(&fields::QUANTITY).is_none() && quantity != 1 {
        return Err(Failure::new(Code::FORBIDDEN).at("quantity").says("quantity"));
    }
    if let Some(products) = products {
        let price = products.get(id).ok_or_else(|| refuse("product_id"))?;
        if price.0.checked_mul(quantity).map(Fen) != request.total {
            return Err(refuse("total_fee"));
        }
    }
    let mut named = Map::new();
    named.insert("product_id".to_owned(), json!(id));
    named.insert("quantity".to_owned(), json!(quantity));
    Ok(Goods { total: None, named })
}
