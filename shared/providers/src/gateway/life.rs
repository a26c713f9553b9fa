//! How long a provider takes money for what a payer was given, where we can know it; and how far ahead an order may end.

use super::{Gateway, Node};
use crate::huawei;
use domain::{Attempt, Order};

const MINUTE: i64 = 60_000;
const DAY: i64 = 24 * 60 * MINUTE;
/// Where the provider names no limit, an order lives no longer than this.
const NO_LIMIT_NAMED: i64 = 7 * DAY;
/// ecpay's `valid_time`, and taken for the trade system's `payExpireSeconds`, whose limit is not public.
const DOUYIN: std::ops::RangeInclusive<i64> = 5 * MINUTE..=2 * DAY;
/// Huawei's `expireTime`.
const HUAWEI: i64 = 180 * DAY;
/// How long a link of VksPay or of an epay site may be paid after it was given out: not public, so a week is assumed.
const LINK: i64 = 7 * DAY;
/// WeChat's session key, which signs the parameters of a virtual payment.
const SESSION: i64 = 3 * DAY;
/// After that, what a provider has is taken to be told.
const MARGIN: i64 = DAY;

impl Gateway {
    /// The longest that a new order may live here, ms. The products of WeChat Pay and Alipay check their own limits
    /// too.
    pub fn longest_life(&self, attempt: &Attempt) -> i64 {
        match &self.node {
            Node::Alipay(_) => 15 * DAY,
            Node::Douyin(node) if !node.can_close() => *DOUYIN.end(),
            Node::Huawei(_) if !huawei::is_iap(attempt) => HUAWEI,
            Node::Wxpay(_)
            | Node::Apple(_)
            | Node::Vkspay(_)
            | Node::Virtual(_)
            | Node::Douyin(_)
            | Node::Huawei(_) => NO_LIMIT_NAMED,
        }
    }

    /// Until when an attempt that its provider did not close is asked about, Unix ms: as long as the provider itself
    /// takes money for it, and a day more. Where the order's own end was sent and binds, or where nothing can be
    /// asked for (app stores), that is the order's end.
    pub fn watched_until(&self, order: &Order, attempt: &Attempt) -> i64 {
        let end = order.time_expire;
        match &self.node {
            Node::Wxpay(_) | Node::Alipay(_) | Node::Apple(_) => end,
            Node::Douyin(node) if node.can_close() => end,
            Node::Huawei(_) if huawei::is_iap(attempt) => end,
            Node::Huawei(_) => end + MARGIN,
            // What is shorter than they take is sent as the shortest.
            Node::Douyin(_) => end.max(attempt.create_date + DOUYIN.start()) + MARGIN,
            Node::Vkspay(_) => end + LINK + MARGIN,
            Node::Virtual(_) => end + SESSION + MARGIN,
        }
    }
}
