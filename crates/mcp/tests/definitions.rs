//! What the definitions of the tools cost a model, and that their texts do not change unseen.

use std::fmt::Write as _;

use kapell_mcp::{Tier, definitions};
use serde_json::Value;

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/mcp.md");

/// The digests of the definitions, a tier a line: whoever changes a text changes its digest here, and sees what it costs.
const DIGESTS: [(Tier, &str); 3] =
    [(Tier::Core, "b4114eade3f153e3"), (Tier::Standard, "ca59d5a41a92914a"), (Tier::All, "ee2d3cedc5bb69a4")];

/// Counts tokens as the page says: JSON as models read it has one token for four bytes, and one for each sign of its syntax that
/// stands alone between words. It counts more than the tokenizers of today do.
fn tokens(definitions: &Value) -> usize {
    let (mut count, mut word) = (0, 0);
    for c in definitions.to_string().chars() {
        if c.is_alphanumeric() || c == '_' {
            word += 1;
            continue;
        }
        count += usize::div_ceil(word, 4);
        word = 0;
        count += usize::from(!c.is_whitespace() && c != '"');
    }
    count + usize::div_ceil(word, 4)
}

#[test]
fn the_page_says_what_the_definitions_cost() {
    let mut expected = String::new();
    for tier in Tier::ALL {
        let definitions = definitions(tier);
        let number = definitions.as_array().expect("a list").len();
        let bytes = definitions.to_string().len();
        let _ = writeln!(expected, "| `{}` | {number} | {bytes} | {} |", tier.as_str(), tokens(&definitions));
    }
    let page = std::fs::read_to_string(PAGE).expect("docs/mcp.md");
    assert!(page.contains(&expected), "docs/mcp.md should have these lines:\n{expected}");
}

#[test]
fn texts_do_not_change_unseen() {
    let now = DIGESTS
        .map(|(tier, _)| blake3::hash(definitions(tier).to_string().as_bytes()).to_hex()[..16].to_owned());
    assert_eq!(
        now,
        DIGESTS.map(|(_, digest)| digest.to_owned()),
        "read the new texts as a model would, then write this"
    );
}

#[test]
fn definitions_are_plain() {
    let core = definitions(Tier::Core);
    assert!(core.as_array().is_some_and(|tools| tools.len() <= 8));
    for tool in definitions(Tier::All).as_array().expect("a list") {
        let name = tool["name"].as_str().expect("a name");
        let text = tool.to_string();
        assert_eq!(tool["inputSchema"]["type"], "object", "{name}");
        for word in ["$ref", "$defs", "\"null\"", "\"format\""] {
            assert!(!text.contains(word), "{name}: {word}");
        }
        let first = tool["description"].as_str().and_then(|text| text.split('.').next()).unwrap_or_default();
        assert!(first.split_whitespace().count() >= 3, "{name}: a search finds it by its first sentence");
    }
}
