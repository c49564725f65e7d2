//! Names of operations and services, made of the names of classes and methods.

use std::collections::BTreeSet;

use enact_model::id::Name;

/// Longest name that is made, in bytes; a number may follow.
const NAME_MAX_BYTES: usize = 100;

/// Makes a name of a text, with `fallback` for what has no letter in it.
pub fn of(text: &str, fallback: &str) -> String {
    let words: String = text.chars().map(|it| if it.is_ascii_alphanumeric() { it } else { '-' }).collect();
    let words: Vec<&str> = words.split('-').filter(|word| !word.is_empty()).collect();
    let mut joined = words.join("-");
    joined.truncate(NAME_MAX_BYTES);
    let first = joined.trim_start_matches(|it: char| !it.is_ascii_alphabetic()).trim_end_matches('-');
    first.parse::<Name>().map_or_else(|_| fallback.to_owned(), |name| name.as_str().to_owned())
}

/// Makes a name that is not there yet, of the first text that gives one; at last with a number.
pub fn fresh(texts: &[String], fallback: &str, taken: &mut BTreeSet<String>) -> String {
    let names: Vec<String> = texts.iter().map(|text| of(text, fallback)).collect();
    let plain = names.iter().find(|name| !taken.contains(*name)).cloned();
    let name = plain.unwrap_or_else(|| {
        let base = names.last().map_or(fallback, String::as_str);
        let mut numbered = (2_u32..).map(|number| format!("{base}-{number}"));
        numbered.find(|name| !taken.contains(name)).unwrap_or_else(|| base.to_owned())
    });
    taken.insert(name.clone());
    name
}

/// The words in which Scala's compiler writes what stands in no Java name.
const SCALA_WORDS: [(&str, &str); 18] = [
    ("$tilde", "~"),
    ("$eq", "="),
    ("$less", "<"),
    ("$greater", ">"),
    ("$bang", "!"),
    ("$hash", "#"),
    ("$percent", "%"),
    ("$up", "^"),
    ("$amp", "&"),
    ("$bar", "|"),
    ("$times", "*"),
    ("$div", "/"),
    ("$plus", "+"),
    ("$minus", "-"),
    ("$colon", ":"),
    ("$bslash", "\\"),
    ("$qmark", "?"),
    ("$at", "@"),
];

/// Writes a Scala name as its class file has it.
pub fn encode_scala(name: &str) -> String {
    let mut out = String::new();
    // The compiler's own names, such as `<init>`, stand as they are.
    if name.starts_with('<') && name.ends_with('>') && name.len() > 2 {
        return name.to_owned();
    }
    for it in name.chars() {
        match SCALA_WORDS.iter().find(|(_, sign)| sign.starts_with(it)) {
            Some((word, _)) => out.push_str(word),
            None => out.push(it),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_the_rules_of_descriptors() {
        assert_eq!(of("parseFloatList", "x"), "parse-float-list");
        assert_eq!(of("HTTPTool$Inner", "x"), "http-tool-inner");
        assert_eq!(of("_1", "x"), "x");
        assert_eq!(of("été", "x"), "t");
        assert!(of(&"a1".repeat(300), "x").len() <= 128);
        let mut taken = BTreeSet::new();
        let texts = ["total".to_owned(), "total-int".to_owned()];
        let made: Vec<String> = (0..4).map(|_| fresh(&texts, "x", &mut taken)).collect();
        assert_eq!(made, ["total", "total-int", "total-int-2", "total-int-3"]);
    }

    #[test]
    fn scala_names_are_written_as_the_class_file_has_them() {
        assert_eq!(encode_scala("total_="), "total_$eq");
        assert_eq!(encode_scala("plain"), "plain");
        assert_eq!((encode_scala("<init>").as_str(), encode_scala("<>").as_str()), ("<init>", "$less$greater"));
    }
}
