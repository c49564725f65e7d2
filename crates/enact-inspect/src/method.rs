//! Which methods of a class can be called with JSON, and why the others cannot.

use std::collections::BTreeSet;
use std::rc::Rc;

use crate::class::{ABSTRACT, BRIDGE, Class, ENUM, INTERFACE, Member, NATIVE, PUBLIC, STATIC, VARARGS};
use crate::facts::{LeftOut, Operation, Parameter};
use crate::filter::Filter;
use crate::scala::{self, Dialect, Outline};
use crate::schema::shape::decapitalised;
use crate::schema::{Group, Schemas, Way, argument};
use crate::signature::{self, Signature};
use crate::types::Type;

/// Most superclasses that are asked for methods.
const PARENTS_MAX: usize = 8;
/// Methods that every object has, and those that Scala's compiler gives to every case class.
const OF_EVERY_OBJECT: [&str; 22] = [
    "equals",
    "compareTo",
    "hashCode",
    "toString",
    "clone",
    "finalize",
    "wait",
    "notify",
    "notifyAll",
    "getClass",
    "canEqual",
    "copy",
    "unapply",
    "unapplySeq",
    "productArity",
    "productElement",
    "productPrefix",
    "productIterator",
    "productElementName",
    "productElementNames",
    "readResolve",
    "writeReplace",
];

/// Most classes and interfaces above one that are looked at for overloads.
const ABOVE_MAX: usize = 200;
/// What stands above many classes and brings no method that is called here.
const EVERYBODYS: [&str; 8] = [
    "java/lang/Object",
    "java/lang/Record",
    "java/lang/Enum",
    "java/io/Serializable",
    "java/lang/Cloneable",
    "java/lang/Comparable",
    "java/util/RandomAccess",
    "scala/Serializable",
];

/// What was found in one class.
#[derive(Debug, Default)]
pub struct Found {
    /// What can be called.
    pub operations: Vec<Operation>,
    /// What cannot, and why.
    pub left_out: Vec<LeftOut>,
}

/// How a class is used.
struct Owner<'a> {
    /// Its name with dots.
    name: &'a str,
    /// The class whose methods are looked at: itself, or one above.
    class: &'a Class<'a>,
    /// Whether an object can be had: by a constructor without parameters, or because it is a Scala object.
    has_object: bool,
    dialect: Dialect,
    outline: Option<Rc<Outline>>,
    /// Every method that the class called has.
    all: Rc<All>,
}

/// The public methods of a class and of those above it, as the JVM finds them by name.
#[derive(Debug, Default)]
struct All {
    /// Name, parameters as in the descriptor, whether it is static.
    methods: Vec<(String, String, bool)>,
    /// Whether a class above it, other than one that everybody has, is in none of the jars.
    unseen: bool,
}

impl All {
    fn of(schemas: &mut Schemas<'_>, class: &Class<'_>) -> Self {
        let mut all = Self::default();
        let mut seen = BTreeSet::new();
        let mut above = Vec::new();
        all.take(class, true, &mut seen, &mut above);
        for _ in 0..ABOVE_MAX {
            let Some(name) = above.pop() else { break };
            if EVERYBODYS.contains(&name.as_str()) {
                continue;
            }
            let bytes = schemas.jars().class(&name.replace('/', "."));
            match bytes.as_deref().map(Class::read) {
                Some(Ok(class)) => all.take(&class, class.access & INTERFACE == 0, &mut seen, &mut above),
                _ => all.unseen = true,
            }
        }
        all
    }

    /// Static methods of interfaces are nobody else's.
    fn take(
        &mut self,
        class: &Class<'_>,
        statics: bool,
        seen: &mut BTreeSet<(String, String)>,
        above: &mut Vec<String>,
    ) {
        for method in class.methods.iter().filter(|it| it.is(PUBLIC) && (statics || !it.is(STATIC))) {
            let parameters = method.descriptor.rsplit_once(')').map_or("", |(parameters, _)| parameters);
            let key = (method.name.clone().into_owned(), parameters.to_owned());
            let made_up = method.access & BRIDGE != 0 || method.is_synthetic();
            if seen.insert(key.clone()) && !made_up {
                self.methods.push((key.0, key.1, method.is(STATIC)));
            }
        }
        above.extend(class.parent.iter().chain(&class.interfaces).map(|it| it.clone().into_owned()));
    }

    fn count(&self, name: &str, is_static: bool) -> usize {
        self.methods.iter().filter(|it| it.0 == name && it.2 == is_static).count()
    }
}

/// Looks at the methods of a class, by its name with dots.
pub fn find(schemas: &mut Schemas<'_>, name: &str, class: &Class<'_>, filter: &Filter) -> Found {
    let mut found = Found::default();
    if !is_meant_for_use(name, class) {
        return found;
    }
    let is_object = class.fields.iter().any(|field| field.name == "MODULE$" && field.is(STATIC | PUBLIC));
    let empty = |method: &Member<'_>| method.name == "<init>" && method.descriptor == "()V" && method.is(PUBLIC);
    let can_be_made = class.access & (INTERFACE | ABSTRACT | ENUM) == 0 && class.methods.iter().any(empty);
    // Where there is one object alone, it is that one.
    let itself = format!("L{};", class.name);
    let only =
        |field: &Member<'_>| field.name == "INSTANCE" && field.is(STATIC | PUBLIC) && *field.descriptor == *itself;
    let can_be_made = can_be_made || class.fields.iter().any(only);
    let dialect = scala::dialect(class);
    let outline = (dialect == Dialect::Two).then(|| schemas.outlines.of(schemas.jars, class, name)).flatten();
    let forwarded = if is_object { forwarded(schemas, name) } else { Vec::new() };
    let all = Rc::new(All::of(schemas, class));
    let owner = Owner { name, class, has_object: is_object || can_be_made, dialect, outline, all };
    let of_object = if is_object { Vec::new() } else { of_object(schemas, name) };
    let mut needs_object = 0;
    for (at, method) in class.methods.iter().enumerate() {
        // Where only the answers differ, the JVM takes the one that says most.
        let again =
            class.methods.iter().take(at).any(|other| is_candidate(&owner, other) && is_called_alike(other, method));
        if again
            || !is_candidate(&owner, method)
            || forwarded.contains(&format!("{}{}", method.name, method.descriptor))
        {
            continue;
        }
        if !method.is(STATIC) && !owner.has_object {
            needs_object += 1;
        } else if filter.takes_method(&method.name) {
            match shadow(&owner.all, &of_object, method) {
                Some(why) => found.left_out.push(LeftOut {
                    class: name.to_owned(),
                    method: method.name.clone().into_owned(),
                    why: why.to_owned(),
                }),
                None => look(schemas, &owner, method, &[], &mut found),
            }
        }
    }
    if owner.has_object && !is_object {
        inherited(schemas, &owner, &of_object, filter, &mut found);
    }
    if needs_object > 0 && found.operations.is_empty() {
        let why = if class.access & (INTERFACE | ABSTRACT) != 0 {
            "they need an object, and the class is abstract"
        } else {
            "they need an object, and the class has no public constructor without parameters"
        };
        let method = if needs_object == 1 { "1 method".to_owned() } else { format!("{needs_object} methods") };
        found.left_out.push(LeftOut { class: name.to_owned(), method, why: why.to_owned() });
    }
    found
}

/// Returns whether a class was written for others to use: public, and not made by a compiler or a tool.
fn is_meant_for_use(name: &str, class: &Class<'_>) -> bool {
    let last = name.rsplit('.').next().unwrap_or(name);
    let made_up = last.trim_end_matches('$').split('$').skip(1).any(|part| {
        // `Ordered$class` holds what Scala 2.11 makes of the methods of a trait.
        let of_compiler = part.is_empty() || part == "class" || part.starts_with("anon");
        of_compiler || part.starts_with(|it: char| it.is_ascii_digit())
    });
    class.access & PUBLIC != 0 && !class.is_synthetic() && !made_up && !is_old_or_generated(class, None)
}

fn is_old_or_generated(class: &Class<'_>, member: Option<&Member<'_>>) -> bool {
    let deprecated = match member {
        Some(member) => member.attribute("Deprecated"),
        None => class.attribute("Deprecated"),
    };
    let generated = |it: &crate::class::Annotation<'_>| it.descriptor.ends_with("Generated;");
    deprecated.is_some() || class.annotations(member).iter().any(generated)
}

/// The names of what the Scala object of the same name can do, what it inherits included.
fn of_object(schemas: &mut Schemas<'_>, name: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut above = Some(format!("{name}$"));
    for _ in 0..=PARENTS_MAX {
        let Some(bytes) = above.take().and_then(|name| schemas.jars.class(&name)) else { break };
        let Ok(object) = Class::read(&bytes) else { break };
        let methods = object.methods.iter().filter(|method| method.is(PUBLIC) && !method.is(STATIC));
        names.extend(methods.map(|method| method.name.clone().into_owned()));
        above = object.parent.as_ref().map(|parent| parent.replace('/', "."));
    }
    names
}

/// Returns what is called in place of a method that needs an object, if something is: a static one comes before it.
fn shadow(all: &All, of_object: &[String], method: &Member<'_>) -> Option<&'static str> {
    if method.is(STATIC) {
        return None;
    }
    if all.count(&method.name, true) > 0 {
        return Some("a static method of this name is called in its place");
    }
    let shadowed = of_object.iter().any(|other| *other == *method.name);
    shadowed.then_some("the method of this name of the Scala object is called in its place")
}

/// What of an object can be called through the class of the same name without the dollar.
fn forwarded(schemas: &mut Schemas<'_>, name: &str) -> Vec<String> {
    let Some(bytes) = schemas.jars().class(name.trim_end_matches('$')) else { return Vec::new() };
    let Ok(beside) = Class::read(&bytes) else { return Vec::new() };
    let methods = beside.methods.iter().filter(|method| method.is(PUBLIC | STATIC));
    methods.map(|method| format!("{}{}", method.name, method.descriptor)).collect()
}

/// Returns whether two methods are told apart by nothing that a caller says.
fn is_called_alike(one: &Member<'_>, two: &Member<'_>) -> bool {
    let taken = |method: &Member<'_>| method.descriptor.rsplit_once(')').map(|(parameters, _)| parameters.to_owned());
    one.name == two.name && one.is(STATIC) == two.is(STATIC) && taken(one) == taken(two)
}

fn is_candidate(owner: &Owner<'_>, method: &Member<'_>) -> bool {
    let name: &str = &method.name;
    let hidden = !method.is(PUBLIC) || method.is_synthetic() || method.access & (BRIDGE | ABSTRACT) != 0;
    let of_every_object = OF_EVERY_OBJECT.contains(&name) && !(method.is(STATIC) && name == "copy");
    let of_enum = owner.class.access & ENUM != 0 && matches!(name, "values" | "valueOf");
    // What a Scala program gets by `extends App`.
    let of_app = matches!(name, "args" | "executionStart" | "delayedInit")
        && owner.class.methods.iter().any(|other| other.name == "delayedInit");
    let main = name == "main" && method.descriptor == "([Ljava/lang/String;)V" && method.is(STATIC);
    !(hidden
        || name.starts_with('<')
        || name.contains('$')
        || of_every_object
        || of_enum
        || of_app
        || main
        || is_accessor(owner, method)
        || is_old_or_generated(owner.class, Some(method)))
}

/// Returns whether a method only hands out or sets a field of its object.
fn is_accessor(owner: &Owner<'_>, method: &Member<'_>) -> bool {
    if method.is(STATIC) {
        return false;
    }
    let has_field = |name: &str| owner.class.fields.iter().any(|field| field.name == name);
    let gets = method.descriptor.starts_with("()");
    if gets && owner.class.attribute("Record").is_some() && has_field(&method.name) {
        return true;
    }
    let word = ["get", "is", "set"].into_iter().find(|word| method.name.starts_with(word));
    let Some(property) = word.and_then(|word| method.name.strip_prefix(word)) else { return false };
    if !property.starts_with(|it: char| it.is_uppercase()) {
        return false;
    }
    let one = signature::method(&method.descriptor).is_some_and(|it| it.parameters.len() == 1);
    let sets = word == Some("set") && one && (method.descriptor.ends_with(")V") || has_field(&decapitalised(property)));
    // A new object that is asked for what was never set has nothing to say.
    let setter = format!("set{property}");
    let can_be_set = || owner.class.methods.iter().any(|other| other.name == setter.as_str());
    sets || word != Some("set") && gets && (has_field(&decapitalised(property)) || can_be_set())
}

/// Looks at what the class has from those above it in the jars.
fn inherited(schemas: &mut Schemas<'_>, owner: &Owner<'_>, of_object: &[String], filter: &Filter, found: &mut Found) {
    let key = |method: &Member<'_>| {
        let parameters = method.descriptor.rsplit_once(')').map_or("", |(parameters, _)| parameters);
        format!("{}{parameters}", method.name)
    };
    let mut seen: Vec<String> = owner.class.methods.iter().map(key).collect();
    let mut above = parents(owner.class, &[]);
    for _ in 0..PARENTS_MAX {
        if above.is_empty() {
            return;
        }
        let (name, known) = above.remove(0);
        let Some(bytes) = schemas.jars().class(&name) else { continue };
        let Ok(class) = Class::read(&bytes) else { continue };
        let dialect = scala::dialect(&class);
        let outline = (dialect == Dialect::Two).then(|| schemas.outlines.of(schemas.jars, &class, &name)).flatten();
        let parameters = class.signature().and_then(|text| signature::class(&text)).unwrap_or_default().parameters;
        let known: Vec<(String, Type)> = parameters.into_iter().zip(known).collect();
        let parent = Owner { name: &name, class: &class, has_object: true, dialect, outline, all: owner.all.clone() };
        for method in class.methods.iter().filter(|method| !method.is(STATIC) && is_candidate(&parent, method)) {
            if seen.contains(&key(method)) || !filter.takes_method(&method.name) {
                continue;
            }
            seen.push(key(method));
            if let Some(why) = shadow(&owner.all, of_object, method) {
                let (class, method) = (owner.name.to_owned(), method.name.clone().into_owned());
                found.left_out.push(LeftOut { class, method, why: why.to_owned() });
                continue;
            }
            let (operations, left_out) = (found.operations.len(), found.left_out.len());
            look(schemas, &parent, method, &known, found);
            // It is called on the class below.
            for operation in found.operations.iter_mut().skip(operations) {
                owner.name.clone_into(&mut operation.class);
            }
            for one in found.left_out.iter_mut().skip(left_out) {
                owner.name.clone_into(&mut one.class);
            }
        }
        above.extend(parents(&class, &known));
    }
}

/// What a class extends and implements, with the types that stand for their parameters.
fn parents(class: &Class<'_>, known: &[(String, Type)]) -> Vec<(String, Vec<Type>)> {
    let generic = class.signature().and_then(|text| signature::class(&text)).map(|it| it.parents);
    let plain = || class.parent.iter().chain(&class.interfaces).map(|it| Type::class(&it.replace('/', "."))).collect();
    let all: Vec<Type> = generic.unwrap_or_else(plain);
    let named = all.into_iter().filter_map(|it| match it.substitute(known) {
        Type::Class { name, arguments } if !name.starts_with("java.") => Some((name, arguments)),
        _ => None,
    });
    named.collect()
}

/// Looks at one method, and says what it is or why it is left out.
fn look(
    schemas: &mut Schemas<'_>,
    owner: &Owner<'_>,
    method: &Member<'_>,
    known: &[(String, Type)],
    found: &mut Found,
) {
    let Some(plain) = signature::method(&method.descriptor) else { return };
    let generic = owner.class.signature_of(method).and_then(|text| signature::method(&text));
    let generic = generic.filter(|it| it.parameters.len() == plain.parameters.len()).unwrap_or_else(|| plain.clone());
    let names = owner.class.parameter_names(method, &signature::slots(&plain.parameters, method.is(STATIC)));
    let written = match member(owner, method, &plain) {
        Ok(written) => written,
        Err(Hidden) => return,
    };
    let mut notes = Vec::new();
    let (parameters, result) = match written {
        Some(member) => {
            let implicit: Vec<&str> =
                member.parameters.iter().filter(|it| it.implicit).map(|it| it.name.as_str()).collect();
            if !implicit.is_empty() {
                notes.push(format!("Scala gives {} implicitly; here the caller does", implicit.join(", ")));
            }
            let named = member.parameters.iter().map(|it| {
                let is = if it.by_name { Type::class("scala.Function0") } else { it.is.substitute(known) };
                Parameter { name: it.name.clone(), named: true, is }
            });
            (named.collect::<Vec<_>>(), member.result.substitute(known))
        }
        None => {
            let all = generic.parameters.iter().enumerate().map(|(index, is)| {
                let name = names.get(index).cloned().flatten().filter(|name| !name.contains('$') && !name.is_empty());
                let named = name.is_some();
                Parameter { name: name.unwrap_or_else(|| format!("arg{index}")), named, is: is.substitute(known) }
            });
            (all.collect(), generic.result.substitute(known))
        }
    };
    // What stands for any class below another one is read as that one.
    let mut parameters = parameters;
    for (parameter, erased) in parameters.iter_mut().zip(&plain.parameters) {
        parameter.is = bounded(&parameter.is, erased);
    }
    let shown = |parameters: &[Parameter]| {
        let types: Vec<String> = parameters.iter().map(|it| it.is.to_string()).collect();
        format!("{}({})", method.name, types.join(", "))
    };
    let mut leave_out = |why: String| {
        found.left_out.push(LeftOut { class: owner.name.to_owned(), method: shown(&parameters), why });
    };
    let mut members: Vec<(String, serde_json::Value, bool)> = Vec::new();
    for parameter in &parameters {
        // The hub gives it; it is no part of the argument.
        if parameter.name == "context" && parameter.is.as_class().is_some_and(|(name, _)| name == "java.util.Map") {
            notes.push("`context` is the execution context, which the hub gives".to_owned());
            continue;
        }
        if let Some(why) = unfit_key(&parameter.is, &generic.bounded) {
            return leave_out(format!("`{}`: {why}", parameter.name));
        }
        match schemas.of(&parameter.is, if owner.dialect == Dialect::None { Way::In } else { Way::InOfScala }) {
            Ok(_) if members.iter().any(|(name, _, _)| *name == parameter.name) => {
                return leave_out(format!("two parameters are called {}", parameter.name));
            }
            Ok(schema) => {
                let needed = !parameter.is.is_optional();
                members.push((parameter.name.clone(), schema, needed));
            }
            Err(why) => return leave_out(format!("`{}`: {why}", parameter.name)),
        }
    }
    let way = if owner.dialect == Dialect::None { Way::Out } else { Way::OutOfScala };
    let output = match schemas.of(&result, way) {
        Ok(schema) => Some(schema).filter(|schema| schema.as_object().is_some_and(|members| !members.is_empty())),
        Err(why) => return leave_out(format!("its answer: {why}")),
    };
    let vague = parameters.iter().filter(|it| it.is.is_vague());
    notes.extend(
        vague.map(|it| format!("decide: what `{}` holds is not written in the jar; say it in its `type`", it.name)),
    );
    if owner.dialect == Dialect::Three {
        let note = "Scala 3 writes what stands inside of a type where inspect does not read it, such as the Int of List[Int]: \
                    say it in `type` of `params`";
        notes.push(note.to_owned());
    }
    if method.is(VARARGS) {
        notes.push("its last parameter takes any number: give an array".to_owned());
    }
    if method.is(NATIVE) {
        notes.push("it is not Java's: its library must be found, and what breaks it breaks the JVM".to_owned());
    }
    let overloads = owner.all.count(&method.name, method.is(STATIC)).max(1);
    found.operations.push(Operation {
        class: owner.name.to_owned(),
        method: method.name.clone().into_owned(),
        is_static: method.is(STATIC),
        parameters,
        result,
        scala: owner.dialect != Dialect::None,
        erased: owner.dialect == Dialect::Three,
        overloads,
        typed: owner.all.unseen,
        input: argument(members),
        output,
        notes,
    });
}

/// Puts what the JVM sees in the place of type parameters and of arrays of them.
fn bounded(it: &Type, erased: &Type) -> Type {
    match (it, erased) {
        (Type::Variable(_), _) => erased.clone(),
        // Scala names some types by what is not read here; the descriptor still tells the class.
        (Type::Any, Type::Class { name, .. }) if name != "java.lang.Object" => erased.clone(),
        (Type::Array(item), Type::Array(of)) => Type::Array(Box::new(bounded(item, of))),
        _ => it.clone(),
    }
}

/// Returns why the keys of a map in this type are no names, where only the bound of a type parameter tells it.
fn unfit_key(it: &Type, bounds: &[(String, String)]) -> Option<String> {
    match it {
        Type::Array(item) => unfit_key(item, bounds),
        Type::Class { name, arguments } => {
            let key = match arguments.first() {
                Some(Type::Variable(key)) if crate::schema::group(name, 2) == Some(Group::Map) => Some(key),
                _ => None,
            };
            let bound = bounds.iter().find(|(name, bound)| Some(name) == key && bound != "java.lang.Comparable");
            let unfit = bound.map(|(_, bound)| format!("the keys of a map are names in JSON and cannot be {bound}"));
            unfit.or_else(|| arguments.iter().find_map(|it| unfit_key(it, bounds)))
        }
        _ => None,
    }
}

/// Scala keeps a method to itself, or its compiler made it.
struct Hidden;

/// Finds what Scala wrote about a method.
fn member<'a>(
    owner: &'a Owner<'_>,
    method: &Member<'_>,
    plain: &Signature,
) -> Result<Option<&'a scala::Member>, Hidden> {
    let Some(outline) = &owner.outline else { return Ok(None) };
    // What is static in a Scala class leads to the object of the same name.
    let of_object = format!("{}$", owner.name.trim_end_matches('$'));
    let class = if method.is(STATIC) { &of_object } else { owner.name };
    let Some(members) = outline.get(class) else { return Ok(None) };
    let same = members.iter().filter(|it| it.name == *method.name && it.parameters.len() == plain.parameters.len());
    let fits = |member: &&scala::Member| {
        let mut pairs = member.parameters.iter().zip(&plain.parameters);
        pairs.all(|(scala, java)| scala.by_name || is_like(&scala.is, java))
    };
    let candidates: Vec<&scala::Member> = same.collect();
    let found = match candidates.as_slice() {
        [one] => Some(*one),
        several => several.iter().copied().find(fits),
    };
    match found {
        Some(member) if member.hidden || member.synthetic || member.accessor => Err(Hidden),
        other => Ok(other),
    }
}

/// Returns whether a Scala type may have become this Java type.
fn is_like(scala: &Type, java: &Type) -> bool {
    match (scala, java) {
        (Type::Array(one), Type::Array(other)) => is_like(one, other),
        (Type::Class { name, .. }, Type::Primitive(word)) => {
            name.strip_prefix("scala.").is_some_and(|short| short.eq_ignore_ascii_case(word))
        }
        (Type::Class { name, .. }, Type::Class { name: other, .. }) => name == other,
        (Type::Variable(_) | Type::Any, Type::Class { .. }) => true,
        _ => false,
    }
}
