//! The page of an error code.

use skep_protocol::Code;

use super::html::Html;

/// The page, as it is served at `/errors/{code}`.
pub fn error_page(code: Code) -> String {
    let mut html = Html::default();
    // The file begins with the code as a heading.
    let said = code.page().split_once('\n').map_or("", |(_, rest)| rest);
    html.raw("<main>\n").element("h1", "", code.title()).raw(&format!("<p class=\"call\"><code>{code}</code></p>\n"));
    html.prose(said).raw("<p><a href=\"/docs\">All calls</a></p>\n</main>\n");
    html.into_page(&format!("{code}: {}", code.title()))
}
