//! The body of a method: which methods it calls.

use super::ClassError;
use crate::bytes::Bytes;

/// The body of a method.
#[derive(Debug, Clone, Copy)]
pub struct Code<'a> {
    /// Its instructions.
    pub instructions: &'a [u8],
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
        Ok(Self { instructions, attributes: bytes.0 })
    }

    /// Returns the constants of the methods that are called, until the end or the first thing that is no instruction.
    pub fn calls(&self) -> Vec<u16> {
        let mut calls = Vec::new();
        let mut bytes = Bytes(self.instructions);
        while let Some(opcode) = bytes.0.first().copied() {
            if (0xb6..=0xb9).contains(&opcode)
                && let Some([high, low]) = bytes.0.get(1..3)
            {
                calls.push(u16::from_be_bytes([*high, *low]));
            }
            let at = self.instructions.len() - bytes.0.len();
            let Some(len) = length(opcode, at, bytes.0) else { break };
            if bytes.take(len).is_err() {
                break;
            }
        }
        calls
    }
}

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
        Code { instructions, attributes: &[] }.calls()
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
