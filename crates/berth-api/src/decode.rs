//! Reading JSON as Go's `encoding/json` does, because that is what clients were written against.
//!
//! Three differences from serde's own reading: `null` leaves any field at its zero value, field names match
//! without regard to case, and unknown fields are ignored. Type errors keep the path to the field.

use serde::de::{self, DeserializeOwned, DeserializeSeed, IntoDeserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Error, Map, Value};

/// Reads one document.
///
/// # Errors
/// The document is not JSON, or a field has another type than the API's.
pub fn from_slice<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Error> {
    from_value(serde_json::from_slice(bytes)?)
}

/// Reads a document that is parsed already.
///
/// # Errors
/// A field has another type than the API's.
pub fn from_value<T: DeserializeOwned>(value: Value) -> Result<T, Error> {
    T::deserialize(Lenient(value))
}

/// A deserializer with Go's rules over a parsed value.
struct Lenient(Value);

/// Forwards each method to serde_json, with `null` replaced by the type's zero value.
macro_rules! zero_for_null {
    ($($method:ident => $zero:expr),* $(,)?) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            match self.0 {
                Value::Null => Value::from($zero).$method(visitor),
                value => value.$method(visitor),
            }
        }
    )*};
}

impl<'de> de::Deserializer<'de> for Lenient {
    type Error = Error;

    zero_for_null! {
        deserialize_bool => false, deserialize_i8 => 0, deserialize_i16 => 0, deserialize_i32 => 0,
        deserialize_i64 => 0, deserialize_u8 => 0, deserialize_u16 => 0, deserialize_u32 => 0, deserialize_u64 => 0,
        deserialize_f32 => 0.0, deserialize_f64 => 0.0, deserialize_str => "", deserialize_string => "",
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.0.deserialize_any(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.0 {
            Value::Null => visitor.visit_none(),
            value => visitor.visit_some(Lenient(value)),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.0 {
            Value::Null => visitor.visit_seq(Items(Vec::new().into_iter())),
            Value::Array(items) => visitor.visit_seq(Items(items.into_iter())),
            other => other.deserialize_seq(visitor),
        }
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, length: usize, visitor: V) -> Result<V::Value, Error> {
        match self.0 {
            Value::Null => visitor.visit_seq(Items(vec![Value::Null; length].into_iter())),
            other => Lenient(other).deserialize_seq(visitor),
        }
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.0 {
            Value::Null => visitor.visit_map(Entries::new(Map::new(), &[])),
            Value::Object(map) => visitor.visit_map(Entries::new(map, &[])),
            other => other.deserialize_map(visitor),
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        match self.0 {
            Value::Null => visitor.visit_map(Entries::new(Map::new(), fields)),
            Value::Object(map) => visitor.visit_map(Entries::new(map, fields)),
            // serde would take a list for the fields in order.
            Value::Array(_) => Err(de::Error::invalid_type(de::Unexpected::Seq, &visitor)),
            other => other.deserialize_struct(name, fields, visitor),
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.0.deserialize_enum(name, variants, visitor)
    }

    serde::forward_to_deserialize_any! {
        i128 u128 char bytes byte_buf unit unit_struct tuple_struct identifier ignored_any
    }
}

struct Items(std::vec::IntoIter<Value>);

impl<'de> SeqAccess<'de> for Items {
    type Error = Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Error> {
        self.0.next().map(|item| seed.deserialize(Lenient(item))).transpose()
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.0.len())
    }
}

/// An object's entries; names are folded to the spelling in `fields` where one matches.
struct Entries {
    entries: serde_json::map::IntoIter,
    fields: &'static [&'static str],
    current: Option<(String, Value)>,
}

impl Entries {
    fn new(mut map: Map<String, Value>, fields: &'static [&'static str]) -> Self {
        fold_case(&mut map, fields);
        Self { entries: map.into_iter(), fields, current: None }
    }
}

/// Renames keys that differ from a field's name only in case. An exact spelling wins over a folded one.
fn fold_case(map: &mut Map<String, Value>, fields: &'static [&'static str]) {
    let odd: Vec<String> = map.keys().filter(|key| !fields.contains(&key.as_str())).cloned().collect();
    for key in odd {
        let Some(field) = fields.iter().find(|field| field.eq_ignore_ascii_case(&key)) else { continue };
        if let Some(value) = map.remove(&key)
            && !map.contains_key(*field)
        {
            map.insert((*field).to_owned(), value);
        }
    }
}

impl<'de> MapAccess<'de> for Entries {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Error> {
        self.current = self.entries.next();
        match &self.current {
            Some((key, _)) => {
                let key: de::value::StrDeserializer<'_, Error> = key.as_str().into_deserializer();
                seed.deserialize(key).map(Some)
            }
            None => Ok(None),
        }
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Error> {
        let (key, value) =
            self.current.take().ok_or_else(|| de::Error::custom("a value was asked for before its key"))?;
        let known = self.fields.contains(&key.as_str());
        seed.deserialize(Lenient(value)).map_err(|error| match known {
            true => de::Error::custom(format_args!("{key}: {error}")),
            false => error,
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests fail by panicking")]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[derive(Debug, Default, PartialEq, serde::Deserialize)]
    #[serde(default, rename_all = "PascalCase")]
    struct Sample {
        name: String,
        count: i64,
        list: Option<Vec<String>>,
        keys: BTreeMap<String, crate::Empty>,
        inner: Option<Box<Sample>>,
        size: [u32; 2],
    }

    fn read(text: &str) -> Sample {
        from_slice(text.as_bytes()).unwrap()
    }

    #[test]
    fn null_is_zero() {
        assert_eq!(
            read(r#"{"Name":null,"Count":null,"List":null,"Keys":null,"Inner":null,"Size":null}"#),
            Sample::default()
        );
    }

    #[test]
    fn names_fold_and_unknown_fields_pass() {
        let sample = read(r#"{"name":"a","COUNT":2,"Nope":{"x":1},"keys":{"80/tcp":null},"inner":{"nAme":"b"}}"#);
        assert_eq!((sample.name.as_str(), sample.count), ("a", 2));
        assert!(sample.keys.contains_key("80/tcp"));
        assert_eq!(sample.inner.unwrap().name, "b");
    }

    #[test]
    fn exact_spelling_wins() {
        assert_eq!(read(r#"{"name":"a","Name":"b"}"#).name, "b");
    }

    #[test]
    fn a_type_error_names_the_field() {
        let error = from_slice::<Sample>(br#"{"Inner":{"Count":"x"}}"#).unwrap_err().to_string();
        assert!(error.starts_with("Inner: Count: invalid type: string \"x\""), "{error}");
    }
}
