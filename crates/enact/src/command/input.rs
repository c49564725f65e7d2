//! Reads what `--input` names: JSON, `@file`, or `-` for standard input.

use std::fs::File;
use std::io::{self, Read};

use enact_model::json::Json;
use enact_model::limits::PARAMETERS_MAX_BYTES;

use crate::failure::Failure;

/// Reads an input; absent means `{}`.
///
/// # Errors
/// A file that cannot be read, or text that is no JSON within the limits.
pub fn read(input: Option<&str>) -> Result<Json, Failure> {
    let (from, bytes) = match input {
        None => ("the input".to_owned(), b"{}".to_vec()),
        Some("-") => {
            let bytes = limited(io::stdin().lock()).map_err(Failure::file("-"))?;
            ("standard input".to_owned(), bytes)
        }
        Some(text) => match text.strip_prefix('@') {
            Some(path) => (path.to_owned(), File::open(path).and_then(limited).map_err(Failure::file(path))?),
            None => ("the input".to_owned(), text.as_bytes().to_vec()),
        },
    };
    Json::parse(&bytes).map_err(|error| Failure::Input { from, error })
}

/// Reads at most one byte above the limit: enough to be refused, not enough to fill the memory.
fn limited(source: impl Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    source.take(PARAMETERS_MAX_BYTES as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_input_is_json_or_a_file_and_nothing_is_an_empty_object() {
        assert_eq!(read(None).unwrap().as_str(), "{}");
        assert_eq!(read(Some("[1, 2]")).unwrap().as_str(), "[1,2]");
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "{\"b\": 1, \"a\": 2}").unwrap();
        let named = format!("@{}", file.path().display());
        assert_eq!(read(Some(&named)).unwrap().as_str(), r#"{"a":2,"b":1}"#);
    }

    #[test]
    fn what_cannot_be_taken_is_refused_with_its_reason() {
        let depth = "[".repeat(10_000);
        for text in ["NaN", "{a: 1}", depth.as_str()] {
            assert!(matches!(read(Some(text)), Err(Failure::Input { .. })), "{}", &text[..1]);
        }
        assert!(matches!(read(Some("@/no/such/file")), Err(Failure::File { .. })));
        let file = tempfile::NamedTempFile::new().unwrap();
        file.as_file().set_len(100 << 20).unwrap();
        assert!(matches!(read(Some(&format!("@{}", file.path().display()))), Err(Failure::Input { .. })));
    }
}
