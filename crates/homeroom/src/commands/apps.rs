//! `homeroom app …` and `homeroom token`

use super::{Failure, open, tenant_id};
use crate::{cli, output};
use serde_json::{Value, json};

/// Runs one of `app …`.
pub(super) async fn run(command: cli::App) -> Result<(), Failure> {
    match command {
        cli::App::Create { data, output, tenant, name, permission, all_permissions } => {
            let permissions = if all_permissions { server::all_permissions() } else { permission };
            let made = open(&data)?.create_client(tenant_id(&tenant)?, &name, permissions).await?;
            if output.json {
                output::json(&json!({ "tenantId": tenant, "clientId": made.client_id, "clientSecret": made.client_secret }));
            } else {
                output::line(&format!("client id      {}", made.client_id));
                output::line(&format!("client secret  {}", made.client_secret));
                output::note("the secret is shown this once; Homeroom keeps only a hash of it");
            }
        }
        cli::App::List { data, output, tenant } => {
            let clients = open(&data)?.list_clients(tenant_id(&tenant)?).await?;
            if output.json {
                let list = clients
                    .iter()
                    .map(|c| json!({ "tenantId": tenant, "clientId": c.client_id, "name": c.name, "permissions": c.permissions }));
                output::json(&Value::Array(list.collect()));
            } else {
                let rows: Vec<_> = clients.iter().map(|c| vec![c.client_id.clone(), c.name.clone(), c.permissions.join(" ")]).collect();
                output::table(&["client id", "name", "permissions"], &rows);
            }
        }
        cli::App::Delete { data, tenant, client_id } => {
            open(&data)?.delete_client(tenant_id(&tenant)?, &client_id).await?;
            output::note(&format!("deleted {client_id}; its tokens no longer work"));
        }
    }
    Ok(())
}

/// `homeroom token`
pub(super) async fn token(arguments: cli::Token) -> Result<(), Failure> {
    let answer = open(&arguments.data)?.issue_token(&arguments.tenant, &arguments.client_id, &arguments.client_secret).await?;
    if arguments.output.json {
        output::json(&answer);
    } else {
        output::line(answer["access_token"].as_str().unwrap_or_default());
    }
    Ok(())
}
