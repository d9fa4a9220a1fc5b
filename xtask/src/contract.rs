//! The published OpenAPI document against the real server, by schemathesis: requests made from the document, answers held
//! against it. What it takes is installed where that is possible, and where it is not the check is skipped by name.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::node;
use crate::steps::Steps;

const NAME: &str = "contract";
const VERSION: &str = "schemathesis==4.32.5";
const FOLDER: &str = "target/schemathesis";
/// How long a server may take to start.
const START: Duration = Duration::from_secs(20);
/// Requests made for each operation in each phase.
const EXAMPLES: &str = "25";
/// What is held: no answer that is a server's fault or not described, and nothing taken that the document forbids. What it
/// allows may still be refused, where a rule cannot be said in a schema.
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,response_schema_conformance,negative_data_rejection,unsupported_method";
/// Left out: a token that takes away the caller's own, a body of lines, and a stream that does not end by itself.
const LEFT_OUT: &str = "^/v1/(tokens/|bulk$|events/stream$)";

/// What the tool is told by a file, which it wants under this name: the token itself comes to it through its environment, so that it
/// is neither printed nor in the list of processes.
const CONFIG: (&str, &str) =
    ("schemathesis.toml", "[headers]\nAuthorization = \"Bearer ${KAPELL_CONTRACT_TOKEN}\"\n");
const TOKEN: &str = "KAPELL_CONTRACT_TOKEN";

/// Holds `binary` against its document, or says why not.
pub fn run(steps: &mut Steps, binary: &str) {
    let found = node::binary(binary).and_then(|binary| Ok((binary, tool()?.display().to_string())));
    let (binary, tool) = match found {
        Ok(found) => found,
        Err(why) => return steps.skip(NAME, &why),
    };
    let served = match Served::start(Path::new(&binary)) {
        Ok(served) => served,
        Err(error) => return steps.findings(NAME, Err(error)),
    };
    let document = format!("{}/openapi.json", served.base);
    let config = served.data.join(CONFIG.0).display().to_string();
    steps.run_with(
        NAME,
        &[
            tool.as_str(),
            "--config-file",
            &config,
            "run",
            &document,
            "--url",
            &served.base,
            "--phases",
            "examples,coverage,fuzzing",
            "--max-examples",
            EXAMPLES,
            "--checks",
            CHECKS,
            "--exclude-path-regex",
            LEFT_OUT,
            "--request-timeout",
            "40",
            "--suppress-health-check",
            "all",
            "--generation-database",
            "none",
            "--seed",
            "1",
            "--no-color",
        ],
        &[(TOKEN, &served.token)],
    );
}

/// Returns the tool, which is installed where it is not there; or why it cannot be.
fn tool() -> Result<PathBuf, String> {
    let tool = Path::new(FOLDER).join("bin/schemathesis");
    if tool.exists() {
        return Ok(tool);
    }
    if !node::runs("python3", &["-m", "venv", FOLDER]) {
        return Err("there is no python3 with venv".to_owned());
    }
    let python = Path::new(FOLDER).join("bin/python");
    if !node::runs(&python.display().to_string(), &["-m", "pip", "install", "--quiet", VERSION])
        || !tool.exists()
    {
        return Err(format!("pip does not install {VERSION}"));
    }
    Ok(tool)
}

/// A server on a directory of its own, which ends with this.
struct Served {
    process: Child,
    data: PathBuf,
    base: String,
    token: String,
}

impl Served {
    fn start(binary: &Path) -> anyhow::Result<Self> {
        let data = std::env::temp_dir().join(format!("kapell-contract-{}", std::process::id()));
        fs::create_dir_all(&data)?;
        fs::write(data.join(CONFIG.0), CONFIG.1)?;
        let process = Command::new(binary)
            .args(["up", "--listen", "127.0.0.1:0", "--data"])
            .arg(&data)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()?;
        let mut served = Self { process, data, base: String::new(), token: String::new() };
        let begun = Instant::now();
        while begun.elapsed() < START {
            let read = |file: &str| fs::read_to_string(served.data.join(file));
            if let (Ok(base), Ok(token)) = (read("address"), read("admin.token")) {
                (served.base, served.token) = (base.trim().to_owned(), token.trim().to_owned());
                return Ok(served);
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        anyhow::bail!("the server does not start within {} s", START.as_secs())
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // It may have ended by itself; the directory is a temporary one.
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = fs::remove_dir_all(&self.data);
    }
}
