//! Answers and refusals, in the form of either protocol.

use super::BodyStream;
use crate::UploadedFile;
use crate::properties::Properties;
use jiff::Timestamp;
use serde_json::json;
use std::io;
use store::StoreError;

/// What is answered.
#[derive(Default)]
pub struct UploadResponse {
    /// HTTP status.
    pub status: u16,
    /// Headers.
    pub headers: Vec<(String, String)>,
    /// Body.
    pub body: UploadBody,
}

/// The body of an answer.
#[derive(Default)]
pub enum UploadBody {
    /// None.
    #[default]
    Empty,
    /// Text.
    Text(String),
    /// Content of a file; its length is in the headers.
    Stream(BodyStream),
}

/// A refusal: status, code, message.
#[derive(Debug)]
pub(super) struct Refused(pub(super) u16, pub(super) &'static str, pub(super) String);

pub(super) type Answer = Result<UploadResponse, Refused>;

pub(super) fn refuse<T>(status: u16, code: &'static str, message: impl Into<String>) -> Result<T, Refused> {
    Err(Refused(status, code, message.into()))
}

impl From<StoreError> for Refused {
    fn from(error: StoreError) -> Self {
        internal(&error)
    }
}

impl From<io::Error> for Refused {
    fn from(error: io::Error) -> Self {
        use io::ErrorKind::{FileTooLarge, NotFound, QuotaExceeded, StorageFull};
        match error.kind() {
            // Files are looked for where they were a moment ago; only a whole container goes at once.
            NotFound => closed(),
            StorageFull | QuotaExceeded | FileTooLarge => {
                tracing::error!(%error, "an upload found no room on the disk");
                let message = "The server's disk is full. Nothing of this request was kept; send it again when the operator has made room.";
                Self(507, "InsufficientStorage", message.to_owned())
            }
            _ => internal(&error),
        }
    }
}

pub(super) fn internal(error: &dyn std::error::Error) -> Refused {
    tracing::error!(%error, source = error.source(), "an upload failed inside Homeroom");
    Refused(500, "InternalError", "The server encountered an internal error. Please retry the request.".to_owned())
}

pub(super) fn closed() -> Refused {
    Refused(
        404,
        "ContainerNotFound",
        "The container is closed: its files have been taken for validation. Ask for a new upload session.".to_owned(),
    )
}

pub(super) fn denied() -> Refused {
    Refused(
        403,
        "AuthenticationFailed",
        "Server failed to authenticate the request. The session URL is wrong or has expired; ask for a new upload session.".to_owned(),
    )
}

pub(super) fn not_found() -> Refused {
    Refused(404, "BlobNotFound", "The specified blob does not exist.".to_owned())
}

pub(super) fn answer(status: u16) -> UploadResponse {
    UploadResponse { status, ..UploadResponse::default() }
}

/// A file was committed, or changed.
pub(super) fn committed(status: u16, file: &UploadedFile) -> UploadResponse {
    answer(status).of_file(file)
}

/// The reader has the file already.
pub(super) fn not_modified(file: &UploadedFile) -> UploadResponse {
    answer(304).of_file(file).with("x-ms-error-code", "ConditionNotMet")
}

impl UploadResponse {
    pub(super) fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    pub(super) fn with_some(self, name: &str, value: Option<&String>) -> Self {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }

    pub(super) fn of_file(self, file: &UploadedFile) -> Self {
        self.with("etag", &file.etag).with("last-modified", http_date(file.modified))
    }

    /// What Get Blob and Get Blob Properties say of a file beside its length and hash.
    pub(super) fn describing(self, file: &UploadedFile, properties: &Properties) -> Self {
        let described = self
            .of_file(file)
            .with("x-ms-creation-time", http_date(properties.created))
            .with("x-ms-blob-type", "BlockBlob")
            .with("x-ms-resource-type", "file")
            .with("x-ms-lease-status", "unlocked")
            .with("x-ms-lease-state", "available")
            .with("accept-ranges", "bytes")
            .with("content-type", properties.content_type.as_deref().unwrap_or("application/octet-stream"))
            .with_some("content-encoding", properties.content_encoding.as_ref())
            .with_some("content-language", properties.content_language.as_ref())
            .with_some("content-disposition", properties.content_disposition.as_ref())
            .with_some("cache-control", properties.cache_control.as_ref())
            // A page that somebody uploaded must not run on Homeroom's origin.
            .with("content-security-policy", "sandbox; default-src 'none'")
            .with("x-content-type-options", "nosniff");
        properties.metadata.iter().fold(described, |described, (name, value)| described.with(&format!("x-ms-meta-{name}"), value))
    }

    pub(super) fn text(self, text: String) -> Self {
        Self { body: UploadBody::Text(text), ..self }
    }
}

/// RFC 1123, as HTTP and List Blobs want it.
pub(super) fn http_date(seconds: i64) -> String {
    Timestamp::from_second(seconds).unwrap_or_default().strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

pub(super) fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// A refusal as XML for the blob protocol, as JSON for the Data Lake's.
pub(super) fn refusal(Refused(status, code, message): &Refused, data_lake: bool) -> UploadResponse {
    let refused = answer(*status).with("x-ms-error-code", *code);
    if data_lake {
        let body = json!({ "error": { "code": code, "message": message } }).to_string();
        return refused.with("content-type", "application/json; charset=utf-8").text(body);
    }
    let message = escape(message);
    let body = format!("<?xml version=\"1.0\" encoding=\"utf-8\"?><Error><Code>{code}</Code><Message>{message}</Message></Error>");
    refused.with("content-type", "application/xml").text(body)
}
