//! Actions and functions: getUploadSession, validate, start, reset, getStatistics.

use super::data::Data;
use super::place::{EntityPlace, Place};
use super::request::{GraphRequest, GraphResponse, Metadata, Method};
use crate::app::App;
use crate::error::AppError;
use crate::jobs;
use odata::edm::Operation;
use serde_json::{Map, Value, json};

/// Whether a GET to this path opens an upload session, which writes.
pub(super) fn opens_session(path: &str) -> bool {
    let decoded = percent_encoding::percent_decode_str(path).decode_utf8_lossy();
    decoded.to_ascii_lowercase().contains("getuploadsession")
}

/// Calls a bound operation.
pub(super) fn call(
    app: &App,
    data: &Data<'_, '_>,
    request: &GraphRequest,
    bound: Place,
    operation: &Operation,
    arguments: &[(String, String)],
) -> Result<GraphResponse, AppError> {
    let wanted = if operation.action { Method::Post } else { Method::Get };
    if request.method != wanted {
        let allow = if operation.action { "POST" } else { "GET" };
        return Err(AppError::MethodNotAllowed { allow: allow.to_owned() });
    }
    if operation.action {
        request.check_action_body()?;
    }
    match (operation.name, bound) {
        ("getUploadSession", Place::Entity(at)) => upload_session(app, data, request, &at, arguments),
        ("validate", Place::Entity(at)) => {
            let id = jobs::start_validation(app, data, request, &at)?;
            Ok(GraphResponse::accepted(Some(operation_link(request, &id))))
        }
        ("start", Place::Collection(_)) => {
            let id = jobs::start_run(app, data, request)?;
            Ok(GraphResponse::accepted(Some(operation_link(request, &id))))
        }
        ("reset", Place::Entity(at)) => {
            data.reset_flow(&at)?;
            Ok(GraphResponse::accepted(None))
        }
        ("getStatistics", Place::Entity(at)) => {
            data.require_exists(&at)?;
            statistics(data, request, &at.id)
        }
        ("getStatistics", Place::Collection(_)) => {
            let latest = data.latest_run()?.ok_or_else(|| AppError::NotFound("This tenant has had no run yet.".to_owned()))?;
            statistics(data, request, &latest)
        }
        (name, _) => Err(AppError::NotFound(format!("'{name}' is not an operation of this resource."))),
    }
}

fn operation_link(request: &GraphRequest, id: &str) -> String {
    request.link(&format!("external/industryData/operations/{id}"))
}

/// `getUploadSession[?resetSession=true]`: the session that is open, or a new one.
fn upload_session(
    app: &App,
    data: &Data<'_, '_>,
    request: &GraphRequest,
    at: &EntityPlace,
    arguments: &[(String, String)],
) -> Result<GraphResponse, AppError> {
    let reset = match argument(request, arguments, "resetSession").as_deref() {
        None => false,
        Some(text) if text.eq_ignore_ascii_case("true") => true,
        Some(text) if text.eq_ignore_ascii_case("false") => false,
        Some(text) => return Err(AppError::invalid_at("resetSession", format!("resetSession can be true or false, not '{text}'."))),
    };
    let session = data.open_upload_session(app, at, &request.base_url, reset)?;
    let mut body = context(request, "microsoft.graph.industryData.fileUploadSession");
    body.extend(session);
    Ok(GraphResponse::json(200, body))
}

/// A parameter, from the parentheses or the query string, whatever its case.
fn argument(request: &GraphRequest, arguments: &[(String, String)], name: &str) -> Option<String> {
    if let Some((_, value)) = arguments.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)) {
        return Some(value.clone());
    }
    request.query.split('&').find_map(|pair| {
        let (key, value) = pair.split_once('=')?;
        key.eq_ignore_ascii_case(name).then(|| percent_encoding::percent_decode_str(value).decode_utf8_lossy().into_owned())
    })
}

fn statistics(data: &Data<'_, '_>, request: &GraphRequest, run: &str) -> Result<GraphResponse, AppError> {
    let mut body = context(request, "microsoft.graph.industryData.industryDataRunStatistics");
    body.extend(data.statistics(run)?);
    Ok(GraphResponse::json(200, body))
}

fn context(request: &GraphRequest, fragment: &str) -> Map<String, Value> {
    let mut body = Map::new();
    if request.metadata != Metadata::None {
        body.insert("@odata.context".to_owned(), json!(request.context(fragment)));
    }
    body
}
