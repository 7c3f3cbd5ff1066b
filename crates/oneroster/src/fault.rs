//! What can be wrong with a provider or with how it is configured, in words for people.

use std::time::Duration;

macro_rules! codes {
    ($($(#[doc = $doc:literal])* $name:ident => $remedy:literal,)*) => {
        /// What is wrong: a stable word. Each has its remedy; `docs/oneroster-api.md` lists them.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum FaultCode { $($(#[doc = $doc])* $name,)* }

        impl FaultCode {
            /// All codes.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The word.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => stringify!($name),)* }
            }

            /// What to do about it.
            pub const fn remedy(self) -> &'static str {
                match self { $(Self::$name => $remedy,)* }
            }
        }
    };
}

impl FaultCode {
    /// Whether it is about the connection as a whole, so that another question would meet it again.
    pub const fn is_of_the_connection(self) -> bool {
        matches!(
            self,
            Self::AddressNotAllowed
                | Self::HostNotFound
                | Self::ConnectionFailed
                | Self::TlsFailed
                | Self::CredentialRefused
                | Self::TokenInvalid
                | Self::Redirected
        )
    }
}

codes! {
    /// A configured address is no URL.
    AddressInvalid => "Give an address such as https://sis.example/ims/oneroster/v1p1.",
    /// The guard of outgoing connections refuses it.
    AddressNotAllowed => "Check the address, or ask the operator to allow it.",
    /// The name has no address.
    HostNotFound => "Check the spelling of the host.",
    /// Nobody answers there, or the connection breaks.
    ConnectionFailed => "Check host and port, and whether the provider is up.",
    /// No secure connection.
    TlsFailed => "The provider's certificate must be valid for its host and from an authority that this machine trusts.",
    /// It took too long.
    TimedOut => "Try again later, or ask the provider why it is slow.",
    /// The token endpoint does not give a token.
    CredentialRefused => "Check client id, client secret, token URL and scope.",
    /// The token endpoint answers something else than a token.
    TokenInvalid => "Check the token URL.",
    /// The API refuses the token or signature.
    AccessRefused => "Check the credential, and ask the provider whether it may read this collection.",
    /// There is no such collection.
    NotFound => "Check the path of the base URL: OneRoster 1.1 is commonly at /ims/oneroster/v1p1, 1.2 at /ims/oneroster/rostering/v1p2.",
    /// The provider sends us elsewhere.
    Redirected => "Redirects are not followed; give the address that it leads to, if it is the right one.",
    /// The provider says that it is busy.
    ProviderBusy => "Try again later.",
    /// The provider answers with an error.
    ProviderFailed => "Ask the provider.",
    /// The answer is no JSON: a login page, for example.
    AnswerNotJson => "Check the base URL; a web page is not the API.",
    /// The answer is no OneRoster JSON, or is cut off.
    AnswerInvalid => "Ask the provider.",
    /// The answer is too large.
    AnswerTooLarge => "Ask the provider to obey `limit`.",
    /// Pages overlap or have changed under way.
    PagesInconsistent => "Data that change while they are read can do this: try again later. If it stays, ask the provider to sort its pages.",
    /// There were fewer records than announced.
    AnswerIncomplete => "Nothing was taken from it. Try again later; if it stays, ask the provider.",
    /// There are more pages than make sense.
    TooManyPages => "Ask the provider to obey `limit` and `offset`.",
    /// A collection without which there is no roster is empty.
    CollectionEmpty => "Check at the provider what the credential may see.",
    /// The provider does not say how many records there are.
    TotalCountMissing => "Pulls work without it, one page after the other, but cannot tell whether records are missing. Ask the provider to send X-Total-Count.",
    /// The provider speaks another version than configured.
    VersionMismatch => "Set apiVersion and baseUrl to the same version, 1.1 or 1.2.",
    /// The connector is for a version that Homeroom does not speak.
    VersionNotSupported => "Set apiVersion to 1.1 or 1.2.",
    /// A collection that is not needed is missing.
    CollectionMissing => "Nothing needs to be done, unless you expected it.",
}

/// Something that is wrong, where, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {what}. {}", .code.remedy())]
pub struct Fault {
    /// What kind of thing.
    pub code: FaultCode,
    /// Collection, or setting of the connection.
    pub place: String,
    /// What happened. Never holds a secret, nor anything of a person.
    pub what: String,
    pub(crate) retry: Retry,
}

/// Whether the same request may do better in a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Retry {
    Never,
    Soon,
    After(Duration),
}

impl Fault {
    /// A fault for which trying again is no remedy.
    pub fn new(code: FaultCode, place: impl Into<String>, what: impl Into<String>) -> Self {
        Self { code, place: place.into(), what: what.into(), retry: Retry::Never }
    }

    pub(crate) fn retry(self, retry: Retry) -> Self {
        Self { retry, ..self }
    }
}

/// Text of a provider for an error: one line, not long.
pub(crate) fn excerpt(text: &str) -> String {
    const CHARACTERS_MAX: usize = 200;
    let line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(CHARACTERS_MAX).collect();
    line.trim().to_owned()
}
