//! A bare HTTP/1.1 client on one kept connection, and a server of our own in this process.

use std::net::SocketAddr;
use std::path::Path;

use anyhow::{Context as _, bail};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::oneshot;

/// One kept connection.
pub struct Connection {
    stream: TcpStream,
    head: String,
    buffer: Vec<u8>,
}

impl Connection {
    /// Connects.
    pub async fn open(address: SocketAddr, token: &str) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let head = format!("host: {address}\r\nauthorization: Bearer {token}\r\n");
        Ok(Self { stream, head, buffer: Vec::with_capacity(64 * 1024) })
    }

    /// Sends a JSON body and returns status and answer.
    pub async fn post(&mut self, path: &str, body: &[u8]) -> anyhow::Result<(u16, &[u8])> {
        self.send(path, "application/json", body).await
    }

    /// Sends lines and returns the lines of the answer.
    pub async fn bulk(&mut self, body: &[u8]) -> anyhow::Result<&[u8]> {
        let (status, answer) = self.send("/v1/bulk", "application/x-ndjson", body).await?;
        if status != 200 {
            bail!("bulk: {status} {}", String::from_utf8_lossy(answer));
        }
        Ok(answer)
    }

    async fn send(&mut self, path: &str, kind: &str, body: &[u8]) -> anyhow::Result<(u16, &[u8])> {
        let head = format!(
            "POST {path} HTTP/1.1\r\n{}content-type: {kind}\r\ncontent-length: {}\r\n\r\n",
            self.head,
            body.len()
        );
        if body.len() < 16 * 1024 {
            let mut whole = head.into_bytes();
            whole.extend_from_slice(body);
            self.stream.write_all(&whole).await?;
        } else {
            self.stream.write_all(head.as_bytes()).await?;
            self.stream.write_all(body).await?;
        }
        self.answer().await
    }

    async fn answer(&mut self) -> anyhow::Result<(u16, &[u8])> {
        self.buffer.clear();
        loop {
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                bail!("the server closed the connection");
            }
            let Some(end) = self.buffer.windows(4).position(|four| four == b"\r\n\r\n") else { continue };
            let head = std::str::from_utf8(&self.buffer[..end])?;
            let status = head.get(9..12).context("a status line")?.parse()?;
            let length = head.lines().find_map(|line| {
                let (name, value) = line.split_once(':')?;
                name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
            });
            let whole = end + 4 + length.context("a length")?;
            while self.buffer.len() < whole {
                if self.stream.read_buf(&mut self.buffer).await? == 0 {
                    bail!("the server closed the connection");
                }
            }
            return Ok((status, &self.buffer[end + 4..whole]));
        }
    }
}

/// A server on a directory of its own, in this process, with threads of its own.
pub struct Server {
    /// Where it listens.
    pub address: SocketAddr,
    /// The admin token.
    pub token: String,
    stop: Option<oneshot::Sender<()>>,
    served: tokio::task::JoinHandle<Result<(), kapell_server::ServeError>>,
    runtime: tokio::runtime::Runtime,
}

impl Server {
    /// Starts it on `directory`.
    pub async fn start(directory: &Path) -> anyhow::Result<Self> {
        let (stop, stopped) = oneshot::channel::<()>();
        let (ready, serving) = oneshot::channel();
        let options = kapell_server::ServeOptions {
            data: directory.to_owned(),
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            hosts: Vec::new(),
            mcp_fixtures: false,
            llm: None,
            webhooks: kapell_server::WebhookOptions::default(),
        };
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("server")
            .enable_all()
            .build()?;
        let served = runtime.spawn(kapell_server::serve(
            options,
            move |started| {
                let _ = ready.send(started.address);
            },
            async {
                let _ = stopped.await;
            },
        ));
        let address = match serving.await {
            Ok(address) => address,
            Err(_) => {
                served.await??;
                bail!("the server did not start");
            }
        };
        let token = std::fs::read_to_string(directory.join(kapell_server::ADMIN_TOKEN_FILE))?;
        Ok(Self { address, token: token.trim().to_owned(), stop: Some(stop), served, runtime })
    }

    /// Stops it in order.
    pub async fn stop(mut self) -> anyhow::Result<()> {
        drop(self.stop.take());
        let served = self.served.await?;
        self.runtime.shutdown_background();
        Ok(served?)
    }
}
