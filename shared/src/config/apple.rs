//! `appleiap.app-plus`: in-app purchases of Apple (`protocols/vkpay.md` 1.4).

use super::reader::Reader;

/// The nodes of the section, by VK-Pay's names.
pub const NODES: [&str; 1] = ["app-plus"];

/// uni-pay's names for the same nodes.
pub(super) const ALIASES: [(&str, &str); 1] = [("app", "app-plus")];

/// One node of the section.
pub struct AppleNode {
    /// The app's bundle id.
    pub bundle_id: String,
}

impl AppleNode {
    pub(super) fn read(_name: &str, node: &Reader<'_>) -> Option<Self> {
        let bundle_id = node.required("bundleId")?;
        Some(Self { bundle_id })
    }
}
