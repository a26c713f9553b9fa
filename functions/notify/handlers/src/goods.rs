//! `goods`: takes stock and writes the goods order. A product may be sold from shards: see `stock`.

use crate::stock::{Layout, MOST, Place, SHARD_OF, Shard, Split, gather, shard_id, split};
use crate::{integer, text};
use futures::future::try_join_all;
use serde_json::{Map, Value, json};
use shared::payments::{Draft, HandlerError, PaidOrder, Tables};
use shared::store::{Condition, Write};

const QUANTITY: std::ops::RangeInclusive<i64> = 1..=9999;
const TABLE: &str = "goods";
/// How many shards are looked into at once.
const AT_ONCE: usize = 8;

pub(crate) fn check(draft: &Draft<'_>) -> Result<(), String> {
    text(draft.custom, "goods_id")?;
    integer(draft.custom, "quantity", QUANTITY).map(|_| ())
}

pub(crate) async fn goods(paid: &PaidOrder<'_>, tables: &Tables<'_>) -> Result<Vec<Write>, HandlerError> {
    let order = paid.order;
    let goods_id = text(&order.custom, "goods_id").map_err(HandlerError::Refused)?;
    let quantity = integer(&order.custom, "quantity", QUANTITY).map_err(HandlerError::Refused)?.unwrap_or(1);
    // Reading costs no conflict, whatever is under way on the item. A shard is no product: it has no price.
    let item = tables.get(TABLE, goods_id).await?.filter(|item| !item.contains_key(SHARD_OF));
    let item = &item.ok_or_else(|| HandlerError::refused("商品不存在"))?;
    // The dearest price that the payment covers.
    let covered = i64::try_from(order.total_fee.0).unwrap_or(i64::MAX) / quantity;
    let sale = Sale { goods_id, quantity, covered, item };
    let layout = Layout::of(item);
    let mut writes = match layout.is_whole() {
        true => vec![sale.whole(tables.contested())?],
        false => sale.sharded(tables, layout, &order.out_trade_no).await?,
    };
    writes.push(Write::insert("goods_orders", &order.out_trade_no, goods_order(paid, goods_id, quantity)));
    Ok(writes)
}

/// What is sold, with its goods item as it was read.
struct Sale<'a> {
    goods_id: &'a str,
    quantity: i64,
    covered: i64,
    item: &'a Map<String, Value>,
}

impl Sale<'_> {
    /// How many pieces the goods item has.
    fn stock(&self) -> Option<i64> {
        self.item.get("stock").and_then(Value::as_i64)
    }

    /// The price as it was read, which is covered: where the goods item is written, it must be that still.
    fn price(&self) -> Result<Condition, HandlerError> {
        match self.item.get("price") {
            Some(price) if price.as_i64().is_some_and(|price| price > self.covered) => {
                Err(HandlerError::refused("支付金额低于商品价格"))
            }
            Some(price) => Ok(Condition::Equals("price".to_owned(), price.clone())),
            None => Ok(Condition::Missing("price".to_owned())),
        }
    }

    /// Takes all from the goods item. Its conditions say the rest until they are refused.
    fn whole(&self, contested: bool) -> Result<Write, HandlerError> {
        if !contested {
            return Ok(self.take_from_main(self.quantity, Condition::NotAbove("price".to_owned(), self.covered)));
        }
        if self.stock().is_none_or(|stock| stock < self.quantity) {
            return Err(HandlerError::refused("库存不足"));
        }
        Ok(self.take_from_main(self.quantity, self.price()?))
    }

    /// Takes the pieces from where they are: the order's shard, the goods item through it, else wherever some are left.
    async fn sharded(&self, tables: &Tables<'_>, layout: Layout, no: &str) -> Result<Vec<Write>, HandlerError> {
        let price = self.price()?;
        let main = self.stock().unwrap_or(0);
        let mut places = vec![(Place::Main, main)];
        let own = layout.own(no);
        if let Some(own) = own {
            let shard = self.shard(tables, own).await?;
            let held = if let Shard::Holds(held) = shard { held } else { 0 };
            match split(self.quantity, held, main, layout.shards) {
                // Its key is another item's: the goods item serves its orders.
                _ if shard == Shard::Taken => {}
                Split::Own => return Ok(vec![self.take_from_shard(own, self.quantity)]),
                Split::Draw(draw) => {
                    return Ok(vec![self.drawn(draw, layout, price), self.filled(own, shard, draw)]);
                }
                Split::Short => places.push((Place::Shard(own), held)),
            }
        }
        if main < self.quantity {
            places.extend(self.elsewhere(tables, &layout.others(own)).await?);
        }
        let parts = gather(self.quantity, &places).ok_or_else(|| HandlerError::refused("库存不足"))?;
        let from = |(place, part)| match place {
            Place::Main => self.take_from_main(part, price.clone()),
            Place::Shard(n) => self.take_from_shard(n, part),
        };
        Ok(parts.into_iter().map(from).collect())
    }

    /// What the other shards hold, up to the first that has enough.
    async fn elsewhere(&self, tables: &Tables<'_>, others: &[u8]) -> Result<Vec<(Place, i64)>, HandlerError> {
        let mut places = Vec::new();
        for some in others.chunks(AT_ONCE) {
            let shards = try_join_all(some.iter().map(|n| self.shard(tables, *n))).await?;
            for (n, shard) in some.iter().zip(shards) {
                if let Shard::Holds(held) = shard {
                    places.push((Place::Shard(*n), held));
                }
            }
            if places.iter().any(|(_, held)| *held >= self.quantity) {
                break;
            }
        }
        Ok(places)
    }

    async fn shard(&self, tables: &Tables<'_>, shard: u8) -> Result<Shard, HandlerError> {
        let item = tables.get(TABLE, &shard_id(self.goods_id, shard)).await?;
        Ok(Shard::of(self.goods_id, item.as_ref()))
    }

    /// The write of the goods item, which must not be some product's shard.
    fn main(&self, change: i64, price: Condition) -> Write {
        Write::update(TABLE, self.goods_id)
            .add("stock", change)
            .when(Condition::AtLeast("stock".to_owned(), change.saturating_neg()))
            .when(price)
            .when(Condition::Missing(SHARD_OF.to_owned()))
    }

    fn take_from_main(&self, pieces: i64, price: Condition) -> Write {
        self.main(-pieces, price).add("sales", pieces)
    }

    fn take_from_shard(&self, shard: u8, pieces: i64) -> Write {
        Write::update(TABLE, &shard_id(self.goods_id, shard))
            .add("stock", -pieces)
            .add("sales", pieces)
            .when(Condition::AtLeast("stock".to_owned(), pieces))
            .when(Condition::Equals(SHARD_OF.to_owned(), json!(self.goods_id)))
    }

    /// The goods item gives a share to a shard, and notes how many shards there are before the first of them is filled.
    fn drawn(&self, draw: i64, layout: Layout, price: Condition) -> Write {
        let main = self.main(-draw, price);
        match layout.most < layout.shards {
            true => main.set(MOST, layout.shards).when(Condition::NotAbove(MOST.to_owned(), layout.shards.into())),
            false => main,
        }
    }

    /// A shard gets its share, and the order its pieces of it. Of two orders that would fill it, the second finds it full.
    fn filled(&self, shard: u8, found: Shard, draw: i64) -> Write {
        let id = shard_id(self.goods_id, shard);
        let (left, lowest) = (draw - self.quantity, self.quantity.saturating_sub(draw));
        if found == Shard::Absent {
            return Write::insert(TABLE, &id, Map::new())
                .set(SHARD_OF, self.goods_id)
                .set("stock", left)
                .set("sales", self.quantity);
        }
        Write::update(TABLE, &id)
            .add("stock", left)
            .add("sales", self.quantity)
            .when(Condition::AtLeast("stock".to_owned(), lowest))
            .when(Condition::NotAbove("stock".to_owned(), self.quantity - 1))
            .when(Condition::Equals(SHARD_OF.to_owned(), json!(self.goods_id)))
    }
}

fn goods_order(paid: &PaidOrder<'_>, goods_id: &str, quantity: i64) -> Map<String, Value> {
    let fields = [
        ("out_trade_no", json!(paid.order.out_trade_no)),
        ("user_id", json!(paid.user_id())),
        ("goods_id", json!(goods_id)),
        ("quantity", json!(quantity)),
        ("status", json!("paid")),
        ("create_date", json!(paid.now)),
    ];
    fields.into_iter().filter(|(_, v)| !v.is_null()).map(|(k, v)| (k.to_owned(), v)).collect()
}
