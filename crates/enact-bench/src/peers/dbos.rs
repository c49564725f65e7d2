//! DBOS: a workflow that does nothing behind FastAPI and uvicorn, on a PostgreSQL cluster of its own with its own defaults.

use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Failure;
use crate::peers::{Peer, done, free_address, listens, pip, stay};

const PACKAGES: [&str; 3] = ["dbos==3.4.*", "fastapi", "uvicorn"];
const APP: &str = r#"
import os
from dbos import DBOS
from fastapi import FastAPI, Request

DBOS(config={"name": "bench", "system_database_url": os.environ["DATABASE"], "run_admin_server": False, "log_level": "ERROR"})
app = FastAPI()

@DBOS.workflow()
async def echo(value):
    return value

@app.post("/nothing/echo")
async def endpoint(request: Request):
    return await echo(await request.json())

DBOS.launch()
"#;

/// Fetches and starts it.
pub fn start(folder: &Path) -> Result<Peer, Failure> {
    let programs = postgres().ok_or("PostgreSQL is not here; Debian's package postgresql brings it")?;
    pip(folder, &PACKAGES)?;
    let home = folder.join("dbos");
    std::fs::create_dir(&home)?;
    let data = home.join("data");
    std::fs::create_dir(&data)?;
    // A server of PostgreSQL refuses to be root.
    let other = rustix::process::getuid().is_root().then(unprivileged).transpose()?;
    if let Some((user, group)) = other {
        // It must reach its folder.
        std::fs::set_permissions(folder, std::os::unix::fs::PermissionsExt::from_mode(0o755))?;
        chown(&data, Some(user), Some(group))?;
    }
    let as_other = |program: &str| {
        let mut command = Command::new(programs.join(program));
        command.current_dir(&data);
        if let Some((user, group)) = other {
            command.gid(group).uid(user);
        }
        command
    };
    done(
        as_other("initdb").args(["--auth=trust", "--username=bench", "--encoding=UTF8", "--locale=C", "-D"]).arg(&data),
    )?;
    let (database, app) = (free_address()?, free_address()?);
    let mut server = as_other("postgres");
    server.arg("-D").arg(&data).args(["-h", "127.0.0.1", "-p", &database.port().to_string(), "-k", ""]);
    let mut server = stay(&mut server, home.join("postgres.log"))?;
    listens(&mut server, database)?;
    std::fs::write(home.join("app.py"), APP)?;
    let mut python = Command::new(folder.join("venv/bin/python"));
    python.current_dir(&home).args(["-m", "uvicorn", "app:app", "--log-level", "error", "--no-access-log"]);
    python.args(["--host", "127.0.0.1", "--port", &app.port().to_string()]);
    python.env("DATABASE", format!("postgresql://bench@{database}/bench"));
    let mut handler = stay(&mut python, home.join("app.log"))?;
    listens(&mut handler, app)?;
    Ok(Peer { address: app, path: "/nothing/echo", parts: vec![server, handler] })
}

/// Where the programs of the newest PostgreSQL are.
fn postgres() -> Option<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").ok()?;
    let programs = versions.flatten().map(|version| version.path().join("bin"));
    programs.filter(|programs| programs.join("initdb").exists()).max()
}

/// The user that Debian's package made for it, or `nobody`.
fn unprivileged() -> Result<(u32, u32), Failure> {
    let users = std::fs::read_to_string("/etc/passwd")?;
    let ids = |name: &str| {
        let line = users.lines().find(|line| line.split(':').next() == Some(name))?;
        let mut fields = line.split(':').skip(2).map(str::parse);
        Some((fields.next()?.ok()?, fields.next()?.ok()?))
    };
    Ok(ids("postgres").or_else(|| ids("nobody")).ok_or("there is no user postgres or nobody to run PostgreSQL as")?)
}
