//! `kapell report`.

use crate::context::Context;
use crate::exit::Exit;
use crate::output::{self, Format};

#[derive(Debug, clap::Args)]
pub struct Report {
    /// Print it as Markdown, which is what people get by default
    #[arg(long)]
    markdown: bool,
    /// Print it as one HTML file with plots, without script: `kapell report --html > report.html`
    #[arg(long, conflicts_with = "markdown")]
    html: bool,
    /// Have it saved under OPERATIONS/REPORTS in the server's data directory, and print where
    #[arg(long)]
    save: bool,
}

impl Report {
    pub fn run(self, context: &Context) -> anyhow::Result<Exit> {
        let client = context.client()?;
        let as_json = context.format() == Format::Json && !self.markdown;
        if self.save {
            let saved = client.save_report()?;
            if as_json {
                output::json(&saved)?;
            } else {
                output::line(&saved.markdown);
                output::line(&saved.html);
                output::line(&saved.json);
            }
        } else if self.html {
            output::bytes(&client.report_html()?)?;
        } else if as_json {
            output::json(&client.report()?)?;
        } else {
            output::line(output::plain(client.report_markdown()?.trim_end()));
        }
        Ok(Exit::Ok)
    }
}
