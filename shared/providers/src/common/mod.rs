//! What several providers speak.

pub mod members;
pub mod raw;
pub mod xml;
