//! `homeroom serve`

use super::{Failure, data_dir, listen_failure};
use crate::{cli, output};

/// Serves until SIGINT or SIGTERM.
pub(super) async fn run(arguments: cli::Serve) -> Result<(), Failure> {
    let mut config = super::config(&arguments.data)?;
    if let Some(url) = arguments.public_url {
        if !(url.starts_with("http://") || url.starts_with("https://")) {
            return Err(Failure::hinting(
                format!("`{url}` is not a public address"),
                "give scheme and host, for example https://homeroom.contoso.example",
            ));
        }
        config.server.public_url = Some(url);
    }
    if !arguments.listen.ip().is_loopback() {
        output::note("warning: listening beyond loopback without TLS; put a TLS proxy in front and name it in [server] trusted_proxies");
    }
    let app = server::App::open(&data_dir(&arguments.data)?, arguments.data.database_url.clone(), config)?;
    let listener = tokio::net::TcpListener::bind(arguments.listen).await.map_err(|e| listen_failure(arguments.listen, &e))?;
    let address = listener.local_addr().map_err(Failure::io("read the address listened on"))?;
    output::line(&format!("listening on http://{address}"));
    Ok(server::serve(app, listener, server::Shutdown::on_signal()).await?)
}
