//! Which limit a call counts against.

use http::Method;

/// A kind of call, by what it costs and whom it can harm.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Kind {
    SignUp,
    /// Whatever tries a password.
    LogIn,
    Message,
    Search,
    /// Joining, and all changes of who is a member of what.
    Join,
    Other,
}

impl Kind {
    /// Of a call of the contract, by its path's template. What is not named here is one of the others.
    pub fn of(method: &Method, template: &str) -> Self {
        match (method.as_str(), template) {
            ("POST", "/v1/users") => Self::SignUp,
            ("POST", "/v1/sessions") | ("PUT", "/v1/me/password") => Self::LogIn,
            ("POST", "/v1/messages" | "/v1/conversations/{id}/messages") => Self::Message,
            ("GET" | "HEAD", "/v1/users") | ("POST", "/v1/users/lookup") => Self::Search,
            ("POST", "/v1/conversations/{id}/members" | "/v1/links/{code}/join")
            | ("PATCH" | "DELETE", "/v1/conversations/{id}/members/{user_id}") => Self::Join,
            _ => Self::Other,
        }
    }

    /// The name in metrics: the key of its rate.
    pub fn label(self) -> &'static str {
        match self {
            Self::SignUp => "sign_ups",
            Self::LogIn => "log_ins",
            Self::Message => "messages",
            Self::Search => "searches",
            Self::Join => "joins",
            Self::Other => "calls",
        }
    }

    /// What there were too many of, for a person.
    pub fn plural(self) -> &'static str {
        match self {
            Self::SignUp => "sign-ups",
            Self::LogIn => "log-ins",
            Self::Message => "messages",
            Self::Search => "searches",
            Self::Join => "joins and changes of members",
            Self::Other => "calls",
        }
    }

    /// Whether it costs a password's hash, which is a thousand times what other calls cost.
    pub fn hashes(self) -> bool {
        matches!(self, Self::SignUp | Self::LogIn)
    }
}
