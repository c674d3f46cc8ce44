//! HTML that cannot be broken by what it says.

use std::fmt::Write;

/// A page's text on its way.
#[derive(Default)]
pub(super) struct Html(String);

impl Html {
    /// Markup as it is; what is put into it was escaped by `text`.
    pub fn raw(&mut self, markup: &str) -> &mut Self {
        self.0.push_str(markup);
        self
    }

    /// An element that holds text only.
    pub fn element(&mut self, name: &str, class: &str, said: &str) -> &mut Self {
        let class = if class.is_empty() { String::new() } else { format!(" class=\"{class}\"") };
        writeln!(self.0, "<{name}{class}>{}</{name}>", text(said)).expect("a String takes everything");
        self
    }

    /// Paragraphs with `code` and **stress**, parted by empty lines; `- ` begins an entry of a list.
    pub fn prose(&mut self, said: &str) -> &mut Self {
        for block in said.split("\n\n").filter(|block| !block.trim().is_empty()) {
            let entries: Vec<&str> = block.lines().filter_map(|line| line.strip_prefix("- ")).collect();
            if entries.is_empty() {
                writeln!(self.0, "<p>{}</p>", inline(block)).expect("a String takes everything");
            } else {
                let entries = entries.iter().map(|entry| format!("<li>{}</li>", inline(entry))).collect::<String>();
                writeln!(self.0, "<ul>{entries}</ul>").expect("a String takes everything");
            }
        }
        self
    }

    /// The whole document.
    pub fn into_page(self, title: &str) -> String {
        format!(
            "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>{}</title>\n\
             <link rel=\"stylesheet\" href=\"/docs/style.css\">\n</head>\n<body>\n{}</body>\n</html>\n",
            text(title),
            self.0
        )
    }
}

/// Text as it may stand in an element or an attribute.
pub(super) fn text(said: &str) -> String {
    said.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// A line with `code` and **stress**.
pub(super) fn inline(said: &str) -> String {
    let mut out = String::new();
    for (i, part) in said.split('`').enumerate() {
        if i % 2 == 1 {
            out.push_str(&format!("<code>{}</code>", text(part)));
            continue;
        }
        for (i, part) in part.split("**").enumerate() {
            out.push_str(&if i % 2 == 1 { format!("<strong>{}</strong>", text(part)) } else { text(part) });
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_cannot_break_a_page() {
        assert_eq!(inline("**a** `<b>` \"c\" & d"), "<strong>a</strong> <code>&lt;b&gt;</code> &quot;c&quot; &amp; d");
        let mut html = Html::default();
        html.prose("one\n\n- two\n- <three>").element("h1", "x", "</h1>");
        assert_eq!(
            html.0,
            "<p>one</p>\n<ul><li>two</li><li>&lt;three&gt;</li></ul>\n<h1 class=\"x\">&lt;/h1&gt;</h1>\n"
        );
    }
}
