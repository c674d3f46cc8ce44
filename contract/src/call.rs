//! What is to be said of a call.

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Serialize;
use serde_json::Value;
use skep_protocol::Code;

/// A call of the contract: a method at a path.
#[derive(Clone, Debug)]
pub struct Call {
    pub method: Method,
    /// With parameters in braces.
    pub path: &'static str,
    /// Its name in documents and generated clients.
    pub id: &'static str,
    pub group: Group,
    /// A few words.
    pub summary: &'static str,
    /// What it does, as sentences.
    pub about: &'static str,
    pub caller: Caller,
    pub rate: Rate,
    pub parameters: Vec<Parameter>,
    pub body: Option<Body>,
    pub answers: Vec<Answer>,
    /// What it refuses by itself, and when. `refusals()` gives what all calls have besides.
    own_refusals: Vec<(Code, &'static str)>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Method {
    Get,
    Post,
    Put,
    Patch,
    Delete,
}

/// Calls that belong together.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Group {
    Accounts,
    People,
    Conversations,
    Members,
    Messages,
    Links,
    Router,
}

/// Who may make a call.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Caller {
    Anybody,
    /// Whoever has a token.
    Person,
}

/// The limit that a call counts towards.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Rate {
    Messages,
    SignUp,
    LogIn,
    Search,
    Members,
    Other,
    /// Health is not counted.
    None,
}

/// Where a parameter stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum In {
    Path,
    Query,
    Header,
}

#[derive(Clone, Debug)]
pub struct Parameter {
    pub place: In,
    pub name: &'static str,
    pub is_required: bool,
    pub about: &'static str,
    pub shape: Shape,
}

/// A body that a call takes, in one of these forms.
#[derive(Clone, Debug)]
pub struct Body {
    pub forms: Vec<Content>,
}

/// A success, or what counts as one.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    pub about: &'static str,
    pub content: Content,
}

/// What a body holds.
#[derive(Clone, Debug)]
pub enum Content {
    Nothing,
    Json(Shape),
    /// Parts by name.
    Form(Shape),
    Text(&'static str, &'static str),
    /// An image in one of these media types.
    Image(&'static [&'static str]),
}

/// The form of a value, and how it may look.
#[derive(Clone, Debug)]
pub struct Shape {
    pub schema: fn(&mut SchemaGenerator) -> Schema,
    /// By name.
    pub examples: Vec<(&'static str, Value)>,
}

// === impl Call ===

impl Call {
    pub(crate) fn new(method: Method, path: &'static str, id: &'static str, group: Group) -> Self {
        Self {
            method,
            path,
            id,
            group,
            summary: "",
            about: "",
            caller: Caller::Person,
            rate: Rate::Other,
            parameters: Vec::new(),
            body: None,
            answers: Vec::new(),
            own_refusals: Vec::new(),
        }
    }

    pub(crate) fn says(mut self, summary: &'static str, about: &'static str) -> Self {
        (self.summary, self.about) = (summary, about);
        self
    }

    pub(crate) fn by_anybody(mut self) -> Self {
        self.caller = Caller::Anybody;
        self
    }

    pub(crate) fn counted_as(mut self, rate: Rate) -> Self {
        self.rate = rate;
        self
    }

    pub(crate) fn with(mut self, parameter: Parameter) -> Self {
        self.parameters.push(parameter);
        self
    }

    pub(crate) fn taking(mut self, form: Content) -> Self {
        self.body.get_or_insert_with(|| Body { forms: Vec::new() }).forms.push(form);
        self
    }

    pub(crate) fn gives(mut self, status: u16, about: &'static str, content: Content) -> Self {
        self.answers.push(Answer { status, about, content });
        self
    }

    pub(crate) fn refuses(mut self, code: Code, when: &'static str) -> Self {
        self.own_refusals.push((code, when));
        self
    }

    /// Every error that it can give, and when.
    pub fn refusals(&self) -> Vec<(Code, &'static str)> {
        let mut all = self.own_refusals.clone();
        let mut also = |applies: bool, code, when| {
            if applies && !all.iter().any(|(known, _)| *known == code) {
                all.push((code, when));
            }
        };
        // The router's own pages ask no cell.
        let (is_counted, is_brought) = (self.rate != Rate::None, self.group != Group::Router);
        let is_read = self.body.is_some() || self.parameters.iter().any(|p| p.place != In::Path);
        also(is_read, Code::Invalid, "A parameter or a field is not as documented: `errors` names it.");
        also(
            self.caller == Caller::Person,
            Code::Unauthenticated,
            "There is no token, or it is not, or no longer, good.",
        );
        also(is_counted, Code::TooLarge, "The body is too large, or the line and the headers are.");
        also(self.body.is_some(), Code::Unsupported, "The content type is not one that this call takes.");
        also(is_counted, Code::RateLimited, "More calls than the limits allow.");
        also(is_brought, Code::Internal, "A fault of ours; trying again is safe.");
        also(is_brought, Code::Busy, "Too much to do at the moment; nothing was done.");
        also(is_brought, Code::Unavailable, "A part cannot be reached at the moment; trying again is safe.");
        all.sort_by_key(|(code, _)| (code.status(), *code as u32));
        all
    }

    /// Whether it answers with this status, and with what: `None` is none of its answers.
    pub fn answer(&self, status: u16) -> Option<&Answer> {
        self.answers.iter().find(|answer| answer.status == status)
    }
}

// === impl Method ===

impl Method {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }
}

// === impl Group ===

impl Group {
    pub const ALL: &[Self] =
        &[Self::Accounts, Self::People, Self::Conversations, Self::Members, Self::Messages, Self::Links, Self::Router];

    pub fn title(self) -> &'static str {
        match self {
            Self::Accounts => "Accounts",
            Self::People => "People",
            Self::Conversations => "Conversations",
            Self::Members => "Members",
            Self::Messages => "Messages",
            Self::Links => "Links",
            Self::Router => "The router",
        }
    }

    pub fn about(self) -> &'static str {
        match self {
            Self::Accounts => "Signing up, logging in and out, and one's own account.",
            Self::People => "Finding others, and their images.",
            Self::Conversations => "Direct conversations, groups and channels.",
            Self::Members => "Who is in a group or a channel.",
            Self::Messages => "Sending and reading. The socket does the same and is quicker.",
            Self::Links => "The links by which people join channels.",
            Self::Router => "What the router answers by itself.",
        }
    }
}

// === impl Rate ===

impl Rate {
    /// The bound, as a sentence. The numbers are the defaults.
    pub fn about(self) -> Option<&'static str> {
        Some(match self {
            Self::Messages => "Messages: 60 at once, then 1 per second a person, HTTP and socket together.",
            Self::SignUp => "Sign-ups: 5 at once, then 1 per minute an address.",
            Self::LogIn => "Log-ins: 10 at once, then 1 per minute an address; 5 at once, then 1 per minute a login.",
            Self::Search => "Search and lookup: 30 at once, then 1 per second a person.",
            Self::Members => "Joins and member changes: 30 at once, then 1 per two seconds a person.",
            Self::Other => {
                "Calls: 100 at once, then 10 per second a person; 300 at once, then 50 per second an address."
            }
            Self::None => return None,
        })
    }
}

// === impl Shape ===

impl Shape {
    /// The form of a type.
    pub(crate) fn of<T: JsonSchema>() -> Self {
        Self { schema: SchemaGenerator::subschema_for::<T>, examples: Vec::new() }
    }

    /// The form of this value's type, and the value as an example.
    pub(crate) fn like<T: JsonSchema + Serialize>(value: T) -> Self {
        Self::of::<T>().example("example", value)
    }

    pub(crate) fn example(mut self, name: &'static str, value: impl Serialize) -> Self {
        self.examples.push((name, serde_json::to_value(value).expect("examples hold nothing that JSON cannot")));
        self
    }
}

// === impl Content ===

impl Content {
    /// A JSON body like this one.
    pub(crate) fn json<T: JsonSchema + Serialize>(value: T) -> Self {
        Self::Json(Shape::like(value))
    }

    /// The media types that it comes in.
    pub fn media_types(&self) -> Vec<&'static str> {
        match self {
            Self::Nothing => Vec::new(),
            Self::Json(_) => vec!["application/json"],
            Self::Form(_) => vec!["multipart/form-data"],
            Self::Text(media_type, _) => vec![media_type],
            Self::Image(media_types) => media_types.to_vec(),
        }
    }
}
