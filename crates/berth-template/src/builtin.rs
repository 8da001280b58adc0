//! The functions templates may call: Go's own and Docker's (`json split join title lower upper pad truncate`).

use std::cmp::Ordering;
use std::rc::Rc;

use gotmpl::parse::{CommandNode, Expr, ListNode, Node, PipeNode};

use crate::{ParseError, Value, json};

const NAMES: &[&str] = &[
    "and", "or", "not", "len", "index", "slice", "print", "printf", "println", "html", "js", "urlquery", "call", "eq",
    "ne", "lt", "le", "gt", "ge", "json", "split", "join", "title", "lower", "upper", "pad", "truncate",
];

/// Refuses a template that names a function or a variable which does not exist.
pub(crate) fn check(tree: &ListNode) -> Result<(), ParseError> {
    let mut declared = vec!["$".to_owned()];
    check_list(tree, &mut declared)
}

fn check_list(tree: &ListNode, declared: &mut Vec<String>) -> Result<(), ParseError> {
    tree.nodes.iter().try_for_each(|node| check_node(node, declared))
}

fn check_node(node: &Node, declared: &mut Vec<String>) -> Result<(), ParseError> {
    match node {
        Node::List(list) => check_list(list, declared),
        Node::Action(action) => check_pipe(&action.pipe, declared),
        Node::If(branch) | Node::Range(branch) | Node::With(branch) => {
            check_pipe(&branch.pipe, declared)?;
            check_list(&branch.body, declared)?;
            branch.else_body.as_ref().map_or(Ok(()), |body| check_list(body, declared))
        }
        Node::Template(call) => call.pipe.as_ref().map_or(Ok(()), |pipe| check_pipe(pipe, declared)),
        Node::Define(define) => check(&define.body),
        Node::Text(_) | Node::Break(_) | Node::Continue(_) => Ok(()),
    }
}

fn check_pipe(pipe: &PipeNode, declared: &mut Vec<String>) -> Result<(), ParseError> {
    for expr in pipe.commands.iter().flat_map(|CommandNode { args, .. }| args) {
        check_expr(expr, declared)?;
    }
    declared.extend(pipe.decl.iter().map(ToString::to_string));
    Ok(())
}

fn check_expr(expr: &Expr, declared: &mut Vec<String>) -> Result<(), ParseError> {
    match expr {
        Expr::Identifier(pos, name) if !NAMES.contains(&name.as_str()) => Err(ParseError {
            template: String::new(),
            line: pos.line,
            message: format!("function \"{name}\" not defined"),
        }),
        Expr::Variable(pos, name, _) if declared.iter().all(|known| known != name.as_str()) => Err(ParseError {
            template: String::new(),
            line: pos.line,
            message: format!("undefined variable \"{name}\""),
        }),
        Expr::Pipe(_, pipe) => check_pipe(pipe, declared),
        Expr::Chain(_, inner, _) => check_expr(inner, declared),
        _ => Ok(()),
    }
}

/// Calls a function. For a header line (`headers`), what would change a heading returns it as it is.
pub(crate) fn call(name: &str, args: &[Value], headers: bool) -> Result<Value, String> {
    if headers && matches!(name, "json" | "title" | "lower" | "upper" | "truncate" | "split" | "join") {
        return Ok(args.first().cloned().unwrap_or(Value::Nil));
    }
    match (name, args) {
        ("not", [a]) => Ok(Value::Bool(!a.is_true())),
        ("len", [a]) => a.len().map(|n| Value::Int(n as i64)).ok_or_else(|| format!("len of type {}", a.type_name())),
        ("index", [first, keys @ ..]) => keys.iter().try_fold(first.clone(), |value, key| index(&value, key)),
        ("slice", [first, bounds @ ..]) => slice(first, bounds),
        ("print", _) => Ok(Value::text(print(args))),
        ("println", _) => Ok(Value::text(args.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ") + "\n")),
        ("html" | "js" | "urlquery", []) => Ok(Value::text("")),
        ("printf" | "html" | "js" | "urlquery", _) => borrowed(name, args),
        ("eq", [first, others @ ..]) if !others.is_empty() => {
            others.iter().try_fold(false, |found, other| Ok(found || equal(first, other)?)).map(Value::Bool)
        }
        ("eq", [_]) => Err("missing argument for comparison".to_owned()),
        ("ne", [a, b]) => equal(a, b).map(|same| Value::Bool(!same)),
        ("lt", [a, b]) => order(a, b).map(|o| Value::Bool(o == Ordering::Less)),
        ("le", [a, b]) => order(a, b).map(|o| Value::Bool(o != Ordering::Greater)),
        ("gt", [a, b]) => order(a, b).map(|o| Value::Bool(o == Ordering::Greater)),
        ("ge", [a, b]) => order(a, b).map(|o| Value::Bool(o != Ordering::Less)),
        ("call", [Value::Function(f), rest @ ..]) => (f.0)(rest),
        ("json", [a]) => Ok(Value::text(json::to_json(a))),
        ("split", [text, separator]) => split(string(text)?, string(separator)?),
        ("join", [list, separator]) => join(list, string(separator)?),
        ("title", [a]) => Ok(Value::text(title(string(a)?))),
        ("lower", [a]) => Ok(Value::text(string(a)?.to_lowercase())),
        ("upper", [a]) => Ok(Value::text(string(a)?.to_uppercase())),
        ("pad", [text, before, after]) => pad(string(text)?, before, after),
        ("truncate", [text, length]) => truncate(string(text)?, length),
        _ => Err(format!("wrong number of args for {name}: got {}", args.len())),
    }
}

fn string(value: &Value) -> Result<&str, String> {
    value.as_str().ok_or_else(|| format!("wrong type for value; expected string; got {}", value.type_name()))
}

fn index(value: &Value, key: &Value) -> Result<Value, String> {
    match (value, key) {
        // Go's own check is off by one; the next one catches it.
        (Value::List(items), Value::Int(i)) if *i == items.len() as i64 => {
            Err("reflect: slice index out of range".to_owned())
        }
        (Value::NilList, Value::Int(0)) => Err("reflect: slice index out of range".to_owned()),
        (Value::List(items), Value::Int(i)) => usize::try_from(*i)
            .ok()
            .and_then(|i| items.get(i).cloned())
            .ok_or_else(|| format!("index out of range: {i}")),
        (Value::String(text), Value::Int(i)) => usize::try_from(*i)
            .ok()
            .and_then(|i| text.as_bytes().get(i).map(|b| Value::Int(i64::from(*b))))
            .ok_or_else(|| format!("index out of range: {i}")),
        // A missing key is the zero value of what the map holds; in Docker's objects, mostly text.
        (Value::Object(object), Value::String(key)) => {
            Ok(object.get(key).cloned().unwrap_or_else(|| match object.members.first() {
                Some((_, Value::String(_))) | None => Value::text(""),
                Some(_) => Value::NoValue,
            }))
        }
        (Value::NilMap, Value::String(_)) => Ok(Value::text("")),
        (Value::NilList, Value::Int(i)) => Err(format!("index out of range: {i}")),
        (Value::Nil | Value::NoValue, _) => Err("index of untyped nil".to_owned()),
        (Value::List(_) | Value::String(_), other) => {
            Err(format!("cannot index slice/array with type {}", other.type_name()))
        }
        (Value::Object(object), other) if object.type_name.is_none() => {
            Err(format!("value has type {}; should be string", other.type_name()))
        }
        (other, _) => Err(format!("can't index item of type {}", other.type_name())),
    }
}

fn slice(value: &Value, bounds: &[Value]) -> Result<Value, String> {
    let len = value.len().ok_or_else(|| format!("can't slice item of type {}", value.type_name()))?;
    let bound = |i: usize, default: usize| match bounds.get(i) {
        None => Ok(default),
        Some(Value::Int(n)) => {
            usize::try_from(*n).ok().filter(|n| *n <= len).ok_or_else(|| format!("index out of range: {n}"))
        }
        Some(other) => Err(format!("cannot index slice/array with type {}", other.type_name())),
    };
    let (from, to) = (bound(0, 0)?, bound(1, len)?);
    if from > to {
        return Err(format!("invalid slice index: {from} > {to}"));
    }
    match value {
        Value::List(items) => Ok(Value::list(items[from..to].iter().cloned())),
        Value::String(text) => {
            text.get(from..to).map(Value::text).ok_or_else(|| "slice cuts a character in two".to_owned())
        }
        other => Err(format!("can't slice item of type {}", other.type_name())),
    }
}

/// Go's `Sprint`: a blank between two operands when neither is a string.
fn print(args: &[Value]) -> String {
    let mut out = String::new();
    for (i, arg) in args.iter().enumerate() {
        if i > 0 && arg.as_str().is_none() && args[i - 1].as_str().is_none() {
            out.push(' ');
        }
        out.push_str(&arg.to_string());
    }
    out
}

/// Formatting verbs and escapes are gotmpl's: it is asked through a template of one call.
fn borrowed(name: &str, args: &[Value]) -> Result<Value, String> {
    let list = gotmpl::Value::List(args.iter().map(convert).collect());
    let operands: String = (0..args.len()).map(|i| format!(" (index . {i})")).collect();
    gotmpl::execute(&format!("{{{{{name}{operands}}}}}"), &list).map(Value::text).map_err(|e| e.to_string())
}

fn convert(value: &Value) -> gotmpl::Value {
    match value {
        Value::Nil | Value::NoValue | Value::Function(_) => gotmpl::Value::Nil,
        Value::NilList => gotmpl::Value::List(Vec::new().into()),
        Value::NilMap => gotmpl::Value::Map(std::sync::Arc::default()),
        Value::Bool(b) => gotmpl::Value::Bool(*b),
        Value::Int(n) => gotmpl::Value::Int(*n),
        Value::Float(n) => gotmpl::Value::Float(*n),
        Value::String(s) => gotmpl::Value::String(s.as_ref().into()),
        Value::List(items) => gotmpl::Value::List(items.iter().map(convert).collect()),
        Value::Object(o) => gotmpl::Value::Map(std::sync::Arc::new(
            o.members.iter().map(|(k, v)| (std::sync::Arc::from(k.as_str()), convert(v))).collect(),
        )),
    }
}

fn equal(a: &Value, b: &Value) -> Result<bool, String> {
    Ok(match (a, b) {
        (Value::String(a), Value::String(b)) => a == b,
        (Value::Bool(a), Value::Bool(b)) => a == b,
        (Value::Int(a), Value::Int(b)) => a == b,
        (Value::Float(a), Value::Float(b)) => a == b,
        (a, b) if is_nil(a) || is_nil(b) => is_nil(a) && is_nil(b),
        _ => return Err("incompatible types for comparison".to_owned()),
    })
}

fn is_nil(value: &Value) -> bool {
    matches!(value, Value::Nil | Value::NoValue | Value::NilList | Value::NilMap)
}

fn order(a: &Value, b: &Value) -> Result<Ordering, String> {
    match (a, b) {
        (Value::String(a), Value::String(b)) => Ok(a.cmp(b)),
        (Value::Int(a), Value::Int(b)) => Ok(a.cmp(b)),
        (Value::Float(a), Value::Float(b)) => {
            a.partial_cmp(b).ok_or_else(|| "incompatible types for comparison".to_owned())
        }
        (Value::Bool(_), Value::Bool(_)) => Err("invalid type for comparison".to_owned()),
        _ => Err("incompatible types for comparison".to_owned()),
    }
}

fn split(text: &str, separator: &str) -> Result<Value, String> {
    if separator.is_empty() {
        return Ok(Value::list(text.chars().map(|c| Value::text(c.to_string()))));
    }
    Ok(Value::list(text.split(separator).map(Value::text)))
}

fn join(list: &Value, separator: &str) -> Result<Value, String> {
    match list {
        Value::List(items) => {
            Ok(Value::text(items.iter().map(ToString::to_string).collect::<Vec<_>>().join(separator)))
        }
        Value::Nil | Value::NoValue | Value::NilList => Ok(Value::text("")),
        other => Err(format!("wrong type for value; expected []string; got {}", other.type_name())),
    }
}

fn title(text: &str) -> String {
    let mut start = true;
    text.chars()
        .map(|c| {
            let upper = start && c.is_alphanumeric();
            start = !(c.is_alphanumeric() || c == '_' || c == '\'');
            if upper { c.to_uppercase().next().unwrap_or(c) } else { c }
        })
        .collect()
}

fn pad(text: &str, before: &Value, after: &Value) -> Result<Value, String> {
    let (Value::Int(before), Value::Int(after)) = (before, after) else {
        return Err("wrong type for value; expected int".to_owned());
    };
    if text.is_empty() {
        return Ok(Value::text(""));
    }
    let blanks = |n: &i64| " ".repeat(usize::try_from(*n).unwrap_or(0).min(4096));
    Ok(Value::String(Rc::from(format!("{}{text}{}", blanks(before), blanks(after)))))
}

fn truncate(text: &str, length: &Value) -> Result<Value, String> {
    let Value::Int(length) = length else { return Err("wrong type for value; expected int".to_owned()) };
    let mut end = usize::try_from(*length).map_err(|_| "slice bounds out of range".to_owned())?.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    Ok(Value::text(&text[..end]))
}
