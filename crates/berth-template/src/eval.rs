//! Walks the syntax tree. Every error is tied to the expression that caused it.

use std::collections::HashMap;
use std::rc::Rc;

use gotmpl::parse::{BranchNode, CommandNode, Expr, ListNode, Node, Number, PipeNode, Pos, TemplateNode};

use crate::error::closest;
use crate::expression::{position, print};
use crate::signature::{self, Signature};
use crate::{Function, Object, RenderError, Value, builtin};

/// Deeper nesting than this is a template that calls itself.
const MAX_DEPTH: usize = 200;

type Result<T> = std::result::Result<T, RenderError>;

/// How a list of nodes ended.
#[derive(PartialEq, Eq)]
enum Flow {
    On,
    Break,
    Continue,
}

pub(crate) struct Evaluation<'a> {
    name: &'a str,
    source: &'a str,
    defines: &'a HashMap<String, ListNode>,
    headers: bool,
    variables: Vec<(String, Value)>,
    out: String,
    depth: usize,
}

impl<'a> Evaluation<'a> {
    pub(crate) fn new(
        (name, source): (&'a str, &'a str),
        defines: &'a HashMap<String, ListNode>,
        headers: bool,
        data: &Value,
    ) -> Self {
        let variables = vec![("$".to_owned(), data.clone())];
        Self { name, source, defines, headers, variables, out: String::new(), depth: 0 }
    }

    pub(crate) fn run(mut self, tree: &ListNode) -> Result<String> {
        let dot = self.variables[0].1.clone();
        self.list(tree, &dot)?;
        Ok(self.out)
    }

    fn list(&mut self, list: &ListNode, dot: &Value) -> Result<Flow> {
        let scope = self.variables.len();
        for node in &list.nodes {
            let flow = self.node(node, dot)?;
            if flow != Flow::On {
                self.variables.truncate(scope);
                return Ok(flow);
            }
        }
        self.variables.truncate(scope);
        Ok(Flow::On)
    }

    fn node(&mut self, node: &Node, dot: &Value) -> Result<Flow> {
        match node {
            Node::List(list) => return self.list(list, dot),
            Node::Text(text) => self.out.push_str(&text.text),
            Node::Action(action) => {
                let value = self.pipe(&action.pipe, dot)?;
                if action.pipe.decl.is_empty() {
                    self.out.push_str(&value.to_string());
                }
            }
            Node::If(branch) => return self.branch(branch, dot, false),
            Node::With(branch) => return self.branch(branch, dot, true),
            Node::Range(branch) => self.range(branch, dot)?,
            Node::Template(call) => self.template(call, dot)?,
            Node::Define(_) => {}
            Node::Break(_) => return Ok(Flow::Break),
            Node::Continue(_) => return Ok(Flow::Continue),
        }
        Ok(Flow::On)
    }

    fn branch(&mut self, branch: &BranchNode, dot: &Value, moves_dot: bool) -> Result<Flow> {
        let scope = self.variables.len();
        let value = self.pipe(&branch.pipe, dot)?;
        let flow = if value.is_true() {
            self.list(&branch.body, if moves_dot { &value } else { dot })
        } else {
            branch.else_body.as_ref().map_or(Ok(Flow::On), |body| self.list(body, dot))
        };
        self.variables.truncate(scope);
        flow
    }

    fn range(&mut self, branch: &BranchNode, dot: &Value) -> Result<()> {
        let value = self.pipe_value(&branch.pipe, dot)?;
        let items: Vec<(Value, Value)> = match &value {
            Value::List(items) => items.iter().enumerate().map(|(i, v)| (Value::Int(i as i64), v.clone())).collect(),
            Value::Object(object) if object.type_name.is_none() => {
                let mut members: Vec<_> = object.members.iter().map(|(k, v)| (Value::text(k), v.clone())).collect();
                members.sort_by(|a, b| a.0.as_str().cmp(&b.0.as_str()));
                members
            }
            Value::Int(n) => (0..*n).map(|i| (Value::Int(i), Value::Int(i))).collect(),
            Value::Nil | Value::NoValue | Value::NilList | Value::NilMap => Vec::new(),
            other => {
                let message = format!("range can't iterate over {other}");
                return Err(self.error_at_pipe(&branch.pipe, message));
            }
        };
        if items.is_empty() {
            return branch.else_body.as_ref().map_or(Ok(()), |body| self.list(body, dot).map(drop));
        }
        for (key, item) in items {
            let scope = self.variables.len();
            match branch.pipe.decl.as_slice() {
                [] => {}
                [one] => self.bind(one, item.clone(), branch.pipe.is_assign),
                [first, second, ..] => {
                    self.bind(first, key, branch.pipe.is_assign);
                    self.bind(second, item.clone(), branch.pipe.is_assign);
                }
            }
            let flow = self.list(&branch.body, &item)?;
            self.variables.truncate(scope);
            if flow == Flow::Break {
                break;
            }
        }
        Ok(())
    }

    fn template(&mut self, call: &TemplateNode, dot: &Value) -> Result<()> {
        let data = call.pipe.as_ref().map_or(Ok(Value::Nil), |pipe| self.pipe(pipe, dot))?;
        let Some(body) = self.defines.get(call.name.as_str()) else {
            let message = format!("template {:?} not defined", call.name.as_str());
            let pos = Pos::new(call.pos.offset + "template ".len(), call.pos.line);
            return Err(self.error(pos, format!("{{{{template {:?}}}}}", call.name.as_str()), message));
        };
        if self.depth > MAX_DEPTH {
            return Err(self.error(call.pos, call.name.to_string(), "exceeded maximum template depth".to_owned()));
        }
        let outer = std::mem::replace(&mut self.variables, vec![("$".to_owned(), data.clone())]);
        self.depth += 1;
        self.list(body, &data)?;
        self.depth -= 1;
        self.variables = outer;
        Ok(())
    }

    fn bind(&mut self, name: &str, value: Value, assign: bool) {
        if assign && let Some(slot) = self.variables.iter_mut().rev().find(|(n, _)| n == name) {
            slot.1 = value;
            return;
        }
        self.variables.push((name.to_owned(), value));
    }

    fn pipe(&mut self, pipe: &PipeNode, dot: &Value) -> Result<Value> {
        let value = self.pipe_value(pipe, dot)?;
        for name in &pipe.decl {
            self.bind(name, value.clone(), pipe.is_assign);
        }
        Ok(value)
    }

    fn pipe_value(&mut self, pipe: &PipeNode, dot: &Value) -> Result<Value> {
        let mut value = None;
        for command in &pipe.commands {
            value = Some(self.command(command, dot, value)?);
        }
        Ok(value.unwrap_or(Value::Nil))
    }

    fn command(&mut self, command: &CommandNode, dot: &Value, piped: Option<Value>) -> Result<Value> {
        let (first, rest) = command.args.split_first().expect("the parser makes no empty command");
        match first {
            Expr::Identifier(pos, name) => return self.call(*pos, name, rest, dot, piped, command),
            Expr::Chain(_, inner, fields) => {
                if let Expr::Identifier(pos, name) = &**inner {
                    let value = self.call(*pos, name, rest, dot, piped, command)?;
                    return self.fields(first, value, fields);
                }
            }
            _ => {}
        }
        let value = self.raw(first, dot)?;
        if let Value::Function(method) = &value {
            let method = method.clone();
            return self.method(first, &method, rest, piped, dot);
        }
        if matches!(first, Expr::Nil(_)) {
            return Err(self.error_at(first, "nil is not a command".to_owned()));
        }
        if !rest.is_empty() || piped.is_some() {
            let message = match first {
                Expr::Field(_, fields) if !fields.is_empty() => {
                    format!("{} is not a method but has arguments", fields[fields.len() - 1])
                }
                other => format!("can't give argument to non-function {}", print(other)),
            };
            return Err(self.error_at(first, message));
        }
        Ok(value)
    }

    fn call(
        &mut self,
        pos: Pos,
        name: &str,
        args: &[Expr],
        dot: &Value,
        piped: Option<Value>,
        command: &CommandNode,
    ) -> Result<Value> {
        let takes = signature::of(name);
        takes
            .check_count(name, args.len() + usize::from(piped.is_some()))
            .map_err(|message| self.error(pos, name.to_owned(), message))?;
        if name == "and" || name == "or" {
            return self.short_circuit(name == "and", args, dot, piped);
        }
        let values = self.arguments(takes, pos, args, dot, piped)?;
        if let ("call", [callee, ..], [value, ..]) = (name, args, &values[..])
            && !matches!(value, Value::Function(_))
        {
            let message = format!("error calling call: non-function {} of type {}", print(callee), value.type_name());
            let text = command.args.iter().map(print).collect::<Vec<_>>().join(" ");
            return Err(self.error(pos, text, message));
        }
        builtin::call(name, &values, self.headers).map_err(|message| {
            let text = command.args.iter().map(print).collect::<Vec<_>>().join(" ");
            self.error(pos, text, format!("error calling {name}: {message}"))
        })
    }

    /// Values for what a function or a method takes.
    fn arguments(
        &mut self,
        takes: Signature,
        pos: Pos,
        args: &[Expr],
        dot: &Value,
        piped: Option<Value>,
    ) -> Result<Vec<Value>> {
        let mut values = Vec::with_capacity(args.len() + 1);
        for (at, expr) in args.iter().enumerate() {
            let value = self.expression(expr, dot)?;
            if !self.headers {
                takes.check_kind(at, &value, Some(expr)).map_err(|message| self.error_at(expr, message))?;
            }
            values.push(value);
        }
        if let Some(value) = piped {
            // A heading is text, whatever the column's values are.
            let fits = if self.headers { Ok(()) } else { takes.check_kind(values.len(), &value, None) };
            fits.map_err(|message| self.error(pos, ".".to_owned(), message))?;
            values.push(value);
        }
        Ok(values)
    }

    fn method(
        &mut self,
        expr: &Expr,
        method: &Function,
        args: &[Expr],
        piped: Option<Value>,
        dot: &Value,
    ) -> Result<Value> {
        let name = match expr {
            Expr::Field(_, fields) | Expr::Variable(_, _, fields) => fields.last().map_or("", AsRef::as_ref),
            _ => "method",
        };
        let given = args.len() + usize::from(piped.is_some());
        signature::METHOD.check_count(name, given).map_err(|message| self.error_at(expr, message))?;
        let values = self.arguments(signature::METHOD, expr.pos(), args, dot, piped)?;
        (method.0)(&values).map_err(|message| self.error_at(expr, message))
    }

    fn short_circuit(&mut self, and: bool, args: &[Expr], dot: &Value, piped: Option<Value>) -> Result<Value> {
        let mut last = Value::Nil;
        for arg in args {
            last = self.expression(arg, dot)?;
            if last.is_true() != and {
                return Ok(last);
            }
        }
        Ok(piped.unwrap_or(last))
    }

    /// An expression's value; a method without arguments is called.
    fn expression(&mut self, expr: &Expr, dot: &Value) -> Result<Value> {
        match self.raw(expr, dot)? {
            Value::Function(method) => self.method(expr, &method, &[], None, dot),
            value => Ok(value),
        }
    }

    fn raw(&mut self, expr: &Expr, dot: &Value) -> Result<Value> {
        Ok(match expr {
            Expr::Dot(_) => dot.clone(),
            Expr::Field(_, fields) => return self.fields(expr, dot.clone(), fields),
            Expr::Variable(_, name, fields) => {
                let found = self.variables.iter().rev().find(|(n, _)| n == name.as_str()).map(|(_, v)| v.clone());
                let Some(value) = found else {
                    return Err(self.error_at(expr, format!("undefined variable {:?}", name.as_str())));
                };
                return self.fields(expr, value, fields);
            }
            Expr::Identifier(_, name) => {
                let called = signature::of(name).check_count(name, 0);
                let called = called.and_then(|()| builtin::call(name, &[], self.headers));
                return called.map_err(|message| self.error_at(expr, message));
            }
            Expr::String(_, text) => Value::text(text),
            Expr::Number(_, Number::Int(n)) => Value::Int(*n),
            Expr::Number(_, Number::Uint(n)) => Value::Float(*n as f64),
            Expr::Number(_, Number::Float(n)) => Value::Float(*n),
            Expr::Bool(_, b) => Value::Bool(*b),
            Expr::Nil(_) => Value::Nil,
            Expr::Pipe(_, pipe) => self.pipe(pipe, dot)?,
            Expr::Chain(_, inner, fields) => {
                let value = self.expression(inner, dot)?;
                return self.fields(expr, value, fields);
            }
        })
    }

    fn fields(&self, expr: &Expr, mut value: Value, fields: &[impl AsRef<str>]) -> Result<Value> {
        let mut left_out = None;
        let mut untyped = false;
        for field in fields {
            let field = field.as_ref();
            if let (Value::Nil, Some(parent)) = (&value, left_out) {
                return Err(self.error_at(expr, format!("map has no entry for key \"{parent}\"")));
            }
            left_out = match &value {
                Value::Object(object) if object.hidden.iter().any(|(name, _)| name == field) => Some(field),
                _ => None,
            };
            let within = matches!(&value, Value::Object(object) if object.type_name.is_none());
            value = self.field(expr, &value, field, untyped)?;
            untyped = within;
        }
        Ok(value)
    }

    /// A member; `untyped`: the value came out of an object that could have held anything.
    fn field(&self, expr: &Expr, value: &Value, name: &str, untyped: bool) -> Result<Value> {
        let message = match value {
            Value::Object(object) => {
                return match object.get(name) {
                    Some(member) => Ok(member.clone()),
                    None if object.free => Ok(Value::NoValue),
                    None => Err(self.missing(expr, object, name)),
                };
            }
            Value::NilMap | Value::NoValue => return Ok(Value::NoValue),
            Value::Nil => format!("nil pointer evaluating interface {{}}.{name}"),
            _ if untyped => format!("can't evaluate field {name} in type interface {{}}"),
            other => format!("can't evaluate field {name} in type {}", other.type_name()),
        };
        Err(self.error_at(expr, message))
    }

    fn missing(&self, expr: &Expr, object: &Rc<Object>, name: &str) -> RenderError {
        let message = match object.type_name {
            Some(type_name) => format!("can't evaluate field {name} in type {type_name}"),
            None => format!("map has no entry for key \"{name}\""),
        };
        let known = object.members.iter().chain(&object.hidden).map(|(key, _)| key.as_str());
        let suggestion = closest(name, known).map(str::to_owned);
        RenderError { suggestion, ..self.error_at(expr, message) }
    }

    fn error_at(&self, expr: &Expr, message: String) -> RenderError {
        self.error(position(expr), print(expr), message)
    }

    fn error_at_pipe(&self, pipe: &PipeNode, message: String) -> RenderError {
        match pipe.commands.last().and_then(|c| c.args.first()) {
            Some(expr) => self.error_at(expr, message),
            None => self.error(pipe.pos, String::new(), message),
        }
    }

    fn error(&self, pos: Pos, expression: String, message: String) -> RenderError {
        let before = self.source.get(..pos.offset).unwrap_or(self.source);
        let line = 1 + before.matches('\n').count();
        let column = before.len() - before.rfind('\n').map_or(0, |at| at + 1);
        RenderError { template: self.name.to_owned(), line, column, expression, message, suggestion: None }
    }
}
