//! What the nodes `wxpay.transfer` and `alipay.transfer` say beside their keys.

use super::asked::Kind;
use super::reader::Reader;
use domain::{DailyLimits, Fen, ReportInfo};
use serde_json::{Value, json};

/// Defaults and limits of the transfers of a node.
#[derive(Clone, Default)]
pub struct TransferDefaults {
    /// `transferSceneId` of WeChat Pay, `transferSceneName` of Alipay.
    pub scene: Option<String>,
    /// `transferSceneReportInfos`.
    pub report_infos: Vec<ReportInfo>,
    /// `userRecvPerception`, WeChat Pay only.
    pub recv_perception: Option<String>,
    /// `dailyLimit` and `dailyLimitPerPayee`, fen.
    pub limits: DailyLimits,
}

/// The most that a limit may be: far above what anybody pays out in a day, fen.
const MOST: u64 = 100_000_000_000_000;

impl TransferDefaults {
    /// Reads them; `scene` is the name of the scene's key.
    pub fn read(node: &Reader<'_>, scene: &str) -> Self {
        node.asks("transferSceneReportInfos", || Kind::Form(report_infos_form(), Vec::new()));
        // A blank limit is a fault: it would be none.
        let limit = |key: &str| match node.given(key).is_some() && !node.has(key) {
            true => {
                node.fault(key, "is empty; leave it out where there is no limit");
                None
            }
            false => node.integer(key, 1..=MOST).map(Fen),
        };
        Self {
            scene: node.text(scene),
            report_infos: node
                .raw("transferSceneReportInfos")
                .and_then(|value| {
                    let infos = report_infos(value);
                    if infos.is_none() {
                        node.fault(
                            "transferSceneReportInfos",
                            "must be a list of {info_type, info_content}, texts of at most 15 and 32 characters",
                        );
                    }
                    infos
                })
                .unwrap_or_default(),
            recv_perception: node.text("userRecvPerception"),
            limits: DailyLimits { total: limit("dailyLimit"), per_payee: limit("dailyLimitPerPayee") },
        }
    }
}

/// What [`report_infos`] takes, or nothing.
fn report_infos_form() -> Value {
    let text = |most: usize| json!({ "type": "string", "minLength": 1, "maxLength": most });
    json!({
        "type": ["array", "string", "null"],
        "pattern": r"^[\s\uFEFF]*$",
        "minItems": 1,
        "maxItems": 16,
        "items": {
            "type": "object",
            "properties": { "info_type": text(15), "info_content": text(32) },
            "required": ["info_type", "info_content"],
            "additionalProperties": false,
        },
    })
}

/// A scene's report lines: `info_type` of at most 15 characters, `info_content` of at most 32
/// (`docs/protocols/wechat.md#transfers`). `None` when it is something else.
pub fn report_infos(value: &Value) -> Option<Vec<ReportInfo>> {
    let text = |line: &Value, key: &str, most: usize| {
        let text = line.get(key)?.as_str()?;
        let right = (1..=most).contains(&text.chars().count()) && !text.chars().any(char::is_control);
        right.then(|| text.to_owned())
    };
    let lines = value.as_array().filter(|lines| (1..=16).contains(&lines.len()))?;
    lines
        .iter()
        .map(|line| {
            let (info_type, info_content) = (text(line, "info_type", 15)?, text(line, "info_content", 32)?);
            (line.as_object()?.len() == 2).then_some(ReportInfo { info_type, info_content })
        })
        .collect()
}
