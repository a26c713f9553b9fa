//! Authorisations of payees in the table: one item each, found by the merchant's number or the provider's.
//!
//! A number belongs to one authorisation of one merchant: that is its key. Every move names the version that it saw, so
//! two that are told at once are taken one after the other; whether a move is allowed is decided by who reads it anew.

use super::item::{Expression, Key, attribute, item_of, shape_of};
use super::{FIRST_LOOK, Refused, Store, StoreError};
use aws_sdk_dynamodb::types::{AttributeValue as Av, TransactWriteItem};
use domain::{Authorization, AuthorizationState, UnixMs};
use serde_json::json;

impl Store {
    /// An authorisation of a merchant, strongly consistent.
    ///
    /// # Errors
    /// When the table cannot be read.
    pub async fn authorization(&self, merchant: &str, number: &str) -> Result<Option<Authorization>, StoreError> {
        self.get(&Key::authorization(merchant, number)).await?.map(|item| shape_of(&item)).transpose()
    }

    /// An authorisation by the hash key of its item, as the index `due` names it.
    ///
    /// # Errors
    /// When the table cannot be read.
    pub async fn authorization_by_key(&self, pk: &str) -> Result<Option<Authorization>, StoreError> {
        self.get(&Key::authorization_item(pk)).await?.map(|item| shape_of(&item)).transpose()
    }

    /// An authorisation of a merchant by the provider's number.
    ///
    /// # Errors
    /// When the table cannot be read.
    pub async fn authorization_of_id(&self, merchant: &str, id: &str) -> Result<Option<Authorization>, StoreError> {
        let Some(item) = self.get(&Key::authorization_id(merchant, id)).await? else { return Ok(None) };
        match item.get("out_authorization_no") {
            Some(Av::S(number)) => self.authorization(merchant, number).await,
            _ => Ok(None),
        }
    }

    /// Writes a new authorisation; false when its number is taken. `source` says how it came to be known.
    ///
    /// # Errors
    /// When the table cannot be written.
    pub async fn begin_authorization(
        &self,
        authorization: &Authorization,
        source: &str,
        at: UnixMs,
    ) -> Result<bool, StoreError> {
        let key = Key::authorization(&authorization.merchant, &authorization.out_authorization_no);
        let mut item = item_of(&key, "authorization", authorization);
        if authorization.state.is_open() {
            item.insert("due_shard".to_owned(), Av::S(self.due_shard(&authorization.out_authorization_no)));
            item.insert("due".to_owned(), Av::N((at + FIRST_LOOK).to_string()));
        }
        item.insert("history".to_owned(), attribute(&json!([line(source, authorization, at)])));
        let mut writes = vec![self.insertion(item)];
        writes.extend(self.id_of(authorization, None));
        self.taken(writes).await
    }

    /// Marks an authorisation that its provider is not known to have, before it is asked for once more, and answers it as
    /// it is then. `None` when it has moved since it was read.
    ///
    /// # Errors
    /// When the table cannot be written.
    pub async fn repeat_authorization(
        &self,
        authorization: &Authorization,
        at: UnixMs,
    ) -> Result<Option<Authorization>, StoreError> {
        let next = Authorization {
            state: AuthorizationState::Unknown,
            sent_at: at,
            fail_reason: None,
            provider_state: None,
            version: authorization.version + 1,
            ..authorization.clone()
        };
        let mut update = Expression::default();
        update
            .when("version", "=", authorization.version)
            .set("state", next.state)
            .set("sent_at", next.sent_at)
            .set("version", next.version)
            .remove("fail_reason")
            .remove("provider_state");
        if !authorization.state.is_open() {
            update
                .set("due_shard", self.due_shard(&next.out_authorization_no))
                .set("due", at + FIRST_LOOK)
                .grow("history", &line("begun again", &next, at));
        }
        let key = Key::authorization(&next.merchant, &next.out_authorization_no);
        Ok(self.update_if(&key, &update).await?.then_some(next))
    }

    /// Moves an authorisation that is as it was read to what the provider said. False when it has moved meanwhile.
    ///
    /// # Errors
    /// When the table cannot be written.
    pub async fn move_authorization(
        &self,
        seen: &Authorization,
        next: &Authorization,
        source: &str,
        at: UnixMs,
    ) -> Result<bool, StoreError> {
        let mut update = Expression::default();
        update
            .when("version", "=", seen.version)
            .set("version", seen.version + 1)
            .set("state", next.state)
            .set_some("authorization_id", next.authorization_id.as_ref())
            .set_some("provider_state", next.provider_state.as_ref())
            .set_some("authorize_time", next.authorize_time.as_ref())
            .set_some("close_reason", next.close_reason.as_ref())
            .set_some("package_info", next.package_info.as_ref())
            .set_some("result", next.result.as_ref())
            .set_some("end_date", next.end_date);
        match &next.fail_reason {
            Some(reason) => update.set("fail_reason", reason),
            None => update.remove("fail_reason"),
        };
        if next.state != seen.state {
            update.grow("history", &line(source, next, at));
            if next.state.is_open() && !seen.state.is_open() {
                update.set("due_shard", self.due_shard(&seen.out_authorization_no)).set("due", at + FIRST_LOOK);
            }
            if !next.state.is_open() {
                update.remove("due_shard").remove("due");
            }
        }
        let key = Key::authorization(&seen.merchant, &seen.out_authorization_no);
        let mut writes = vec![self.updating(&key, &update)];
        writes.extend(self.id_of(next, seen.authorization_id.as_deref()));
        self.taken(writes).await
    }

    /// The condition, for a transaction, that transfers may be made under an authorisation.
    pub(super) fn in_effect(&self, merchant: &str, number: &str) -> TransactWriteItem {
        let mut check = Expression::default();
        check.when("state", "=", AuthorizationState::TakingEffect);
        self.checking(&Key::authorization(merchant, number), &check)
    }

    /// Writes whose authorisation a provider's number is, where that was not known before.
    fn id_of(&self, authorization: &Authorization, known: Option<&str>) -> Option<TransactWriteItem> {
        let id = authorization.authorization_id.as_deref().filter(|id| Some(*id) != known)?;
        let mut lookup = Expression::default();
        lookup.set("kind", "authorization_id").set("out_authorization_no", &authorization.out_authorization_no);
        Some(self.updating(&Key::authorization_id(&authorization.merchant, id), &lookup))
    }

    async fn taken(&self, writes: Vec<TransactWriteItem>) -> Result<bool, StoreError> {
        match self.commit(writes).await? {
            Ok(()) => Ok(true),
            Err(Refused::Conditions(_)) => Ok(false),
            Err(Refused::Invalid(what)) => Err(StoreError::new("authorization", what)),
        }
    }
}

/// A line of the item's history.
fn line(source: &str, authorization: &Authorization, at: UnixMs) -> serde_json::Value {
    json!({
        "at": at,
        "source": source,
        "state": authorization.state,
        "provider_state": authorization.provider_state,
        "close_reason": authorization.close_reason,
        "fail_reason": authorization.fail_reason,
    })
}
