//! Descriptors and generic signatures of class files.

use crate::types::Type;

/// Deepest nesting of a type.
const DEPTH_MAX: u8 = 32;

/// What a method takes and answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    /// What it takes.
    pub parameters: Vec<Type>,
    /// What it answers.
    pub result: Type,
    /// Its type parameters whose bound speaks of a type parameter, such as `E extends Enum<E>`, and the class of the bound.
    pub bounded: Vec<(String, String)>,
}

/// Reads the descriptor or the generic signature of a method.
pub fn method(text: &str) -> Option<Signature> {
    let mut parser = Parser { rest: text.as_bytes(), depth: 0 };
    let bounds = parser.type_parameters()?;
    let of = |(name, bound): &(String, Type)| Some((name.clone(), bound.as_class()?.0.to_owned()));
    let bounded = bounds.iter().filter(|(_, bound)| bound.is_vague()).filter_map(of).collect();
    let bounds: Vec<(String, Type)> = bounds.into_iter().map(told).collect();
    parser.expect(b'(')?;
    let mut parameters = Vec::new();
    while parser.peek()? != b')' {
        parameters.push(parser.any()?.substitute(&bounds));
    }
    parser.expect(b')')?;
    let result = parser.any()?.substitute(&bounds);
    Some(Signature { parameters, result, bounded })
}

/// What stands for a type parameter: its bound, unless that tells no more than the parameter.
fn told((name, bound): (String, Type)) -> (String, Type) {
    let it = if bound.is_vague() { Type::Variable(name.clone()) } else { bound };
    (name, it)
}

/// Reads the descriptor or the generic signature of a field.
pub fn field(text: &str) -> Option<Type> {
    Parser { rest: text.as_bytes(), depth: 0 }.any()
}

/// What the signature of a class tells.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ClassSignature {
    /// The names of its type parameters.
    pub parameters: Vec<String>,
    /// What it extends and implements.
    pub parents: Vec<Type>,
}

/// Reads the generic signature of a class.
pub fn class(text: &str) -> Option<ClassSignature> {
    let mut parser = Parser { rest: text.as_bytes(), depth: 0 };
    let parameters = parser.type_parameters()?.into_iter().map(|(name, _)| name).collect();
    let mut parents = Vec::new();
    while !parser.rest.is_empty() {
        parents.push(parser.any()?);
    }
    Some(ClassSignature { parameters, parents })
}

/// Returns the first slot of each parameter among the local variables.
pub fn slots(parameters: &[Type], is_static: bool) -> Vec<u16> {
    let mut next = u16::from(!is_static);
    let widths = parameters.iter().map(|it| if matches!(it, Type::Primitive("long" | "double")) { 2 } else { 1 });
    widths
        .map(|width| {
            let slot = next;
            next = next.saturating_add(width);
            slot
        })
        .collect()
}

struct Parser<'a> {
    rest: &'a [u8],
    depth: u8,
}

impl Parser<'_> {
    fn peek(&self) -> Option<u8> {
        self.rest.first().copied()
    }
    fn next(&mut self) -> Option<u8> {
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(*first)
    }
    fn expect(&mut self, byte: u8) -> Option<()> {
        (self.next()? == byte).then_some(())
    }
    /// Takes the text in front of one of these.
    fn until(&mut self, ends: &[u8]) -> Option<String> {
        let at = self.rest.iter().position(|byte| ends.contains(byte))?;
        let (head, tail) = self.rest.split_at_checked(at)?;
        self.rest = tail;
        Some(String::from_utf8_lossy(head).into_owned())
    }

    /// Reads `<T:Bound;U::IBound;>`; each parameter with its first bound.
    fn type_parameters(&mut self) -> Option<Vec<(String, Type)>> {
        let mut out = Vec::new();
        if self.peek() != Some(b'<') {
            return Some(out);
        }
        self.next();
        while self.peek()? != b'>' {
            let name = self.until(b":")?;
            let mut bound = None;
            while self.peek()? == b':' {
                self.next();
                if self.peek()? != b':' {
                    let one = self.any()?;
                    bound = bound.or(Some(one));
                }
            }
            let known = bound.unwrap_or_else(|| Type::Variable(name.clone()));
            out.push((name, known));
        }
        self.next();
        Some(out)
    }

    fn any(&mut self) -> Option<Type> {
        self.depth = self.depth.checked_add(1).filter(|depth| *depth < DEPTH_MAX)?;
        let it = match self.next()? {
            b'Z' => Type::Primitive("boolean"),
            b'B' => Type::Primitive("byte"),
            b'C' => Type::Primitive("char"),
            b'S' => Type::Primitive("short"),
            b'I' => Type::Primitive("int"),
            b'J' => Type::Primitive("long"),
            b'F' => Type::Primitive("float"),
            b'D' => Type::Primitive("double"),
            b'V' => Type::Primitive("void"),
            b'[' => Type::Array(Box::new(self.any()?)),
            b'T' => {
                let name = self.until(b";")?;
                self.next();
                Type::Variable(name)
            }
            b'*' => Type::Any,
            // What stands where something of this type or below is asked for is of this type.
            b'+' => self.any()?,
            b'-' => {
                self.any()?;
                Type::Any
            }
            b'L' => self.class_type()?,
            _ => return None,
        };
        self.depth -= 1;
        Some(it)
    }

    fn class_type(&mut self) -> Option<Type> {
        let mut name = self.until(b"<;.")?.replace('/', ".");
        let mut arguments = Vec::new();
        loop {
            match self.next()? {
                b';' => return Some(Type::Class { name, arguments }),
                b'<' => {
                    arguments.clear();
                    while self.peek()? != b'>' {
                        arguments.push(self.any()?);
                    }
                    self.next();
                }
                b'.' => {
                    name.push('$');
                    name.push_str(&self.until(b"<;.")?);
                    arguments.clear();
                }
                _ => return None,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        let signature = method(text).unwrap();
        let parameters: Vec<String> = signature.parameters.iter().map(ToString::to_string).collect();
        format!("({}) {}", parameters.join(", "), signature.result)
    }

    #[test]
    fn descriptors_and_generic_signatures_are_read() {
        assert_eq!(shown("([[IJLjava/lang/String;)V"), "(int[][], long, String) void");
        assert_eq!(
            shown("(Ljava/util/Map<Ljava/lang/String;+Lcom/acme/Item;>;TT;)Ljava/util/List<*>;"),
            "(Map[String, com.acme.Item], T) List[?]"
        );
        assert_eq!(shown("<T::Lcom/acme/Shape;>(TT;)TT;^Ljava/io/IOException;"), "(com.acme.Shape) com.acme.Shape");
        assert_eq!(shown("<T:Ljava/lang/Object;>(TT;)V"), "(T) void");
        assert_eq!(shown("(Lcom/acme/Outer<TA;>.Inner<TB;>;)V"), "(com.acme.Outer$Inner[B]) void");
    }

    #[test]
    fn damaged_signatures_are_none() {
        for text in ["", "(", "()", "(X)V", "(Lcom/acme", "<T", "<T:", "(Ljava/util/List<", "(Ljava/util/List<I"] {
            assert_eq!(method(text), None, "{text}");
        }
        assert_eq!(method(&format!("({}I)V", "[".repeat(100))), None);
    }

    #[test]
    fn long_numbers_take_two_slots() {
        let signature = method("(JIDLjava/lang/String;)V").unwrap();
        assert_eq!(slots(&signature.parameters, true), [0, 2, 3, 5]);
        assert_eq!(slots(&signature.parameters, false), [1, 3, 4, 6]);
    }

    #[test]
    fn the_signature_of_a_class_tells_its_parameters_and_parents() {
        let signature = class("<A:Ljava/lang/Object;>Lcom/acme/Base<TA;>;Ljava/io/Closeable;").unwrap();
        assert_eq!(signature.parameters, ["A"]);
        assert_eq!(signature.parents[0].to_string(), "com.acme.Base[A]");
    }
}
