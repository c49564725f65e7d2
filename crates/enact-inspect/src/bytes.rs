//! Big-endian numbers and text out of a slice, never beyond its end.

use std::borrow::Cow;

/// What is left of a slice.
#[derive(Debug, Clone, Copy)]
pub struct Bytes<'a>(pub &'a [u8]);

/// The slice ends too early.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it ends too early")]
pub struct TooShort;

impl<'a> Bytes<'a> {
    /// Takes so many bytes.
    ///
    /// # Errors
    /// There are fewer.
    pub fn take(&mut self, len: usize) -> Result<&'a [u8], TooShort> {
        let (head, tail) = self.0.split_at_checked(len).ok_or(TooShort)?;
        self.0 = tail;
        Ok(head)
    }
    /// Takes one byte.
    ///
    /// # Errors
    /// There is none.
    pub fn u8(&mut self) -> Result<u8, TooShort> {
        let (head, tail) = self.0.split_first().ok_or(TooShort)?;
        self.0 = tail;
        Ok(*head)
    }
    /// Takes two bytes.
    ///
    /// # Errors
    /// There are fewer.
    pub fn u16(&mut self) -> Result<u16, TooShort> {
        let (head, tail) = self.0.split_first_chunk::<2>().ok_or(TooShort)?;
        self.0 = tail;
        Ok(u16::from_be_bytes(*head))
    }
    /// Takes four bytes.
    ///
    /// # Errors
    /// There are fewer.
    pub fn u32(&mut self) -> Result<u32, TooShort> {
        let (head, tail) = self.0.split_first_chunk::<4>().ok_or(TooShort)?;
        self.0 = tail;
        Ok(u32::from_be_bytes(*head))
    }
}

/// Reads the UTF-8 of class files: NUL as two bytes, and characters beyond the first plane as two surrogates.
pub fn text(bytes: &[u8]) -> Cow<'_, str> {
    if let Ok(plain) = std::str::from_utf8(bytes) {
        return Cow::Borrowed(plain);
    }
    let mut units = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let [first, tail @ ..] = rest {
        let (unit, taken) = match (*first, tail) {
            (0..0x80, _) => (u16::from(*first), 1),
            (0xc0..0xe0, [second, ..]) => ((u16::from(*first) & 0x1f) << 6 | u16::from(*second) & 0x3f, 2),
            (0xe0..0xf0, [second, third, ..]) => {
                let high = (u16::from(*first) & 0x0f) << 12 | (u16::from(*second) & 0x3f) << 6;
                (high | u16::from(*third) & 0x3f, 3)
            }
            _ => (0xfffd, 1),
        };
        units.push(unit);
        rest = rest.get(taken..).unwrap_or_default();
    }
    Cow::Owned(String::from_utf16_lossy(&units))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_utf_8_of_class_files_is_read_with_its_nul_and_its_surrogates() {
        assert_eq!(text(b"plain"), "plain");
        assert_eq!(text(b"a\xc0\x80b"), "a\0b");
        assert_eq!(text(b"\xed\xa0\xbd\xed\xb8\x80"), "\u{1f600}");
        assert_eq!(text(b"\xff\xc3"), "\u{fffd}\u{fffd}");
    }

    #[test]
    fn nothing_is_read_beyond_the_end() {
        let mut bytes = Bytes(&[0, 1, 2]);
        assert_eq!(bytes.u16(), Ok(1));
        assert_eq!(bytes.u32(), Err(TooShort));
        assert_eq!(bytes.take(2), Err(TooShort));
        assert_eq!(bytes.u8(), Ok(2));
        assert_eq!(bytes.u8(), Err(TooShort));
    }
}
