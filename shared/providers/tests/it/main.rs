//! The drivers against servers in the providers' places, published vectors and keys of their own.

#![allow(
    clippy::unwrap_used,
    clippy::too_many_lines,
    unreachable_pub,
    reason = "a test fails by unwrapping, reads from top to bottom, and is seen by nobody"
)]

mod alipay_answers;
mod alipay_callbacks;
mod alipay_create;
mod alipay_gateway;
mod alipay_kit;
mod alipay_sharing;
mod alipay_vectors;
mod bills_files;
mod providers_vectors;
mod wxpay_callback;
mod wxpay_certificates;
mod wxpay_kit;
mod wxpay_orders;
mod wxpay_refunds;
mod wxpay_requests;
mod wxpay_sharing;
mod wxpay_shipping;
mod wxpay_signing;
mod wxpay_v2;
mod wxpay_xml;
