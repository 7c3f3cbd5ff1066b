//! What changes a committed file without its content: properties, metadata, its name, its end.

use super::answer::{Answer, Refused, answer, committed, not_found, refuse};
use super::call::{Call, may_replace, room_for};
use super::conditions::Conditions;
use super::headers::{self, Dialect};
use super::names::{self, Place};
use crate::files::{Opened, Pieces};
use crate::properties::Properties;
use crate::sas::{self, Right};

/// Set Blob Metadata.
pub(super) async fn set_metadata(call: &Call, name: &str) -> Answer {
    let metadata = headers::metadata(call, Dialect::Blob)?.unwrap_or_default();
    set(call, name, move |properties| properties.metadata = metadata).await
}

/// Set Blob Properties: those that are left out go.
pub(super) async fn set_content(call: &Call, name: &str) -> Answer {
    let mut given = Properties::default();
    headers::set_content(call, Dialect::Blob, &mut given)?;
    set(call, name, move |properties| {
        *properties = Properties { created: properties.created, metadata: std::mem::take(&mut properties.metadata), ..given };
    })
    .await
}

/// Path - Update, setProperties: the metadata, and what is given of the rest.
pub(super) async fn set_lake(call: &Call, name: &str) -> Answer {
    let mut given = Properties::default();
    headers::set_content(call, Dialect::Lake, &mut given)?;
    let metadata = headers::metadata(call, Dialect::Lake)?;
    set(call, name, move |properties| headers::take_given(properties, given, metadata)).await
}

async fn set(call: &Call, name: &str, change: impl FnOnce(&mut Properties) + Send + 'static) -> Answer {
    call.needs(&[Right::Write])?;
    let (conditions, name, now) = (Conditions::of(call)?, name.to_owned(), call.ctx.now);
    let file = call
        .change(move |container| {
            let Opened { file, mut properties, .. } = container.open(&name)?.ok_or_else(not_found)?;
            conditions.allow_change(Some(&file), "BlobAlreadyExists")?;
            change(&mut properties);
            Ok(container.set_properties(&file, now, &properties)?)
        })
        .await?;
    Ok(committed(200, &file))
}

/// Path - Create with `x-ms-rename-source`: the file gets another name in its container.
pub(super) async fn rename(call: &Call, name: &str, source: &str) -> Answer {
    call.needs(&[Right::Create, Right::Write])?;
    let from = renamed_from(call, source)?;
    let (conditions, source_conditions) = (Conditions::of(call)?, Conditions::of_source(call)?);
    let (name, now, rights) = (name.to_owned(), call.ctx.now, call.rights.clone());
    let file = call
        .change(move |container| {
            let missing = || Refused(404, "SourcePathNotFound", "The source path for a rename operation does not exist.".to_owned());
            let Opened { file, properties, .. } = container.open(&from)?.ok_or_else(missing)?;
            source_conditions.allow_change(Some(&file), "PathAlreadyExists")?;
            let before = container.find(&name)?;
            conditions.allow_change(before.as_ref(), "PathAlreadyExists")?;
            if from == name {
                return Ok(file);
            }
            may_replace(&rights, before.as_ref())?;
            room_for(container, &name, Some(&from))?;
            let renamed = container.rename(&file, &name, now, &properties)?;
            // What waits for a flush or a list of either name is not meant for the file that is there now.
            for name in [&from, &name] {
                container.forget(Pieces::Blocks, name)?;
                container.forget(Pieces::Appends, name)?;
            }
            Ok(renamed)
        })
        .await?;
    Ok(committed(201, &file).with("content-length", "0"))
}

/// The name in `/{tenant}/{connector}/{container}/{name}?{sas}`, which is percent-encoded.
fn renamed_from(call: &Call, source: &str) -> Result<String, Refused> {
    let (path, query) = source.split_once('?').unwrap_or((source, ""));
    let bad = || Refused(400, "InvalidSourceUri", "x-ms-rename-source is the path of a file in the same container.".to_owned());
    let place = Place::of(path, None).map_err(|_| bad())?;
    let here = format!("{}/{}/{}", call.ctx.tenant, call.connector, call.container_id);
    if place.signed() != here {
        return Err(bad());
    }
    let name = place.name.ok_or_else(bad)?;
    names::check(&name)?;
    // The source may carry a signature of its own.
    let rights = if query.is_empty() {
        Some(call.rights.clone())
    } else {
        sas::opens(&call.service.key, &here, &super::parse_query(query), call.ctx.now)
    };
    if rights.is_some_and(|rights| rights.has(Right::Move)) {
        return Ok(name);
    }
    refuse(403, "AuthorizationPermissionMismatch", "This request is not authorized to rename this file.")
}

/// Delete Blob, and Path - Delete.
pub(super) async fn delete(call: &Call, name: &str) -> Answer {
    call.needs(&[Right::Delete])?;
    let conditions = Conditions::of(call)?;
    let name = name.to_owned();
    call.change(move |container| {
        let file = container.find(&name)?;
        // What was staged goes in any case: this is how a client starts anew.
        for kind in [Pieces::Blocks, Pieces::Appends] {
            container.forget(kind, &name)?;
        }
        let file = file.ok_or_else(not_found)?;
        conditions.allow_change(Some(&file), "BlobAlreadyExists")?;
        Ok(container.remove(&name)?)
    })
    .await?;
    // The Data Lake's clients always say whether folders are meant, too.
    let lake = call.field("recursive").is_some();
    Ok(if lake { answer(200) } else { answer(202).with("x-ms-delete-type-permanent", "true") })
}

/// Path - Delete of the folder that the container is: its files go, it stays. A blob it is not.
pub(super) async fn delete_all(call: &Call) -> Answer {
    call.needs(&[Right::Delete])?;
    let recursive = call.field("recursive").ok_or_else(not_found)?.eq_ignore_ascii_case("true");
    call.change(move |container| {
        if !recursive && !container.names()?.is_empty() {
            return refuse(409, "DirectoryNotEmpty", "The recursive query parameter value must be true to delete a non-empty directory.");
        }
        for name in container.all_names()? {
            for kind in [Pieces::Blocks, Pieces::Appends] {
                container.forget(kind, &name)?;
            }
            if container.find(&name)?.is_some() {
                container.remove(&name)?;
            }
        }
        Ok(())
    })
    .await?;
    Ok(answer(200))
}
