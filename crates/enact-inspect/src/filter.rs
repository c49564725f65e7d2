//! Which packages, classes and methods were asked for.

/// What was asked for; an empty list asks for everything.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Patterns of packages; a package stands for those below it, too.
    pub packages: Vec<String>,
    /// Patterns of classes, by their whole or their last name.
    pub classes: Vec<String>,
    /// Patterns of methods.
    pub methods: Vec<String>,
}

impl Filter {
    /// Returns whether nothing was asked for.
    pub fn is_empty(&self) -> bool {
        self.packages.is_empty() && self.classes.is_empty() && self.methods.is_empty()
    }

    /// Returns whether a class is asked for, by its name with dots.
    pub fn takes_class(&self, name: &str) -> bool {
        let package = package(name);
        let in_package = |pattern: &String| {
            let above = pattern.trim_end_matches(".*");
            fits(above, package) || fits(&format!("{above}.*"), package)
        };
        let last = name.strip_prefix(package).map_or(name, |rest| rest.trim_start_matches('.'));
        let dotted = last.replace('$', ".");
        let is_class = |pattern: &String| [name, last, &dotted].iter().any(|name| fits(pattern, name));
        (self.packages.is_empty() || self.packages.iter().any(in_package))
            && (self.classes.is_empty() || self.classes.iter().any(is_class))
    }

    /// Returns whether a method is asked for.
    pub fn takes_method(&self, name: &str) -> bool {
        self.methods.is_empty() || self.methods.iter().any(|pattern| fits(pattern, name))
    }
}

/// Returns the package of a class, by its name with dots; empty for none.
pub fn package(class: &str) -> &str {
    class.rsplit_once('.').map_or("", |(package, _)| package)
}

/// Returns whether a name fits a pattern: `*` stands for any text, `?` for one character.
pub fn fits(pattern: &str, name: &str) -> bool {
    let (pattern, name): (Vec<char>, Vec<char>) = (pattern.chars().collect(), name.chars().collect());
    let (mut p, mut n) = (0, 0);
    let mut back: Option<(usize, usize)> = None;
    while n < name.len() {
        match pattern.get(p) {
            Some('*') => {
                back = Some((p, n));
                p += 1;
            }
            Some(it) if *it == '?' || Some(it) == name.get(n) => {
                p += 1;
                n += 1;
            }
            _ => match back {
                // The last star takes one character more.
                Some((star, from)) => {
                    back = Some((star, from + 1));
                    p = star + 1;
                    n = from + 1;
                }
                None => return false,
            },
        }
    }
    pattern.iter().skip(p).all(|it| *it == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_text_and_a_question_mark_for_one_character() {
        for (pattern, name) in [("*", ""), ("a*c", "abbc"), ("a?c", "abc"), ("*b*b", "abcb"), ("", ""), ("a**", "a")] {
            assert!(fits(pattern, name), "{pattern} {name}");
        }
        for (pattern, name) in [("a", "ab"), ("a?", "a"), ("*b", "abc"), ("", "a")] {
            assert!(!fits(pattern, name), "{pattern} {name}");
        }
    }

    #[test]
    fn a_package_stands_for_those_below_it_and_a_class_for_its_last_name() {
        let filter = |packages: &[&str], classes: &[&str]| Filter {
            packages: packages.iter().map(|it| (*it).to_owned()).collect(),
            classes: classes.iter().map(|it| (*it).to_owned()).collect(),
            methods: Vec::new(),
        };
        assert!(filter(&["com.acme"], &[]).takes_class("com.acme.deep.Tool"));
        assert!(filter(&["com.acme.*"], &[]).takes_class("com.acme.Tool"));
        assert!(!filter(&["com.acme"], &[]).takes_class("com.acmes.Tool"));
        assert!(filter(&[], &["Outer.Inner"]).takes_class("com.acme.Outer$Inner"));
        assert!(filter(&[], &["com.*Tool"]).takes_class("com.acme.Tool"));
        assert!(!filter(&["org"], &["Tool"]).takes_class("com.acme.Tool"));
        assert!(filter(&[], &[]).takes_class("Tool"));
    }
}
