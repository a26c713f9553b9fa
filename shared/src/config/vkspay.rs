//! `vkspay`: personal collection, one flat section (`protocols/vkpay.md` 1.4).

use super::reader::Reader;

/// The section.
pub struct VkspayNode {
    /// The store's number (`merchantno`), or the epay site's `pid`.
    pub mch_id: String,
}

impl VkspayNode {
    pub(super) fn read(node: &Reader<'_>) -> Option<Self> {
        Some(Self { mch_id: node.required("mchId")? })
    }
}
