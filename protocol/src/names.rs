//! What names, addresses and texts may look like. One place for the cell, the client library and the tests.

use crate::{FieldCode, limits};

/// What is wrong with a field's value, and a sentence about it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FieldIssue {
    pub code: FieldCode,
    pub detail: &'static str,
}

/// The username in its one form (lower case), or what is wrong with it.
pub fn canonical_username(text: &str) -> Result<String, FieldIssue> {
    length(text, 3, 32, "a username has 3 to 32 characters")?;
    let canonical = text.to_ascii_lowercase();
    let first = canonical.starts_with(|c: char| c.is_ascii_lowercase());
    let rest = canonical.chars().all(|c| matches!(c, 'a'..='z' | '0'..='9' | '_' | '.' | '-'));
    check(first && rest, FieldCode::Format, "a username begins with a letter, then letters a-z, digits, _ . or -")?;
    Ok(canonical)
}

/// The e-mail address in its one form, or what is wrong with it.
pub fn canonical_email(text: &str) -> Result<String, FieldIssue> {
    check(!text.is_empty(), FieldCode::TooShort, "an e-mail address is needed")?;
    check(text.len() <= 254, FieldCode::TooLong, "an e-mail address has at most 254 characters")?;
    let parts: Vec<&str> = text.split('@').collect();
    let plain = !text.chars().any(|c| c.is_whitespace() || c.is_control());
    let whole = parts.len() == 2 && parts.iter().all(|p| !p.is_empty());
    check(plain && whole, FieldCode::Format, "an e-mail address looks like name@example.org")?;
    let canonical = text.to_lowercase();
    // Some letters grow.
    check(canonical.len() <= 254, FieldCode::TooLong, "an e-mail address has at most 254 characters")?;
    Ok(canonical)
}

/// A display name: 1 to 64 characters, no control characters, not only spaces.
pub fn check_display_name(text: &str) -> Result<(), FieldIssue> {
    length(text, 1, 64, "a display name has 1 to 64 characters")?;
    check(!text.chars().any(char::is_control), FieldCode::Format, "a display name has no control characters")?;
    check(!text.trim().is_empty(), FieldCode::Format, "a display name is not only spaces")
}

/// A password's length. Whether it is a common one is for the cell to say.
pub fn check_password(text: &str) -> Result<(), FieldIssue> {
    length(text, 8, 256, "a password has 8 to 256 characters")
}

/// A title: 1 to 100 characters.
pub fn check_title(text: &str) -> Result<(), FieldIssue> {
    length(text, 1, 100, "a title has 1 to 100 characters")?;
    no_nul(text)
}

/// A topic: 1 to 500 characters.
pub fn check_topic(text: &str) -> Result<(), FieldIssue> {
    length(text, 1, 500, "a topic has 1 to 500 characters")?;
    no_nul(text)
}

/// A message's text: 1 to 10,000 characters, at most 40,000 bytes, anything but NUL.
pub fn check_text(text: &str) -> Result<(), FieldIssue> {
    // Four bytes a character at most, so the byte bound follows from this one.
    length(text, 1, limits::TEXT_CHARS, "a message has 1 to 10,000 characters")?;
    no_nul(text)
}

fn no_nul(text: &str) -> Result<(), FieldIssue> {
    check(!text.contains('\0'), FieldCode::Format, "the character NUL cannot be stored")
}

fn length(text: &str, min: usize, max: usize, detail: &'static str) -> Result<(), FieldIssue> {
    // Counting is needed only where bytes alone do not decide.
    let chars = if text.len() > 4 * max { usize::MAX } else { text.chars().count() };
    check(chars >= min, FieldCode::TooShort, detail)?;
    check(chars <= max, FieldCode::TooLong, detail)
}

fn check(holds: bool, code: FieldCode, detail: &'static str) -> Result<(), FieldIssue> {
    if holds { Ok(()) } else { Err(FieldIssue { code, detail }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_folded_and_checked() {
        assert_eq!(canonical_username("Anna.B-1_").unwrap(), "anna.b-1_");
        for (bad, code) in [
            ("ab", FieldCode::TooShort),
            ("1abc", FieldCode::Format),
            ("an na", FieldCode::Format),
            ("änna", FieldCode::Format),
            ("a23456789012345678901234567890123", FieldCode::TooLong),
        ] {
            assert_eq!(canonical_username(bad).unwrap_err().code, code, "{bad}");
        }
        assert_eq!(canonical_email("A@B.org").unwrap(), "a@b.org");
        for bad in ["", "a", "@b", "a@", "a@b@c", "a b@c"] {
            assert!(canonical_email(bad).is_err(), "{bad}");
        }
        assert!(check_text(&"\u{1f41d}".repeat(10_000)).is_ok());
        assert_eq!(check_text(&"a".repeat(10_001)).unwrap_err().code, FieldCode::TooLong);
        assert_eq!(check_text("a\0").unwrap_err().code, FieldCode::Format);
        assert!(check_display_name("李明").is_ok());
        assert!(check_display_name("   ").is_err());
    }
}
