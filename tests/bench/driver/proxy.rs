//! A line between this machine and one server: it delays, is cut at a byte, or swallows everything.
//!
//! In user space, because delaying packets in the kernel takes root. Its processor time is the benchmark's own.

use std::net::{SocketAddr, TcpListener as StdListener};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until};

/// So much may be under way in one direction: more than any window.
const UNDER_WAY: usize = 512;
const CHUNK: usize = 64 << 10;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// Both ends get a reset.
    Reset,
    /// Nothing passes any more, on no connection, and nobody is told.
    Blackhole,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    FromServer,
    ToServer,
}

#[derive(Debug, Clone, Copy)]
struct Armed {
    cut: Cut,
    direction: Direction,
    /// Counted on each connection by itself.
    after: u64,
}

pub struct Proxy {
    port: u16,
    shared: Arc<Shared>,
}

struct Shared {
    one_way_us: AtomicU64,
    from_server: AtomicU64,
    to_server: AtomicU64,
    armed: Mutex<Option<Armed>>,
    cut_at: Mutex<Option<std::time::Instant>>,
    dark: watch::Sender<bool>,
}

impl Proxy {
    /// A line to this port of this machine.
    pub fn start(to: u16) -> Self {
        let listener = StdListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Arc::new(Shared {
            one_way_us: AtomicU64::new(0),
            from_server: AtomicU64::new(0),
            to_server: AtomicU64::new(0),
            armed: Mutex::new(None),
            cut_at: Mutex::new(None),
            dark: watch::channel(false).0,
        });
        let line = Arc::clone(&shared);
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(serve(listener, SocketAddr::from(([127, 0, 0, 1], to)), line));
        });
        Self { port, shared }
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// What goes there and back takes this much longer, from now on.
    pub fn delay(&self, round_trip_ms: u64) {
        self.shared.one_way_us.store(round_trip_ms * 500, Ordering::Relaxed);
    }

    /// Cuts the next connection that carries so many bytes in this direction.
    pub fn arm(&self, cut: Cut, direction: Direction, after: u64) {
        *self.shared.cut_at.lock().unwrap() = None;
        *self.shared.armed.lock().unwrap() = Some(Armed { cut, direction, after });
    }

    /// When it was cut.
    pub fn cut_at(&self) -> Option<std::time::Instant> {
        *self.shared.cut_at.lock().unwrap()
    }

    /// Bytes that the server has sent, on all connections.
    pub fn sent_by_server(&self) -> u64 {
        self.shared.from_server.load(Ordering::Relaxed)
    }

    /// Bytes that the server was sent, on all connections.
    pub fn sent_to_server(&self) -> u64 {
        self.shared.to_server.load(Ordering::Relaxed)
    }

    /// Lets new connections pass again; those that were swallowed are gone for both ends.
    pub fn heal(&self) {
        self.shared.dark.send_replace(false);
    }
}

async fn serve(listener: StdListener, to: SocketAddr, shared: Arc<Shared>) {
    let listener = TcpListener::from_std(listener).unwrap();
    let mut dark = shared.dark.subscribe();
    loop {
        let _ = dark.wait_for(|dark| !dark).await;
        let Ok((client, _)) = listener.accept().await else { continue };
        let shared = Arc::clone(&shared);
        tokio::spawn(async move {
            // A line is as long for the first packet as for every other one.
            sleep_until(Instant::now() + shared.one_way() * 2).await;
            let Ok(server) = TcpStream::connect(to).await else { return };
            let _ = (client.set_nodelay(true), server.set_nodelay(true));
            connection(Arc::new(client), Arc::new(server), &shared).await;
        });
    }
}

async fn connection(client: Arc<TcpStream>, server: Arc<TcpStream>, shared: &Shared) {
    let mut dark = shared.dark.subscribe();
    let swallowed = async {
        let _ = dark.wait_for(|dark| *dark).await;
        let _ = dark.wait_for(|dark| !dark).await;
        Over::Reset
    };
    let over = tokio::select! {
        biased;
        over = swallowed => over,
        over = carry(&client, &server, Direction::ToServer, shared) => over,
        over = carry(&server, &client, Direction::FromServer, shared) => over,
    };
    if over == Over::Reset {
        let _ = (client.set_zero_linger(), server.set_zero_linger());
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Over {
    End,
    Reset,
}

async fn carry(from: &TcpStream, to: &TcpStream, direction: Direction, shared: &Shared) -> Over {
    let (sender, mut receiver) = mpsc::channel::<(Instant, Vec<u8>)>(UNDER_WAY);
    let reading = async move {
        let mut carried = 0;
        loop {
            let mut chunk = vec![0; CHUNK];
            let _ = from.readable().await;
            let count = match from.try_read(&mut chunk) {
                Ok(0) => return Over::End,
                Ok(count) => count,
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => continue,
                Err(_) => return Over::Reset,
            };
            chunk.truncate(count);
            carried += count as u64;
            let counter =
                if direction == Direction::FromServer { &shared.from_server } else { &shared.to_server };
            counter.fetch_add(count as u64, Ordering::Relaxed);
            let due = Instant::now() + shared.one_way();
            if let Some(cut) = shared.strike(direction, carried) {
                if cut == Cut::Reset {
                    return Over::Reset;
                }
                std::future::pending::<()>().await;
            }
            if sender.send((due, chunk)).await.is_err() {
                return Over::End;
            }
        }
    };
    let writing = async {
        while let Some((due, chunk)) = receiver.recv().await {
            if due > Instant::now() {
                sleep_until(due).await;
            }
            let mut rest = &chunk[..];
            while !rest.is_empty() {
                let _ = to.writable().await;
                match to.try_write(rest) {
                    Ok(count) => rest = &rest[count..],
                    Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
                    Err(_) => return,
                }
            }
        }
    };
    tokio::pin!(writing);
    // A reset does not wait for what is under way; an end does.
    let over = tokio::select! {
        over = reading => over,
        () = &mut writing => return Over::End,
    };
    if over == Over::End {
        writing.await;
    }
    over
}

impl Shared {
    fn one_way(&self) -> Duration {
        Duration::from_micros(self.one_way_us.load(Ordering::Relaxed))
    }

    fn strike(&self, direction: Direction, carried: u64) -> Option<Cut> {
        let mut armed = self.armed.lock().unwrap();
        let hit = (*armed).filter(|armed| armed.direction == direction && carried >= armed.after)?;
        *armed = None;
        *self.cut_at.lock().unwrap() = Some(std::time::Instant::now());
        if hit.cut == Cut::Blackhole {
            self.dark.send_replace(true);
        }
        Some(hit.cut)
    }
}
