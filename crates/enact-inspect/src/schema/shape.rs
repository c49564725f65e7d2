//! What a class of the jar looks like in JSON: an enum, an object with these members, or nothing.

use std::borrow::Cow;

use crate::class::code::Code;
use crate::class::{ABSTRACT, Class, ENUM, INTERFACE, Member, PUBLIC, STATIC};
use crate::jars::Jars;
use crate::scala::{self, Outlines};
use crate::schema::known;
use crate::signature;
use crate::types::Type;

/// Most superclasses that are asked for members.
const PARENTS_MAX: usize = 8;

/// What a class looks like.
#[derive(Debug, Clone)]
pub enum Shape {
    /// One of these.
    Enum(Vec<String>),
    /// An object.
    Object {
        /// What it is made of.
        made: Vec<Property>,
        /// What it shows.
        shown: Vec<Property>,
        /// Its type parameters.
        parameters: Vec<String>,
        /// Whether it is a case class, whose members nobody lets be null.
        of_scala: bool,
    },
    /// Only a class below it can be made.
    Abstract,
    /// An object that cannot be made, and why.
    Closed {
        /// Why.
        why: String,
        /// What it shows.
        shown: Vec<Property>,
        /// Its type parameters.
        parameters: Vec<String>,
    },
    /// It cannot be read.
    Strange,
}

/// A member of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Property {
    /// Its name.
    pub name: String,
    /// Its type.
    pub is: Type,
    /// Whether the object cannot be made without it.
    pub needed: bool,
    /// The getter that always answers something, neither null nor an empty array, if it is one of those. A class below may
    /// have another one in its place.
    pub always: Option<String>,
}

/// Looks at a class, by its name with dots.
pub fn read(jars: &mut Jars, outlines: &mut Outlines, name: &str) -> Shape {
    let Some(bytes) = jars.class(name) else { return Shape::Strange };
    let Ok(class) = Class::read(&bytes) else { return Shape::Strange };
    if class.access & ENUM != 0 {
        let constants = class.fields.iter().filter(|field| field.is(ENUM | STATIC));
        return Shape::Enum(constants.map(|field| field.name.clone().into_owned()).collect());
    }
    let parameters = class.signature().and_then(|text| signature::class(&text)).unwrap_or_default().parameters;
    if class.access & (INTERFACE | ABSTRACT) != 0 {
        return Shape::Abstract;
    }
    let of_record = record(&class);
    let of_scala = of_record.is_none();
    if let Some(made) = of_record.or_else(|| case_class(jars, outlines, &class, name)) {
        return Shape::Object { shown: made.clone(), made, parameters, of_scala };
    }
    let of_scala = false;
    let shown = bean(jars, &class, "get");
    if let Some(made) = named_constructor(&class) {
        return Shape::Object { made, shown, parameters, of_scala };
    }
    let made = bean(jars, &class, "set");
    let empty = class.methods.iter().any(|method| method.name == "<init>" && method.descriptor == "()V");
    if !empty {
        let why = format!("{name} has no constructor without parameters, and none whose parameters have names");
        return Shape::Closed { why, shown, parameters };
    }
    if made.is_empty() && class.fields.iter().any(|field| !field.is(STATIC)) {
        return Shape::Closed { why: format!("{name} has no setters and no public fields"), shown, parameters };
    }
    Shape::Object { made, shown, parameters, of_scala }
}

fn record(class: &Class<'_>) -> Option<Vec<Property>> {
    class.attribute("Record")?;
    let fields = class.fields.iter().filter(|field| !field.is(STATIC));
    Some(fields.filter_map(|field| property(class, field, true)).collect())
}

fn property(class: &Class<'_>, field: &Member<'_>, needed: bool) -> Option<Property> {
    let text = class.signature_of(field).unwrap_or_else(|| field.descriptor.clone());
    Some(Property { name: field.name.clone().into_owned(), is: signature::field(&text)?, needed, always: None })
}

fn case_class(jars: &mut Jars, outlines: &mut Outlines, class: &Class<'_>, name: &str) -> Option<Vec<Property>> {
    if scala::dialect(class) != scala::Dialect::Two {
        return None;
    }
    let outline = outlines.of(jars, class, name)?;
    let constructor = outline.get(name)?.iter().find(|member| member.name == "<init>" && member.of_case_class)?;
    let property = |it: &scala::Parameter| {
        let (name, is) = (it.name.clone(), it.is.clone());
        Property { name, is, needed: !it.default, always: None }
    };
    Some(constructor.parameters.iter().map(property).collect())
}

/// The one constructor, if its parameters have names that are there at run time.
fn named_constructor(class: &Class<'_>) -> Option<Vec<Property>> {
    let mut constructors = class.methods.iter().filter(|method| method.name == "<init>" && method.is(PUBLIC));
    let constructor = constructors.next()?;
    if constructors.next().is_some() || constructor.descriptor.starts_with("()") {
        return None;
    }
    constructor.attribute("MethodParameters")?;
    let text = class.signature_of(constructor).unwrap_or_else(|| constructor.descriptor.clone());
    let parameters = signature::method(&text)?.parameters;
    let names = class.parameter_names(constructor, &signature::slots(&parameters, false));
    let pairs = parameters.into_iter().zip(names);
    pairs.map(|(is, name)| Some(Property { name: name?, is, needed: false, always: None })).collect()
}

/// Public fields, and properties that are set or got, of the class and those above it.
fn bean(jars: &mut Jars, class: &Class<'_>, word: &str) -> Vec<Property> {
    let mut out: Vec<Property> = Vec::new();
    collect(jars, class, word, &mut out);
    let mut above = class.parent.as_deref().map(str::to_owned);
    for _ in 0..PARENTS_MAX {
        let Some(bytes) = above.take().and_then(|name| jars.class(&name)) else { break };
        let Ok(parent) = Class::read(&bytes) else { break };
        collect(jars, &parent, word, &mut out);
        above = parent.parent.as_deref().map(str::to_owned);
    }
    out
}

fn collect(jars: &Jars, class: &Class<'_>, word: &str, out: &mut Vec<Property>) {
    let mut add = |found: Property| {
        if !out.iter().any(|known| known.name == found.name) {
            out.push(found);
        }
    };
    // A final field can be seen and not be set.
    let hidden = if word == "set" { STATIC | 0x0010 } else { STATIC };
    for field in class.fields.iter().filter(|field| field.is(PUBLIC) && field.access & hidden == 0) {
        property(class, field, false).into_iter().for_each(&mut add);
    }
    for method in
        class.methods.iter().filter(|method| method.is(PUBLIC) && !method.is(STATIC) && !method.is_synthetic())
    {
        let boolean = word == "get" && method.descriptor == "()Z";
        let rest = method.name.strip_prefix(word).or_else(|| method.name.strip_prefix("is").filter(|_| boolean));
        let Some(rest) = rest.filter(|rest| rest.starts_with(|it: char| it.is_uppercase())) else { continue };
        let text = class.signature_of(method).unwrap_or_else(|| method.descriptor.clone());
        let Some(signature) = signature::method(&text) else { continue };
        let is = match (word, signature.parameters.as_slice()) {
            ("set", [one]) => one.clone(),
            ("get", []) => signature.result,
            _ => continue,
        };
        let always =
            (word == "get" && always_answers(jars, class, method, &is)).then(|| method.name.clone().into_owned());
        add(Property { name: decapitalised(rest), is, needed: false, always });
    }
}

/// Returns whether a getter always answers an object of the very class that it declares or, if that is one of Java's which are
/// never written, of another such class; and an array only with one in it. Then what is true of the class is true of the answer.
fn always_answers(jars: &Jars, class: &Class<'_>, method: &Member<'_>, is: &Type) -> bool {
    let Some(code) = method.attribute("Code").and_then(|bytes| Code::read(bytes).ok()) else { return false };
    let (item, filled) = match is {
        Type::Array(item) => (&**item, code.fills_its_array()),
        other => (other, true),
    };
    let Some((declared, _)) = item.as_class() else { return false };
    let is_meant = |index| {
        let made = class.pool.class(index).map(|name| name.replace('/', "."));
        made.is_ok_and(|made| made == declared || known::is_never_written(&made))
    };
    let descriptor = |index| class.pool.descriptor(index).ok().map(Cow::into_owned);
    filled
        && (jars.has(declared) || known::is_never_written(declared))
        && code.makes().into_iter().all(is_meant)
        && code.never_answers_null(descriptor)
}

/// Spells a property as beans do: `getURL` is `URL`, `getName` is `name`.
pub fn decapitalised(name: &str) -> String {
    let mut letters = name.chars();
    match (letters.next(), letters.next()) {
        (Some(first), Some(second)) if first.is_uppercase() && second.is_uppercase() => name.to_owned(),
        (Some(first), _) => first.to_lowercase().chain(name.chars().skip(1)).collect(),
        _ => name.to_owned(),
    }
}
