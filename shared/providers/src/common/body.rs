//! Bodies whose very text is signed, or read in its order: a struct says which fields, and in which order.

use serde::Serialize;

/// The JSON text of a body, its fields as they stand in its struct.
///
/// # Panics
/// Never for a struct of texts, numbers, lists and maps.
pub(crate) fn text_of(body: &impl Serialize) -> String {
    serde_json::to_string(body).expect("texts, numbers, lists and maps with texts for names can be written")
}
