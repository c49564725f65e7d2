//! JSON Schemas of parameters and results, as the Java side of enact reads and writes them.

mod known;
pub mod shape;

use std::collections::HashMap;

use serde_json::{Map, Value, json};

use crate::class::Class;
use crate::jars::Jars;
use crate::scala::Outlines;
use crate::types::Type;
pub use known::{Group, group};
use shape::{Property, Shape};

/// Deepest nesting that is described; what is below may be anything.
const DEPTH_MAX: usize = 5;
/// Most pieces of one schema; what comes after may be anything.
const PIECES_MAX: usize = 200;
/// Most classes below another one that are asked for a getter of their own; where there are more, one may have it.
const BELOW_MAX: usize = 1_000;
/// Most classes whose shape is kept; a jar with more of them is read again here and there.
const SHAPES_MAX: usize = 2_000;

/// Which way a value goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// From JSON to Java.
    In,
    /// From JSON to Scala.
    InOfScala,
    /// From Java to JSON, where every reference may be null.
    Out,
    /// From Scala to JSON, where nobody writes null.
    OutOfScala,
}

impl Way {
    fn is_in(self) -> bool {
        matches!(self, Self::In | Self::InOfScala)
    }
    /// Returns whether what a class of this name holds may be null: what is in Java's own, but nobody in Scala gives null.
    fn takes_null_in(self, name: &str, it: &Type) -> bool {
        match self {
            Self::Out => true,
            Self::OutOfScala => name.starts_with("java."),
            Self::In | Self::InOfScala => it.is_box(),
        }
    }
}

/// Makes schemas, and knows the classes that were looked at.
pub struct Schemas<'a> {
    /// The jars that are looked into.
    pub jars: &'a mut Jars,
    /// What Scala wrote beside its classes.
    pub outlines: Outlines,
    shapes: HashMap<String, Shape>,
    /// The classes below each class of the jars.
    below: Below,
}

/// The classes of the jars that extend another one of them, by the name of that one.
pub type Below = HashMap<String, Vec<String>>;

/// One schema in the making.
struct Making {
    way: Way,
    inside: Vec<Outer>,
    pieces: usize,
    /// Whether what is looked at stands in every object that is around it.
    always: bool,
}

/// A class whose members are looked at.
struct Outer {
    name: String,
    /// Whether it stands in every object that is around it.
    always: bool,
}

impl<'a> Schemas<'a> {
    /// Looks into jars.
    pub fn new(jars: &'a mut Jars, below: Below) -> Self {
        Self { jars, outlines: Outlines::default(), shapes: HashMap::new(), below }
    }

    /// Returns the jars.
    pub fn jars(&mut self) -> &mut Jars {
        self.jars
    }

    /// Returns the schema of a type, or why it has none.
    ///
    /// # Errors
    /// No JSON can become this type, or it can become no JSON.
    pub fn of(&mut self, it: &Type, way: Way) -> Result<Value, String> {
        let mut making = Making { way, inside: Vec::new(), pieces: 0, always: false };
        let schema = self.one(it, &mut making)?;
        Ok(if way == Way::Out || it.is_box() { or_null(it, schema) } else { schema })
    }

    fn one(&mut self, it: &Type, making: &mut Making) -> Result<Value, String> {
        making.pieces += 1;
        match it {
            Type::Primitive(name) => Ok(known::scalar(name).unwrap_or_else(|| json!({}))),
            Type::Variable(_) | Type::Any => Ok(json!({})),
            Type::Array(item) => match **item {
                Type::Primitive("byte" | "char") => Ok(json!({ "type": "string" })),
                _ => Ok(json!({ "type": "array", "items": self.item("", item, making)? })),
            },
            Type::Class { name, arguments } => {
                if let Some(schema) = known::scalar(name) {
                    return Ok(match schema {
                        // A far year is no `date`, though Java has it.
                        _ if !making.way.is_in() && name == "java.time.LocalDate" => json!({ "type": "string" }),
                        schema => schema,
                    });
                }
                if known::is_function(name) {
                    return Err(format!("{name} is a function, which has no form in JSON"));
                }
                match group(name, arguments.len()) {
                    Some(_) if making.way.is_in() && !known::can_be_made(name) => Err(format!(
                        "{name} cannot be made of JSON; the JVM side makes a List, Vector, Seq, Set or Map"
                    )),
                    Some(Group::Later) if making.way.is_in() => {
                        Err(format!("{name} is something to wait for, which no JSON can become"))
                    }
                    Some(Group::Map) if making.way.is_in() && !self.is_key(arguments.first()) => Err(format!(
                        "the keys of a map are names in JSON and cannot be {}",
                        arguments.first().unwrap_or(&Type::Any)
                    )),
                    Some(group) => self.group(group, name, arguments, making),
                    None => self.class(name, arguments, making),
                }
            }
        }
    }

    /// Makes the schema of a part, unless there is too much already.
    fn inner(&mut self, it: &Type, making: &mut Making) -> Result<Value, String> {
        if making.inside.len() >= DEPTH_MAX || making.pieces >= PIECES_MAX {
            return Ok(json!({}));
        }
        self.one(it, making)
    }

    /// Makes the schema of what stands in something; `holder` is the class, or empty for an array.
    fn item(&mut self, holder: &str, it: &Type, making: &mut Making) -> Result<Value, String> {
        let schema = self.inner(it, making)?;
        Ok(if making.way.takes_null_in(holder, it) { or_null(it, schema) } else { schema })
    }

    /// Returns whether a name can become such a key.
    fn is_key(&mut self, key: Option<&Type>) -> bool {
        let Some(Type::Class { name, .. }) = key else { return !matches!(key, Some(Type::Array(_))) };
        known::scalar(name).is_some() || matches!(self.shape(name), Shape::Enum(_))
    }

    fn group(&mut self, group: Group, name: &str, arguments: &[Type], making: &mut Making) -> Result<Value, String> {
        // It may be empty.
        making.always = false;
        let mut at = |index: usize, schemas: &mut Self| {
            arguments.get(index).map_or_else(|| Ok(json!({})), |it| schemas.item(name, it, making))
        };
        Ok(match group {
            Group::List => json!({ "type": "array", "items": at(0, self)? }),
            Group::Map => json!({ "type": "object", "additionalProperties": at(1, self)? }),
            Group::Maybe => add_null(at(0, self)?),
            // What it promises may be null; that is said where the promise stands.
            Group::Later => at(0, self)?,
            Group::Tuple => {
                let items = (0..arguments.len()).map(|index| at(index, self)).collect::<Result<Vec<_>, _>>()?;
                json!({ "type": "array", "prefixItems": items, "minItems": items.len(), "maxItems": items.len() })
            }
            Group::Anything => json!({}),
        })
    }

    fn class(&mut self, name: &str, arguments: &[Type], making: &mut Making) -> Result<Value, String> {
        if making.way.is_in() && name.starts_with("scala.") {
            return Err(format!("{name} is of Scala's own library and cannot be made of JSON"));
        }
        let always = std::mem::take(&mut making.always);
        if let Some(at) = making.inside.iter().position(|outer| outer.name == name) {
            let endless = always && making.inside.iter().skip(at + 1).all(|outer| outer.always);
            return if endless {
                Err(format!("every {name} has another one in it, without end"))
            } else {
                Ok(json!({ "type": "object" }))
            };
        }
        if !self.jars.has(name) {
            let of_java = ["java.", "javax.", "jdk.", "sun.", "scala."].iter().any(|it| name.starts_with(it));
            return if of_java {
                Err(format!("{} has no form in JSON", Type::class(name)))
            } else {
                Err(format!("the class {name} is not in the jar"))
            };
        }
        let (properties, parameters, of_scala) = match self.shape(name) {
            Shape::Enum(names) => return Ok(json!({ "type": "string", "enum": names })),
            Shape::Abstract if making.way.is_in() => {
                return Err(format!("{name} is abstract: JSON cannot say which class is meant"));
            }
            Shape::Closed { why, .. } if making.way.is_in() => return Err(why),
            Shape::Abstract | Shape::Strange => return Ok(json!({})),
            Shape::Closed { shown, parameters, .. } => {
                // What it shows is not described, but it may be what can never be written.
                let pieces = making.pieces;
                let known: Vec<(String, Type)> = parameters.into_iter().zip(arguments.iter().cloned()).collect();
                self.inside(Outer { name: name.to_owned(), always }, &shown, &known, false, making)?;
                making.pieces = pieces;
                return Ok(json!({}));
            }
            Shape::Object { made, shown, parameters, of_scala } => {
                (if making.way.is_in() { made } else { shown }, parameters, of_scala)
            }
        };
        let known: Vec<(String, Type)> = parameters.into_iter().zip(arguments.iter().cloned()).collect();
        self.inside(Outer { name: name.to_owned(), always }, &properties, &known, of_scala, making)
    }

    fn inside(
        &mut self,
        outer: Outer,
        properties: &[Property],
        known: &[(String, Type)],
        of_scala: bool,
        making: &mut Making,
    ) -> Result<Value, String> {
        let name = outer.name.clone();
        making.inside.push(outer);
        let schema = self.properties(&name, properties, known, of_scala, making);
        making.inside.pop();
        schema
    }

    /// Returns whether a property stands in every object of a class of the jars with something in it that is no mere holder.
    fn is_always_there(&mut self, owner: &str, property: &Property, is: &Type) -> bool {
        let item = match is {
            Type::Array(item) => item,
            other => other,
        };
        let holds_itself = item.as_class().is_some_and(|(name, arguments)| group(name, arguments.len()).is_none());
        holds_itself && property.always.as_ref().is_some_and(|getter| !self.is_replaced(owner, getter))
    }

    /// Returns whether a class below another one has a getter of its own in the place of that one's.
    fn is_replaced(&mut self, owner: &str, getter: &str) -> bool {
        let mut open = self.below.get(owner).cloned().unwrap_or_default();
        let mut looked_at = 0;
        while let Some(name) = open.pop() {
            looked_at += 1;
            let Some(bytes) = self.jars.class(&name) else { return true };
            let replaces =
                |class: Class<'_>| class.methods.iter().any(|it| it.name == getter && it.descriptor.starts_with("()"));
            if looked_at > BELOW_MAX || Class::read(&bytes).map_or(true, replaces) {
                return true;
            }
            open.extend(self.below.get(&name).cloned().unwrap_or_default());
        }
        false
    }

    fn properties(
        &mut self,
        owner: &str,
        properties: &[Property],
        known: &[(String, Type)],
        of_scala: bool,
        making: &mut Making,
    ) -> Result<Value, String> {
        let (mut members, mut required) = (Map::new(), Vec::new());
        for property in properties {
            let is = property.is.substitute(known);
            let always = !making.way.is_in() && self.is_always_there(owner, property, &is);
            making.always = always;
            let schema = match self.inner(&is, making) {
                Ok(schema) => schema,
                // A bean may have setters for what nobody gives, and getters that answer null; a constructor wants all of
                // its parameters, and what is always there is always written.
                Err(_) if !property.needed && !always => continue,
                Err(why) => return Err(format!("{why} (in `{}`)", property.name)),
            };
            if making.way.is_in() && property.needed && !is.is_optional() {
                required.push(json!(property.name));
            }
            // A case class is made and shown without null; whatever else refers to something may refer to nothing.
            let schema = if making.way == Way::Out || !of_scala { or_null(&is, schema) } else { schema };
            members.insert(property.name.clone(), schema);
        }
        let mut schema = json!({ "type": "object" });
        if !required.is_empty() {
            schema["required"] = Value::Array(required);
        }
        if !members.is_empty() {
            schema["properties"] = Value::Object(members);
        }
        Ok(schema)
    }

    fn shape(&mut self, name: &str) -> Shape {
        if let Some(known) = self.shapes.get(name) {
            return known.clone();
        }
        let shape = shape::read(self.jars, &mut self.outlines, name);
        if self.shapes.len() < SHAPES_MAX {
            self.shapes.insert(name.to_owned(), shape.clone());
        }
        shape
    }
}

fn or_null(it: &Type, schema: Value) -> Value {
    if matches!(it, Type::Primitive(_)) { schema } else { add_null(schema) }
}

/// Lets null pass, too.
fn add_null(mut schema: Value) -> Value {
    let Some(members) = schema.as_object_mut() else { return schema };
    if let Some(Value::Array(names)) = members.get_mut("enum") {
        names.push(Value::Null);
    }
    match members.get_mut("type") {
        Some(Value::String(one)) if one != "null" => {
            let one = std::mem::take(one);
            members.insert("type".to_owned(), json!([one, "null"]));
        }
        _ => {}
    }
    schema
}

/// Returns the schema of an argument: an object whose members are the parameters.
pub fn argument(parameters: Vec<(String, Value, bool)>) -> Value {
    let mut schema = json!({ "type": "object" });
    let required: Vec<Value> =
        parameters.iter().filter(|(_, _, needed)| *needed).map(|(name, _, _)| json!(name)).collect();
    if !required.is_empty() {
        schema["required"] = Value::Array(required);
    }
    if !parameters.is_empty() {
        schema["properties"] = parameters.into_iter().map(|(name, schema, _)| (name, schema)).collect();
    }
    schema
}
