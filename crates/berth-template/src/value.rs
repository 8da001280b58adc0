//! The data a template sees. Objects keep the order of their members and know whether their names are fixed.

use std::fmt;
use std::rc::Rc;

/// What a method does with its arguments; the error is a sentence.
pub type Method = dyn Fn(&[Value]) -> Result<Value, String>;

/// A method of an object (`{{.Label "key"}}`).
#[derive(Clone)]
pub struct Function(pub Rc<Method>);

impl fmt::Debug for Function {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Function")
    }
}

/// An object: members in the order they were given.
#[derive(Debug, Clone, Default)]
pub struct Object {
    /// The members.
    pub members: Vec<(String, Value)>,
    /// `None`: a map, whose keys are free where [`Object::free`] says so; `Some`: Go's name of the struct type.
    pub type_name: Option<&'static str>,
    /// Its text appears in JSON with HTML's characters escaped, as rows of lists do.
    pub escaped: bool,
    /// A missing key is no mistake (labels, options).
    pub free: bool,
    /// Members that templates may name but that do not appear in JSON, such as those that JSON leaves out when empty.
    pub hidden: Vec<(String, Value)>,
}

impl Object {
    /// The member of that name.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.members.iter().chain(&self.hidden).find(|(key, _)| key == name).map(|(_, value)| value)
    }
}

/// Any value.
#[derive(Debug, Clone, Default)]
pub enum Value {
    /// JSON's null, Go's nil.
    #[default]
    Nil,
    /// A missing key of a free map; prints as `<no value>`.
    NoValue,
    /// A list that is null in JSON; prints as an empty one.
    NilList,
    /// A map that is null in JSON; prints as an empty one.
    NilMap,
    /// true or false.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// Any other number.
    Float(f64),
    /// Text.
    String(Rc<str>),
    /// A list.
    List(Rc<[Value]>),
    /// An object.
    Object(Rc<Object>),
    /// A method.
    Function(Function),
}

impl Value {
    /// A text value.
    pub fn text(text: impl AsRef<str>) -> Self {
        Self::String(Rc::from(text.as_ref()))
    }

    /// A list value.
    pub fn list(items: impl IntoIterator<Item = Value>) -> Self {
        Self::List(items.into_iter().collect())
    }

    /// An object with fixed fields, named as Go names the type.
    pub fn record(type_name: &'static str, members: Vec<(String, Value)>) -> Self {
        Self::Object(Rc::new(Object { members, type_name: Some(type_name), escaped: true, ..Object::default() }))
    }

    /// The same object, known as a struct of that name; members that JSON does not have may be named as well.
    #[must_use]
    pub fn named(self, type_name: &'static str, hidden: Vec<(String, Value)>) -> Self {
        let Self::Object(object) = self else { return self };
        let mut object = Rc::unwrap_or_clone(object);
        object.type_name = Some(type_name).filter(|name| !name.is_empty()).or(object.type_name);
        let known: Vec<String> = object.members.iter().map(|(name, _)| name.clone()).collect();
        object.hidden.retain(|(name, _)| hidden.iter().all(|(other, _)| other != name));
        object.hidden.extend(hidden.into_iter().filter(|(name, _)| !known.contains(name)));
        Self::Object(Rc::new(object))
    }

    /// An object with fixed members, whose JSON is not a row's.
    pub fn struct_of(members: Vec<(String, Value)>) -> Self {
        Self::Object(Rc::new(Object { members, ..Object::default() }))
    }

    /// A map whose keys are free.
    pub fn map(members: Vec<(String, Value)>) -> Self {
        Self::Object(Rc::new(Object { members, free: true, ..Object::default() }))
    }

    /// Go's notion of truth.
    pub fn is_true(&self) -> bool {
        match self {
            Self::Nil | Self::NoValue | Self::NilList | Self::NilMap => false,
            Self::Bool(b) => *b,
            Self::Int(n) => *n != 0,
            Self::Float(n) => *n != 0.0,
            Self::String(s) => !s.is_empty(),
            Self::List(l) => !l.is_empty(),
            Self::Object(o) => o.type_name.is_some() || !o.members.is_empty(),
            Self::Function(_) => true,
        }
    }

    /// The text, if it is one.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(s) => Some(s),
            _ => None,
        }
    }

    /// Go's name of the type, for errors.
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::Nil | Self::NoValue => "nil",
            Self::Bool(_) => "bool",
            Self::Int(_) => "int",
            Self::Float(_) => "float64",
            Self::String(_) => "string",
            Self::List(_) | Self::NilList => "[]interface {}",
            Self::NilMap => "map[string]interface {}",
            Self::Object(o) => o.type_name.unwrap_or("map[string]interface {}"),
            Self::Function(_) => "func",
        }
    }

    /// Number of characters, items or members.
    pub fn len(&self) -> Option<usize> {
        match self {
            Self::String(s) => Some(s.len()),
            Self::List(l) => Some(l.len()),
            Self::Object(o) => Some(o.members.len()),
            Self::NilList | Self::NilMap => Some(0),
            _ => None,
        }
    }

    /// Whether it has a length and that length is 0.
    pub fn is_empty(&self) -> bool {
        self.len() == Some(0)
    }
}

/// As Go's `%v` prints it.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nil => f.write_str("<nil>"),
            Self::NoValue => f.write_str("<no value>"),
            Self::NilList => f.write_str("[]"),
            Self::NilMap => f.write_str("map[]"),
            Self::Bool(b) => write!(f, "{b}"),
            Self::Int(n) => write!(f, "{n}"),
            Self::Float(n) => write!(f, "{n}"),
            Self::String(s) => f.write_str(s),
            Self::List(items) => {
                f.write_str("[")?;
                for (i, item) in items.iter().enumerate() {
                    write!(f, "{}{item}", if i > 0 { " " } else { "" })?;
                }
                f.write_str("]")
            }
            Self::Object(o) => write_object(f, o),
            Self::Function(_) => f.write_str("func"),
        }
    }
}

fn write_object(f: &mut fmt::Formatter<'_>, object: &Object) -> fmt::Result {
    let mut members: Vec<_> = object.members.iter().collect();
    if object.type_name.is_some() || !object.free {
        f.write_str("{")?;
        for (i, (_, value)) in members.iter().enumerate() {
            write!(f, "{}{value}", if i > 0 { " " } else { "" })?;
        }
        for (_, value) in &object.hidden {
            write!(f, " {value}")?;
        }
        return f.write_str("}");
    }
    members.sort_by(|a, b| a.0.cmp(&b.0));
    f.write_str("map[")?;
    for (i, (key, value)) in members.iter().enumerate() {
        write!(f, "{}{key}:{value}", if i > 0 { " " } else { "" })?;
    }
    f.write_str("]")
}
