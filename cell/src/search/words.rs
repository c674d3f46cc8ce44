//! Names as they are compared, and what a query asks of them.

use std::collections::BTreeSet;

use skep_protocol::Slot;
use unicode_normalization::UnicodeNormalization;

/// Words of a display name that can be the first of a query. The others are found behind these.
const WORDS: usize = 8;
/// Letters of a folded name: 64 as written, and room for those that fold into several.
const FOLDED: usize = 128;
/// Letters that choose the slot. Words of fewer are found whole only.
const PREFIX: usize = 3;

/// A text as it is compared: compatible forms are one, and neither case nor accents count. Spaces are single.
pub fn fold(text: &str) -> String {
    let plain = text.nfkd().filter(|c| !is_accent(*c));
    // By way of upper case: ß becomes ss, and a sigma is one wherever it stands.
    let lower: String =
        plain.flat_map(char::to_uppercase).flat_map(char::to_lowercase).filter(|c| !is_accent(*c)).nfkc().collect();
    let single: Vec<&str> = lower.split_whitespace().collect();
    single.join(" ").chars().take(FOLDED).collect()
}

/// Of Latin, Greek and Cyrillic letters. Marks of other scripts are letters of their own.
fn is_accent(c: char) -> bool {
    matches!(c, '\u{300}'..='\u{36f}' | '\u{1ab0}'..='\u{1aff}' | '\u{1dc0}'..='\u{1dff}' | '\u{20d0}'..='\u{20ff}')
}

/// By what somebody is found among all people: the username, and each word of the display name, with the other words
/// behind it, so that several words of a query are looked up in one index.
pub fn entries(username: &str, display_name: &str) -> BTreeSet<String> {
    let folded = fold(display_name);
    let (parts, written) = (parts(&folded), written(&folded));
    let mut all = BTreeSet::from([format!("{username} {} ", parts.join(" ")).replace("  ", " ")]);
    for words in [&parts, &written] {
        for first in 0..words.len().min(WORDS) {
            let turned: Vec<&str> = words[first..].iter().chain(&words[..first]).copied().collect();
            all.insert(format!("{} {username} ", turned.join(" ")));
        }
    }
    all
}

/// Under what somebody is known: all of the username and the display name.
pub fn names(username: &str, display_name: &str) -> String {
    format!("{username}\n{}", fold(display_name))
}

/// The slot of an entry.
pub fn slot_of(entry: &str) -> Slot {
    let prefix: String = entry.chars().take_while(|c| *c != ' ').take(PREFIX).collect();
    Slot::of_search(&prefix)
}

/// Words between anything that is no letter and no digit.
fn parts(folded: &str) -> Vec<&str> {
    folded.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).collect()
}

/// Words as they are written: Jean-Paul is one too.
fn written(folded: &str) -> Vec<&str> {
    folded.split(' ').map(bare).filter(|word| !word.is_empty()).collect()
}

/// Without what stands around a word; what is nothing but that stays.
fn bare(word: &str) -> &str {
    let inner = word.trim_matches(|c: char| !c.is_alphanumeric() && !matches!(c, '_' | '.' | '-'));
    if inner.is_empty() { word } else { inner }
}

/// What is looked for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Query {
    words: Vec<String>,
    /// The word that chooses the slot.
    first: usize,
}

impl Query {
    /// `None`: there is nothing but spaces in it.
    pub fn new(text: &str) -> Option<Self> {
        let folded = fold(text);
        let mut words: Vec<String> = Vec::new();
        for word in written(&folded) {
            if !words.iter().any(|w| w == word) {
                words.push(word.to_owned());
            }
        }
        let first = words.iter().position(|word| is_long(word)).unwrap_or(0);
        (!words.is_empty()).then_some(Self { words, first })
    }

    /// The slot of all entries that can match.
    pub fn slot(&self) -> Slot {
        slot_of(self.first())
    }

    /// How entries begin that have the words one after the other.
    pub fn in_order(&self) -> String {
        let turned = self.words[self.first..].iter().chain(&self.words[..self.first]);
        let text = turned.map(String::as_str).collect::<Vec<_>>().join(" ");
        if is_long(self.first()) { text } else { text + " " }
    }

    /// How entries begin that have the words in any order, and the patterns of the other words; `None`: there is only
    /// one word.
    pub fn in_any_order(&self) -> Option<(String, Vec<String>)> {
        let is_prefix = is_long(self.first());
        let others = self.words.iter().enumerate().filter(|(i, _)| *i != self.first);
        // Beside a long word short ones may be beginnings, too: "anna m" on its way to "anna mei".
        let end = if is_prefix { "" } else { " " };
        let patterns: Vec<String> = others.map(|(_, word)| format!("% {}{end}%", escaped(word))).collect();
        (!patterns.is_empty()).then(|| (format!("{}{end}", self.first()), patterns))
    }

    /// Patterns that the names of known people match, all of them: any part counts.
    pub fn anywhere(&self) -> Vec<String> {
        self.words.iter().map(|word| format!("%{}%", escaped(word))).collect()
    }

    fn first(&self) -> &str {
        &self.words[self.first]
    }
}

fn is_long(word: &str) -> bool {
    word.chars().nth(PREFIX - 1).is_some()
}

/// For LIKE.
fn escaped(word: &str) -> String {
    word.chars().flat_map(|c| matches!(c, '%' | '_' | '\\').then_some('\\').into_iter().chain([c])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_accents_and_forms_do_not_count() {
        for (written, folded) in [
            ("  Änne\u{a0} MÜLLER ", "anne muller"),
            ("A\u{308}nne", "anne"),
            ("Straße", "strasse"),
            ("ΟΔΥΣΣΕΎΣ", "οδυσσευσ"),
            ("Οδυσσεύς", "οδυσσευσ"),
            ("İstanbul", "istanbul"),
            ("ﬁnn ｅｖａ", "finn eva"),
            ("Ёлка", "елка"),
            ("李明", "李明"),
            ("한글", "한글"),
            ("が", "が"),
            ("कोमल", "कोमल"),
        ] {
            assert_eq!(fold(written), folded, "{written}");
            assert_eq!(fold(folded), folded, "{written} twice");
        }
    }

    #[test]
    fn each_word_is_the_first_of_an_entry() {
        let all = entries("jp.s", "Jean-Paul (Sartre)");
        let expected = [
            "jean paul sartre jp.s ",
            "jean-paul sartre jp.s ",
            "jp.s jean paul sartre ",
            "paul sartre jean jp.s ",
            "sartre jean paul jp.s ",
            "sartre jean-paul jp.s ",
        ];
        assert_eq!(all.iter().map(String::as_str).collect::<Vec<_>>(), expected);
        assert_eq!(entries("bee", "🐝").into_iter().collect::<Vec<_>>(), ["bee ", "🐝 bee "]);
        let longest = entries(&"a".repeat(32), &"\u{fdfa}".repeat(64));
        assert!(longest.iter().all(|entry| entry.len() < 2_000), "an index takes them");
    }

    #[test]
    fn queries_find_their_entries_in_one_slot() {
        for (query, username, display_name, found) in [
            ("ann", "anna.b", "Anna Mei", true),
            ("an", "anna.b", "Anna Mei", false),
            ("an", "xyz", "An Na", true),
            ("mei anna", "xyz", "Anna Mei", true),
            ("anna m", "xyz", "Anna Mei", true),
            ("anna smith", "xyz", "Anna Mei Smith", true),
            ("smi ann", "xyz", "Anna Mei Smith", true),
            ("anna xyz", "xyz", "Anna Mei", true),
            ("anna ben", "xyz", "Anna Mei", false),
            ("anna.", "anna.b", "Somebody", true),
            ("jean-paul", "xyz", "Jean-Paul", true),
            ("jean paul", "xyz", "Jean-Paul", true),
            ("paul", "xyz", "Jean-Paul", true),
            ("李明", "xyz", "李明", true),
            ("李", "xyz", "李明", false),
            ("明 李", "xyz", "李 明", true),
            ("a_na", "anna", "Anna", false),
            ("100%", "xyz", "100% Anna", true),
        ] {
            let query = Query::new(query).unwrap();
            let in_slot = entries(username, display_name).into_iter().filter(|e| slot_of(e) == query.slot());
            let matches = |entry: &String| {
                entry.starts_with(&query.in_order())
                    || query.in_any_order().is_some_and(|(begin, patterns)| {
                        let inner = |p: &String| p.trim_matches('%').replace('\\', "");
                        entry.starts_with(&begin) && patterns.iter().all(|p| entry.contains(&inner(p)))
                    })
            };
            assert_eq!(in_slot.filter(matches).count() > 0, found, "{query:?} {display_name}");
        }
        assert_eq!(Query::new(" \u{a0} "), None);
    }
}
