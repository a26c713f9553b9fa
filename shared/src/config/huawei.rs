//! `huawei.mp-harmony`, `huawei.app-harmony`: Huawei (`protocols/vkpay.md` 1.4).

use super::reader::Reader;

/// The nodes of the section, by VK-Pay's names.
pub const NODES: [&str; 2] = ["mp-harmony", "app-harmony"];

/// uni-pay's names for the same nodes.
pub(super) const ALIASES: [(&str, &str); 2] = [("mp", "mp-harmony"), ("app", "app-harmony")];

/// One node of the section.
pub struct HuaweiNode {
    /// The application.
    pub app_id: String,
    /// The merchant number (`mercNo`).
    pub mch_id: Option<String>,
}

impl HuaweiNode {
    pub(super) fn read(_name: &str, node: &Reader<'_>) -> Option<Self> {
        let app_id = node.required("appId")?;
        let mch_id = node.text("mchId");
        Some(Self { app_id, mch_id })
    }
}
