//! Expressions as Go's errors name them.

use gotmpl::parse::{CommandNode, Expr, Number, PipeNode, Pos};

/// Where Go says that an expression is: `.A.B` at its second field.
pub(crate) fn position(expr: &Expr) -> Pos {
    match expr {
        Expr::Field(pos, fields) if fields.len() > 1 => Pos::new(pos.offset + 1 + fields[0].len(), pos.line),
        Expr::Variable(pos, name, fields) if !fields.is_empty() => Pos::new(pos.offset + name.len(), pos.line),
        other => other.pos(),
    }
}

/// An expression as Go prints it in errors.
pub(crate) fn print(expr: &Expr) -> String {
    let dotted = |fields: &[_]| fields.iter().map(|f| format!(".{f}")).collect::<String>();
    match expr {
        Expr::Dot(_) => ".".to_owned(),
        Expr::Field(_, fields) => dotted(fields),
        Expr::Variable(_, name, fields) => format!("{name}{}", dotted(fields)),
        Expr::Identifier(_, name) => name.to_string(),
        Expr::String(_, text) => format!("{text:?}"),
        Expr::Number(_, Number::Int(n)) => n.to_string(),
        Expr::Number(_, Number::Uint(n)) => n.to_string(),
        Expr::Number(_, Number::Float(n)) => n.to_string(),
        Expr::Bool(_, b) => b.to_string(),
        Expr::Nil(_) => "nil".to_owned(),
        Expr::Pipe(_, pipe) => format!("({})", print_pipe(pipe)),
        Expr::Chain(_, inner, fields) => format!("{}{}", print(inner), dotted(fields)),
    }
}

fn print_pipe(pipe: &PipeNode) -> String {
    let command = |c: &CommandNode| c.args.iter().map(print).collect::<Vec<_>>().join(" ");
    pipe.commands.iter().map(command).collect::<Vec<_>>().join(" | ")
}
