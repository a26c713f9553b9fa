//! The embedded DynamoDB, and the tables as `template.yaml` has them.

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::Credentials;
use aws_sdk_dynamodb::operation::create_table::builders::CreateTableFluentBuilder;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, GlobalSecondaryIndex, KeySchemaElement, KeyType, Projection, ProjectionType,
    ScalarAttributeType, StreamSpecification, StreamViewType, TimeToLiveSpecification,
};
use dynoxide::Database;
use tokio::net::TcpListener;

/// The orders table, as a deployed function names it by default.
pub const TABLE: &str = "vk-pay-orders";
/// The business tables of the built-in handlers; hash key `_id`.
pub const BUSINESS_TABLES: [&str; 5] = ["uni-id-users", "recharge_logs", "goods", "goods_orders", "vip_purchase_logs"];

/// Where the function js-handlers notes what it has delivered (`functions/js-handlers`).
const DELIVERIES: &str = "js-deliveries";

/// Serves a database on a free loopback port until the runtime ends; gives its URL.
///
/// # Errors
/// When no port can be bound.
pub async fn serve(database: Database) -> std::io::Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}", listener.local_addr()?);
    tokio::spawn(dynoxide::server::serve_on(listener, database));
    Ok(url)
}

/// A client of an endpoint with made-up credentials.
pub fn client(endpoint: &str) -> Client {
    let credentials = Credentials::new("local", "local", None, None, "local");
    shared::store::client::dynamodb("us-east-1".to_owned(), credentials, Some(endpoint.to_owned()))
}

/// Creates the orders table and the business tables where they are not there yet.
///
/// # Errors
/// What DynamoDB says.
pub async fn create_tables(client: &Client, table: &str, prefix: &str) -> Result<(), aws_sdk_dynamodb::Error> {
    let there = client.list_tables().send().await?.table_names.unwrap_or_default();
    if !there.iter().any(|t| t == table) {
        orders(client, table).send().await?;
        let ttl = TimeToLiveSpecification::builder().attribute_name("expire_at").enabled(true).build()?;
        client.update_time_to_live().table_name(table).time_to_live_specification(ttl).send().await?;
    }
    for name in BUSINESS_TABLES.into_iter().chain([DELIVERIES]) {
        let name = format!("{prefix}{name}");
        if !there.contains(&name) {
            keyed(client, &name, &[("_id", KeyType::Hash)]).send().await?;
        }
    }
    Ok(())
}

fn orders(client: &Client, table: &str) -> CreateTableFluentBuilder {
    let index = |name: &str, hash: &str, range: &str| {
        GlobalSecondaryIndex::builder()
            .index_name(name)
            .set_key_schema(Some(keys(&[(hash, KeyType::Hash), (range, KeyType::Range)])))
            .projection(Projection::builder().projection_type(ProjectionType::KeysOnly).build())
            .build()
            .expect("name and keys are set")
    };
    let attribute = |name: &str, kind: ScalarAttributeType| {
        AttributeDefinition::builder().attribute_name(name).attribute_type(kind).build().expect("name and type are set")
    };
    keyed(client, table, &[("pk", KeyType::Hash), ("sk", KeyType::Range)])
        .attribute_definitions(attribute("sk", ScalarAttributeType::S))
        .attribute_definitions(attribute("list_key", ScalarAttributeType::S))
        .attribute_definitions(attribute("list_date", ScalarAttributeType::N))
        .attribute_definitions(attribute("due_shard", ScalarAttributeType::S))
        .attribute_definitions(attribute("due", ScalarAttributeType::N))
        .global_secondary_indexes(index("listing", "list_key", "list_date"))
        .global_secondary_indexes(index("due", "due_shard", "due"))
        .stream_specification(
            StreamSpecification::builder()
                .stream_enabled(true)
                .stream_view_type(StreamViewType::NewAndOldImages)
                .build()
                .expect("enabled is set"),
        )
}

fn keys(keys: &[(&str, KeyType)]) -> Vec<KeySchemaElement> {
    keys.iter()
        .map(|(name, kind)| {
            KeySchemaElement::builder()
                .attribute_name(*name)
                .key_type(kind.clone())
                .build()
                .expect("name and type are set")
        })
        .collect()
}

fn keyed(client: &Client, table: &str, schema: &[(&str, KeyType)]) -> CreateTableFluentBuilder {
    let hash = AttributeDefinition::builder()
        .attribute_name(schema[0].0)
        .attribute_type(ScalarAttributeType::S)
        .build()
        .expect("name and type are set");
    client
        .create_table()
        .table_name(table)
        .billing_mode(BillingMode::PayPerRequest)
        .set_key_schema(Some(keys(schema)))
        .attribute_definitions(hash)
}
