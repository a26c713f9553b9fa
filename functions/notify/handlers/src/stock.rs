//! Where a product's pieces are: on its goods item, and in shards beside it.
//!
//! DynamoDB cancels a transaction while another one is under way on the same item, so one item can be sold from some
//! hundred times a second at most. A product with `stock_shards` is sold from that many items instead. The goods item
//! is what they are filled from: each draws a fair share of what is left there when it runs short, so that one payment
//! in many touches it. Pieces move from the goods item to shards and never back, which is why whoever reads the goods
//! item first and the shards after it may count a piece twice, and never misses one.

use serde_json::{Map, Value};
use shared::crypto::hash::sha256_hex;
use std::cmp::Reverse;
use std::ops::RangeInclusive;

/// The attribute of a shard that names its product. An item that has it is no goods item.
pub(crate) const SHARD_OF: &str = "shard_of";
/// The attribute of a goods item that says how many shards it is sold from.
const SHARDS: &str = "stock_shards";
/// The attribute of a goods item that says how many shards it ever had.
pub(crate) const MOST: &str = "stock_shards_most";
/// How many shards a product may have.
const ALLOWED: RangeInclusive<u8> = 2..=64;

/// The key of a product's shard.
pub(crate) fn shard_id(goods_id: &str, shard: u8) -> String {
    format!("{goods_id}#{shard}")
}

/// Which shards a product has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Layout {
    /// So many are sold from; 0 is none.
    pub(crate) shards: u8,
    /// So many there ever were: those above `shards` may still hold pieces.
    pub(crate) most: u8,
}

impl Layout {
    /// As the goods item says. What is no number in range is none.
    pub(crate) fn of(item: &Map<String, Value>) -> Self {
        let number = |name: &str| item.get(name).and_then(Value::as_u64).and_then(|n| u8::try_from(n).ok());
        Self {
            shards: number(SHARDS).filter(|n| ALLOWED.contains(n)).unwrap_or(0),
            most: number(MOST).unwrap_or(0).min(*ALLOWED.end()),
        }
    }

    /// Whether all of the stock is on the goods item, and ever was.
    pub(crate) const fn is_whole(self) -> bool {
        self.shards == 0 && self.most == 0
    }

    /// How many shards there may be.
    pub(crate) fn count(self) -> u8 {
        self.shards.max(self.most)
    }

    /// The shard that an order takes from, if it can.
    pub(crate) fn own(self, out_trade_no: &str) -> Option<u8> {
        let hash = u32::from_str_radix(&sha256_hex(out_trade_no.as_bytes())[..8], 16).unwrap_or(0);
        u8::try_from(hash.checked_rem(u32::from(self.shards))?).ok()
    }

    /// The others, from the next one on, so that orders do not all look for pieces in the same place.
    pub(crate) fn others(self, own: Option<u8>) -> Vec<u8> {
        let all = 0..self.count();
        match own {
            Some(own) => all.clone().skip(usize::from(own) + 1).chain(all.take(usize::from(own))).collect(),
            None => all.collect(),
        }
    }
}

/// A shard as it was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shard {
    /// It was never filled.
    Absent,
    /// Its key is another item's, or it cannot be counted.
    Taken,
    /// It holds so many pieces.
    Holds(i64),
}

impl Shard {
    pub(crate) fn of(goods_id: &str, item: Option<&Map<String, Value>>) -> Self {
        let Some(item) = item else { return Self::Absent };
        let own = item.get(SHARD_OF).and_then(Value::as_str) == Some(goods_id);
        match item.get("stock").and_then(Value::as_i64).filter(|_| own) {
            Some(stock) => Self::Holds(stock),
            None => Self::Taken,
        }
    }
}

/// Where an order's pieces come from, by its own shard and the goods item alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Split {
    /// Its shard has enough.
    Own,
    /// Its shard first draws so many from the goods item.
    Draw(i64),
    /// The two together have too few.
    Short,
}

/// A shard draws no less than this where there is as much: of ten payments, nine leave the goods item alone even where
/// there are few pieces for many shards.
const LEAST: i64 = 10;

/// Splits an order's pieces between its shard and the goods item. What is drawn is at least what the order lacks, else
/// a fair share: the part of each shard if all that is left were dealt out now. So it shrinks as the goods item empties,
/// and no shard ends up with what many others lack; but not to pieces for a single payment.
pub(crate) fn split(quantity: i64, own: i64, main: i64, shards: u8) -> Split {
    let lacks = quantity.saturating_sub(own);
    if lacks <= 0 {
        return Split::Own;
    }
    if main < lacks {
        return Split::Short;
    }
    let shards = i64::from(shards.max(1));
    let share = main / shards + i64::from(main % shards > 0);
    Split::Draw(share.max(LEAST).min(main).max(lacks))
}

/// A place that has pieces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// The goods item.
    Main,
    /// A shard.
    Shard(u8),
}

/// How many pieces of an order come from which places: all from the first that has enough, else from the fullest ones.
/// `None` when all together have too few.
pub(crate) fn gather(quantity: i64, places: &[(Place, i64)]) -> Option<Vec<(Place, i64)>> {
    if let Some((place, _)) = places.iter().find(|(_, stock)| *stock >= quantity) {
        return Some(vec![(*place, quantity)]);
    }
    let mut fullest: Vec<_> = places.iter().filter(|(_, stock)| *stock > 0).copied().collect();
    fullest.sort_by_key(|(_, stock)| Reverse(*stock));
    let mut lacks = quantity;
    let mut parts = Vec::new();
    for (place, stock) in fullest {
        let part = stock.min(lacks);
        lacks -= part;
        parts.push((place, part));
        if lacks == 0 {
            return Some(parts);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn layout(item: &Value) -> Layout {
        Layout::of(item.as_object().expect("an item"))
    }

    #[test]
    fn only_whole_numbers_from_2_to_64_are_shards() {
        for (shards, count) in [
            (json!(2), 2),
            (json!(64), 64),
            (json!(1), 0),
            (json!(0), 0),
            (json!(65), 0),
            (json!(300), 0),
            (json!(-2), 0),
            (json!("16"), 0),
            (json!(2.5), 0),
            (Value::Null, 0),
        ] {
            assert_eq!(layout(&json!({ "stock_shards": shards })).shards, count, "{shards}");
        }
        assert!(layout(&json!({ "stock": 5 })).is_whole());
        assert_eq!(layout(&json!({ "stock_shards": 8, "stock_shards_most": 16 })).count(), 16);
        assert_eq!(layout(&json!({ "stock_shards_most": 999 })).count(), 0, "what no handler wrote is not looked at");
        assert!(!layout(&json!({ "stock_shards_most": 16 })).is_whole(), "what stands in shards is still found");
    }

    #[test]
    fn every_shard_is_looked_at_once_whichever_comes_first() {
        for shards in [0, 2, 5, 64] {
            let layout = Layout { shards, most: 7 };
            for n in 0..200 {
                let own = layout.own(&format!("ORDER_{n}"));
                assert_eq!(own.is_some(), shards > 0);
                assert!(own.is_none_or(|own| own < shards));
                let mut all: Vec<u8> = layout.others(own).into_iter().chain(own).collect();
                all.sort_unstable();
                assert_eq!(all, (0..layout.count()).collect::<Vec<_>>());
            }
        }
    }

    #[test]
    fn orders_spread_over_the_shards() {
        let layout = Layout { shards: 16, most: 0 };
        let mut counts = [0; 16];
        for n in 0..16_000 {
            counts[usize::from(layout.own(&format!("2026112800{n:06}")).expect("a shard"))] += 1;
        }
        assert!(counts.iter().all(|count| (850..1_150).contains(count)), "{counts:?}");
    }

    #[test]
    fn nothing_that_is_split_is_negative_or_made_up() {
        for (quantity, own, main) in
            (1..=9).flat_map(|q| (0..=9).flat_map(move |own| (0..=40).map(move |m| (q, own, m))))
        {
            for shards in [2, 3, 16, 64] {
                match split(quantity, own, main, shards) {
                    Split::Own => assert!(own >= quantity),
                    Split::Draw(draw) => {
                        assert!(own < quantity && draw > 0 && draw <= main, "{quantity} {own} {main} {shards}: {draw}");
                        assert!(own + draw >= quantity, "{quantity} {own} {main} {shards}: {draw}");
                        let fair = (main + i64::from(shards) - 1) / i64::from(shards);
                        let usual = draw == fair || draw == LEAST.min(main) || draw == quantity - own;
                        assert!(usual && draw >= LEAST.min(main), "{quantity} {own} {main} {shards}: {draw}");
                    }
                    Split::Short => assert!(own + main < quantity),
                }
            }
        }
        assert_eq!(split(i64::MAX, i64::MIN, i64::MAX, 2), Split::Draw(i64::MAX));
    }

    #[test]
    fn what_is_gathered_is_exact_and_refused_only_when_all_together_is_short() {
        for code in 0..4_i64.pow(5) {
            let stocks: Vec<i64> = (0..5).map(|digit| code / 4_i64.pow(digit) % 4).collect();
            let places: Vec<(Place, i64)> = stocks
                .iter()
                .zip(0..)
                .map(|(stock, n)| (if n == 0 { Place::Main } else { Place::Shard(n) }, *stock))
                .collect();
            for quantity in 1..=16 {
                let Some(parts) = gather(quantity, &places) else {
                    assert!(stocks.iter().sum::<i64>() < quantity, "{stocks:?} {quantity}");
                    continue;
                };
                assert_eq!(parts.iter().map(|(_, part)| part).sum::<i64>(), quantity);
                for (place, part) in &parts {
                    assert_eq!(parts.iter().filter(|(other, _)| other == place).count(), 1, "two writes to one item");
                    let stock = places.iter().find(|(other, _)| other == place).expect("a place").1;
                    assert!(*part > 0 && *part <= stock, "{stocks:?} {quantity}: {parts:?}");
                }
                assert!(parts.len() == 1 || stocks.iter().all(|stock| *stock < quantity), "one place had enough");
            }
        }
    }

    /// A sale of single pieces, one after the other. How often the goods item was drawn from.
    fn sell_out(stock: i64, shards: u8) -> usize {
        let layout = Layout { shards, most: 0 };
        let (mut main, mut held, mut drawn) = (stock, vec![0; usize::from(shards)], 0);
        for n in 0..stock {
            let own = layout.own(&format!("ORDER_{n}")).expect("a shard");
            let at = usize::from(own);
            match split(1, held[at], main, shards) {
                Split::Own => held[at] -= 1,
                Split::Draw(draw) => {
                    main -= draw;
                    held[at] += draw - 1;
                    drawn += 1;
                }
                Split::Short => {
                    let others: Vec<_> =
                        layout.others(Some(own)).iter().map(|n| (Place::Shard(*n), held[usize::from(*n)])).collect();
                    let [(Place::Shard(n), 1)] = gather(1, &others).expect("a piece is left")[..] else {
                        panic!("one piece of one shard")
                    };
                    held[usize::from(n)] -= 1;
                }
            }
            assert!(main >= 0 && held.iter().all(|stock| *stock >= 0));
            assert_eq!(main + held.iter().sum::<i64>(), stock - n - 1);
        }
        drawn
    }

    #[test]
    fn every_piece_is_sold_and_few_payments_touch_the_goods_item() {
        for (stock, shards, most) in
            [(1, 2, 1), (7, 16, 1), (400, 64, 40), (1_000, 16, 90), (10_000, 16, 120), (10_000, 64, 320)]
        {
            let drawn = sell_out(stock, shards);
            assert!(drawn <= most, "{stock} pieces of {shards} shards: drawn {drawn} times");
        }
    }
}
