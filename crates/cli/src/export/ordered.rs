//! JSON with its members in the order in which the format's own program writes them.

use serde::ser::{SerializeMap as _, SerializeSeq as _};
use serde::{Serialize, Serializer};
use serde_json::Value;

/// A value whose known members come first, in `order`; the others follow by name.
pub struct Ordered<'a> {
    /// The value.
    pub value: &'a Value,
    /// The known members, of objects at any depth.
    pub order: &'a [&'a str],
}

impl Serialize for Ordered<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let order = self.order;
        match self.value {
            Value::Object(members) => {
                let known = |name: &str| order.iter().position(|known| *known == name).unwrap_or(usize::MAX);
                let mut members: Vec<_> = members.iter().collect();
                members.sort_by_key(|(name, _)| (known(name), *name));
                let mut map = serializer.serialize_map(Some(members.len()))?;
                for (name, value) in members {
                    map.serialize_entry(name, &Ordered { value, order })?;
                }
                map.end()
            }
            Value::Array(items) => {
                let mut sequence = serializer.serialize_seq(Some(items.len()))?;
                for value in items {
                    sequence.serialize_element(&Ordered { value, order })?;
                }
                sequence.end()
            }
            other => other.serialize(serializer),
        }
    }
}
