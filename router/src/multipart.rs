//! A text part of a multipart form, found without taking the form apart: the router needs one name, the cell reads
//! the rest.

use memchr::memmem;

/// The text part of this name, if the form has one. The first, if it has several.
pub(crate) fn text_part<'a>(content_type: &str, body: &'a [u8], name: &str) -> Option<&'a str> {
    let delimiter = format!("\r\n--{}", boundary(content_type)?);
    // The first delimiter may stand at the very beginning, without a line break before it.
    let mut rest = if body.starts_with(&delimiter.as_bytes()[2..]) {
        &body[delimiter.len() - 2..]
    } else {
        &body[memmem::find(body, delimiter.as_bytes())? + delimiter.len()..]
    };
    let finder = memmem::Finder::new(&delimiter);
    while !rest.starts_with(b"--") {
        let headers_end = memmem::find(rest, b"\r\n\r\n")?;
        let (headers, part) = (&rest[..headers_end], &rest[headers_end + 4..]);
        let end = finder.find(part)?;
        if std::str::from_utf8(headers).is_ok_and(|headers| is_named(headers, name)) {
            return std::str::from_utf8(&part[..end]).ok();
        }
        rest = &part[end + delimiter.len()..];
    }
    None
}

/// Whether this is a multipart form.
pub(crate) fn is_form(content_type: &str) -> bool {
    let kind = content_type.split(';').next().unwrap_or_default();
    kind.trim().eq_ignore_ascii_case("multipart/form-data")
}

fn boundary(content_type: &str) -> Option<&str> {
    parameter(content_type, "boundary").filter(|b| (1..=70).contains(&b.len()))
}

fn is_named(headers: &str, name: &str) -> bool {
    headers.split("\r\n").any(|line| {
        line.split_once(':').is_some_and(|(header, value)| {
            header.trim().eq_ignore_ascii_case("content-disposition") && parameter(value, "name") == Some(name)
        })
    })
}

/// A parameter of a header's value, such as `boundary` in `multipart/form-data; boundary="x"`.
fn parameter<'a>(value: &'a str, name: &str) -> Option<&'a str> {
    value.split(';').skip(1).find_map(|pair| {
        let (key, value) = pair.split_once('=')?;
        let value = value.trim();
        let bare = value.strip_prefix('"').and_then(|v| v.strip_suffix('"')).unwrap_or(value);
        key.trim().eq_ignore_ascii_case(name).then_some(bare)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const FORM: &str = "multipart/form-data; boundary=XX";

    #[test]
    fn a_part_is_found_wherever_it_stands() {
        let image = "--XX\r\nContent-Disposition: form-data; name=\"image\"; filename=\"username\"\r\n\
                     Content-Type: image/png\r\n\r\n\u{0}\r\n\r\n--X name=\"username\"";
        let part = "--XX\r\ncontent-disposition: form-data; name=\"username\"\r\n\r\nAnna";
        for (body, expected) in [
            (format!("{part}\r\n--XX--\r\n"), Some("Anna")),
            (format!("preamble\r\n{part}\r\n--XX--"), Some("Anna")),
            (format!("{image}\r\n{part}\r\n--XX--"), Some("Anna")),
            (format!("{image}\r\n--XX--"), None),
            (format!("{image}\r\n--XX--\r\n{part}\r\n--XX--"), None),
            (part.to_owned(), None),
            ("--XX--".to_owned(), None),
            ("--XX".to_owned(), None),
            (String::new(), None),
        ] {
            assert_eq!(text_part(FORM, body.as_bytes(), "username"), expected, "{body:?}");
        }
    }

    #[test]
    fn boundaries_may_be_quoted_and_must_be_there() {
        let body = b"--a b\r\nContent-Disposition: form-data; name=login\r\n\r\nx\r\n--a b--";
        assert_eq!(text_part("Multipart/Form-Data; Boundary=\"a b\"", body, "login"), Some("x"));
        assert_eq!(text_part("multipart/form-data", body, "login"), None);
        assert!(is_form(FORM) && !is_form("application/json") && !is_form(""));
    }

    proptest::proptest! {
        #[test]
        fn no_body_makes_it_fail(body: Vec<u8>, boundary in "[\r\n-]{0,3}") {
            _ = text_part(&format!("multipart/form-data; boundary={boundary}"), &body, "username");
        }
    }
}
