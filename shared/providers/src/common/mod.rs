//! What several providers speak.

pub(crate) mod body;
pub mod members;
pub mod raw;
pub(crate) mod store;
pub mod url;
pub(crate) mod wechat_api;
pub(crate) mod wechat_complaint;
pub(crate) mod wechat_login;
pub(crate) mod wechat_push;
pub mod xml;
