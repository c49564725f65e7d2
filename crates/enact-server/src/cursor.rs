//! Where a list goes on. A cursor belongs to the question that gave it: with another one it is refused, not misread.

use enact_engine::conclude as code;
use enact_model::digest::Digest;
use serde::Serialize;

use crate::problem::Problem;

/// Characters of the question's digest that a cursor carries.
const MARK: usize = 12;

fn mark<T: Serialize>(question: &T) -> String {
    let digest = Digest::of(&serde_json::to_vec(question).unwrap_or_default()).to_string();
    digest.chars().rev().take(MARK).collect()
}

/// Returns the cursor that continues a question.
pub(crate) fn give<T: Serialize>(question: &T, position: &str) -> String {
    format!("{position}.{}", mark(question))
}

/// Returns the position that a cursor holds, if it belongs to the question.
pub(crate) fn take<T: Serialize>(question: &T, cursor: Option<&str>) -> Result<Option<String>, Problem> {
    let Some(cursor) = cursor else { return Ok(None) };
    match cursor.rsplit_once('.') {
        Some((position, found)) if found == mark(question) => Ok(Some(position.to_owned())),
        _ => {
            let cursor: String = cursor.chars().take(80).collect();
            let problem = Problem::new(code::PARAMETERS_INVALID, format!("{cursor:?} is no cursor of this list"));
            Err(problem.hint("take it from `next` of the page before, and ask for the same list"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_of_another_question_is_refused() {
        let cursor = give(&"failed", "exe_7");
        assert_eq!(take(&"failed", Some(&cursor)).unwrap().as_deref(), Some("exe_7"));
        assert!(take(&"open", Some(&cursor)).is_err());
        assert!(take(&"failed", Some("exe_7")).is_err());
        assert_eq!(take(&"failed", None).unwrap(), None);
    }
}
