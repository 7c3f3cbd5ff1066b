//! `/admin/sources` and `/admin/sources/{name}`: the sources of the token's tenant.

use super::{Watched, put, read, remove, shown};
use crate::app::App;
use crate::error::AppError;
use crate::exchange::{Outcome, header, require_json};
use crate::graph::request::{GraphResponse, Metadata};
use crate::intake::{self, SourceStatus};
use bytes::Bytes;
use http::{HeaderMap, Method};
use industry_data::permissions::{Action, Resource, allowed};
use serde_json::{Map, Value, json};
use store::OpContext;
use uuid::Uuid;

/// Answers a request; `name` is that of one source.
pub(crate) async fn answer(app: &App, method: &Method, headers: &HeaderMap, request_id: Uuid, name: Option<&str>, body: Bytes) -> Outcome {
    let ctx = app.authenticate(header(headers, "authorization").as_deref(), request_id).await?;
    app.throttle(&ctx)?;
    // They are part of what a connector is.
    let needs = |action| ctx.grants.require(allowed(Resource::DataConnectors, action));
    let response = match (method, name) {
        (&Method::GET | &Method::HEAD, None) => {
            needs(Action::List)?;
            let all: Vec<Value> = of_tenant(app, &ctx).await?.iter().map(|(watched, status)| shown(watched, status).into()).collect();
            GraphResponse::json(200, Map::from_iter([("value".to_owned(), json!(all))]))
        }
        (&Method::GET | &Method::HEAD, Some(name)) => {
            needs(Action::Read)?;
            GraphResponse::json(200, one(app, &ctx, name).await?)
        }
        (&Method::PUT, Some(name)) => {
            needs(Action::Write)?;
            require_json(headers)?;
            let new = put(app, &ctx, read(ctx.tenant, name, &body)?).await?;
            GraphResponse::json(if new { 201 } else { 200 }, one(app, &ctx, name).await?)
        }
        (&Method::DELETE, Some(name)) => {
            needs(Action::Write)?;
            if !remove(app, &ctx, name).await? {
                return Err(AppError::no_such("sources", name));
            }
            GraphResponse::no_content()
        }
        (_, Some(_)) => return Err(AppError::MethodNotAllowed { allow: "GET, PUT, DELETE".to_owned() }),
        (_, None) => return Err(AppError::MethodNotAllowed { allow: "GET".to_owned() }),
    };
    Ok((response, Metadata::Minimal))
}

async fn of_tenant(app: &App, ctx: &OpContext) -> Result<Vec<(Watched, SourceStatus)>, AppError> {
    intake::statuses(app, Some(ctx.tenant)).await.map_err(AppError::Internal)
}

async fn one(app: &App, ctx: &OpContext, name: &str) -> Result<Map<String, Value>, AppError> {
    let all = of_tenant(app, ctx).await?;
    let found = all.iter().find(|(watched, _)| watched.source.name == name);
    found.map(|(watched, status)| shown(watched, status)).ok_or_else(|| AppError::no_such("sources", name))
}
