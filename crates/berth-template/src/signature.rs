//! What the functions take: how many arguments, and of what kind. Go checks both before it calls one, and says so in
//! words of its own.

use gotmpl::parse::Expr;

use crate::Value;

/// A kind of argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Any,
    Text,
    Number,
    List,
}

/// What one function takes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Signature {
    kinds: &'static [Kind],
    /// More of any kind may follow.
    more: bool,
}

use Kind::{Any, List, Number, Text};

/// The signature of a function.
pub(crate) fn of(name: &str) -> Signature {
    let exactly = |kinds| Signature { kinds, more: false };
    let at_least = |kinds| Signature { kinds, more: true };
    match name {
        "not" | "len" | "json" => exactly(&[Any]),
        "ne" | "lt" | "le" | "gt" | "ge" => exactly(&[Any, Any]),
        "and" | "or" | "eq" | "index" | "slice" | "call" => at_least(&[Any]),
        "printf" => at_least(&[Text]),
        "title" | "lower" | "upper" => exactly(&[Text]),
        "split" => exactly(&[Text, Text]),
        "join" => exactly(&[List, Text]),
        "truncate" => exactly(&[Text, Number]),
        "pad" => exactly(&[Text, Number, Number]),
        _ => at_least(&[]),
    }
}

/// The signature of every method there is: a name is asked for.
pub(crate) const METHOD: Signature = Signature { kinds: &[Text], more: false };

impl Signature {
    /// The sentence about a wrong number of arguments.
    pub(crate) fn check_count(self, name: &str, given: usize) -> Result<(), String> {
        let wanted = self.kinds.len();
        match self.more {
            true if given < wanted => {
                Err(format!("wrong number of args for {name}: want at least {wanted} got {given}"))
            }
            false if given != wanted => Err(format!("wrong number of args for {name}: want {wanted} got {given}")),
            _ => Ok(()),
        }
    }

    /// The sentence about an argument of the wrong kind; `expr` is how it is written, unless it came by a pipe.
    pub(crate) fn check_kind(self, at: usize, value: &Value, expr: Option<&Expr>) -> Result<(), String> {
        let (wanted, name) = match self.kinds.get(at) {
            None | Some(Any) => return Ok(()),
            Some(Text) => ("string", "string"),
            Some(Number) => ("integer", "int"),
            Some(List) => ("list", "[]string"),
        };
        let fits = match (wanted, value) {
            ("string", value) => value.as_str().is_some(),
            ("integer", value) => matches!(value, Value::Int(_)),
            (_, value) => matches!(value, Value::List(_) | Value::NilList | Value::Nil | Value::NoValue),
        };
        if fits {
            return Ok(());
        }
        match expr {
            Some(literal @ (Expr::String(..) | Expr::Number(..) | Expr::Bool(..))) if wanted == "list" => {
                Err(format!("can't handle {} for arg of type {name}", crate::expression::print(literal)))
            }
            Some(literal @ (Expr::String(..) | Expr::Number(..) | Expr::Bool(..))) => {
                Err(format!("expected {wanted}; found {}", crate::expression::print(literal)))
            }
            Some(Expr::Nil(_)) => Err(format!("cannot assign nil to {name}")),
            _ if matches!(value, Value::Nil | Value::NoValue) => Err(format!("invalid value; expected {name}")),
            _ => Err(format!("wrong type for value; expected {name}; got {}", value.type_name())),
        }
    }
}
