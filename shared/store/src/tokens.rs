//! What instances share for a time: sealed texts by name, and the right to renew one.

use super::Store;
use super::item::{Expression, Key};
use aws_sdk_dynamodb::types::AttributeValue as Av;
use domain::{TokenStore, TokenStoreError};
use futures::future::{BoxFuture, FutureExt};

/// How long after its end an item is left for DynamoDB to delete, seconds.
const GRACE: i64 = 86_400;

impl TokenStore for Store {
    fn load<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Option<(String, i64)>, TokenStoreError>> {
        async move {
            let item = self.get(&Key::kept(name)).await.map_err(|e| TokenStoreError(e.to_string()))?;
            Ok(item.and_then(|item| {
                let until = item.get("until")?.as_n().ok()?.parse().ok()?;
                Some((item.get("sealed")?.as_s().ok()?.clone(), until))
            }))
        }
        .boxed()
    }

    fn save<'a>(&'a self, name: &'a str, sealed: &'a str, until: i64) -> BoxFuture<'a, Result<(), TokenStoreError>> {
        async move {
            let mut item = Key::kept(name).attributes();
            item.insert("kind".to_owned(), Av::S("kept".to_owned()));
            item.insert("sealed".to_owned(), Av::S(sealed.to_owned()));
            item.insert("until".to_owned(), Av::N(until.to_string()));
            item.insert("expire_at".to_owned(), Av::N((until / 1_000 + GRACE).to_string()));
            let sent = self.client.put_item().table_name(&self.table).set_item(Some(item)).send().await;
            sent.map(|_| ()).map_err(|e| TokenStoreError(super::StoreError::sdk("keep", &e).to_string()))
        }
        .boxed()
    }

    fn claim<'a>(&'a self, name: &'a str, now: i64, until: i64) -> BoxFuture<'a, Result<bool, TokenStoreError>> {
        async move {
            let mut update = Expression::default();
            let lease = update.name("lease");
            let (now, expire_at) = (update.value(Av::N(now.to_string())), until / 1_000 + GRACE);
            update
                .when_raw(format!("attribute_not_exists({lease}) OR {lease} <= {now}"))
                .set("lease", until)
                .set("kind", "kept")
                .set("expire_at", expire_at);
            self.update_if(&Key::kept(name), &update).await.map_err(|e| TokenStoreError(e.to_string()))
        }
        .boxed()
    }
}
