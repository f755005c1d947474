//! The program under test, run as its users run it, and what its process costs.

use std::{
    io::{BufRead, BufReader},
    net::SocketAddr,
    path::PathBuf,
    process::{Child, ChildStdin, Command, Stdio},
    sync::mpsc,
    time::Duration,
};

use crate::Result;

/// A process that ends with this one.
#[derive(Debug)]
pub struct Process {
    child: Child,
}

impl Process {
    /// Starts it. Even when this process is killed, the kernel ends it.
    pub fn start(program: &PathBuf, args: &[&str]) -> Result<Self> {
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL"]).arg(program).args(args);
        // Only what is given here is in its environment.
        command.env_clear().envs(std::env::var_os("PATH").map(|path| ("PATH", path)));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = command.spawn().map_err(|error| format!("{}: {error}", program.display()))?;
        Ok(Self { child })
    }

    /// Processor time that it has used, in seconds.
    pub fn cpu_seconds(&self) -> Result<f64> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        let after_name = stat.rsplit_once(") ").ok_or("/proc: no stat")?.1;
        let mut fields = after_name.split(' ').skip(11);
        let mut ticks = || fields.next().and_then(|f| f.parse::<f64>().ok()).ok_or("/proc: no CPU");
        // Linux counts user and system time in hundredths on every architecture that we know.
        Ok((ticks()? + ticks()?) / 100.0)
    }

    /// Resident memory, in KiB.
    pub fn resident_kib(&self) -> Result<f64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let number = line.and_then(|line| line.trim().strip_suffix(" kB"));
        Ok(number.ok_or("/proc: no VmRSS")?.parse()?)
    }

    /// Its standard input.
    pub fn orders(&mut self) -> Result<ChildStdin> {
        Ok(self.child.stdin.take().ok_or("no pipe")?)
    }

    /// The address that it says on a line after `mark`.
    pub fn address(&mut self, mark: &'static str) -> Result<SocketAddr> {
        let (sender, receiver) = mpsc::channel();
        let out = self.child.stdout.take().map(BufReader::new);
        let err = self.child.stderr.take().map(BufReader::new);
        std::thread::spawn(move || out.map(|out| out.lines().for_each(drop)));
        std::thread::spawn(move || {
            // Read on to the end, so that the process never waits for a full pipe.
            for line in err.into_iter().flat_map(BufRead::lines).map_while(Result::<_, _>::ok) {
                let _ = sender.send(line);
            }
        });
        let mut said = String::new();
        while let Ok(line) = receiver.recv_timeout(Duration::from_secs(60)) {
            if let Some((_, rest)) = line.split_once(mark) {
                let address: String =
                    rest.chars().take_while(|c| !matches!(c, '"' | ' ')).collect();
                return Ok(address.parse()?);
            }
            said = line;
        }
        Err(format!("a server did not start: {said}").into())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A running `neighborbid serve`, on a port of its own.
#[derive(Debug)]
pub struct Server {
    /// Its process.
    pub process: Process,
    /// Where it listens.
    pub address: SocketAddr,
}

impl Server {
    /// Starts one and waits until it serves.
    pub fn start(program: &PathBuf, database_url: &str, more: &[&str]) -> Result<Self> {
        let mut args = vec!["serve", "--listen", "127.0.0.1:0", "--database-url", database_url];
        args.extend(["--payments", "simulated", "--rate-limit", "off", "--log-format", "json"]);
        args.extend(["--sockets-per-address", "1000000", "--admin-listen", "off"]);
        args.extend(more);
        let mut process = Process::start(program, &args)?;
        let address = process.address("\"message\":\"serving\",\"address\":\"")?;
        Ok(Self { process, address })
    }
}

/// Asks the program whether every invariant holds in a database.
pub fn audit(program: &PathBuf, database_url: &str) -> Result<()> {
    // A million bids take longer to check than a statement may take by default.
    let mut command = Command::new(program);
    command.args(["audit", "--database-url", database_url]);
    command.args(["--statement-timeout-seconds", "1800"]);
    let output = command.output()?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    Err(format!("the audit failed, so the figures are worth nothing:\n{said}").into())
}
