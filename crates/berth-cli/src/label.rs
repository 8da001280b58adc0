//! Labels in lists: all of them in one cell, and one that a template names (`{{.Label "com.example.version"}}`).

use std::collections::BTreeMap;
use std::rc::Rc;

use berth_template::{Function, Value};

/// `name=value` pairs, separated by commas.
pub(crate) fn line(labels: &BTreeMap<String, String>) -> String {
    labels.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(",")
}

/// The member of a row that gives the value of a label.
pub(crate) fn member(labels: BTreeMap<String, String>) -> (String, Value) {
    function(move |args| {
        let name = args.first().and_then(Value::as_str).ok_or("wrong number of args for Label: want 1")?;
        Ok(Value::text(labels.get(name).map_or("", String::as_str)))
    })
}

/// The member of a row of headings: the end of a label's name, as words.
pub(crate) fn heading() -> (String, Value) {
    function(|args| {
        let name = args.first().and_then(Value::as_str).unwrap_or_default();
        Ok(Value::text(name.rsplit('.').next().unwrap_or_default().replace(['-', '_'], " ")))
    })
}

fn function(label: impl Fn(&[Value]) -> Result<Value, String> + 'static) -> (String, Value) {
    ("Label".to_owned(), Value::Function(Function(Rc::new(label))))
}
