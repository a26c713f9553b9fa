//! `douyin.mp-toutiao`: Douyin (`protocols/vkpay.md` 1.4).

use super::reader::Reader;

/// The nodes of the section, by VK-Pay's names.
pub const NODES: [&str; 1] = ["mp-toutiao"];

/// uni-pay's names for the same nodes.
pub(super) const ALIASES: [(&str, &str); 0] = [];

/// One node of the section.
pub struct DouyinNode {
    /// The application.
    pub app_id: String,
    /// The application's secret.
    pub secret: Option<crate::secret::Secret>,
    /// The merchant number.
    pub mch_id: Option<String>,
}

impl DouyinNode {
    pub(super) fn read(_name: &str, node: &Reader<'_>) -> Option<Self> {
        let app_id = node.required("appId")?;
        let mch_id = node.text("mchId");
        Some(Self { app_id, secret: None, mch_id })
    }

    /// Whether the product has a close.
    pub fn can_close(&self) -> bool {
        false
    }
}
