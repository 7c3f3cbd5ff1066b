//! `homeroom app …` and `homeroom token`

use super::{Failure, open};
use crate::{cli, output};
use serde_json::{Value, json};
use std::path::Path;

/// Runs one of `app …`.
pub(super) async fn run(command: cli::App) -> Result<(), Failure> {
    match command {
        cli::App::Create { data, output, tenant, name, permission, all_permissions, certificate, with_secret } => {
            let permissions = if all_permissions { server::all_permissions() } else { permission };
            let certificates = certificate.iter().map(|path| read(path)).collect::<Result<Vec<_>, _>>()?;
            let secret = with_secret || certificates.is_empty();
            let app = open(&data)?;
            let tenant = app.tenant(&tenant).await?.id;
            let made = app.register_client(tenant, &name, permissions, &certificates, secret).await?;
            let secret = made.secret.map(|made| made.client_secret);
            if output.json {
                output::json(&json!({ "tenantId": tenant.to_string(), "clientId": made.client_id, "clientSecret": secret }));
            } else {
                output::line(&format!("client id      {}", made.client_id));
                if let Some(secret) = secret {
                    output::line(&format!("client secret  {secret}"));
                    output::note("the secret is shown this once; Homeroom keeps only a hash of it");
                }
            }
        }
        cli::App::List { data, output, tenant } => {
            let app = open(&data)?;
            let tenant = app.tenant(&tenant).await?.id;
            let clients = app.list_clients(tenant).await?;
            if output.json {
                let list = clients.iter().map(
                    |c| json!({ "tenantId": tenant.to_string(), "clientId": c.client_id, "name": c.name, "permissions": c.permissions }),
                );
                output::json(&Value::Array(list.collect()));
            } else {
                let rows: Vec<_> = clients.iter().map(|c| vec![c.client_id.clone(), c.name.clone(), c.permissions.join(" ")]).collect();
                output::table(&["client id", "name", "permissions"], &rows);
            }
        }
        cli::App::Delete { data, tenant, client_id } => {
            let app = open(&data)?;
            app.delete_client(app.tenant(&tenant).await?.id, &client_id).await?;
            output::note(&format!("deleted {client_id}; its tokens no longer work"));
        }
    }
    Ok(())
}

fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    std::fs::read(path).map_err(|error| Failure::new(format!("cannot read {}: {error}", path.display())))
}

/// `homeroom token`
pub(super) async fn token(arguments: cli::Token) -> Result<(), Failure> {
    if let Some(cli::Device::Approve { data, code, approver, decline }) = arguments.device {
        return approve(&data, &code, (!decline).then_some(approver.as_str())).await;
    }
    // Without a subcommand all three are required.
    let [tenant, id, secret] = [arguments.tenant, arguments.client_id, arguments.client_secret].map(Option::unwrap_or_default);
    let answer = open(&arguments.data)?.issue_token(&tenant, &id, &secret).await?;
    if arguments.output.json {
        output::json(&answer);
    } else {
        output::line(answer["access_token"].as_str().unwrap_or_default());
    }
    Ok(())
}

/// Says who asks for what, so that a mistaken approval is seen and its client can be deleted.
async fn approve(data: &cli::Data, code: &str, approver: Option<&str>) -> Result<(), Failure> {
    let app = open(data)?;
    let device = app.find_device(code).await?;
    app.decide_device(&device, approver).await?;
    let done = if approver.is_some() { "approved" } else { "declined" };
    output::line(&format!("{done} {} for {} ({}) of tenant {}", device.user_code, device.client_name, device.client_id, device.tenant));
    output::line(&format!("permissions: {}", device.permissions.join(" ")));
    Ok(())
}
