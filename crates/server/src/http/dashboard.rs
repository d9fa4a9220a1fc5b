//! The dashboard: a page, its modules and its style, compiled in. It asks for nothing outside, holds no data by itself, and
//! everything that it shows comes through `/v1` under the token of whoever looks.

use std::sync::LazyLock;

use axum::Router;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use kapell_api::{ErrorCode, Problem};

use super::door::Path;
use super::{App, Refusal};

/// What stands in the page where the nonce of the one inline script goes: the import map.
const NONCE_MARK: &str = "{{nonce}}";

/// What stands there where the modules are named, so that all of them are asked for at once.
const PRELOAD_MARK: &str = "{{preload}}";

struct Asset {
    path: &'static str,
    kind: &'static str,
    bytes: &'static [u8],
}

macro_rules! assets {
    ($($path:literal as $kind:ident),+ $(,)?) => {
        &[$(Asset {
            path: $path,
            kind: $kind,
            bytes: include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/assets/", $path)),
        }),+]
    };
}

const JS: &str = "text/javascript; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const SVG: &str = "image/svg+xml";

const PAGE: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/assets/index.html"));

static ASSETS: &[Asset] = assets![
    "icon.svg" as SVG,
    "style.css" as CSS,
    "views.css" as CSS,
    "js/api.js" as JS,
    "js/burnup.js" as JS,
    "js/cards.js" as JS,
    "js/conflict.js" as JS,
    "js/cost.js" as JS,
    "js/decision.js" as JS,
    "js/emergency.js" as JS,
    "js/forecast.js" as JS,
    "js/gate.js" as JS,
    "js/permission.js" as JS,
    "js/handoff.js" as JS,
    "js/hours.js" as JS,
    "js/live.js" as JS,
    "js/main.js" as JS,
    "js/messages.js" as JS,
    "js/own.js" as JS,
    "js/route.js" as JS,
    "js/settle.js" as JS,
    "js/ui.js" as JS,
    "js/window.js" as JS,
    "js/words.js" as JS,
    "js/views/agents.js" as JS,
    "js/views/board.js" as JS,
    "js/views/channels.js" as JS,
    "js/views/graph.js" as JS,
    "js/views/inbox.js" as JS,
    "js/views/now.js" as JS,
    "js/views/place.js" as JS,
    "js/views/policy.js" as JS,
    "js/views/prioritise.js" as JS,
    "js/views/projects.js" as JS,
    "js/views/reports.js" as JS,
    "js/views/resources.js" as JS,
    "js/views/signin.js" as JS,
    "js/views/submit.js" as JS,
    "js/views/task.js" as JS,
    "js/views/timeline.js" as JS,
    "vendor/hooks.js" as JS,
    "vendor/htm.js" as JS,
    "vendor/preact.js" as JS,
    "vendor/signals-core.js" as JS,
    "vendor/signals.js" as JS,
];

/// A digest of everything, so that a browser asks again after an update and only then.
static ETAG: LazyLock<String> = LazyLock::new(|| {
    let mut hasher = blake3::Hasher::new();
    for asset in ASSETS {
        hasher.update(asset.path.as_bytes()).update(asset.bytes);
    }
    format!("\"{}\"", &hasher.finalize().to_hex()[..16])
});

/// The page but for its nonce.
static FILLED: LazyLock<String> = LazyLock::new(|| {
    let modules = ASSETS.iter().filter(|asset| asset.kind == JS);
    let links =
        modules.map(|asset| format!("<link rel=\"modulepreload\" href=\"/assets/{}\">\n", asset.path));
    PAGE.replace(PRELOAD_MARK, &links.collect::<String>())
});

pub(super) fn routes() -> Router<App> {
    Router::new().route("/", get(page)).route("/assets/{*path}", get(asset))
}

/// Serves the page. Its one inline script, the import map, carries a nonce of this answer.
async fn page() -> Result<Response, Refusal> {
    let mut random = [0; 16];
    getrandom::fill(&mut random)
        .map_err(|_| Problem::new(ErrorCode::Internal, "the system gives no random numbers"))?;
    let nonce = format!("{:032x}", u128::from_le_bytes(random));
    let policy = format!(
        "default-src 'none'; script-src 'self' 'nonce-{nonce}'; style-src 'self'; img-src 'self'; connect-src 'self'; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    );
    let headers = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CONTENT_SECURITY_POLICY, &policy),
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
    ];
    Ok((headers, FILLED.replace(NONCE_MARK, &nonce)).into_response())
}

async fn asset(Path(path): Path<String>, headers: HeaderMap) -> Result<Response, Refusal> {
    let found = ASSETS.iter().find(|asset| asset.path == path);
    let asset = found.ok_or_else(|| Problem::new(ErrorCode::NotFound, "there is no such path"))?;
    let known = headers.get(header::IF_NONE_MATCH).is_some_and(|etag| etag == ETAG.as_str());
    let sent = [
        (header::CONTENT_TYPE, asset.kind),
        (header::ETAG, ETAG.as_str()),
        (header::CACHE_CONTROL, "no-cache"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    let (status, bytes) =
        if known { (StatusCode::NOT_MODIFIED, &[][..]) } else { (StatusCode::OK, asset.bytes) };
    Ok((status, sent, bytes).into_response())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_names_only_what_is_served_and_nothing_outside() {
        assert_eq!(PAGE.matches(NONCE_MARK).count(), 1);
        let named = PAGE.split('"').filter_map(|text| text.strip_prefix("/assets/"));
        let missing: Vec<&str> =
            named.filter(|path| !ASSETS.iter().any(|asset| asset.path == *path)).collect();
        assert_eq!(missing, Vec::<&str>::new());
        for asset in ASSETS.iter().filter(|asset| !asset.path.starts_with("vendor/")) {
            let text = std::str::from_utf8(asset.bytes).expect("text");
            let outside = text.replace("http://www.w3.org/2000/svg", "");
            assert!(!outside.contains("http://") && !outside.contains("https://"), "{}", asset.path);
        }
    }

    #[test]
    fn every_module_that_is_imported_is_served() {
        for asset in ASSETS.iter().filter(|asset| asset.path.starts_with("js/")) {
            let folder = asset.path.rsplit_once('/').map_or("", |(folder, _)| folder);
            let text = std::str::from_utf8(asset.bytes).expect("text");
            let relative = text.lines().filter_map(|line| line.split_once("from \".").map(|(_, rest)| rest));
            for import in relative.filter_map(|rest| rest.split('"').next()) {
                let path = match import.strip_prefix("./") {
                    Some(up) => format!("js/{up}"),
                    None => format!("{folder}{import}"),
                };
                assert!(ASSETS.iter().any(|asset| asset.path == path), "{} imports {path}", asset.path);
            }
        }
    }
}
