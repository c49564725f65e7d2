//! What Scala 2 writes beside a class: the types that Java's signatures do not hold, as a table in an annotation.

mod outline;
mod pickle;

use std::collections::HashMap;
use std::rc::Rc;

pub use outline::{Member, Outline, Parameter};

use crate::class::Class;
use crate::jars::Jars;

/// Most outlines that are held: a class is mostly asked for with its neighbours.
const OUTLINES_MAX: usize = 32;

/// A class that every library of Scala has, and nothing else.
pub const LIBRARY_CLASS: &str = "scala/Option";

/// Which Scala made a class.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// Java, or something else that is no Scala.
    None,
    /// Scala 2.
    Two,
    /// Scala 3, which writes trees that are not read here.
    Three,
}

/// Returns which Scala made a class.
pub fn dialect(class: &Class<'_>) -> Dialect {
    let has = |name| class.attribute(name).is_some();
    if has("TASTY") {
        Dialect::Three
    } else if has("ScalaSig") || has("ScalaInlineInfo") || has("Scala") {
        Dialect::Two
    } else {
        Dialect::None
    }
}

/// Returns how the library of the Scala that made these jars is called: `_2.11` in the name of one tells the version.
pub fn library(jars: &Jars) -> String {
    let version = |file: String| {
        let (_, after) = file.rsplit_once('_')?;
        let end = after.find(|it: char| !it.is_ascii_digit() && it != '.').unwrap_or(after.len());
        let version = after.get(..end)?.trim_end_matches('.');
        version.starts_with(['2', '3']).then(|| version.to_owned())
    };
    match jars.jars.iter().find_map(|jar| version(jar.name())) {
        // Scala 3 stands on the library of 2.13, and has one of its own beside it.
        Some(three) if three.starts_with('3') => "scala-library-2.13".to_owned(),
        Some(two) => format!("scala-library-{two}"),
        None => "scala-library".to_owned(),
    }
}

/// Reads what Scala 2 wrote about a class and everything inside of it.
fn outline(class: &Class<'_>) -> Option<Outline> {
    let packed = class.annotations(None).into_iter().find(|annotation| {
        matches!(&*annotation.descriptor, "Lscala/reflect/ScalaSignature;" | "Lscala/reflect/ScalaLongSignature;")
    })?;
    let bytes = unpack(&packed.texts.concat());
    outline::read(&pickle::Table::read(&bytes)?)
}

/// What was read of outermost classes, by their names with dots.
#[derive(Debug, Default)]
pub struct Outlines {
    held: HashMap<String, Option<Rc<Outline>>>,
}

impl Outlines {
    /// Finds the outline of a class: that of a nested one, or of an object, stands in the outermost.
    pub fn of(&mut self, jars: &mut Jars, class: &Class<'_>, name: &str) -> Option<Rc<Outline>> {
        let (package, last) = name.rsplit_once('.').unwrap_or(("", name));
        let end = last.get(1..).and_then(|rest| rest.find('$')).map_or(last.len(), |at| at + 1);
        let outermost = last.get(..end)?;
        let outermost = if package.is_empty() { outermost.to_owned() } else { format!("{package}.{outermost}") };
        if let Some(held) = self.held.get(&outermost) {
            return held.clone();
        }
        if self.held.len() >= OUTLINES_MAX {
            self.held.clear();
        }
        let beside = || outline(&Class::read(&jars.class(&outermost)?).ok()?);
        // An object alone, without a class of its name, may hold it itself.
        let read = outline(class).or_else(beside).map(Rc::new);
        self.held.insert(outermost, read.clone());
        read
    }
}

/// Turns the text of the annotation into bytes: seven bits of each character, each counted one up so that none is NUL.
fn unpack(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let (mut held, mut bits) = (0_u32, 0);
    let mut rest = text;
    while let [first, tail @ ..] = rest {
        let (seven, taken) = match (first, tail) {
            (0xc0, [0x80, ..]) => (0x7f, 2),
            (0, _) => (0x7f, 1),
            _ => ((first - 1) & 0x7f, 1),
        };
        rest = rest.get(taken..).unwrap_or_default();
        held |= u32::from(seven) << bits;
        bits += 7;
        if bits >= 8 {
            out.push((held & 0xff) as u8);
            held >>= 8;
            bits -= 8;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The same the other way round.
    fn pack(bytes: &[u8]) -> Vec<u8> {
        let (mut held, mut bits, mut out) = (0_u32, 0, Vec::new());
        let mut push = |seven: u32| match (seven + 1) & 0x7f {
            0 => out.extend([0xc0, 0x80]),
            other => out.push(other as u8),
        };
        for byte in bytes {
            held |= u32::from(*byte) << bits;
            bits += 8;
            while bits >= 7 {
                push(held & 0x7f);
                held >>= 7;
                bits -= 7;
            }
        }
        if bits > 0 {
            push(held & 0x7f);
        }
        out
    }

    #[test]
    fn seven_bits_become_eight_again() {
        let bytes: Vec<u8> = (0..=255).chain([0, 255, 127, 128]).collect();
        assert_eq!(unpack(&pack(&bytes))[..bytes.len()], bytes);
        assert_eq!(unpack(&[]), [] as [u8; 0]);
    }
}
