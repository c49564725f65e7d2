//! The table of Scala's pickled signatures (`scala.reflect.internal.pickling.PickleFormat`, version 5).

/// Tags of the entries that are read.
pub mod tag {
    /// The name of a term.
    pub const TERM_NAME: u8 = 1;
    /// The name of a type.
    pub const TYPE_NAME: u8 = 2;
    /// No symbol.
    pub const NO_SYMBOL: u8 = 3;
    /// A type parameter or an abstract type.
    pub const TYPE_SYMBOL: u8 = 4;
    /// A type alias.
    pub const ALIAS_SYMBOL: u8 = 5;
    /// A class or trait.
    pub const CLASS_SYMBOL: u8 = 6;
    /// An object.
    pub const MODULE_SYMBOL: u8 = 7;
    /// A value, a method or a parameter.
    pub const VALUE_SYMBOL: u8 = 8;
    /// A class, type or value that stands elsewhere.
    pub const EXTERNAL: u8 = 9;
    /// The class of an object or package that stands elsewhere.
    pub const EXTERNAL_MODULE: u8 = 10;
    /// `this.type`.
    pub const THIS_TYPE: u8 = 13;
    /// `x.type`.
    pub const SINGLE_TYPE: u8 = 14;
    /// The type of a constant.
    pub const CONSTANT_TYPE: u8 = 15;
    /// A class with its arguments.
    pub const TYPE_REFERENCE: u8 = 16;
    /// Several parents and their members.
    pub const REFINED_TYPE: u8 = 18;
    /// A method with parameters.
    pub const METHOD_TYPE: u8 = 20;
    /// With type parameters, or a method without parameters.
    pub const POLY_TYPE: u8 = 21;
    /// A method with implicit parameters, as old compilers wrote it.
    pub const IMPLICIT_METHOD_TYPE: u8 = 22;
    /// Literals, from unit to enum.
    pub const LITERALS: std::ops::RangeInclusive<u8> = 24..=36;
    /// A type with annotations.
    pub const ANNOTATED_TYPE: u8 = 42;
    /// A type with unknown parts.
    pub const EXISTENTIAL_TYPE: u8 = 48;
}

/// Most entries of one table.
const ENTRIES_MAX: u64 = 200_000;

/// The entries of a table: a tag and what belongs to it.
#[derive(Debug)]
pub struct Table<'a> {
    entries: Vec<(u8, &'a [u8])>,
}

/// Numbers of seven bits a byte, the highest first.
#[derive(Debug, Clone, Copy)]
pub struct Numbers<'a>(pub &'a [u8]);

impl Numbers<'_> {
    /// Takes one number.
    pub fn next(&mut self) -> Option<u64> {
        let mut value: u64 = 0;
        loop {
            let (first, rest) = self.0.split_first()?;
            self.0 = rest;
            value = value.checked_mul(128)?.checked_add(u64::from(first & 0x7f))?;
            if first & 0x80 == 0 {
                return Some(value);
            }
        }
    }
    /// Takes a number that names an entry.
    pub fn index(&mut self) -> Option<usize> {
        usize::try_from(self.next()?).ok()
    }
}

impl<'a> Table<'a> {
    /// Finds the entries; nothing if this is no table.
    pub fn read(bytes: &'a [u8]) -> Option<Self> {
        let mut numbers = Numbers(bytes);
        let (major, _minor) = (numbers.next()?, numbers.next()?);
        let count = numbers.next().filter(|count| major == 5 && *count <= ENTRIES_MAX)?;
        let mut entries = Vec::new();
        for _ in 0..count {
            let (tag, rest) = numbers.0.split_first()?;
            numbers.0 = rest;
            let len = numbers.index()?;
            let (entry, rest) = numbers.0.split_at_checked(len)?;
            numbers.0 = rest;
            entries.push((*tag, entry));
        }
        Some(Self { entries })
    }

    /// Returns how many entries there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Returns the tag of an entry.
    pub fn tag(&self, index: usize) -> u8 {
        self.entries.get(index).map_or(tag::NO_SYMBOL, |(tag, _)| *tag)
    }

    /// Returns the numbers of an entry.
    pub fn numbers(&self, index: usize) -> Numbers<'a> {
        Numbers(self.entries.get(index).map_or(&[], |(_, bytes)| *bytes))
    }

    /// Returns a name.
    pub fn name(&self, index: usize) -> Option<String> {
        match self.entries.get(index)? {
            (tag::TERM_NAME | tag::TYPE_NAME, bytes) => Some(String::from_utf8_lossy(bytes).into_owned()),
            _ => None,
        }
    }

    /// Returns whether an entry is a symbol.
    pub fn is_symbol(&self, index: usize) -> bool {
        (tag::NO_SYMBOL..=tag::EXTERNAL_MODULE).contains(&self.tag(index))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_seven_bits_a_byte_and_end() {
        assert_eq!(Numbers(&[0x05]).next(), Some(5));
        assert_eq!(Numbers(&[0x81, 0x00]).next(), Some(128));
        assert_eq!(Numbers(&[0x81]).next(), None);
        assert_eq!(Numbers(&[0xff; 20]).next(), None);
    }

    #[test]
    fn what_is_no_table_is_none() {
        assert!(Table::read(&[]).is_none());
        assert!(Table::read(&[4, 0, 0]).is_none());
        assert!(Table::read(&[5, 0, 1, 1, 9, b'a']).is_none());
        let table = Table::read(&[5, 0, 1, 1, 1, b'a']).unwrap();
        assert_eq!((table.name(0), table.name(1), table.len()), (Some("a".to_owned()), None, 1));
    }
}
