//! The constants of a class file, looked up where they stand.

use std::borrow::Cow;

use super::ClassError;
use crate::bytes::{Bytes, text};

/// The constants of a class file.
#[derive(Debug)]
pub struct Pool<'a> {
    file: &'a [u8],
    /// Where each constant stands; 0 where none does.
    places: Vec<u32>,
}

/// A method that the class calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Callee<'a> {
    /// Its class, with slashes.
    pub class: Cow<'a, str>,
    /// Its name.
    pub name: Cow<'a, str>,
}

impl<'a> Pool<'a> {
    /// Finds the constants at the front of `bytes`, which is the rest of `file`.
    pub(super) fn read(file: &'a [u8], bytes: &mut Bytes<'a>) -> Result<Self, ClassError> {
        let count = bytes.u16()?;
        let mut places = vec![0; usize::from(count.max(1))];
        let mut index = 1;
        while index < count {
            let place = file.len() - bytes.0.len();
            if let Some(known) = places.get_mut(usize::from(index)) {
                *known = u32::try_from(place).map_err(|_| ClassError::TooShort)?;
            }
            let kind = bytes.u8()?;
            let len = match kind {
                1 => usize::from(bytes.u16()?),
                7 | 8 | 16 | 19 | 20 => 2,
                15 => 3,
                3 | 4 | 9 | 10 | 11 | 12 | 17 | 18 => 4,
                5 | 6 => 8,
                other => return Err(ClassError::Constant(other)),
            };
            bytes.take(len)?;
            // A number of eight bytes counts as two constants.
            index = index.saturating_add(if matches!(kind, 5 | 6) { 2 } else { 1 });
        }
        Ok(Self { file, places })
    }

    fn at(&self, index: u16, kinds: &[u8]) -> Result<Bytes<'a>, ClassError> {
        let place = self.places.get(usize::from(index)).copied().filter(|place| *place != 0);
        let rest = place.and_then(|place| self.file.get(place as usize..)).ok_or(ClassError::Reference)?;
        let mut bytes = Bytes(rest);
        if kinds.contains(&bytes.u8()?) { Ok(bytes) } else { Err(ClassError::Reference) }
    }

    /// Returns the bytes of a text.
    ///
    /// # Errors
    /// There is none.
    pub fn utf8(&self, index: u16) -> Result<&'a [u8], ClassError> {
        let mut bytes = self.at(index, &[1])?;
        let len = bytes.u16()?;
        Ok(bytes.take(usize::from(len))?)
    }

    /// Returns a text.
    ///
    /// # Errors
    /// There is none.
    pub fn text(&self, index: u16) -> Result<Cow<'a, str>, ClassError> {
        self.utf8(index).map(text)
    }

    /// Returns the name of a class, with slashes.
    ///
    /// # Errors
    /// There is none.
    pub fn class(&self, index: u16) -> Result<Cow<'a, str>, ClassError> {
        self.text(self.at(index, &[7])?.u16()?)
    }

    /// Returns the method that a constant names.
    ///
    /// # Errors
    /// It names none.
    pub fn callee(&self, index: u16) -> Result<Callee<'a>, ClassError> {
        let mut bytes = self.at(index, &[10, 11])?;
        let class = self.class(bytes.u16()?)?;
        let name = self.text(self.at(bytes.u16()?, &[12])?.u16()?)?;
        Ok(Callee { class, name })
    }

    /// Returns the type of the field or method that a constant names.
    ///
    /// # Errors
    /// It names none.
    pub fn descriptor(&self, index: u16) -> Result<Cow<'a, str>, ClassError> {
        let mut bytes = self.at(index, &[9, 10, 11, 18])?;
        bytes.u16()?;
        let mut pair = self.at(bytes.u16()?, &[12])?;
        pair.u16()?;
        self.text(pair.u16()?)
    }

    /// Returns every method that the class may call, with its place.
    pub fn callees(&self) -> impl Iterator<Item = (u16, Callee<'a>)> {
        (1..self.places.len()).filter_map(|index| {
            let index = u16::try_from(index).ok()?;
            self.callee(index).ok().map(|callee| (index, callee))
        })
    }

    /// Returns the name of every class that the class names.
    pub fn classes(&self) -> impl Iterator<Item = Cow<'a, str>> {
        (1..self.places.len()).filter_map(|index| self.class(u16::try_from(index).ok()?).ok())
    }
}
