//! JSON in and out of [`Value`], order kept, spelled as Go's encoder spells it (HTML characters left alone).

use std::fmt::{self, Write as _};
use std::rc::Rc;

use serde::de::{DeserializeSeed, MapAccess, SeqAccess, Visitor};

use crate::{Object, Value};

/// What JSON alone does not tell about an object: which maps are free, which members may be left out, and
/// what an empty list or map looks like. Everything goes by member names; parents are named by their own key.
#[derive(Debug, Clone, Copy, Default)]
pub struct Shape {
    /// Members whose value is a free map, also when it is null; `Parent.Member` where the name alone would not do.
    pub maps: &'static [&'static str],
    /// Members whose value is a list, also when it is null.
    pub lists: &'static [&'static str],
    /// (parent, members that JSON leaves out when empty); the outermost object's name is "".
    pub optional: &'static [(&'static str, &'static [&'static str])],
    /// Those of `optional` that are empty text rather than nothing, in the same form.
    pub texts: &'static [(&'static str, &'static [&'static str])],
}

impl Value {
    /// Parses JSON text.
    pub fn from_json(text: &str, shape: &Shape) -> Result<Self, serde_json::Error> {
        let mut reader = serde_json::Deserializer::from_str(text);
        let value = Seed { shape, parent: "", free: false }.deserialize(&mut reader)?;
        reader.end()?;
        Ok(value)
    }

    /// Converts anything that can be serialised; members come in the order of its JSON.
    pub fn from_serialize(value: &impl serde::Serialize, shape: &Shape) -> Result<Self, serde_json::Error> {
        Self::from_json(&serde_json::to_string(value)?, shape)
    }
}

#[derive(Clone, Copy)]
struct Seed<'a> {
    shape: &'a Shape,
    parent: &'a str,
    free: bool,
}

impl<'a> Seed<'a> {
    fn member<'b>(&self, key: &'b str) -> Seed<'b>
    where
        'a: 'b,
    {
        let free = self.shape.maps.iter().any(|name| match name.split_once('.') {
            Some((parent, member)) => parent == self.parent && member == key,
            None => *name == key,
        });
        Seed { shape: self.shape, parent: key, free: free && !self.free }
    }

    /// The members that exist though the JSON does not have them.
    fn left_out(&self, members: &[(String, Value)]) -> Vec<(String, Value)> {
        let optional = self.shape.optional.iter().find(|(parent, _)| *parent == self.parent).map_or(&[][..], |o| o.1);
        let missing = optional.iter().filter(|name| members.iter().all(|(key, _)| key != *name));
        let texts = self.shape.texts.iter().find(|(parent, _)| *parent == self.parent).map_or(&[][..], |o| o.1);
        let value = |name: &str| if texts.contains(&name) { Value::text("") } else { self.member(name).of_null() };
        missing.map(|name| ((*name).to_owned(), value(name))).collect()
    }

    fn of_null(&self) -> Value {
        if self.free {
            Value::NilMap
        } else if self.shape.lists.contains(&self.parent) {
            Value::NilList
        } else {
            Value::Nil
        }
    }
}

impl<'de> DeserializeSeed<'de> for Seed<'_> {
    type Value = Value;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Seed<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(self.of_null())
    }

    fn visit_bool<E>(self, v: bool) -> Result<Value, E> {
        Ok(Value::Bool(v))
    }

    fn visit_i64<E>(self, v: i64) -> Result<Value, E> {
        Ok(Value::Int(v))
    }

    fn visit_u64<E>(self, v: u64) -> Result<Value, E> {
        Ok(i64::try_from(v).map_or(Value::Float(v as f64), Value::Int))
    }

    fn visit_f64<E>(self, v: f64) -> Result<Value, E> {
        Ok(Value::Float(v))
    }

    fn visit_str<E>(self, v: &str) -> Result<Value, E> {
        Ok(Value::text(v))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        let inner = Seed { free: false, ..self };
        while let Some(item) = seq.next_element_seed(inner)? {
            items.push(item);
        }
        Ok(Value::list(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut members = Vec::new();
        while let Some(key) = map.next_key::<String>()? {
            let value = map.next_value_seed(self.member(&key))?;
            members.push((key, value));
        }
        let hidden = if self.free { Vec::new() } else { self.left_out(&members) };
        Ok(Value::Object(Rc::new(Object { members, hidden, free: self.free, ..Object::default() })))
    }
}

/// One line of JSON.
pub fn to_json(value: &Value) -> String {
    let mut out = String::new();
    write(&mut out, value, None, 0);
    out
}

/// JSON over several lines, each level indented by `indent`.
pub fn to_indented(value: &Value, indent: &str) -> String {
    let mut out = String::new();
    write(&mut out, value, Some(indent), 0);
    out
}

fn newline(out: &mut String, indent: Option<&str>, level: usize) {
    if let Some(indent) = indent {
        out.push('\n');
        (0..level).for_each(|_| out.push_str(indent));
    }
}

fn write(out: &mut String, value: &Value, indent: Option<&str>, level: usize) {
    match value {
        Value::Nil | Value::NoValue | Value::NilList | Value::NilMap | Value::Function(_) => out.push_str("null"),
        Value::Bool(b) => out.push_str(if *b { "true" } else { "false" }),
        Value::Int(n) => _ = write!(out, "{n}"),
        Value::Float(n) => _ = write!(out, "{n}"),
        Value::String(s) => write_string(out, s, false),
        Value::List(items) if items.is_empty() => out.push_str("[]"),
        Value::List(items) => {
            for (i, item) in items.iter().enumerate() {
                out.push(if i == 0 { '[' } else { ',' });
                newline(out, indent, level + 1);
                write(out, item, indent, level + 1);
            }
            newline(out, indent, level);
            out.push(']');
        }
        Value::Object(object) => {
            let mut open = '{';
            for (key, member) in object.members.iter().filter(|m| !matches!(m.1, Value::Function(_))) {
                out.push(open);
                open = ',';
                newline(out, indent, level + 1);
                write_string(out, key, false);
                out.push_str(if indent.is_some() { ": " } else { ":" });
                match member {
                    // Go's formatters write their rows with HTML characters escaped.
                    Value::String(s) if object.escaped => write_string(out, s, true),
                    member => write(out, member, indent, level + 1),
                }
            }
            if open == '{' {
                out.push('{');
            } else {
                newline(out, indent, level);
            }
            out.push('}');
        }
    }
}

fn write_string(out: &mut String, text: &str, html: bool) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '<' | '>' | '&' if html => _ = write!(out, "\\u{:04x}", u32::from(c)),
            '\u{2028}' | '\u{2029}' | '\0'..='\u{1f}' => {
                _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            _ => out.push(c),
        }
    }
    out.push('"');
}
