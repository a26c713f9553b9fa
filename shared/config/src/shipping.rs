//! `shipping.<type>`: who reports the shipping of orders of a type, where the platform keeps the money until it is.

use super::reader::{LONGEST_TYPE, Reader, TYPE_PATTERN};
use domain::ShippingMode;
use std::collections::BTreeMap;

/// Reads the section at the top level.
pub(super) fn read(root: &Reader<'_>) -> BTreeMap<String, ShippingMode> {
    let Some(section) = root.object("shipping") else { return BTreeMap::new() };
    let mut modes = BTreeMap::new();
    for kind in section.names(TYPE_PATTERN) {
        if kind.is_empty() || kind.len() > LONGEST_TYPE {
            section.fault(kind, "must be 1 to 64 bytes, the type of an order");
        }
        modes.extend(shipping_mode(&section, kind).map(|mode| (kind.clone(), mode)));
    }
    modes
}

/// `virtual`, `pick-up` or `manual`.
pub fn shipping_mode(object: &Reader<'_>, key: &str) -> Option<ShippingMode> {
    ShippingMode::parse(&object.choice(key, &ShippingMode::WORDS)?)
}
