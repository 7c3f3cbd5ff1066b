//! `homeroom tenant …`

use super::{Failure, open, open_or_make};
use crate::{cli, output};
use serde_json::{Value, json};

/// Runs one of them.
pub(super) async fn run(command: cli::Tenant) -> Result<(), Failure> {
    match command {
        cli::Tenant::Create { data, output, name, id, domain } => {
            let tenant = open_or_make(&data)?.create_tenant(&name, id.as_deref(), domain.as_deref()).await?;
            if output.json {
                output::json(&as_json(&tenant));
            } else {
                output::line(&format!("{}  {}", tenant.id, tenant.name));
            }
        }
        cli::Tenant::List { data, output } => {
            let tenants = open(&data)?.list_tenants().await?;
            if output.json {
                output::json(&Value::Array(tenants.iter().map(as_json).collect()));
            } else {
                let rows: Vec<_> =
                    tenants.iter().map(|t| vec![t.id.to_string(), t.name.clone(), t.domain.clone().unwrap_or_default()]).collect();
                output::table(&["id", "name", "domain"], &rows);
            }
        }
    }
    Ok(())
}

fn as_json(tenant: &server::Tenant) -> Value {
    json!({ "id": tenant.id.to_string(), "name": tenant.name, "domain": tenant.domain })
}
