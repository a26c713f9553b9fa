//! Whether the orders table is as the bundle needs it, asked by reading its description only.

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::types::{
    ContinuousBackupsStatus, GlobalSecondaryIndexDescription, IndexStatus, KeySchemaElement, KeyType,
    PointInTimeRecoveryStatus, ProjectionType, StreamViewType, TableDescription, TableStatus, TimeToLiveStatus,
};

/// The index of listings and the index of what is due, with their keys.
const INDEXES: [(&str, [&str; 2]); 2] = [("listing", ["list_key", "list_date"]), ("due", ["due_shard", "due"])];
/// The attribute that ends items.
const TTL: &str = "expire_at";

/// What is wrong with a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum TableTrouble {
    /// It is not there, in this region and account.
    Missing,
    /// It is being created, changed or deleted.
    NotReady,
    /// Its keys are others than `pk` and `sk`.
    Keys,
    /// An index is not there.
    IndexMissing,
    /// An index has other keys.
    IndexKeys,
    /// An index is still being filled.
    IndexNotReady,
    /// An index holds more than its keys, which makes every write dearer.
    IndexProjection,
    /// It has no stream.
    StreamOff,
    /// Its stream does not hold the new and the old item.
    StreamView,
    /// Items never end.
    TtlOff,
    /// Another attribute ends items.
    TtlAttribute,
    /// It cannot be brought back to a point in time.
    RecoveryOff,
    /// A call is not allowed.
    Denied,
    /// DynamoDB does not answer.
    Unreachable,
}

/// One thing that is wrong with a table.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct TableDiagnosis {
    /// The index, where it is about one; empty for the table.
    pub index: &'static str,
    /// What is wrong.
    pub trouble: TableTrouble,
    /// What is there in place of what should be, or DynamoDB's words.
    pub words: String,
}

/// Reads the description of a table, of its time to live and of its backups, and compares them with what the bundle
/// needs. Nothing is written, and no item is read.
pub async fn examine(client: &Client, table: &str) -> Vec<TableDiagnosis> {
    let mut found = Vec::new();
    let (described, ttl, backups) = futures::join!(
        client.describe_table().table_name(table).send(),
        client.describe_time_to_live().table_name(table).send(),
        client.describe_continuous_backups().table_name(table).send()
    );
    match &described {
        Ok(answer) => of_table(answer.table(), &mut found),
        Err(error) => {
            found.extend(refused(error, "dynamodb:DescribeTable"));
            return found;
        }
    }
    if found.iter().any(|diagnosis| diagnosis.trouble == TableTrouble::Keys) {
        return found;
    }
    match &ttl {
        Ok(answer) => {
            let ttl = answer.time_to_live_description();
            let on = ttl.and_then(|ttl| ttl.time_to_live_status());
            let attribute = ttl.and_then(|ttl| ttl.attribute_name()).unwrap_or_default();
            if !matches!(on, Some(TimeToLiveStatus::Enabled | TimeToLiveStatus::Enabling)) {
                found.push(of("", TableTrouble::TtlOff, ""));
            } else if attribute != TTL {
                found.push(of("", TableTrouble::TtlAttribute, attribute));
            }
        }
        Err(error) => found.extend(denied(error, "dynamodb:DescribeTimeToLive")),
    }
    match &backups {
        Ok(answer) => {
            let backups = answer.continuous_backups_description();
            let recovery = backups.and_then(|backups| backups.point_in_time_recovery_description());
            let on = recovery.and_then(|recovery| recovery.point_in_time_recovery_status());
            let known = backups.map(|backups| backups.continuous_backups_status());
            if known == Some(&ContinuousBackupsStatus::Enabled) && on != Some(&PointInTimeRecoveryStatus::Enabled) {
                found.push(of("", TableTrouble::RecoveryOff, ""));
            }
        }
        Err(error) => found.extend(denied(error, "dynamodb:DescribeContinuousBackups")),
    }
    found
}

fn of(index: &'static str, trouble: TableTrouble, words: impl Into<String>) -> TableDiagnosis {
    TableDiagnosis { index, trouble, words: words.into() }
}

fn of_table(table: Option<&TableDescription>, found: &mut Vec<TableDiagnosis>) {
    let Some(table) = table else { return found.push(of("", TableTrouble::Missing, "")) };
    match table.table_status() {
        Some(TableStatus::Active) | None => {}
        Some(status) => found.push(of("", TableTrouble::NotReady, status.as_str())),
    }
    if !is_keyed(table.key_schema(), ["pk", "sk"]) {
        // What else it lacks does not matter: it is something else's.
        return found.push(of("", TableTrouble::Keys, keys(table.key_schema())));
    }
    for (name, wanted) in INDEXES {
        let index = table.global_secondary_indexes().iter().find(|index| index.index_name() == Some(name));
        of_index(name, wanted, index, found);
    }
    let stream = table.stream_specification();
    match stream.filter(|stream| stream.stream_enabled()).and_then(|stream| stream.stream_view_type()) {
        None => found.push(of("", TableTrouble::StreamOff, "")),
        Some(StreamViewType::NewAndOldImages) => {}
        Some(view) => found.push(of("", TableTrouble::StreamView, view.as_str())),
    }
}

fn of_index(
    name: &'static str,
    wanted: [&str; 2],
    index: Option<&GlobalSecondaryIndexDescription>,
    found: &mut Vec<TableDiagnosis>,
) {
    let Some(index) = index else { return found.push(of(name, TableTrouble::IndexMissing, "")) };
    if !is_keyed(index.key_schema(), wanted) {
        found.push(of(name, TableTrouble::IndexKeys, keys(index.key_schema())));
    }
    if let Some(IndexStatus::Creating) = index.index_status() {
        found.push(of(name, TableTrouble::IndexNotReady, ""));
    }
    // What the index of listings holds beside its keys is a choice of the template's.
    let projection = index.projection().and_then(|projection| projection.projection_type());
    if name == "due"
        && let Some(kind) = projection.filter(|kind| **kind != ProjectionType::KeysOnly)
    {
        found.push(of(name, TableTrouble::IndexProjection, kind.as_str()));
    }
}

fn is_keyed(schema: &[KeySchemaElement], [hash, range]: [&str; 2]) -> bool {
    let is = |name: &str, kind: &KeyType| {
        schema.iter().any(|element| element.attribute_name() == name && element.key_type() == kind)
    };
    schema.len() == 2 && is(hash, &KeyType::Hash) && is(range, &KeyType::Range)
}

fn keys(schema: &[KeySchemaElement]) -> String {
    schema.iter().map(KeySchemaElement::attribute_name).collect::<Vec<_>>().join(", ")
}

/// Why the table itself cannot be described.
fn refused<E: ProvideErrorMetadata, R>(error: &SdkError<E, R>, action: &str) -> Option<TableDiagnosis> {
    let service = error.as_service_error();
    let words = service.and_then(|service| service.message()).unwrap_or("no answer from DynamoDB");
    Some(match service.and_then(|service| service.code()) {
        Some("ResourceNotFoundException") => of("", TableTrouble::Missing, words),
        Some("AccessDeniedException") => of("", TableTrouble::Denied, action),
        _ => of("", TableTrouble::Unreachable, words),
    })
}

/// A right that is lacking; what else hides a lesser description is left out, because the table itself was described.
fn denied<E: ProvideErrorMetadata, R>(error: &SdkError<E, R>, action: &str) -> Option<TableDiagnosis> {
    let code = error.as_service_error().and_then(|service| service.code());
    (code == Some("AccessDeniedException")).then(|| of("", TableTrouble::Denied, action))
}
