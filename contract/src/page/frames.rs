//! The page of the socket.

use std::sync::LazyLock;

use super::{
    html::{Html, inline, text},
    schema::{example, form, named},
};
use crate::{
    asyncapi::{ABOUT, CLOSE_CODES, asyncapi},
    frames::{Frame, Sender, frames},
};

static PAGE: LazyLock<String> = LazyLock::new(make);

/// The page, as it is served at `/docs/socket`.
pub fn socket_page() -> &'static str {
    &PAGE
}

fn make() -> String {
    let mut html = Html::default();
    let sides = [(Sender::Client, "What a client says"), (Sender::Server, "What a cell says")];
    html.raw("<nav>\n<p><strong>Skep: the socket</strong></p>\n<p><a href=\"/docs\">HTTP</a></p>\n");
    html.raw("<p><a href=\"/v1/asyncapi.json\">As AsyncAPI 3.0</a></p>\n");
    for (sender, title) in sides {
        html.element("h2", "", title).raw("<ul>\n");
        for frame in of(sender) {
            html.raw(&format!("<li><a href=\"#{}\"><code>{}</code></a></li>\n", id(&frame), frame.kind));
        }
        html.raw("</ul>\n");
    }
    html.raw("<p><a href=\"#close\">Close codes</a></p>\n<p><a href=\"#objects\">Objects</a></p>\n</nav>\n<main>\n");
    html.element("h1", "", "Skep: the socket").prose(ABOUT);
    for (sender, title) in sides {
        html.raw("<section>\n").element("h2", "", title);
        of(sender).for_each(|frame| describe(&mut html, &frame));
        html.raw("</section>\n");
    }
    html.raw("<section id=\"close\">\n").element("h2", "", "Close codes");
    html.prose("40xx: come back; 41xx: do not come back as you are.").raw("<table>\n");
    for (code, about) in CLOSE_CODES {
        html.raw(&format!("<tr><th>{code}</th><td>{}</td></tr>\n", inline(about)));
    }
    html.raw("</table>\n</section>\n<section id=\"objects\">\n").element("h2", "", "Objects");
    if let Some(schemas) = asyncapi()["components"]["schemas"].as_object() {
        named(&mut html, schemas);
    }
    html.raw("</section>\n</main>\n");
    html.into_page("Skep: the socket")
}

fn of(sender: Sender) -> impl Iterator<Item = Frame> {
    frames().into_iter().filter(move |frame| frame.sender == sender)
}

fn id(frame: &Frame) -> String {
    let by = if frame.sender == Sender::Client { "client" } else { "server" };
    format!("{by}.{}", frame.kind)
}

fn describe(html: &mut Html, frame: &Frame) {
    let id = id(frame);
    html.raw(&format!("<article id=\"{id}\">\n<h3><code>{}</code> {}</h3>\n", frame.kind, text(frame.summary)));
    html.prose(frame.about);
    form(html, &asyncapi()["components"]["messages"][&id]["payload"]);
    if !frame.answers.is_empty() {
        let answers = frame.answers.iter().map(|kind| format!("<a href=\"#server.{kind}\"><code>{kind}</code></a>"));
        html.raw(&format!("<p>Answered by {}.</p>\n", answers.collect::<Vec<_>>().join(", ")));
    }
    example(html, "Example", &frame.example);
    html.raw("</article>\n");
}
