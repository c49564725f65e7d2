//! A type as people write it, with its arguments.

use std::fmt;

use crate::schema::Group;

/// A type of a parameter, a result or a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Type {
    /// One of Java's nine words: `int`, `void`.
    Primitive(&'static str),
    /// A class by its binary name with dots, such as `java.util.Map$Entry`.
    Class {
        /// Its name.
        name: String,
        /// Its type arguments; none where they are erased or there are none.
        arguments: Vec<Type>,
    },
    /// An array of these.
    Array(Box<Type>),
    /// A type parameter.
    Variable(String),
    /// Anything: a wildcard, or what could not be told.
    Any,
}

impl Type {
    /// Makes a class without arguments.
    pub fn class(name: &str) -> Self {
        Self::Class { name: name.to_owned(), arguments: Vec::new() }
    }

    /// Returns the class and its arguments.
    pub fn as_class(&self) -> Option<(&str, &[Type])> {
        match self {
            Self::Class { name, arguments } => Some((name, arguments)),
            _ => None,
        }
    }

    /// Returns whether a Scala programmer wrote it.
    pub fn is_of_scala(&self) -> bool {
        match self {
            Self::Class { name, arguments } => name.starts_with("scala.") || arguments.iter().any(Self::is_of_scala),
            Self::Array(item) => item.is_of_scala(),
            _ => false,
        }
    }

    /// Returns whether nothing is answered.
    pub fn is_nothing(&self) -> bool {
        match self {
            Self::Primitive(name) => *name == "void",
            Self::Class { name, .. } => {
                matches!(name.as_str(), "java.lang.Void" | "scala.Unit" | "scala.runtime.BoxedUnit")
            }
            _ => false,
        }
    }

    /// Returns whether the value may be left out: Java has something for nothing.
    pub fn is_optional(&self) -> bool {
        self.as_class().is_some_and(|(name, _)| {
            crate::schema::group(name, 1) == Some(Group::Maybe) || name.starts_with("java.util.Optional")
        })
    }

    /// Returns whether it is a box of Java, which may be empty.
    pub fn is_box(&self) -> bool {
        let boxes = ["Boolean", "Byte", "Short", "Integer", "Long", "Float", "Double", "Character", "Number"];
        self.as_class().and_then(|(name, _)| name.strip_prefix("java.lang.")).is_some_and(|it| boxes.contains(&it))
    }

    /// Returns whether somewhere in it stands something that cannot be told.
    pub fn is_vague(&self) -> bool {
        match self {
            Self::Primitive(_) => false,
            Self::Class { name, arguments } => {
                matches!(name.as_str(), "java.lang.Object" | "scala.Any" | "scala.AnyRef")
                    || arguments.iter().any(Self::is_vague)
            }
            Self::Array(item) => item.is_vague(),
            Self::Variable(_) | Self::Any => true,
        }
    }

    /// Puts types in the place of type parameters.
    pub fn substitute(&self, known: &[(String, Type)]) -> Self {
        match self {
            Self::Variable(name) => {
                known.iter().find(|(parameter, _)| parameter == name).map_or_else(|| self.clone(), |(_, it)| it.clone())
            }
            Self::Class { name, arguments } => Self::Class {
                name: name.clone(),
                arguments: arguments.iter().map(|argument| argument.substitute(known)).collect(),
            },
            Self::Array(item) => Self::Array(Box::new(item.substitute(known))),
            _ => self.clone(),
        }
    }

    /// Puts `Object` in the place of everything that cannot be told, and of what a type of Scala should say and does not.
    pub fn plain(&self) -> Self {
        match self {
            Self::Variable(_) | Self::Any => Self::class("java.lang.Object"),
            Self::Class { name, arguments } => {
                let mut arguments: Vec<Self> = arguments.iter().map(Self::plain).collect();
                if arguments.is_empty() {
                    arguments.resize(held_by_scala(name), Self::class("java.lang.Object"));
                }
                Self::Class { name: name.clone(), arguments }
            }
            Self::Array(item) => Self::Array(Box::new(item.plain())),
            Self::Primitive(_) => self.clone(),
        }
    }

    /// Returns the last part of the name, for the names of operations.
    pub fn short(&self) -> String {
        match self {
            Self::Primitive(name) => (*name).to_owned(),
            Self::Class { name, .. } => last(name).to_owned(),
            Self::Array(item) => format!("{}-array", item.short()),
            Self::Variable(name) => name.clone(),
            Self::Any => "any".to_owned(),
        }
    }
}

/// Returns how many types a class of Scala's library says of what it holds.
fn held_by_scala(name: &str) -> usize {
    let is_range = name.ends_with(".Range") || name.ends_with(".BitSet");
    match crate::schema::group(name, 0) {
        _ if !name.starts_with("scala.") || is_range => 0,
        Some(Group::Map) => 2,
        Some(Group::List | Group::Maybe | Group::Later) => 1,
        _ if matches!(name, "scala.util.Either" | "scala.util.Left" | "scala.util.Right") => 2,
        _ => name.strip_prefix("scala.Tuple").and_then(|count| count.parse().ok()).unwrap_or(0),
    }
}

/// Returns the last part of a class name.
pub fn last(name: &str) -> &str {
    let name = name.trim_end_matches('$');
    name.rsplit(['.', '$']).next().unwrap_or(name)
}

/// Classes of Scala whose last name means one of `java.lang` to whoever reads a hint.
const OF_JAVA_FIRST: [&str; 2] = ["Iterable", "Process"];

impl Type {
    /// Writes the type as a hint: with the names that the Java side finds from a class of this language.
    pub fn hint(&self, scala: bool) -> String {
        match self {
            Self::Primitive(name) => (*name).to_owned(),
            // To Scala an array of its own numbers is one of Java's primitive ones.
            Self::Array(item) if scala => format!("Array[{}]", item.hint(scala)),
            Self::Array(item) => format!("{}[]", item.hint(scala)),
            Self::Variable(name) => name.clone(),
            Self::Any => "?".to_owned(),
            Self::Class { name, arguments } => {
                let packages: &[&str] = if scala {
                    &["java.lang.", "scala.", "scala.collection.immutable."]
                } else {
                    &["java.lang.", "java.util."]
                };
                let short = packages.iter().find_map(|package| {
                    let rest = name.strip_prefix(package).filter(|rest| !rest.contains(['.', '$']))?;
                    (*package == "java.lang." || !OF_JAVA_FIRST.contains(&rest)).then_some(rest)
                });
                let arguments: Vec<String> = arguments.iter().map(|argument| argument.hint(scala)).collect();
                let arguments =
                    if arguments.is_empty() { String::new() } else { format!("[{}]", arguments.join(", ")) };
                format!("{}{arguments}", short.unwrap_or(name))
            }
        }
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.hint(self.is_of_scala()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_is_written_as_people_write_it() {
        let item = Type::class("com.acme.Item");
        let list = Type::Class { name: "java.util.List".to_owned(), arguments: vec![item.clone()] };
        assert_eq!(list.to_string(), "List[com.acme.Item]");
        assert_eq!(Type::Array(Box::new(Type::Primitive("int"))).to_string(), "int[]");
        let entry = Type::Class { name: "java.util.Map$Entry".to_owned(), arguments: vec![Type::Any, item] };
        assert_eq!(entry.to_string(), "java.util.Map$Entry[?, com.acme.Item]");
        assert_eq!(entry.short(), "Entry");
        let numbers = Type::Array(Box::new(Type::class("scala.Long")));
        let seq = Type::Class { name: "scala.collection.Seq".to_owned(), arguments: vec![numbers] };
        assert_eq!(seq.to_string(), "scala.collection.Seq[Array[Long]]");
        assert_eq!(list.hint(true), "java.util.List[com.acme.Item]");
        assert!(entry.is_vague() && !list.is_vague());
    }
}
