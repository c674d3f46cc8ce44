//! Example files, made from the doc comments of the `Config` structs.

use std::fmt::Write;

use crate::config::{Part, Value};

/// How keys that need not be given are shown.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Defaults {
    AsComments,
    #[cfg_attr(not(test), expect(dead_code, reason = "a test reads the defaults back"))]
    Stated,
}

/// A configuration file of a part, with a comment above each key.
pub(crate) fn example<P: Part>(defaults: Defaults) -> String {
    let mut text = format!(
        "# skep {0} --config FILE\n#\n\
         # Every key may also be given as an environment variable, such as SKEP_{1}; that wins over this file.\n",
        P::NAME,
        P::VALUES.first().map(|(key, _)| key.to_uppercase()).unwrap_or_default(),
    );
    for (key, value) in P::VALUES {
        text.push('\n');
        for line in comment(P::SOURCE, key) {
            _ = writeln!(text, "# {line}");
        }
        _ = match (value, defaults) {
            (Value::Required(value), _) | (Value::Default(value), Defaults::Stated) => {
                writeln!(text, "{key} = {value}")
            }
            (Value::Default(value), Defaults::AsComments) => writeln!(text, "# {key} = {value}"),
            (Value::Optional(value), _) => writeln!(text, "# {key} = {value}"),
        };
    }
    text
}

/// The doc comment of a field of `pub struct Config` in a source file.
fn comment<'a>(source: &'a str, key: &str) -> Vec<&'a str> {
    let mut comment = Vec::new();
    let fields = source.lines().map(str::trim).skip_while(|line| *line != "pub struct Config {").skip(1);
    for line in fields.take_while(|line| *line != "}") {
        if let Some(text) = line.strip_prefix("///") {
            comment.push(text.trim());
        } else if let Some(field) = line.strip_prefix("pub ") {
            if field.split_once(':').is_some_and(|(name, _)| name == key) {
                return comment;
            }
            comment.clear();
        }
    }
    Vec::new()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_commented<P: Part>() {
        for (key, _) in P::VALUES {
            assert!(!comment(P::SOURCE, key).is_empty(), "{key} of skep {}'s Config has a doc comment", P::NAME);
        }
    }

    #[test]
    fn every_key_has_its_comment() {
        is_commented::<skep_directory::Config>();
        is_commented::<skep_router::Config>();
        is_commented::<skep_cell::Config>();
    }
}
