//! The application error: what went wrong, free of any transport.
//!
//! Handlers and the graph layer return [`AppError`]; [`AppError::graph`] is the one place that
//! turns it into the status, code and body that Microsoft Graph clients read. The public message
//! and the internal context are kept apart so that the internal half cannot leak.

use odata::error::{Error as ODataError, Kind};

/// One entry of `error.details`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Detail {
    /// Machine-readable code.
    pub code: String,
    /// What this entry says, in plain words.
    pub message: String,
    /// The URL or property that the entry is about.
    pub target: Option<String>,
}

/// Everything an operation can fail with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AppError {
    /// The request breaks a rule: 400.
    Invalid {
        /// What is wrong and what would be right.
        message: String,
        /// JSON path, query option or URL segment.
        target: Option<String>,
    },
    /// No usable token: 401.
    Unauthenticated(String),
    /// A good token without the permission: 403.
    Forbidden(String),
    /// No such thing: 404.
    NotFound(String),
    /// The path exists, the method does not: 405.
    MethodNotAllowed {
        /// Value of the `Allow` header.
        allow: String,
    },
    /// No representation the client accepts: 406.
    NotAcceptable(String),
    /// The change contradicts what is stored: 409.
    Conflict {
        /// What stands in the way.
        message: String,
        /// The things that stand in the way.
        details: Vec<Detail>,
    },
    /// `If-Match` names another version, or `If-None-Match` this one: 412.
    PreconditionFailed,
    /// The body is over its limit: 413.
    TooLarge(String),
    /// A body that is not JSON by its media type: 415.
    UnsupportedMediaType(String),
    /// A part of a batch whose dependency failed: 424.
    FailedDependency(String),
    /// A quota is used up: 429.
    TooManyRequests {
        /// Seconds until the next try can succeed.
        retry_after_seconds: u64,
        /// Which quota.
        message: String,
    },
    /// Our fault: 500. The text goes to the log, never to the client.
    Internal(String),
}

/// The wire form of an [`AppError`].
#[derive(Debug, Clone)]
pub struct GraphFailure {
    /// HTTP status.
    pub status: u16,
    /// `error.code`.
    pub code: &'static str,
    /// `error.message`.
    pub message: String,
    /// `error.target`.
    pub target: Option<String>,
    /// `error.details`.
    pub details: Vec<Detail>,
    /// Extra response headers.
    pub headers: Vec<(&'static str, String)>,
}

impl AppError {
    /// A 400 without a target.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::Invalid { message: message.into(), target: None }
    }

    /// A 400 that names the property, option or segment at fault.
    pub fn invalid_at(target: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Invalid { message: message.into(), target: Some(target.into()) }
    }

    /// A 404 for an entity of a collection.
    pub fn no_such(collection: &str, id: &str) -> Self {
        Self::NotFound(format!("Resource '{id}' does not exist in '{collection}'."))
    }

    /// Makes the targets of a conflict that are paths of the API absolute.
    #[must_use]
    pub fn with_links(self, link: impl Fn(&str) -> String) -> Self {
        let Self::Conflict { message, mut details } = self else { return self };
        for target in details.iter_mut().filter_map(|detail| detail.target.as_mut()) {
            if let Some(path) = target.strip_prefix('/') {
                *target = link(path);
            }
        }
        Self::Conflict { message, details }
    }

    /// Status, code, message and headers for a Graph client.
    ///
    /// Codes follow the ones Graph documents; `InvalidAuthenticationToken` is the one that
    /// Microsoft's own Postman collection tests for.
    #[must_use]
    pub fn graph(self) -> GraphFailure {
        let plain = |status, code, message| GraphFailure { status, code, message, target: None, details: Vec::new(), headers: Vec::new() };
        match self {
            Self::Invalid { message, target } => GraphFailure { target, ..plain(400, "BadRequest", message) },
            Self::Unauthenticated(message) => GraphFailure {
                headers: vec![("www-authenticate", challenge(&message))],
                ..plain(401, "InvalidAuthenticationToken", message)
            },
            Self::Forbidden(message) => plain(403, "Authorization_RequestDenied", message),
            Self::NotFound(message) => plain(404, "NotFound", message),
            Self::MethodNotAllowed { allow } => GraphFailure {
                headers: vec![("allow", crate::exchange::with_head_and_options(&allow))],
                ..plain(405, "MethodNotAllowed", format!("This resource answers only: {allow}."))
            },
            Self::NotAcceptable(message) => plain(406, "NotAcceptable", message),
            Self::Conflict { message, details } => GraphFailure { details, ..plain(409, "Conflict", message) },
            Self::PreconditionFailed => plain(
                412,
                "PreconditionFailed",
                "The resource is not in the version that If-Match or If-None-Match asks for. Read it again and repeat the change."
                    .to_owned(),
            ),
            Self::TooLarge(message) => plain(413, "RequestEntityTooLarge", message),
            Self::UnsupportedMediaType(message) => plain(415, "UnsupportedMediaType", message),
            Self::FailedDependency(message) => plain(424, "FailedDependency", message),
            Self::TooManyRequests { retry_after_seconds, message } => {
                GraphFailure { headers: vec![("retry-after", retry_after_seconds.to_string())], ..plain(429, "TooManyRequests", message) }
            }
            Self::Internal(context) => {
                tracing::error!(error = ?context, "a request failed inside Homeroom");
                plain(
                    500,
                    "InternalServerError",
                    "Homeroom could not finish this request. The log has the cause under this request-id.".to_owned(),
                )
            }
        }
    }
}

/// `WWW-Authenticate` by RFC 6750; without `claims`, so that SDKs do not ask for a new token in vain.
fn challenge(message: &str) -> String {
    let text: String = message.chars().filter(|c| c.is_ascii_graphic() || *c == ' ').filter(|c| *c != '"').collect();
    format!("Bearer realm=\"\", error=\"invalid_token\", error_description=\"{text}\"")
}

impl From<ODataError> for AppError {
    fn from(error: ODataError) -> Self {
        match error.kind {
            Kind::UnknownSegment | Kind::NotFound => Self::NotFound(error.message),
            Kind::PayloadTooLarge => Self::TooLarge(error.message),
            Kind::BadRequest => Self::Invalid { message: error.message, target: error.target },
        }
    }
}

impl From<store::StoreError> for AppError {
    fn from(error: store::StoreError) -> Self {
        match error {
            store::StoreError::Forbidden { needed } => Self::Forbidden(format!(
                "Insufficient privileges to complete the operation. It needs one of these permissions: {}.",
                needed.join(", ")
            )),
            store::StoreError::VersionConflict => Self::PreconditionFailed,
            store::StoreError::Unstorable(what) => {
                Self::Invalid { message: format!("The request has {what}, which cannot be stored."), target: None }
            }
            other => Self::Internal(other.with_causes()),
        }
    }
}

impl From<industry_data::rules::Refusal> for AppError {
    fn from(refusal: industry_data::rules::Refusal) -> Self {
        use industry_data::rules::Refusal;
        match refusal {
            Refusal::Invalid { message, target } => Self::Invalid { message, target },
            Refusal::NotFound { message } => Self::NotFound(message),
            Refusal::Conflict { message, details } => Self::Conflict {
                message,
                details: details
                    .into_iter()
                    .map(|(code, message, target)| Detail { code, message, target: (!target.is_empty()).then_some(target) })
                    .collect(),
            },
        }
    }
}

/// An error with all its causes in one line.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::describe::ERRORS;

    /// One of each variant; a new one does not compile in [`is_there`] until it is known here.
    fn each() -> Vec<AppError> {
        let text = String::new;
        vec![
            AppError::invalid(""),
            AppError::Unauthenticated(text()),
            AppError::Forbidden(text()),
            AppError::NotFound(text()),
            AppError::MethodNotAllowed { allow: "GET".to_owned() },
            AppError::NotAcceptable(text()),
            AppError::Conflict { message: text(), details: Vec::new() },
            AppError::PreconditionFailed,
            AppError::TooLarge(text()),
            AppError::UnsupportedMediaType(text()),
            AppError::FailedDependency(text()),
            AppError::TooManyRequests { retry_after_seconds: 1, message: text() },
            AppError::Internal(text()),
        ]
    }

    fn is_there(error: &AppError) -> usize {
        match error {
            AppError::Invalid { .. } => 0,
            AppError::Unauthenticated(_) => 1,
            AppError::Forbidden(_) => 2,
            AppError::NotFound(_) => 3,
            AppError::MethodNotAllowed { .. } => 4,
            AppError::NotAcceptable(_) => 5,
            AppError::Conflict { .. } => 6,
            AppError::PreconditionFailed => 7,
            AppError::TooLarge(_) => 8,
            AppError::UnsupportedMediaType(_) => 9,
            AppError::FailedDependency(_) => 10,
            AppError::TooManyRequests { .. } => 11,
            AppError::Internal(_) => 12,
        }
    }

    #[test]
    fn the_table_of_errors_has_every_variant_with_its_header_and_nothing_else() {
        let each = each();
        assert_eq!(each.iter().map(is_there).collect::<Vec<_>>(), (0..each.len()).collect::<Vec<_>>());
        let answered: Vec<_> = each
            .into_iter()
            .map(|error| {
                let failure = error.graph();
                (failure.status, failure.code, failure.headers.first().map(|(name, _)| (*name).to_owned()))
            })
            .collect();
        let listed: Vec<_> = ERRORS.iter().map(|row| (row.status, row.code, row.header.map(str::to_lowercase))).collect();
        assert_eq!(answered, listed);
    }
}
