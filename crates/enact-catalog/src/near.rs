//! Near names: what somebody may have meant.

/// Most names offered.
pub const NEAR_MAX: usize = 5;

/// Returns the candidates nearest to `text`, nearest first, at most [`NEAR_MAX`].
///
/// A candidate counts by its edit distance, and by that of its last part: `ingest` is near to `content.files.ingest`.
pub fn near<'a>(text: &str, candidates: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let text = text.to_ascii_lowercase();
    let last = |name: &str| name.rsplit('.').next().unwrap_or(name).to_owned();
    let allowed = |name: &str| (name.chars().count().max(text.chars().count()) / 3).clamp(1, 4);
    let mut found: Vec<(usize, &str)> = Vec::new();
    for candidate in candidates {
        let whole = distance(&text, &candidate.to_ascii_lowercase(), allowed(candidate));
        let tail = last(candidate);
        let part = if tail.len() > 3 { distance(&last(&text), &tail, allowed(&tail).min(2)) } else { None };
        let best = [whole, part.map(|d| d + 1)].into_iter().flatten().min();
        if let Some(best) = best {
            found.push((best, candidate));
        }
    }
    found.sort_unstable();
    found.dedup();
    found.into_iter().take(NEAR_MAX).map(|(_, name)| name.to_owned()).collect()
}

/// Returns `did you mean …?` if something is near.
pub fn did_you_mean<'a>(text: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let near = near(text, candidates);
    if near.is_empty() { None } else { Some(format!("did you mean {}?", near.join(" or "))) }
}

/// Counts insertions, deletions, replacements and swaps of neighbours between two texts, up to `most`.
fn distance(a: &str, b: &str, most: usize) -> Option<usize> {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    if a.len().abs_diff(b.len()) > most || a.len().max(b.len()) > 400 {
        return None;
    }
    let mut before_last: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for (i, &x) in a.iter().enumerate() {
        let mut row = Vec::with_capacity(last.len());
        row.push(i + 1);
        for (j, &y) in b.iter().enumerate() {
            let get = |row: &[usize], at: usize| row.get(at).copied().unwrap_or(usize::MAX / 2);
            let mut best = (get(&last, j) + usize::from(x != y)).min(get(&last, j + 1) + 1).min(get(&row, j) + 1);
            let swapped = i > 0 && j > 0 && a.get(i - 1) == Some(&y) && b.get(j - 1) == Some(&x);
            if swapped {
                best = best.min(get(&before_last, j - 1) + 1);
            }
            row.push(best);
        }
        before_last = std::mem::replace(&mut last, row);
    }
    last.last().copied().filter(|&d| d <= most)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_a_slip_is_found_and_a_far_one_is_not() {
        let names = ["timeout", "retry", "content.files.ingest", "ingest-file"];
        assert_eq!(near("timeuot", names), ["timeout"]);
        assert_eq!(near("ingest-fiel", names), ["ingest-file"]);
        assert_eq!(near("ingest", names), ["content.files.ingest"]);
        assert!(near("something-else", names).is_empty());
    }

    #[test]
    fn no_more_than_five_are_offered() {
        let names: Vec<String> = (0..9).map(|n| format!("quote-{n}")).collect();
        assert_eq!(near("quote-x", names.iter().map(String::as_str)).len(), NEAR_MAX);
    }
}
