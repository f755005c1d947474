//! A Postgres server of the benches' own, as durable as a real one: started from its binaries in
//! a temporary folder, gone with everything in it when this process is gone, however that ends.

use std::{
    io::Read,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use crate::Result;

const MISSING: &str = "Postgres is missing: apt-get install postgresql \
                       (or name its folder of binaries in NEIGHBORBID_POSTGRES_BIN)";

/// What differs from Postgres's defaults. Durability does not.
const SETTINGS: &str = "-c max_connections=400 -c shared_buffers=512MB -c max_wal_size=4GB \
                        -c fsync=on -c synchronous_commit=on -c full_page_writes=on";

/// A running server.
#[derive(Debug)]
pub struct Postgres {
    bin: PathBuf,
    port: u16,
    keeper: Child,
}

fn bin() -> Result<PathBuf> {
    if let Some(named) = std::env::var_os("NEIGHBORBID_POSTGRES_BIN") {
        return Ok(named.into());
    }
    let has_all = |folder: &PathBuf| ["initdb", "pgbench"].iter().all(|p| folder.join(p).exists());
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let found = versions.map(|version| version.path().join("bin")).filter(has_all).max();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let on_path = || std::env::split_paths(&path).find(has_all);
    found.or_else(on_path).ok_or_else(|| MISSING.into())
}

/// Postgres refuses to run as root: then it runs as the user that its package made.
fn as_its_user(script: &str, bin: &Path, folder: &Path) -> Command {
    let root = Command::new("id").arg("-u").output().is_ok_and(|id| id.stdout == b"0\n");
    let mut command = if root {
        let mut command = Command::new("setpriv");
        command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups", "sh", "-c"]);
        command
    } else {
        let mut command = Command::new("sh");
        command.arg("-c");
        command
    };
    command.arg(script).arg("sh").arg(bin).arg(folder).current_dir("/");
    command
}

/// Runs a command to its end; its output, or what it said.
fn output(mut command: Command, what: &str) -> Result<String> {
    let output = command.stdin(Stdio::null()).output().map_err(|e| format!("{what}: {e}"))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        return Err(format!("{what}: {said}").into());
    }
    Ok(String::from_utf8(output.stdout)?)
}

impl Postgres {
    /// Starts one and waits until it answers.
    pub fn start() -> Result<Self> {
        let bin = bin()?;
        let temp = std::env::temp_dir().join("neighborbid-bench.XXXXXX");
        let made = output(as_its_user("mktemp -d \"$2\"", &bin, &temp), "mktemp")?;
        let folder = PathBuf::from(made.trim());
        let init = "\"$1/initdb\" -D \"$2/data\" -U postgres -A trust -E UTF8 --locale=C.UTF-8 -N";
        output(as_its_user(init, &bin, &folder), "initdb")?;

        // It lives as long as this process holds the other end of its standard input.
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let run = format!(
            "trap '' INT TERM HUP; \
             \"$1/postgres\" -D \"$2/data\" -k \"$2\" -h 127.0.0.1 -p {port} {SETTINGS} \
             >\"$2/log\" 2>&1 & server=$!; echo started; \
             cat >/dev/null; kill -QUIT $server; wait $server; \
             rm -rf \"$2/data\" \"$2\"/.s* \"$2/log\"; rmdir \"$2\" 2>/dev/null"
        );
        let mut keeper = as_its_user(&run, &bin, &folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let mut started = [0; 8];
        keeper.stdout.take().ok_or("no pipe")?.read_exact(&mut started)?;
        let postgres = Self { bin, port, keeper };
        for _ in 0..600 {
            let mut probe = postgres.program("pg_isready");
            if probe.arg("-q").stdin(Stdio::null()).status()?.success() {
                return Ok(postgres);
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Err("Postgres did not start within 30 s".into())
    }

    /// One of its programs, told where the server is.
    pub fn program(&self, name: &str) -> Command {
        let mut command = Command::new(self.bin.join(name));
        command.env("PGHOST", "127.0.0.1").env("PGPORT", self.port.to_string());
        command.env("PGUSER", "postgres").env_remove("PGDATABASE");
        command
    }

    /// Runs SQL in a database; its rows, unadorned, a line each.
    pub fn sql(&self, database: &str, sql: &str) -> Result<String> {
        let mut psql = self.program("psql");
        psql.args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", database, "-c", sql]);
        output(psql, "psql")
    }

    /// Runs a file of SQL in a database, with variables.
    pub fn sql_file(&self, database: &str, file: &Path, variables: &[(&str, i64)]) -> Result<()> {
        let mut psql = self.program("psql");
        psql.args(["-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", database]).arg("-f").arg(file);
        for (name, value) in variables {
            psql.arg("-v").arg(format!("{name}={value}"));
        }
        output(psql, "psql").map(|_| ())
    }

    /// A new database: empty, or a copy of another that nobody is connected to.
    pub fn create(&self, name: &str, template: Option<&str>) -> Result<()> {
        self.drop(name)?;
        let template = template.map(|t| format!(" TEMPLATE {t}")).unwrap_or_default();
        self.sql("postgres", &format!("CREATE DATABASE {name}{template}")).map(|_| ())
    }

    /// Removes a database.
    pub fn drop(&self, name: &str) -> Result<()> {
        self.sql("postgres", &format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).map(|_| ())
    }

    /// Writes out what is dirty, so that no side pays for what the other one left.
    pub fn settle(&self) -> Result<()> {
        self.sql("postgres", "CHECKPOINT").map(|_| ())
    }

    /// Where a database is.
    pub fn url(&self, database: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{database}", self.port)
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        drop(self.keeper.stdin.take());
        let _ = self.keeper.wait();
    }
}
