//! Which server a command talks to, and with which token.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use kapell_api::Client;

use crate::output::Format;

/// What they stand under in the help of every command.
const GLOBAL: &str = "Global options";

/// Flags that every command has.
#[derive(Debug, Clone, clap::Args)]
pub struct Context {
    /// The server, such as http://127.0.0.1:7117 [default: the one that runs on the data directory]
    #[arg(long, global = true, env = "KAPELL_SERVER", value_name = "URL", value_parser = address, help_heading = GLOBAL)]
    server: Option<String>,
    /// The token [default: the admin token in the data directory]
    #[arg(long, global = true, env = "KAPELL_TOKEN", value_name = "TOKEN", hide_env_values = true, help_heading = GLOBAL)]
    token: Option<String>,
    /// The data directory [default: kapell in the user's data directory]
    #[arg(long, global = true, env = "KAPELL_DATA", value_name = "DIR", help_heading = GLOBAL)]
    data: Option<PathBuf>,
    /// Print JSON
    #[arg(long, global = true, help_heading = GLOBAL)]
    json: bool,
}

/// The address that `kapell up` listens on unless told otherwise.
pub const DEFAULT_LISTEN: &str = "127.0.0.1:7117";

/// Takes an address of a server: without its scheme nothing would be asked.
fn address(text: &str) -> Result<String, String> {
    let rest = text.strip_prefix("http://").or_else(|| text.strip_prefix("https://"));
    match rest {
        Some(rest) if !rest.is_empty() && !rest.starts_with('/') => Ok(text.to_owned()),
        Some(_) => Err("it names no host; allowed is one like http://127.0.0.1:7117".to_owned()),
        None => Err(format!("it has no scheme; write http://{text}")),
    }
}

impl Context {
    /// Returns whether the server was named, so that one must be there.
    pub fn names_server(&self) -> bool {
        self.server.is_some()
    }

    /// Returns how data is shown.
    pub fn format(&self) -> Format {
        if self.json { Format::Json } else { Format::Human }
    }

    /// Returns the data directory.
    pub fn data(&self) -> anyhow::Result<PathBuf> {
        if let Some(data) = &self.data {
            return Ok(data.clone());
        }
        let home = std::env::var_os("XDG_DATA_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
        let home = home.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".local/share")));
        Ok(home.context("there is no home directory; name a data directory with --data DIR")?.join("kapell"))
    }

    fn running(&self) -> anyhow::Result<Option<String>> {
        Ok(kapell_server::running_on(&self.data()?))
    }

    /// Returns the server's URL: named, else the one that runs on the data directory, else the default.
    pub fn server(&self) -> anyhow::Result<String> {
        if let Some(server) = &self.server {
            return Ok(server.clone());
        }
        Ok(self.running()?.unwrap_or_else(|| format!("http://{DEFAULT_LISTEN}")))
    }

    /// Returns the token: named, else the admin token in the data directory where the server is the one that runs on it, else
    /// nothing: whoever else listens there is not to have it.
    pub fn token(&self) -> anyhow::Result<String> {
        if let Some(token) = &self.token {
            return Ok(token.clone());
        }
        let Some(running) = self.running()? else { return Ok(String::new()) };
        let named = self
            .server
            .as_ref()
            .map(|url| url.trim_end_matches('/').replace("://localhost:", "://127.0.0.1:"));
        if named.is_some_and(|named| named != running) {
            return Ok(String::new());
        }
        let file = self.data()?.join(kapell_server::ADMIN_TOKEN_FILE);
        Ok(std::fs::read_to_string(&file).map(|token| token.trim().to_owned()).unwrap_or_default())
    }

    /// Waits until there is a server that may have the token; `say` is told once that it does.
    pub fn wait(&self, say: impl FnOnce(String), stopped: impl Fn() -> bool) -> anyhow::Result<()> {
        let mut say = Some(say);
        while self.token.is_none() && self.server.is_none() && self.running()?.is_none() && !stopped() {
            if let Some(say) = say.take() {
                say(format!("waiting: no answer from a server on {}", self.data()?.display()));
            }
            std::thread::sleep(Duration::from_millis(500));
        }
        Ok(())
    }

    /// Returns the flags by which another process finds the same server. A token is never among them: everybody on the machine
    /// can read a command line.
    pub fn named(&self) -> Vec<String> {
        let server = self.server.iter().flat_map(|server| ["--server".to_owned(), server.clone()]);
        let data = self.data.iter().map(|data| std::path::absolute(data).unwrap_or_else(|_| data.clone()));
        server.chain(data.flat_map(|data| ["--data".to_owned(), data.display().to_string()])).collect()
    }

    /// Returns a client.
    pub fn client(&self) -> anyhow::Result<Client> {
        Ok(Client::new(&self.server()?, &self.token()?))
    }
}

#[cfg(test)]
mod tests {
    use super::address;

    #[test]
    fn an_address_needs_its_scheme_and_a_host() {
        for address_given in ["http://127.0.0.1:7117", "https://kapell.example", "http://[::1]:7117/"] {
            assert_eq!(address(address_given).as_deref(), Ok(address_given));
        }
        let told = address("127.0.0.1:7117").expect_err("no scheme");
        assert_eq!(told, "it has no scheme; write http://127.0.0.1:7117");
        for empty in ["http://", "http:///v1"] {
            assert!(address(empty).expect_err("no host").starts_with("it names no host"), "{empty}");
        }
    }
}
