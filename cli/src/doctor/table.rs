//! What the table's description says, as findings.

use super::codes::Code;
use super::finding::Finding;
use shared::store::{TableDiagnosis, TableTrouble};

/// A finding for each thing that is wrong with the table.
pub(super) fn findings(found: Vec<TableDiagnosis>) -> Vec<Finding> {
    found.into_iter().map(finding).collect()
}

fn finding(diagnosis: TableDiagnosis) -> Finding {
    let path = match diagnosis.index {
        "" => "table".to_owned(),
        index => format!("table.{index}"),
    };
    Finding::new(path, code(diagnosis.trouble), diagnosis.words)
}

const fn code(trouble: TableTrouble) -> Code {
    match trouble {
        TableTrouble::Missing => Code::TableMissing,
        TableTrouble::NotReady => Code::TableNotReady,
        TableTrouble::Keys => Code::TableKeysWrong,
        TableTrouble::IndexMissing => Code::IndexMissing,
        TableTrouble::IndexKeys => Code::IndexKeysWrong,
        TableTrouble::IndexNotReady => Code::IndexNotReady,
        TableTrouble::IndexProjection => Code::IndexProjection,
        TableTrouble::StreamOff => Code::StreamOff,
        TableTrouble::StreamView => Code::StreamViewWrong,
        TableTrouble::TtlOff => Code::TtlOff,
        TableTrouble::TtlAttribute => Code::TtlAttributeWrong,
        TableTrouble::RecoveryOff => Code::RecoveryOff,
        TableTrouble::Denied => Code::AccessDenied,
        TableTrouble::Unreachable => Code::TableUnreachable,
    }
}
