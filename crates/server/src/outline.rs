//! What a description is made of: the open items of its checklist, else its headed sections, read as Markdown.

use std::ops::Range;

use kapell_core::{Component, ComponentSource};
use kapell_model::{Text, limits};
use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

/// How headings begin that say something about the whole, and under which no components stand.
const ABOUT_THE_WHOLE: &[&str] = &[
    "acceptance",
    "appendix",
    "background",
    "context",
    "definition of done",
    "done when",
    "goal",
    "introduction",
    "links",
    "motivation",
    "non-goal",
    "notes",
    "open question",
    "out of scope",
    "overview",
    "purpose",
    "questions",
    "references",
    "risks",
    "scope",
    "summary",
    "test plan",
    "testing",
    "why",
];

/// A heading, or an item of a checklist, with where its own text ends and what belongs to it.
#[derive(Debug)]
struct Headed {
    level: usize,
    title: String,
    body: Range<usize>,
}

/// Returns the components that a description names; nothing where it names fewer than two.
#[must_use]
pub(crate) fn components(description: &str) -> Option<(ComponentSource, Vec<Component>)> {
    let (headings, items) = read(description);
    let items = made(description, &items);
    if items.len() > 1 {
        return Some((ComponentSource::Checklist, items));
    }
    let fit =
        |level: usize| headings.iter().filter(move |it| it.level == level && !is_about_the_whole(&it.title));
    let level = (1..=6).find(|&level| fit(level).count() > 1)?;
    let sections: Vec<&Headed> = fit(level).collect();
    Some((ComponentSource::Sections, made(description, &sections)))
}

fn is_about_the_whole(title: &str) -> bool {
    let title = title.trim().to_lowercase();
    ABOUT_THE_WHOLE.iter().any(|words| title.starts_with(words))
}

/// Reads the headings, and the items of the outermost checklists that are open and say something to do.
fn read(description: &str) -> (Vec<Headed>, Vec<Headed>) {
    let (mut headings, mut items): (Vec<Headed>, Vec<Headed>) = (Vec::new(), Vec::new());
    let (mut heading, mut item): (Option<Headed>, Option<Headed>) = (None, None);
    // Depth of lists; of the list whose item is being read; whether its own line is over.
    let (mut depth, mut own, mut titled) = (0_usize, 0_usize, false);
    let about = |headings: &[Headed]| headings.last().is_some_and(|it| is_about_the_whole(&it.title));
    for (event, range) in Parser::new_ext(description, Options::ENABLE_TASKLISTS).into_offset_iter() {
        match event {
            Event::Start(Tag::Heading { level, .. }) => {
                close(&mut headings, level as usize, range.start);
                heading = Some(Headed { level: level as usize, title: String::new(), body: 0..0 });
            }
            Event::End(TagEnd::Heading(_)) => {
                headings.extend(heading.take().map(|it| Headed { body: range.end..description.len(), ..it }));
            }
            Event::Start(Tag::List(_)) => {
                depth += 1;
                if let Some(item) = item.as_mut().filter(|_| !titled) {
                    (item.body.start, titled) = (range.start, true);
                }
            }
            Event::End(TagEnd::List(_)) => depth -= 1,
            Event::TaskListMarker(false) if item.is_none() && !about(&headings) => {
                (own, titled) = (depth, false);
                item = Some(Headed { level: depth, title: String::new(), body: 0..0 });
            }
            Event::End(TagEnd::Paragraph) if item.is_some() && depth == own && !titled => {
                (item.as_mut().expect("an item").body.start, titled) = (range.end, true);
            }
            Event::End(TagEnd::Item) if item.is_some() && depth == own => {
                items.extend(item.take().map(|it| {
                    let start = if titled { it.body.start } else { range.end };
                    Headed { body: start..range.end.max(start), ..it }
                }));
            }
            Event::Text(text) | Event::Code(text) => {
                if let Some(heading) = &mut heading {
                    heading.title.push_str(&text);
                } else if let Some(item) = item.as_mut().filter(|_| !titled) {
                    item.title.push_str(&text);
                }
            }
            Event::SoftBreak | Event::HardBreak => {
                if let Some(item) = item.as_mut().filter(|_| !titled) {
                    item.title.push(' ');
                }
            }
            _ => {}
        }
    }
    (headings, items)
}

/// Ends the sections that a heading of `level` ends.
fn close(headings: &mut [Headed], level: usize, end: usize) {
    for it in headings.iter_mut().filter(|it| it.level >= level && it.body.end > end) {
        it.body.end = end;
    }
}

/// Makes components of what was read: titles that occur twice are told apart, and what is beyond the bound stands in the last.
fn made<T: std::borrow::Borrow<Headed>>(description: &str, headed: &[T]) -> Vec<Component> {
    let mut components: Vec<Component> = Vec::new();
    let filled = headed.iter().map(std::borrow::Borrow::borrow).filter(|it| !it.title.trim().is_empty());
    let all: Vec<&Headed> = filled.collect();
    let (kept, rest) = all.split_at(match all.len() {
        count if count > limits::COMPONENTS_MAX => limits::COMPONENTS_MAX - 1,
        count => count,
    });
    for it in kept {
        let body = description.get(it.body.clone()).unwrap_or_default().trim();
        push(&mut components, it.title.trim(), body);
    }
    if !rest.is_empty() {
        let list: Vec<String> = rest.iter().map(|it| format!("- {}", it.title.trim())).collect();
        push(&mut components, &format!("{} more", rest.len()), &list.join("\n"));
    }
    components
}

fn push(components: &mut Vec<Component>, title: &str, body: &str) {
    let taken = |title: &Text| components.iter().any(|other| other.title == *title);
    let first = cut(title, limits::TITLE_BYTES_MAX - 8);
    let again = (2..).map(|count| cut(&format!("{first} ({count})"), limits::TITLE_BYTES_MAX));
    let title = [first.clone()].into_iter().chain(again).find(|title| !taken(title)).expect("one is free");
    let description = cut(body, limits::DESCRIPTION_BYTES_MAX);
    components.push(Component { title, description, requires: Vec::new(), estimate: None });
}

fn cut(text: &str, bytes_max: usize) -> Text {
    let end = (0..=text.len().min(bytes_max)).rev().find(|&end| text.is_char_boundary(end)).unwrap_or(0);
    Text::new(&text[..end], bytes_max).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_as(description: &str) -> (Option<ComponentSource>, Vec<(String, String)>) {
        let found = components(description);
        let source = found.as_ref().map(|(source, _)| *source);
        let shown = |it: Component| (it.title.to_string(), it.description.to_string());
        (source, found.map(|(_, all)| all.into_iter().map(shown).collect()).unwrap_or_default())
    }

    #[test]
    fn the_open_items_of_a_checklist_are_components() {
        let (source, components) = read_as(
            "Do it.\n\n- [ ] The `api`\n  with two lines\n  - of detail\n- [x] done before\n- [ ] The page\n\n## Acceptance criteria\n\n- [ ] it is fast\n- [ ] it is green\n",
        );
        assert_eq!(source, Some(ComponentSource::Checklist));
        let titles: Vec<&str> = components.iter().map(|(title, _)| title.as_str()).collect();
        assert_eq!(titles, ["The api with two lines", "The page"]);
        assert_eq!(components[0].1, "- of detail");
    }

    #[test]
    fn headed_sections_are_components_but_those_about_the_whole() {
        let (source, components) = read_as(
            "# The whole\n\n## Background\n\nlong ago\n\n## Import\n\nread it\n\n### Details\n\nmany\n\n## Export\n\nwrite it\n\n## Open questions\n\nwhich?\n",
        );
        assert_eq!(source, Some(ComponentSource::Sections));
        assert_eq!(
            components,
            [
                ("Import".to_owned(), "read it\n\n### Details\n\nmany".to_owned()),
                ("Export".to_owned(), "write it".to_owned())
            ]
        );
    }

    #[test]
    fn what_only_looks_like_it_is_none() {
        for text in
            ["", "a text", "- [ ] one alone", "```\n- [ ] a\n- [ ] b\n```", "## One\n\ntext", "- a\n- b"]
        {
            assert_eq!(read_as(text).0, None, "{text}");
        }
    }

    #[test]
    fn equal_titles_are_told_apart_and_nothing_is_lost_beyond_the_bound() {
        let twice = read_as("- [ ] same\n- [ ] same\n").1;
        assert_eq!(twice[1].0, "same (2)");
        let many: String = (0..60).map(|index| format!("- [ ] item {index}\n")).collect();
        let components = read_as(&many).1;
        assert_eq!(components.len(), limits::COMPONENTS_MAX);
        assert!(components[49].1.contains("item 59"), "{:?}", components[49]);
    }
}
