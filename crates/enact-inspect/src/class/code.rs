//! The body of a method: which methods it calls, and what it can never answer.

use super::ClassError;
use crate::bytes::Bytes;

/// The body of a method.
#[derive(Debug, Clone, Copy)]
pub struct Code<'a> {
    /// Its instructions.
    pub instructions: &'a [u8],
    /// How many places there are to which something thrown leads.
    pub handlers: u16,
    /// What is known beside them, from the count on.
    pub attributes: &'a [u8],
}

impl<'a> Code<'a> {
    /// Reads the bytes of a `Code` attribute.
    ///
    /// # Errors
    /// It ends too early.
    pub fn read(bytes: &'a [u8]) -> Result<Self, ClassError> {
        let mut bytes = Bytes(bytes);
        bytes.take(4)?;
        let len = bytes.u32()?;
        let instructions = bytes.take(len as usize)?;
        let handlers = bytes.u16()?;
        bytes.take(usize::from(handlers) * 8)?;
        Ok(Self { instructions, handlers, attributes: bytes.0 })
    }

    /// Returns every instruction with the number that stands behind it, until the end or the first thing that is none.
    fn each(&self) -> impl Iterator<Item = Result<(u8, Option<u16>), ()>> {
        let mut bytes = Bytes(self.instructions);
        std::iter::from_fn(move || {
            let opcode = bytes.0.first().copied()?;
            let number = bytes.0.get(1..).and_then(|rest| rest.first_chunk::<2>()).copied().map(u16::from_be_bytes);
            let at = self.instructions.len() - bytes.0.len();
            let taken = length(opcode, at, bytes.0).and_then(|len| bytes.take(len).ok());
            if taken.is_none() {
                bytes.0 = &[];
            }
            Some(taken.map(|_| (opcode, number)).ok_or(()))
        })
    }

    /// Returns the constants of the methods that are called, until the end or the first thing that is no instruction.
    pub fn calls(&self) -> Vec<u16> {
        let called = |(opcode, number): (u8, Option<u16>)| (0xb6..=0xb9).contains(&opcode).then_some(number).flatten();
        self.each().map_while(Result::ok).filter_map(called).collect()
    }

    /// Returns the constants of the classes that objects are made of.
    pub fn makes(&self) -> Vec<u16> {
        let made = |(opcode, number): (u8, Option<u16>)| (opcode == 0xbb).then_some(number).flatten();
        self.each().map_while(Result::ok).filter_map(made).collect()
    }

    /// Returns whether a method without parameters never answers null: nothing in it is null, or may be.
    ///
    /// `descriptor` tells the type of the field or method that a constant names. What is made here is not null, and neither
    /// is the object itself; of what comes from a field, an array or another method nothing is known.
    pub fn never_answers_null(&self, descriptor: impl Fn(u16) -> Option<String>) -> bool {
        let refers = |it: &str| it.starts_with(['L', '[']);
        let mut answers = false;
        for instruction in self.each() {
            let Ok((opcode, number)) = instruction else { return false };
            let may_be_null = match opcode {
                // `null` itself, what stands in an array, and subroutines, which nobody writes any more.
                0x01 | 0x32 | 0xa8 | 0xa9 | 0xc9 => true,
                0xb2 | 0xb4 => number.and_then(&descriptor).is_none_or(|it| refers(&it)),
                0xb6..=0xba => {
                    let result = number.and_then(&descriptor).and_then(|it| Some(it.rsplit_once(')')?.1.to_owned()));
                    result.is_none_or(|it| refers(&it))
                }
                _ => false,
            };
            if may_be_null {
                return false;
            }
            answers |= opcode == ANSWERS_REFERENCE;
        }
        answers
    }

    /// Returns whether the only array that a method makes has an element whenever it is answered: it goes straight on to its
    /// end, and puts one in.
    pub fn fills_its_array(&self) -> bool {
        let (mut made, mut put) = (0, 0);
        for instruction in self.each() {
            match instruction {
                // Ways to go on elsewhere, and arrays of numbers or of arrays.
                Err(()) | Ok((0x99..=0xa9 | 0xaa | 0xab | 0xc6..=0xc9 | 0xbc | 0xc5, _)) => return false,
                Ok((0xbd, _)) => made += 1,
                Ok((0x53, _)) => put += 1,
                Ok(_) => {}
            }
        }
        self.handlers == 0 && made == 1 && put > 0
    }
}

/// `areturn`.
const ANSWERS_REFERENCE: u8 = 0xb0;

/// The length of an instruction, with its opcode; nothing for what is no instruction.
fn length(opcode: u8, at: usize, rest: &[u8]) -> Option<usize> {
    let number = |from: usize| {
        let bytes: [u8; 4] = rest.get(from..from + 4)?.try_into().ok()?;
        Some(i64::from(i32::from_be_bytes(bytes)))
    };
    // Tables begin at a multiple of four, counted from the first instruction.
    let padded = 1 + (3 - at % 4);
    Some(match opcode {
        0x10 | 0x12 | 0x15..=0x19 | 0x36..=0x3a | 0xa9 | 0xbc => 2,
        0x11 | 0x13 | 0x14 | 0x84 | 0x99..=0xa8 | 0xb2..=0xb8 | 0xbb | 0xbd | 0xc0 | 0xc1 | 0xc6 | 0xc7 => 3,
        0xc5 => 4,
        0xb9 | 0xba | 0xc8 | 0xc9 => 5,
        0xaa => {
            let (low, high) = (number(padded + 4)?, number(padded + 8)?);
            padded + 12 + usize::try_from((high - low).checked_add(1)?).ok()?.checked_mul(4)?
        }
        0xab => padded + 8 + usize::try_from(number(padded + 4)?).ok()?.checked_mul(8)?,
        0xc4 if rest.get(1) == Some(&0x84) => 6,
        0xc4 => 4,
        0x00..=0xc3 => 1,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn calls(instructions: &[u8]) -> Vec<u16> {
        code(instructions).calls()
    }

    fn code(instructions: &[u8]) -> Code<'_> {
        Code { instructions, handlers: 0, attributes: &[] }
    }

    #[test]
    fn what_is_made_in_a_method_is_not_null_and_what_comes_from_elsewhere_may_be() {
        let never = |instructions: &[u8]| {
            let descriptor =
                |index| ["()V", "()Ljava/lang/String;", "F", "[I"].get(usize::from(index)).map(|it| (*it).to_owned());
            code(instructions).never_answers_null(descriptor)
        };
        // new; dup; a constructor; areturn.
        assert!(never(&[0xbb, 0, 9, 0x59, 0xb7, 0, 0, 0xb0]));
        // this; areturn.
        assert!(never(&[0x2a, 0xb0]));
        // A field that is a number, taken and forgotten; this.
        assert!(never(&[0x2a, 0xb4, 0, 2, 0x57, 0x2a, 0xb0]));
        for maybe in [
            &[0x01, 0xb0][..],
            &[0x2a, 0xb4, 0, 3, 0xb0],
            &[0x2a, 0xb6, 0, 1, 0xb0],
            &[0x2a, 0xb6, 0, 9, 0xb0],
            &[0x2a, 0xb4, 0, 2, 0x57, 0x2b, 0x03, 0x32, 0xb0],
            // It is cut off, or no method that answers something.
            &[0x2a, 0xb0, 0xb6, 0],
            &[0xb1],
        ] {
            assert!(!never(maybe), "{maybe:x?}");
        }
    }

    #[test]
    fn an_array_is_full_where_the_only_way_to_the_end_puts_something_in() {
        let filled = [0x04, 0xbd, 0, 1, 0x59, 0x03, 0xbb, 0, 2, 0x53, 0xb0];
        assert!(code(&filled).fills_its_array());
        assert!(!Code { handlers: 1, ..code(&filled) }.fills_its_array());
        // Nothing is put in, another array is made, or there is another way.
        assert!(!code(&[0x03, 0xbd, 0, 1, 0xb0]).fills_its_array());
        assert!(!code(&[&[0x03, 0xbd, 0, 1, 0x57][..], &filled].concat()).fills_its_array());
        assert!(!code(&[&[0x03, 0x99, 0, 3][..], &filled].concat()).fills_its_array());
    }

    #[test]
    fn calls_are_found_behind_instructions_of_every_length() {
        assert_eq!(calls(&[0x10, 0xb8, 0x04, 0xb8, 0, 7, 0xb1]), [7]);
        assert_eq!(calls(&[0xc4, 0x84, 0, 1, 0, 1, 0xb6, 1, 0]), [256]);
        // A switch with two cases from 1 on, padded to the fourth byte.
        let mut table = vec![0x03, 0xaa, 0, 0, 0, 0, 0, 40, 0, 0, 0, 1, 0, 0, 0, 2];
        table.extend([0; 8]);
        table.extend([0xb9, 0, 9, 1, 0]);
        assert_eq!(calls(&table), [9]);
        let mut lookup = vec![0xab, 0, 0, 0, 0, 0, 0, 20, 0, 0, 0, 1];
        lookup.extend([0; 8]);
        lookup.extend([0xb7, 0, 3]);
        assert_eq!(calls(&lookup), [3]);
    }

    #[test]
    fn what_is_no_instruction_ends_the_search() {
        assert_eq!(calls(&[0xb8, 0, 1, 0xfe, 0xb8, 0, 2]), [1]);
        assert_eq!(calls(&[0xb8, 0]), [] as [u16; 0]);
        assert_eq!(calls(&[0xaa, 0, 0, 0, 0, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff, 0x80, 0, 0, 0]), [] as [u16; 0]);
    }
}
