//! What must be true from outside, as one test binary; modules by intent.

mod alipay_answers;
mod alipay_callbacks;
mod alipay_create;
mod alipay_gateway;
mod alipay_kit;
mod alipay_vectors;
mod crypto;
mod docs;
mod emulator;
mod envelope;
mod events;
mod flow;
mod hostile;
mod orders;
mod refunds;
mod world;
mod wxpay_callback;
mod wxpay_certificates;
mod wxpay_kit;
mod wxpay_orders;
mod wxpay_refunds;
mod wxpay_signing;
mod wxpay_v2;
mod wxpay_xml;
