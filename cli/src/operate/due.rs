//! All that is due, now or later, some shards at a time.

use super::progress::{AT_ONCE, Count, shown};
use super::{Failure, Session};
use futures::stream::{self, StreamExt, TryStreamExt};
use shared::domain::UnixMs;
use shared::store::{Due, StoreError};

/// What is due in every shard.
pub(super) async fn all(session: &Session) -> Result<Vec<Due>, Failure> {
    let store = &session.target.store;
    let count = Count::of(usize::from(store.due_shards()));
    let shards = (0..store.due_shards()).map(|shard| {
        let count = &count;
        async move {
            let (mut found, mut cursor) = (Vec::new(), None);
            loop {
                let (items, next) = store.due(shard, UnixMs::new(i64::MAX), cursor).await?;
                found.extend(items.into_iter().map(|item| item.what));
                match next {
                    Some(next) => cursor = Some(next),
                    None => break,
                }
            }
            count.add();
            Ok::<_, StoreError>(found)
        }
    });
    let read = stream::iter(shards).buffer_unordered(AT_ONCE).try_collect::<Vec<_>>();
    let shards = shown(session, &count, read).await?;
    Ok(shards.into_iter().flatten().collect())
}
