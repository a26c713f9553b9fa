//! The keys that were parsed so far.

use crypto::cert::Certificate;
use crypto::rsa::{PrivateKey, PublicKey};
use std::cell::RefCell;
use std::collections::HashMap;

/// The keys that were parsed so far: the same usually stands in several nodes. By the digest of their text.
#[derive(Default)]
pub(super) struct Parsed {
    pub private_keys: RefCell<HashMap<String, PrivateKey>>,
    pub public_keys: RefCell<HashMap<String, PublicKey>>,
    pub certificates: RefCell<HashMap<String, Vec<Certificate>>>,
}
