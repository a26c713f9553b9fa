//! What must be true from outside, as one test binary; modules by intent.

mod alipay_answers;
mod alipay_callbacks;
mod alipay_create;
mod alipay_gateway;
mod alipay_kit;
mod alipay_vectors;
