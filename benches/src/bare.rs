//! The baseline of deliveries: a server that does nothing but write one ready frame to each
//! socket at a rate, in a process of its own.
//!
//! In a `loop`, one thread writes to all sockets in turn: nothing can cost less. In `tasks`, each
//! socket has a task that a broadcast wakes, on as many threads as there are processors.

use std::{
    io::Write,
    net::SocketAddr,
    process::ChildStdin,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    sync::broadcast,
    time::MissedTickBehavior,
};

use crate::{Result, server::Process};

/// The hidden first argument.
pub const COMMAND: &str = "bare-server";

/// This program again, as the bare server.
#[derive(Debug)]
pub struct Bare {
    /// Its process.
    pub process: Process,
    /// Where it listens.
    pub address: SocketAddr,
    orders: ChildStdin,
}

impl Bare {
    /// Starts one that writes frames with `payload` bytes in them.
    pub fn start(way: &str, payload: usize) -> Result<Self> {
        let this = std::env::current_exe()?;
        let args = [COMMAND, way, &payload.to_string()];
        let mut process = Process::start(&this, &args)?;
        let address = process.address("bare server at ")?;
        let orders = process.orders()?;
        Ok(Self { process, address, orders })
    }

    /// From now on it writes so many frames a second to each socket; 0 for none.
    pub fn order(&mut self, frames_per_second: u32) -> Result<()> {
        writeln!(self.orders, "{frames_per_second}")?;
        Ok(self.orders.flush()?)
    }
}

/// Runs as the bare server until its standard input ends.
pub fn main(args: &[String]) -> Result<()> {
    let [way, payload] = args else {
        return Err("the bare server is for the benches alone".into());
    };
    let frame = frame(payload.parse()?);
    let mut runtime = match way.as_str() {
        "loop" => tokio::runtime::Builder::new_current_thread(),
        _ => tokio::runtime::Builder::new_multi_thread(),
    };
    let runtime = runtime.enable_all().build()?;
    runtime.block_on(serve(way == "tasks", frame))
}

/// A server's frame that a watcher understands.
fn frame(payload: usize) -> Vec<u8> {
    let mut text = br#"{"type":"next","payload":""#.to_vec();
    text.resize(payload.max(64) - 2, b'x');
    text.extend(b"\"}");
    let mut frame = vec![0x81];
    match u8::try_from(text.len()) {
        Ok(short) if short < 126 => frame.push(short),
        _ => {
            frame.push(126);
            frame.extend(u16::try_from(text.len()).unwrap_or(u16::MAX).to_be_bytes());
        }
    }
    frame.extend(text);
    frame
}

async fn serve(in_tasks: bool, frame: Vec<u8>) -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    eprintln!("bare server at {}", listener.local_addr()?);
    let sockets: Arc<Mutex<Vec<TcpStream>>> = Arc::default();
    let sender = broadcast::Sender::new(256);
    let (accepted, news) = (Arc::clone(&sockets), sender.clone());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let _ = stream.set_nodelay(true);
            if in_tasks {
                tokio::spawn(write_each(stream, news.subscribe()));
            } else {
                accepted.lock().unwrap_or_else(PoisonError::into_inner).push(stream);
            }
        }
    });
    let frame: Arc<[u8]> = frame.into();
    let mut orders = BufReader::new(tokio::io::stdin()).lines();
    let mut rate = 0;
    let mut tick = tokio::time::interval(Duration::from_secs(1));
    loop {
        tokio::select! {
            order = orders.next_line() => {
                let Some(order) = order? else {
                    return Ok(());
                };
                rate = order.parse()?;
                tick = tokio::time::interval(Duration::from_secs(1) / rate.max(1));
                tick.set_missed_tick_behavior(MissedTickBehavior::Skip);
            }
            _ = tick.tick(), if rate > 0 => {
                if in_tasks {
                    let _ = sender.send(Arc::clone(&frame));
                } else {
                    write_all(&sockets, &frame);
                }
            }
        }
    }
}

/// A socket that takes nothing now goes without.
fn write_all(sockets: &Mutex<Vec<TcpStream>>, frame: &[u8]) {
    for socket in &*sockets.lock().unwrap_or_else(PoisonError::into_inner) {
        let _ = socket.try_write(frame);
    }
}

async fn write_each(mut stream: TcpStream, mut news: broadcast::Receiver<Arc<[u8]>>) {
    loop {
        match news.recv().await {
            Ok(frame) => {
                if stream.write_all(&frame).await.is_err() {
                    return;
                }
            }
            Err(broadcast::error::RecvError::Lagged(_)) => {}
            Err(broadcast::error::RecvError::Closed) => return,
        }
    }
}
