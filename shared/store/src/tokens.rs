//! What instances share for a time: sealed texts by name, and the right to renew one.

use super::Store;
use super::item::{Expression, Key};
use aws_sdk_dynamodb::types::AttributeValue as Av;
use domain::{TokenStore, TokenStoreError, UnixMs};
use futures::future::{BoxFuture, FutureExt};
use std::time::Duration;

/// How long after its end an item is left for DynamoDB to delete.
const GRACE: Duration = Duration::from_hours(24);

impl TokenStore for Store {
    fn load<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Option<(String, UnixMs)>, TokenStoreError>> {
        async move {
            let item = self.get(&Key::kept(name)).await.map_err(|e| TokenStoreError(e.to_string()))?;
            Ok(item.and_then(|item| {
                let until = item.get("until")?.as_n().ok()?.parse().ok()?;
                Some((item.get("sealed")?.as_s().ok()?.clone(), until))
            }))
        }
        .boxed()
    }

    fn save<'a>(&'a self, name: &'a str, sealed: &'a str, until: UnixMs) -> BoxFuture<'a, Result<(), TokenStoreError>> {
        async move {
            let mut item = Key::kept(name).attributes();
            item.insert("kind".to_owned(), Av::S("kept".to_owned()));
            item.insert("sealed".to_owned(), Av::S(sealed.to_owned()));
            item.insert("until".to_owned(), Av::N(until.to_string()));
            item.insert("expire_at".to_owned(), Av::N((until + GRACE).secs().to_string()));
            let sent = self.client.put_item().table_name(&self.table).set_item(Some(item)).send().boxed().await;
            sent.map(|_| ()).map_err(|e| TokenStoreError(super::StoreError::sdk("keep", &e).to_string()))
        }
        .boxed()
    }

    fn claim<'a>(&'a self, name: &'a str, now: UnixMs, until: UnixMs) -> BoxFuture<'a, Result<bool, TokenStoreError>> {
        async move {
            let mut update = Expression::default();
            let lease = update.name("lease");
            let (now, expire_at) = (update.value(Av::N(now.to_string())), (until + GRACE).secs());
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
