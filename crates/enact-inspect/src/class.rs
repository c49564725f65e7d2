//! One class file: as much of it as was asked for, and of a damaged one whatever can be read.

pub mod code;
pub mod pool;

use std::borrow::Cow;

use crate::bytes::{Bytes, TooShort, text};
use pool::Pool;

/// `public`.
pub const PUBLIC: u16 = 0x0001;
/// `static`.
pub const STATIC: u16 = 0x0008;
/// A method that the compiler made so that another one is found.
pub const BRIDGE: u16 = 0x0040;
/// The last parameter takes any number.
pub const VARARGS: u16 = 0x0080;
/// Its body is not Java's.
pub const NATIVE: u16 = 0x0100;
/// An interface.
pub const INTERFACE: u16 = 0x0200;
/// It cannot be made, or has no body.
pub const ABSTRACT: u16 = 0x0400;
/// The compiler made it.
pub const SYNTHETIC: u16 = 0x1000;
/// An enum, or one of its constants.
pub const ENUM: u16 = 0x4000;
/// Not a class but a description of a module.
pub const MODULE: u16 = 0x8000;

/// The version of the first Java.
const MAJOR_MIN: u16 = 45;
/// The version of Java 100: whoever says more has been damaged.
const MAJOR_MAX: u16 = 144;

/// Why a class file is not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ClassError {
    /// It begins with something else.
    #[error("it is no class file")]
    NotClass,
    /// It ends too early.
    #[error("it ends too early")]
    TooShort,
    /// A constant of a kind that is not known.
    #[error("it has a constant of the unknown kind {0}")]
    Constant(u8),
    /// Its version is none.
    #[error("it is damaged: it says that it is of version {0}, which no Java has")]
    Version(u16),
    /// A number leads nowhere.
    #[error("it refers to a constant that is not there")]
    Reference,
}

impl From<TooShort> for ClassError {
    fn from(_: TooShort) -> Self {
        Self::TooShort
    }
}

/// The version of the format, which is read before anything else and of every format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Version {
    /// 52 is Java 8, 61 is Java 17.
    pub major: u16,
    /// 65535 says that preview features were used.
    pub minor: u16,
}

impl Version {
    /// Reads it.
    ///
    /// # Errors
    /// It is no class file, or of a version that there is not.
    pub fn read(file: &[u8]) -> Result<Self, ClassError> {
        let mut bytes = Bytes(file);
        if bytes.u32().ok() != Some(0xcafe_babe) {
            return Err(ClassError::NotClass);
        }
        let (minor, major) = (bytes.u16()?, bytes.u16()?);
        if !(MAJOR_MIN..=MAJOR_MAX).contains(&major) {
            return Err(ClassError::Version(major));
        }
        Ok(Self { minor, major })
    }
    /// Returns the Java that reads it.
    pub fn java(self) -> u16 {
        // 45 is Java 1.1 and 1.0; nothing that old differs for anybody.
        self.major.saturating_sub(44).max(1)
    }
    /// Returns whether only that very Java reads it, and only when told to.
    pub fn is_preview(self) -> bool {
        self.minor == u16::MAX && self.major >= 56
    }
}

/// A named piece of a class, a field or a method.
#[derive(Debug, Clone, Copy)]
pub struct Attribute<'a> {
    name: &'a [u8],
    bytes: &'a [u8],
}

/// A field or a method.
#[derive(Debug, Clone)]
pub struct Member<'a> {
    /// What it may.
    pub access: u16,
    /// Its name, as the class file has it.
    pub name: Cow<'a, str>,
    /// Its type without type arguments.
    pub descriptor: Cow<'a, str>,
    attributes: Vec<Attribute<'a>>,
}

/// A class file.
#[derive(Debug)]
pub struct Class<'a> {
    /// Which Java reads it.
    pub version: Version,
    /// What it may.
    pub access: u16,
    /// Its name with slashes.
    pub name: Cow<'a, str>,
    /// What it extends.
    pub parent: Option<Cow<'a, str>>,
    /// What it implements.
    pub interfaces: Vec<Cow<'a, str>>,
    /// Its fields.
    pub fields: Vec<Member<'a>>,
    /// Its methods.
    pub methods: Vec<Member<'a>>,
    /// Its constants.
    pub pool: Pool<'a>,
    attributes: Vec<Attribute<'a>>,
}

impl<'a> Class<'a> {
    /// Reads a class file.
    ///
    /// # Errors
    /// It is none, or is damaged.
    pub fn read(file: &'a [u8]) -> Result<Self, ClassError> {
        let version = Version::read(file)?;
        let mut bytes = Bytes(file.get(8..).unwrap_or_default());
        let pool = Pool::read(file, &mut bytes)?;
        let access = bytes.u16()?;
        let name = pool.class(bytes.u16()?)?;
        let parent = Some(bytes.u16()?).filter(|index| *index != 0).map(|index| pool.class(index)).transpose()?;
        let count = bytes.u16()?;
        let interfaces = (0..count).map(|_| pool.class(bytes.u16()?)).collect::<Result<_, _>>()?;
        let fields = members(&mut bytes, &pool)?;
        let methods = members(&mut bytes, &pool)?;
        let attributes = attributes(&mut bytes, &pool)?;
        Ok(Self { version, access, name, parent, interfaces, fields, methods, pool, attributes })
    }

    /// Returns the bytes of an attribute.
    pub fn attribute(&self, name: &str) -> Option<&'a [u8]> {
        find(&self.attributes, name)
    }

    /// Returns the generic signature of the class.
    pub fn signature(&self) -> Option<Cow<'a, str>> {
        self.text_attribute(self.attribute("Signature")?)
    }

    /// Returns the generic signature of a member.
    pub fn signature_of(&self, member: &Member<'a>) -> Option<Cow<'a, str>> {
        self.text_attribute(member.attribute("Signature")?)
    }

    fn text_attribute(&self, bytes: &[u8]) -> Option<Cow<'a, str>> {
        self.pool.text(Bytes(bytes).u16().ok()?).ok()
    }

    /// Returns whether the compiler or a tool made it, and nobody is meant to use it.
    pub fn is_synthetic(&self) -> bool {
        self.access & SYNTHETIC != 0 || self.attribute("Synthetic").is_some()
    }

    /// Returns the names of the parameters, as far as the compiler left them.
    pub fn parameter_names(&self, method: &Member<'a>, slots: &[u16]) -> Vec<Option<String>> {
        self.declared_names(method, slots.len()).unwrap_or_else(|| self.debug_names(method, slots).unwrap_or_default())
    }

    fn declared_names(&self, method: &Member<'a>, count: usize) -> Option<Vec<Option<String>>> {
        let mut bytes = Bytes(method.attribute("MethodParameters")?);
        let stored = usize::from(bytes.u8().ok()?);
        let mut names = Vec::new();
        for _ in 0..stored {
            let (name, _access) = (bytes.u16().ok()?, bytes.u16().ok()?);
            names.push(self.pool.text(name).ok().map(Cow::into_owned));
        }
        (stored == count).then_some(names)
    }

    /// The names of local variables that are there from the beginning on: the parameters.
    fn debug_names(&self, method: &Member<'a>, slots: &[u16]) -> Option<Vec<Option<String>>> {
        let code = code::Code::read(method.attribute("Code")?).ok()?;
        let nested = attributes(&mut Bytes(code.attributes), &self.pool).ok()?;
        let mut names = vec![None; slots.len()];
        for table in nested.iter().filter(|attribute| attribute.name == b"LocalVariableTable") {
            let mut bytes = Bytes(table.bytes);
            for _ in 0..bytes.u16().ok()? {
                let (start, _length) = (bytes.u16().ok()?, bytes.u16().ok()?);
                let (name, _type) = (bytes.u16().ok()?, bytes.u16().ok()?);
                let slot = bytes.u16().ok()?;
                let at = slots.iter().position(|wanted| *wanted == slot);
                if let (0, Some(known)) = (start, at.and_then(|at| names.get_mut(at))) {
                    *known = self.pool.text(name).ok().map(Cow::into_owned);
                }
            }
        }
        Some(names)
    }

    /// Returns the types of the annotations of the class or of a member, as descriptors.
    pub fn annotations(&self, member: Option<&Member<'a>>) -> Vec<Annotation<'a>> {
        let of = |name| match member {
            Some(member) => member.attribute(name),
            None => self.attribute(name),
        };
        let mut out = Vec::new();
        for bytes in [of("RuntimeVisibleAnnotations"), of("RuntimeInvisibleAnnotations")].into_iter().flatten() {
            // What stands before a damaged one counts.
            let _ = self.read_annotations(bytes, &mut out);
        }
        out
    }

    fn read_annotations(&self, bytes: &'a [u8], out: &mut Vec<Annotation<'a>>) -> Result<(), ClassError> {
        let mut bytes = Bytes(bytes);
        for _ in 0..bytes.u16()? {
            let annotation = self.annotation(&mut bytes, 0)?;
            out.push(annotation);
        }
        Ok(())
    }

    fn annotation(&self, bytes: &mut Bytes<'a>, depth: u8) -> Result<Annotation<'a>, ClassError> {
        let mut annotation = Annotation { descriptor: self.pool.text(bytes.u16()?)?, texts: Vec::new() };
        for _ in 0..bytes.u16()? {
            let _name = bytes.u16()?;
            self.element(bytes, &mut annotation.texts, depth)?;
        }
        Ok(annotation)
    }

    fn element(&self, bytes: &mut Bytes<'a>, texts: &mut Vec<&'a [u8]>, depth: u8) -> Result<(), ClassError> {
        if depth > 16 {
            return Err(ClassError::TooShort);
        }
        match bytes.u8()? {
            b's' => texts.push(self.pool.utf8(bytes.u16()?)?),
            b'e' => drop((bytes.u16()?, bytes.u16()?)),
            b'@' => drop(self.annotation(bytes, depth + 1)?),
            b'[' => {
                for _ in 0..bytes.u16()? {
                    self.element(bytes, texts, depth + 1)?;
                }
            }
            _ => drop(bytes.u16()?),
        }
        Ok(())
    }
}

/// One annotation: its type, and every text in it, in order.
#[derive(Debug, Clone)]
pub struct Annotation<'a> {
    /// Its type, as a descriptor.
    pub descriptor: Cow<'a, str>,
    /// Its texts as the class file has them.
    pub texts: Vec<&'a [u8]>,
}

impl<'a> Member<'a> {
    /// Returns the bytes of an attribute.
    pub fn attribute(&self, name: &str) -> Option<&'a [u8]> {
        find(&self.attributes, name)
    }
    /// Returns whether every one of these is set.
    pub fn is(&self, access: u16) -> bool {
        self.access & access == access
    }
    /// Returns whether the compiler made it.
    pub fn is_synthetic(&self) -> bool {
        self.access & SYNTHETIC != 0 || self.attribute("Synthetic").is_some()
    }
}

fn find<'a>(attributes: &[Attribute<'a>], name: &str) -> Option<&'a [u8]> {
    attributes.iter().find(|attribute| attribute.name == name.as_bytes()).map(|attribute| attribute.bytes)
}

fn members<'a>(bytes: &mut Bytes<'a>, pool: &Pool<'a>) -> Result<Vec<Member<'a>>, ClassError> {
    let count = bytes.u16()?;
    let mut out = Vec::new();
    for _ in 0..count {
        let access = bytes.u16()?;
        let (name, descriptor) = (pool.text(bytes.u16()?)?, pool.text(bytes.u16()?)?);
        out.push(Member { access, name, descriptor, attributes: attributes(bytes, pool)? });
    }
    Ok(out)
}

fn attributes<'a>(bytes: &mut Bytes<'a>, pool: &Pool<'a>) -> Result<Vec<Attribute<'a>>, ClassError> {
    let count = bytes.u16()?;
    let mut out = Vec::new();
    for _ in 0..count {
        let name = pool.utf8(bytes.u16()?)?;
        let len = bytes.u32()?;
        out.push(Attribute { name, bytes: bytes.take(len as usize)? });
    }
    Ok(out)
}

/// Reads text that stands in a class file.
pub fn plain(bytes: &[u8]) -> Cow<'_, str> {
    text(bytes)
}
