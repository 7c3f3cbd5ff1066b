//! The Graph API: one request in, one answer out, in one unit of work.
//!
//! A request is authenticated, its path parsed by the grammar, resolved to a [`place::Place`],
//! and handled by what the place is. Nothing here knows HTTP.

pub mod collections;
mod data;
mod expand;
mod functions;
mod links;
mod list;
pub mod place;
mod pushdown;
mod read;
pub mod request;
mod seed;
mod write;

use crate::app::App;
use crate::error::AppError;
pub use data::Data;
use industry_data::MODEL;
use odata::limits::Limits;
use odata::path::Segment;
use odata::query::{QueryOptions, parse_query_with};
use place::Place;
use request::{GraphRequest, GraphResponse, Method, Version};
use store::OpContext;

/// Handles one authenticated request.
///
/// A request that may write runs in a writing unit of work; what it enqueues commits with it.
pub async fn handle(app: &App, ctx: OpContext, request: GraphRequest) -> Result<GraphResponse, AppError> {
    let reads = match request.method {
        Method::Get => !functions::opens_session(&request.path),
        Method::Other => true,
        Method::Post | Method::Patch | Method::Delete => false,
    };
    let inner = app.clone();
    let context = ctx.clone();
    let outcome = if reads {
        app.store().read(&ctx, move |tx| dispatch(&inner, &context, tx, &request)).await
    } else {
        app.store().write(&ctx, move |tx| dispatch(&inner, &context, tx, &request)).await
    };
    if !reads && outcome.is_ok() {
        app.wake_worker();
    }
    outcome
}

fn dispatch(app: &App, ctx: &OpContext, tx: &mut store::Tx<'_>, request: &GraphRequest) -> Result<GraphResponse, AppError> {
    let data = Data::new(tx, ctx);
    if let Some(key) = seed::matches(&request.path) {
        if request.version == Version::V1 {
            return Err(AppError::NotFound("industryData is on /beta only.".to_owned()));
        }
        return seed::handle(app, &data, request, key);
    }
    let path = odata::path::parse_path(&MODEL, &request.path)?;
    let place = Place::resolve(&path, &data)?;
    if request.version == Version::V1 && is_industry_data(&place) {
        return Err(AppError::NotFound("industryData is on /beta only.".to_owned()));
    }
    // What a reference leads to is changed at its own URL: to delete a flow by way of a run would surprise.
    let by_reference = matches!(path.segments.last(), Some(Segment::Navigation(nav)) if !nav.collection && !nav.contained);
    if by_reference && matches!(request.method, Method::Patch | Method::Delete) && matches!(place, Place::Entity(_)) {
        return Err(AppError::MethodNotAllowed { allow: "GET".to_owned() });
    }
    route(app, &data, request, place).map_err(|error| error.with_links(|path| request.link(path)))
}

/// By what the place is, then by method.
fn route(app: &App, data: &Data<'_, '_>, request: &GraphRequest, place: Place) -> Result<GraphResponse, AppError> {
    match (request.method, place) {
        (_, Place::External) => Err(AppError::NotFound("Of 'external', Homeroom serves 'external/industryData'.".to_owned())),
        (_, Place::Ref(inner)) if matches!(*inner, Place::Collection(_)) => {
            Err(AppError::NotFound("'$ref' follows an entity, a reference or members, not a collection.".to_owned()))
        }
        (Method::Get, Place::Collection(at)) => read::collection(data, request, &at),
        (Method::Post, Place::Collection(at)) => write::create(app, data, request, &at),
        (Method::Get, Place::Entity(at)) => read::entity(data, request, &at),
        (Method::Patch, Place::Entity(at)) => write::update(app, data, request, &at, write::Answer::NoContent),
        (Method::Delete, Place::Entity(at)) => write::delete(app, data, request, &at),
        (Method::Get, Place::Property(at, steps)) => read::property(data, request, &at, &steps),
        (Method::Get, Place::Value(inner)) => read::value(data, request, *inner),
        (Method::Get, Place::Count(inner)) => read::count(data, request, *inner),
        (Method::Get, Place::Root) => read::root(data, request),
        (Method::Get, Place::Ref(inner)) => read::reference(data, request, &inner),
        (Method::Get, Place::Links(at, nav)) => links::list(data, request, &at, nav),
        (Method::Get, Place::Link(at, nav, id)) => links::get(data, request, &at, nav, &id),
        (Method::Post, Place::Ref(inner)) if matches!(*inner, Place::Links(..)) => links::add(data, request, *inner),
        (Method::Delete, Place::Ref(inner)) if matches!(*inner, Place::Link(..)) => links::remove(data, *inner),
        (_, Place::Operation(inner, operation, arguments)) => functions::call(app, data, request, *inner, operation, &arguments),
        (_, place) => Err(AppError::MethodNotAllowed { allow: allowed(&place).to_owned() }),
    }
}

/// `Allow` of a place.
fn allowed(place: &Place) -> &'static str {
    use collections::Writes;
    match place {
        Place::Collection(at) if at.collection.writes == Writes::All => "GET, POST",
        Place::Entity(at) if at.within.collection.writes == Writes::All => "GET, PATCH, DELETE",
        Place::Ref(inner) => match **inner {
            Place::Links(..) => "POST",
            Place::Link(..) => "DELETE",
            _ => "GET",
        },
        _ => "GET",
    }
}

fn is_industry_data(place: &Place) -> bool {
    match place {
        Place::External | Place::Root => true,
        Place::Collection(at) => !matches!(at.collection.name, "users" | "groups"),
        Place::Entity(at) | Place::Property(at, _) | Place::Links(at, _) | Place::Link(at, _, _) => {
            !matches!(at.within.collection.name, "users" | "groups")
        }
        Place::Operation(inner, _, _) | Place::Count(inner) | Place::Ref(inner) | Place::Value(inner) => is_industry_data(inner),
    }
}

/// Query options, checked against the type they apply to.
fn options(data: &Data<'_, '_>, request: &GraphRequest, ty: &'static odata::edm::StructuredType) -> Result<QueryOptions, AppError> {
    let mut options =
        parse_query_with(&request.query, ty, &MODEL, &Limits::DEFAULT, &|nav| links::are_links(nav).then(|| links::target(nav).ok())?)?;
    options.bind_now(data.ctx().now);
    Ok(options)
}

/// The declared element type of a collection, narrowed by a cast.
fn element_type(at: &place::CollectionPlace) -> Result<&'static odata::edm::StructuredType, AppError> {
    match at.cast {
        Some(ty) => Ok(ty),
        None => declared_type(at),
    }
}

/// The declared element type of a collection.
fn declared_type(at: &place::CollectionPlace) -> Result<&'static odata::edm::StructuredType, AppError> {
    MODEL.find_type(at.collection.element).ok_or_else(|| AppError::Internal(format!("the model lacks {}", at.collection.element)))
}
