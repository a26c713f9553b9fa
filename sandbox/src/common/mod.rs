//! What several providers speak.

pub(crate) mod authority;
pub(crate) mod jws;
