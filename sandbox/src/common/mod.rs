//! What several providers speak.

pub(crate) mod authority;
pub(crate) mod jws;
pub(crate) mod mini_program;
