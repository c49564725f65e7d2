//! Classes, objects and methods out of a table, with the types that a Scala programmer wrote.

use std::collections::BTreeMap;

use super::pickle::{Table, tag};
use crate::types::Type;

/// Deepest nesting of types and owners.
const DEPTH_MAX: u8 = 40;

// Flags as they are written; the first twelve have an order of their own there.
const IMPLICIT: u64 = 1;
const PRIVATE: u64 = 1 << 2;
const PROTECTED: u64 = 1 << 3;
const CASE: u64 = 1 << 6;
const METHOD: u64 = 1 << 9;
const MODULE: u64 = 1 << 10;
const PARAMETER: u64 = 1 << 13;
const SYNTHETIC: u64 = 1 << 21;
const DEFAULT: u64 = 1 << 25;
const ACCESSOR: u64 = 1 << 27;

/// What a Scala class or object has, by the binary name of its class file with dots; objects end with `$`.
pub type Outline = BTreeMap<String, Vec<Member>>;

/// A method, or the constructor `<init>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Its name as the class file has it.
    pub name: String,
    /// Its parameters, of all its lists.
    pub parameters: Vec<Parameter>,
    /// What it answers.
    pub result: Type,
    /// Whether the compiler made it.
    pub synthetic: bool,
    /// Whether it only hands out a value that the object holds.
    pub accessor: bool,
    /// Whether Scala keeps it to itself, whatever the class file says.
    pub hidden: bool,
    /// Whether its class is a case class.
    pub of_case_class: bool,
}

/// A parameter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameter {
    /// Its name.
    pub name: String,
    /// Its type.
    pub is: Type,
    /// Whether the compiler looks for it when it is left out.
    pub implicit: bool,
    /// Whether there is a value for when it is left out.
    pub default: bool,
    /// Whether it is computed only when it is used.
    pub by_name: bool,
}

/// Reads the classes of a table.
pub fn read(table: &Table<'_>) -> Option<Outline> {
    let reader = Reader { table };
    let mut out = Outline::new();
    for index in 0..table.len() {
        let symbol = match table.tag(index) {
            tag::VALUE_SYMBOL => reader.symbol(index),
            tag::CLASS_SYMBOL => {
                if let Some(name) = reader.symbol(index).and_then(|_| reader.class_name(index, 0)) {
                    out.entry(name).or_default();
                }
                None
            }
            _ => None,
        };
        let Some(symbol) = symbol.filter(|symbol| symbol.flags & (METHOD | PARAMETER) == METHOD) else { continue };
        if table.tag(symbol.owner) != tag::CLASS_SYMBOL {
            continue;
        }
        let Some(owner) = reader.symbol(symbol.owner) else { continue };
        let Some(class) = reader.class_name(symbol.owner, 0) else { continue };
        let Some((parameters, result)) = reader.method(symbol.info, 0) else { continue };
        out.entry(class).or_default().push(Member {
            name: crate::name::encode_scala(&symbol.name),
            parameters,
            result,
            synthetic: symbol.flags & SYNTHETIC != 0,
            accessor: symbol.flags & ACCESSOR != 0,
            hidden: symbol.flags & (PRIVATE | PROTECTED) != 0 || symbol.within,
            of_case_class: owner.flags & CASE != 0,
        });
    }
    Some(out)
}

struct Symbol {
    name: String,
    owner: usize,
    flags: u64,
    /// Whether it is private to a package or a class.
    within: bool,
    info: usize,
}

struct Reader<'a> {
    table: &'a Table<'a>,
}

impl Reader<'_> {
    fn symbol(&self, index: usize) -> Option<Symbol> {
        let mut numbers = self.table.numbers(index);
        let name = self.table.name(numbers.index()?)?;
        let (owner, flags) = (numbers.index()?, numbers.next()?);
        let next = numbers.index()?;
        // A name that it is private within stands in front of the type, if there is one.
        let within = self.table.is_symbol(next);
        let info = if within { numbers.index()? } else { next };
        Some(Symbol { name, owner, flags, within, info })
    }

    /// The name of the class file of a class, or of what holds it.
    fn class_name(&self, index: usize, depth: u8) -> Option<String> {
        if depth > DEPTH_MAX {
            return None;
        }
        let (name, owner, is_object) = match self.table.tag(index) {
            tag::CLASS_SYMBOL => {
                let symbol = self.symbol(index)?;
                (symbol.name, symbol.owner, symbol.flags & MODULE != 0)
            }
            tag::MODULE_SYMBOL => {
                let symbol = self.symbol(index)?;
                (symbol.name, symbol.owner, true)
            }
            tag::EXTERNAL | tag::EXTERNAL_MODULE => {
                let mut numbers = self.table.numbers(index);
                let name = self.table.name(numbers.index()?)?;
                let Some(owner) = numbers.index() else { return Some(name) };
                // Packages are written as the objects that stand elsewhere, and nothing tells them from these.
                let package = name.chars().next().is_some_and(char::is_lowercase);
                (name, owner, self.table.tag(index) == tag::EXTERNAL_MODULE && !package)
            }
            _ => return None,
        };
        let dollar = if is_object { "$" } else { "" };
        let name = format!("{}{dollar}", crate::name::encode_scala(&name));
        if self.table.tag(owner) == tag::NO_SYMBOL {
            return Some(name);
        }
        let outer = self.class_name(owner, depth + 1)?;
        match outer.as_str() {
            "<empty>" | "<root>" => Some(name),
            _ if self.is_class(owner) => Some(format!("{}${name}", outer.trim_end_matches('$'))),
            _ => Some(format!("{outer}.{name}")),
        }
    }

    fn is_class(&self, index: usize) -> bool {
        match self.table.tag(index) {
            tag::CLASS_SYMBOL | tag::MODULE_SYMBOL => true,
            tag::EXTERNAL | tag::EXTERNAL_MODULE => {
                let name = self.table.numbers(index).index().and_then(|name| self.table.name(name));
                name.is_some_and(|name| name.chars().next().is_some_and(char::is_uppercase))
            }
            _ => false,
        }
    }

    fn method(&self, index: usize, depth: u8) -> Option<(Vec<Parameter>, Type)> {
        if depth > DEPTH_MAX {
            return None;
        }
        let mut numbers = self.table.numbers(index);
        match self.table.tag(index) {
            // Without type parameters it says that there is no parameter list.
            tag::POLY_TYPE => self.method(numbers.index()?, depth + 1),
            tag::METHOD_TYPE | tag::IMPLICIT_METHOD_TYPE => {
                let result = numbers.index()?;
                let mut parameters = Vec::new();
                while let Some(index) = numbers.index() {
                    parameters.push(self.parameter(index)?);
                }
                let (more, result) = self.method(result, depth + 1)?;
                parameters.extend(more);
                Some((parameters, result))
            }
            _ => Some((Vec::new(), self.of_type(index, depth + 1))),
        }
    }

    fn parameter(&self, index: usize) -> Option<Parameter> {
        let symbol = self.symbol(index)?;
        let is = self.of_type(symbol.info, 0);
        let (is, by_name) = match is.as_class() {
            Some(("scala.<byname>", [inner])) => (inner.clone(), true),
            Some(("scala.<repeated>", [inner])) => {
                let arguments = vec![inner.clone()];
                (Type::Class { name: "scala.collection.Seq".to_owned(), arguments }, false)
            }
            _ => (is, false),
        };
        let implicit = symbol.flags & IMPLICIT != 0;
        Some(Parameter { name: symbol.name, is, implicit, default: symbol.flags & DEFAULT != 0, by_name })
    }

    fn of_type(&self, index: usize, depth: u8) -> Type {
        self.try_type(index, depth).unwrap_or(Type::Any)
    }

    fn try_type(&self, index: usize, depth: u8) -> Option<Type> {
        if depth > DEPTH_MAX {
            return None;
        }
        let mut numbers = self.table.numbers(index);
        match self.table.tag(index) {
            tag::TYPE_REFERENCE => {
                let (_prefix, symbol) = (numbers.index()?, numbers.index()?);
                let mut arguments = Vec::new();
                while let Some(index) = numbers.index() {
                    arguments.push(self.of_type(index, depth + 1));
                }
                self.reference(symbol, arguments, depth)
            }
            tag::CONSTANT_TYPE => {
                let literal = numbers.index()?;
                tag::LITERALS.contains(&self.table.tag(literal)).then(|| literal_type(self.table.tag(literal)))
            }
            tag::ANNOTATED_TYPE | tag::EXISTENTIAL_TYPE | tag::REFINED_TYPE => {
                let first = numbers.index()?;
                // A refined type begins with the class that was made up for it.
                let inner = if self.table.tag(index) == tag::REFINED_TYPE { numbers.index()? } else { first };
                self.try_type(inner, depth + 1)
            }
            tag::SINGLE_TYPE => {
                let (_prefix, symbol) = (numbers.index()?, numbers.index()?);
                match self.table.tag(symbol) {
                    tag::MODULE_SYMBOL | tag::EXTERNAL_MODULE => Some(Type::class(&self.class_name(symbol, 0)?)),
                    tag::VALUE_SYMBOL => self.try_type(self.symbol(symbol)?.info, depth + 1),
                    _ => None,
                }
            }
            tag::THIS_TYPE => Some(Type::class(&self.class_name(numbers.index()?, 0)?)),
            tag::POLY_TYPE => self.try_type(numbers.index()?, depth + 1),
            _ => None,
        }
    }

    fn reference(&self, symbol: usize, mut arguments: Vec<Type>, depth: u8) -> Option<Type> {
        match self.table.tag(symbol) {
            tag::TYPE_SYMBOL => Some(Type::Variable(self.symbol(symbol)?.name)),
            tag::ALIAS_SYMBOL => self.try_type(self.symbol(symbol)?.info, depth + 1),
            _ => {
                let name = self.class_name(symbol, 0)?;
                if name == "scala.Array" && arguments.len() == 1 {
                    return Some(Type::Array(Box::new(arguments.pop()?)));
                }
                Some(Type::Class { name: known_alias(&name).to_owned(), arguments })
            }
        }
    }
}

/// Names that Scala's own library gives to classes.
fn known_alias(name: &str) -> &str {
    // The objects `Predef` and `package` are written without the dollar, where they begin with a small letter.
    match name
        .strip_prefix("scala.Predef$")
        .or_else(|| name.strip_prefix("scala.package."))
        .map(|it| it.trim_start_matches('$'))
    {
        Some("String") => "java.lang.String",
        Some("Map") => "scala.collection.immutable.Map",
        Some("Set") => "scala.collection.immutable.Set",
        Some("List") => "scala.collection.immutable.List",
        Some("Seq") => "scala.collection.Seq",
        Some("IndexedSeq") => "scala.collection.IndexedSeq",
        Some("Vector") => "scala.collection.immutable.Vector",
        Some("Stream") => "scala.collection.immutable.Stream",
        Some("Iterable") => "scala.collection.Iterable",
        Some("Traversable") => "scala.collection.Traversable",
        Some("Iterator") => "scala.collection.Iterator",
        Some("BigDecimal") => "scala.math.BigDecimal",
        Some("BigInt") => "scala.math.BigInt",
        Some("Either") => "scala.util.Either",
        Some("Left") => "scala.util.Left",
        Some("Right") => "scala.util.Right",
        Some("Range") => "scala.collection.immutable.Range",
        Some("Throwable") => "java.lang.Throwable",
        Some("Exception") => "java.lang.Exception",
        _ => name,
    }
}

fn literal_type(tag: u8) -> Type {
    Type::class(match tag {
        24 => "scala.Unit",
        25 => "scala.Boolean",
        26 => "scala.Byte",
        27 => "scala.Short",
        28 => "scala.Char",
        29 => "scala.Int",
        30 => "scala.Long",
        31 => "scala.Float",
        32 => "scala.Double",
        33 => "java.lang.String",
        34 => "scala.Null",
        _ => "java.lang.Object",
    })
}
