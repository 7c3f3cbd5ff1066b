//! From a parsed URL to a place in the data: which collection or entity, below which parent.

use super::collections::{Collection, find};
use super::data::Data;
use crate::error::AppError;
use odata::edm::{Navigation, Operation, Property, StructuredType};
use odata::path::{ResourcePath, Segment};
use serde_json::{Map, Value};

/// A collection, perhaps below a parent, perhaps narrowed to a subtype.
#[derive(Debug, Clone)]
pub struct CollectionPlace {
    /// Which.
    pub collection: &'static Collection,
    /// Id of the entity it hangs from, for the two contained collections.
    pub parent: Option<String>,
    /// Type cast in the URL.
    pub cast: Option<&'static StructuredType>,
}

/// One entity.
#[derive(Debug, Clone)]
pub struct EntityPlace {
    /// Where it is.
    pub within: CollectionPlace,
    /// Its key.
    pub id: String,
}

/// One step of the path to a property.
#[derive(Debug, Clone, Copy)]
pub enum PropertyStep {
    /// To a property.
    To(&'static Property),
    /// Only when the value is of that type.
    Cast(&'static StructuredType),
}

/// What a URL names.
#[derive(Debug, Clone)]
pub enum Place {
    /// `/external`
    External,
    /// `/external/industryData`
    Root,
    /// A collection.
    Collection(CollectionPlace),
    /// An entity.
    Entity(EntityPlace),
    /// `/groups/{id}/members`, `/users/{id}/memberOf`: references to directory objects.
    Links(EntityPlace, &'static Navigation),
    /// One entry of such a list.
    Link(EntityPlace, &'static Navigation, String),
    /// A property of an entity, by path.
    Property(EntityPlace, Vec<PropertyStep>),
    /// An operation bound to a place.
    Operation(Box<Place>, &'static Operation, Vec<(String, String)>),
    /// `/$count`
    Count(Box<Place>),
    /// `/$ref`
    Ref(Box<Place>),
    /// `/$value`
    Value(Box<Place>),
}

impl Place {
    /// Resolves a path. Navigation to an entity that is not contained follows the stored binding,
    /// so this reads the store, with the caller's own permissions.
    pub fn resolve(path: &ResourcePath, data: &Data<'_, '_>) -> Result<Self, AppError> {
        let mut place: Option<Self> = None;
        for segment in &path.segments {
            place = Some(match place {
                None => root(segment)?,
                Some(before) => before.step(segment, data)?,
            });
        }
        place.ok_or_else(|| AppError::NotFound("This URL names no resource.".to_owned()))
    }

    fn step(self, segment: &Segment, data: &Data<'_, '_>) -> Result<Self, AppError> {
        match (self, segment) {
            (Self::External, Segment::Navigation(nav)) if nav.name == "industryData" => Ok(Self::Root),
            (Self::Root, Segment::Navigation(nav)) => collection(nav.name, None),
            (Self::Collection(place), Segment::Key(key)) => Ok(Self::Entity(EntityPlace { within: place, id: key.clone() })),
            (Self::Collection(place), Segment::Cast(ty)) => Ok(Self::Collection(CollectionPlace { cast: Some(ty), ..place })),
            (Self::Entity(entity), Segment::Cast(ty)) => {
                data.require_type(&entity, ty)?;
                let within = CollectionPlace { cast: Some(ty), ..entity.within };
                Ok(Self::Entity(EntityPlace { within, ..entity }))
            }
            (Self::Entity(entity), Segment::Navigation(nav)) => navigate(entity, nav, data),
            (Self::Entity(entity), Segment::Property(property)) => Ok(Self::Property(entity, vec![PropertyStep::To(property)])),
            (Self::Property(entity, mut steps), Segment::Property(property)) => {
                steps.push(PropertyStep::To(property));
                Ok(Self::Property(entity, steps))
            }
            (Self::Property(entity, mut steps), Segment::Cast(ty)) => {
                steps.push(PropertyStep::Cast(ty));
                Ok(Self::Property(entity, steps))
            }
            // Every member is a user and every parent a group, so the cast that clients write changes nothing.
            (Self::Links(entity, nav), Segment::Cast(ty)) if super::links::are_all(nav, ty) => Ok(Self::Links(entity, nav)),
            (Self::Links(entity, nav), Segment::Key(key)) => Ok(Self::Link(entity, nav, key.clone())),
            (place, Segment::Operation { op, args }) => Ok(Self::Operation(Box::new(place), op, args.clone())),
            (place, Segment::Count) => Ok(Self::Count(Box::new(place))),
            (place, Segment::Ref) => Ok(Self::Ref(Box::new(place))),
            (place, Segment::Value) => Ok(Self::Value(Box::new(place))),
            _ => Err(AppError::NotFound("This URL names no resource that Homeroom serves.".to_owned())),
        }
    }
}

/// The first segment.
fn root(segment: &Segment) -> Result<Place, AppError> {
    match segment {
        Segment::Root { name } if *name == "external" => Ok(Place::External),
        Segment::Root { name } => collection(name, None),
        _ => Err(AppError::NotFound("This URL names no resource.".to_owned())),
    }
}

fn collection(name: &str, parent: Option<String>) -> Result<Place, AppError> {
    let collection = find(name).ok_or_else(|| AppError::NotFound(format!("Homeroom does not serve '{name}'.")))?;
    Ok(Place::Collection(CollectionPlace { collection, parent, cast: None }))
}

/// A navigation property of an entity.
fn navigate(entity: EntityPlace, nav: &'static Navigation, data: &Data<'_, '_>) -> Result<Place, AppError> {
    if super::links::are_links(nav) {
        return Ok(Place::Links(entity, nav));
    }
    if nav.contained && nav.collection {
        data.require_exists(&entity)?;
        return collection(nav.name, Some(entity.id));
    }
    let stored = data.get(&entity)?;
    target(&stored.body, nav).map(Place::Entity).ok_or_else(|| AppError::NotFound(format!("'{}' of this resource is not set.", nav.name)))
}

/// Where a stored binding `nav@odata.bind: "collection/id"` leads.
pub fn target(body: &Map<String, Value>, nav: &Navigation) -> Option<EntityPlace> {
    let (name, id) = body.get(&format!("{}@odata.bind", nav.name))?.as_str()?.split_once('/')?;
    let within = CollectionPlace { collection: find(name)?, parent: None, cast: None };
    Some(EntityPlace { within, id: id.to_owned() })
}
