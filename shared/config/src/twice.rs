//! Keys that an object of a document has twice. The parser keeps the last of them and says nothing, so that a whole
//! section may be gone.

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use std::collections::BTreeSet;
use std::fmt;

/// What is wrong with such a key.
pub(super) const TWICE: &str = "is there twice; only one of them can be meant";

/// The path of the first key that is there twice, if there is one. What is no JSON has none.
pub(super) fn first(text: &str) -> Option<String> {
    let mut found = None;
    let mut reader = serde_json::Deserializer::from_str(text);
    let looked = Look { path: String::new(), found: &mut found }.deserialize(&mut reader);
    looked.err().and(found)
}

/// Looks through a value, whose path this is, and stops at the first.
struct Look<'a> {
    path: String,
    found: &'a mut Option<String>,
}

impl<'de> DeserializeSeed<'de> for Look<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, value: D) -> Result<(), D::Error> {
        value.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Look<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut seen = BTreeSet::new();
        while let Some(key) = map.next_key::<String>()? {
            let path = if self.path.is_empty() { key.clone() } else { format!("{}.{key}", self.path) };
            if !seen.insert(key) {
                *self.found = Some(path);
                return Err(A::Error::custom("a key is there twice"));
            }
            map.next_value_seed(Look { path, found: &mut *self.found })?;
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        while list.next_element_seed(Look { path: self.path.clone(), found: &mut *self.found })?.is_some() {}
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::first;

    #[test]
    fn the_first_key_that_is_there_twice_is_named_by_its_path() {
        for (text, path) in [
            (r#"{"a":1,"b":{"a":2,"c":[{"a":3},{"a":4}]}}"#, None),
            (r#"{"wxpay":{"h5":{}},"wxpay":{}}"#, Some("wxpay")),
            (r#"{"wxpay":{"h5":{"appId":"1","mchId":"2","appId":"3"}}}"#, Some("wxpay.h5.appId")),
            (r#"{"a":[{"b":1,"b":2}]}"#, Some("a.b")),
            (r#"{"a":1.5,"b":-2,"c":null,"d":true,"\u0061":0}"#, Some("a")),
            ("{", None),
        ] {
            assert_eq!(first(text).as_deref(), path, "{text}");
        }
    }
}
